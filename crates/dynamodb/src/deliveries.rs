//! Deliveries and their messages.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use webhooks_domain::delivery::{Attempt, Delivery, DeliveryStatus, Reopening, Verdict};
use webhooks_domain::ids::{DeliveryId, MessageId, SubscriptionId};
use webhooks_domain::message::Message;
use webhooks_domain::ports::{
    DeliveryStore, MessageDirectory, MessagePage, StoreError, WriteOutcome,
};

use crate::DynamoStore;
use crate::due_index;
use crate::item::{
    AttemptItem, DELIVERY_PREFIX, DeliveryItem, Key, MessageItem, PARTITION_KEY, SORT_KEY,
    message_partition,
};
use crate::store::{
    AttributeMap, corrupt, from_attributes, into_domain, number, text, to_attributes, unavailable,
    write_outcome,
};

/// How often a read that the table gives in parts is continued.
const MAX_READS: u32 = 3;

impl DeliveryStore for DynamoStore {
    /// One call reads both items.
    async fn load(&self, id: &DeliveryId) -> Result<Option<(Delivery, Message)>, StoreError> {
        const OPERATION: &str = "load delivery";
        let keys = KeysAndAttributes::builder()
            .consistent_read(true)
            .keys(to_attributes(&Key::delivery(id)))
            .keys(to_attributes(&Key::message(&id.message)))
            .build()
            .map_err(|error| unavailable(OPERATION, error))?;
        let mut items = Vec::new();
        let mut missing = HashMap::from([(self.table.clone(), keys)]);
        // A part that the table throttled is no error to the client, so it is asked for again.
        for _ in 0..MAX_READS {
            let output = self
                .client
                .batch_get_item()
                .set_request_items(Some(missing))
                .send()
                .await
                .map_err(|error| unavailable(OPERATION, error))?;
            let tables = output.responses.unwrap_or_default();
            items.extend(tables.into_values().flatten());
            missing = output.unprocessed_keys.unwrap_or_default();
            if missing.is_empty() {
                return read_delivery_and_message(id, items);
            }
        }
        let throttled = std::io::Error::other("the table throttled a part of the read");
        Err(unavailable(OPERATION, throttled))
    }

    async fn record(
        &self,
        id: &DeliveryId,
        attempt: &Attempt,
        verdict: &Verdict,
    ) -> Result<WriteOutcome, StoreError> {
        let made_before = attempt.number.saturating_sub(1);
        let appended = AttributeValue::L(vec![AttributeValue::M(to_attributes(
            &AttemptItem::from(attempt),
        ))]);
        let append = "attempts = list_append(attempts, :attempt)";
        let update = match verdict {
            Verdict::Ended(status) => self.update_pending(id, made_before, *status, &[append]),
            Verdict::Retry(next) => {
                let sets = [append, "nextAttemptAt = :due", due_index::ENTER];
                let update = self.update_pending(id, made_before, DeliveryStatus::Pending, &sets);
                due_index::enter(update, id, attempt.number.saturating_add(1), next)
                    .expression_attribute_values(":due", number(next.due_at.as_millis()))
            }
        };
        let update = update.expression_attribute_values(":attempt", appended);
        write_outcome(update.send().await, "record attempt")
    }

    async fn settle(
        &self,
        id: &DeliveryId,
        attempts: u32,
        status: DeliveryStatus,
    ) -> Result<WriteOutcome, StoreError> {
        let update = self.update_pending(id, attempts, status, &[]);
        write_outcome(update.send().await, "settle delivery")
    }

    async fn reopen(&self, reopening: &Reopening<'_>) -> Result<WriteOutcome, StoreError> {
        let read = reopening.read();
        let next = reopening.next();
        let status = |status: DeliveryStatus| AttributeValue::S(status.as_str().to_owned());
        let sets = [
            "#status = :pending, earlierAttempts = :made, nextAttemptAt = :due",
            due_index::ENTER,
        ];
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::delivery(&read.id))))
            .update_expression(format!("SET {} REMOVE reason", sets.join(", ")))
            .condition_expression("#status = :read AND size(attempts) = :made")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":read", status(read.status))
            .expression_attribute_values(":pending", status(DeliveryStatus::Pending))
            .expression_attribute_values(":made", number(read.attempts_made()))
            .expression_attribute_values(":due", number(next.due_at.as_millis()));
        let update = due_index::enter(update, &read.id, read.next_attempt(), next);
        write_outcome(update.send().await, "reopen delivery")
    }
}

