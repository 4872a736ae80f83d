//! A message: our stored copy of one event.

use std::io::{Read, Write};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::value::RawValue;

use crate::event_type::EventType;
use crate::filter::Members;
use crate::ids::{CustomerId, MessageId};
use crate::payload_format::PayloadFormat;
use crate::timestamp::Timestamp;

/// One event as we keep it.
///
/// Its JSON form is what the workflow carries: text only, so that no number of
/// the producer's passes through anybody's floating point.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Derived from the event; the `webhook-id` of every request.
    pub id: MessageId,
    /// Whose event it is.
    pub customer_id: CustomerId,
    /// The event's `detail-type`.
    pub event_type: EventType,
    /// The event's `time`, as the event has it (RFC 3339).
    pub time: String,
    /// When it is of no use any more, if the event says so. No attempt begins later.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::timestamp::as_text"
    )]
    pub deadline: Option<Timestamp>,
    /// Whether it is a [test](crate::send_test): of nothing that happened, for one
    /// subscription, and attempted once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_test: bool,
    /// The whole event, as it came.
    pub payload: Payload,
}

impl Message {
    /// The body that is sent and signed.
    ///
    /// The same bytes on every call, whatever the number of attempts. What the producer
    /// put is copied, never parsed: no number changes.
    ///
    /// # Errors
    /// When the stored payload cannot be read back.
    pub fn body(&self, format: PayloadFormat) -> Result<Vec<u8>, PayloadError> {
        let event = self.payload.read()?;
        match format {
            PayloadFormat::Standard => Ok(self.standard_body(detail(&event)?)),
            PayloadFormat::Detail => Ok(detail(&event)?.as_bytes().to_vec()),
            PayloadFormat::Event => Ok(event),
        }
    }

    fn standard_body(&self, detail: &str) -> Vec<u8> {
        let mut body = Vec::with_capacity(detail.len() + 128);
        body.extend_from_slice(b"{\"type\":");
        body.extend(json_text(self.event_type.as_str()));
        body.extend_from_slice(b",\"timestamp\":");
        body.extend(json_text(&self.time));
        body.extend_from_slice(b",\"data\":");
        body.extend_from_slice(detail.as_bytes());
        body.push(b'}');
        body
    }
}

/// The raw text of an event's `detail`, in what [`Payload::read`] gave.
///
/// # Errors
/// When that is no event.
pub fn detail(event: &[u8]) -> Result<&str, PayloadError> {
    serde_json::from_slice::<Members>(event)
        .ok()
        .and_then(|event| event.get("detail"))
        .map(RawValue::get)
        .ok_or(PayloadError::NotAnEvent)
}

fn json_text(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).expect("a string is always JSON")
}

/// JSON bytes, kept as gzip: a table item is billed by the kilobyte.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Vec<u8>);

/// A stored payload that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Not the gzip that we wrote.
    #[error("payload: cannot be decompressed")]
    Gzip(#[source] std::io::Error),
    /// Larger than any event that we accept.
    #[error("payload: more than {max} bytes", max = Payload::MAX_BYTES)]
    TooLarge,
    /// Not an event with a `detail`. The reader's own words would repeat it.
    #[error("payload: not an event with a `detail`")]
    NotAnEvent,
}

impl Payload {
    /// The greatest size of what is read back: EventBridge's bound for an event.
    pub const MAX_BYTES: usize = 1_048_576;

