//! The keys of the emulator's DynamoDB tables.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::Next;

/// An attribute of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeyAttribute {
    pub(crate) name: String,
    /// `S`, `N` or `B`.
    pub(crate) kind: String,
    /// True for the partition key, false for the sort key.
    pub(crate) is_partition: bool,
}

/// The keys of a table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Table {
    pub(crate) key: Vec<KeyAttribute>,
    /// The keys of its global secondary indexes, by name.
    pub(crate) indexes: HashMap<String, Vec<KeyAttribute>>,
}

impl Table {
    /// Reads an answer of `DescribeTable`.
    pub(crate) fn described(answer: &Value) -> Option<Self> {
        let table = answer.get("Table")?;
        let kinds: HashMap<&str, &str> = table["AttributeDefinitions"]
            .as_array()?
            .iter()
            .filter_map(|one| {
                Some((
                    one["AttributeName"].as_str()?,
                    one["AttributeType"].as_str()?,
                ))
            })
            .collect();
        let key = |schema: &Value| -> Option<Vec<KeyAttribute>> {
            let parts = schema.as_array()?.iter().map(|part| {
                let name = part["AttributeName"].as_str()?;
                Some(KeyAttribute {
                    name: name.to_owned(),
                    kind: (*kinds.get(name)?).to_owned(),
                    is_partition: part["KeyType"] == "HASH",
                })
            });
            parts.collect()
        };
        let indexes = table["GlobalSecondaryIndexes"]
            .as_array()
            .into_iter()
            .flatten();
        Some(Self {
            key: key(&table["KeySchema"])?,
            indexes: indexes
                .filter_map(|index| {
                    Some((
                        index["IndexName"].as_str()?.to_owned(),
                        key(&index["KeySchema"])?,
                    ))
                })
                .collect(),
        })
    }
}

/// The tables that were already described.
#[derive(Default)]
pub(crate) struct Tables(Mutex<HashMap<String, Arc<Table>>>);

impl Tables {
    /// Returns the keys of a table. `None` if the emulator has no table with this name.
    pub(crate) async fn get(&self, name: &str, next: &impl Next) -> Option<Arc<Table>> {
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        if known.is_some() {
            return known;
        }
        let answer = next.forward(&describe(name)?).await.ok()?;
        let answer = serde_json::from_slice(answer.body()).ok()?;
        let table = Arc::new(Table::described(&answer)?);
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert(name.to_owned(), Arc::clone(&table));
        Some(table)
    }
}

/// Builds the request with the emulator's root credentials; it does not verify the signature.
fn describe(table: &str) -> Option<Request<Bytes>> {
    let body = json!({"TableName": table}).to_string();
    Request::post("/")
        .header("host", "dynamodb.us-east-1.amazonaws.com")
        .header("x-amz-target", "DynamoDB_20120810.DescribeTable")
        .header("content-type", "application/x-amz-json-1.0")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0",
        )
        .body(body.into())
        .ok()
}
