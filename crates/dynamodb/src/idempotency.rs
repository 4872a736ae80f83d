//! The records of idempotency keys: each names the subscription that a request has created.

use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use webhooks_domain::idempotency::{Fingerprint, IdempotencyKey, IdempotencyRecord};
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::ports::StoreError;
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::key::Key;
use crate::store::{ABSENT_OR_EXPIRED, AttributeMap, NOW, corrupt, from_attributes, to_attributes};
use crate::transaction::built;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordItem {
    #[serde(flatten)]
    key: Key,
    subscription_id: SubscriptionId,
    body: ByteBuf,
    expires_at: i64,
}

impl DynamoStore {
    /// Puts a record if there is no valid one. A record is invalid if it has expired, or the
    /// subscription that it names is deleted.
    pub(crate) fn put_record(
        &self,
        record: &IdempotencyRecord,
        deleted: Option<SubscriptionId>,
    ) -> TransactWriteItem {
        let item = RecordItem {
            key: Key::idempotency(&record.customer_id, &record.key),
            subscription_id: record.subscription,
            body: ByteBuf::from(record.content.as_bytes()),
            expires_at: record.expires_at.as_secs(),
        };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_attributes(&item)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(NOW, self.now_secs());
        let put = match deleted {
            None => put.condition_expression(ABSENT_OR_EXPIRED),
            Some(id) => put
                .condition_expression(format!("{ABSENT_OR_EXPIRED} OR subscriptionId = :deleted"))
                .expression_attribute_values(":deleted", AttributeValue::S(id.to_string())),
        };
        TransactWriteItem::builder().put(built(put.build())).build()
    }
}

/// Reads the record from an item.
pub(crate) fn record_of(
    customer: &CustomerId,
    key: &IdempotencyKey,
    item: AttributeMap,
) -> Result<IdempotencyRecord, StoreError> {
    let item: RecordItem = from_attributes(item)?;
    let place = format!("{} {}", item.key.pk, item.key.sk);
    let body = item.body.into_vec().try_into();
    let body = body.map_err(|_| corrupt(&place, &"body is no digest"))?;
    Ok(IdempotencyRecord {
        customer_id: customer.clone(),
        key: key.clone(),
        content: Fingerprint::from_bytes(body),
        subscription: item.subscription_id,
        expires_at: Timestamp::from_millis(item.expires_at.saturating_mul(1_000)),
    })
}
