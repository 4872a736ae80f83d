//! The self test's table.
//!
//! | item | run | item |
//! |---|---|---|
//! | script | the run's id | `script` |
//! | what the run has used up | the run's id | `used` |
//! | request | the run's id | `request#{step}#{number}` |
//!
//! All expire by `expiresAt`, an hour after the end of their run.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use webhooks_domain::timestamp::Timestamp;

use crate::run::{MAX_RUN_BYTES, MAX_RUN_REQUESTS};
use crate::{Recorded, Run, RunId, Runs, Step};

/// The time for which a run can be read after its end.
const KEPT_FOR: Duration = Duration::from_hours(1);

const SCRIPT: &str = "script";
const USED: &str = "used";

type Item = HashMap<String, AttributeValue>;

/// A call to the table failed, or an item cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A call failed.
    #[error("self-test table: {operation}: {code}")]
    Call {
        /// The operation.
        operation: &'static str,
        /// The code of the service's error.
        code: String,
        /// The SDK's own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An item does not have this crate's format.
    #[error("self-test table: {0} cannot be read")]
    Corrupt(&'static str),
}

/// The self test's table.
#[derive(Clone, Debug)]
pub struct SelfTestTable {
    client: Client,
    name: String,
}

impl SelfTestTable {
    /// Returns the table with this name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    /// Registers a run. Its paths are answered from now on, until its end.
    pub async fn register(&self, id: &RunId, run: &Run) -> Result<(), TableError> {
        let mut script = item(id, SCRIPT, run.ends_at);
        let text = serde_json::to_string(&run.script).expect("a script has a JSON form");
        script.insert("script".to_owned(), AttributeValue::S(text));
        script.insert("endsAt".to_owned(), number(run.ends_at.as_millis()));
        let mut used = item(id, USED, run.ends_at);
        used.insert("requests".to_owned(), number(0));
        used.insert("bytes".to_owned(), number(0));
        // The script is written last: when it exists, requests of the run can be counted.
        for item in [used, script] {
            self.put(item, "register").await?;
        }
        Ok(())
    }

    /// Returns the number of requests of each step so far.
    pub async fn counts(&self, id: &RunId) -> Result<BTreeMap<String, u32>, TableError> {
        let used = self.get(id, USED).await?.unwrap_or_default();
        let counts = used.into_iter().filter_map(|(name, value)| {
            let step = name.strip_prefix("step:")?.to_owned();
            Some((step, value.as_n().ok()?.parse().ok()?))
        });
        Ok(counts.collect())
    }

    /// Returns the requests of one step in order, without the first `known` ones.
    pub async fn requests(
        &self,
        id: &RunId,
        step: &Step,
        known: u32,
    ) -> Result<Vec<Recorded>, TableError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .key_condition_expression("#run = :run AND #item BETWEEN :first AND :last")
                .expression_attribute_names("#run", "run")
                .expression_attribute_names("#item", "item")
                .expression_attribute_values(":run", AttributeValue::S(id.as_str().to_owned()))
                .expression_attribute_values(
                    ":first",
                    AttributeValue::S(request_key(step, known.saturating_add(1))),
                )
                .expression_attribute_values(
                    ":last",
                    AttributeValue::S(request_key(step, u32::MAX)),
                )
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| call("Query", error))?;
            for item in output.items.unwrap_or_default() {
                found.push(recorded(&item).ok_or(TableError::Corrupt("a request"))?);
            }
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    async fn get(&self, id: &RunId, name: &str) -> Result<Option<Item>, TableError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .consistent_read(true)
            .set_key(Some(key(id, name)))
            .send()
            .await
            .map_err(|error| call("GetItem", error))?;
        Ok(output.item)
    }

    async fn put(&self, item: Item, operation: &'static str) -> Result<(), TableError> {
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .send()
            .await
            .map_err(|error| call(operation, error))?;
        Ok(())
    }
}

impl Runs for SelfTestTable {
    async fn run(&self, id: &RunId) -> Result<Option<Run>, TableError> {
        let Some(item) = self.get(id, SCRIPT).await? else {
            return Ok(None);
        };
        let read = || {
            Some(Run {
                script: serde_json::from_str(item.get("script")?.as_s().ok()?).ok()?,
                ends_at: Timestamp::from_millis(millis(&item, "endsAt")?),
            })
        };
        read().map(Some).ok_or(TableError::Corrupt("a script"))
    }

