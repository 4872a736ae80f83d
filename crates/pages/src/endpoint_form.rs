//! The form of an endpoint: its fields as texts, and the request that they become.
//!
//! The fields have the names of the API, so that the API's problems name them. The API checks the
//! values; this module only reads their form.

mod authentication;
mod read;
mod shape;

pub use authentication::AuthenticationForm;
pub use shape::ShapeForm;

use std::collections::BTreeMap;

use webhooks_api_types::{
    Filter, FilterTest, MapPatch, Nullable, PayloadFormat, RetryPolicy, Subscription,
    SubscriptionPatch, TransformTest,
};

use crate::problem::FormProblem;

/// The fields of the form, as they were entered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointForm {
    /// The URL.
    pub url: String,
    /// The event types, one a line.
    pub event_types: String,
    /// The filter, as JSON.
    pub filter: String,
    /// An event on which the filter is tried, as JSON.
    pub event: String,
    /// An event type on whose example the transform is tried, instead of the event.
    pub example: String,
    /// A note for people.
    pub description: String,
    /// A format of the API.
    pub payload_format: String,
    /// The shape of the payload, and the request.
    pub shape: ShapeForm,
    /// The headers, `name: value`, one a line.
    pub headers: String,
    /// New values of secret headers, `name: value`, one a line.
    pub secret_headers: String,
    /// The names of the secret headers to remove.
    pub removed_secret_headers: Vec<String>,
    /// The authentication.
    pub authentication: AuthenticationForm,
    /// The retry policy.
    pub retry: RetryForm,
    /// The time limit of a request, in seconds.
    pub timeout_seconds: String,
    /// The most webhooks a second.
    pub rate_limit_per_second: String,
    /// The most requests at once.
    pub max_in_flight: String,
    /// The version that the form was made of. Empty for a new endpoint.
    pub version: String,
    /// The name of the new endpoint's form, so that a form that is sent twice adds one endpoint.
    pub once: String,
    /// The button with which the form was sent.
    pub button: Button,
}

/// The retry policy, as it was entered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryForm {
    /// The form of the policy.
    pub kind: RetryKind,
    /// The seconds before each attempt, separated by commas.
    pub schedule: String,
    /// The number of attempts of a backoff.
    pub max_attempts: String,
    /// The seconds before the second attempt.
    pub interval_seconds: String,
    /// The factor by which each further wait grows.
    pub backoff_rate: String,
    /// The longest wait, in seconds.
    pub max_delay_seconds: String,
    /// The share of a delay that may be added to it.
    pub jitter: String,
}

/// The form of a retry policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RetryKind {
    /// The policy of the stack.
    #[default]
    Default,
    /// The seconds before each attempt.
    Schedule,
    /// An exponential backoff.
    Backoff,
}

/// The button with which a form was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Button {
    /// Create or change the endpoint.
    #[default]
    Save,
    /// Try the filter on the event.
    Try,
    /// Try the transform on the event.
    TryTransform,
}

impl EndpointForm {
    /// The form of a new endpoint.
    pub fn new() -> Self {
        Self {
            payload_format: PayloadFormat::Standard.to_string(),
            event: EXAMPLE_EVENT.to_owned(),
            ..Self::default()
        }
    }

    /// The form of an endpoint.
    pub fn of(subscription: &Subscription) -> Self {
        let number = |number: Option<u64>| number.map_or_else(String::new, |it| it.to_string());
        let headers = &subscription.headers;
        let headers = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"));
        Self {
            url: subscription.url.clone(),
            event_types: subscription.event_types.join("\n"),
            filter: subscription
                .filter
                .as_ref()
                .map_or_else(String::new, Filter::to_string),
            description: subscription.description.clone().unwrap_or_default(),
            payload_format: subscription.payload_format.to_string(),
            shape: ShapeForm::of(subscription),
            headers: headers.collect::<String>().trim_end().to_owned(),
            authentication: AuthenticationForm::of(subscription),
            retry: RetryForm::of(subscription.retry_policy.as_ref()),
            timeout_seconds: number(subscription.timeout_seconds),
            rate_limit_per_second: number(subscription.rate_limit_per_second),
            max_in_flight: number(subscription.max_in_flight),
            version: subscription.version.to_string(),
            ..Self::new()
        }
    }

