//! Reads the fields of the form.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use webhooks_api_types::{
    Event, Filter, Nullable, PayloadFormat, RequestMethod, RetryBackoff, RetryPolicy,
    RetrySchedule, WholeNumber,
};

use super::{Button, EndpointForm, RetryForm, RetryKind};
use crate::problem::FormProblem;
use crate::text::editable;

impl EndpointForm {
    /// Reads the body of a request, `application/x-www-form-urlencoded`. Unknown fields, such as
    /// the token, are left out.
    pub fn parse(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(body) {
            // The ends of a secret belong to it.
            if name == "authenticationSecret" {
                form.authentication.secret = value.into_owned();
                continue;
            }
            let value = entered(&value);
            match &*name {
                "url" => form.url = value,
                "eventTypes" => form.event_types = value,
                "filter" => form.filter = value,
                "event" => form.event = value,
                "example" => form.example = value,
                "description" => form.description = value,
                "payloadFormat" => form.payload_format = value,
                "payloadFields" => form.shape.fields = value,
                "transformPaths" => form.shape.paths = value,
                "transform" => form.shape.template = value,
                "contentType" => form.shape.content_type = value,
                "method" => form.shape.method = value,
                "queryParameters" => form.shape.query = value,
                "headers" => form.headers = value,
                "secretHeaders" => form.secret_headers = value,
                "removeSecretHeader" => form.removed_secret_headers.push(value),
                "authentication" => form.authentication.kind = value,
                "authenticationUsername" => form.authentication.username = value,
                "authenticationHeader" => form.authentication.header = value,
                "tokenUrl" => form.authentication.token_url = value,
                "clientId" => form.authentication.client_id = value,
                "scope" => form.authentication.scope = value,
                "audience" => form.authentication.audience = value,
                "clientAuthentication" => form.authentication.client_authentication = value,
                "authenticationCertificate" => form.authentication.certificate = value,
                "authenticationPrivateKey" => form.authentication.private_key = value,
                "retry" => form.retry.kind = RetryKind::read(&value),
                "schedule" => form.retry.schedule = value,
                "maxAttempts" => form.retry.max_attempts = value,
                "intervalSeconds" => form.retry.interval_seconds = value,
                "backoffRate" => form.retry.backoff_rate = value,
                "maxDelaySeconds" => form.retry.max_delay_seconds = value,
                "jitter" => form.retry.jitter = value,
                "timeoutSeconds" => form.timeout_seconds = value,
                "rateLimitPerSecond" => form.rate_limit_per_second = value,
                "maxInFlight" => form.max_in_flight = value,
                "version" => form.version = value,
                "once" => form.once = value,
                "button" if value == "try" => form.button = Button::Try,
                "button" if value == "tryTransform" => form.button = Button::TryTransform,
                _ => {}
            }
        }
        form
    }
}

impl RetryKind {
    /// The value of the field `retry`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Schedule => "schedule",
            Self::Backoff => "backoff",
        }
    }

    fn read(name: &str) -> Self {
        let kinds = [Self::Schedule, Self::Backoff];
        let kind = kinds.into_iter().find(|kind| kind.name() == name);
        kind.unwrap_or_default()
    }
}

impl RetryForm {
    /// The policy; `None` for that of the stack.
    pub(super) fn policy(&self) -> Result<Option<RetryPolicy>, FormProblem> {
        let jitter = match self.jitter.as_str() {
            "" => None,
            text => Some(decimal("retryPolicy.jitter", text)?),
        };
        Ok(match self.kind {
            RetryKind::Default => None,
            RetryKind::Schedule => {
                let delays = self.schedule.split([',', ' ', '\n']);
                let delays = delays.filter(|delay| !delay.is_empty());
                let schedule = delays.map(|delay| whole("retryPolicy.schedule", delay));
                Some(RetryPolicy::Schedule(RetrySchedule {
                    schedule: schedule.collect::<Result<_, _>>()?,
                    jitter,
                }))
            }
            RetryKind::Backoff => Some(RetryPolicy::Backoff(RetryBackoff {
                max_attempts: whole("retryPolicy.maxAttempts", &self.max_attempts)?,
                interval_seconds: whole("retryPolicy.intervalSeconds", &self.interval_seconds)?,
                backoff_rate: decimal("retryPolicy.backoffRate", &self.backoff_rate)?,
                max_delay_seconds: whole("retryPolicy.maxDelaySeconds", &self.max_delay_seconds)?,
                jitter,
            })),
        })
    }
}

