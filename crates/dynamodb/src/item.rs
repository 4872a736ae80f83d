//! The items of the table, converted to and from the domain's types.
//!
//! A state machine writes new messages and deliveries. It passes on the items of [`message_item`]
//! and [`delivery_item`]. Step Functions takes a binary attribute as text and encodes it again, and
//! documents nothing about lists and maps. So these items have strings, numbers and booleans only.
//! Items that the functions write may have any type.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_dynamo::Item;
use webhooks_domain::data_key::WrappedDataKey;
use webhooks_domain::delivery::{Attempt, Delivery, DeliveryStatus, DeliveryTrigger};
use webhooks_domain::event_type::EventType;
use webhooks_domain::health::{Health, OpenCircuit};
use webhooks_domain::idempotency::IdempotencyKey;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId, RecoveryId, SubscriptionId};
use webhooks_domain::message::{Message, Payload};
use webhooks_domain::outbound::{AttemptOutcome, RequestTimeout, ResponseHeaders};
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::recovery::RecoveryKey;
use webhooks_domain::retry::RetryPolicyFields;
use webhooks_domain::signing::{PublicKey, SealedSecret};
use webhooks_domain::subscription::{DisabledReason, Subscription, SubscriptionStatus};
use webhooks_domain::timestamp::Timestamp;

/// The attribute that no existing item lacks: a put with the condition `attribute_not_exists(pk)`
/// never overwrites.
pub const PARTITION_KEY: &str = "pk";
pub(crate) const SORT_KEY: &str = "sk";
/// The subscription of an undelivered delivery. It is the partition key of the index `undelivered`.
pub(crate) const OWED_TO: &str = "owedTo";
/// The value of [`OWED_TO`] in unhealthy subscriptions. It is the id of no subscription.
pub(crate) const UNHEALTHY: &str = "UNHEALTHY";

const CUSTOMER_PREFIX: &str = "CUSTOMER#";
const MESSAGE_PREFIX: &str = "MESSAGE#";
const MESSAGE_SORT: &str = "MESSAGE";
pub(crate) const DELIVERY_PREFIX: &str = "DELIVERY#";
pub(crate) const SUBSCRIPTION_PREFIX: &str = "SUBSCRIPTION#";
/// The partition of the customers.
pub(crate) const CUSTOMERS: &str = "CUSTOMERS";
const RECOVERY_PREFIX: &str = "RECOVERY#";

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    pub(crate) fn subscription(customer: &CustomerId, id: &SubscriptionId) -> Self {
        Self {
            pk: customer_partition(customer),
            sk: format!("{SUBSCRIPTION_PREFIX}{id}"),
        }
    }

    pub(crate) fn message(id: &MessageId) -> Self {
        Self {
            pk: message_partition(id),
            sk: MESSAGE_SORT.to_owned(),
        }
    }

    pub(crate) fn delivery(id: &DeliveryId) -> Self {
        Self {
            pk: message_partition(&id.message),
            sk: format!("{DELIVERY_PREFIX}{}", id.subscription),
        }
    }

    /// The delivery of a key.
    pub(crate) fn delivery_id(&self) -> Result<DeliveryId, String> {
        let message = self.pk.strip_prefix(MESSAGE_PREFIX);
        let subscription = self.sk.strip_prefix(DELIVERY_PREFIX);
        match (message.map(str::parse), subscription.map(str::parse)) {
            (Some(Ok(message)), Some(Ok(subscription))) => Ok(DeliveryId {
                message,
                subscription,
            }),
            _ => Err("not the key of a delivery".to_owned()),
        }
    }

    /// The subscription of a key, with its customer.
    pub(crate) fn subscription_id(&self) -> Result<(CustomerId, SubscriptionId), String> {
        let customer = self.pk.strip_prefix(CUSTOMER_PREFIX).map(str::parse);
        let subscription = self.sk.strip_prefix(SUBSCRIPTION_PREFIX).map(str::parse);
        match (customer, subscription) {
            (Some(Ok(customer)), Some(Ok(subscription))) => Ok((customer, subscription)),
            _ => Err("not the key of a subscription".to_owned()),
        }
    }

    /// The message of a key.
    pub(crate) fn message_id(&self) -> Result<MessageId, String> {
        let message = self.pk.strip_prefix(MESSAGE_PREFIX).map(str::parse);
        match (message, self.sk.as_str()) {
            (Some(Ok(message)), MESSAGE_SORT) => Ok(message),
            _ => Err("not the key of a message".to_owned()),
        }
    }

    /// The recovery of a key.
    pub(crate) fn recovery_id(&self) -> Result<RecoveryId, String> {
        let id = self.sk.split_once('#').map(|(_, id)| id.parse());
        match id {
            Some(Ok(id)) => Ok(id),
            _ => Err("not the key of a recovery".to_owned()),
        }
    }

    pub(crate) fn recovery(key: &RecoveryKey) -> Self {
        Self {
            pk: recovery_partition(&key.customer),
            sk: format!("{}#{}", key.subscription, key.id),
        }
    }

    /// The limiter of a subscription's endpoint.
    pub(crate) fn limiter(id: &SubscriptionId) -> Self {
        Self {
            pk: format!("{SUBSCRIPTION_PREFIX}{id}"),
            sk: "LIMITER".to_owned(),
        }
    }

    /// A customer, with its usage. All customers are in one partition, so that they can be listed.
    pub(crate) fn customer(customer: &CustomerId) -> Self {
        Self {
            pk: CUSTOMERS.to_owned(),
            sk: customer.to_string(),
        }
    }

    /// The customer of a key.
    pub(crate) fn customer_id(&self) -> Result<CustomerId, String> {
        let id = self.sk.parse::<CustomerId>();
        match (self.pk.as_str(), id) {
            (CUSTOMERS, Ok(id)) => Ok(id),
            _ => Err("not the key of a customer".to_owned()),
        }
    }

    /// The record of this idempotency key.
    pub(crate) fn idempotency(customer: &CustomerId, key: &IdempotencyKey) -> Self {
        Self {
            pk: format!("IDEMPOTENCY#{customer}"),
            sk: format!("KEY#{}", key.as_str()),
        }
    }

    pub(crate) fn data_key() -> Self {
        Self {
            pk: "DATA_KEY".to_owned(),
            sk: "0000000001".to_owned(),
        }
    }
}

