//! Lists, each by an index or by a key: deliveries of a subscription, messages of a customer,
//! deliveries of a message.
//!
//! The entries of an index are small. The entry of a delivery has only attributes that never
//! change, so an attempt does not pay for it. The deliveries themselves are then read by their
//! keys.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use serde::{Deserialize, Deserializer};
use webhooks_domain::broken::Readable;
use webhooks_domain::delivery::Delivery;
use webhooks_domain::event_type::EventType;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use webhooks_domain::message::Message;
use webhooks_domain::paging::{
    DeliveryEntry, EntryPage, MessageEntry, MessagePage, Order, Place, Start, Window,
};
use webhooks_domain::ports::{Directory, StoreError};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::item::{DeliveryItem, MessageItem};
use crate::key::{DELIVERY_PREFIX, Key, PARTITION_KEY, SORT_KEY, message_partition};
use crate::store::{
    AttributeMap, NOT_EXPIRED, NOW, into_domain, left_out, number, query_some, readable,
    to_attributes, unavailable,
};

/// The largest number of items in one `BatchGetItem`.
const MAX_BATCH: usize = 100;

/// An index whose partition is one list, sorted by time.
struct Index {
    name: &'static str,
    partition: &'static str,
    time: &'static str,
    /// True if its entries have an expiry. Otherwise their items are read by key, and the items
    /// have one.
    has_expiry: bool,
}

/// All deliveries, by subscription: the table's keys in reverse.
const DELIVERIES: Index = Index {
    name: "deliveries",
    partition: SORT_KEY,
    time: "createdAt",
    has_expiry: false,
};

/// The undelivered deliveries, by subscription. Sparse.
const UNDELIVERED: Index = Index {
    name: "undelivered",
    partition: "owedTo",
    time: "createdAt",
    has_expiry: false,
};

pub(crate) const MESSAGES_INDEX: &str = "messages";

/// All messages, by customer.
const MESSAGES: Index = Index {
    name: MESSAGES_INDEX,
    partition: "customerId",
    time: "receivedAt",
    has_expiry: true,
};

/// An entry of `deliveries` or `undelivered`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectedDelivery {
    #[serde(flatten)]
    key: Key,
    #[serde(default, deserialize_with = "if_readable")]
    event_type: Option<String>,
    created_at: Timestamp,
}

/// An optional part of an entry: `None` if it cannot be read.
#[expect(clippy::unnecessary_wraps, reason = "serde's signature")]
fn if_readable<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Ok(String::deserialize(value).ok())
}

impl TryFrom<ProjectedDelivery> for DeliveryEntry {
    type Error = String;

    fn try_from(entry: ProjectedDelivery) -> Result<Self, String> {
        Ok(Self {
            id: entry.key.delivery_id()?,
            event_type: entry.event_type.map(EventType::from_stored),
            created_at: entry.created_at,
        })
    }
}

/// An entry of `messages`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectedMessage {
    #[serde(flatten)]
    key: Key,
    #[serde(default, deserialize_with = "if_readable")]
    event_type: Option<String>,
    #[serde(default, deserialize_with = "if_readable")]
    time: Option<String>,
    received_at: Timestamp,
}

impl TryFrom<ProjectedMessage> for MessageEntry {
    type Error = String;

    fn try_from(entry: ProjectedMessage) -> Result<Self, String> {
        Ok(Self {
            id: entry.key.message_id()?,
            event_type: entry.event_type.map(EventType::from_stored),
            time: entry.time,
            received_at: entry.received_at,
        })
    }
}

impl DynamoStore {
    /// A page of one partition of an index. `key` converts a place into the table's key.
    async fn index_page<I, T>(
        &self,
        index: &Index,
        partition: String,
        key: impl Fn(&Place) -> Key,
        window: &Window,
        operation: &'static str,
    ) -> Result<EntryPage<T>, StoreError>
    where
        I: serde::de::DeserializeOwned,
        T: TryFrom<I, Error = String>,
    {
        let (first, last) = window.bounds();
        // DynamoDB refuses a start outside the time range, and a time range whose end is before its
        // start.
        let start = match window.start() {
            Start::First => None,
            Start::Behind(place) => Some(place),
            Start::Nowhere => {
                return Ok(EntryPage {
                    entries: Vec::new(),
                    has_more: false,
                });
            }
        };
        let partition = AttributeValue::S(partition);
        let start = start.map(|place| {
            let mut start = to_attributes(&key(&place));
            start.insert(index.partition.to_owned(), partition.clone());
            start.insert(index.time.to_owned(), number(place.at.as_millis()));
            start
        });
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index.name)
            .key_condition_expression("#partition = :partition AND #time BETWEEN :first AND :last")
            .expression_attribute_names("#partition", index.partition)
            .expression_attribute_names("#time", index.time)
            .expression_attribute_values(":partition", partition)
            .expression_attribute_values(":first", number(first.as_millis()))
            .expression_attribute_values(":last", number(last.as_millis()))
            .scan_index_forward(window.order == Order::OldestFirst)
            .limit(i32::try_from(window.limit).unwrap_or(i32::MAX));
        if index.has_expiry {
            query = query
                .filter_expression(NOT_EXPIRED)
                .expression_attribute_values(NOW, self.now_secs());
        }
        // An entry whose place in the list cannot be read is left out.
        let read = |item| {
            let entry = into_domain::<I, T>(item);
            entry.inspect_err(left_out).ok()
        };
        let (entries, has_more) = query_some(query, start, read)
            .await
            .map_err(|error| unavailable(operation, error))?;
        Ok(EntryPage { entries, has_more })
    }

    /// Reads items by their keys, a hundred in each call, in any order.
    async fn batch_get(
        &self,
        keys: Vec<AttributeMap>,
        operation: &'static str,
    ) -> Result<Vec<AttributeMap>, StoreError> {
        let mut items = Vec::with_capacity(keys.len());
        let mut keys = keys.into_iter().peekable();
        while keys.peek().is_some() {
            let batch = keys.by_ref().take(MAX_BATCH).collect();
            let batch = KeysAndAttributes::builder()
                .set_keys(Some(batch))
                .build()
                .map_err(|error| unavailable(operation, error))?;
            items.extend(self.batch_get_whole(batch, operation).await?);
        }
        Ok(items)
    }
}

