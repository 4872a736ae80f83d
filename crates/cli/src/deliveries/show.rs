//! Shows a delivery in full.

use crate::terminal::{Cell, Style, Table};
use webhooks_client::{Attempt, Delivery, DeliveryStatus, DeliveryTrigger, DeliveryWithBody};

use super::exchange;
use crate::clock::now;
use crate::pretty;
use crate::print::{Facts, heading, one_line, task};
use crate::words;

/// Returns all details of a delivery but the body of its requests.
pub(crate) fn text(delivery: &Delivery, style: Style) -> String {
    let last = delivery.attempts.last();
    facts(delivery, last, style) + &resend_task(delivery)
}

/// Returns all details of a delivery, with the exchange of the attempt with this number, or of the
/// last one.
pub(crate) fn with_body(shown: &DeliveryWithBody, number: Option<u32>, style: Style) -> String {
    let delivery = &shown.delivery;
    let attempt = match number {
        Some(number) => delivery
            .attempts
            .iter()
            .find(|found| found.number == number),
        None => delivery.attempts.last(),
    };
    let mut text = facts(delivery, attempt, style);
    if let (Some(number), None) = (number, attempt) {
        text.push_str(&task(format!("It has no attempt {number}.")));
    }
    if let Some(body) = &shown.body {
        let title = format!("body, {} bytes, {}", body.len(), delivery.payload_format);
        text.push_str(&heading(&title, style));
        text.push_str(&pretty::indented(body.as_bytes(), "    "));
    }
    if let Some(problem) = &shown.body_problem {
        text.push_str(&heading("no body", style));
        text.extend(["    ", &one_line(problem), "\n"]);
    }
    text + &resend_task(delivery)
}

fn facts(delivery: &Delivery, attempt: Option<&Attempt>, style: Style) -> String {
    let tone = words::tone(delivery.status);
    let mut facts = Facts::default();
    facts.add("delivery", delivery.id.as_str());
    let state = format!("{}: {}", delivery.status, words::state(delivery, now()));
    facts.add("status", Cell::new(state, tone));
    facts.add("event type", delivery.event_type.as_str());
    facts.add("message", delivery.message_id.as_str());
    facts.add("customer", delivery.customer_id.as_str());
    facts.add("subscription", delivery.subscription_id.as_str());
    facts.add("created", delivery.created_at.as_str());
    if delivery.trigger != DeliveryTrigger::Event {
        facts.add("trigger", delivery.trigger.to_string());
    }
    facts.maybe("next attempt", delivery.next_attempt_at.as_deref());
    if delivery.earlier_attempts > 0 {
        let earlier = format!("after attempt {}", delivery.earlier_attempts);
        facts.add("resent", earlier);
    }
    let mut text = facts.text(style);
    if !delivery.attempts.is_empty() {
        text.push('\n');
        text.push_str(&attempts(&delivery.attempts, style));
    }
    if let Some(attempt) = attempt {
        text.push_str(&exchange::text(attempt, style));
    }
    text
}

fn resend_task(delivery: &Delivery) -> String {
    match delivery.status {
        DeliveryStatus::Failed | DeliveryStatus::Held => task(format!(
            "`webhooks deliveries resend {}` sends it again.",
            delivery.id
        )),
        _ => String::new(),
    }
}

fn attempts(attempts: &[Attempt], style: Style) -> String {
    let mut table = Table::new(["NO", "AT", "TOOK", "WHAT HAPPENED"]);
    for attempt in attempts {
        table.push([
            attempt.number.to_string().into(),
            attempt.at.as_str().into(),
            format!("{} ms", attempt.duration_ms).into(),
            Cell::new(
                one_line(&words::outcome(attempt)),
                words::attempt_tone(attempt),
            ),
        ]);
    }
    table.text(style)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failed_delivery_shows_why_and_how_to_send_it_again() {
        let shown: DeliveryWithBody = serde_json::from_value(json!({
            "id": "dlv_1_2", "messageId": "msg_1", "subscriptionId": "sub_2", "customerId": "acme",
            "eventType": "order.created", "status": "failed", "reason": "attemptsExhausted",
            "createdAt": "2026-01-01T00:00:00.000Z", "earlierAttempts": 1, "payloadFormat": "detail",
            "trigger": "resend",
            "body": "{\"n\":12345678901234567890}",
            "attempts": [
                {"number": 1, "at": "2026-01-01T00:00:01.000Z", "durationMs": 3, "outcome": "unreachable",
                 "error": "connect: connection refused"},
                {"number": 2, "at": "2026-01-01T00:00:06.000Z", "durationMs": 12, "outcome": "httpError",
                 "status": 500, "addresses": ["203.0.113.10"], "responseHeaders": {"server": "nginx"},
                 "responseExcerpt": "no\u{1b}[2J database"},
            ],
        }))
        .unwrap();
        assert_text!(with_body(&shown, None, Style::Plain));
        let first = with_body(&shown, Some(1), Style::Plain);
        assert!(
            !first.contains("at attempt"),
            "nothing is known of it: {first}"
        );
    }
}
