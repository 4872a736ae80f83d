//! Duplicates: events whose message already exists.
//!
//! A repeated event usually has the same content as its message, and needs no report. But if a
//! producer uses an idempotency key for two different events, the second event is lost, because the
//! first one is kept. This is a [`Conflict`], and leaves a trace.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::LookUpError;
use crate::event::EventReader;
use crate::filter::says_the_same;
use crate::ids::MessageId;
use crate::members::Members;
use crate::message::{self, Message, Payload, PayloadError};
use crate::ports::{DeliveryReader, StoreError};

/// The part of a repeated event that the workflow passes on. The message is derived from it again,
/// so an input that somebody made by hand cannot name another customer's message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    #[serde(rename = "duplicate")]
    payload: Payload,
}

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// `None` if the contents are equal, or the message no longer exists.
    pub conflict: Option<Conflict>,
}

/// An event with the id of a message but other content. It is not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The message's id.
    pub message_id: MessageId,
    /// The later event.
    pub dropped: Origin,
    /// The event from which the message was made.
    pub kept: Origin,
}

/// The origin of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The event's id.
    pub id: String,
    /// The event's source.
    pub source: String,
}

impl Origin {
    /// The largest length of each, in letters. Values from EventBridge are shorter.
    const MAX_LETTERS: usize = 256;

    fn of(event: &[u8]) -> Self {
        let members: Members = serde_json::from_slice(event).unwrap_or_default();
        let text = |name: &str| {
            let raw = members.get(name).map_or("", RawValue::get);
            let text: String = serde_json::from_str(raw).unwrap_or_default();
            text.chars().take(Self::MAX_LETTERS).collect()
        };
        Self {
            id: text("id"),
            source: text("source"),
        }
    }
}

impl Duplicate {
    /// Compares the type and the detail of the event with the existing message, by value. Other
    /// fields are set by EventBridge, and may differ.
    ///
    /// # Errors
    /// If the event is not valid, or the message cannot be read.
    pub async fn compare(
        &self,
        reader: &EventReader,
        messages: &impl DeliveryReader,
    ) -> Result<Comparison, LookUpError> {
        let event = self.payload.read()?;
        let text = str::from_utf8(&event).map_err(|_| PayloadError::NotAnEvent)?;
        let dropped = reader.read(text)?;
        let Some(kept) = messages.message(&dropped.id).await? else {
            return Ok(Comparison { conflict: None });
        };
        let kept_event = kept
            .payload
            .read()
            .map_err(|error| unreadable(&kept, &error))?;
        let kept_detail =
            message::detail(&kept_event).map_err(|error| unreadable(&kept, &error))?;
        let is_same = kept.event_type == dropped.event_type
            && says_the_same(kept_detail, message::detail(&event)?);
        let conflict = (!is_same).then(|| Conflict {
            message_id: dropped.id,
            dropped: Origin::of(&event),
            kept: Origin::of(&kept_event),
        });
        Ok(Comparison { conflict })
    }
}

fn unreadable(kept: &Message, error: &PayloadError) -> StoreError {
    StoreError::Corrupt {
        key: kept.id.to_string(),
        problem: error.to_string(),
    }
}
