//! Duplicates: events whose message was there already.
//!
//! An event that comes again says the same as its message, and nobody needs to hear of it. A
//! producer that uses an idempotency key twice for different events loses the second one: the
//! first one wins. That is a [`Conflict`], and leaves a trace.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::LookUpError;
use crate::event::EventReader;
use crate::filter::says_the_same;
use crate::ids::MessageId;
use crate::members::Members;
use crate::message::{self, Message, Payload, PayloadError};
use crate::ports::{MessageStore, StoreError};

/// What the workflow passes of an event whose message was there already. Its message is made
/// anew: whoever starts the workflow by hand with such an input names no message of others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    #[serde(rename = "duplicate")]
    payload: Payload,
}

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// `None` when the two say the same, or the message is not there any more.
    pub conflict: Option<Conflict>,
}

/// An event that has the id of a message and says something else. It is not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// The message's id.
    pub message_id: MessageId,
    /// The event that came later.
    pub dropped: Origin,
    /// The event that the message was made of.
    pub kept: Origin,
}

/// Where an event comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The event's id.
    pub id: String,
    /// Its source.
    pub source: String,
}

impl Origin {
    /// The most letters of each: what comes from EventBridge has fewer.
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
    /// Holds the event against the message that is there: its type and its detail, as values.
    /// The rest of an event is EventBridge's, and may differ.
    ///
    /// # Errors
    /// When the event is none, or the message cannot be read.
    pub async fn compare(
        &self,
        reader: &EventReader,
        messages: &impl MessageStore,
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
