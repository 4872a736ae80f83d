//! Reads the shape of a delivery's body.
//!
//! Most deliveries need no read: their format says everything. Another delivery names a version of
//! its subscription's requests. While the subscription still has this version, it is the shape;
//! after a change, one more read gets the former one. Former requests are kept for as long as a
//! delivery of the time of the change can be: its longest wait for the first attempt, and the
//! retention after that. If the retention was lowered since the delivery was made, they may end
//! before it. A delivery that was made while the shape could not be read has the current one.

use crate::delivery::Delivery;
use crate::payload_shape::{PayloadShape, UNKNOWN_SHAPE};
use crate::ports::{ExchangeParts, ExchangeReader, StoreError};
use crate::subscription::Subscription;

/// The shape of a delivery's body. `None` if it is not stored any more, or cannot be read.
///
/// `current` is the delivery's subscription, if it exists and can be read.
pub async fn payload_shape(
    table: &impl ExchangeReader,
    delivery: &Delivery,
    current: Option<&Subscription>,
) -> Result<Option<PayloadShape>, StoreError> {
    let Some(version) = delivery.shape_version else {
        return Ok(PayloadShape::of_format(delivery.payload_format));
    };
    let is_current =
        |current: &&Subscription| version == UNKNOWN_SHAPE || current.request_version == version;
    if let Some(current) = current.filter(is_current) {
        return Ok(Some(current.payload.clone()));
    }
    let (customer, subscription) = (&delivery.customer_id, delivery.id.subscription);
    let former = ExchangeParts {
        requests: vec![(customer, subscription, version)],
        ..ExchangeParts::default()
    };
    let mut found = table.exchange_parts(&former).await?;
    Ok(found
        .requests
        .remove(&version)
        .map(|requests| requests.payload))
}
