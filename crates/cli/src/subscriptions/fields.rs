//! The fields of a subscription, as options.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::input::{json as json_or_file, pair};

/// The fields that can be set on creation and on change.
#[derive(Args, Debug)]
#[command(next_help_heading = "Fields")]
pub(super) struct Fields {
    /// Only events whose detail matches this EventBridge pattern: JSON, or @FILE.
    #[arg(long, value_name = "JSON|@FILE", value_parser = json_or_file)]
    filter: Option<Value>,
    /// A header of each request. Repeatable.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// The content of a body: type, time and detail; the detail alone; or the whole event.
    #[arg(long, value_name = "FORMAT", value_parser = ["standard", "detail", "event"])]
    payload_format: Option<String>,
    /// The time limit of one attempt.
    #[arg(long, value_name = "SECONDS")]
    timeout_seconds: Option<u32>,
    /// The largest number of webhooks per second.
    #[arg(long, value_name = "COUNT")]
    rate_limit_per_second: Option<u32>,
    /// The largest number of concurrent requests.
    #[arg(long, value_name = "COUNT")]
    max_in_flight: Option<u32>,
    /// The seconds before each attempt, such as `0,60,3600`. The first is 0.
    #[arg(
        long,
        value_name = "SECONDS,…",
        value_delimiter = ',',
        conflicts_with = "retry_policy"
    )]
    retry_schedule: Vec<u32>,
    /// The retry policy (docs/api.md): JSON, or @FILE.
    #[arg(long, value_name = "JSON|@FILE", value_parser = json_or_file)]
    retry_policy: Option<Value>,
    /// A description for people.
    #[arg(long)]
    description: Option<String>,
    /// A name and a value for your own use. Repeatable.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// Any other field of the API, such as `timeoutSeconds=5`: a JSON value, or a text. Repeatable.
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = pair)]
    others: Vec<(String, String)>,
}

impl Fields {
    /// Returns the given fields by their names in the API.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        set("filter", self.filter.clone());
        set("headers", object(&self.headers));
        set(
            "payloadFormat",
            self.payload_format.as_ref().map(|text| json!(text)),
        );
        set(
            "timeoutSeconds",
            self.timeout_seconds.map(|seconds| json!(seconds)),
        );
        set(
            "rateLimitPerSecond",
            self.rate_limit_per_second.map(|count| json!(count)),
        );
        set("maxInFlight", self.max_in_flight.map(|count| json!(count)));
        let schedule = Some(&self.retry_schedule).filter(|schedule| !schedule.is_empty());
        set(
            "retryPolicy",
            schedule.map(|schedule| json!({"schedule": schedule})),
        );
        set("retryPolicy", self.retry_policy.clone());
        set(
            "description",
            self.description.as_ref().map(|text| json!(text)),
        );
        set("metadata", object(&self.metadata));
        for (name, text) in &self.others {
            let value = serde_json::from_str(text);
            set(name, Some(value.unwrap_or_else(|_| json!(text))));
        }
        fields
    }
}

fn object(pairs: &[(String, String)]) -> Option<Value> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)));
    let object: Map<_, _> = pairs.collect();
    (!object.is_empty()).then_some(Value::Object(object))
}
