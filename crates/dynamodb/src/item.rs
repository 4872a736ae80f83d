//! The items of the table, converted to and from the domain's types.
//!
//! A state machine writes new messages and deliveries. It passes on the items of [`message_item`]
//! and [`delivery_item`]. Step Functions takes a binary attribute as text and encodes it again, and
//! documents nothing about lists and maps. So these items have strings, numbers and booleans only.
//! Items that the functions write may have any type.

mod delivery;
mod message;
mod shape;
mod subscription;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_dynamo::Item;
use webhooks_domain::data_key::WrappedDataKey;
use webhooks_domain::event_type::EventType;

use crate::key::Key;

pub(crate) use delivery::{AttemptItem, DeliveryItem};
pub use delivery::{delivery_item, waiting_delivery_item};
pub(crate) use message::MessageItem;
pub use message::message_item;
pub(crate) use shape::ShapeAttributes;
pub(crate) use subscription::{AuthenticationItem, HealthItem, SecretItem, SubscriptionItem};

/// The subscription of an undelivered delivery. It is the partition key of the index `undelivered`.
pub(crate) const OWED_TO: &str = "owedTo";
/// The value of [`OWED_TO`] in unhealthy subscriptions. It is the id of no subscription.
pub(crate) const UNHEALTHY: &str = "UNHEALTHY";

/// The version of the requests of a new subscription. It is not written.
fn first() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_first(version: &u64) -> bool {
    *version == first()
}

fn to_item(value: &impl Serialize) -> Item {
    serde_dynamo::to_item(value).expect("our items have string keys and no other obstacles")
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
pub(crate) struct DataKeyItem {
    #[serde(flatten)]
    key: Key,
    wrapped: ByteBuf,
}

impl From<&WrappedDataKey> for DataKeyItem {
    fn from(key: &WrappedDataKey) -> Self {
        Self {
            key: Key::data_key(),
            wrapped: key.0.clone().into(),
        }
    }
}

impl From<DataKeyItem> for WrappedDataKey {
    fn from(item: DataKeyItem) -> Self {
        Self(item.wrapped.into_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use webhooks_domain::delivery::Delivery;
    use webhooks_domain::message::Message;
    use webhooks_domain::payload_format::PayloadFormat;
    use webhooks_testkit::samples;

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
                shape_version: Some(7),
                link: Some("https://a.example/".to_owned()),
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
