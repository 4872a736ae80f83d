//! A run of the self test (`webhooks doctor --send`), as shared by the command and the function
//! `echo-receiver`.
//!
//! The command registers a run, which is a [`Script`] of answers for each step and an end time.
//! The function answers requests to `/{run}/{step}` as the script says, and records them. Both
//! use the self test's own [`SelfTestTable`], never the product's table.
//!
//! A run's id is 256 random bits. Without the id, nobody can write to the table or learn
//! anything from it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod run;
mod table;

pub use run::{Answer, MAX_REQUEST_BYTES, MAX_RUN_BYTES, MAX_RUN_REQUESTS};
pub use run::{Recorded, Run, RunId, Script, Step, parse_path};
pub use table::{SelfTestTable, TableError};

use webhooks_domain::timestamp::Timestamp;

/// The operations of the table that the function needs.
pub trait Runs {
    /// Returns a run, or `None` if it does not exist or has expired.
    fn run(&self, id: &RunId) -> impl Future<Output = Result<Option<Run>, TableError>> + Send;

    /// Counts a request with this many bytes. Returns its number within its step, starting at
    /// 1; `None` if the run has used up its quota.
    fn count(
        &self,
        id: &RunId,
        step: &Step,
        bytes: usize,
    ) -> impl Future<Output = Result<Option<u32>, TableError>> + Send;

    /// Stores a request. It expires some time after the end of its run.
    fn record(
        &self,
        id: &RunId,
        ends_at: Timestamp,
        request: &Recorded,
    ) -> impl Future<Output = Result<(), TableError>> + Send;
}
