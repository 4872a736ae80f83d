//! Turns a raw `EventBridge` event into a [`Message`], or says what is wrong with it.
//!
//! No number is converted into a float: values are handled as the raw JSON text that the producer
//! put.

use std::str::FromStr;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::errors;
use crate::event_type::EventTypeError;
use crate::ids::{CustomerId, IdError, MessageId};
use crate::members::Members;
use crate::message::{Message, Payload};
use crate::operational::SOURCE;
use crate::timestamp::Timestamp;

/// The largest event, in bytes of JSON: the limit of Step Functions.
pub const MAX_EVENT_BYTES: usize = 262_144;

/// The largest event in the form in which the workflow carries it: see [`Payload::carried_len`].
///
/// Step Functions carries 262,144 bytes between states. The workflow needs the rest for what it
/// adds to an event (see [`crate::look_up::calls_per_page`]).
pub const MAX_CARRIED_BYTES: usize = 245_760;

/// The reason why an event is not valid.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// There is no value at the pointer of the customer id.
    #[error("event has no customer id at `{pointer}`")]
    MissingCustomerId {
        /// The pointer.
        pointer: String,
    },
    /// The value at the pointer is not a customer id.
    #[error("event's customer id at `{pointer}` must be a string or a whole number")]
    CustomerIdType {
        /// The pointer.
        pointer: String,
    },
    /// The customer id breaks a limit.
    #[error("event's customer id at `{pointer}` is not valid")]
    CustomerId {
        /// The pointer.
        pointer: String,
        /// The limit that it breaks.
        source: IdError,
    },
    /// No `detail-type`, or an empty one.
    #[error("event has no `detail-type`")]
    MissingEventType,
    /// The `detail-type` breaks a limit.
    #[error("event's `detail-type` is not valid")]
    EventType(#[from] EventTypeError),
    /// No `detail`, or one that is not an object.
    #[error("event's `detail` must be a JSON object")]
    DetailNotAnObject,
    /// Another field is missing or has the wrong form.
    #[error("event's `{field}`: {problem}")]
    Field {
        /// The field.
        field: String,
        /// The problem with it.
        problem: &'static str,
    },
    /// Not a JSON object at all.
    #[error("input is not a JSON object with an event's fields, see line {line}, column {column}")]
    NotAnEvent {
        /// The position of the error. The parser's own message would repeat the input.
        line: usize,
        /// The position of the error.
        column: usize,
    },
    /// Larger than the workflow can carry.
    #[error("event is {size_bytes} bytes, more than {MAX_EVENT_BYTES}")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// Larger than the workflow can carry, even if compressed.
    #[error("event compresses badly, to {size_bytes} bytes of text, more than {MAX_CARRIED_BYTES}")]
    TooLargeCompressed {
        /// The size of its payload in the form in which the workflow carries it.
        size_bytes: usize,
    },
}

impl EventError {
    /// The error name with which the workflow fails.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::MissingCustomerId { .. } => errors::MISSING_CUSTOMER_ID,
            Self::MissingEventType => errors::MISSING_EVENT_TYPE,
            Self::DetailNotAnObject => errors::DETAIL_NOT_AN_OBJECT,
            Self::TooLarge { .. } | Self::TooLargeCompressed { .. } => errors::EVENT_TOO_LARGE,
            Self::NotAnEvent { .. } => errors::INVALID_INPUT,
            Self::CustomerIdType { .. }
            | Self::CustomerId { .. }
            | Self::EventType(_)
            | Self::Field { .. } => errors::INVALID_EVENT,
        }
    }
}

/// An RFC 6901 JSON pointer over the whole event, such as `/detail/customerId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPointer {
    text: String,
    segments: Vec<String>,
}

/// The text is not a JSON pointer to a value inside the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("JSON pointer `{text}`: must start with `/`, as in `/detail/customerId`")]
pub struct JsonPointerError {
    text: String,
}

impl FromStr for JsonPointer {
    type Err = JsonPointerError;

    fn from_str(text: &str) -> Result<Self, JsonPointerError> {
        let rest = text.strip_prefix('/').ok_or_else(|| JsonPointerError {
            text: text.to_owned(),
        })?;
        let unescape = |segment: &str| segment.replace("~1", "/").replace("~0", "~");
        Ok(Self {
            text: text.to_owned(),
            segments: rest.split('/').map(unescape).collect(),
        })
    }
}

