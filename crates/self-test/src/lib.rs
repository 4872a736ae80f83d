//! A run of the self test (`webhooks doctor --send`), as the command and the function
//! `echo-receiver` know it.
//!
//! The command registers a run: a [`Script`] of answers for each step, and an end. The function
//! answers requests to `/{run}/{step}` by it and records them. Both sides use the self test's
//! own [`SelfTestTable`], never the product's.
//!
//! A run's id is 256 random bits. Whoever does not know it can neither write to the table nor
//! learn anything from it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod run;
mod table;

pub use run::{Answer, MAX_REQUEST_BYTES, MAX_RUN_BYTES, MAX_RUN_REQUESTS};
pub use run::{Recorded, Run, RunId, Script, Step, parse_path};
pub use table::{SelfTestTable, TableError};

use webhooks_domain::timestamp::Timestamp;

/// What the function asks of the table.
pub trait Runs {
    /// A run, unless there is none or it has expired.
    fn run(&self, id: &RunId) -> impl Future<Output = Result<Option<Run>, TableError>> + Send;

    /// Counts a request of so many bytes. Returns its number within its step, from 1; `None`
    /// when the run has used up what it may keep.
    fn count(
        &self,
        id: &RunId,
        step: &Step,
        bytes: usize,
    ) -> impl Future<Output = Result<Option<u32>, TableError>> + Send;

    /// Keeps a request until some time after the end of its run.
    fn record(
        &self,
        id: &RunId,
        ends_at: Timestamp,
        request: &Recorded,
    ) -> impl Future<Output = Result<(), TableError>> + Send;
}
