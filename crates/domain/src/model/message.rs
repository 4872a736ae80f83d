//! A message: our stored copy of one event.

mod body;

pub use body::BodyError;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::value::RawValue;

use crate::event_type::EventType;
use crate::gzip::{gunzip, gzip};
use crate::ids::{CustomerId, MessageId};
use crate::members::Members;
use crate::timestamp::Timestamp;

/// One event as we store it.
///
/// Its JSON form is carried by the workflow. The payload is text, so that no number of the producer
/// is converted into a float.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The id, derived from the event. It is the `webhook-id` of every request.
    pub id: MessageId,
    /// The customer of the event.
    pub customer_id: CustomerId,
    /// The event's `detail-type`.
    pub event_type: EventType,
    /// The event's unchanged `time` (RFC 3339).
    pub time: String,
    /// The event's deadline, if it has one. No attempt begins later.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::timestamp::as_text"
    )]
    pub deadline: Option<Timestamp>,
    /// The time that the producer has set for the first attempt, if it has. No attempt begins
    /// earlier, except one that somebody asks for: a resend.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::timestamp::as_text"
    )]
    pub deliver_at: Option<Timestamp>,
    /// The time at which somebody cancelled the message, if somebody has. A delivery that the event or
    /// a replay makes later is [cancelled](crate::delivery::Delivery::is_cancelled_by) before its attempt.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::timestamp::as_text"
    )]
    pub cancelled_at: Option<Timestamp>,
    /// True if it is a [test](crate::send_test): nothing happened, it is for one subscription, and
    /// it is attempted once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_test: bool,
    /// The whole unchanged event.
    pub payload: Payload,
}

impl Message {
    /// The time until which its first attempts wait, if they must wait.
    pub fn waits_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.deliver_at.filter(|at| *at > now)
    }
}

/// The raw text of an event's `detail`, from the output of [`Payload::read`].
///
/// # Errors
/// If the text is not an event.
pub fn detail(event: &[u8]) -> Result<&str, PayloadError> {
    serde_json::from_slice::<Members>(event)
        .ok()
        .and_then(|event| event.get("detail"))
        .map(RawValue::get)
        .ok_or(PayloadError::NotAnEvent)
}

/// JSON text in the form in which the workflow carries it and the table stores it. It is one
/// string, because a state machine cannot write binary attributes.
///
/// The string is the JSON text itself, if that is short. Otherwise it is the text or its gzip in
/// base64, whichever is shorter inside a JSON string. Only the JSON text of an object is stored
/// unchanged, and base64 never begins with `{`. So the first character shows which of the two it is.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Payload(String);

/// The stored payload cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Neither the JSON text of an object nor base64.
    #[error("payload: neither a JSON object nor base64")]
    Base64(#[source] base64::DecodeError),
    /// Not the gzip that we wrote.
    #[error("payload: cannot be decompressed")]
    Gzip(#[source] std::io::Error),
    /// Larger than any event that we accept.
    #[error("payload: more than {max} bytes", max = Payload::MAX_BYTES)]
    TooLarge,
    /// Not an event with a `detail`. The parser's own message would repeat the payload.
    #[error("payload: not an event with a `detail`")]
    NotAnEvent,
}

impl Payload {
    /// The largest size after decompression: EventBridge's limit for an event.
    pub const MAX_BYTES: usize = 1_048_576;

    /// The first character of a payload that is stored uncompressed.
    const PLAIN: char = '{';

    /// A text up to this length is not compressed: its message is written in one unit anyway.
    const PLAIN_UP_TO: usize = 512;

    /// Converts JSON text, and compresses a long one if that makes it shorter.
    pub fn new(json: &str) -> Self {
        if json.len() <= Self::PLAIN_UP_TO && json.starts_with(Self::PLAIN) {
            return Self(json.to_owned());
        }
        let compressed = BASE64_STANDARD.encode(gzip(json));
        // Escapes only add to the length, so most texts need no counting.
        let is_plain = json.starts_with(Self::PLAIN)
            && json.len() < compressed.len()
            && json_string_len(json) < compressed.len();
        Self(if is_plain {
            json.to_owned()
        } else {
            compressed
        })
    }

    /// A stored payload, from [`as_text`](Self::as_text).
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text to store.
    pub fn as_text(&self) -> &str {
        &self.0
    }

    /// Its length inside a JSON string, in bytes. This is the length that the workflow carries.
    pub fn carried_len(&self) -> usize {
        if self.0.starts_with(Self::PLAIN) {
            json_string_len(&self.0)
        } else {
            self.0.len()
        }
    }

    /// The original JSON bytes.
    pub fn read(&self) -> Result<Vec<u8>, PayloadError> {
        let json = if self.0.starts_with(Self::PLAIN) {
            self.0.clone().into_bytes()
        } else {
            let gzip = BASE64_STANDARD.decode(&self.0);
            gunzip(&gzip.map_err(PayloadError::Base64)?, Self::MAX_BYTES)
                .map_err(PayloadError::Gzip)?
        };
        if json.len() > Self::MAX_BYTES {
            return Err(PayloadError::TooLarge);
        }
        Ok(json)
    }
}

/// Shows only the size, so that no payload gets into a log.
impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Payload({} bytes of text)", self.0.len())
    }
}

