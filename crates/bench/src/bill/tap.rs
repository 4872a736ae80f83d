//! Counts the functions' AWS calls in billed units, on their way to the emulator.

mod key;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use webhooks_proxy::{CallError, Interceptor, Next};
use webhooks_testkit::units::{Item, WriteUnits, write_units};

use self::{key::Key, table::Table};
use super::rules;
use crate::{
    read_units::{items, read_units},
    stack::Deployment,
};

/// The index that only the sweep reads, every minute, independent of deliveries.
const SWEPT_INDEX: &str = "due";

/// The counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    /// The number of calls by operation.
    pub(super) calls: BTreeMap<String, u64>,
    /// The number of attempts that were recorded.
    pub(super) attempts: usize,
    /// The write units of the functions, and of the items that the workflow wrote.
    pub(super) writes: WriteUnits,
    /// The write units of statistics.
    pub(super) statistics_writes: WriteUnits,
    pub(super) read_units: f64,
    /// The number of requests to SQS.
    pub(super) queue_requests: usize,
    /// The number of events on the bus.
    pub(super) events: usize,
    /// Operations that are not billed here. The API may use some, a delivery must not.
    pub(super) unknown: BTreeSet<String>,
    /// Items that existed before any function wrote them.
    seen: BTreeSet<Key>,
}

/// An interceptor between the functions and the emulator that counts.
pub(super) struct Tap {
    table: Table,
    counted: Mutex<Counted>,
}

impl Tap {
    pub(super) async fn new(deployment: &Deployment) -> Result<Self> {
        Ok(Self {
            table: Table::describe(deployment).await?,
            counted: Mutex::default(),
        })
    }

    /// Returns the counts since the last call.
    pub(super) fn take(&self) -> Counted {
        std::mem::take(&mut *self.counted())
    }

    /// Returns the number of attempts recorded since the last call.
    pub(super) fn attempts(&self) -> usize {
        self.counted().attempts
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        // The counts are consistent even if a thread panicked.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forwards a write, and counts it by the item before and after.
    async fn write(
        &self,
        call: &Request<Bytes>,
        key: Key,
        next: &impl Next,
    ) -> Result<Response<Bytes>, CallError> {
        let before = self.table.item(&key).await?;
        let answer = next.forward(call).await?;
        let after = self.table.item(&key).await?;
        let units = write_units(before.as_ref(), after.as_ref(), &self.table.indexes);
        let mut counted = self.counted();
        if key.is_of_statistics() {
            counted.statistics_writes += units;
            return Ok(answer);
        }
        if let Some(before) = &before {
            counted.attempts += usize::from(key.is_of_message());
            counted.written_by_workflow(key, before, &self.table);
        }
        counted.writes += units;
        Ok(answer)
    }
}

impl Interceptor for Tap {
    async fn answer(
        &self,
        call: Request<Bytes>,
        next: &impl Next,
    ) -> Result<Response<Bytes>, CallError> {
        let Some(operation) = webhooks_proxy::operation(&call).map(str::to_owned) else {
            return next.forward(&call).await;
        };
        let body: Value = serde_json::from_slice(call.body())?;
        let answer = if let Some(key) = Key::written(&operation, &body) {
            self.write(&call, key, next).await?
        } else {
            let answer = next.forward(&call).await?;
            let found = serde_json::from_slice(answer.body()).unwrap_or_default();
            self.counted()
                .read(&operation, &body, &found, &self.table)?;
            answer
        };
        *self.counted().calls.entry(operation).or_default() += 1;
        Ok(answer)
    }
}

impl Counted {
    /// Counts a call that does not write to the table.
    fn read(&mut self, operation: &str, body: &Value, found: &Value, table: &Table) -> Result<()> {
        match operation {
            // Reads of the data key are computed by rule, like the requests to KMS.
            "GetItem" if Key::of(&body["Key"]).is_some_and(|key| key.is_data_key()) => {}
            "Query" if body["IndexName"] == SWEPT_INDEX => {}
            "GetItem" | "Query" => self.read_units += read_units(operation, body, found)?,
            "BatchGetItem" => {
                self.read_units += read_units(operation, body, found)?;
                let tables = found["Responses"].as_object().into_iter().flatten();
                for (_, found) in tables {
                    for found in items(found)? {
                        if let Some(key) = Key::of_item(&found) {
                            self.written_by_workflow(key, &found, table);
                        }
                    }
                }
            }
            "SendMessage" => {
                let text = body["MessageBody"].as_str().unwrap_or_default();
                self.queue_requests += rules::chunks(text.len());
            }
            "SendMessageBatch" => self.queue_requests += 1,
            "PutEvents" => {
                self.events += body["Entries"].as_array().map_or(0, Vec::len);
            }
            "Decrypt" => {}
            _ => {
                self.unknown.insert(operation.to_owned());
            }
        }
        Ok(())
    }

    /// Counts a message or delivery that a function finds as written by the workflow, in the
    /// form in which it is first seen.
    fn written_by_workflow(&mut self, key: Key, item: &Item, table: &Table) {
        if key.is_of_message() && self.seen.insert(key) {
            self.writes += write_units(None, Some(item), &table.indexes);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(operation: &str, body: &Value, found: &Value) -> Counted {
        let mut counted = Counted::default();
        let table = Table::without_indexes();
        counted.read(operation, body, found, &table).unwrap();
        counted
    }

    #[test]
    fn the_reads_of_the_sweep_and_of_the_data_key_are_not_those_of_a_delivery() {
        let key = json!({"pk": {"S": "CUSTOMER#1"}, "sk": {"S": "SUBSCRIPTION#1"}});
        let counted = read("GetItem", &json!({"Key": key}), &json!({}));
        assert!((counted.read_units - 0.5).abs() < 1e-9);
        let key = json!({"pk": {"S": "DATA_KEY"}, "sk": {"S": "0000000001"}});
        let data_key = read("GetItem", &json!({"Key": key}), &json!({}));
        let swept = read("Query", &json!({"IndexName": "due"}), &json!({"Items": []}));
        assert!(data_key.read_units + swept.read_units < 1e-9);
    }

    #[test]
    fn an_item_of_the_workflow_counts_once_when_it_is_found() {
        let item = json!({"pk": {"S": "MESSAGE#1"}, "sk": {"S": "MESSAGE"}});
        let body = json!({"RequestItems": {"t": {"ConsistentRead": true}}});
        let found = json!({"Responses": {"t": [item, item]}});
        let counted = read("BatchGetItem", &body, &found);
        assert_eq!(counted.writes.table, 1);
        assert!((counted.read_units - 2.0).abs() < 1e-9);
    }

    #[test]
    fn an_unknown_call_is_named() {
        let counted = read("Scan", &Value::Null, &Value::Null);
        assert!(counted.unknown.contains("Scan"));
    }
}
