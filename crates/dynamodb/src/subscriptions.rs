//! Subscriptions: by key, and in pages by customer.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use webhooks_domain::health::Health;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::ports::{
    HealthStore, InsertOutcome, StoreError, SubscriptionDirectory, SubscriptionPage,
    SubscriptionStore, SubscriptionSwitch, WriteOutcome,
};
use webhooks_domain::subscription::{DisabledReason, Subscription, SubscriptionStatus};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::item::{HealthItem, Key, SUBSCRIPTION_PREFIX, SubscriptionItem, customer_partition};
use crate::store::{corrupt, into_domain, number, to_attributes, unavailable, write_outcome};

/// How often a replacement is tried while the health of the endpoint changes beside it.
const MAX_REPLACEMENTS: u32 = 4;

impl SubscriptionStore for DynamoStore {
    async fn insert(&self, subscription: &Subscription) -> Result<InsertOutcome, StoreError> {
        self.insert_item(&SubscriptionItem::from(subscription), "insert subscription")
            .await
    }

    async fn get(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Option<Subscription>, StoreError> {
        if let Some(gathered) = &self.gathered {
            return self.get_gathered(gathered, customer, id).await;
        }
        let key = Key::subscription(customer, id);
        let place = format!("{} {}", key.pk, key.sk);
        let item: Option<SubscriptionItem> = self.get_item(key, "get subscription").await?;
        item.map(|item| {
            item.try_into()
                .map_err(|problem: String| corrupt(&place, &problem))
        })
        .transpose()
    }

    async fn replace(&self, subscription: &Subscription) -> Result<WriteOutcome, StoreError> {
        let read = subscription.version.saturating_sub(1);
        let mut replacement = subscription.clone();
        // A put writes the health too, so it must be the one that is stored.
        for _ in 0..MAX_REPLACEMENTS {
            if self.put_if(&replacement, read).await? == WriteOutcome::Written {
                return Ok(WriteOutcome::Written);
            }
            let key = (&subscription.customer_id, &subscription.id);
            let Some(stored) = self.get(key.0, key.1).await? else {
                return Ok(WriteOutcome::Overtaken);
            };
            replacement.health = stored.health;
            // It was this very write, whose first answer was lost.
            if stored == replacement {
                return Ok(WriteOutcome::Written);
            }
            if stored.version != read {
                return Ok(WriteOutcome::Overtaken);
            }
        }
        Ok(WriteOutcome::Overtaken)
    }

    async fn remove(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        version: Option<u64>,
    ) -> Result<WriteOutcome, StoreError> {
        let mut delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::subscription(customer, id))));
        if let Some(version) = version {
            delete = delete
                .condition_expression("version = :read")
                .expression_attribute_values(":read", number(version));
        }
        match delete.send().await {
            Ok(_) => Ok(WriteOutcome::Written),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Ok(WriteOutcome::Overtaken)
            }
            Err(error) => Err(unavailable("remove subscription", error)),
        }
    }
}

impl DynamoStore {
    /// Puts a subscription in the place of one with this version and the same health.
    async fn put_if(
        &self,
        subscription: &Subscription,
        version: u64,
    ) -> Result<WriteOutcome, StoreError> {
        let (health_as_read, health) = health_condition(&subscription.health);
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_attributes(&SubscriptionItem::from(subscription))))
            .condition_expression(format!("version = :read AND {health_as_read}"))
            .expression_attribute_values(":read", number(version));
        if let Some(health) = health {
            put = put.expression_attribute_values(READ_HEALTH, health);
        }
        match put.send().await {
            Ok(_) => Ok(WriteOutcome::Written),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(WriteOutcome::Overtaken)
            }
            Err(error) => Err(unavailable("replace subscription", error)),
        }
    }

    /// An update of a subscription whose health is as it was read, under one more condition.
    fn update_if_health_is(&self, read: &Subscription, condition: &str) -> UpdateItemFluentBuilder {
        let (health_as_read, health) = health_condition(&read.health);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::subscription(
                &read.customer_id,
                &read.id,
            ))))
            .condition_expression(format!("{condition} AND {health_as_read}"));
        match health {
            Some(health) => update.expression_attribute_values(READ_HEALTH, health),
            None => update,
        }
    }
}

/// The value that [`health_condition`] names.
const READ_HEALTH: &str = ":readHealth";

/// The condition that the stored health is this one, and its value if it has one.
fn health_condition(read: &Health) -> (String, Option<AttributeValue>) {
    match health_value(read) {
        None => ("attribute_not_exists(health)".to_owned(), None),
        Some(value) => (format!("health = {READ_HEALTH}"), Some(value)),
    }
}

/// The health of an endpoint that is not well; one that is has none.
fn health_value(health: &Health) -> Option<AttributeValue> {
    HealthItem::of(health).map(|item| AttributeValue::M(to_attributes(&item)))
}

impl SubscriptionSwitch for DynamoStore {
    async fn disable(
        &self,
        read: &Subscription,
        reason: DisabledReason,
        now: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        let disabled = serde_dynamo::to_attribute_value(SubscriptionStatus::Disabled)
            .expect("a status is a string");
        let result = self
            .update_if_health_is(read, "version = :read")
            .update_expression(
                "SET #status = :disabled, disabledReason = :reason, disabledAt = :now, \
                 updatedAt = :now, version = :next",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":disabled", disabled)
            .expression_attribute_values(":reason", AttributeValue::S(reason.as_str().to_owned()))
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":next", number(read.version + 1))
            .expression_attribute_values(":read", number(read.version))
            .send()
            .await;
        write_outcome(result, "disable subscription")
    }
}

impl HealthStore for DynamoStore {
    async fn change_health(
        &self,
        read: &Subscription,
        health: &Health,
    ) -> Result<WriteOutcome, StoreError> {
        let update = self.update_if_health_is(read, "attribute_exists(pk)");
        let update = match health_value(health) {
            None => update.update_expression("REMOVE health"),
            Some(value) => update
                .update_expression("SET health = :health")
                .expression_attribute_values(":health", value),
        };
        write_outcome(update.send().await, "change health of subscription")
    }
}

impl SubscriptionDirectory for DynamoStore {
    async fn page(
        &self,
        customer: &CustomerId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<SubscriptionPage, StoreError> {
        let start = after.map(|id| to_attributes(&Key::subscription(customer, id)));
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :customer AND begins_with(sk, :prefix)")
            .expression_attribute_values(
                ":customer",
                AttributeValue::S(customer_partition(customer)),
            )
            .expression_attribute_values(
                ":prefix",
                AttributeValue::S(SUBSCRIPTION_PREFIX.to_owned()),
            )
            .set_exclusive_start_key(start)
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| unavailable("list subscriptions", error))?;
        let has_more = output.last_evaluated_key.is_some();
        let subscriptions = output
            .items
            .unwrap_or_default()
            .into_iter()
            .map(into_domain::<SubscriptionItem, Subscription>)
            .collect::<Result<_, _>>()?;
        Ok(SubscriptionPage {
            subscriptions,
            has_more,
        })
    }
}
