//! Reads of deliveries and subscriptions that are combined while a batch is processed.

use std::collections::HashSet;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use webhooks_domain::delivery::Delivery;
use webhooks_domain::ids::{CustomerId, DeliveryId, SubscriptionId};
use webhooks_domain::limits::CustomerLimit;
use webhooks_domain::message::{Message, StoredMessage};
use webhooks_domain::ports::StoreError;
use webhooks_domain::subscription::Subscription;

use crate::DynamoStore;
use crate::batch_loader::{Answers, BatchLoader};
use crate::customers::customer_limit;
use crate::deliveries::{message_is_missing, stored_message};
use crate::item::DeliveryItem;
use crate::key::{DELIVERY_PREFIX, Key, PARTITION_KEY, SORT_KEY};
use crate::lenient::whole;
use crate::store::{
    AttributeMap, corrupt, into_domain, key_text, text, to_attributes, unavailable,
};

/// The batch loaders, one for each kind of read.
#[derive(Debug, Default)]
pub(crate) struct BatchLoaders {
    deliveries: BatchLoader<Read<Part>>,
    subscriptions: BatchLoader<Read<Subscription>>,
    customer_limits: BatchLoader<Read<Option<CustomerLimit>>>,
}

/// The items from which a delivery is loaded.
#[derive(Debug, Clone)]
enum Part {
    Delivery(Delivery),
    Message(StoredMessage),
}

/// The consistency of a read. An eventually consistent read costs half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consistency {
    Strong,
    Eventual,
}

/// The result for one item of a read.
type Read<T> = Result<T, ReadError>;

/// An error that can be returned to several callers.
#[derive(Debug, Clone)]
enum ReadError {
    Unavailable {
        operation: &'static str,
        source: Arc<dyn Error + Send + Sync>,
    },
    Corrupt {
        key: String,
        problem: String,
    },
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { operation, source } => Self::Unavailable {
                operation,
                source: source.into(),
            },
            StoreError::Corrupt { key, problem } => Self::Corrupt { key, problem },
        }
    }
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable { operation, source } => unavailable(operation, source),
            ReadError::Corrupt { key, problem } => Self::Corrupt { key, problem },
        }
    }
}

impl DynamoStore {
    /// The same stores with combined reads, for callers that process several things concurrently:
    /// concurrent reads of deliveries become one call of the table, and so do those of
    /// subscriptions.
    ///
    /// Every read is strongly consistent, except that of a customer's limit. An error of one item
    /// is an error of its own read only.
    #[must_use]
    pub fn batching_reads(mut self) -> Self {
        self.loaders = Some(Arc::default());
        self
    }

    /// [`load`](webhooks_domain::ports::DeliveryReader::load), combined with other reads.
    pub(crate) async fn load_batched(
        &self,
        loaders: &BatchLoaders,
        id: &DeliveryId,
    ) -> Result<Option<(Delivery, Message)>, StoreError> {
        const OPERATION: &str = "load delivery";
        let (delivery, message) = (Key::delivery(id), Key::message(&id.message));
        let store = self.clone();
        let strong = Consistency::Strong;
        let read =
            move |keys| async move { store.read_each(keys, strong, OPERATION, read_part).await };
        let keys = [delivery.clone(), message.clone()];
        let answers = loaders.deliveries.read(keys, read).await;
        let answers = answers.ok_or_else(|| panicked(OPERATION))?;
        let Some(Part::Delivery(delivery)) = answers.get(&delivery).cloned().transpose()? else {
            return Ok(None);
        };
        match answers.get(&message).cloned().transpose()? {
            Some(Part::Message(stored)) => Ok(Some((
                delivery.expiring_with(stored.expires_at),
                stored.message,
            ))),
            _ => Err(message_is_missing(id)),
        }
    }

    /// [`get`](webhooks_domain::ports::SubscriptionTable::get), combined with other reads.
    pub(crate) async fn get_batched(
        &self,
        loaders: &BatchLoaders,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Option<Subscription>, StoreError> {
        let key = Key::subscription(customer, id);
        let loader = &loaders.subscriptions;
        self.one_batched(loader, key, Consistency::Strong, "get subscription", whole)
            .await
    }

    /// [`customer_limit`](webhooks_domain::ports::DeliveryTable::customer_limit), combined with
    /// other reads.
    pub(crate) async fn customer_limit_batched(
        &self,
        loaders: &BatchLoaders,
        customer: &CustomerId,
    ) -> Result<Option<CustomerLimit>, StoreError> {
        let key = Key::customer_limit(customer);
        let parse = |item| Ok(customer_limit(&item));
        let loader = &loaders.customer_limits;
        // Its caller keeps it for a minute, so that a strong read would gain nothing.
        let found = self.one_batched(
            loader,
            key,
            Consistency::Eventual,
            "get customer limit",
            parse,
        );
        found.await.map(Option::flatten)
    }

    async fn one_batched<T: Clone + Send + Sync + 'static>(
        &self,
        loader: &BatchLoader<Read<T>>,
        key: Key,
        consistency: Consistency,
        operation: &'static str,
        parse: fn(AttributeMap) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let store = self.clone();
        let read =
            move |keys| async move { store.read_each(keys, consistency, operation, parse).await };
        let answers = loader.read([key.clone()], read).await;
        let answers = answers.ok_or_else(|| panicked(operation))?;
        Ok(answers.get(&key).cloned().transpose()?)
    }

    /// Reads the items with these keys. An error of the call is an error of each item
    /// that was not read.
    async fn read_each<T>(
        &self,
        keys: HashSet<Key>,
        consistency: Consistency,
        operation: &'static str,
        parse: fn(AttributeMap) -> Result<T, StoreError>,
    ) -> Answers<Read<T>> {
        let wanted = KeysAndAttributes::builder()
            .consistent_read(consistency == Consistency::Strong)
            .set_keys(Some(keys.iter().map(to_attributes).collect()))
            .build()
            .expect("it has keys");
        let (items, whole) = self.batch_get_parts(wanted, operation).await;
        let parsed = items.into_iter().map(|item| {
            let key = Key {
                pk: text(&item, PARTITION_KEY).to_owned(),
                sk: text(&item, SORT_KEY).to_owned(),
            };
            (key, parse_alone(item, parse).map_err(ReadError::from))
        });
        let mut answers: Answers<_> = parsed.collect();
        if let Err(error) = whole {
            let error = ReadError::from(error);
            for key in keys {
                answers.entry(key).or_insert_with(|| Err(error.clone()));
            }
        }
        answers
    }
}

fn read_part(item: AttributeMap) -> Result<Part, StoreError> {
    if text(&item, SORT_KEY).starts_with(DELIVERY_PREFIX) {
        into_domain::<DeliveryItem, Delivery>(item).map(Part::Delivery)
    } else {
        stored_message(item).map(Part::Message)
    }
}

/// Parses one item. If our code panics on it, the item counts as unreadable, and the other items of
/// the read are not affected.
fn parse_alone<T>(
    item: AttributeMap,
    parse: fn(AttributeMap) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let key = key_text(&item);
    catch_unwind(AssertUnwindSafe(|| parse(item)))
        .unwrap_or_else(|_panic| Err(corrupt(&key, &"reading it panicked")))
}

fn panicked(operation: &'static str) -> StoreError {
    unavailable(operation, std::io::Error::other("the read panicked"))
}

#[cfg(test)]
mod tests;
