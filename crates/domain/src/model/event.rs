//! Turns a raw `EventBridge` event into a [`Message`], or says what is wrong with it.
//!
//! No number is converted into a float: values are handled as the raw JSON text that the producer
//! put.

mod error;
mod members;
mod pointer;

use serde_json::value::RawValue;

use crate::ids::{CustomerId, MessageId};
use crate::message::{Message, Payload};
use crate::operational::SOURCE;
use crate::timestamp::Timestamp;

use self::members::EventMembers;

pub use error::EventError;
pub use pointer::{JsonPointer, JsonPointerError};

/// The largest event, in bytes of JSON: the limit of Step Functions.
pub const MAX_EVENT_BYTES: usize = 262_144;

/// The largest event in the form in which the workflow carries it: see [`Payload::carried_len`].
///
/// Step Functions carries 262,144 bytes between states. The workflow needs the rest for what it
/// adds to an event (see [`crate::look_up::calls_per_page`]).
pub const MAX_CARRIED_BYTES: usize = 245_760;

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
    /// The pointer to the optional time of the first attempt.
    pub deliver_at: JsonPointer,
}

impl EventReader {
    /// Makes the message of an event.
    ///
    /// # Errors
    /// If the event is not valid, with the field's name and the limit.
    pub fn read(&self, json: &str) -> Result<Message, EventError> {
        if json.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLarge {
                size_bytes: json.len(),
            });
        }
        let event = &EventMembers::read(json)?;
        let envelope = &event.envelope;
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
        let id = self.message_id(event, &customer_id)?;
        let deadline = optional_time(event, &self.deadline)?;
        let deliver_at = optional_time(event, &self.deliver_at)?;
        if deadline.is_some_and(|deadline| deliver_at.is_some_and(|at| at > deadline)) {
            let problem = "must not be before the time of the first attempt";
            return Err(field(&self.deadline.text, problem));
        }

        let payload = Payload::new(json);
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
            deliver_at,
            cancelled_at: None,
            payload,
        })
    }

    fn customer_id(&self, event: &EventMembers) -> Result<CustomerId, EventError> {
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
        event: &EventMembers,
        customer_id: &CustomerId,
    ) -> Result<MessageId, EventError> {
        match self.idempotency_key.resolve(event) {
            None | Some("null") => {
                let id = name("id", event.envelope.get("id").map(RawValue::get))?;
                Ok(MessageId::from_event_id(customer_id, &id))
            }
            key => {
                let key = name(&self.idempotency_key.text, key)?;
                let source = key_owner(event)?;
                Ok(MessageId::from_idempotency_key(customer_id, &source, &key))
            }
        }
    }
}

/// The optional time at this place.
fn optional_time(
    event: &EventMembers,
    place: &JsonPointer,
) -> Result<Option<Timestamp>, EventError> {
    match place.resolve(event) {
        None | Some("null") => Ok(None),
        Some(raw) => serde_json::from_str::<String>(raw)
            .ok()
            .and_then(|text| Timestamp::parse_rfc3339(&text))
            .map(Some)
            .ok_or_else(|| field(&place.text, "must be an RFC 3339 time")),
    }
}

/// The source to which an idempotency key belongs. Only a workflow input that somebody wrote by
/// hand can have none.
fn key_owner(event: &EventMembers) -> Result<String, EventError> {
    event
        .envelope
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
mod tests;
