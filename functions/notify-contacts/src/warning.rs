//! The warnings in the queue: events of the bus, in the form of `events/schemas`.

use serde::Deserialize;
use webhooks_domain::ids::{CustomerId, SubscriptionId};

/// The event type of a warning.
const WARNING: &str = "subscription.warning";

/// The queue message is not a warning.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WarningError {
    /// It is not an event of the bus, or lacks a field of a warning.
    #[error("the queue message is not a warning")]
    Malformed(#[from] serde_json::Error),
    /// It is another event.
    #[error("the queue message is the event `{0}`")]
    AnotherEvent(String),
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: serde_json::Value,
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
    pub(crate) reason: Option<Reason>,
    pub(crate) last_attempt: LastAttempt,
    pub(crate) contacts: Vec<String>,
}

/// The step of a failing period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Step {
    FailingForAnHour,
    FailingForADay,
    HalfTimeToDisabling,
    Disabled,
    Recovered,
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
        let event: Event = serde_json::from_str(body)?;
        if event.detail_type != WARNING {
            return Err(WarningError::AnotherEvent(event.detail_type));
        }
        Ok(serde_json::from_value(event.detail)?)
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
}
