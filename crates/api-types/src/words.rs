//! Deliveries and attempts in words, for the command line and for the pages.

use http::StatusCode;

use crate::{Attempt, AttemptOutcome, Delivery, DeliveryReason, DeliveryStatus};

/// Describes an attempt in a few words: `answered 503`, `timed out`.
pub fn brief(attempt: &Attempt) -> String {
    match (attempt.outcome, attempt.status) {
        (AttemptOutcome::Succeeded | AttemptOutcome::HttpError, Some(status)) => {
            format!("answered {status}")
        }
        (outcome, _) => outcome.to_string(),
    }
}

/// Describes the outcome of an attempt and its meaning.
pub fn outcome(attempt: &Attempt) -> String {
    let error = attempt.error.as_deref();
    match attempt.outcome {
        AttemptOutcome::Succeeded | AttemptOutcome::HttpError => {
            let status = attempt.status.unwrap_or_default();
            let mut text = match canonical(status) {
                Some(name) => format!("answered {status} {name}"),
                None => format!("answered {status}"),
            };
            if let Some(meaning) = meaning(status) {
                text.push_str(": ");
                text.push_str(meaning);
            }
            text
        }
        AttemptOutcome::TimedOut => with_error("no answer in time", error),
        AttemptOutcome::Unreachable => with_error("not reached", error),
        AttemptOutcome::Blocked => match error {
            // The error begins with the same word.
            Some(error) => format!("{error}; nothing was sent"),
            None => "blocked; nothing was sent".to_owned(),
        },
        AttemptOutcome::NoToken => {
            with_error("not sent, because no access token was granted", error)
        }
    }
}

fn with_error(text: &str, error: Option<&str>) -> String {
    match error {
        Some(error) => format!("{text}: {error}"),
        None => text.to_owned(),
    }
}

fn canonical(status: u16) -> Option<&'static str> {
    StatusCode::from_u16(status).ok()?.canonical_reason()
}

/// Explains the meaning of a status.
fn meaning(status: u16) -> Option<&'static str> {
    Some(match status {
        300..400 => {
            "redirects are not followed; the subscription's url must be the redirect's target"
        }
        400 | 422 => "the endpoint does not accept this body",
        401 | 403 => {
            "the endpoint refuses the request: its signature check failed, or it requires a header"
        }
        404 | 405 => "nothing accepts a POST there; check the subscription's url",
        410 => "the endpoint is gone, and the subscription was disabled",
        413 => "the body is too large for the endpoint",
        429 => "too many requests for the endpoint",
        500..600 => "the endpoint failed",
        _ => return None,
    })
}

/// Describes the state of a delivery and its reason. `until` formats the time of the next attempt,
/// for example as `in 5m`.
pub fn state(delivery: &Delivery, until: impl Fn(&str) -> String) -> String {
    let last = delivery.attempts.last();
    let tried = match delivery.attempts.len() {
        0 => "no attempt".to_owned(),
        1 => "1 attempt".to_owned(),
        count => format!("{count} attempts"),
    };
    let last_brief = last.map_or(String::new(), |last| format!(", the last {}", brief(last)));
    match (delivery.status, delivery.reason) {
        (DeliveryStatus::Pending, _) => match (&delivery.next_attempt_at, last) {
            (Some(next), _) => {
                let number = delivery.attempts.len() + 1;
                format!("attempt {number} is due {}{last_brief}", until(next))
            }
            (None, None) => "queued for its first attempt".to_owned(),
            (None, Some(_)) => format!("{tried} so far{last_brief}"),
        },
        (DeliveryStatus::Held, Some(DeliveryReason::EndpointUnavailable)) => {
            format!("held until the endpoint is available again, {tried}{last_brief}")
        }
        (DeliveryStatus::Held, _) => {
            "the subscription is paused or disabled; nothing is sent until a recovery".to_owned()
        }
        (DeliveryStatus::Succeeded, _) => match last {
            Some(last) => format!("{} at attempt {}", brief(last), last.number),
            None => "delivered".to_owned(),
        },
        (DeliveryStatus::Failed, Some(DeliveryReason::AttemptsExhausted)) => {
            format!("given up after {tried}{last_brief}")
        }
        (DeliveryStatus::Failed, Some(DeliveryReason::Expired)) => {
            format!("given up after {tried}: the next one would have come too late{last_brief}")
        }
        (DeliveryStatus::Failed, Some(DeliveryReason::EndpointGone)) => {
            "given up: the endpoint answered 410 (gone)".to_owned()
        }
        (DeliveryStatus::Cancelled, Some(DeliveryReason::SubscriptionDeleted)) => {
            "the subscription was deleted".to_owned()
        }
        (DeliveryStatus::Cancelled, Some(DeliveryReason::Discarded)) => {
            "it was held, and then discarded".to_owned()
        }
        (DeliveryStatus::Cancelled, Some(DeliveryReason::Requested)) => {
            format!("its message was cancelled, after {tried}{last_brief}")
        }
        (_, Some(reason)) => format!("{reason}, {tried}{last_brief}"),
        (_, None) => format!("{tried}{last_brief}"),
    }
}

