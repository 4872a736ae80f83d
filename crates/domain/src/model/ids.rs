//! Identifiers: they are checked when they are parsed, and valid from then on.

use std::fmt;
use std::str::FromStr;

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

use crate::timestamp::Timestamp;

/// The text is not a valid identifier of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// An id with the wrong form.
    #[error("id `{text}`: must be `{prefix}` and {form}")]
    Form {
        /// The text, cut to 80 characters.
        text: String,
        /// The prefix that it must have.
        prefix: &'static str,
        /// The form of the part after the prefix.
        form: &'static str,
    },
    /// A customer id with a wrong length.
    #[error("customer id: must be 1 to {max} bytes, is {len}", max = CustomerId::MAX_BYTES)]
    CustomerIdLength {
        /// The length, in bytes.
        len: usize,
    },
    /// A customer id that clients would treat as a relative path segment.
    #[error("customer id: must not be `.` or `..`")]
    CustomerIdDots,
    /// A customer id with a character that is not allowed.
    #[error("customer id: character {character:?} is not one of A-Z a-z 0-9 . _ : @ + = | -")]
    CustomerIdCharacter {
        /// The first character that is not allowed.
        character: char,
    },
}

/// Implements the text form (`Display`, `FromStr`, serde) of an id newtype.
macro_rules! text_form {
    ($id:ident) => {
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl serde::Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Implements `Display` and `FromStr` of an id that consists of its `PREFIX` and 32 digits.
macro_rules! hex_form {
    ($id:ident) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{:032x}", Self::PREFIX, self.0)
            }
        }

        impl FromStr for $id {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(Self::PREFIX)
                    .and_then(parse_hex)
                    .map(Self)
                    .ok_or_else(|| {
                        form_error(text, Self::PREFIX, "32 lower-case hexadecimal digits")
                    })
            }
        }
    };
}

/// A customer: the producer's own id of its customer.
///
/// It has 1 to 128 bytes of `A-Z a-z 0-9 . _ : @ + = | -`, and is neither `.` nor `..`. So it can
/// be used in a table key, and in a URL path after percent-encoding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId(String);

