//! A scan for pending deliveries that are overdue.
//!
//! A delivery without an attempt is in no index, because then every delivery that succeeds at once
//! would pay for an entry. After a queue was purged, an operator reads the whole table.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use webhooks_domain::delivery::{Delivery, DeliveryStatus};
use webhooks_domain::ports::StoreError;
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::item::DeliveryItem;
use crate::store::{AttributeMap, into_domain, unavailable};

/// Pending and due before `:before`. The first attempt has no recorded due time, and was due when
/// the delivery was prepared. An expired delivery is left out: it may lose its message at any
/// moment, and is no longer sent.
const OVERDUE: &str = "#status = :pending AND (NOT expiresAt <= :now) AND \
    (nextAttemptAt < :before OR (attribute_not_exists(nextAttemptAt) AND createdAt < :before))";

/// A part of the table. The segments with one `count` and each `index` below it make up the whole
/// table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its index, from 0.
    pub index: i32,
    /// The number of segments, 1 to 1,000,000.
    pub count: i32,
}

/// The position at which a segment continues.
#[derive(Debug, Clone)]
pub struct ScanCursor(AttributeMap);

/// The findings in up to 1 MB of the table.
#[derive(Debug)]
pub struct OverduePage {
    /// The deliveries, or the errors of those that cannot be read.
    pub deliveries: Vec<Result<Delivery, StoreError>>,
    /// The number of items that were read.
    pub items_read: u64,
    /// The cost of the page in read units.
    pub read_units: f64,
    /// The position at which the segment continues. `None` at its end.
    pub next: Option<ScanCursor>,
}

impl DynamoStore {
    /// The next page of a segment: pending deliveries whose attempt was due longer than `grace`
    /// before `now`.
    ///
    /// The scan is eventually consistent, at half the price. Its results are candidates, because
    /// the delivery itself is read consistently before an attempt.
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
