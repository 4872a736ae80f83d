//! The table's subscriptions.

use std::future::Future;

use super::{StoreError, WriteOutcome};
use crate::health::Health;
use crate::idempotency::{IdempotencyKey, IdempotencyRecord};
use crate::ids::{CustomerId, SubscriptionId};
use crate::paging::EntryPage;
use crate::quota::{CountedUsage, Quota, Usage};
use crate::subscription::{
    BrokenSubscription, CertificateWarned, DisabledReason, FormerRequests, Subscription,
    SubscriptionPage, UnhealthyPlace,
};
use crate::timestamp::Timestamp;

/// The data that the creation of a subscription writes, all or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Creation<'a> {
    /// The subscription, with an id that was never used before.
    pub subscription: &'a Subscription,
    /// The record of the request, if it has an idempotency key.
    pub record: Option<&'a IdempotencyRecord>,
    /// A deleted subscription: a record that names it is no longer valid.
    pub deleted: Option<SubscriptionId>,
    /// The customer's quota.
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

/// The result of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreationOutcome {
    /// It was written.
    Created,
    /// There is one with this id: this write was repeated, because its response was lost.
    AlreadyThere,
    /// The idempotency key has a valid record.
    KeyInUse(IdempotencyRecord),
    /// The customer would exceed its quota, or is being deleted.
    Refused(CountedUsage),
}

/// The data that the change of a subscription writes, all or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Replacement<'a> {
    /// The subscription as it is stored.
    pub read: &'a Subscription,
    /// The subscription that replaces it, with the next version.
    pub changed: &'a Subscription,
    /// Its requests as they were, if the change makes others of them.
    pub former: Option<&'a FormerRequests>,
    /// The treatment of the stored health.
    pub health: HealthFate,
    /// The customer's quota.
    pub quota: Quota,
}

/// The treatment of an endpoint's health when its subscription is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthFate {
    /// It stays as it is stored at that moment. The health in the changed subscription is ignored.
    Kept,
    /// The health in the changed subscription replaces it, whatever is stored at that moment.
    Replaced,
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplacementOutcome {
    /// It was written.
    Written,
    /// Another write came first; nothing was written.
    Conflict,
    /// The customer would exceed its quota, or is being deleted.
    Refused(CountedUsage),
}

/// The table's subscriptions, as the system itself uses them: it reads them, and writes their
/// health.
pub trait SubscriptionTable {
    /// Reads a subscription. One that cannot be read completely is [`StoreError::Corrupt`].
    fn get(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> impl Future<Output = Result<Option<Subscription>, StoreError>> + Send;

    /// Reads a subscription that cannot be read completely. `None` if there is none, or it can be
    /// read.
    fn broken(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> impl Future<Output = Result<Option<BrokenSubscription>, StoreError>> + Send;

    /// Lists at most `limit` subscriptions of a customer, after the given id. A page may be short
    /// while `has_more` is true, but then has at least one subscription.
    fn page(
        &self,
        customer: &CustomerId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> impl Future<Output = Result<SubscriptionPage, StoreError>> + Send;

    /// Sets the stored health, if neither the health nor the URL has changed since they were read,
    /// and the subscription is not disabled. Nothing else of the subscription changes, not even its
    /// version. A repetition is a conflict.
    fn change_health(
        &self,
        read: &Subscription,
        health: &Health,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Sets the stored status to `disabled`, and notes [the time at which its owner was
    /// told](Subscription::disabled_warned_after), if the subscription and its health have not
    /// changed since they were read. A repetition is a conflict.
    fn disable(
        &self,
        read: &Subscription,
        reason: DisabledReason,
        now: Timestamp,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Notes that its owner is told of the end of its client certificate, if neither the subscription
    /// nor the last such warning has changed since they were read. Nothing else changes, not even the
    /// version. A repetition is a conflict.
    fn note_certificate_warning(
        &self,
        read: &Subscription,
        warned: CertificateWarned,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}

/// The sparse index of unhealthy subscriptions. A healthy one is never in it.
pub trait UnhealthyIndex {
    /// Lists at most `limit` unhealthy subscriptions after the given one. Eventually consistent: an
    /// entry may be missing, or its subscription may be healthy or deleted by now.
    fn unhealthy(
        &self,
        after: Option<&UnhealthyPlace>,
        limit: u32,
    ) -> impl Future<Output = Result<EntryPage<UnhealthyPlace>, StoreError>> + Send;
}

/// The table as [`crate::manage`] uses it: subscriptions, their usage, and the records of
/// idempotency keys.
pub trait SubscriptionStore: SubscriptionTable {
    /// Writes a new subscription, the record of its request, and the customer's usage. Concurrent
    /// creations together cannot exceed the quota. An expired record counts as absent.
    ///
    /// A repetition returns [`CreationOutcome::AlreadyThere`], or the record.
    fn insert(
        &self,
        creation: &Creation<'_>,
    ) -> impl Future<Output = Result<CreationOutcome, StoreError>> + Send;

    /// Reads the record of an idempotency key. An expired record counts as absent.
    fn idempotency_record(
        &self,
        customer: &CustomerId,
        key: &IdempotencyKey,
    ) -> impl Future<Output = Result<Option<IdempotencyRecord>, StoreError>> + Send;

    /// Replaces the subscription whose stored version is that of `read`. A repetition is not a
    /// conflict.
    fn replace(
        &self,
        replacement: &Replacement<'_>,
    ) -> impl Future<Output = Result<ReplacementOutcome, StoreError>> + Send;

    /// Removes a subscription that still has the version that was read, and keeps its requests for
    /// the attempts that name them. A repetition is a conflict.
    fn remove(
        &self,
        read: &Subscription,
        former: Option<&FormerRequests>,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Corrects the counted usage of a customer, if it has not changed since it was read.
    fn correct_usage(
        &self,
        customer: &CustomerId,
        counted: Usage,
        actual: Usage,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}
