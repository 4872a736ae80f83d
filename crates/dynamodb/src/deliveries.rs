//! Deliveries and their messages.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use webhooks_domain::delivery::{
    Attempt, CancelReason, Delivery, DeliveryStatus, ExchangeId, HoldReason, Reopening, Verdict,
};
use webhooks_domain::due::NextAttempt;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId};
use webhooks_domain::limits::CustomerLimit;
use webhooks_domain::message::{Message, StoredMessage};
use webhooks_domain::outbound::ResponseBody;
use webhooks_domain::ports::{
    CancelTable, DeliveryReader, DeliveryTable, InsertOutcome, ResendTable, StoreError,
    WriteOutcome,
};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::customers::customer_limit;
use crate::due_index;
use crate::item::{
    AttemptItem, DeliveryItem, MessageItem, OWED_TO, delivery_item, message_item,
    waiting_delivery_item,
};
use crate::key::{DELIVERY_PREFIX, Key, SORT_KEY, message_partition};
use crate::store::{
    AttributeMap, IN_FORCE, NOW, corrupt, from_attributes, into_domain, number, text,
    to_attributes, unavailable, write_outcome,
};

impl DeliveryReader for DynamoStore {
    /// One call reads both items.
    async fn load(&self, id: &DeliveryId) -> Result<Option<(Delivery, Message)>, StoreError> {
        const OPERATION: &str = "load delivery";
        if let Some(loaders) = &self.loaders {
            return self.load_batched(loaders, id).await;
        }
        let keys = KeysAndAttributes::builder()
            .consistent_read(true)
            .keys(to_attributes(&Key::delivery(id)))
            .keys(to_attributes(&Key::message(&id.message)))
            .build()
            .map_err(|error| unavailable(OPERATION, error))?;
        let items = self.batch_get_whole(keys, OPERATION).await?;
        read_delivery_and_message(id, items)
    }

    async fn message(&self, id: &MessageId) -> Result<Option<Message>, StoreError> {
        let item: Option<MessageItem> = self.get_item(Key::message(id), "get message").await?;
        Ok(item.map(Message::from))
    }

    /// One call reads both items.
    async fn read(
        &self,
        id: &DeliveryId,
    ) -> Result<(Option<StoredMessage>, Option<Delivery>), StoreError> {
        const OPERATION: &str = "read message and delivery";
        let keys = KeysAndAttributes::builder()
            .consistent_read(true)
            .keys(to_attributes(&Key::delivery(id)))
            .keys(to_attributes(&Key::message(&id.message)))
            .build()
            .map_err(|error| unavailable(OPERATION, error))?;
        let (mut message, mut delivery) = (None, None);
        for item in self.batch_get_whole(keys, OPERATION).await? {
            if text(&item, SORT_KEY).starts_with(DELIVERY_PREFIX) {
                delivery = Some(into_domain::<DeliveryItem, Delivery>(item)?);
            } else {
                message = Some(stored_message(item)?);
            }
        }
        Ok((message, delivery))
    }
}

impl DeliveryTable for DynamoStore {
    async fn customer_limit(&self, id: &CustomerId) -> Result<Option<CustomerLimit>, StoreError> {
        if let Some(loaders) = &self.loaders {
            return self.customer_limit_batched(loaders, id).await;
        }
        let key = Key::customer_limit(id);
        let item = self.get_attributes(key, "get customer limit").await?;
        Ok(item.as_ref().and_then(customer_limit))
    }

    async fn record(
        &self,
        id: &DeliveryId,
        due_at: Option<Timestamp>,
        attempt: &Attempt,
        verdict: &Verdict,
    ) -> Result<WriteOutcome, StoreError> {
        let made_before = attempt.number.saturating_sub(1);
        let append = append(made_before);
        let update = match verdict {
            Verdict::Ended(status) => self.update_pending(id, made_before, *status, &[append]),
            Verdict::Retry(next) => {
                let sets = [append, "nextAttemptAt = :due", due_index::ENTER];
                let update = self.update_pending(id, made_before, DeliveryStatus::Pending, &sets);
                due_index::enter(update, id, attempt.number.saturating_add(1), next)
                    .expression_attribute_values(":due", number(next.due_at.as_millis()))
            }
        };
        let update = update.expression_attribute_values(":attempt", appended(attempt));
        let update = if_due_at(update, due_at);
        write_outcome(update.send().await, "record attempt")
    }

    async fn record_cancelled(
        &self,
        id: &DeliveryId,
        attempt: &Attempt,
    ) -> Result<WriteOutcome, StoreError> {
        let made_before = attempt.number.saturating_sub(1);
        let cancelled = DeliveryStatus::Cancelled(CancelReason::Requested);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::delivery(id))))
            .update_expression(format!("SET {}", append(made_before)))
            .condition_expression(format!(
                "#status = :cancelled AND {IN_FORCE} AND {}",
                has_made(made_before)
            ))
            .expression_attribute_values(NOW, self.now_secs())
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(
                ":cancelled",
                AttributeValue::S(cancelled.as_str().to_owned()),
            )
            .expression_attribute_values(":attempt", appended(attempt));
        let update = with_made(update, made_before);
        write_outcome(update.send().await, "add attempt to cancelled delivery")
    }

    async fn store_body(
        &self,
        id: &ExchangeId,
        body: &ResponseBody,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write_body(id, body, expires_at).await
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
}

