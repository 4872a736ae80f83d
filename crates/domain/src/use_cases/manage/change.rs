//! Changes of a subscription.

use super::{MapChange, Updated};
use crate::event_type::EventTypePatterns;
use crate::fields::FieldError;
use crate::filter::Filter;
use crate::limits::{Limits, MaxInFlight, RateLimit};
use crate::outbound::{Credential, EndpointUrl, Method, QueryParameters, RequestTimeout};
use crate::payload_format::PayloadFormat;
use crate::payload_shape::{ContentType, KeptFields, PayloadShape, PayloadShapeParts, Transform};
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
    /// `payloadFields`
    pub payload_fields: Change<KeptFields>,
    /// `transform`
    pub transform: Change<Transform>,
    /// `contentType`
    pub content_type: Change<ContentType>,
    /// `method`
    pub method: Option<Method>,
    /// `queryParameters`
    pub query: Change<QueryParameters>,
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
    /// `secretHeaders`
    pub secret_headers: MapChange,
    /// `authentication`
    pub authentication: Change<Credential>,
    /// `retryPolicy`
    pub retry_policy: Change<RetryPolicy>,
    /// `secret`
    pub secret: Option<Secret>,
    /// `status`: active or paused.
    pub status: Option<SubscriptionStatus>,
}

impl SubscriptionChange {
    /// The subscription after the change, with its old version, secrets, secret headers and
    /// authentication.
    pub(super) fn apply(self, current: Subscription) -> Result<Subscription, FieldError> {
        let status = self.status.unwrap_or(current.status);
        let is_disabled = status == SubscriptionStatus::Disabled;
        let url = self.url.unwrap_or(current.url);
        let query = match self.query {
            Change::Keep => current.query,
            Change::Remove => QueryParameters::default(),
            Change::Set(query) => query,
        };
        let checked = query.check_with(&url);
        checked.map_err(|error| FieldError::new("queryParameters", error))?;
        let mut parts = current.payload.parts();
        let format = self.payload_format.unwrap_or(parts.format);
        if format != parts.format {
            // They belong to the former format.
            (parts.fields, parts.transform) = (None, None);
        }
        let payload = PayloadShape::new(PayloadShapeParts {
            format,
            fields: self.payload_fields.apply(parts.fields),
            transform: self.transform.apply(parts.transform),
            content_type: self.content_type.apply(parts.content_type),
        })?;
        Ok(Subscription {
            url,
            query,
            method: self.method.unwrap_or(current.method),
            event_types: self.event_types.unwrap_or(current.event_types),
            filter: self.filter.apply(current.filter),
            payload,
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
}

/// A field of a change.
pub(super) trait Field {
    /// Returns true if the change sets or removes the field.
    fn is_change(&self) -> bool;
}

impl<T> Field for Option<T> {
    fn is_change(&self) -> bool {
        self.is_some()
    }
}

impl<T> Field for Change<T> {
    fn is_change(&self) -> bool {
        !matches!(self, Self::Keep)
    }
}

impl Field for MapChange {
    fn is_change(&self) -> bool {
        *self != Self::default()
    }
}

/// Lists the fields that a change can set: the name in the API, the field of the change, and the
/// field of the subscription.
macro_rules! fields {
    ($($name:literal: $change:ident => $($field:ident $(($($none:tt)*))?).+,)+) => {
        impl SubscriptionChange {
            /// Returns true if it changes this field.
            pub(super) fn names(&self, field: &str) -> bool {
                match field {
                    $($name => self.$change.is_change(),)+
                    "secret" => self.secret.is_change(),
                    // Fields that a change cannot set are written with every change.
                    _ => true,
                }
            }
        }

        impl Updated {
            /// The fields that have changed, by their names in the API. The secret is not one.
            pub fn changed_fields(&self) -> Vec<&'static str> {
                let (before, now) = (&self.before, &self.subscription);
                let fields = [$(($name, before.$($field $(($($none)*))?).+ != now.$($field $(($($none)*))?).+)),+];
                let changed = fields.into_iter().filter(|(_, has_changed)| *has_changed);
                changed.map(|(name, _)| name).collect()
            }
        }
    };
}

fields! {
    "url": url => url,
    "eventTypes": event_types => event_types,
    "filter": filter => filter,
    "payloadFormat": payload_format => payload.format(),
    "payloadFields": payload_fields => payload.fields(),
    "transform": transform => payload.transform(),
    "contentType": content_type => payload.content_type,
    "method": method => method,
    "queryParameters": query => query,
    "description": description => description,
    "metadata": metadata => metadata,
    "headers": headers => headers,
    "secretHeaders": secret_headers => secret_headers,
    "authentication": authentication => authentication,
    "timeoutSeconds": timeout => timeout,
    "rateLimitPerSecond": rate_limit => limits.rate,
    "maxInFlight": max_in_flight => limits.in_flight,
    "retryPolicy": retry_policy => retry_policy,
    "status": status => status,
}