impl CustomerId {
    /// The largest length, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CustomerId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return Err(IdError::CustomerIdLength { len: text.len() });
        }
        if matches!(text, "." | "..") {
            return Err(IdError::CustomerIdDots);
        }
        match text
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !"._:@+=|-".contains(*c))
        {
            Some(character) => Err(IdError::CustomerIdCharacter { character }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

text_form!(CustomerId);

/// A message's id: `msg_` and 32 hexadecimal digits.
///
/// It is derived from the event, so that the same event always has the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u128);

impl MessageId {
    const PREFIX: &str = "msg_";

    /// The id of a message with an idempotency key of its producer.
    ///
    /// A key belongs to the event's `source`. IAM can limit a producer to its own source, and such
    /// a producer must not be able to use up the keys of another.
    pub fn from_idempotency_key(customer: &CustomerId, source: &str, key: &str) -> Self {
        Self(derive(customer, "idempotency-key", &[source, key]))
    }

    /// The id of the message made from the `EventBridge` event with this id.
    pub fn from_event_id(customer: &CustomerId, event_id: &str) -> Self {
        Self(derive(customer, "event-id", &[event_id]))
    }
}

/// The first 16 bytes of SHA-256 over these texts, each followed by a NUL.
///
/// The customer is included, because two customers may use the same idempotency key. Only the last
/// text may contain a NUL.
fn derive(customer: &CustomerId, kind: &str, names: &[&str]) -> u128 {
    let mut text = format!("{customer}\0{kind}\0");
    for name in names {
        text.push_str(name);
        text.push('\0');
    }
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let first = hash.as_ref()[..16].try_into().expect("SHA-256 is 32 bytes");
    u128::from_be_bytes(first)
}

hex_form!(MessageId);
text_form!(MessageId);

/// A subscription's id: `sub_` and 32 hexadecimal digits, random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(u128);

impl SubscriptionId {
    const PREFIX: &str = "sub_";

    /// A new id, from the system's random source.
    ///
    /// Ids are never reused: a subscription that is created again has another id.
    pub fn random(random: &SystemRandom) -> Self {
        Self(random_bits(random))
    }

    /// The id in its shortest form.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id of its shortest form.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

hex_form!(SubscriptionId);
text_form!(SubscriptionId);

/// A recovery's id: `rec_` and 32 hexadecimal digits, which sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecoveryId(u128);

impl RecoveryId {
    const PREFIX: &str = "rec_";

    /// A new id: the milliseconds, and 80 bits from the system's random source.
    pub fn new(now: Timestamp, random: &SystemRandom) -> Self {
        Self(by_time(now, random_bits(random)))
    }

    /// The id of a recovery that a change of a subscription causes: the time of the change, and 80
    /// bits of a digest. So a repeated request names the same recovery.
    pub fn of_change(
        customer: &CustomerId,
        subscription: &SubscriptionId,
        version: u64,
        changed_at: Timestamp,
        kind: &str,
    ) -> Self {
        Self::derived(
            customer,
            subscription,
            &[&version.to_string(), kind],
            changed_at,
        )
    }

    /// The id of the recovery that sends what was held while the endpoint of a subscription was
    /// unavailable, and may be sent since this time. So two sweeps name the same recovery.
    pub fn of_release(
        customer: &CustomerId,
        subscription: &SubscriptionId,
        since: Timestamp,
    ) -> Self {
        Self::derived(customer, subscription, &["release"], since)
    }

    fn derived(
        customer: &CustomerId,
        subscription: &SubscriptionId,
        names: &[&str],
        at: Timestamp,
    ) -> Self {
        let subscription = subscription.to_string();
        let names = [&[subscription.as_str()], names].concat();
        let digest = derive(customer, "recovery", &names);
        Self(by_time(at, digest))
    }
}

hex_form!(RecoveryId);
text_form!(RecoveryId);

/// The id of a session of the portal: `pse_` and 32 hexadecimal digits, which sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortalSessionId(u128);

impl PortalSessionId {
    const PREFIX: &str = "pse_";

    /// A new id: the milliseconds, and 80 bits from the system's random source.
    pub fn new(now: Timestamp, random: &SystemRandom) -> Self {
        Self(by_time(now, random_bits(random)))
    }

    /// The id in its shortest form.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id of its shortest form.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

hex_form!(PortalSessionId);
text_form!(PortalSessionId);

fn random_bits(random: &SystemRandom) -> u128 {
    let mut bytes = [0; 16];
    random
        .fill(&mut bytes)
        .expect("the system's random source answers once the process runs");
    u128::from_be_bytes(bytes)
}

/// The milliseconds of a time, and the first 80 of these bits. Such ids sort by time.
fn by_time(at: Timestamp, bits: u128) -> u128 {
    let millis = u128::try_from(at.as_millis()).unwrap_or_default();
    millis << 80 | bits >> 48
}

/// A delivery's id: `dlv_`, the message's digits, `_`, the subscription's digits.
///
/// It is derived from the two, so that a duplicate execution names the same delivery, and a person
/// can read the message and the subscription from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// The message.
    pub message: MessageId,
    /// The subscription.
    pub subscription: SubscriptionId,
}

impl DeliveryId {
    const PREFIX: &str = "dlv_";

    /// A byte that is distributed evenly over deliveries, and constant for each delivery.
    pub(crate) fn spread(&self) -> u8 {
        // Both ids are random or digests, so any byte of them is like a random byte.
        let [byte, ..] = (self.message.0 ^ self.subscription.0).to_le_bytes();
        byte
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (message, subscription) = (self.message.0, self.subscription.0);
        write!(f, "{}{message:032x}_{subscription:032x}", Self::PREFIX)
    }
}

impl FromStr for DeliveryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.strip_prefix(Self::PREFIX)
            .and_then(|digits| digits.split_once('_'))
            .and_then(|(message, subscription)| {
                Some(Self {
                    message: MessageId(parse_hex(message)?),
                    subscription: SubscriptionId(parse_hex(subscription)?),
                })
            })
            .ok_or_else(|| {
                form_error(
                    text,
                    Self::PREFIX,
                    "two times 32 hexadecimal digits with `_` between",
                )
            })
    }
}

text_form!(DeliveryId);

fn parse_hex(digits: &str) -> Option<u128> {
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (digits.len() == 32 && digits.bytes().all(lower_hex))
        .then(|| u128::from_str_radix(digits, 16).ok())
        .flatten()
}

fn form_error(text: &str, prefix: &'static str, form: &'static str) -> IdError {
    IdError::Form {
        text: text.chars().take(80).collect(),
        prefix,
        form,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn customer(text: &str) -> CustomerId {
        text.parse().unwrap()
    }

    #[test]
    fn one_idempotency_key_names_one_message_per_customer() {
        let id = |name, source, key| MessageId::from_idempotency_key(&customer(name), source, key);
        assert_eq!(id("acme", "shop", "k1"), id("acme", "shop", "k1"));
        assert_ne!(id("acme", "shop", "k1"), id("acme", "shop", "k2"));
        assert_ne!(id("acme", "shop", "k1"), id("bolt", "shop", "k1"));
        assert_ne!(
            id("acme", "shop", "k1"),
            MessageId::from_event_id(&customer("acme"), "k1")
        );
    }

    #[test]
    fn the_same_key_of_two_sources_names_two_messages() {
        let id = |source, key| MessageId::from_idempotency_key(&customer("acme"), source, key);
        assert_ne!(id("shop", "k1"), id("billing", "k1"));
        assert_ne!(id("shop", "k1"), id("shopk", "1"));
        assert_ne!(id("", "shop"), id("shop", ""));
    }

    #[test]
    fn recovery_ids_sort_by_time() {
        let random = SystemRandom::new();
        let at = |millis| RecoveryId::new(Timestamp::from_millis(millis), &random);
        let (early, late) = (at(1_700_000_000_000), at(1_700_000_000_001));
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_ne!(at(5), at(5));
        assert_eq!(late.to_string().parse(), Ok(late));
    }

    #[test]
    fn invalid_customer_ids_are_refused() {
        for bad in [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "a#b",
            "é",
            "a\0",
            &"x".repeat(129),
        ] {
            assert!(bad.parse::<CustomerId>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(128).parse::<CustomerId>().is_ok());
    }

    #[test]
    fn ids_of_another_form_are_refused() {
        let hex = "0".repeat(32);
        for bad in [
            hex.clone(),
            format!("sub_{hex}"),
            format!("msg_{}", &hex[1..]),
            format!("msg_{hex}0"),
            format!("msg_{}", "A".repeat(32)),
            format!("msg_+{}", &hex[1..]),
        ] {
            assert!(bad.parse::<MessageId>().is_err(), "{bad:?}");
        }
        assert!(format!("dlv_{hex}{hex}").parse::<DeliveryId>().is_err());
    }

    proptest! {
        #[test]
        fn parse_is_the_inverse_of_display(message: u128, subscription: u128) {
            let id = DeliveryId {
                message: MessageId(message),
                subscription: SubscriptionId(subscription),
            };
            prop_assert_eq!(id.to_string().parse::<DeliveryId>().unwrap(), id);
            prop_assert_eq!(id.message.to_string().parse::<MessageId>().unwrap(), id.message);
            prop_assert_eq!(
                id.subscription.to_string().parse::<SubscriptionId>().unwrap(),
                id.subscription
            );
        }
    }
}
