//! Shows the exchanges of a delivery: the requests of its attempts and the answers to them.
//!
//! An attempt names its request by the version of the subscription's requests, and its answer by the
//! attempt that has it. The delivery has what is short. At most two more reads get the rest: the
//! subscription, and everything else in one call.

use std::collections::{BTreeSet, HashMap};

use crate::delivery::{Attempt, Delivery};
use crate::outbound::{RequestShape, ResponseBody, ResponseHeaders, ShownRequest};
use crate::payload_shape::PayloadShape;
use crate::ports::{
    ExchangeParts, ExchangeReader, FoundParts, MAX_EXCHANGE_PARTS, StoreError, SubscriptionTable,
};
use crate::read_subscription::{ReadError, read_subscription};
use crate::subscription::Subscription;

/// The largest number of long bodies that are read, those of the last attempts. Of the others only
/// the excerpt is shown.
pub const MAX_LONG_BODIES: usize = 20;

/// The largest number of former requests that are read, those of the last attempts.
pub const MAX_FORMER_REQUESTS: usize = 20;

/// The largest total size of the long bodies that are shown, those of the last attempts. An answer
/// of the API has at most 6 MB, and the characters of a body may need several bytes in it.
pub const MAX_SHOWN_BYTES: usize = 512 * 1_024;

const _: () = assert!(MAX_LONG_BODIES + MAX_FORMER_REQUESTS <= MAX_EXCHANGE_PARTS);

/// The exchange of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownExchange {
    /// The request, with masked secrets. `None` if it is not known any more.
    pub request: Option<ShownRequest>,
    /// The answer, if there was one.
    pub response: Option<ShownResponse>,
}

/// The answer to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownResponse {
    /// The HTTP status.
    pub status: u16,
    /// The kept headers.
    pub headers: ResponseHeaders,
    /// The kept part of the body.
    pub body: ResponseBody,
}

/// The exchange of each attempt of a delivery, in order.
///
/// # Errors
/// If the table fails.
pub async fn show_exchanges<T>(
    table: &T,
    delivery: &Delivery,
) -> Result<Vec<ShownExchange>, StoreError>
where
    T: SubscriptionTable + ExchangeReader,
{
    if delivery.attempts.is_empty() {
        return Ok(Vec::new());
    }
    let id = &delivery.id.subscription;
    let subscription = read_subscription(table, &delivery.customer_id, id).await;
    show_exchanges_with(table, delivery, subscription).await
}

/// The same, for a caller that has read the delivery's subscription.
///
/// # Errors
/// If the table fails.
pub async fn show_exchanges_with<T: ExchangeReader>(
    table: &T,
    delivery: &Delivery,
    subscription: Result<Option<Subscription>, ReadError>,
) -> Result<Vec<ShownExchange>, StoreError> {
    let current = current_requests(subscription)?;
    let mut parts = ExchangeParts::default();
    let mut versions = BTreeSet::new();
    let (customer, subscription) = (&delivery.customer_id, delivery.id.subscription);
    // It has the content type.
    let shape = delivery
        .shape_version
        .filter(|_| !delivery.attempts.is_empty());
    if let Some(version) = shape.filter(|version| !current.contains_key(version)) {
        versions.insert(version);
        parts.requests.push((customer, subscription, version));
    }
    for attempt in delivery.attempts.iter().rev() {
        if let Some(id) = delivery.exchange_of(attempt)
            && parts.bodies.len() < MAX_LONG_BODIES
            && !parts.bodies.contains(&id)
        {
            parts.bodies.push(id);
        }
        let version = attempt.request_version;
        if !current.contains_key(&version)
            && parts.requests.len() < MAX_FORMER_REQUESTS
            && versions.insert(version)
        {
            parts.requests.push((customer, subscription, version));
        }
    }
    let mut found = if parts.bodies.is_empty() && parts.requests.is_empty() {
        FoundParts::default()
    } else {
        table.exchange_parts(&parts).await?
    };
    found.requests.extend(current);
    // Earlier requests may have a header that became secret.
    let shapes = found.requests.values();
    let secret: BTreeSet<_> = shapes
        .flat_map(|shape| shape.secret_headers.clone())
        .collect();
    for shape in found.requests.values_mut() {
        shape.hide(secret.iter().map(String::as_str));
    }
    let payload = match delivery.shape_version {
        None => PayloadShape::of_format(delivery.payload_format),
        Some(version) => found
            .requests
            .get(&version)
            .map(|shape| shape.payload.clone()),
    };
    let mut room_bytes = MAX_SHOWN_BYTES;
    let newest_first = delivery.attempts.iter().rev();
    let mut shown: Vec<_> = newest_first
        .map(|attempt| shown(delivery, attempt, &found, payload.as_ref(), &mut room_bytes))
        .collect();
    shown.reverse();
    Ok(shown)
}

/// The current requests of a subscription, by their version, if they can be read.
fn current_requests(
    subscription: Result<Option<Subscription>, ReadError>,
) -> Result<HashMap<u64, RequestShape>, StoreError> {
    let subscription = match subscription {
        Ok(found) => found,
        Err(ReadError::Broken(broken)) => broken.can_read_requests().then_some(broken.readable),
        Err(ReadError::Store(StoreError::Corrupt { .. })) => None,
        Err(ReadError::Store(failure)) => return Err(failure),
    };
    let current = subscription.map(|found| (found.request_version, found.request_shape()));
    Ok(current.into_iter().collect())
}

fn shown(
    delivery: &Delivery,
    attempt: &Attempt,
    found: &FoundParts,
    payload: Option<&PayloadShape>,
    room_bytes: &mut usize,
) -> ShownExchange {
    let shape = found.requests.get(&attempt.request_version).zip(payload);
    let response = attempt.status.map(|status| ShownResponse {
        status,
        headers: delivery.answer_of(attempt).0.clone(),
        body: body(delivery, attempt, found, room_bytes),
    });
    ShownExchange {
        request: shape.map(|(shape, payload)| {
            shape.shown(&delivery.id.message, attempt.at, payload.content_type())
        }),
        response,
    }
}

/// The body of the answer to an attempt: the long one if it was found and there is room for it, else
/// the excerpt.
fn body(
    delivery: &Delivery,
    attempt: &Attempt,
    found: &FoundParts,
    room_bytes: &mut usize,
) -> ResponseBody {
    let id = delivery.exchange_of(attempt);
    if let Some(long) = id.and_then(|id| found.bodies.get(&id)) {
        let left = room_bytes.checked_sub(long.text.len());
        *room_bytes = left.unwrap_or(0);
        if left.is_some() {
            return long.clone();
        }
    }
    let text = delivery.answer_of(attempt).1.unwrap_or_default();
    let owner = delivery.owner_of_answer(attempt).unwrap_or(attempt);
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    ResponseBody {
        text: text.to_owned(),
        size_bytes: owner.answer_body.size_bytes.unwrap_or(length),
        is_cut: id.is_some() || owner.answer_body.is_cut,
    }
}
