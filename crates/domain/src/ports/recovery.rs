//! The ports of recoveries.

use std::future::Future;

use super::{InsertOutcome, StoreError, WriteOutcome};
use crate::delivery::Delivery;
use crate::due::NextAttempt;
use crate::ids::{CustomerId, DeliveryId, RecoveryId, SubscriptionId};
use crate::message::StoredMessage;
use crate::recovery::{Recovery, RecoveryKey, RecoveryPage};

/// Stores recoveries.
pub trait RecoveryStore {
    /// Writes a new one. Refuses if there is one with this key.
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
    /// Repeating the same write is not a conflict.
    fn replace_recovery(
        &self,
        recovery: &Recovery,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// At most `limit` of a subscription's recoveries that are older than the given one. The read
    /// is consistent.
    fn recoveries(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        before: Option<&RecoveryId>,
        limit: u32,
    ) -> impl Future<Output = Result<RecoveryPage, StoreError>> + Send;
}

/// Reads the messages and deliveries for a recovery, and adds deliveries.
pub trait RecoverySource {
    /// Reads a message and its delivery to a subscription, consistently, as far as they exist.
    fn read(
        &self,
        id: &DeliveryId,
    ) -> impl Future<Output = Result<(Option<StoredMessage>, Option<Delivery>), StoreError>> + Send;

    /// Writes a new delivery whose first attempt is due at a given time. Refuses if there is one.
    /// It enters the `due` index.
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
    /// Starts it. Starting it twice is not an error.
    fn start(&self, recovery: &Recovery) -> impl Future<Output = Result<(), WorkflowError>> + Send;
}