/// The attributes that a resend writes, compares or has in its key. The role of the portal has access
/// to these only: see the template.
pub const RESEND_ATTRIBUTES: [&str; 13] = [
    "pk",
    SORT_KEY,
    "status",
    "reason",
    "trigger",
    "attempts",
    "earlierAttempts",
    "nextAttemptAt",
    "owedTo",
    "dueShard",
    "sweepAt",
    "nextAttempt",
    "expiresAt",
];

impl DynamoStore {
    fn reopening(&self, reopening: &Reopening<'_>) -> UpdateItemFluentBuilder {
        let (read, reopened) = (reopening.read(), reopening.reopened());
        let next = reopening.next();
        let made = read.attempts_made();
        let status = |status: DeliveryStatus| AttributeValue::S(status.as_str().to_owned());
        let trigger = AttributeValue::S(reopened.trigger.as_str().to_owned());
        let sets = [
            "#status = :pending, #trigger = :trigger, earlierAttempts = :earlier, nextAttemptAt = :due",
            ENTER_UNDELIVERED,
            due_index::ENTER,
        ];
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::delivery(&read.id))))
            .update_expression(format!("SET {} REMOVE reason", sets.join(", ")))
            .condition_expression(format!(
                "#status = :read AND {IN_FORCE} AND {}",
                has_made(made)
            ))
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#trigger", "trigger")
            .expression_attribute_values(":trigger", trigger)
            .expression_attribute_values(":read", status(read.status))
            .expression_attribute_values(NOW, self.now_secs())
            .expression_attribute_values(":pending", status(reopened.status))
            .expression_attribute_values(":earlier", number(reopened.earlier_attempts))
            .expression_attribute_values(":owedTo", owed_to(&read.id))
            .expression_attribute_values(":due", number(next.due_at.as_millis()));
        let update = with_made(update, made);
        due_index::enter(update, &read.id, read.next_attempt(), next)
    }
}

impl ResendTable for DynamoStore {
    async fn reopen(&self, reopening: &Reopening<'_>) -> Result<WriteOutcome, StoreError> {
        let result = self.reopening(reopening).send().await;
        write_outcome(result, "reopen delivery")
    }

    async fn insert_due(
        &self,
        delivery: &Delivery,
        next: &NextAttempt,
    ) -> Result<InsertOutcome, StoreError> {
        let delivery = Delivery {
            next_attempt_at: Some(next.due_at),
            ..delivery.clone()
        };
        let item = waiting_delivery_item(&delivery, next);
        self.insert_attributes(item.into(), "insert due delivery")
            .await
    }

    async fn insert_test(&self, message: &Message, delivery: &Delivery) -> Result<(), StoreError> {
        let item = message_item(message, delivery.created_at, delivery.expires_at);
        let (InsertOutcome::Inserted | InsertOutcome::AlreadyThere) = self
            .insert_attributes(item.into(), "record message")
            .await?;
        let (InsertOutcome::Inserted | InsertOutcome::AlreadyThere) = self
            .insert_attributes(delivery_item(delivery).into(), "record delivery")
            .await?;
        Ok(())
    }
}

impl CancelTable for DynamoStore {
    async fn mark_cancelled(
        &self,
        id: &MessageId,
        at: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::message(id))))
            .update_expression("SET cancelledAt = if_not_exists(cancelledAt, :at)")
            .condition_expression(IN_FORCE)
            .expression_attribute_values(NOW, self.now_secs())
            .expression_attribute_values(":at", number(at.as_millis()))
            .send()
            .await;
        write_outcome(result, "mark message as cancelled")
    }

    async fn cancel(&self, read: &Delivery) -> Result<WriteOutcome, StoreError> {
        let cancelled = DeliveryStatus::Cancelled(CancelReason::Requested);
        let made = read.attempts_made();
        let update = self.update_if(read.status, &read.id, made, cancelled, &[]);
        write_outcome(update.send().await, "cancel delivery")
    }
}

/// Appends `:attempt`. The condition on the number of earlier attempts ensures that the right one of
/// the two is used.
fn append(made_before: u32) -> &'static str {
    match made_before {
        0 => "attempts = :attempt",
        _ => "attempts = list_append(attempts, :attempt)",
    }
}

/// The value of `:attempt`.
fn appended(attempt: &Attempt) -> AttributeValue {
    let item = to_attributes(&AttemptItem::from(attempt));
    AttributeValue::L(vec![AttributeValue::M(item)])
}

