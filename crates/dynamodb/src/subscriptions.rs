//! Subscriptions: by key, and in pages by customer.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::ports::{
    InsertOutcome, StoreError, SubscriptionDirectory, SubscriptionPage, SubscriptionStore,
    SubscriptionSwitch, WriteOutcome,
};
use webhooks_domain::subscription::{Subscription, SubscriptionStatus};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::item::{Key, SUBSCRIPTION_PREFIX, SubscriptionItem, customer_partition};
use crate::store::{corrupt, into_domain, number, to_attributes, unavailable, write_outcome};

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
        let result = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_attributes(&SubscriptionItem::from(subscription))))
            .condition_expression("version = :read")
            .expression_attribute_values(":read", number(read))
            .send()
            .await;
        match result {
            Ok(_) => Ok(WriteOutcome::Written),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                // Or it was this very write, whose first answer was lost.
                let stored = self
                    .get(&subscription.customer_id, &subscription.id)
                    .await?;
                if stored.as_ref() == Some(subscription) {
                    Ok(WriteOutcome::Written)
                } else {
                    Ok(WriteOutcome::Overtaken)
                }
            }
            Err(error) => Err(unavailable("replace subscription", error)),
        }
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

impl SubscriptionSwitch for DynamoStore {
    async fn disable(
        &self,
        read: &Subscription,
        now: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        let disabled = serde_dynamo::to_attribute_value(SubscriptionStatus::Disabled)
            .expect("a status is a string");
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::subscription(
                &read.customer_id,
                &read.id,
            ))))
            .update_expression("SET #status = :disabled, updatedAt = :now, version = :next")
            .condition_expression("version = :read")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":disabled", disabled)
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":next", number(read.version + 1))
            .expression_attribute_values(":read", number(read.version))
            .send()
            .await;
        write_outcome(result, "disable subscription")
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
