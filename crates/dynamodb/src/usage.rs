//! The usage of a customer, in the customer's item. Every transaction on its subscriptions updates
//! it, and the first one creates the item.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use webhooks_domain::ids::CustomerId;
use webhooks_domain::ports::{StoreError, WriteOutcome};
use webhooks_domain::quota::{CountedUsage, MaxSubscriptions, Quota, Usage};

use crate::DynamoStore;
use crate::key::Key;
use crate::store::{AttributeMap, PRESENT, number, to_attributes, write_outcome};
use crate::transaction::built;

const SUBSCRIPTIONS: &str = "subscriptions";
const BYTES: &str = "bytes";

/// The time of the request to delete the customer.
pub(crate) const DELETION_REQUESTED_AT: &str = "deletionRequestedAt";
/// The customer's own limit. It replaces that of the stack.
pub(crate) const MAX_SUBSCRIPTIONS: &str = "maxSubscriptions";

/// Room for one more subscription.
const ROOM_FOR_SUBSCRIPTIONS: &str = " AND (attribute_not_exists(#subscriptions) \
     OR #subscriptions < maxSubscriptions \
     OR (attribute_not_exists(maxSubscriptions) AND #subscriptions <= :subscriptionsRoom))";
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
        let mut update = self.add_usage(customer, growth)?;
        update = update
            .update_expression(format!("{KNOWN} {ADD_USAGE}"))
            .expression_attribute_values(":now", number(self.now().as_millis()))
            .expression_attribute_values(":first", number(1));
        let mut condition = format!("attribute_not_exists({DELETION_REQUESTED_AT})");
        if growth.subscriptions > 0 {
            condition.push_str(ROOM_FOR_SUBSCRIPTIONS);
            let room = i64::from(quota.subscriptions) - growth.subscriptions;
            update = update.expression_attribute_values(":subscriptionsRoom", number(room));
        }
        if growth.bytes > 0 {
            condition.push_str(" AND (attribute_not_exists(#bytes) OR #bytes <= :bytesRoom)");
            let room = Quota::MAX_BYTES - growth.bytes;
            update = update.expression_attribute_values(":bytesRoom", number(room));
        }
        let refused = ReturnValuesOnConditionCheckFailure::AllOld;
        update = update
            .condition_expression(condition)
            .return_values_on_condition_check_failure(refused);
        Some(part(update))
    }

    /// Subtracts from the usage of a customer that exists.
    pub(crate) fn shrink_usage(
        &self,
        customer: &CustomerId,
        growth: Usage,
    ) -> Option<TransactWriteItem> {
        let update = self.add_usage(customer, growth)?;
        Some(part(update.condition_expression(PRESENT)))
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

/// Reads what is counted in an item. An absent attribute counts as zero.
pub(crate) fn counted(item: &AttributeMap) -> CountedUsage {
    let integer = |name: &str| -> Option<i64> {
        let number = item.get(name).and_then(|value| value.as_n().ok());
        number.and_then(|number| number.parse().ok())
    };
    let own = integer(MAX_SUBSCRIPTIONS).and_then(|own| u64::try_from(own).ok());
    CountedUsage {
        usage: Usage {
            subscriptions: integer(SUBSCRIPTIONS).unwrap_or(0),
            bytes: integer(BYTES).unwrap_or(0),
        },
        max_subscriptions: own.and_then(MaxSubscriptions::from_stored),
        is_being_deleted: item.contains_key(DELETION_REQUESTED_AT),
    }
}
