//! The deletion of customers.
//!
//! A request marks the customer's item and puts it into a shard of its own in the index `due`, where
//! it stays until the item is deleted.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_bytes::ByteBuf;
use webhooks_domain::customer::Deletion;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::ports::{CustomerData, CustomerPart, StoreError, WriteOutcome};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::due_index;
use crate::key::{
    Key, customer_partition, idempotency_partition, message_partition, portal_partition,
    recovery_partition, subscription_partition,
};
use crate::lists::MESSAGES_INDEX;
use crate::store::{
    PRESENT, from_attributes, number, query_some, to_attributes, unavailable, write_outcome,
};
use crate::usage::DELETION_REQUESTED_AT;

/// The value of the shard in [`ENTER`].
pub(crate) const SHARD: &str = ":shard";
/// Puts a customer into the index.
pub(crate) const ENTER: &str = "dueShard = :shard, sweepAt = :at";
/// The subscriptions that were deleted with the customer, as binary ids.
const DELETED_SUBSCRIPTIONS: &str = "deletedSubscriptions";

/// The largest number of these subscriptions before the last addition: more than a customer can
/// have at a time, and far from the largest item. (An id takes 17 bytes.)
const MAX_NOTED: u64 = 10_000;

/// The number of items in one read.
const PAGE: i32 = 100;
/// The number of messages in one read. Each has a partition with its deliveries.
const MESSAGES: i32 = 20;
/// The number of concurrent deletions.
const AT_ONCE: usize = 25;

const OPERATION: &str = "delete items of a customer";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeletionItem {
    deletion_requested_at: Option<Timestamp>,
    #[serde(default)]
    deleted_items: u64,
    #[serde(default)]
    deleted_subscriptions: Vec<ByteBuf>,
}

impl CustomerData for DynamoStore {
    async fn being_deleted(&self) -> Result<Vec<CustomerId>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(due_index::INDEX)
            .key_condition_expression("dueShard = :shard")
            .expression_attribute_values(SHARD, number(due_index::SHARD_OF_CUSTOMERS));
        let read = |item| from_attributes::<Key>(item).ok()?.customer_id().ok();
        let (customers, _) = query_some(query, None, read)
            .await
            .map_err(|error| unavailable("list customers that are being deleted", error))?;
        Ok(customers)
    }

    async fn deletion(
        &self,
        id: &CustomerId,
    ) -> Result<Option<(Deletion, Vec<SubscriptionId>)>, StoreError> {
        let found = self
            .get_item::<DeletionItem>(Key::customer(id), "get deletion of customer")
            .await?;
        Ok(found.and_then(|item| {
            let deletion = Deletion {
                requested_at: item.deletion_requested_at?,
                deleted: item.deleted_items,
            };
            let ids = item.deleted_subscriptions.iter();
            let ids =
                ids.filter_map(|id| Some(SubscriptionId::from_bytes(id[..].try_into().ok()?)));
            Some((deletion, ids.collect()))
        }))
    }

    async fn delete_some(&self, id: &CustomerId, part: CustomerPart) -> Result<u64, StoreError> {
        match part {
            CustomerPart::Subscriptions => {
                let keys = self.some_keys(customer_partition(id)).await?;
                let subscriptions = subscriptions_of(&keys);
                let mut deleted = 0;
                if !self.note_subscriptions(id, &subscriptions).await? {
                    // Nobody will look for their items once their keys are deleted.
                    for subscription in &subscriptions {
                        deleted += self.delete_subscription(subscription).await?;
                    }
                }
                Ok(deleted + self.delete_keys(keys).await?)
            }
            CustomerPart::OfSubscription(subscription) => {
                self.delete_partition(subscription_partition(&subscription))
                    .await
            }
            CustomerPart::Recoveries => self.delete_partition(recovery_partition(id)).await,
            CustomerPart::IdempotencyKeys => self.delete_partition(idempotency_partition(id)).await,
            CustomerPart::PortalSessions => self.delete_partition(portal_partition(id)).await,
            CustomerPart::Messages => self.delete_messages(id).await,
        }
    }

    async fn count_deleted(&self, id: &CustomerId, deleted: u64) -> Result<(), StoreError> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::customer(id))))
            .update_expression("ADD deletedItems :deleted")
            .condition_expression(PRESENT)
            .expression_attribute_values(":deleted", number(deleted))
            .send()
            .await;
        write_outcome(result, "count deleted items").map(|_| ())
    }

    async fn forget(
        &self,
        id: &CustomerId,
        deletion: &Deletion,
    ) -> Result<WriteOutcome, StoreError> {
        let result = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::customer(id))))
            .condition_expression(format!("{DELETION_REQUESTED_AT} = :requested"))
            .expression_attribute_values(":requested", number(deletion.requested_at.as_millis()))
            .send()
            .await;
        write_outcome(result, "delete customer")
    }
}

