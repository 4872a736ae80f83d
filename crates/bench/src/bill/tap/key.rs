//! The key of an item.

use serde_dynamo::AttributeValue;
use serde_json::{Value, json};
use webhooks_testkit::units::Item;

/// Partition and sort key.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    partition: String,
    sort: String,
}

impl Key {
    /// Returns the key of an item or of a call in DynamoDB's JSON.
    pub(super) fn of(item: &Value) -> Option<Self> {
        let part = |name: &str| item[name]["S"].as_str().map(str::to_owned);
        Some(Self {
            partition: part("pk")?,
            sort: part("sk")?,
        })
    }

    /// Returns the key of an item.
    pub(super) fn of_item(item: &Item) -> Option<Self> {
        let part = |name: &str| match item.get(name) {
            Some(AttributeValue::S(text)) => Some(text.clone()),
            _ => None,
        };
        Some(Self {
            partition: part("pk")?,
            sort: part("sk")?,
        })
    }

    /// Returns the key of the one item that a call writes.
    pub(super) fn written(operation: &str, body: &Value) -> Option<Self> {
        match operation {
            "PutItem" => Self::of(&body["Item"]),
            "UpdateItem" | "DeleteItem" => Self::of(&body["Key"]),
            _ => None,
        }
    }

    /// Returns the key in DynamoDB's JSON.
    pub(super) fn json(&self) -> Value {
        json!({"pk": {"S": self.partition}, "sk": {"S": self.sort}})
    }

    /// Returns true for the key of the stack's data key.
    pub(super) fn is_data_key(&self) -> bool {
        self.partition == "DATA_KEY"
    }

    /// Returns true for the key of statistics.
    pub(super) fn is_of_statistics(&self) -> bool {
        self.sort.starts_with("STATISTICS#")
    }

    /// Returns true for the key of a message or of one of its deliveries.
    pub(super) fn is_of_message(&self) -> bool {
        self.partition.starts_with("MESSAGE#")
    }
}
