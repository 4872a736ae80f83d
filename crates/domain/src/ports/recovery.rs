//! The roles around a recovery.

use std::future::Future;

use super::{InsertOutcome, StoreError, WriteOutcome};
use crate::delivery::Delivery;
use crate::due::NextAttempt;
use crate::ids::{CustomerId, DeliveryId, RecoveryId, SubscriptionId};
use crate::message::StoredMessage;
use crate::recovery::{Recovery, RecoveryKey, RecoveryPage};

/// Where recoveries are kept.
pub trait RecoveryStore {
    /// Writes a new one; refuses when there is one with this key.
    fn insert_recovery(
        &self,
        recovery: &Recovery,
    ) -> impl Future<Output = Result<InsertOutcome, StoreError>> + Send;

    /// Reads one, consistently.
    fn recovery(
        &self,
        key: &RecoveryKey,
    ) -> impl Future<Output = Result<Option<Recovery>, StoreError>> + Send;

    /// Replaces the recovery whose stored version is `recovery.version - 1`.
    /// Writing the same again is no conflict.
    fn replace_recovery(
        &self,
        recovery: &Recovery,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// At most `limit` of a subscription's recoveries, those older than the given one.
    /// Consistent.
    fn recoveries(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        before: Option<&RecoveryId>,
        limit: u32,
    ) -> impl Future<Output = Result<RecoveryPage, StoreError>> + Send;
}

/// What a recovery reads of what it finds in a list, and what it adds.
pub trait RecoverySource {
    /// Reads a message and its delivery to a subscription, consistently, as far as they
    /// are there.
    fn read(
        &self,
        id: &DeliveryId,
    ) -> impl Future<Output = Result<(Option<StoredMessage>, Option<Delivery>), StoreError>> + Send;

    /// Writes a new delivery whose first attempt is due at a time; refuses when there is
    /// one. It enters the `due` index.
    fn insert_due(
        &self,
        delivery: &Delivery,
        next: &NextAttempt,
    ) -> impl Future<Output = Result<InsertOutcome, StoreError>> + Send;
}

/// The workflow did not start.
#[derive(Debug, thiserror::Error)]
#[error("workflow of the recovery did not start")]
pub struct WorkflowError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Runs a recovery page by page.
pub trait RecoveryWorkflow {
    /// Starts it; starting it again is no error.
    fn start(&self, recovery: &Recovery) -> impl Future<Output = Result<(), WorkflowError>> + Send;
}
