//! A subscription: a customer's endpoint, what it wants, and how it is signed for.

mod broken;
mod page;

pub use crate::health::DisabledReason;
pub use broken::BrokenSubscription;
pub use page::SubscriptionPage;

use crate::event_type::EventTypePatterns;
use crate::filter::{Answer, Document, Filter, FilterError};
use crate::health::{Endpoint, Health};
use crate::ids::{CustomerId, SubscriptionId};
use crate::limits::Limits;
use crate::message::Message;
use crate::metadata::Metadata;
use crate::outbound::{CustomHeaders, EndpointUrl, RequestTimeout};
use crate::payload_format::PayloadFormat;
use crate::retry::RetryPolicy;
use crate::signing::SealedSecrets;
use crate::timestamp::Timestamp;

/// Whether a subscription's deliveries are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubscriptionStatus {
    /// They are sent.
    Active,
    /// The customer or the operator asked to hold them.
    Paused,
    /// The system holds them: [`Disabled`] says why.
    Disabled,
}

impl SubscriptionStatus {
    /// The status word in a log, as in the table and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}

/// Why the system has stopped sending to an endpoint, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    /// Why.
    pub reason: DisabledReason,
    /// Since when.
    pub at: Timestamp,
}

/// A customer's endpoint and what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Where its webhooks go.
    pub url: EndpointUrl,
    /// The event types that it wants.
    pub event_types: EventTypePatterns,
    /// Which payloads of these types it wants; all when there is none.
    pub filter: Option<Filter>,
    /// In which form it gets its events.
    pub payload_format: PayloadFormat,
    /// A note for people.
    pub description: Option<Description>,
    /// What its owner notes beside it, for programs.
    pub metadata: Metadata,
    /// Headers sent with each of its webhooks.
    pub headers: CustomHeaders,
    /// How long its endpoint may take for a request, if not as long as the stack says.
    pub timeout: Option<RequestTimeout>,
    /// How much its endpoint takes.
    pub limits: Limits,
    /// How its deliveries are retried; as the stack says when there is none.
    pub retry_policy: Option<RetryPolicy>,
    /// The secrets that sign, encrypted.
    pub secrets: SealedSecrets,
    /// Whether its deliveries are sent.
    pub status: SubscriptionStatus,
    /// Why it is disabled, while it is.
    pub disabled: Option<Disabled>,
    /// How its endpoint fares. Only the system writes it, and without counting a version.
    pub health: Health,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, so that two editors do not overwrite each other.
    pub version: u64,
}

/// What a stored subscription takes beside its texts: names, numbers, ids and its health.
const FIXED_BYTES: usize = 420;
/// What a name and a value, or an entry of a list, takes beside its text.
const ENTRY_BYTES: usize = 8;
/// What a secret takes beside what is sealed: its numbers and its public key.
const SECRET_BYTES: usize = 64;

impl Subscription {
    /// About as many bytes as its stored item has, and no fewer.
    pub fn size_bytes(&self) -> usize {
        let pair = |(name, value): (&str, &str)| ENTRY_BYTES + name.len() + value.len();
        let filter = self.filter.as_ref();
        let description = self.description.as_ref();
        let policy = self.retry_policy.as_ref();
        FIXED_BYTES
            + self.customer_id.as_str().len() * 2
            + self.url.as_str().len()
            + self
                .event_types
                .iter()
                .map(|name| ENTRY_BYTES + name.len())
                .sum::<usize>()
            + filter.map_or(0, |filter| filter.as_str().len())
            + description.map_or(0, |description| description.0.len())
            + self.metadata.iter().map(pair).sum::<usize>()
            + self.headers.iter().map(pair).sum::<usize>()
            + policy.map_or(0, RetryPolicy::size_bytes)
            + self
                .secrets
                .iter()
                .map(|(secret, _)| SECRET_BYTES + secret.sealed.len())
                .sum::<usize>()
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.id, &self.url, &self.headers)
    }

    /// Whether the other one sends to the same endpoint in the same way: to the same URL with
    /// the same headers. Then what was seen of its endpoint counts for the other, too.
    pub fn has_endpoint_of(&self, other: &Self) -> bool {
        self.url == other.url && self.headers == other.headers
    }

    /// Whether it wants the message, whose event's `detail` is given. Nobody wants a test: it
    /// is sent to one subscription, because somebody asked for it.
    ///
    /// # Errors
    /// When its filter cannot be evaluated.
    pub fn wants(&self, message: &Message, detail: &Document) -> Result<Answer, FilterError> {
        let without_filter = |is_wanted| Answer {
            is_wanted,
            steps: 0,
            is_given_up: false,
        };
        if message.is_test || !self.event_types.matches(&message.event_type) {
            return Ok(without_filter(false));
        }
        self.filter
            .as_ref()
            .map_or(Ok(without_filter(true)), |filter| filter.answer(detail))
    }
}

impl Subscription {
    /// Whether its filter is one that can be evaluated. One that was stored under other rules
    /// may not be.
    pub fn has_readable_filter(&self) -> bool {
        let filter = self.filter.as_ref();
        filter.is_none_or(|filter| filter.matches("{}").is_ok())
    }
}

/// A note for people: at most 512 characters, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Description(String);

/// A text that is no description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// Too long.
    #[error("must be at most {max} characters, is {len}", max = Description::MAX_CHARS)]
    Length {
        /// The length that was given, in characters.
        len: usize,
    },
    /// There is a control character in it.
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl Description {
    /// The greatest length, in characters.
    pub const MAX_CHARS: usize = 512;

    /// A text as it was stored: the bounds of that time were applied when it was.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

impl TryFrom<String> for Description {
    type Error = DescriptionError;

    fn try_from(text: String) -> Result<Self, DescriptionError> {
        let len = text.chars().count();
        if len > Self::MAX_CHARS {
            return Err(DescriptionError::Length { len });
        }
        if text.chars().any(char::is_control) {
            return Err(DescriptionError::ControlCharacter);
        }
        Ok(Self(text))
    }
}

impl From<Description> for String {
    fn from(description: Description) -> Self {
        description.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_bounded() {
        assert!(Description::try_from("ü".repeat(512)).is_ok());
        assert!(Description::try_from("ü".repeat(513)).is_err());
        assert!(Description::try_from("a\nb".to_owned()).is_err());
    }
}
