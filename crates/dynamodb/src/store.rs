//! The client, and the calls that all stores share.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::AsyncSleep;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use serde::Serialize;
use serde::de::DeserializeOwned;
use webhooks_domain::broken::{Broken, Readable};
use webhooks_domain::ports::{InsertOutcome, StoreError, WriteOutcome};
use webhooks_domain::timestamp::Timestamp;

use crate::batched_reads::BatchLoaders;
use crate::key::{Key, PARTITION_KEY, SORT_KEY};

/// The number of calls for a read that the table answers in parts.
const MAX_READS: u32 = 4;

/// The longest pause before the second call. It doubles each time.
const LONGEST_FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The condition of a put that never overwrites.
pub(crate) const ABSENT: &str = "attribute_not_exists(pk)";
/// The same for items with an expiry: `DynamoDB` deletes them days later, and until then they count
/// as absent. `:now` is in seconds.
pub(crate) const ABSENT_OR_EXPIRED: &str = "(attribute_not_exists(pk) OR expiresAt <= :now)";
/// The condition of an update that never creates an item.
pub(crate) const PRESENT: &str = "attribute_exists(pk)";
/// The condition of an update of an item with an expiry.
pub(crate) const IN_FORCE: &str = "expiresAt > :now";
/// The filter of a list of items with an expiry. An item whose expiry cannot be read passes it, and
/// is listed as broken; [`IN_FORCE`] would hide it.
pub(crate) const NOT_EXPIRED: &str = "NOT expiresAt <= :now";
/// The value that these conditions use.
pub(crate) const NOW: &str = ":now";

pub(crate) type AttributeMap = HashMap<String, AttributeValue>;

/// All stores of the domain, on one table.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) loaders: Option<Arc<BatchLoaders>>,
    /// A fixed time, instead of the clock.
    stands_at: Option<Timestamp>,
}

impl DynamoStore {
    /// The stores on the table with this name.
    pub fn new(client: Client, table: String) -> Self {
        Self {
            client,
            table,
            loaders: None,
            stands_at: None,
        }
    }

    /// The same stores with a clock that always shows this time, for tests whose items have their
    /// own time.
    #[must_use]
    pub fn standing_at(self, now: Timestamp) -> Self {
        Self {
            stands_at: Some(now),
            ..self
        }
    }

    /// The current time, by the clock with which the client signs.
    pub(crate) fn now(&self) -> Timestamp {
        if let Some(now) = self.stands_at {
            return now;
        }
        let clock = self.client.config().time_source().unwrap_or_default();
        let since_1970 = clock.now().duration_since(UNIX_EPOCH);
        let millis = since_1970.unwrap_or_default().as_millis();
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    /// Reads one item, consistently.
    pub(crate) async fn get_item<T: DeserializeOwned>(
        &self,
        key: Key,
        operation: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let item = self.get_attributes(key, operation).await?;
        item.map(from_attributes).transpose()
    }

    /// Reads one item, consistently, without parsing it.
    pub(crate) async fn get_attributes(
        &self,
        key: Key,
        operation: &'static str,
    ) -> Result<Option<AttributeMap>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| unavailable(operation, error))?;
        Ok(output.item.filter(|item| self.is_in_force(item)))
    }

    /// The current time in the form of an item's expiry.
    pub(crate) fn now_secs(&self) -> AttributeValue {
        number(self.now().as_secs())
    }

    /// Returns true if an item has not expired. An expired item counts as absent.
    pub(crate) fn is_in_force(&self, item: &AttributeMap) -> bool {
        let expires_at = item.get("expiresAt").and_then(|end| end.as_n().ok());
        let expires_at = expires_at.and_then(|end| end.parse::<i64>().ok());
        expires_at.is_none_or(|end| end > self.now().as_secs())
    }

    /// Reads items by their keys, at most 100, in any order. Absent items are left out.
    pub(crate) async fn batch_get_whole(
        &self,
        keys: KeysAndAttributes,
        operation: &'static str,
    ) -> Result<Vec<AttributeMap>, StoreError> {
        let (items, whole) = self.batch_get_parts(keys, operation).await;
        whole.map(|()| items)
    }

    /// Like [`batch_get_whole`](Self::batch_get_whole), but also returns the items that were read
    /// before an error.
    ///
    /// The client does not treat unprocessed keys as an error (because of throttling, or because
    /// the answer was too large), so they are read again.
    pub(crate) async fn batch_get_parts(
        &self,
        keys: KeysAndAttributes,
        operation: &'static str,
    ) -> (Vec<AttributeMap>, Result<(), StoreError>) {
        let mut items = Vec::new();
        let mut missing = HashMap::from([(self.table.clone(), keys)]);
        for read in 0..MAX_READS {
            if read > 0 {
                self.pause(LONGEST_FIRST_PAUSE * 2_u32.pow(read - 1)).await;
            }
            let call = self.client.batch_get_item();
            let output = match call.set_request_items(Some(missing)).send().await {
                Ok(output) => output,
                Err(error) => return (items, Err(unavailable(operation, error))),
            };
            let tables = output.responses.unwrap_or_default();
            let read = tables.into_values().flatten();
            items.extend(read.filter(|item| self.is_in_force(item)));
            missing = output.unprocessed_keys.unwrap_or_default();
            if missing.is_empty() {
                return (items, Ok(()));
            }
        }
        let throttled = std::io::Error::other("the table throttled a part of the read");
        (items, Err(unavailable(operation, throttled)))
    }

    /// Waits a random part of `longest`, as the client does between its retries, so that callers
    /// which were throttled together do not return together.
    pub(crate) async fn pause(&self, longest: Duration) {
        if let Some(sleep) = self.client.config().sleep_impl() {
            sleep.sleep(longest.mul_f64(fastrand::f64())).await;
        }
    }

    /// Writes an item whose key is absent or has expired.
    pub(crate) async fn insert_item(
        &self,
        item: &impl Serialize,
        operation: &'static str,
    ) -> Result<InsertOutcome, StoreError> {
        self.insert_attributes(to_attributes(item), operation).await
    }

    /// Like [`insert_item`](Self::insert_item), for an item in attribute form.
    pub(crate) async fn insert_attributes(
        &self,
        item: AttributeMap,
        operation: &'static str,
    ) -> Result<InsertOutcome, StoreError> {
        let result = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(ABSENT_OR_EXPIRED)
            .expression_attribute_values(NOW, self.now_secs())
            .send()
            .await;
        Ok(match write_outcome(result, operation)? {
            WriteOutcome::Written => InsertOutcome::Inserted,
            WriteOutcome::Conflict => InsertOutcome::AlreadyThere,
        })
    }
}

