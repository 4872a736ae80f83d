//! The client and the calls that every store shares.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::AsyncSleep;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use serde::Serialize;
use serde::de::DeserializeOwned;
use webhooks_domain::ports::{Broken, InsertOutcome, Readable, StoreError, WriteOutcome};
use webhooks_domain::timestamp::Timestamp;

use crate::batched_reads::BatchLoaders;
use crate::item::{Key, PARTITION_KEY, SORT_KEY};

/// How often a read that the table gives in parts is continued.
const MAX_READS: u32 = 4;

/// What is waited at most before the first of them; then twice as long each time.
const LONGEST_FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The condition of a put that overwrites nothing.
pub(crate) const ABSENT: &str = "attribute_not_exists(pk)";
/// The same for what expires: `DynamoDB` deletes it days late, and until then it is absent.
/// `:now` is in seconds.
pub(crate) const ABSENT_OR_EXPIRED: &str = "(attribute_not_exists(pk) OR expiresAt <= :now)";
/// The condition of an update of what expires.
pub(crate) const IN_FORCE: &str = "expiresAt > :now";
/// The filter of a list of what expires. An item whose end cannot be read is there, and is told
/// as broken; [`IN_FORCE`] would hide it.
pub(crate) const NOT_EXPIRED: &str = "NOT expiresAt <= :now";
/// The value that both name.
pub(crate) const NOW: &str = ":now";

pub(crate) type AttributeMap = HashMap<String, AttributeValue>;

/// Every store of the domain, on one table.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) loaders: Option<Arc<BatchLoaders>>,
    /// Where the clock stands, if it does.
    stands_at: Option<Timestamp>,
}

impl DynamoStore {
    /// Stores on the table with this name.
    pub fn new(client: Client, table: String) -> Self {
        Self {
            client,
            table,
            loaders: None,
            stands_at: None,
        }
    }

    /// The same stores, for tests whose items are of a time of their own: by a clock that
    /// stands there.
    #[must_use]
    pub fn standing_at(self, now: Timestamp) -> Self {
        Self {
            stands_at: Some(now),
            ..self
        }
    }

    /// Now, by the clock that the client signs with.
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

    /// The same, as it is stored.
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

    /// The time, as the table counts the end of an item.
    pub(crate) fn now_secs(&self) -> AttributeValue {
        number(self.now().as_secs())
    }

    /// Whether an item has not expired. One that has is absent.
    pub(crate) fn is_in_force(&self, item: &AttributeMap) -> bool {
        let expires_at = item.get("expiresAt").and_then(|end| end.as_n().ok());
        let expires_at = expires_at.and_then(|end| end.parse::<i64>().ok());
        expires_at.is_none_or(|end| end > self.now().as_secs())
    }

    /// Reads items by their keys, at most 100, in any order. What is not there is left out.
    pub(crate) async fn batch_get_whole(
        &self,
        keys: KeysAndAttributes,
        operation: &'static str,
    ) -> Result<Vec<AttributeMap>, StoreError> {
        let (items, whole) = self.batch_get_parts(keys, operation).await;
        whole.map(|()| items)
    }

    /// The same, with what was read before an error.
    ///
    /// A part that the table throttled, or that made the answer too large, is no error to the
    /// client, so it is asked for again.
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

    /// Waits as the client does between its tries, for a part of the time at random: those
    /// that were throttled together are not to come back together.
    pub(crate) async fn pause(&self, longest: Duration) {
        if let Some(sleep) = self.client.config().sleep_impl() {
            sleep.sleep(longest.mul_f64(fastrand::f64())).await;
        }
    }

    /// Writes an item whose key is not there yet, or has expired.
    pub(crate) async fn insert_item(
        &self,
        item: &impl Serialize,
        operation: &'static str,
    ) -> Result<InsertOutcome, StoreError> {
        self.insert_attributes(to_attributes(item), operation).await
    }

    /// The same, for one that was put together.
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
        match result {
            Ok(_) => Ok(InsertOutcome::Inserted),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(InsertOutcome::AlreadyThere)
            }
            Err(error) => Err(unavailable(operation, error)),
        }
    }
}

/// The first page of a query in which `read` finds anything, and whether there is more. So one
/// that consists of what is filtered or left out is not the end of a list.
pub(crate) async fn query_some<T>(
    query: QueryFluentBuilder,
    mut start: Option<AttributeMap>,
    mut read: impl FnMut(AttributeMap) -> Option<T>,
) -> Result<(Vec<T>, bool), SdkError<QueryError>> {
    loop {
        let output = query.clone().set_exclusive_start_key(start).send().await?;
        let items = output.items.unwrap_or_default().into_iter();
        let found: Vec<T> = items.filter_map(&mut read).collect();
        start = output.last_evaluated_key;
        if start.is_none() || !found.is_empty() {
            return Ok((found, start.is_some()));
        }
    }
}

/// What came of a conditional update.
pub(crate) fn write_outcome<T>(
    result: Result<T, aws_sdk_dynamodb::error::SdkError<UpdateItemError>>,
    operation: &'static str,
) -> Result<WriteOutcome, StoreError> {
    match result {
        Ok(_) => Ok(WriteOutcome::Written),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
        {
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

/// Reads an item into a type of the domain, which may refuse it.
pub(crate) fn into_domain<I, T>(item: AttributeMap) -> Result<T, StoreError>
where
    I: DeserializeOwned,
    T: TryFrom<I, Error: ToString>,
{
    let key = key_text(&item);
    T::try_from(from_attributes::<I>(item)?).map_err(|problem| corrupt(&key, &problem))
}

/// Reads an item as far as it can be read; `id` says which one its key names.
///
/// One that names nothing is left out: nobody could ask for it.
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

/// Tells of an item that no list shows and nobody can ask for. Whoever reads the log mends or
/// deletes it in the table.
pub(crate) fn left_out(error: &StoreError) {
    tracing::error!(%error, "an item of the table was left out");
}

pub(crate) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// The key of an item, for an error's text.
pub(crate) fn key_text(item: &AttributeMap) -> String {
    format!("{} {}", text(item, PARTITION_KEY), text(item, SORT_KEY))
}

pub(crate) fn text<'a>(item: &'a AttributeMap, attribute: &str) -> &'a str {
    item.get(attribute)
        .and_then(|value| value.as_s().ok())
        .map_or("", String::as_str)
}