pub(crate) fn customer_partition(customer: &CustomerId) -> String {
    format!("{CUSTOMER_PREFIX}{customer}")
}

/// The partition of a customer's recoveries. It is separate, so that the role of their workflow can
/// write to it and to nothing else.
pub(crate) fn recovery_partition(customer: &CustomerId) -> String {
    format!("{RECOVERY_PREFIX}{customer}")
}

pub(crate) fn message_partition(id: &MessageId) -> String {
    format!("{MESSAGE_PREFIX}{id}")
}

/// The key of a recovery's item: partition key and sort key. The definition of its workflow builds
/// the same key from the same ids.
pub fn recovery_key(key: &RecoveryKey) -> (String, String) {
    let Key { pk, sk } = Key::recovery(key);
    (pk, sk)
}

/// The item of a new message, as the workflow writes it.
pub fn message_item(message: &Message, received_at: Timestamp, expires_at: Timestamp) -> Item {
    to_item(&MessageItem {
        key: Key::message(&message.id),
        id: message.id,
        customer_id: message.customer_id.clone(),
        event_type: message.event_type.clone(),
        time: message.time.clone(),
        deadline: message.deadline,
        is_test: message.is_test,
        received_at,
        payload: message.payload.clone(),
        expires_at: expires_at.as_secs(),
    })
}

/// The item of a new delivery, as the workflow writes it.
pub fn delivery_item(delivery: &Delivery) -> Item {
    to_item(&DeliveryItem {
        key: Key::delivery(&delivery.id),
        id: delivery.id,
        customer_id: delivery.customer_id.clone(),
        event_type: delivery.event_type.clone(),
        payload_format: delivery.payload_format,
        status: delivery.status.as_str().to_owned(),
        reason: delivery.status.reason().map(str::to_owned),
        attempts: delivery.attempts.iter().map(AttemptItem::from).collect(),
        trigger: delivery.trigger,
        earlier_attempts: delivery.earlier_attempts,
        owed_to: (delivery.status == DeliveryStatus::Held).then_some(delivery.id.subscription),
        created_at: delivery.created_at,
        next_attempt_at: delivery.next_attempt_at,
        expires_at: delivery.expires_at.as_secs(),
    })
}

fn to_item(value: &impl Serialize) -> Item {
    serde_dynamo::to_item(value).expect("our items have string keys and no other obstacles")
}