impl JsonPointer {
    /// The raw text of the value at the pointer.
    fn resolve<'a>(&self, json: &'a str) -> Option<&'a str> {
        self.segments.iter().try_fold(json, |json, segment| {
            if let Ok(object) = serde_json::from_str::<Members>(json) {
                return object.get(segment).map(RawValue::get);
            }
            let array: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            array
                .get(segment.parse::<usize>().ok()?)
                .map(|value| value.get())
        })
    }
}

/// Reads events with the pointers of the stack.
#[derive(Debug, Clone)]
pub struct EventReader {
    /// The customer that gets the operational events. If `None`, they are not sent as webhooks.
    pub operator: Option<CustomerId>,
    /// The pointer to the customer id.
    pub customer_id: JsonPointer,
    /// The pointer to the producer's optional idempotency key.
    pub idempotency_key: JsonPointer,
    /// The pointer to the producer's optional deadline.
    pub deadline: JsonPointer,
}

impl EventReader {
    /// Makes the message of an event.
    ///
    /// # Errors
    /// If the event is not valid, with the field's name and the limit.
    pub fn read(&self, event: &str) -> Result<Message, EventError> {
        if event.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLarge {
                size_bytes: event.len(),
            });
        }
        // First checks the grammar of the whole event. Names are read as bytes, and there
        // `serde_json` accepts control characters that JSON forbids.
        let envelope: Members = serde_json::from_str::<IgnoredAny>(event)
            .and_then(|_| serde_json::from_str(event))
            .map_err(|error| EventError::NotAnEvent {
                line: error.line(),
                column: error.column(),
            })?;

        let detail = envelope.get("detail").map_or("", RawValue::get);
        if !detail.starts_with('{') {
            return Err(EventError::DetailNotAnObject);
        }
        let event_type = match envelope.get("detail-type").map(RawValue::get) {
            None | Some(r#""""#) => return Err(EventError::MissingEventType),
            Some(raw) => match string(raw) {
                Some(text) => text.parse()?,
                None => return Err(field("detail-type", not_text(raw, "must be a string"))),
            },
        };
        let time = envelope
            .get("time")
            .and_then(|raw| string(raw.get()))
            .filter(|time| Timestamp::parse_rfc3339(time).is_some())
            .ok_or_else(|| field("time", "must be an RFC 3339 time"))?;
        let source = envelope.get("source").and_then(|raw| string(raw.get()));
        let is_operational = source.as_deref() == Some(SOURCE);
        let customer_id = match &self.operator {
            _ if !is_operational => self.customer_id(event)?,
            Some(operator) => operator.clone(),
            None => return Err(field("source", "is reserved: the stack has no operator")),
        };
        let id = self.message_id(event, &envelope, &customer_id)?;
        let deadline = self.deadline(event)?;

        let payload = Payload::new(event);
        let size_bytes = payload.carried_len();
        if size_bytes > MAX_CARRIED_BYTES {
            return Err(EventError::TooLargeCompressed { size_bytes });
        }
        Ok(Message {
            is_test: false,
            id,
            customer_id,
            event_type,
            time,
            deadline,
            payload,
        })
    }

    fn customer_id(&self, event: &str) -> Result<CustomerId, EventError> {
        let pointer = || self.customer_id.text.clone();
        let raw = match self.customer_id.resolve(event) {
            None | Some("null" | "\"\"") => {
                return Err(EventError::MissingCustomerId { pointer: pointer() });
            }
            Some(raw) => raw,
        };
        let is_whole_number = raw.bytes().all(|b| b.is_ascii_digit());
        let text = if is_whole_number {
            raw.to_owned()
        } else {
            string(raw).ok_or_else(|| match not_text(raw, "") {
                "" => EventError::CustomerIdType { pointer: pointer() },
                problem => field(&self.customer_id.text, problem),
            })?
        };
        text.parse().map_err(|source| EventError::CustomerId {
            pointer: pointer(),
            source,
        })
    }

    fn message_id(
        &self,
        event: &str,
        envelope: &Members,
        customer_id: &CustomerId,
    ) -> Result<MessageId, EventError> {
        match self.idempotency_key.resolve(event) {
            None | Some("null") => {
                let id = name("id", envelope.get("id").map(RawValue::get))?;
                Ok(MessageId::from_event_id(customer_id, &id))
            }
            key => {
                let key = name(&self.idempotency_key.text, key)?;
                let source = key_owner(envelope)?;
                Ok(MessageId::from_idempotency_key(customer_id, &source, &key))
            }
        }
    }

    fn deadline(&self, event: &str) -> Result<Option<Timestamp>, EventError> {
        match self.deadline.resolve(event) {
            None | Some("null") => Ok(None),
            Some(raw) => serde_json::from_str::<String>(raw)
                .ok()
                .and_then(|text| Timestamp::parse_rfc3339(&text))
                .map(Some)
                .ok_or_else(|| field(&self.deadline.text, "must be an RFC 3339 time")),
        }
    }
}

