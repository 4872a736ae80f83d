//! The key of an item.

use serde_dynamo::AttributeValue;
use serde_json::{Value, json};
use webhooks_units::Item;

/// Partition and sort key.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    partition: String,
    sort: String,
}

impl Key {
    /// The key of a whole item or of a call, as the protocol has it.
    pub(super) fn of(item: &Value) -> Option<Self> {
        let part = |name: &str| item[name]["S"].as_str().map(str::to_owned);
        Some(Self {
            partition: part("pk")?,
            sort: part("sk")?,
        })
    }

    /// The key of an item.
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

    /// The key of the one item that a call writes.
    pub(super) fn written(operation: &str, body: &Value) -> Option<Self> {
        match operation {
            "PutItem" => Self::of(&body["Item"]),
            "UpdateItem" | "DeleteItem" => Self::of(&body["Key"]),
            _ => None,
        }
    }

    /// As the protocol has it.
    pub(super) fn json(&self) -> Value {
        json!({"pk": {"S": self.partition}, "sk": {"S": self.sort}})
    }

    /// Whether it is the key of the stack's data key.
    pub(super) fn is_data_key(&self) -> bool {
        self.partition == "DATA_KEY"
    }

    /// Whether it is the key of a message, or of a delivery of one.
    pub(super) fn is_of_message(&self) -> bool {
        self.partition.starts_with("MESSAGE#")
    }
}
