//! Items that have expired but are still in the table: DynamoDB deletes them up to days later.
//!
//! Some events are also put before the run, with other payloads under the same idempotency
//! keys. When they have settled, all their items in the table are set to expired. During the
//! run, the events must be delivered as if these items did not exist.

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use serde_json::json;
use webhooks_client::Stack;

use super::{Scenario, on_bus};

/// The number of events of a seed that are also put before the run.
const EXPIRED: usize = 3;

/// The attributes of an item's key and of its expiry time (template.yaml).
const KEY: [&str; 2] = ["pk", "sk"];
const EXPIRES_AT: &str = "expiresAt";

impl Scenario {
    /// Puts events whose items are to expire, and returns the ids of their messages.
    pub(crate) async fn put_earlier(&self, stack: &Stack) -> Result<Vec<String>> {
        let earlier = self
            .events
            .iter()
            .take(EXPIRED)
            .map(|planned| &planned.event);
        let mut events = Vec::with_capacity(EXPIRED);
        let mut messages = Vec::with_capacity(EXPIRED);
        for event in earlier {
            let mut detail = event.detail.clone();
            detail["order"] = json!("an earlier one");
            events.push(on_bus(&event.event_type, &detail)?);
            messages.push(event.message_id.clone());
        }
        stack.put_events(&events).await?;
        Ok(messages)
    }

    /// Sets all items of the earlier events to expired. The requests made until now do not
    /// belong to the run.
    pub(crate) async fn expire_earlier(&mut self, stack: &Stack) -> Result<()> {
        let client = Client::new(stack.sdk_config());
        let table = stack.output("TableName")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let expired = AttributeValue::N((now - 1).to_string());
        for planned in self.events.iter().take(EXPIRED) {
            for key in keys(&client, table, &planned.event.message_id).await? {
                let update = client.update_item().table_name(table).set_key(Some(key));
                update
                    .update_expression("SET #expiresAt = :expired")
                    .expression_attribute_names("#expiresAt", EXPIRES_AT)
                    .expression_attribute_values(":expired", expired.clone())
                    .send()
                    .await
                    .context("letting an item expire")?;
            }
        }
        self.requests_before = self.receiver.requests().len();
        Ok(())
    }
}

/// Returns the keys of a message and its deliveries.
async fn keys(
    client: &Client,
    table: &str,
    message_id: &str,
) -> Result<Vec<HashMap<String, AttributeValue>>> {
    let items = client
        .query()
        .table_name(table)
        .key_condition_expression("pk = :message")
        .expression_attribute_values(
            ":message",
            AttributeValue::S(format!("MESSAGE#{message_id}")),
        )
        .projection_expression(KEY.join(", "))
        .send()
        .await
        .context("reading a message's keys")?;
    Ok(items.items.unwrap_or_default())
}
