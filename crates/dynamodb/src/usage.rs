//! The usage of a customer, in the customer's item. Every transaction on its subscriptions updates
//! it, and the first one creates the item.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use webhooks_domain::ids::CustomerId;
use webhooks_domain::ports::{StoreError, WriteOutcome};
use webhooks_domain::quota::{Quota, Usage};

use crate::DynamoStore;
use crate::key::Key;
use crate::store::{AttributeMap, number, to_attributes, write_outcome};
use crate::transaction::built;

const SUBSCRIPTIONS: &str = "subscriptions";
const BYTES: &str = "bytes";

const ADD_USAGE: &str = "ADD #subscriptions :subscriptions, #bytes :bytes";
/// Makes a customer known that is not yet, and changes no other.
const KNOWN: &str = "SET createdAt = if_not_exists(createdAt, :now), \
                     updatedAt = if_not_exists(updatedAt, :now), \
                     version = if_not_exists(version, :first)";

impl DynamoStore {
    /// Adds to the usage of a customer, if the quota allows it. `None` if nothing changes.
    pub(crate) fn grow_usage(
        &self,
        customer: &CustomerId,
        growth: Usage,
        quota: Quota,
    ) -> Option<TransactWriteItem> {
        let bounds = [
            (
                "#subscriptions",
                ":subscriptionsRoom",
                growth.subscriptions,
                quota.subscriptions.into(),
            ),
            ("#bytes", ":bytesRoom", growth.bytes, Quota::MAX_BYTES),
        ];
        let mut update = self.add_usage(customer, growth)?;
        update = update
            .update_expression(format!("{KNOWN} {ADD_USAGE}"))
            .expression_attribute_values(":now", number(self.now().as_millis()))
            .expression_attribute_values(":first", number(1));
        let mut conditions = Vec::new();
        for (name, value, growth, most) in bounds {
            if growth > 0 {
                conditions.push(format!(
                    "(attribute_not_exists({name}) OR {name} <= {value})"
                ));
                update = update.expression_attribute_values(value, number(most - growth));
            }
        }
        if !conditions.is_empty() {
            update = update
                .condition_expression(conditions.join(" AND "))
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                );
        }
        Some(part(update))
    }

    /// Subtracts from the usage, which is always allowed.
    pub(crate) fn shrink_usage(
        &self,
        customer: &CustomerId,
        growth: Usage,
    ) -> Option<TransactWriteItem> {
        self.add_usage(customer, growth).map(part)
    }

    fn add_usage(&self, customer: &CustomerId, growth: Usage) -> Option<UpdateBuilder> {
        (growth != Usage::default()).then(|| {
            Update::builder()
                .table_name(&self.table)
                .set_key(Some(to_attributes(&Key::customer(customer))))
                .update_expression(ADD_USAGE)
                .expression_attribute_names("#subscriptions", SUBSCRIPTIONS)
                .expression_attribute_names("#bytes", BYTES)
                .expression_attribute_values(":subscriptions", number(growth.subscriptions))
                .expression_attribute_values(":bytes", number(growth.bytes))
        })
    }

    /// Sets the usage of a customer, if it has not changed since it was read.
    pub(crate) async fn set_usage(
        &self,
        customer: &CustomerId,
        counted: Usage,
        actual: Usage,
    ) -> Result<WriteOutcome, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::customer(customer))))
            .update_expression("SET #subscriptions = :subscriptions, #bytes = :bytes")
            .condition_expression(
                "#subscriptions = :countedSubscriptions AND #bytes = :countedBytes",
            )
            .expression_attribute_names("#subscriptions", SUBSCRIPTIONS)
            .expression_attribute_names("#bytes", BYTES)
            .expression_attribute_values(":subscriptions", number(actual.subscriptions))
            .expression_attribute_values(":bytes", number(actual.bytes))
            .expression_attribute_values(":countedSubscriptions", number(counted.subscriptions))
            .expression_attribute_values(":countedBytes", number(counted.bytes));
        write_outcome(update.send().await, "correct usage")
    }
}

fn part(update: UpdateBuilder) -> TransactWriteItem {
    TransactWriteItem::builder()
        .update(built(update.build()))
        .build()
}

/// Reads the usage of an item. An absent attribute counts as zero.
pub(crate) fn usage(item: &AttributeMap) -> Usage {
    let integer = |name: &str| {
        let number = item.get(name).and_then(|value| value.as_n().ok());
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    Usage {
        subscriptions: integer(SUBSCRIPTIONS),
        bytes: integer(BYTES),
    }
}