/// The first items of a query that `read` finds, at most as many as the query's limit, and `true` if
/// there is more. So a page whose items are all filtered or left out does not end a list.
///
/// DynamoDB applies the limit before the filter, and deletes expired items only days later. So the
/// pages grow, up to the largest of 1 MB: otherwise a list that begins with a million expired items
/// would take minutes.
pub(crate) async fn query_some<T>(
    mut query: QueryFluentBuilder,
    mut start: Option<AttributeMap>,
    mut read: impl FnMut(AttributeMap) -> Option<T>,
) -> Result<(Vec<T>, bool), SdkError<QueryError>> {
    /// The factor by which a page grows after an empty one.
    const GROWTH: i32 = 10;
    let most = query.get_limit().map(i32::unsigned_abs);
    loop {
        let output = query.clone().set_exclusive_start_key(start).send().await?;
        let items = output.items.unwrap_or_default().into_iter();
        let mut found: Vec<T> = items.filter_map(&mut read).collect();
        start = output.last_evaluated_key;
        if start.is_none() || !found.is_empty() {
            let most = most.map_or(usize::MAX, |most| most as usize);
            let has_more = start.is_some() || found.len() > most;
            found.truncate(most);
            return Ok((found, has_more));
        }
        let larger = query.get_limit().map(|limit| limit.saturating_mul(GROWTH));
        query = query.set_limit(larger);
    }
}

/// The result of a conditional write.
pub(crate) fn write_outcome<T, E>(
    result: Result<T, SdkError<E>>,
    operation: &'static str,
) -> Result<WriteOutcome, StoreError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match result {
        Ok(_) => Ok(WriteOutcome::Written),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
            Ok(WriteOutcome::Conflict)
        }
        Err(error) => Err(unavailable(operation, error)),
    }
}

pub(crate) fn unavailable(
    operation: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Unavailable {
        operation,
        source: Box::new(error),
    }
}

pub(crate) fn corrupt(key: &str, problem: &impl ToString) -> StoreError {
    StoreError::Corrupt {
        key: key.to_owned(),
        problem: problem.to_string(),
    }
}

pub(crate) fn to_attributes(value: &impl Serialize) -> AttributeMap {
    serde_dynamo::to_item(value).expect("our items have string keys and no other obstacles")
}

pub(crate) fn from_attributes<T: DeserializeOwned>(item: AttributeMap) -> Result<T, StoreError> {
    let key = key_text(&item);
    serde_dynamo::from_item(item).map_err(|error| corrupt(&key, &error))
}

/// Reads an item into a domain type, which may refuse it.
pub(crate) fn into_domain<I, T>(item: AttributeMap) -> Result<T, StoreError>
where
    I: DeserializeOwned,
    T: TryFrom<I, Error: ToString>,
{
    let key = key_text(&item);
    T::try_from(from_attributes::<I>(item)?).map_err(|problem| corrupt(&key, &problem))
}

/// Reads an item as far as possible; `id` reads the id in its key.
///
/// An item without a readable id is left out, because no request could name it.
pub(crate) fn readable<S, T, I>(
    item: AttributeMap,
    id: impl FnOnce(&Key) -> Result<I, String>,
) -> Option<Readable<T, I>>
where
    S: DeserializeOwned,
    T: TryFrom<S, Error: ToString>,
{
    let key = Key {
        pk: text(&item, PARTITION_KEY).to_owned(),
        sk: text(&item, SORT_KEY).to_owned(),
    };
    let id = id(&key)
        .inspect_err(|problem| left_out(&corrupt(&key_text(&item), problem)))
        .ok()?;
    let customer_id = text(&item, "customerId").parse().ok();
    Some(into_domain::<S, T>(item).map_err(|error| Broken {
        id,
        customer_id,
        problem: match error {
            StoreError::Corrupt { problem, .. } => problem,
            other @ StoreError::Unavailable { .. } => other.to_string(),
        },
    }))
}

/// Logs an item that no list shows and no request can name. An operator can repair or delete it in
/// the table.
pub(crate) fn left_out(error: &StoreError) {
    tracing::error!(%error, "an item of the table was left out");
}

/// The whole number in an attribute. `None` if it is absent, or something else.
pub(crate) fn integer<T: FromStr>(item: &AttributeMap, attribute: &str) -> Option<T> {
    item.get(attribute)?.as_n().ok()?.parse().ok()
}

pub(crate) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// The key of an item, for the text of an error.
pub(crate) fn key_text(item: &AttributeMap) -> String {
    format!("{} {}", text(item, PARTITION_KEY), text(item, SORT_KEY))
}

pub(crate) fn text<'a>(item: &'a AttributeMap, attribute: &str) -> &'a str {
    item.get(attribute)
        .and_then(|value| value.as_s().ok())
        .map_or("", String::as_str)
}
