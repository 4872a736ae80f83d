//! The body of a request that creates or changes a subscription.

use super::MapChange;
use crate::event_type::{EventType, EventTypePatterns};
use crate::fields::{Field, FieldError, fields};
use crate::filter::Filter;
use crate::limits::{Limits, MaxInFlight, RateLimit};
use crate::outbound::{DevelopmentNetworks, EndpointUrl, RequestTimeout};
use crate::payload_format::PayloadFormat;
use crate::retry::RetryPolicy;
use crate::signing::Secret;
use crate::subscription::{Description, SubscriptionStatus};

/// The names of all fields that a request may set.
const FIELDS: &str = "url, eventTypes, filter, payloadFormat, description, metadata, headers, \
                      timeoutSeconds, rateLimitPerSecond, maxInFlight, retryPolicy, secret, status";

/// The fields of a request. `None` if the field is absent.
///
/// The inner `None` of a nested option is JSON `null`: remove the field.
#[derive(Debug, Default)]
pub struct SubscriptionChange {
    /// `url`
    pub url: Option<EndpointUrl>,
    /// `eventTypes`
    pub event_types: Option<EventTypePatterns>,
    /// `filter`
    pub filter: Option<Option<Filter>>,
    /// `payloadFormat`
    pub payload_format: Option<PayloadFormat>,
    /// `timeoutSeconds`
    pub timeout: Option<Option<RequestTimeout>>,
    /// `rateLimitPerSecond`
    pub rate_limit: Option<Option<RateLimit>>,
    /// `maxInFlight`
    pub max_in_flight: Option<Option<MaxInFlight>>,
    /// `metadata`
    pub metadata: MapChange,
    /// `description`
    pub description: Option<Option<Description>>,
    /// `headers`
    pub headers: MapChange,
    /// `retryPolicy`
    pub retry_policy: Option<Option<RetryPolicy>>,
    /// `secret`
    pub secret: Option<Secret>,
    /// `status`: `active` or `paused`.
    pub status: Option<SubscriptionStatus>,
}

impl SubscriptionChange {
    /// Parses a JSON body.
    ///
    /// # Errors
    /// Names the first field that is unknown or not valid.
    pub fn parse(body: &[u8], development: &DevelopmentNetworks) -> Result<Self, FieldError> {
        let mut change = Self::default();
        for (name, value) in &fields(body)? {
            let value = Field::new(name, value);
            match name.as_str() {
                "url" => change.url = Some(value.url(development)?),
                "eventTypes" => change.event_types = Some(value.read()?),
                "filter" => change.filter = Some(value.filter()?),
                "description" => change.description = Some(value.read()?),
                "headers" => change.headers = value.map()?,
                "payloadFormat" => change.payload_format = Some(value.payload_format()?),
                "timeoutSeconds" => change.timeout = Some(value.read()?),
                "rateLimitPerSecond" => change.rate_limit = Some(value.read()?),
                "maxInFlight" => change.max_in_flight = Some(value.read()?),
                "metadata" => change.metadata = value.map()?,
                "retryPolicy" => change.retry_policy = Some(value.read()?),
                "secret" => change.secret = Some(value.secret()?),
                "status" => change.status = Some(value.status()?),
                _ => {
                    return Err(value.unknown(FIELDS));
                }
            }
        }
        Ok(change)
    }

    /// Returns true if the request has this field.
    pub(super) fn names(&self, field: &str) -> bool {
        let map = |change: &MapChange| *change != MapChange::default();
        match field {
            "url" => self.url.is_some(),
            "eventTypes" => self.event_types.is_some(),
            "filter" => self.filter.is_some(),
            "payloadFormat" => self.payload_format.is_some(),
            "timeoutSeconds" => self.timeout.is_some(),
            "rateLimitPerSecond" => self.rate_limit.is_some(),
            "maxInFlight" => self.max_in_flight.is_some(),
            "metadata" => map(&self.metadata),
            "description" => self.description.is_some(),
            "headers" => map(&self.headers),
            "retryPolicy" => self.retry_policy.is_some(),
            "secret" => self.secret.is_some(),
            "status" => self.status.is_some(),
            // Fields that a request cannot set are written with every change.
            _ => true,
        }
    }

    /// The limits after the change.
    pub(super) fn limits(&self, before: Limits) -> Limits {
        Limits {
            rate: self.rate_limit.unwrap_or(before.rate),
            in_flight: self.max_in_flight.unwrap_or(before.in_flight),
        }
    }
}

