//! The form of a queue message: `{"v":1,"deliveryId":"dlv_…","attempt":1}`.

use serde::{Deserialize, Serialize};
use webhooks_domain::ids::DeliveryId;

/// Asks for an attempt of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueMessage {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

/// A message that this version does not understand. It must stay in the queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueMessageError {
    /// Not JSON, or a field is missing or not valid.
    #[error("queue message cannot be read")]
    Malformed(#[from] serde_json::Error),
    /// A version that this code does not know.
    #[error("queue message has version {v}, known is {known}", known = QueueMessage::VERSION)]
    Version {
        /// The version that was given.
        v: u64,
    },
}

#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1 {
    v: u64,
    delivery_id: DeliveryId,
    attempt: u32,
}

impl QueueMessage {
    /// The version that is written.
    pub const VERSION: u64 = 1;

    /// The text to send.
    pub fn encode(&self) -> String {
        let text = V1 {
            v: Self::VERSION,
            delivery_id: self.delivery,
            attempt: self.attempt,
        };
        serde_json::to_string(&text).expect("strings and numbers are always JSON")
    }

    /// Reads a message's text.
    pub fn decode(text: &str) -> Result<Self, QueueMessageError> {
        let Versioned { v } = serde_json::from_str(text)?;
        if v != Self::VERSION {
            return Err(QueueMessageError::Version { v });
        }
        let V1 {
            delivery_id,
            attempt,
            ..
        } = serde_json::from_str(text)?;
        Ok(Self {
            delivery: delivery_id,
            attempt,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_unknown_version_is_never_understood() {
        let text = |v: u64| {
            format!(
                r#"{{"v":{v},"deliveryId":"dlv_{:032x}_{:032x}","attempt":2}}"#,
                1, 2
            )
        };
        assert_eq!(QueueMessage::decode(&text(1)).unwrap().attempt, 2);
        for v in [0, 2, u64::MAX] {
            let error = QueueMessage::decode(&text(v)).unwrap_err();
            assert!(matches!(error, QueueMessageError::Version { .. }));
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"v":"1"}"#,
            r#"{"v":1}"#,
            r#"{"v":1,"deliveryId":"dlv_x","attempt":1}"#,
        ] {
            let error = QueueMessage::decode(bad).unwrap_err();
            assert!(matches!(error, QueueMessageError::Malformed(_)), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn decode_is_the_inverse_of_encode(message: u128, subscription: u128, attempt: u32) {
            let delivery = format!("dlv_{message:032x}_{subscription:032x}").parse().unwrap();
            let message = QueueMessage { delivery, attempt };
            prop_assert_eq!(QueueMessage::decode(&message.encode()).unwrap(), message);
        }
    }
}