/// Bytes that are stored as DynamoDB's binary type.
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("binary")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// A stored event type. A limit that has become stricter does not apply to it.
pub(crate) fn stored_event_type<'de, D>(deserializer: D) -> Result<EventType, D::Error>
where
    D: serde::Deserializer<'de>,
{
    String::deserialize(deserializer).map(EventType::from_stored)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageItem {
    #[serde(flatten)]
    key: Key,
    id: MessageId,
    customer_id: CustomerId,
    #[serde(deserialize_with = "stored_event_type")]
    event_type: EventType,
    time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_test: bool,
    received_at: Timestamp,
    payload: Payload,
    expires_at: i64,
}

impl MessageItem {
    /// The time at which it expires.
    pub(crate) fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.expires_at.saturating_mul(1_000))
    }

    /// The time at which it was stored.
    pub(crate) fn received_at(&self) -> Timestamp {
        self.received_at
    }
}

impl From<MessageItem> for Message {
    fn from(item: MessageItem) -> Self {
        Self {
            id: item.id,
            customer_id: item.customer_id,
            event_type: item.event_type,
            time: item.time,
            deadline: item.deadline,
            is_test: item.is_test,
            payload: item.payload,
        }
    }
}

/// Returns true for zero, which is not written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryItem {
    #[serde(flatten)]
    key: Key,
    id: DeliveryId,
    customer_id: CustomerId,
    #[serde(deserialize_with = "stored_event_type")]
    event_type: EventType,
    #[serde(default, skip_serializing_if = "PayloadFormat::is_standard")]
    payload_format: PayloadFormat,
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Absent if there are no attempts, because a workflow writes no list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<AttemptItem>,
    #[serde(default, skip_serializing_if = "DeliveryTrigger::is_event")]
    trigger: DeliveryTrigger,
    #[serde(default, skip_serializing_if = "is_zero")]
    earlier_attempts: u32,
    /// Written with a held delivery. The updates of a delivery maintain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owed_to: Option<SubscriptionId>,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    expires_at: i64,
}

impl TryFrom<DeliveryItem> for Delivery {
    type Error = String;

    fn try_from(item: DeliveryItem) -> Result<Self, String> {
        let status = DeliveryStatus::from_words(&item.status, item.reason.as_deref())
            .ok_or_else(|| format!("status `{}`, reason {:?}", item.status, item.reason))?;
        Ok(Self {
            id: item.id,
            customer_id: item.customer_id,
            event_type: item.event_type,
            payload_format: item.payload_format,
            status,
            attempts: item.attempts.into_iter().map(Attempt::from).collect(),
            trigger: item.trigger,
            earlier_attempts: item.earlier_attempts,
            created_at: item.created_at,
            next_attempt_at: item.next_attempt_at,
            expires_at: Timestamp::from_millis(item.expires_at.saturating_mul(1_000)),
        })
    }
}

/// An attempt. The names are short, because every update of a delivery pays for all its attempts.
#[derive(Serialize, Deserialize)]
pub(crate) struct AttemptItem {
    #[serde(rename = "n")]
    number: u32,
    #[serde(rename = "t")]
    at: Timestamp,
    #[serde(rename = "d")]
    duration_ms: u32,
    #[serde(rename = "o")]
    outcome: AttemptOutcome,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<IpAddr>,
    #[serde(
        rename = "h",
        default,
        skip_serializing_if = "ResponseHeaders::is_empty"
    )]
    response_headers: ResponseHeaders,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    response_excerpt: Option<String>,
}

impl From<&Attempt> for AttemptItem {
    fn from(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at,
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            status: attempt.status,
            error: attempt.error.clone(),
            addresses: attempt.addresses.clone(),
            response_headers: attempt.response_headers.clone(),
            response_excerpt: attempt.response_excerpt.clone(),
        }
    }
}

impl From<AttemptItem> for Attempt {
    fn from(item: AttemptItem) -> Self {
        Self {
            number: item.number,
            at: item.at,
            duration_ms: item.duration_ms,
            outcome: item.outcome,
            status: item.status,
            error: item.error,
            addresses: item.addresses,
            response_headers: item.response_headers,
            response_excerpt: item.response_excerpt,
        }
    }
}

/// A subscription for writing; [`crate::lenient`] reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionItem {
    #[serde(flatten)]
    key: Key,
    id: SubscriptionId,
    customer_id: CustomerId,
    url: String,
    event_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    #[serde(skip_serializing_if = "PayloadFormat::is_standard")]
    payload_format: PayloadFormat,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<RequestTimeout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_in_flight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_policy: Option<RetryPolicyFields>,
    secrets: Vec<SecretItem>,
    status: SubscriptionStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<DisabledReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<HealthItem>,
    /// Only while it is unhealthy. The updates of its health maintain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owed_to: Option<&'static str>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