    async fn count(
        &self,
        id: &RunId,
        step: &Step,
        bytes: usize,
    ) -> Result<Option<u32>, TableError> {
        let name = format!("step:{}", step.as_str());
        let room = MAX_RUN_BYTES.saturating_sub(bytes);
        let counted = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key(id, USED)))
            .update_expression("ADD requests :one, #bytes :bytes, #step :one")
            .condition_expression("requests < :most AND #bytes <= :room")
            .expression_attribute_names("#bytes", "bytes")
            .expression_attribute_names("#step", &name)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":bytes", number(bytes))
            .expression_attribute_values(":most", number(MAX_RUN_REQUESTS))
            .expression_attribute_values(":room", number(room))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        match counted {
            Ok(output) => {
                let counted = output.attributes.unwrap_or_default();
                let count = counted.get(&name).and_then(|count| count.as_n().ok());
                let count = count.and_then(|count| count.parse().ok());
                count.map(Some).ok_or(TableError::Corrupt("a count"))
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(call("UpdateItem", error)),
        }
    }

    async fn record(
        &self,
        id: &RunId,
        ends_at: Timestamp,
        request: &Recorded,
    ) -> Result<(), TableError> {
        let mut item = item(id, &request_key(&request.step, request.number), ends_at);
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), AttributeValue::S(value.clone())));
        item.insert("headers".to_owned(), AttributeValue::M(headers.collect()));
        item.insert(
            "body".to_owned(),
            AttributeValue::B(Blob::new(request.body.clone())),
        );
        item.insert(
            "receivedAt".to_owned(),
            number(request.received_at.as_millis()),
        );
        self.put(item, "record").await
    }
}

/// Returns a key that sorts by number within a step.
fn request_key(step: &Step, number: u32) -> String {
    format!("request#{}#{number:010}", step.as_str())
}

fn key(id: &RunId, name: &str) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([
        ("run".to_owned(), text(id.as_str())),
        ("item".to_owned(), text(name)),
    ])
}

fn item(id: &RunId, name: &str, ends_at: Timestamp) -> Item {
    let mut item = key(id, name);
    let seconds = ends_at.as_secs() + i64::try_from(KEPT_FOR.as_secs()).unwrap_or(0);
    item.insert("expiresAt".to_owned(), number(seconds));
    item
}

fn recorded(item: &Item) -> Option<Recorded> {
    let name = item.get("item")?.as_s().ok()?;
    let (step, number) = name.strip_prefix("request#")?.split_once('#')?;
    let headers = item.get("headers")?.as_m().ok()?.iter();
    let headers = headers.map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())));
    Some(Recorded {
        step: step.parse().ok()?,
        number: number.parse().ok()?,
        headers: headers.collect::<Option<_>>()?,
        body: item.get("body")?.as_b().ok()?.clone().into_inner(),
        received_at: Timestamp::from_millis(millis(item, "receivedAt")?),
    })
}

fn millis(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

#[expect(clippy::needless_pass_by_value, reason = "numbers, which are copied")]
fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn call<E>(operation: &'static str, error: SdkError<E>) -> TableError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    TableError::Call {
        operation,
        code: error.code().unwrap_or("no answer").to_owned(),
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_is_written_and_its_steps_do_not_mix() {
        let id: RunId = "ab".repeat(32).parse().unwrap();
        let step: Step = "a".parse().unwrap();
        let ends_at = Timestamp::from_millis(10_000);
        let mut written = item(&id, &request_key(&step, 12), ends_at);
        let headers = HashMap::from([("webhook-id".to_owned(), AttributeValue::S("m".to_owned()))]);
        written.insert("headers".to_owned(), AttributeValue::M(headers));
        written.insert("body".to_owned(), AttributeValue::B(Blob::new(b"\0\xff")));
        written.insert("receivedAt".to_owned(), number(9_000));
        let read = recorded(&written).unwrap();
        assert_eq!((read.step.as_str(), read.number), ("a", 12));
        assert_eq!(read.body, b"\0\xff");
        assert_eq!(read.headers["webhook-id"], "m");
        assert_eq!(written["expiresAt"], number(10 + 3_600));

        let other: Step = "a-b".parse().unwrap();
        let last = request_key(&step, u32::MAX);
        assert!(request_key(&step, 2) < request_key(&step, 10));
        assert!(request_key(&other, 1) < request_key(&step, 0) || request_key(&other, 1) > last);
    }
}
