//! The keys of the items.

use serde::{Deserialize, Serialize};
use webhooks_domain::catalogue::TypeName;
use webhooks_domain::delivery::ExchangeId;
use webhooks_domain::idempotency::IdempotencyKey;
use webhooks_domain::ids::{
    CustomerId, DeliveryId, MessageId, PortalSessionId, RecoveryId, SubscriptionId,
};
use webhooks_domain::limits::LimiterId;
use webhooks_domain::portal_session::{Audience, UtcDay};
use webhooks_domain::recovery::RecoveryKey;
use webhooks_domain::statistics::Hour;

/// The attribute that no existing item lacks: a put with the condition `attribute_not_exists(pk)`
/// never overwrites.
pub const PARTITION_KEY: &str = "pk";
pub(crate) const SORT_KEY: &str = "sk";

const CUSTOMER_PREFIX: &str = "CUSTOMER#";
const MESSAGE_PREFIX: &str = "MESSAGE#";
const MESSAGE_SORT: &str = "MESSAGE";
pub(crate) const DELIVERY_PREFIX: &str = "DELIVERY#";
pub(crate) const SUBSCRIPTION_PREFIX: &str = "SUBSCRIPTION#";
/// The partition of the customers.
pub(crate) const CUSTOMERS: &str = "CUSTOMERS";
/// The partition of the event catalogue.
pub(crate) const EVENT_TYPES: &str = "EVENT_TYPES";
/// The sort key of the index of types. No name begins with `#`, and all names are after it.
pub(crate) const EVENT_TYPES_COUNT: &str = "#COUNT";
/// The partition of the list of types that validate their events. Every event depends on it, and
/// customers load the partition of the catalogue, so it is another one.
const VALIDATED_TYPES: &str = "VALIDATED_TYPES";
const VALIDATED_TYPES_SORT: &str = "LIST";
const STATISTICS_PREFIX: &str = "STATISTICS#";
const VERSION_PREFIX: &str = "VERSION#";
const EXCHANGE_PREFIX: &str = "EXCHANGE#";
const TOKEN_PREFIX: &str = "TOKEN#";
const RECOVERY_PREFIX: &str = "RECOVERY#";
const PORTAL_PREFIX: &str = "PORTAL#";
/// The partition of the sessions of the console. It has no prefix in common with a customer's, so that
/// no role may write both without naming both.
const CONSOLE: &str = "CONSOLE";
/// The beginning of the sort keys of sessions, which are in one partition with their usage.
pub(crate) const SESSIONS: &str = "pse_";
const USAGE_PREFIX: &str = "USAGE#";

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

    /// A limiter.
    pub(crate) fn limiter(id: &LimiterId) -> Self {
        Self {
            pk: match id {
                LimiterId::Subscription(id) => subscription_partition(id),
                LimiterId::Customer(id) => customer_partition(id),
            },
            sk: "LIMITER".to_owned(),
        }
    }

    /// The limit of a customer. It is a copy in the partition of its subscriptions, because all
    /// customers share one partition, which would not bear the reads of all attempts.
    pub(crate) fn customer_limit(customer: &CustomerId) -> Self {
        Self {
            pk: customer_partition(customer),
            sk: "LIMIT".to_owned(),
        }
    }

    /// The statistics of a subscription in an hour.
    pub(crate) fn statistics(id: &SubscriptionId, hour: Hour) -> Self {
        Self {
            pk: subscription_partition(id),
            sk: format!("{STATISTICS_PREFIX}{hour}"),
        }
    }

    /// The former requests of a subscription, by the version since which they were the same.
    pub(crate) fn former_requests(
        customer: &CustomerId,
        id: &SubscriptionId,
        version: u64,
    ) -> Self {
        Self {
            pk: customer_partition(customer),
            sk: format!("{VERSION_PREFIX}{id}#{version:010}"),
        }
    }

    /// The subscription and the version of a key of former requests.
    pub(crate) fn former_version(&self) -> Result<(SubscriptionId, u64), String> {
        let rest = self.sk.strip_prefix(VERSION_PREFIX);
        let parts = rest.and_then(|rest| rest.split_once('#'));
        match parts.map(|(id, version)| (id.parse(), version.parse())) {
            Some((Ok(id), Ok(version))) => Ok((id, version)),
            _ => Err("not the key of former requests".to_owned()),
        }
    }

    /// The access token of a subscription. It is with the customer's subscriptions, so that the
    /// deletion of the customer finds it.
    pub(crate) fn token(customer: &CustomerId, id: &SubscriptionId) -> Self {
        Self {
            pk: customer_partition(customer),
            sk: format!("{TOKEN_PREFIX}{id}"),
        }
    }

    /// The body of an answer that is kept beside its attempt. It is with the subscription, because
    /// the deletion of a customer finds it there even if it is written after the deletion of its
    /// message.
    pub(crate) fn exchange(id: &ExchangeId) -> Self {
        let ExchangeId {
            delivery,
            attempt,
            at,
        } = id;
        let message = delivery.message;
        Self {
            pk: subscription_partition(&delivery.subscription),
            sk: format!("{EXCHANGE_PREFIX}{message}#{attempt:03}#{}", at.as_millis()),
        }
    }

    /// The hour of a key of statistics.
    pub(crate) fn hour(&self) -> Result<Hour, String> {
        let hour = self.sk.strip_prefix(STATISTICS_PREFIX).map(str::parse);
        match hour {
            Some(Ok(hour)) => Ok(hour),
            _ => Err("not the key of statistics".to_owned()),
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

    /// An event type in the catalogue.
    pub(crate) fn event_type(name: &TypeName) -> Self {
        Self {
            pk: EVENT_TYPES.to_owned(),
            sk: name.to_string(),
        }
    }

    /// The event types that validate their events.
    pub(crate) fn validated_types() -> Self {
        Self {
            pk: VALIDATED_TYPES.to_owned(),
            sk: VALIDATED_TYPES_SORT.to_owned(),
        }
    }

    /// The index of the event types in the catalogue, with their number.
    pub(crate) fn event_type_count() -> Self {
        Self {
            pk: EVENT_TYPES.to_owned(),
            sk: EVENT_TYPES_COUNT.to_owned(),
        }
    }

    /// The event type of a key.
    pub(crate) fn type_name(&self) -> Result<TypeName, String> {
        let name = self.sk.parse::<TypeName>();
        match (self.pk.as_str(), name) {
            (EVENT_TYPES, Ok(name)) => Ok(name),
            _ => Err("not the key of an event type".to_owned()),
        }
    }

    /// The record of this idempotency key.
    pub(crate) fn idempotency(customer: &CustomerId, key: &IdempotencyKey) -> Self {
        Self {
            pk: idempotency_partition(customer),
            sk: format!("KEY#{}", key.as_str()),
        }
    }

    pub(crate) fn session(audience: &Audience, id: &PortalSessionId) -> Self {
        Self {
            pk: session_partition(audience),
            sk: id.to_string(),
        }
    }

    pub(crate) fn portal_usage(customer: &CustomerId, day: UtcDay) -> Self {
        Self {
            pk: portal_partition(customer),
            sk: format!("{USAGE_PREFIX}{day}"),
        }
    }

    /// The session of a key, with its site.
    pub(crate) fn session_id(&self) -> Result<(Audience, PortalSessionId), String> {
        let audience = match self.pk.strip_prefix(PORTAL_PREFIX) {
            Some(customer) => customer.parse().ok().map(Audience::Customer),
            None => (self.pk == CONSOLE).then_some(Audience::Console),
        };
        match (audience, self.sk.parse()) {
            (Some(audience), Ok(id)) => Ok((audience, id)),
            _ => Err("not the key of a session".to_owned()),
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

/// The partition of the sessions of a site: of a customer's portal, or of the console.
pub(crate) fn session_partition(audience: &Audience) -> String {
    match audience {
        Audience::Customer(customer) => portal_partition(customer),
        Audience::Console => CONSOLE.to_owned(),
    }
}

/// The partition of a customer's sessions and usage of the portal.
pub(crate) fn portal_partition(customer: &CustomerId) -> String {
    format!("{PORTAL_PREFIX}{customer}")
}

pub(crate) fn idempotency_partition(customer: &CustomerId) -> String {
    format!("IDEMPOTENCY#{customer}")
}

/// The partition of the state that attempts keep for a subscription.
pub(crate) fn subscription_partition(id: &SubscriptionId) -> String {
    format!("{SUBSCRIPTION_PREFIX}{id}")
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