/// The subscriptions of these keys. One that was deleted before has left its former requests.
fn subscriptions_of(keys: &[Key]) -> BTreeSet<SubscriptionId> {
    let of = |key: &Key| match key.subscription_id() {
        Ok((_, subscription)) => Some(subscription),
        Err(_) => key
            .former_version()
            .ok()
            .map(|(subscription, _)| subscription),
    };
    keys.iter().filter_map(of).collect()
}

impl DynamoStore {
    /// Notes subscriptions in the customer's item, so that a later run finds what an attempt writes
    /// that began before. Returns false if the item is full: then there are so many because they
    /// were deleted over months, and attempts for most of them ended long ago.
    async fn note_subscriptions(
        &self,
        id: &CustomerId,
        subscriptions: &BTreeSet<SubscriptionId>,
    ) -> Result<bool, StoreError> {
        if subscriptions.is_empty() {
            return Ok(true);
        }
        let ids = subscriptions.iter().map(|id| Blob::new(id.to_bytes()));
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::customer(id))))
            .update_expression(format!("ADD {DELETED_SUBSCRIPTIONS} :ids"))
            .condition_expression(format!(
                "{PRESENT} AND (attribute_not_exists({DELETED_SUBSCRIPTIONS}) \
                 OR size({DELETED_SUBSCRIPTIONS}) <= :most)"
            ))
            .expression_attribute_values(":ids", AttributeValue::Bs(ids.collect()))
            .expression_attribute_values(":most", number(MAX_NOTED))
            .send()
            .await;
        Ok(write_outcome(result, "note deleted subscriptions")? == WriteOutcome::Written)
    }

    async fn delete_subscription(&self, id: &SubscriptionId) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            match self.delete_partition(subscription_partition(id)).await? {
                0 => return Ok(deleted),
                some => deleted += some,
            }
        }
    }

    /// Deletes some messages. A message is deleted after everything else in its partition, because
    /// the other items are found through it.
    async fn delete_messages(&self, id: &CustomerId) -> Result<u64, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(MESSAGES_INDEX)
            .key_condition_expression("customerId = :customer")
            .expression_attribute_values(":customer", AttributeValue::S(id.to_string()))
            .limit(MESSAGES);
        let mut deleted = 0;
        for message in self.keys_of(query).await? {
            let Ok(message_id) = message.message_id() else {
                continue;
            };
            loop {
                let mut keys = self.some_keys(message_partition(&message_id)).await?;
                let is_last = keys.iter().all(|key| *key == message);
                if !is_last {
                    keys.retain(|key| *key != message);
                }
                deleted += self.delete_keys(keys).await?;
                if is_last {
                    break;
                }
            }
        }
        Ok(deleted)
    }

    pub(crate) async fn delete_partition(&self, partition: String) -> Result<u64, StoreError> {
        let keys = self.some_keys(partition).await?;
        self.delete_keys(keys).await
    }

    /// Deletes some items of a partition whose sort keys begin so. Returns their number.
    pub(crate) async fn delete_range(
        &self,
        partition: String,
        beginning: &str,
    ) -> Result<u64, StoreError> {
        let query = self
            .keys_in(partition)
            .key_condition_expression("pk = :partition AND begins_with(sk, :beginning)")
            .expression_attribute_values(":beginning", AttributeValue::S(beginning.to_owned()));
        let keys = self.keys_of(query).await?;
        self.delete_keys(keys).await
    }

    /// The first keys of a partition, expired items included.
    async fn some_keys(&self, partition: String) -> Result<Vec<Key>, StoreError> {
        let query = self.keys_in(partition);
        self.keys_of(query.key_condition_expression("pk = :partition"))
            .await
    }

    fn keys_in(&self, partition: String) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":partition", AttributeValue::S(partition))
            .consistent_read(true)
            .limit(PAGE)
    }

    async fn keys_of(&self, query: QueryFluentBuilder) -> Result<Vec<Key>, StoreError> {
        let query = query.projection_expression("pk, sk");
        let read = |item| from_attributes::<Key>(item).ok();
        let (keys, _) = query_some(query, None, read)
            .await
            .map_err(|error| unavailable(OPERATION, error))?;
        Ok(keys)
    }

    /// Deletes the items of these keys. Returns their number.
    ///
    /// They are separate requests, because the right to write batches includes the right to put
    /// items.
    async fn delete_keys(&self, keys: Vec<Key>) -> Result<u64, StoreError> {
        for some in keys.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|key| self.delete_key(key))).await?;
        }
        Ok(keys.len() as u64)
    }

    pub(crate) async fn delete_key(&self, key: &Key) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let result = delete.set_key(Some(to_attributes(key))).send().await;
        result
            .map(|_| ())
            .map_err(|error| unavailable(OPERATION, error))
    }
}