/// The source to which an idempotency key belongs. Only a workflow input that somebody wrote by
/// hand can have none.
fn key_owner(envelope: &Members) -> Result<String, EventError> {
    envelope
        .get("source")
        .map_or(Some(String::new()), |raw| string(raw.get()))
        .filter(|source| !source.contains('\0'))
        .ok_or_else(|| field("source", "must be a string without U+0000"))
}

fn string(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

fn name(of: &str, raw: Option<&str>) -> Result<String, EventError> {
    let problem = "must be a string of 1 to 256 bytes";
    let text = raw.and_then(string);
    text.filter(|name| (1..=256).contains(&name.len()))
        .ok_or_else(|| field(of, raw.map_or(problem, |raw| not_text(raw, problem))))
}

/// The problem with a value that is not a [`string`]: an unpaired surrogate, or else `otherwise`.
fn not_text<'a>(raw: &str, otherwise: &'a str) -> &'a str {
    if raw.starts_with('"') && string(raw).is_none() {
        "must be text without an unpaired surrogate such as \\ud83d"
    } else {
        otherwise
    }
}

fn field(field: &str, problem: &'static str) -> EventError {
    EventError::Field {
        field: field.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload_format::PayloadFormat;
    use proptest::prelude::*;

    fn reader() -> EventReader {
        EventReader {
            operator: None,
            customer_id: "/detail/customerId".parse().unwrap(),
            idempotency_key: "/detail/idempotencyKey".parse().unwrap(),
            deadline: "/detail/webhookDeadline".parse().unwrap(),
        }
    }

    fn event(detail: &str) -> String {
        format!(
            r#"{{"version":"0","id":"e-1","detail-type":"order.created","source":"s","time":"2026-01-31T09:30:00Z","resources":[],"detail":{detail}}}"#
        )
    }

    fn error_type(event: &str) -> &'static str {
        reader().read(event).unwrap_err().error_type()
    }

    #[test]
    fn the_payload_is_the_unchanged_event() {
        let detail = r#"{"customerId":"acme","big":12345678901234567890,"d":0.10,"e":1E-7,"a":[],"u":"ü\u00fc\ud83d\ude00","n":null}"#;
        let event = event(detail);
        let message = reader().read(&event).unwrap();
        let payload = message.payload.read().unwrap();
        assert_eq!(payload, event.as_bytes());
        assert_eq!(crate::message::detail(&payload).unwrap(), detail);
        assert_eq!(message.customer_id.as_str(), "acme");
        assert_eq!(message.event_type.as_str(), "order.created");
        assert_eq!(message.time, "2026-01-31T09:30:00Z");
    }

    #[test]
    fn every_operational_event_belongs_to_the_operator() {
        let own =
            event(r#"{"customerId":"acme"}"#).replace(r#""source":"s""#, r#""source":"webhooks""#);
        let with_operator = EventReader {
            operator: Some("operator".parse().unwrap()),
            ..reader()
        };
        let read = |event: &str| with_operator.read(event).unwrap().customer_id;
        assert_eq!(read(&own).as_str(), "operator");
        assert_eq!(read(&event(r#"{"customerId":"acme"}"#)).as_str(), "acme");
        assert_eq!(error_type(&own), "InvalidEvent");
    }

    #[test]
    fn each_missing_field_has_its_own_error() {
        let good = event(r#"{"customerId":"acme"}"#);
        assert!(reader().read(&good).is_ok());
        assert_eq!(error_type(&event("{}")), "MissingCustomerId");
        assert_eq!(
            error_type(&event(r#"{"customerId":null}"#)),
            "MissingCustomerId"
        );
        assert_eq!(
            error_type(&event(r#"{"customerId":""}"#)),
            "MissingCustomerId"
        );
        assert_eq!(error_type(&event("[]")), "DetailNotAnObject");
        assert_eq!(error_type(&event("\"{}\"")), "DetailNotAnObject");
        assert_eq!(error_type(&event("null")), "DetailNotAnObject");
        assert_eq!(
            error_type(&good.replace("order.created", "")),
            "MissingEventType"
        );
        assert_eq!(
            error_type(&good.replace("detail-type", "type")),
            "MissingEventType"
        );
        assert_eq!(error_type(&good.replace("e-1", "")), "InvalidEvent");
        assert_eq!(
            error_type(&good.replace("2026", "last year")),
            "InvalidEvent"
        );
        assert_eq!(
            error_type(&good.replace("\"order.created\"", "7")),
            "InvalidEvent"
        );
        assert_eq!(error_type(&event(r#"{"customerId":{}}"#)), "InvalidEvent");
        assert_eq!(error_type(&event(r#"{"customerId":1.5}"#)), "InvalidEvent");
        assert_eq!(
            error_type(&event(r#"{"customerId":"a/b"}"#)),
            "InvalidEvent"
        );
        assert_eq!(
            error_type(&event(r#"{"customerId":"a","idempotencyKey":7}"#)),
            "InvalidEvent"
        );
        assert_eq!(error_type("[]"), "InvalidInput");
        assert_eq!(error_type("7"), "InvalidInput");
    }

    #[test]
    fn a_customer_id_may_be_a_whole_number() {
        let message = reader()
            .read(&event(r#"{"customerId":90071992547409931}"#))
            .unwrap();
        assert_eq!(message.customer_id.as_str(), "90071992547409931");
    }

    #[test]
    fn an_idempotency_key_replaces_the_event_id() {
        let with_key = event(r#"{"customerId":"acme","idempotencyKey":"k"}"#);
        let id = |event: &str| reader().read(event).unwrap().id;
        assert_eq!(id(&with_key), id(&with_key.replace("e-1", "e-2")));
        let without = event(r#"{"customerId":"acme"}"#);
        assert_ne!(id(&without), id(&without.replace("e-1", "e-2")));
    }

    #[test]
    fn the_idempotency_keys_of_two_sources_are_independent() {
        let of = |source: &str, key: &str| {
            let detail = format!(r#"{{"customerId":"acme","idempotencyKey":"{key}"}}"#);
            let event = event(&detail).replace(r#""source":"s","#, source);
            reader().read(&event).map(|message| message.id)
        };
        let id = of(r#""source":"s","#, "k").unwrap();
        assert_eq!(of(r#""source":"s","#, "k").unwrap(), id);
        assert_ne!(of(r#""source":"t","#, "k").unwrap(), id);
        // An execution that was started by hand, without a source.
        assert_ne!(of("", "k").unwrap(), id);
        for (source, key) in [(r#""source":"s\u0000k","#, "k"), (r#""source":7,"#, "k")] {
            assert!(of(source, key).is_err(), "{source}");
        }
    }

    #[test]
    fn an_error_never_repeats_the_input() {
        let error = reader().read("\"4242 4242\"").unwrap_err();
        assert!(!error.to_string().contains("4242"), "{error}");
    }

    #[test]
    fn a_deadline_is_an_rfc_3339_time() {
        let read = |deadline: &str| {
            reader().read(&event(&format!(
                r#"{{"customerId":"acme","webhookDeadline":{deadline}}}"#
            )))
        };
        let deadline = read(r#""2026-01-31T10:30:00+01:00""#).unwrap().deadline;
        assert_eq!(deadline, Timestamp::parse_rfc3339("2026-01-31T09:30:00Z"));
        assert_eq!(read("null").unwrap().deadline, None);
        for bad in ["1769851800", r#""tomorrow""#, r#""""#, "{}"] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.error_type(), errors::INVALID_EVENT, "{bad}");
            assert!(
                error.to_string().contains("/detail/webhookDeadline"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_event_that_compresses_badly_has_a_lower_size_limit() {
        let mut state = 1_u64;
        let noise: String = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'A' + u8::try_from((state >> 33) % 58).unwrap())
        })
        .map(|noise| if noise == '\\' { '/' } else { noise })
        .take(260_000)
        .collect();
        let event = event(&format!(r#"{{"customerId":"acme","noise":"{noise}"}}"#));
        assert!(event.len() < MAX_EVENT_BYTES);
        let read = reader().read(&event);
        assert!(
            matches!(read, Err(EventError::TooLargeCompressed { .. })),
            "{read:?}"
        );
    }

    #[test]
    fn an_event_above_the_limit_is_too_large() {
        let event = event(&format!(
            r#"{{"customerId":"acme","text":"{}"}}"#,
            "x".repeat(MAX_EVENT_BYTES)
        ));
        assert_eq!(error_type(&event), "EventTooLarge");
    }

    #[test]
    fn a_deeply_nested_detail_is_carried() {
        let detail = format!(
            r#"{{"customerId":"acme","deep":{}1{}}}"#,
            "[".repeat(5_000),
            "]".repeat(5_000)
        );
        let message = reader().read(&event(&detail)).unwrap();
        let body = message.body(PayloadFormat::Detail).unwrap();
        assert_eq!(body, detail.as_bytes());
    }

    #[test]
    fn an_unpaired_surrogate_is_carried_and_hides_no_field() {
        let detail =
            r#"{"\ud83d":1,"customerId":"acme","x":{"\ude00":"\ud83d"},"idempotencyKey":"k"}"#;
        let event = event(detail).replace(r#"{"version""#, r#"{"\udfff":"\ud800","version""#);
        let message = reader().read(&event).unwrap();
        assert_eq!(message.customer_id.as_str(), "acme");
        let plain = self::event(r#"{"customerId":"acme","idempotencyKey":"k"}"#);
        assert_eq!(message.id, reader().read(&plain).unwrap().id);
        assert_eq!(
            message.body(PayloadFormat::Detail).unwrap(),
            detail.as_bytes()
        );
        assert_eq!(
            message.body(PayloadFormat::Event).unwrap(),
            event.as_bytes()
        );
    }

    #[test]
    fn a_name_with_a_raw_control_character_is_not_json() {
        for name in ["reso\nrces", "\u{1}", "a\t"] {
            let event = format!(r#"{{"{name}":[],"detail-type":"a","detail":{{}}}}"#);
            let error = reader().read(&event).unwrap_err();
            assert!(matches!(error, EventError::NotAnEvent { .. }), "{error}");
        }
    }

    #[test]
    fn an_error_names_the_field_of_an_unpaired_surrogate() {
        let good = event(r#"{"customerId":"acme","idempotencyKey":"k"}"#);
        for (what, place) in [
            ("acme", "/detail/customerId"),
            ("\"k", "/detail/idempotencyKey"),
            ("order.created", "detail-type"),
        ] {
            let bad = good.replace(what, &format!("{what}\\ud83d"));
            let error = reader().read(&bad).unwrap_err();
            assert_eq!(error.error_type(), errors::INVALID_EVENT);
            let text = error.to_string();
            assert!(text.contains(place) && text.contains("surrogate"), "{text}");
        }
    }

    #[test]
    fn a_pointer_reads_escapes_and_array_elements() {
        let json = r#"{"a/b":[{"c~d":"x"}]}"#;
        let resolve = |text: &str| text.parse::<JsonPointer>().unwrap().resolve(json);
        assert_eq!(resolve("/a~1b/0/c~0d"), Some("\"x\""));
        assert_eq!(resolve("/a~1b/1"), None);
        assert_eq!(resolve("/nothing"), None);
        assert!("detail".parse::<JsonPointer>().is_err());
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(input in "[ -~]{0,200}") {
            let _ = reader().read(&input);
            let _ = reader().read(&event(&input));
        }
    }
}
