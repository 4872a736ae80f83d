//! A subscription: a customer's endpoint, its event types and filter, and its secrets.

mod broken;
mod page;
mod unhealthy;

pub use crate::health::DisabledReason;
pub use broken::BrokenSubscription;
pub use page::SubscriptionPage;
pub use unhealthy::{ProblemKind, SubscriptionProblem, UnhealthyPlace};

use std::time::Duration;

use crate::event_type::EventTypePatterns;
use crate::filter::{Answer, Document, Filter, FilterError};
use crate::health::{Endpoint, Health, Warning, WarningStep};
use crate::ids::{CustomerId, SubscriptionId};
use crate::limits::Limits;
use crate::message::Message;
use crate::metadata::Metadata;
use crate::outbound::authentication::CertificateEnd;
use crate::outbound::{
    CustomHeaders, EndpointUrl, Method, QueryParameters, RequestShape, RequestTimeout,
    SealedCredential, SealedHeaders,
};
use crate::payload_shape::PayloadShape;
use crate::retry::RetryPolicy;
use crate::signing::SealedSecrets;
use crate::text::{Text, TextError};
use crate::timestamp::Timestamp;

/// The status of a subscription, which decides if its deliveries are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubscriptionStatus {
    /// They are sent.
    Active,
    /// The customer or the operator has paused them.
    Paused,
    /// The system holds them: [`Disabled`] has the reason.
    Disabled,
}

impl SubscriptionStatus {
    /// The name of the status in logs, in the table and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}

/// The reason and the time at which the system stopped sending to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    /// The reason.
    pub reason: DisabledReason,
    /// The time.
    pub at: Timestamp,
}

/// A customer's endpoint and the events that it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The customer.
    pub customer_id: CustomerId,
    /// The URL of its endpoint.
    pub url: EndpointUrl,
    /// The event types that match.
    pub event_types: EventTypePatterns,
    /// A condition on the payload. Without one all payloads match.
    pub filter: Option<Filter>,
    /// The shape of its payloads.
    pub payload: PayloadShape,
    /// The method of its requests.
    pub method: Method,
    /// The query parameters of its requests, in addition to those of the URL.
    pub query: QueryParameters,
    /// A note for people.
    pub description: Option<Description>,
    /// The owner's notes for programs.
    pub metadata: Metadata,
    /// Headers sent with each of its webhooks.
    pub headers: CustomHeaders,
    /// Headers sent with each of its webhooks, with encrypted values.
    pub secret_headers: SealedHeaders,
    /// The authentication of its requests, with an encrypted secret.
    pub authentication: Option<SealedCredential>,
    /// The timeout of its requests, if it is not the stack's.
    pub timeout: Option<RequestTimeout>,
    /// The limits of its endpoint.
    pub limits: Limits,
    /// The retry policy, if it is not the stack's.
    pub retry_policy: Option<RetryPolicy>,
    /// The signing secrets, encrypted.
    pub secrets: SealedSecrets,
    /// The status.
    pub status: SubscriptionStatus,
    /// The reason and time, while it is disabled.
    pub disabled: Option<Disabled>,
    /// The time at which its owner was last told that it is disabled. It stays when it is enabled
    /// again.
    pub disabled_warned_at: Option<Timestamp>,
    /// The last warning of the end of a client certificate. It stays when the certificate is replaced.
    pub certificate_warned: Option<CertificateWarned>,
    /// The health of its endpoint. Only the system writes it, and without a new version.
    pub health: Health,
    /// The time at which it was created.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The number of its changes, so that two editors do not overwrite each other.
    pub version: u64,
    /// The version since which its [requests](Self::request_shape) are the same.
    pub request_version: u64,
}

/// The requests of a subscription before a change of them, or before its deletion. Attempts name
/// them by their version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerRequests {
    /// The customer.
    pub customer_id: CustomerId,
    /// The subscription.
    pub subscription_id: SubscriptionId,
    /// The version since which they were the same.
    pub version: u64,
    /// The requests.
    pub shape: RequestShape,
    /// The time after which no delivery has an attempt that names them.
    pub expires_at: Timestamp,
}

/// A warning to the owner of an endpoint of the end of a client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateWarned {
    /// The time of the warning.
    pub at: Timestamp,
    /// The end of the certificate.
    pub not_after: Timestamp,
}

/// The stored size of a subscription without its texts: names, numbers, ids and its health.
const FIXED_BYTES: usize = 528;
/// The stored size of a name and a value, or of a list entry, without its text.
const ENTRY_BYTES: usize = 8;
/// The stored size of a secret without the encrypted part: its numbers and its public key.
const SECRET_BYTES: usize = 64;

impl Subscription {
    /// The shortest time between two warnings that it is disabled, or of the ends of two client
    /// certificates. Its owner can enable it at any time, and let it be disabled by the next answer,
    /// and can replace a certificate at any time. So this is what bounds the messages.
    pub const WARNED_AGAIN_AFTER: Duration = Duration::from_hours(6);

    /// Returns true if its owner is told when it is disabled at this time.
    pub fn warns_of_disabling(&self, now: Timestamp) -> bool {
        self.disabled_warned_at
            .is_none_or(|warned| now.since(warned) >= Self::WARNED_AGAIN_AFTER)
    }