    /// Compresses JSON text.
    pub fn new(json: &str) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder
            .write_all(json.as_bytes())
            .expect("writing to a vector does not fail");
        Self(encoder.finish().expect("writing to a vector does not fail"))
    }

    /// From the gzip that [`as_gzip`](Self::as_gzip) gave.
    pub fn from_gzip(gzip: Vec<u8>) -> Self {
        Self(gzip)
    }

    /// The gzip to store.
    pub fn as_gzip(&self) -> &[u8] {
        &self.0
    }

    /// The length of its JSON form in the workflow, in bytes.
    pub fn base64_len(&self) -> usize {
        self.0.len().div_ceil(3) * 4
    }

    /// What the gzip says at its end of the length of what it holds.
    fn claimed_len(&self) -> usize {
        let last = self.0.last_chunk().copied().unwrap_or_default();
        usize::try_from(u32::from_le_bytes(last)).unwrap_or(usize::MAX)
    }

    /// The JSON bytes, as they were given.
    pub fn read(&self) -> Result<Vec<u8>, PayloadError> {
        let mut json = Vec::with_capacity(self.claimed_len().min(Self::MAX_BYTES) + 1);
        GzDecoder::new(self.0.as_slice())
            .take(Self::MAX_BYTES as u64 + 1)
            .read_to_end(&mut json)
            .map_err(PayloadError::Gzip)?;
        if json.len() > Self::MAX_BYTES {
            return Err(PayloadError::TooLarge);
        }
        Ok(json)
    }
}

/// Shows the size only: a payload never gets into a log.
impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Payload({} bytes of gzip)", self.0.len())
    }
}

impl serde::Serialize for Payload {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for Payload {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD
            .decode(text)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("payload: not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(payload: &str) -> Message {
        let customer_id: CustomerId = "acme".parse().unwrap();
        Message {
            id: MessageId::from_event_id(&customer_id, "e"),
            customer_id,
            event_type: "order \"created\"".parse().unwrap(),
            time: "2026-01-31T09:30:00Z".into(),
            deadline: Some(Timestamp::from_millis(1_800_000_000_000)),
            is_test: true,
            payload: Payload::new(payload),
        }
    }

    /// Its members in no usual order, with spaces and numbers that no float holds.
    const EVENT: &str =
        r#"{ "detail" : {"n": 12345678901234567890,"d":0.10,"e":1E-7} ,"x":-0.0,"id":"e"}"#;

    fn body(event: &str, format: PayloadFormat) -> String {
        String::from_utf8(message(event).body(format).unwrap()).unwrap()
    }

    #[test]
    fn each_format_holds_its_part_of_the_event_byte_for_byte() {
        assert_eq!(
            body(EVENT, PayloadFormat::Standard),
            r#"{"type":"order \"created\"","timestamp":"2026-01-31T09:30:00Z","data":{"n": 12345678901234567890,"d":0.10,"e":1E-7}}"#
        );
        assert_eq!(
            body(EVENT, PayloadFormat::Detail),
            r#"{"n": 12345678901234567890,"d":0.10,"e":1E-7}"#
        );
        assert_eq!(body(EVENT, PayloadFormat::Event), EVENT);
    }

    #[test]
    fn a_payload_that_is_no_event_has_no_detail() {
        for bad in ["", "7", "{}", "[]"] {
            let body = message(bad).body(PayloadFormat::Detail);
            assert!(matches!(body, Err(PayloadError::NotAnEvent)), "{bad}");
        }
    }

    #[test]
    fn a_payload_that_unpacks_beyond_the_bound_is_refused() {
        let bomb = Payload::new(&" ".repeat(Payload::MAX_BYTES + 1));
        assert!(matches!(bomb.read(), Err(PayloadError::TooLarge)));
        let broken = Payload::from_gzip(b"not gzip".to_vec());
        assert!(matches!(broken.read(), Err(PayloadError::Gzip(_))));
    }

    #[test]
    fn debug_shows_no_payload() {
        assert!(!format!("{:?}", message(r#"{"card":"4242"}"#)).contains("4242"));
    }

    proptest! {
        #[test]
        fn a_payload_survives_the_workflow(text in ".{0,2000}") {
            let message = message(&text);
            let json = serde_json::to_string(&message).unwrap();
            let back: Message = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&back, &message);
            prop_assert_eq!(back.payload.read().unwrap(), text.as_bytes());
        }

        #[test]
        fn base64_len_is_the_length_of_the_json_form(text in ".{0,500}") {
            let payload = Payload::new(&text);
            let json = serde_json::to_string(&payload).unwrap();
            prop_assert_eq!(payload.base64_len() + 2, json.len());
        }
    }
}