/// Enters the `undelivered` index. An entry that is already there costs nothing.
const ENTER_UNDELIVERED: &str = "owedTo = :owedTo";

/// Adds the condition that this is still the time of the next attempt. Whoever sends a delivery again
/// sets another one.
fn if_due_at(
    update: UpdateItemFluentBuilder,
    due_at: Option<Timestamp>,
) -> UpdateItemFluentBuilder {
    let condition = update.get_condition_expression().clone();
    let condition = condition.expect("an update of a pending delivery has one");
    match due_at {
        None => update.condition_expression(format!(
            "{condition} AND attribute_not_exists(nextAttemptAt)"
        )),
        Some(due_at) => update
            .condition_expression(format!("{condition} AND nextAttemptAt = :readDue"))
            .expression_attribute_values(":readDue", number(due_at.as_millis())),
    }
}

/// The condition that a delivery has `:made` attempts, which [`with_made`] provides. A delivery
/// without attempts has no list.
fn has_made(attempts: u32) -> &'static str {
    match attempts {
        0 => "attribute_not_exists(attempts)",
        _ => "size(attempts) = :made",
    }
}

/// Provides the value of [`has_made`]. DynamoDB refuses a value that is not used.
fn with_made(update: UpdateItemFluentBuilder, attempts: u32) -> UpdateItemFluentBuilder {
    match attempts {
        0 => update,
        made => update.expression_attribute_values(":made", number(made)),
    }
}

fn owed_to(id: &DeliveryId) -> AttributeValue {
    AttributeValue::S(id.subscription.to_string())
}

impl DynamoStore {
    /// Cancels a delivery that is held and has the attempts that were read.
    pub(crate) async fn discard_held(&self, read: &Delivery) -> Result<WriteOutcome, StoreError> {
        let discarded = DeliveryStatus::Cancelled(CancelReason::Discarded);
        let made = read.attempts_made();
        // The table compares the status without its reason.
        let held = DeliveryStatus::Held(HoldReason::NotActive);
        let update = self.update_if(held, &read.id, made, discarded, &[]);
        write_outcome(update.send().await, "discard delivery")
    }

    /// An update of a delivery, if it is pending and has this many attempts.
    fn update_pending(
        &self,
        id: &DeliveryId,
        attempts: u32,
        status: DeliveryStatus,
        sets: &[&str],
    ) -> UpdateItemFluentBuilder {
        self.update_if(DeliveryStatus::Pending, id, attempts, status, sets)
    }

    /// An update of a delivery to another status, if it has this status and this many attempts.
    fn update_if(
        &self,
        current: DeliveryStatus,
        id: &DeliveryId,
        attempts: u32,
        status: DeliveryStatus,
        sets: &[&str],
    ) -> UpdateItemFluentBuilder {
        let mut sets = sets.to_vec();
        sets.push("#status = :status");
        let due = due_index::ATTRIBUTES;
        let remove = match status {
            DeliveryStatus::Pending => String::new(),
            DeliveryStatus::Held(_) => format!(" REMOVE {due}"),
            _ if status.is_undelivered() => format!(" REMOVE nextAttemptAt, {due}"),
            _ => format!(" REMOVE nextAttemptAt, {OWED_TO}, {due}"),
        };
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::delivery(id))))
            .condition_expression(format!(
                "#status = :current AND {IN_FORCE} AND {}",
                has_made(attempts)
            ))
            .expression_attribute_values(NOW, self.now_secs())
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":current", AttributeValue::S(current.as_str().to_owned()))
            .expression_attribute_values(":status", AttributeValue::S(status.as_str().to_owned()));
        update = with_made(update, attempts);
        if status.is_undelivered() {
            sets.push(ENTER_UNDELIVERED);
            update = update.expression_attribute_values(":owedTo", owed_to(id));
        }
        if let Some(reason) = status.reason() {
            sets.push("reason = :reason");
            update =
                update.expression_attribute_values(":reason", AttributeValue::S(reason.to_owned()));
        }
        update.update_expression(format!("SET {}{remove}", sets.join(", ")))
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
    let delivery = into_domain::<DeliveryItem, Delivery>(delivery)?;
    let message = messages
        .into_iter()
        .next()
        .ok_or_else(|| message_is_missing(id))?;
    let stored = stored_message(message)?;
    Ok(Some((
        delivery.expiring_with(stored.expires_at),
        stored.message,
    )))
}

pub(crate) fn stored_message(item: AttributeMap) -> Result<StoredMessage, StoreError> {
    let item: MessageItem = from_attributes(item)?;
    Ok(StoredMessage {
        expires_at: item.expires_at(),
        message: item.into(),
    })
}

pub(crate) fn message_is_missing(id: &DeliveryId) -> StoreError {
    let place = message_partition(&id.message);
    corrupt(&place, &format!("{id} is stored without its message"))
}

#[cfg(test)]
mod tests;
