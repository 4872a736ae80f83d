//! The roles of whoever keeps subscriptions.

use std::future::Future;

use super::{StoreError, WriteOutcome};
use crate::health::Health;
use crate::idempotency::IdempotencyRecord;
use crate::ids::{CustomerId, SubscriptionId};
use crate::quota::{Quota, Usage};
use crate::subscription::{BrokenSubscription, DisabledReason, Subscription};
use crate::timestamp::Timestamp;

/// What the creation of a subscription writes: all of it, or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Creation<'a> {
    /// The subscription, with an id that was never used before.
    pub subscription: &'a Subscription,
    /// The record of the request, if that has an idempotency key.
    pub record: Option<&'a IdempotencyRecord>,
    /// A subscription that was deleted: a record that names it counts no more.
    pub deleted: Option<SubscriptionId>,
    /// What its customer may have.
    pub quota: Quota,
}

impl<'a> Creation<'a> {
    /// The creation of a subscription by a request without an idempotency key.
    pub fn of(subscription: &'a Subscription, quota: Quota) -> Self {
        Self {
            subscription,
            record: None,
            deleted: None,
            quota,
        }
    }
}

/// What came of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreationOutcome {
    /// It was written.
    Created,
    /// There is one with this id: this very write, whose first answer was lost.
    AlreadyThere,
    /// The idempotency key has a record that counts.
    KeyInUse(IdempotencyRecord),
    /// The customer would have more than it may. This is what it has, as it was counted.
    QuotaExceeded(Usage),
}

/// What the change of a subscription writes: all of it, or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Replacement<'a> {
    /// The subscription as it is stored.
    pub read: &'a Subscription,
    /// What takes its place, with the next version.
    pub changed: &'a Subscription,
    /// What becomes of the stored health, whatever `changed` says of it.
    pub health: HealthFate,
    /// What its customer may have.
    pub quota: Quota,
}

/// What becomes of an endpoint's health when its subscription is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthFate {
    /// It stays as it is stored at that moment.
    Kept,
    /// The endpoint starts anew.
    Forgotten,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplacementOutcome {
    /// It was written.
    Written,
    /// Somebody else has written since; nothing was written.
    Conflict,
    /// The customer would have more than it may. This is what it has, as it was counted.
    QuotaExceeded(Usage),
}

/// Where subscriptions are kept, each by its customer and id.
pub trait SubscriptionStore {
    /// Writes a new subscription, the record of its request, and what the customer has by
    /// then. Concurrent creations do not go beyond the quota together.
    ///
    /// A record that has expired is absent.
    fn insert(
        &self,
        creation: &Creation<'_>,
    ) -> impl Future<Output = Result<CreationOutcome, StoreError>> + Send;

    /// Reads one, consistently: what was written before is seen. One of which not everything
    /// can be read is [`StoreError::Corrupt`].
    fn get(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> impl Future<Output = Result<Option<Subscription>, StoreError>> + Send;

    /// Reads one of which not everything can be read, consistently. `None` when there is none,
    /// or it is whole.
    fn broken(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> impl Future<Output = Result<Option<BrokenSubscription>, StoreError>> + Send;

    /// Replaces the subscription whose stored version is that of `read`. Writing the same
    /// again is no conflict.
    fn replace(
        &self,
        replacement: &Replacement<'_>,
    ) -> impl Future<Output = Result<ReplacementOutcome, StoreError>> + Send;

    /// Removes a subscription whose stored version is that which was read. One that is not
    /// there has been conflict.
    fn remove(
        &self,
        read: &Subscription,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Corrects what is counted of a customer, if it is still what was counted.
    fn correct_usage(
        &self,
        customer: &CustomerId,
        counted: Usage,
        actual: Usage,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}

/// Turns a subscription off for the system.
pub trait SubscriptionSwitch {
    /// Sets the stored status to `disabled`, if the subscription is still as it was read,
    /// its health included.
    fn disable(
        &self,
        read: &Subscription,
        reason: DisabledReason,
        now: Timestamp,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}

/// Keeps the health of a subscription's endpoint.
pub trait HealthStore {
    /// Sets the stored health, if it is still as it was read, and of the same URL. Nothing
    /// else of the subscription changes, its version neither.
    fn change_health(
        &self,
        read: &Subscription,
        health: &Health,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}