    /// The time at which its owner was last told that it is disabled, once it is disabled at this
    /// time.
    pub fn disabled_warned_after(&self, now: Timestamp) -> Timestamp {
        self.disabled_warned_at
            .filter(|_| !self.warns_of_disabling(now))
            .unwrap_or(now)
    }

    /// The warning about the end of its client certificate that is due at this time. Each distance to
    /// the end is a step, which is due once. Its owner can replace a certificate at any time, so that
    /// of another one the first warning comes some hours after the last one of the former.
    ///
    /// Returns also what is stored of the warning.
    pub fn certificate_warning(&self, now: Timestamp) -> Option<(Warning, CertificateWarned)> {
        let authentication = self.authentication.as_ref()?;
        let not_after = authentication.authentication.certificate_not_after()?;
        let warned_of = match self.certificate_warned {
            Some(last) if last.not_after == not_after => CertificateEnd::of(not_after, last.at),
            Some(last) if now.since(last.at) < Self::WARNED_AGAIN_AFTER => return None,
            Some(_) | None => CertificateEnd::Far,
        };
        let end = CertificateEnd::of(not_after, now);
        let step = match end {
            CertificateEnd::Passed => WarningStep::CertificateExpired,
            _ => WarningStep::CertificateExpires,
        };
        let warning = Warning {
            step,
            failing_since: self.health.failing_since,
            disabled_at: None,
            certificate_not_after: Some(not_after),
        };
        (end > warned_of).then_some((warning, CertificateWarned { at: now, not_after }))
    }

    /// An upper estimate of its stored size, in bytes.
    pub fn size_bytes(&self) -> usize {
        let pair = |(name, value): (&str, &str)| ENTRY_BYTES + name.len() + value.len();
        let sealed = |(name, value): (&str, &[u8])| ENTRY_BYTES + name.len() + value.len();
        let filter = self.filter.as_ref();
        let description = self.description.as_ref();
        let policy = self.retry_policy.as_ref();
        let authentication = self.authentication.as_ref();
        FIXED_BYTES
            + self.customer_id.as_str().len() * 2
            + self.url.as_str().len()
            + self
                .event_types
                .iter()
                .map(|name| ENTRY_BYTES + name.len())
                .sum::<usize>()
            + filter.map_or(0, |filter| filter.as_str().len())
            + description.map_or(0, |description| description.as_str().len())
            + self.metadata.iter().map(pair).sum::<usize>()
            + self.headers.iter().map(pair).sum::<usize>()
            + self.secret_headers.iter().map(sealed).sum::<usize>()
            + authentication.map_or(0, SealedCredential::size_bytes)
            + self.query.iter().map(pair).sum::<usize>()
            + self.payload.size_bytes()
            + policy.map_or(0, RetryPolicy::size_bytes)
            + self
                .secrets
                .iter()
                .map(|(secret, _)| SECRET_BYTES + secret.sealed.len())
                .sum::<usize>()
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> Endpoint {
        let url = self.url.with_query(&self.query);
        Endpoint::new(
            self.id,
            self.method,
            &url,
            &self.headers,
            &self.secret_headers,
            self.authentication.as_ref(),
        )
    }

    /// Returns true if both send to the same endpoint: the same URL, with the same method, query
    /// parameters, headers and authentication. Then the observed health is valid for both.
    pub fn has_endpoint_of(&self, other: &Self) -> bool {
        self.url == other.url
            && self.method == other.method
            && self.query == other.query
            && self.headers == other.headers
            && self.secret_headers == other.secret_headers
            && self.authentication == other.authentication
    }

    /// The form of its requests.
    pub fn request_shape(&self) -> RequestShape {
        let authentication = self.authentication.as_ref();
        let authentication = authentication.and_then(|it| it.authentication.header_name());
        let names = self.secret_headers.names().chain(authentication);
        let mut secret_headers: Vec<_> = names.map(str::to_owned).collect();
        secret_headers.sort_unstable();
        RequestShape {
            url: self.url.clone(),
            headers: self.headers.clone(),
            secret_headers,
            method: self.method,
            query: self.query.clone(),
            payload: self.payload.clone(),
        }
    }

    /// The version that a new delivery names, because the format of its payload does not say
    /// everything about its shape.
    pub fn shape_version(&self) -> Option<u64> {
        (!self.payload.is_of_format()).then_some(self.request_version)
    }

    /// Its requests as they are kept for the attempts that were made so far.
    pub fn former_requests(&self, expires_at: Timestamp) -> FormerRequests {
        FormerRequests {
            customer_id: self.customer_id.clone(),
            subscription_id: self.id,
            version: self.request_version,
            shape: self.request_shape(),
            expires_at,
        }
    }

    /// Matches the subscription with the message, whose event's `detail` is given. Test messages
    /// match no subscription, so only the one under test receives them.
    ///
    /// # Errors
    /// If its filter cannot be evaluated.
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
    /// Returns true if its filter can be evaluated. A filter that was stored under older rules may
    /// not be.
    pub fn has_readable_filter(&self) -> bool {
        let filter = self.filter.as_ref();
        filter.is_none_or(|filter| filter.matches("{}").is_ok())
    }
}

/// A note for people.
pub type Description = Text<0, 512>;

/// The text is not a description.
pub type DescriptionError = TextError<0, 512>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_limited() {
        assert!(Description::try_from("ü".repeat(512)).is_ok());
        assert!(Description::try_from("ü".repeat(513)).is_err());
        assert!(Description::try_from("a\nb".to_owned()).is_err());
    }
}
