//! The unhealthy subscriptions: one partition of the sparse index `undelivered`.
//!
//! A subscription has the attribute of the index only while it is unhealthy. So a healthy one pays
//! for no entry. An entry has only attributes that never change: it costs a write unit when it is
//! added and one when it is removed, whatever happens to the health in between.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{StoreError, UnhealthyIndex};
use webhooks_domain::subscription::UnhealthyPlace;
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::item::{OWED_TO, UNHEALTHY};
use crate::key::Key;
use crate::store::{into_domain, left_out, number, query_some, to_attributes, unavailable};

/// The sort key of the index.
const CREATED_AT: &str = "createdAt";

/// An entry of the index.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UnhealthyEntry {
    #[serde(flatten)]
    key: Key,
    created_at: Timestamp,
}

impl TryFrom<UnhealthyEntry> for UnhealthyPlace {
    type Error = String;

    fn try_from(entry: UnhealthyEntry) -> Result<Self, String> {
        let (customer, subscription) = entry.key.subscription_id()?;
        Ok(Self {
            created_at: entry.created_at,
            customer,
            subscription,
        })
    }
}

impl UnhealthyIndex for DynamoStore {
    async fn unhealthy(
        &self,
        after: Option<&UnhealthyPlace>,
        limit: u32,
    ) -> Result<EntryPage<UnhealthyPlace>, StoreError> {
        let partition = AttributeValue::S(UNHEALTHY.to_owned());
        let start = after.map(|place| {
            let key = Key::subscription(&place.customer, &place.subscription);
            let mut start = to_attributes(&key);
            start.insert(OWED_TO.to_owned(), partition.clone());
            let created_at = number(place.created_at.as_millis());
            start.insert(CREATED_AT.to_owned(), created_at);
            start
        });
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("undelivered")
            .key_condition_expression("#partition = :partition")
            .expression_attribute_names("#partition", OWED_TO)
            .expression_attribute_values(":partition", partition)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        // An entry without a readable key is left out.
        let read = |item| {
            let entry = into_domain::<UnhealthyEntry, _>(item);
            entry.inspect_err(left_out).ok()
        };
        let (entries, has_more) = query_some(query, start, read)
            .await
            .map_err(|error| unavailable("list unhealthy subscriptions", error))?;
        Ok(EntryPage { entries, has_more })
    }
}
