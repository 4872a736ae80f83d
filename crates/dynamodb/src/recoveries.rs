//! Recoveries.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use webhooks_domain::delivery::Delivery;
use webhooks_domain::ids::{CustomerId, MessageId, RecoveryId, SubscriptionId};
use webhooks_domain::paging::Place;
use webhooks_domain::ports::{InsertOutcome, RecoveryTable, StoreError, WriteOutcome};
use webhooks_domain::recovery::{
    Progress, Range, Rate, Recovery, RecoveryKind, RecoveryStatus, UndeliveredStatus,
    UndeliveredStatuses,
};
use webhooks_domain::recovery::{RecoveryKey, RecoveryPage};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::key::{Key, PARTITION_KEY, SORT_KEY, recovery_partition};
use crate::store::{
    AttributeMap, IN_FORCE, NOW, corrupt, number, query_some, readable, to_attributes, unavailable,
    write_outcome,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecoveryItem {
    #[serde(flatten)]
    key: Key,
    id: RecoveryId,
    customer_id: CustomerId,
    subscription_id: SubscriptionId,
    kind: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<UndeliveredStatus>,
    since: Timestamp,
    until: Timestamp,
    per_second: u32,
    status: String,
    examined: u64,
    queued: u64,
    skipped: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place_message: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paced_until: Option<Timestamp>,
    pages: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_second_reading: bool,
    started_at: Timestamp,
    updated_at: Timestamp,
    expires_at: i64,
    version: u64,
}

impl From<&Recovery> for RecoveryItem {
    fn from(recovery: &Recovery) -> Self {
        let progress = recovery.progress;
        Self {
            key: Key::recovery(&recovery.key()),
            id: recovery.id,
            customer_id: recovery.customer_id.clone(),
            subscription_id: recovery.subscription_id,
            kind: recovery.kind.as_str().to_owned(),
            statuses: match recovery.kind {
                RecoveryKind::Recover(statuses) => statuses.to_list(),
                RecoveryKind::Replay | RecoveryKind::Discard | RecoveryKind::Release => Vec::new(),
            },
            since: recovery.range.since,
            until: recovery.range.until,
            per_second: recovery.per_second.get(),
            status: recovery.status.as_str().to_owned(),
            examined: progress.examined,
            queued: progress.queued,
            skipped: progress.skipped,
            place_at: progress.place.map(|place| place.at),
            place_message: progress.place.map(|place| place.message),
            paced_until: progress.paced_until,
            pages: progress.pages,
            is_second_reading: progress.is_second_reading,
            started_at: recovery.started_at,
            updated_at: recovery.updated_at,
            expires_at: recovery.expires_at.as_secs(),
            version: recovery.version,
        }
    }
}

impl TryFrom<RecoveryItem> for Recovery {
    type Error = String;

    fn try_from(item: RecoveryItem) -> Result<Self, String> {
        let kind = match (
            item.kind.as_str(),
            UndeliveredStatuses::from_list(&item.statuses),
        ) {
            ("recover", Some(statuses)) => RecoveryKind::Recover(statuses),
            ("replay", None) => RecoveryKind::Replay,
            ("discard", None) => RecoveryKind::Discard,
            ("release", None) => RecoveryKind::Release,
            (kind, _) => return Err(format!("kind `{kind}`, statuses {:?}", item.statuses)),
        };
        let place = item.place_at.zip(item.place_message);
        Ok(Self {
            id: item.id,
            customer_id: item.customer_id,
            subscription_id: item.subscription_id,
            kind,
            range: Range {
                since: item.since,
                until: item.until,
            },
            per_second: Rate::per_second(item.per_second).ok_or("perSecond is out of bounds")?,
            status: item
                .status
                .parse::<RecoveryStatus>()
                .map_err(|error| error.to_string())?,
            progress: Progress {
                examined: item.examined,
                queued: item.queued,
                skipped: item.skipped,
                place: place.map(|(at, message)| Place { at, message }),
                paced_until: item.paced_until,
                pages: item.pages,
                is_second_reading: item.is_second_reading,
            },
            started_at: item.started_at,
            updated_at: item.updated_at,
            expires_at: Timestamp::from_millis(item.expires_at.saturating_mul(1_000)),
            version: item.version,
        })
    }
}

impl RecoveryTable for DynamoStore {
    async fn discard(&self, read: &Delivery) -> Result<WriteOutcome, StoreError> {
        self.discard_held(read).await
    }

    async fn insert_recovery(&self, recovery: &Recovery) -> Result<InsertOutcome, StoreError> {
        self.insert_item(&RecoveryItem::from(recovery), "insert recovery")
            .await
    }

    async fn recovery(&self, key: &RecoveryKey) -> Result<Option<Recovery>, StoreError> {
        let key = Key::recovery(key);
        let place = format!("{} {}", key.pk, key.sk);
        let item: Option<RecoveryItem> = self.get_item(key, "get recovery").await?;
        item.map(|item| {
            item.try_into()
                .map_err(|problem: String| corrupt(&place, &problem))
        })
        .transpose()
    }

    async fn replace_recovery(&self, recovery: &Recovery) -> Result<WriteOutcome, StoreError> {
        let read = recovery.version.saturating_sub(1);
        let result = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_attributes(&RecoveryItem::from(recovery))))
            .condition_expression(format!("version = :read AND {IN_FORCE}"))
            .expression_attribute_values(":read", number(read))
            .expression_attribute_values(NOW, self.now_secs())
            .send()
            .await;
        if write_outcome(result, "replace recovery")? == WriteOutcome::Written {
            return Ok(WriteOutcome::Written);
        }
        // Or this write was repeated, because its response was lost.
        let stored = self.recovery(&recovery.key()).await?;
        Ok(if stored.as_ref() == Some(recovery) {
            WriteOutcome::Written
        } else {
            WriteOutcome::Conflict
        })
    }

    async fn recoveries(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        before: Option<&RecoveryId>,
        limit: u32,
    ) -> Result<RecoveryPage, StoreError> {
        let start = before.map(|id| {
            to_attributes(&Key::recovery(&RecoveryKey {
                customer: customer.clone(),
                subscription: *subscription,
                id: *id,
            }))
        });
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :customer AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#sk", SORT_KEY)
            .expression_attribute_values(
                ":customer",
                AttributeValue::S(recovery_partition(customer)),
            )
            .expression_attribute_values(":prefix", AttributeValue::S(format!("{subscription}#")))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let read = |item: AttributeMap| {
            let is_there = self.is_in_force(&item);
            is_there.then(|| readable::<RecoveryItem, _, _>(item, Key::recovery_id))?
        };
        let (recoveries, has_more) = query_some(query, start, read)
            .await
            .map_err(|error| unavailable("list recoveries", error))?;
        Ok(RecoveryPage {
            recoveries,
            has_more,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::into_domain;
    use webhooks_testkit::samples;

    #[test]
    fn a_recovery_is_read_back() {
        for recovery in samples::recoveries("acme") {
            let item = to_attributes(&RecoveryItem::from(&recovery));
            assert_eq!(
                into_domain::<RecoveryItem, Recovery>(item).unwrap(),
                recovery
            );
        }
    }
}