/// A text as a form gives it: browsers end each line in the same way, and the ends of a text do not
/// survive.
fn entered(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .trim()
        .to_owned()
}

/// What a form gives for this content of a field if nobody edits it.
pub(super) fn unedited(content: &str) -> String {
    entered(&editable(content))
}

/// Lines `name: value`. Names are in lower case, as in the API's answers.
pub(super) fn lines(field: &str, text: &str) -> Result<BTreeMap<String, String>, FormProblem> {
    named_lines(field, text, str::to_ascii_lowercase)
}

/// Lines `name: value`.
pub(super) fn pairs(field: &str, text: &str) -> Result<BTreeMap<String, String>, FormProblem> {
    named_lines(field, text, str::to_owned)
}

fn named_lines(
    field: &str,
    text: &str,
    name_of: fn(&str) -> String,
) -> Result<BTreeMap<String, String>, FormProblem> {
    let mut pairs = BTreeMap::new();
    let lines = text.lines().enumerate();
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        let Some((name, value)) = line.split_once(':') else {
            let text = format!("line {number}: must be `name: value`");
            return Err(FormProblem::of(field, text));
        };
        let name = name_of(name.trim());
        if pairs.insert(name, value.trim().to_owned()).is_some() {
            let text = format!("line {number}: has the name of an earlier line");
            return Err(FormProblem::of(field, text));
        }
    }
    Ok(pairs)
}

/// Event types, separated by line feeds or commas.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = text.split(['\n', ',']).map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// JSON pointers, one a line. A pointer may have a comma.
pub(super) fn pointers(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) fn filter(json: &str) -> Result<Filter, FormProblem> {
    let filter = Filter::from_json(json.to_owned());
    filter.map_err(|error| FormProblem::of("filter", format!("is not JSON: {error}")))
}

pub(super) fn event(json: &str) -> Result<Event, FormProblem> {
    serde_json::from_str(json).map_err(|error| FormProblem::of("event", error.to_string()))
}

/// An event with all of its fields.
pub(super) fn raw_event(json: &str) -> Result<Box<RawValue>, FormProblem> {
    serde_json::from_str(json).map_err(|error| FormProblem::of("event", error.to_string()))
}

pub(super) fn method(text: &str) -> Result<RequestMethod, FormProblem> {
    let json = serde_json::Value::String(text.to_owned());
    let method = if text.is_empty() {
        Ok(RequestMethod::default())
    } else {
        serde_json::from_value(json)
    };
    method.map_err(|_| FormProblem::of("method", "must be one of the choices"))
}

pub(super) fn payload_format(text: &str) -> Result<PayloadFormat, FormProblem> {
    let format = PayloadFormat::ALL
        .into_iter()
        .find(|format| format.to_string() == text);
    format.ok_or_else(|| FormProblem::of("payloadFormat", "must be one of the choices"))
}

pub(super) fn nullable_number(
    field: &str,
    text: &str,
) -> Result<Nullable<WholeNumber>, FormProblem> {
    Ok(match text {
        "" => Nullable::Null,
        text => Nullable::Value(WholeNumber(whole(field, text)?)),
    })
}

/// A whole number. One that is too large is read as the largest, which every bound refuses.
fn whole(field: &str, text: &str) -> Result<u32, FormProblem> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    if is_number {
        Ok(text.parse().unwrap_or(u32::MAX))
    } else {
        Err(FormProblem::of(field, "must be a whole number"))
    }
}

fn decimal(field: &str, text: &str) -> Result<f64, FormProblem> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| FormProblem::of(field, "must be a number"))
}
