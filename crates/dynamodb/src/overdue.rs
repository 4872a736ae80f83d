//! Deliveries that are pending beyond their time.
//!
//! No index lists a delivery that had no attempt yet: then every one that succeeds at
//! once would pay for it. After a queue was purged, an operator reads the whole table.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use webhooks_domain::delivery::{Delivery, DeliveryStatus};
use webhooks_domain::ports::StoreError;
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::item::DeliveryItem;
use crate::store::{AttributeMap, into_domain, unavailable};

/// Pending and due before `:before`. An attempt without a time of its own, the first,
/// was due when the delivery was prepared. What has expired may lose its message at any
/// moment, and is not owed any more.
const OVERDUE: &str = "#status = :pending AND (NOT expiresAt <= :now) AND \
    (nextAttemptAt < :before OR (attribute_not_exists(nextAttemptAt) AND createdAt < :before))";

/// A share of the table. Those with one `count` and each `index` below it are all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Which one, from 0.
    pub index: i32,
    /// How many there are, 1 to 1,000,000.
    pub count: i32,
}

/// Where a segment goes on.
#[derive(Debug, Clone)]
pub struct ScanCursor(AttributeMap);

/// What was found in up to 1 MB of the table.
#[derive(Debug)]
pub struct OverduePage {
    /// The deliveries, or why one cannot be read.
    pub deliveries: Vec<Result<Delivery, StoreError>>,
    /// How many items were looked at.
    pub items_read: u64,
    /// What the table charges for it.
    pub read_units: f64,
    /// Where the segment goes on; `None` at its end.
    pub next: Option<ScanCursor>,
}

impl DynamoStore {
    /// The next page of a segment: deliveries that are pending although their attempt
    /// was due longer than `grace` before `now`.
    ///
    /// The scan is eventually consistent, at half the price: what it finds are
    /// candidates, and the delivery itself is read consistently before an attempt.
    pub async fn overdue_page(
        &self,
        segment: Segment,
        now: Timestamp,
        grace: Duration,
        after: Option<ScanCursor>,
    ) -> Result<OverduePage, StoreError> {
        let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        let before = now.as_millis().saturating_sub(grace_ms);
        let output = self
            .client
            .scan()
            .table_name(&self.table)
            .segment(segment.index)
            .total_segments(segment.count)
            .set_exclusive_start_key(after.map(|cursor| cursor.0))
            .filter_expression(OVERDUE)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(
                ":pending",
                AttributeValue::S(DeliveryStatus::Pending.as_str().to_owned()),
            )
            .expression_attribute_values(":now", AttributeValue::N(now.as_secs().to_string()))
            .expression_attribute_values(":before", AttributeValue::N(before.to_string()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| unavailable("scan for overdue deliveries", error))?;
        let items = output.items.unwrap_or_default();
        Ok(OverduePage {
            deliveries: items
                .into_iter()
                .map(into_domain::<DeliveryItem, Delivery>)
                .collect(),
            items_read: u64::try_from(output.scanned_count).unwrap_or_default(),
            read_units: output
                .consumed_capacity
                .and_then(|consumed| consumed.capacity_units)
                .unwrap_or_default(),
            next: output.last_evaluated_key.map(ScanCursor),
        })
    }
}