impl Directory for DynamoStore {
    async fn deliveries_of(
        &self,
        subscription: &SubscriptionId,
        window: &Window,
    ) -> Result<EntryPage<DeliveryEntry>, StoreError> {
        let partition = format!("{DELIVERY_PREFIX}{subscription}");
        let key = |place: &Place| delivery_key(place.message, subscription);
        self.index_page::<ProjectedDelivery, _>(
            &DELIVERIES,
            partition,
            key,
            window,
            "list deliveries",
        )
        .await
    }

    async fn undelivered_of(
        &self,
        subscription: &SubscriptionId,
        window: &Window,
    ) -> Result<EntryPage<DeliveryEntry>, StoreError> {
        let key = |place: &Place| delivery_key(place.message, subscription);
        let partition = subscription.to_string();
        let operation = "list what is undelivered";
        self.index_page::<ProjectedDelivery, _>(&UNDELIVERED, partition, key, window, operation)
            .await
    }

    async fn read_deliveries(
        &self,
        ids: &[DeliveryId],
    ) -> Result<Vec<Readable<Delivery, DeliveryId>>, StoreError> {
        let keys = ids.iter().map(|id| to_attributes(&Key::delivery(id)));
        let items = self.batch_get(keys.collect(), "read deliveries").await?;
        let read = items.into_iter().filter_map(readable_delivery);
        let mut read: HashMap<_, _> = read
            .map(|read| {
                (
                    read.as_ref()
                        .map_or_else(|broken| broken.id, |read| read.id),
                    read,
                )
            })
            .collect();
        Ok(ids.iter().filter_map(|id| read.remove(id)).collect())
    }

    async fn message_page(
        &self,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<Option<Readable<MessagePage, MessageId>>, StoreError> {
        let item = self.get_attributes(Key::message(id), "get message").await?;
        let message = item.and_then(|item| readable::<MessageItem, _, _>(item, Key::message_id));
        let message: MessageItem = match message {
            Some(Ok(message)) => message,
            Some(Err(broken)) => return Ok(Some(Err(broken))),
            None => return Ok(None),
        };
        let page = self.deliveries_of_message(id, after, limit).await?;
        Ok(Some(Ok(MessagePage {
            received_at: message.received_at(),
            message: Message::from(message),
            deliveries: page.entries,
            has_more: page.has_more,
        })))
    }

    async fn deliveries_of_message(
        &self,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<EntryPage<Readable<Delivery, DeliveryId>>, StoreError> {
        let limit = limit as usize;
        let mut entries = Vec::new();
        let mut start = after.map(|subscription| to_attributes(&delivery_key(*id, subscription)));
        // One query reads at most 1 MB, whatever the limit is.
        loop {
            let missing = limit.saturating_sub(entries.len());
            let output = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("#pk = :message AND begins_with(#sk, :prefix)")
                .expression_attribute_names("#pk", PARTITION_KEY)
                .expression_attribute_names("#sk", SORT_KEY)
                .expression_attribute_values(":message", AttributeValue::S(message_partition(id)))
                .expression_attribute_values(
                    ":prefix",
                    AttributeValue::S(DELIVERY_PREFIX.to_owned()),
                )
                .set_exclusive_start_key(start)
                .consistent_read(true)
                .limit(i32::try_from(missing).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(|error| unavailable("list deliveries of a message", error))?;
            let read = output.items.unwrap_or_default().into_iter();
            let read = read.filter(|item| self.is_in_force(item));
            entries.extend(read.filter_map(readable_delivery));
            start = output.last_evaluated_key;
            if start.is_none() || entries.len() >= limit {
                break;
            }
        }
        Ok(EntryPage {
            entries,
            has_more: start.is_some(),
        })
    }

    async fn messages_of(
        &self,
        customer: &CustomerId,
        window: &Window,
    ) -> Result<EntryPage<MessageEntry>, StoreError> {
        let key = |place: &Place| Key::message(&place.message);
        let partition = customer.to_string();
        self.index_page::<ProjectedMessage, _>(&MESSAGES, partition, key, window, "list messages")
            .await
    }
}

fn readable_delivery(item: AttributeMap) -> Option<Readable<Delivery, DeliveryId>> {
    readable::<DeliveryItem, _, _>(item, Key::delivery_id)
}

fn delivery_key(message: MessageId, subscription: &SubscriptionId) -> Key {
    Key::delivery(&DeliveryId {
        message,
        subscription: *subscription,
    })
}
