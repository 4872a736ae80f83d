//! Recoveries, and the workflow that runs them.

use std::future::Future;

use super::{Directory, InsertOutcome, ResendTable, StoreError, WorkflowError, WriteOutcome};
use crate::delivery::Delivery;
use crate::ids::{CustomerId, RecoveryId, SubscriptionId};
use crate::recovery::{Recovery, RecoveryKey, RecoveryPage};

/// The table as [`crate::recover`] uses it: the lists that recoveries read, the deliveries that
/// they resend, and the recoveries.
pub trait RecoveryTable: ResendTable + Directory {
    /// Cancels a delivery that is held, if it has not changed since it was read. A repetition is a
    /// conflict.
    fn discard(
        &self,
        read: &Delivery,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Writes a new recovery.
    fn insert_recovery(
        &self,
        recovery: &Recovery,
    ) -> impl Future<Output = Result<InsertOutcome, StoreError>> + Send;

    /// Reads a recovery.
    fn recovery(
        &self,
        key: &RecoveryKey,
    ) -> impl Future<Output = Result<Option<Recovery>, StoreError>> + Send;

    /// Replaces the recovery whose stored version is `recovery.version - 1`. A repetition is not a
    /// conflict.
    fn replace_recovery(
        &self,
        recovery: &Recovery,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Lists at most `limit` of a subscription's recoveries that are older than the given one.
    fn recoveries(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        before: Option<&RecoveryId>,
        limit: u32,
    ) -> impl Future<Output = Result<RecoveryPage, StoreError>> + Send;
}

/// Runs a recovery page by page.
pub trait RecoveryWorkflow {
    /// Starts it. A repetition changes nothing.
    fn start(&self, recovery: &Recovery) -> impl Future<Output = Result<(), WorkflowError>> + Send;
}
