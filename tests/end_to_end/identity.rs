//! Stored items and their owners: ids that are never reused, items that have expired or cannot be
//! read, the quotas of a customer, and the customer of a message.

mod bounds;
mod broken;
mod customers;
mod expired;
mod recreated;

use anyhow::Result;
use aws_sdk_dynamodb::types::AttributeValue;
use http::{Method, StatusCode};
use serde_json::Value;
use webhooks_client::Answered;

use crate::fixture::Fixture;

/// The key of an item: partition key and sort key.
type Key = (String, String);

fn subscription_key(test: &Fixture, id: &str) -> Key {
    let partition = format!("CUSTOMER#{}", test.customer);
    (partition, format!("SUBSCRIPTION#{id}"))
}

fn message_key(message: &str) -> Key {
    (format!("MESSAGE#{message}"), "MESSAGE".to_owned())
}

fn delivery_key(message: &str, subscription: &str) -> Key {
    let place = format!("DELIVERY#{subscription}");
    (format!("MESSAGE#{message}"), place)
}

/// Overwrites one attribute of an existing item, without any validation.
async fn overwrite(test: &Fixture, key: Key, name: &str, value: AttributeValue) -> Result<()> {
    aws_sdk_dynamodb::Client::new(test.stack.sdk_config())
        .update_item()
        .table_name(test.stack.output("TableName")?)
        .key("pk", AttributeValue::S(key.0))
        .key("sk", AttributeValue::S(key.1))
        .update_expression("SET #name = :value")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_names("#name", name)
        .expression_attribute_values(":value", value)
        .send()
        .await?;
    Ok(())
}

/// Sends a request without a body.
async fn ask(test: &Fixture, method: Method, path: &[&str]) -> Result<Answered> {
    Ok(test.api.request(method, path, &[], None).await?)
}

/// Returns what the API shows at a path.
async fn shown(test: &Fixture, path: &[&str]) -> Result<Value> {
    let answer = ask(test, Method::GET, path).await?;
    assert_eq!(answer.status, StatusCode::OK, "{path:?}: {}", answer.text());
    Ok(serde_json::from_slice(&answer.body)?)
}

async fn status(test: &Fixture, method: Method, path: &[&str]) -> Result<StatusCode> {
    Ok(ask(test, method, path).await?.status)
}