/// Describes a delivery's state in a row of a table: the end of the last attempt, and the next
/// step. `until` formats the time of the next attempt.
pub fn short_state(delivery: &Delivery, until: impl Fn(&str) -> String) -> String {
    let last = delivery.attempts.last().map(brief);
    match (delivery.status, last) {
        (DeliveryStatus::Pending, last) => {
            let next = delivery.next_attempt_at.as_ref();
            let next = next.map(|next| format!("next {}", until(next)));
            let parts: Vec<_> = [last, next].into_iter().flatten().collect();
            parts.join(", ")
        }
        (DeliveryStatus::Failed, last) => {
            let reason = delivery.reason;
            let reason = reason.filter(|&reason| reason != DeliveryReason::AttemptsExhausted);
            let reason = reason.map(|reason| reason.to_string());
            let parts: Vec<_> = [last, reason].into_iter().flatten().collect();
            parts.join(", ")
        }
        (_, last) => last.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-18T12:26:40.000Z";

    fn until(_: &str) -> String {
        "in 5m".to_owned()
    }

    fn attempt(fields: &Value) -> Attempt {
        let mut attempt = json!({"number": 1, "at": NOW, "durationMs": 12});
        attempt
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        serde_json::from_value(attempt).unwrap()
    }

    fn delivery(fields: &Value) -> Delivery {
        let mut delivery = json!({
            "id": "dlv_1_2", "messageId": "msg_1", "subscriptionId": "sub_2", "customerId": "acme",
            "eventType": "order.created", "payloadFormat": "standard", "status": "pending", "createdAt": NOW, "attempts": [],
        });
        delivery
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        serde_json::from_value(delivery).unwrap()
    }

    #[test]
    fn every_outcome_says_what_it_means() {
        for (fields, text) in [
            (
                json!({"outcome": "succeeded", "status": 204}),
                "answered 204 No Content",
            ),
            (
                json!({"outcome": "httpError", "status": 503}),
                "answered 503 Service Unavailable: the endpoint failed",
            ),
            (
                json!({"outcome": "httpError", "status": 308}),
                "answered 308 Permanent Redirect: redirects are not followed; the subscription's url must be the redirect's target",
            ),
            (
                json!({"outcome": "httpError", "status": 299}),
                "answered 299",
            ),
            (
                json!({"outcome": "timedOut", "error": "response: no headers within 15000 ms"}),
                "no answer in time: response: no headers within 15000 ms",
            ),
            (
                json!({"outcome": "unreachable", "error": "connect: connection refused"}),
                "not reached: connect: connection refused",
            ),
            (
                json!({"outcome": "blocked", "error": "blocked: address is not globally routable (private)"}),
                "blocked: address is not globally routable (private); nothing was sent",
            ),
            (
                json!({"outcome": "noToken", "error": "token endpoint answered 401 invalid_client"}),
                "not sent, because no access token was granted: token endpoint answered 401 invalid_client",
            ),
        ] {
            assert_eq!(outcome(&attempt(&fields)), text);
        }
    }

    #[test]
    fn every_state_says_why() {
        let failed = json!([{"number": 1, "at": "", "durationMs": 1, "outcome": "httpError", "status": 500}]);
        let next = "2026-11-18T12:31:40.000Z";
        for (fields, text) in [
            (json!({}), "queued for its first attempt"),
            (
                json!({"attempts": failed, "nextAttemptAt": next}),
                "attempt 2 is due in 5m, the last answered 500",
            ),
            (
                json!({"status": "held", "reason": "endpointUnavailable", "attempts": failed}),
                "held until the endpoint is available again, 1 attempt, the last answered 500",
            ),
            (
                json!({"status": "failed", "reason": "attemptsExhausted", "attempts": failed}),
                "given up after 1 attempt, the last answered 500",
            ),
            (
                json!({"status": "failed", "reason": "endpointGone", "attempts": failed}),
                "given up: the endpoint answered 410 (gone)",
            ),
            (
                json!({"status": "cancelled", "reason": "subscriptionDeleted"}),
                "the subscription was deleted",
            ),
            (
                json!({"status": "failed", "reason": "testFailed", "attempts": failed}),
                "testFailed, 1 attempt, the last answered 500",
            ),
        ] {
            assert_eq!(state(&delivery(&fields), until), text);
        }
    }

    #[test]
    fn a_row_says_what_follows() {
        let failed = json!([{"number": 1, "at": "", "durationMs": 1, "outcome": "timedOut"}]);
        let due = json!({"attempts": failed, "nextAttemptAt": NOW});
        assert_eq!(short_state(&delivery(&due), until), "timed out, next in 5m");
        let ended = json!({"status": "failed", "reason": "expired", "attempts": failed});
        assert_eq!(short_state(&delivery(&ended), until), "timed out, expired");
        assert_eq!(short_state(&delivery(&json!({})), until), "");
    }
}