impl From<&Subscription> for SubscriptionItem {
    fn from(subscription: &Subscription) -> Self {
        Self {
            key: Key::subscription(&subscription.customer_id, &subscription.id),
            id: subscription.id,
            customer_id: subscription.customer_id.clone(),
            url: subscription.url.as_str().to_owned(),
            event_types: subscription.event_types.iter().map(str::to_owned).collect(),
            filter: subscription
                .filter
                .as_ref()
                .map(|filter| filter.as_str().to_owned()),
            payload_format: subscription.payload_format,
            description: subscription.description.clone().map(String::from),
            headers: subscription.headers.clone().into(),
            metadata: subscription.metadata.clone().into(),
            timeout_seconds: subscription.timeout,
            rate_limit_per_second: subscription.limits.rate.map(u64::from),
            max_in_flight: subscription.limits.in_flight.map(u64::from),
            retry_policy: subscription
                .retry_policy
                .clone()
                .map(RetryPolicyFields::from),
            secrets: subscription.secrets.iter().map(SecretItem::from).collect(),
            status: subscription.status,
            disabled_reason: subscription.disabled.map(|disabled| disabled.reason),
            disabled_at: subscription.disabled.map(|disabled| disabled.at),
            health: HealthItem::of(&subscription.health),
            owed_to: subscription.is_unhealthy().then_some(UNHEALTHY),
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
            version: subscription.version,
        }
    }
}

/// The health of an endpoint. A healthy endpoint has none, which costs nothing.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cooldown_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slow_since: Option<Timestamp>,
}

impl HealthItem {
    pub(crate) fn of(health: &Health) -> Option<Self> {
        (*health != Health::default()).then(|| Self {
            failing_since: health.failing_since,
            open_since: health.circuit.map(|circuit| circuit.since),
            open_until: health.circuit.map(|circuit| circuit.until),
            cooldown_seconds: health.circuit.map(|circuit| circuit.cooldown.as_secs()),
            slow_since: health.slow_since,
        })
    }
}

impl From<HealthItem> for Health {
    fn from(item: HealthItem) -> Self {
        let circuit = item.open_until.zip(item.cooldown_seconds);
        let circuit = item.open_since.zip(circuit);
        Self {
            failing_since: item.failing_since,
            circuit: circuit.map(|(since, (until, seconds))| OpenCircuit {
                since,
                until,
                cooldown: Duration::from_secs(seconds),
            }),
            slow_since: item.slow_since,
        }
    }
}