    /// The request that this form stands for: all fields of a new endpoint, or the fields in which
    /// it differs from `before`.
    ///
    /// # Errors
    /// If a field has not the form that the page asks for.
    pub fn patch(&self, before: Option<&Subscription>) -> Result<SubscriptionPatch, FormProblem> {
        let was = before.map(Self::of);
        let changed = |field: fn(&Self) -> &str| {
            let (new, old) = (field(self), was.as_ref().map_or("", field));
            (new != read::unedited(old)).then_some(new)
        };
        let mut patch = SubscriptionPatch {
            url: changed(|form| &form.url)
                .or_else(|| before.is_none().then_some(""))
                .map(str::to_owned),
            description: changed(|form| &form.description).map_or(Nullable::Absent, nullable_text),
            headers: nullable_map(changes(
                &read::lines("headers", &self.headers)?,
                before.map(|before| &before.headers),
            )),
            secret_headers: nullable_map(self.secret_header_changes()?),
            ..SubscriptionPatch::default()
        };
        if changed(|form| &form.event_types).is_some() || before.is_none() {
            patch.event_types = Some(read::words(&self.event_types));
        }
        if let Some(filter) = changed(|form| &form.filter) {
            patch.filter = match filter {
                "" => Nullable::Null,
                json => Nullable::Value(read::filter(json)?),
            };
        }
        if let Some(format) = changed(|form| &form.payload_format) {
            patch.payload_format = Some(read::payload_format(format)?);
        }
        self.shape
            .add_to(&mut patch, was.as_ref().map(|was| &was.shape))?;
        self.authentication
            .add_to(&mut patch, was.as_ref().map(|was| &was.authentication))?;
        if was.as_ref().map(|was| &was.retry) != Some(&self.retry) {
            patch.retry_policy = match self.retry.policy()? {
                Some(policy) => Nullable::Value(policy),
                None if before.is_none() => Nullable::Absent,
                None => Nullable::Null,
            };
        }
        if let Some(text) = changed(|form| &form.timeout_seconds) {
            patch.timeout_seconds = read::nullable_number("timeoutSeconds", text)?;
        }
        if let Some(text) = changed(|form| &form.rate_limit_per_second) {
            patch.rate_limit_per_second = read::nullable_number("rateLimitPerSecond", text)?;
        }
        if let Some(text) = changed(|form| &form.max_in_flight) {
            patch.max_in_flight = read::nullable_number("maxInFlight", text)?;
        }
        Ok(patch)
    }

    /// The filter and the event to try it on.
    ///
    /// # Errors
    /// If one of them is not JSON, or the event has no `detail`.
    pub fn filter_test(&self) -> Result<FilterTest, FormProblem> {
        Ok(FilterTest {
            filter: read::filter(&self.filter)?,
            event: read::event(&self.event)?,
        })
    }

    /// The transform and the event to try it on.
    ///
    /// # Errors
    /// If one of them has not the form that the page asks for.
    pub fn transform_test(&self) -> Result<TransformTest, FormProblem> {
        let example = Some(&self.example).filter(|example| !example.is_empty());
        Ok(TransformTest {
            transform: self.shape.transform()?,
            content_type: self.shape.own_content_type(),
            event: match example {
                Some(_) => None,
                None => Some(read::raw_event(&self.event)?),
            },
            example: example.cloned(),
        })
    }

    fn secret_header_changes(&self) -> Result<MapPatch, FormProblem> {
        let removed = self.removed_secret_headers.iter();
        let mut changes: MapPatch = removed.map(|name| (name.clone(), None)).collect();
        for (name, value) in read::lines("secretHeaders", &self.secret_headers)? {
            changes.insert(name, Some(value));
        }
        Ok(changes)
    }
}

/// The event that a new form has, in the form that EventBridge gives it.
const EXAMPLE_EVENT: &str =
    "{\n  \"detail-type\": \"order.created\",\n  \"detail\": {\"order\": {\"total\": 120}}\n}";

impl RetryForm {
    fn of(policy: Option<&RetryPolicy>) -> Self {
        let jitter = |jitter: Option<f64>| jitter.map_or_else(String::new, |it| it.to_string());
        match policy {
            None => Self::default(),
            Some(RetryPolicy::Schedule(policy)) => {
                let delays: Vec<_> = policy.schedule.iter().map(u32::to_string).collect();
                Self {
                    kind: RetryKind::Schedule,
                    schedule: delays.join(", "),
                    jitter: jitter(policy.jitter),
                    ..Self::default()
                }
            }
            Some(RetryPolicy::Backoff(policy)) => Self {
                kind: RetryKind::Backoff,
                max_attempts: policy.max_attempts.to_string(),
                interval_seconds: policy.interval_seconds.to_string(),
                backoff_rate: policy.backoff_rate.to_string(),
                max_delay_seconds: policy.max_delay_seconds.to_string(),
                jitter: jitter(policy.jitter),
                ..Self::default()
            },
        }
    }
}

fn nullable_text(text: &str) -> Nullable<String> {
    match text {
        "" => Nullable::Null,
        text => Nullable::Value(text.to_owned()),
    }
}

fn nullable_map(changes: MapPatch) -> Nullable<MapPatch> {
    if changes.is_empty() {
        Nullable::Absent
    } else {
        Nullable::Value(changes)
    }
}

/// The names whose values differ. A name that is missing now is removed.
fn changes(now: &BTreeMap<String, String>, before: Option<&BTreeMap<String, String>>) -> MapPatch {
    let empty = BTreeMap::new();
    let before = before.unwrap_or(&empty);
    let removed = before.keys().filter(|name| !now.contains_key(*name));
    let mut changes: MapPatch = removed.map(|name| (name.clone(), None)).collect();
    for (name, value) in now {
        if before.get(name) != Some(value) {
            changes.insert(name.clone(), Some(value.clone()));
        }
    }
    changes
}

#[cfg(test)]
mod tests;