impl DynamoStore {
    /// An update of a delivery that is pending and has this many attempts.
    fn update_pending(
        &self,
        id: &DeliveryId,
        attempts: u32,
        status: DeliveryStatus,
        sets: &[&str],
    ) -> UpdateItemFluentBuilder {
        let mut sets = sets.to_vec();
        sets.push("#status = :status");
        let remove = match status {
            DeliveryStatus::Pending => String::new(),
            DeliveryStatus::Held => format!(" REMOVE {}", due_index::ATTRIBUTES),
            DeliveryStatus::Succeeded
            | DeliveryStatus::Failed(_)
            | DeliveryStatus::Cancelled(_) => {
                format!(" REMOVE nextAttemptAt, {}", due_index::ATTRIBUTES)
            }
        };
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::delivery(id))))
            .condition_expression("#status = :pending AND size(attempts) = :made")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(
                ":pending",
                AttributeValue::S(DeliveryStatus::Pending.as_str().to_owned()),
            )
            .expression_attribute_values(":made", number(attempts))
            .expression_attribute_values(":status", AttributeValue::S(status.as_str().to_owned()));
        if let Some(reason) = status.reason() {
            sets.push("reason = :reason");
            update =
                update.expression_attribute_values(":reason", AttributeValue::S(reason.to_owned()));
        }
        update.update_expression(format!("SET {}{remove}", sets.join(", ")))
    }
}

impl MessageDirectory for DynamoStore {
    async fn message_page(
        &self,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<Option<MessagePage>, StoreError> {
        let message: Option<MessageItem> = self.get_item(Key::message(id), "get message").await?;
        let Some(message) = message else {
            return Ok(None);
        };
        let delivery_to = |subscription: &SubscriptionId| {
            Key::delivery(&DeliveryId {
                message: *id,
                subscription: *subscription,
            })
        };
        let limit = limit as usize;
        let mut items = Vec::new();
        let mut start = after.map(|subscription| to_attributes(&delivery_to(subscription)));
        // One query reads 1 MB at most, however much is asked for.
        loop {
            let missing = limit.saturating_sub(items.len());
            let output = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :message AND begins_with(sk, :prefix)")
                .expression_attribute_values(":message", AttributeValue::S(message_partition(id)))
                .expression_attribute_values(
                    ":prefix",
                    AttributeValue::S(DELIVERY_PREFIX.to_owned()),
                )
                .set_exclusive_start_key(start)
                .consistent_read(true)
                .limit(i32::try_from(missing).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(|error| unavailable("list deliveries", error))?;
            items.extend(output.items.unwrap_or_default());
            start = output.last_evaluated_key;
            if start.is_none() || items.len() >= limit {
                break;
            }
        }
        let deliveries = items.into_iter().map(into_domain::<DeliveryItem, Delivery>);
        Ok(Some(MessagePage {
            message: message.into(),
            deliveries: deliveries.collect::<Result<_, _>>()?,
            has_more: start.is_some(),
        }))
    }
}

fn read_delivery_and_message(
    id: &DeliveryId,
    items: Vec<AttributeMap>,
) -> Result<Option<(Delivery, Message)>, StoreError> {
    let (deliveries, messages): (Vec<_>, Vec<_>) = items
        .into_iter()
        .partition(|item| text(item, SORT_KEY).starts_with(DELIVERY_PREFIX));
    let Some(delivery) = deliveries.into_iter().next() else {
        return Ok(None);
    };
    let place = text(&delivery, PARTITION_KEY).to_owned();
    let delivery = into_domain::<DeliveryItem, Delivery>(delivery)?;
    let message = messages
        .into_iter()
        .next()
        .ok_or_else(|| corrupt(&place, &format!("{id} is there without its message")))?;
    let message: MessageItem = from_attributes(message)?;
    Ok(Some((delivery, message.into())))
}