/// The length of a text inside a JSON string, without the surrounding quotes.
pub fn json_string_len(text: &str) -> usize {
    let escaped = |byte| match byte {
        b'"' | b'\\' | b'\x08' | b'\t' | b'\n' | b'\x0c' | b'\r' => 2,
        0..=0x1f => "\\u0000".len(),
        _ => 1,
    };
    text.bytes().map(escaped).sum()
}

/// A message and its expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The message.
    pub message: Message,
    /// The time at which it expires.
    pub expires_at: Timestamp,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::payload_format::PayloadFormat;
    use crate::payload_shape::PayloadShape;
    use proptest::prelude::*;

    pub(crate) fn message(payload: &str) -> Message {
        let customer_id: CustomerId = "acme".parse().unwrap();
        Message {
            id: MessageId::from_event_id(&customer_id, "e"),
            customer_id,
            event_type: "order \"created\"".parse().unwrap(),
            time: "2026-01-31T09:30:00Z".into(),
            deadline: Some(Timestamp::from_millis(1_800_000_000_000)),
            deliver_at: Some(Timestamp::from_millis(1_790_000_000_000)),
            cancelled_at: None,
            is_test: true,
            payload: Payload::new(payload),
        }
    }

    #[test]
    fn a_payload_that_decompresses_beyond_the_limit_is_refused() {
        let bomb = Payload::new(&" ".repeat(Payload::MAX_BYTES + 1));
        assert!(matches!(bomb.read(), Err(PayloadError::TooLarge)));
        let bomb = Payload::from_text(format!("{{{}", " ".repeat(Payload::MAX_BYTES)));
        assert!(matches!(bomb.read(), Err(PayloadError::TooLarge)));
        let broken = |text: &str| Payload::from_text(text.to_owned()).read();
        assert!(matches!(broken("bm90IGd6aXA="), Err(PayloadError::Gzip(_))));
        assert!(matches!(broken(" {}"), Err(PayloadError::Base64(_))));
    }

    #[test]
    fn a_short_text_and_one_that_does_not_compress_are_stored_unchanged() {
        let short = Payload::new(r#"{"n":7}"#);
        assert_eq!(short.as_text(), r#"{"n":7}"#);
        let long = Payload::new(&format!(r#"{{"text":"{}"}}"#, "x".repeat(1_000)));
        assert!(long.as_text().starts_with("H4sI"), "{}", long.as_text());
        // Shorter than its gzip, but it does not begin with `{`.
        let array = Payload::new("[7]");
        assert!(array.as_text().starts_with("H4sI"), "{}", array.as_text());
        assert_eq!(array.read().unwrap(), b"[7]");
        // With its escapes it is longer than its gzip.
        let quotes = format!("{{{}}}", r#""\u0000":"","#.repeat(64));
        assert!(Payload::new(&quotes).as_text().starts_with("H4sI"));
    }

    #[test]
    fn odd_content_is_read_back_byte_for_byte() {
        for content in [
            r"\ud83d",
            r"\ude00\ud83d",
            r"\u0000",
            r"\uffff\ufffe",
            "\u{ffff}\u{fffe}\u{fdd0}\u{10ffff}",
            "\u{7f}\u{85}\u{2028}\u{feff}\u{202e}",
            r"{% $states.input %}",
        ] {
            for copies in [1, 1_000] {
                let event = format!(r#"{{"detail":{{"text":"{}"}}}}"#, content.repeat(copies));
                let payload = Payload::new(&event);
                assert_eq!(payload.as_text().starts_with('{'), copies == 1, "{content}");
                assert_eq!(payload.read().unwrap(), event.as_bytes(), "{content}");
                let detail = message(&event)
                    .body(
                        &PayloadShape::of_format(PayloadFormat::Detail).unwrap(),
                        None,
                    )
                    .unwrap();
                assert_eq!(detail, &event.as_bytes()[10..event.len() - 1], "{content}");
            }
        }
    }

    #[test]
    fn debug_shows_no_payload() {
        assert!(!format!("{:?}", message(r#"{"card":"4242"}"#)).contains("4242"));
    }

    proptest! {
        #[test]
        fn a_payload_passes_the_workflow_unchanged(text in "\\{?(?s:.){0,2000}") {
            let message = message(&text);
            let json = serde_json::to_string(&message).unwrap();
            let back: Message = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&back, &message);
            prop_assert_eq!(back.payload.read().unwrap(), text.as_bytes());
        }

        #[test]
        fn the_carried_length_is_the_length_of_the_json_form(text in "\\{?(?s:.){0,500}") {
            let payload = Payload::new(&text);
            let json = serde_json::to_string(&payload).unwrap();
            prop_assert_eq!(payload.carried_len() + 2, json.len());
        }
    }
}