/// Checks that a body has no fields: it must be empty or `{}`.
///
/// # Errors
/// Names the first field, or says that the body is not an object.
pub fn no_fields(body: &[u8]) -> Result<(), FieldError> {
    if body.is_empty() {
        return Ok(());
    }
    match fields(body)?.into_keys().next() {
        None => Ok(()),
        Some(name) => Err(FieldError::new(&name, "is not a field; there are none")),
    }
}

/// Reads the event type of a test from a body, which may be absent.
///
/// # Errors
/// Names the first field that is unknown or not valid.
pub fn test_event_type(body: &[u8]) -> Result<EventType, FieldError> {
    let mut event_type = None;
    if !body.is_empty() {
        for (name, value) in &fields(body)? {
            let value = Field::new(name, value);
            match name.as_str() {
                "eventType" => event_type = Some(value.read()?),
                _ => return Err(value.unknown("eventType")),
            }
        }
    }
    Ok(event_type.unwrap_or_else(EventType::of_a_test))
}

impl Field<'_> {
    fn url(&self, development: &DevelopmentNetworks) -> Result<EndpointUrl, FieldError> {
        EndpointUrl::parse(&self.text()?, development).map_err(|error| self.error(error))
    }

    fn map(&self) -> Result<MapChange, FieldError> {
        Ok(self
            .read::<Option<_>>()?
            .map_or(MapChange::RemoveAll, MapChange::Merge))
    }

    pub(super) fn secret(&self) -> Result<Secret, FieldError> {
        self.text()?.parse().map_err(|error| self.error(error))
    }

    fn payload_format(&self) -> Result<PayloadFormat, FieldError> {
        match self.text()?.as_str() {
            "standard" => Ok(PayloadFormat::Standard),
            "detail" => Ok(PayloadFormat::Detail),
            "event" => Ok(PayloadFormat::Event),
            _ => Err(self.error("must be `standard`, `detail` or `event`")),
        }
    }

    fn status(&self) -> Result<SubscriptionStatus, FieldError> {
        match self.text()?.as_str() {
            "active" => Ok(SubscriptionStatus::Active),
            "paused" => Ok(SubscriptionStatus::Paused),
            _ => Err(self.error("must be `active` or `paused`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<SubscriptionChange, FieldError> {
        SubscriptionChange::parse(body.as_bytes(), &DevelopmentNetworks::none())
    }

    #[test]
    fn every_field_is_read() {
        let change = parse(
            r#"{"url":"https://example.com/hook","eventTypes":["order.*"],"filter":{"total":[{"numeric":[">",123456789012345]}]},
                "payloadFormat":"detail","timeoutSeconds":7,"rateLimitPerSecond":5,"maxInFlight":2,"metadata":{"plan":"gold"},
                "description":"d","headers":{"x-team":"a"},"secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","status":"paused"}"#,
        )
        .unwrap();
        assert_eq!(change.url.unwrap().as_str(), "https://example.com/hook");
        assert!(
            change
                .filter
                .unwrap()
                .unwrap()
                .as_str()
                .contains("123456789012345")
        );
        assert_eq!(change.status, Some(SubscriptionStatus::Paused));
        assert_eq!(change.payload_format, Some(PayloadFormat::Detail));
        assert_eq!(change.timeout, Some(Some(7.try_into().unwrap())));
        let one = |name: &str, value: &str| {
            MapChange::Merge([(name.to_owned(), Some(value.to_owned()))].into())
        };
        assert_eq!(change.headers, one("x-team", "a"));
        assert_eq!(change.metadata, one("plan", "gold"));
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let change = parse(
            r#"{"url":"https://example.com/","timeoutSeconds":7.0,"rateLimitPerSecond":5e0,"maxInFlight":2.0,
                "retryPolicy":{"maxAttempts":5.0,"intervalSeconds":1.0,"backoffRate":2,"maxDelaySeconds":6e1}}"#,
        )
        .unwrap();
        assert_eq!(change.timeout, Some(Some(7.try_into().unwrap())));
        assert_eq!(change.rate_limit, Some(Some(5.try_into().unwrap())));
        assert_eq!(change.max_in_flight, Some(Some(2.try_into().unwrap())));
        let policy = RetryPolicy::backoff(5, 1, 2.0, 60).unwrap();
        assert_eq!(change.retry_policy, Some(Some(policy)));
        let schedule = parse(r#"{"retryPolicy":{"schedule":[0.0,5.0]}}"#).unwrap();
        let policy = RetryPolicy::schedule(vec![0, 5]).unwrap();
        assert_eq!(schedule.retry_policy, Some(Some(policy)));
        for field in ["timeoutSeconds", "rateLimitPerSecond", "maxInFlight"] {
            let refused = parse(&format!(r#"{{"{field}":1.5}}"#)).unwrap_err();
            assert!(refused.problem.contains("a whole number"), "{refused}");
        }
    }

    #[test]
    fn a_test_has_a_type_by_default() {
        assert_eq!(test_event_type(b"").unwrap().as_str(), "webhook.test");
        assert_eq!(test_event_type(b"{}").unwrap().as_str(), "webhook.test");
        let chosen = test_event_type(br#"{"eventType":"order.created"}"#).unwrap();
        assert_eq!(chosen.as_str(), "order.created");
        for (body, field) in [
            ("[]", "body"),
            (r#"{"type":"order.created"}"#, "type"),
            (r#"{"eventType":null}"#, "eventType"),
            (r#"{"eventType":""}"#, "eventType"),
            (r#"{"eventType":["order.created"]}"#, "eventType"),
        ] {
            let refused = test_event_type(body.as_bytes()).unwrap_err();
            assert_eq!(refused.field, field, "{body}");
        }
    }

    #[test]
    fn null_removes_an_optional_field() {
        let change = parse(r#"{"filter":null,"description":null,"headers":null,"metadata":null,"timeoutSeconds":null}"#).unwrap();
        assert_eq!(change.filter, Some(None));
        assert_eq!(change.description, Some(None));
        assert_eq!(change.headers, MapChange::RemoveAll);
        assert_eq!(change.metadata, MapChange::RemoveAll);
        assert_eq!(change.timeout, Some(None));
    }

    #[test]
    fn every_bad_input_names_its_field() {
        for (body, field) in [
            ("", "body"),
            ("[]", "body"),
            ("{", "body"),
            ("\"x\"", "body"),
            (r#"{"urls":"https://example.com/"}"#, "urls"),
            (r#"{"url":7}"#, "url"),
            (r#"{"url":null}"#, "url"),
            (r#"{"url":"http://example.com/"}"#, "url"),
            (r#"{"url":"https://169.254.169.254/"}"#, "url"),
            (r#"{"eventTypes":"order.created"}"#, "eventTypes"),
            (r#"{"eventTypes":[]}"#, "eventTypes"),
            (r#"{"eventTypes":["ord*"]}"#, "eventTypes"),
            (r#"{"eventTypes":[1]}"#, "eventTypes"),
            (r#"{"filter":"x"}"#, "filter"),
            (r#"{"filter":{"a":"b"}}"#, "filter"),
            (r#"{"description":7}"#, "description"),
            (r#"{"description":"a\u0000"}"#, "description"),
            (r#"{"headers":{"x-team":7}}"#, "headers"),
            (r#"{"headers":["x"]}"#, "headers"),
            (r#"{"secret":"password"}"#, "secret"),
            (r#"{"secret":null}"#, "secret"),
            (r#"{"payloadFormat":"raw"}"#, "payloadFormat"),
            (r#"{"payloadFormat":null}"#, "payloadFormat"),
            (r#"{"timeoutSeconds":0}"#, "timeoutSeconds"),
            (r#"{"rateLimitPerSecond":0}"#, "rateLimitPerSecond"),
            (r#"{"rateLimitPerSecond":201}"#, "rateLimitPerSecond"),
            (r#"{"rateLimitPerSecond":0.5}"#, "rateLimitPerSecond"),
            (r#"{"maxInFlight":0}"#, "maxInFlight"),
            (r#"{"maxInFlight":"2"}"#, "maxInFlight"),
            (r#"{"timeoutSeconds":31}"#, "timeoutSeconds"),
            (r#"{"timeoutSeconds":1.5}"#, "timeoutSeconds"),
            (r#"{"timeoutSeconds":"5"}"#, "timeoutSeconds"),
            (r#"{"metadata":{"plan":7}}"#, "metadata"),
            (r#"{"metadata":["x"]}"#, "metadata"),
            (r#"{"status":"disabled"}"#, "status"),
            (r#"{"status":true}"#, "status"),
        ] {
            assert_eq!(parse(body).unwrap_err().field, field, "{body}");
        }
    }

    #[test]
    fn a_body_without_fields_is_empty_or_an_empty_object() {
        assert_eq!(no_fields(b""), Ok(()));
        assert_eq!(no_fields(b" {} "), Ok(()));
        assert_eq!(no_fields(br#"{"at":1}"#).unwrap_err().field, "at");
        assert_eq!(no_fields(b"[]").unwrap_err().field, "body");
        assert_eq!(no_fields(b"null").unwrap_err().field, "body");
    }

    #[test]
    fn an_error_never_repeats_a_secret() {
        for body in [r#"{"secret":"whsec_hunter2"}"#, r#""whsec_hunter2""#] {
            let error = parse(body).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
