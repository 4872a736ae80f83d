//! The sparse index `due`: the pending deliveries that the sweep must check, with the times.
//!
//! A delivery enters it when its first attempt has failed, when it is resent, or as a new one whose
//! event names the time of the first attempt. It leaves it when it ends or is held. A subscription is in it while its deliveries are held because the endpoint
//! is unavailable, and a customer while it is being deleted. Only this module reads and writes the
//! attributes by which a delivery is in the index.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use serde::{Deserialize, Serialize};
use webhooks_domain::delivery::{Delivery, DeliveryTask, DueEntry};
use webhooks_domain::due::{NextAttempt, Shard};
use webhooks_domain::ids::{CustomerId, DeliveryId};
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{DueIndex, DuePage, HoldEntry, HoldIndex, StoreError, WriteOutcome};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::key::Key;
use crate::store::{
    IN_FORCE, NOT_EXPIRED, NOW, integer, into_domain, left_out, number, query_some, to_attributes,
    unavailable, write_outcome,
};

pub(crate) const INDEX: &str = "due";
/// The shard of the subscriptions, after those of the deliveries.
pub(crate) const SHARD_OF_SUBSCRIPTIONS: u8 = Shard::COUNT;
/// The shard of the customers that are being deleted.
pub(crate) const SHARD_OF_CUSTOMERS: u8 = Shard::COUNT + 1;

/// The attributes that a delivery has only while it is in the index.
pub(crate) const ATTRIBUTES: &str = "dueShard, sweepAt, nextAttempt";
/// Sets them; [`enter`] provides the values.
pub(crate) const ENTER: &str = "dueShard = :shard, sweepAt = :sweep, nextAttempt = :next";

/// Extends an update so that it puts the delivery into the index, or moves its entry.
pub(crate) fn enter(
    update: UpdateItemFluentBuilder,
    id: &DeliveryId,
    attempt: u32,
    next: &NextAttempt,
) -> UpdateItemFluentBuilder {
    update
        .expression_attribute_values(":shard", number(Shard::of(id).number()))
        .expression_attribute_values(":sweep", number(next.sweep_at.as_millis()))
        .expression_attribute_values(":next", number(attempt))
}

/// The attributes that put a new delivery into the index.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewEntry {
    due_shard: u8,
    sweep_at: Timestamp,
    next_attempt: u32,
}

impl NewEntry {
    pub(crate) fn of(delivery: &Delivery, next: &NextAttempt) -> Self {
        Self {
            due_shard: Shard::of(&delivery.id).number(),
            sweep_at: next.sweep_at,
            next_attempt: delivery.next_attempt(),
        }
    }
}

/// An entry of the index, as projected.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(flatten)]
    key: Key,
    customer_id: CustomerId,
    sweep_at: Timestamp,
    next_attempt: u32,
    next_attempt_at: Timestamp,
    /// Required, because an entry without a readable expiry cannot be postponed, and would be swept
    /// every minute.
    #[serde(rename = "expiresAt")]
    _expires_at: i64,
}

impl TryFrom<Entry> for DueEntry {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, String> {
        Ok(Self {
            customer: entry.customer_id,
            task: DeliveryTask::new(
                entry.key.delivery_id()?,
                entry.next_attempt,
                Some(entry.next_attempt_at),
            ),
            sweep_at: entry.sweep_at,
        })
    }
}

impl DynamoStore {
    /// The time at which the sweep checks a delivery. `None` if the delivery is not in the index.
    ///
    /// The self test uses it to see that a long wait is passed on to the queue.
    pub async fn sweep_at(&self, id: &DeliveryId) -> Result<Option<Timestamp>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .set_key(Some(to_attributes(&Key::delivery(id))))
            .projection_expression("sweepAt")
            .send()
            .await
            .map_err(|error| unavailable("get the sweep of a delivery", error))?;
        let millis = output.item.and_then(|item| integer(&item, "sweepAt"));
        Ok(millis.map(Timestamp::from_millis))
    }
}

impl DueIndex for DynamoStore {
    async fn due_page(
        &self,
        shard: Shard,
        until: Timestamp,
        after: Option<&DueEntry>,
        limit: u32,
    ) -> Result<DuePage, StoreError> {
        let start = after.map(|due| {
            let mut key = to_attributes(&Key::delivery(&due.task.delivery));
            key.insert("dueShard".to_owned(), number(shard.number()));
            key.insert("sweepAt".to_owned(), number(due.sweep_at.as_millis()));
            key
        });
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("dueShard = :shard AND sweepAt <= :until")
            .filter_expression(NOT_EXPIRED)
            .expression_attribute_values(":shard", number(shard.number()))
            .expression_attribute_values(":until", number(until.as_millis()))
            .expression_attribute_values(NOW, self.now_secs())
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let mut unreadable = Vec::new();
        let read = |item| match into_domain::<Entry, DueEntry>(item) {
            Ok(due) => Some(due),
            Err(error) => {
                unreadable.push(error);
                None
            }
        };
        let (due, has_more) = query_some(query, start, read)
            .await
            .map_err(|error| unavailable("list due deliveries", error))?;
        Ok(DuePage {
            due,
            unreadable,
            has_more,
        })
    }

    async fn postpone(
        &self,
        due: &DueEntry,
        sweep_at: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        let result = self.postponing(due, sweep_at).send().await;
        write_outcome(result, "postpone due delivery")
    }
}

impl DynamoStore {
    pub(crate) fn postponing(
        &self,
        due: &DueEntry,
        sweep_at: Timestamp,
    ) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::delivery(&due.task.delivery))))
            .update_expression("SET sweepAt = :next")
            .condition_expression(format!("sweepAt = :read AND {IN_FORCE}"))
            .expression_attribute_values(NOW, self.now_secs())
            .expression_attribute_values(":next", number(sweep_at.as_millis()))
            .expression_attribute_values(":read", number(due.sweep_at.as_millis()))
    }
}

/// An entry of a subscription, as projected.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionEntry {
    #[serde(flatten)]
    key: Key,
    sweep_at: Timestamp,
}

impl TryFrom<SubscriptionEntry> for HoldEntry {
    type Error = String;

    fn try_from(entry: SubscriptionEntry) -> Result<Self, String> {
        let (customer, subscription) = entry.key.subscription_id()?;
        Ok(Self {
            check_at: entry.sweep_at,
            customer,
            subscription,
        })
    }
}

impl HoldIndex for DynamoStore {
    async fn holding(
        &self,
        until: Timestamp,
        after: Option<&HoldEntry>,
        limit: u32,
    ) -> Result<EntryPage<HoldEntry>, StoreError> {
        let shard = number(SHARD_OF_SUBSCRIPTIONS);
        let start = after.map(|entry| {
            let key = Key::subscription(&entry.customer, &entry.subscription);
            let mut start = to_attributes(&key);
            start.insert("dueShard".to_owned(), shard.clone());
            start.insert("sweepAt".to_owned(), number(entry.check_at.as_millis()));
            start
        });
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("dueShard = :shard AND sweepAt <= :until")
            .expression_attribute_values(":shard", shard)
            .expression_attribute_values(":until", number(until.as_millis()))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        // An entry without a readable key is left out.
        let read = |item| {
            let entry = into_domain::<SubscriptionEntry, _>(item);
            entry.inspect_err(left_out).ok()
        };
        let (entries, has_more) = query_some(query, start, read)
            .await
            .map_err(|error| unavailable("list subscriptions that hold deliveries", error))?;
        Ok(EntryPage { entries, has_more })
    }
}
