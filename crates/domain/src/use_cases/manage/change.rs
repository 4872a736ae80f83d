//! Changes of a subscription.

use super::MapChange;
use crate::event_type::EventTypePatterns;
use crate::fields::FieldError;
use crate::filter::Filter;
use crate::limits::{Limits, MaxInFlight, RateLimit};
use crate::outbound::{EndpointUrl, RequestTimeout};
use crate::payload_format::PayloadFormat;
use crate::retry::RetryPolicy;
use crate::signing::Secret;
use crate::subscription::{Description, Subscription, SubscriptionStatus};

/// The change of an optional field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// The field stays.
    #[default]
    Keep,
    /// The field is removed.
    Remove,
    /// The field gets this value.
    Set(T),
}

impl<T> Change<T> {
    /// The field after the change.
    pub fn apply(self, current: Option<T>) -> Option<T> {
        match self {
            Self::Keep => current,
            Self::Remove => None,
            Self::Set(value) => Some(value),
        }
    }

    fn is_change(&self) -> bool {
        !matches!(self, Self::Keep)
    }
}

/// The changes of a subscription's fields. By default all fields stay.
#[derive(Debug, Default)]
pub struct SubscriptionChange {
    /// `url`
    pub url: Option<EndpointUrl>,
    /// `eventTypes`
    pub event_types: Option<EventTypePatterns>,
    /// `filter`
    pub filter: Change<Filter>,
    /// `payloadFormat`
    pub payload_format: Option<PayloadFormat>,
    /// `timeoutSeconds`
    pub timeout: Change<RequestTimeout>,
    /// `rateLimitPerSecond`
    pub rate_limit: Change<RateLimit>,
    /// `maxInFlight`
    pub max_in_flight: Change<MaxInFlight>,
    /// `metadata`
    pub metadata: MapChange,
    /// `description`
    pub description: Change<Description>,
    /// `headers`
    pub headers: MapChange,
    /// `retryPolicy`
    pub retry_policy: Change<RetryPolicy>,
    /// `secret`
    pub secret: Option<Secret>,
    /// `status`: active or paused.
    pub status: Option<SubscriptionStatus>,
}

impl SubscriptionChange {
    /// The subscription after the change, with its old version and secrets.
    pub(super) fn apply(self, current: Subscription) -> Result<Subscription, FieldError> {
        let status = self.status.unwrap_or(current.status);
        let is_disabled = status == SubscriptionStatus::Disabled;
        Ok(Subscription {
            url: self.url.unwrap_or(current.url),
            event_types: self.event_types.unwrap_or(current.event_types),
            filter: self.filter.apply(current.filter),
            payload_format: self.payload_format.unwrap_or(current.payload_format),
            description: self.description.apply(current.description),
            metadata: self.metadata.metadata(current.metadata)?,
            headers: self.headers.headers(current.headers)?,
            timeout: self.timeout.apply(current.timeout),
            limits: Limits {
                rate: self.rate_limit.apply(current.limits.rate),
                in_flight: self.max_in_flight.apply(current.limits.in_flight),
            },
            retry_policy: self.retry_policy.apply(current.retry_policy),
            status,
            disabled: current.disabled.filter(|_| is_disabled),
            ..current
        })
    }

    /// Returns true if it changes this field.
    pub(super) fn names(&self, field: &str) -> bool {
        let map = |change: &MapChange| *change != MapChange::default();
        match field {
            "url" => self.url.is_some(),
            "eventTypes" => self.event_types.is_some(),
            "filter" => self.filter.is_change(),
            "payloadFormat" => self.payload_format.is_some(),
            "timeoutSeconds" => self.timeout.is_change(),
            "rateLimitPerSecond" => self.rate_limit.is_change(),
            "maxInFlight" => self.max_in_flight.is_change(),
            "metadata" => map(&self.metadata),
            "description" => self.description.is_change(),
            "headers" => map(&self.headers),
            "retryPolicy" => self.retry_policy.is_change(),
            "secret" => self.secret.is_some(),
            "status" => self.status.is_some(),
            // Fields that a change cannot set are written with every change.
            _ => true,
        }
    }
}
