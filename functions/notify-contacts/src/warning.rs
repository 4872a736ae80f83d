//! The warnings in the queue: events of the bus, in the form of `events/schemas`.

use serde::Deserialize;
use serde_json::error::Category;
use webhooks_domain::ids::{CustomerId, SubscriptionId};

/// The event type of a warning.
const WARNING: &str = "subscription.warning";

/// The queue message is not a warning. Nothing of the message is in the error, because that may be an
/// address, and addresses are in no log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WarningError {
    /// It is not an event of the bus, or lacks a field of a warning.
    #[error(
        "the queue message is not a warning: {category:?} error in line {line}, column {column}"
    )]
    Malformed {
        /// The kind of the problem.
        category: Category,
        /// Its line, from 1.
        line: usize,
        /// Its column.
        column: usize,
    },
    /// It is another event.
    #[error("the queue message is another event")]
    AnotherEvent,
}

impl From<serde_json::Error> for WarningError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed {
            category: error.classify(),
            line: error.line(),
            column: error.column(),
        }
    }
}

#[derive(Deserialize)]
struct EventType {
    #[serde(rename = "detail-type")]
    detail_type: String,
}

#[derive(Deserialize)]
struct Event {
    detail: Warning,
}

/// A warning to the contacts of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Warning {
    pub(crate) customer_id: CustomerId,
    pub(crate) subscription_id: SubscriptionId,
    pub(crate) step: Step,
    pub(crate) endpoint: String,
    pub(crate) failing_since: Option<String>,
    pub(crate) disabled_at: Option<String>,
    pub(crate) certificate_not_after: Option<String>,
    pub(crate) reason: Option<Reason>,
    pub(crate) last_attempt: LastAttempt,
    pub(crate) contacts: Vec<String>,
}

/// The step of a failing period, or of the end of a client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Step {
    FailingForAnHour,
    FailingForADay,
    HalfTimeToDisabling,
    Disabled,
    Recovered,
    CertificateExpires,
    CertificateExpired,
}

/// The reason why a subscription was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Reason {
    EndpointGone,
    Failing,
}

/// The attempt after which the step was reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastAttempt {
    pub(crate) at: String,
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<u16>,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    Succeeded,
    HttpError,
    TimedOut,
    Unreachable,
    Blocked,
    NoToken,
}

impl Warning {
    /// Reads a queue message.
    pub(crate) fn read(body: &str) -> Result<Self, WarningError> {
        let event: EventType = serde_json::from_str(body)?;
        if event.detail_type != WARNING {
            return Err(WarningError::AnotherEvent);
        }
        // Read from the text once more, and not from a value, so that an error has its place.
        let event: Event = serde_json::from_str(body)?;
        Ok(event.detail)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use webhooks_domain::health::WarningStep;
    use webhooks_domain::operational::Kind;
    use webhooks_domain::outbound::AttemptOutcome;

    use super::*;

    #[test]
    fn every_step_and_outcome_of_an_event_is_understood() {
        assert_eq!(WARNING, Kind::SubscriptionWarning.as_str());
        let sample = include_str!("../../../events/operational/subscription.warning.json");
        let sample: Value = serde_json::from_str(sample).unwrap();
        for step in WarningStep::NAMES {
            let mut event = sample.clone();
            event["detail"]["step"] = json!(step);
            Warning::read(&event.to_string()).unwrap();
        }
        for outcome in [
            AttemptOutcome::Succeeded,
            AttemptOutcome::HttpError,
            AttemptOutcome::TimedOut,
            AttemptOutcome::Unreachable,
            AttemptOutcome::Blocked,
            AttemptOutcome::NoToken,
        ] {
            let mut event = sample.clone();
            event["detail"]["lastAttempt"]["outcome"] = json!(outcome);
            Warning::read(&event.to_string()).unwrap();
        }
    }

    #[test]
    fn an_error_has_the_place_and_no_text_of_the_message() {
        let sample = include_str!("../../../events/operational/subscription.warning.json");
        let sample: Value = serde_json::from_str(sample).unwrap();
        let secret = "secret@example.com";
        for field in [
            "customerId",
            "subscriptionId",
            "step",
            "reason",
            "lastAttempt",
            "contacts",
        ] {
            let mut event = sample.clone();
            event["detail"][field] = json!(secret);
            let body = serde_json::to_string_pretty(&event).unwrap();
            let Err(error) = Warning::read(&body) else {
                // Any text is an id of a customer.
                continue;
            };
            let shown = webhooks_lambda::with_sources(&error);
            assert!(!shown.contains("secret"), "{field}: {shown}");
            let WarningError::Malformed { line, column, .. } = error else {
                panic!("{field}: {shown}");
            };
            assert!(line > 1 && column > 0, "{field}: {shown}");
        }
        let mut event = sample.clone();
        event["detail-type"] = json!(secret);
        let error = Warning::read(&event.to_string()).unwrap_err();
        assert_eq!(error, WarningError::AnotherEvent);
        assert!(!error.to_string().contains("secret"), "{error}");
        let error = Warning::read("not JSON").unwrap_err();
        let expected = "the queue message is not a warning: Syntax error in line 1, column 2";
        assert_eq!(error.to_string(), expected);
    }
}