/// A sealed secret. The names are short, because every read of a subscription pays for them.
#[derive(Serialize, Deserialize)]
pub(crate) struct SecretItem {
    #[serde(rename = "v")]
    version: u32,
    #[serde(rename = "s")]
    sealed: Bytes,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    public_key: Option<Bytes>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl From<(&SealedSecret, Option<Timestamp>)> for SecretItem {
    fn from((secret, expires_at): (&SealedSecret, Option<Timestamp>)) -> Self {
        Self {
            version: secret.version,
            sealed: Bytes(secret.sealed.clone()),
            public_key: secret.public_key.map(|key| Bytes(key.as_bytes().to_vec())),
            expires_at,
        }
    }
}

impl SecretItem {
    pub(crate) fn into_domain(self) -> Option<(SealedSecret, Option<Timestamp>)> {
        let public_key = match self.public_key {
            Some(bytes) => Some(PublicKey::from_bytes(bytes.0.try_into().ok()?)),
            None => None,
        };
        let secret = SealedSecret {
            version: self.version,
            public_key,
            sealed: self.sealed.0,
        };
        Some((secret, self.expires_at))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataKeyItem {
    #[serde(flatten)]
    key: Key,
    wrapped: Bytes,
}

impl From<&WrappedDataKey> for DataKeyItem {
    fn from(key: &WrappedDataKey) -> Self {
        Self {
            key: Key::data_key(),
            wrapped: Bytes(key.0.clone()),
        }
    }
}

impl From<DataKeyItem> for WrappedDataKey {
    fn from(item: DataKeyItem) -> Self {
        Self(item.wrapped.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lenient::whole;
    use crate::write_units::billed_bytes;
    use serde_json::json;
    use webhooks_domain::filter::Filter;
    use webhooks_domain::limits::Limits;
    use webhooks_domain::outbound::{CustomHeaders, EndpointUrl};
    use webhooks_domain::retry::RetryPolicy;
    use webhooks_domain::subscription::Disabled;
    use webhooks_testkit::samples;

    #[test]
    fn a_subscription_with_every_field_is_read_back() {
        let metadata = BTreeMap::from([("plan".to_owned(), "gold".to_owned())]);
        let subscription = Subscription {
            secrets: samples::migrating_secrets(),
            payload_format: PayloadFormat::Detail,
            timeout: Some(7.try_into().unwrap()),
            metadata: metadata.try_into().unwrap(),
            disabled: Some(Disabled {
                reason: DisabledReason::Failing,
                at: samples::NOW,
            }),
            health: Health {
                failing_since: Some(samples::NOW),
                circuit: Some(OpenCircuit {
                    since: samples::NOW,
                    until: samples::NOW,
                    cooldown: OpenCircuit::LONGEST,
                }),
                slow_since: Some(samples::NOW),
            },
            ..samples::subscription("acme", 1)
        };
        let item = to_item(&SubscriptionItem::from(&subscription));
        assert_eq!(whole(item.into()).unwrap(), subscription);
    }

    #[test]
    fn no_item_is_larger_than_the_counted_size_of_its_subscription() {
        let text = |length| "x".repeat(length);
        let pairs = (0..20).map(|n| (format!("x-name-{n:02}"), text(100)));
        let pairs: BTreeMap<_, _> = pairs.collect();
        let patterns = (0..50).map(|n| format!("order.created.{n}").try_into().unwrap());
        let schedule = (0..50_u32).map(|n| 604_800 * n.min(1)).collect();
        let health = Health {
            failing_since: Some(samples::NOW),
            circuit: Some(OpenCircuit {
                since: samples::NOW,
                until: samples::NOW,
                cooldown: OpenCircuit::LONGEST,
            }),
            slow_since: Some(samples::NOW),
        };
        let small = Subscription {
            health,
            ..samples::subscription("acme", 1)
        };
        let large = Subscription {
            customer_id: text(128).parse().unwrap(),
            url: EndpointUrl::from_stored(&format!("https://example.com/{}", text(1_000))).unwrap(),
            event_types: patterns.collect::<Vec<_>>().try_into().unwrap(),
            filter: Some(Filter::from_stored(text(2_048))),
            payload_format: PayloadFormat::Standard,
            description: Some(text(512).try_into().unwrap()),
            metadata: pairs.clone().try_into().unwrap(),
            headers: CustomHeaders::new(pairs).unwrap(),
            timeout: Some(7.try_into().unwrap()),
            limits: Limits {
                rate: Some(200.try_into().unwrap()),
                in_flight: Some(50.try_into().unwrap()),
            },
            retry_policy: Some(RetryPolicy::schedule(schedule).unwrap()),
            secrets: samples::migrating_secrets(),
            disabled: Some(Disabled {
                reason: DisabledReason::EndpointGone,
                at: samples::NOW,
            }),
            ..small.clone()
        };
        for subscription in [small, large] {
            let item = to_item(&SubscriptionItem::from(&subscription));
            let (bytes, counted) = (billed_bytes(item), subscription.size_bytes());
            assert!(bytes <= counted, "{bytes} bytes, counted as {counted}");
            let most = bytes + bytes / 10 + 200;
            assert!(counted < most, "{bytes} bytes, counted as {counted}");
        }
    }

    #[test]
    fn a_subscription_without_a_current_secret_is_not_read() {
        let subscription = samples::subscription("acme", 1);
        for expires_at in [vec![], vec![Some(samples::NOW)], vec![None, None]] {
            let mut item = SubscriptionItem::from(&subscription);
            let current = subscription.secrets.current();
            let secrets = expires_at.into_iter().map(|end| (current, end).into());
            item.secrets = secrets.collect();
            assert!(whole(to_item(&item).into()).is_err());
        }
    }

    #[test]
    fn items_of_prepare_calls_are_read_back() {
        let message = samples::message("acme", "event-1");
        let item: MessageItem =
            serde_dynamo::from_item(message_item(&message, samples::NOW, samples::NOW)).unwrap();
        assert_eq!(Message::from(item), message);
        for (payload_format, attempts) in [
            (PayloadFormat::Standard, vec![]),
            (PayloadFormat::Event, vec![samples::failed_attempt(1)]),
        ] {
            let delivery = Delivery {
                payload_format,
                attempts,
                ..samples::delivery(&message, samples::subscription_id(1))
            };
            let item: DeliveryItem = serde_dynamo::from_item(delivery_item(&delivery)).unwrap();
            assert_eq!(Delivery::try_from(item).unwrap(), delivery);
        }
    }

    #[test]
    fn a_payload_is_stored_as_the_workflow_carries_it() {
        let message = samples::message("acme", "event-1");
        let item = serde_json::to_value(message_item(&message, samples::NOW, samples::NOW));
        let carried = serde_json::to_value(&message).unwrap();
        assert_eq!(item.unwrap()["payload"], json!({"S": carried["payload"]}));
    }
}
