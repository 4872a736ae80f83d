//! Shows a delivery in full.

use crate::terminal::{Cell, Style, Table};
use webhooks_client::{Attempt, Delivery, DeliveryStatus, DeliveryTrigger, DeliveryWithBody};

use crate::clock::now;
use crate::pretty;
use crate::print::{Facts, heading, one_line, task};
use crate::words;

/// Returns all details of a delivery but the body of its requests.
pub(crate) fn text(delivery: &Delivery, style: Style) -> String {
    facts(delivery, style) + &resend_task(delivery)
}

/// Returns all details of a delivery.
pub(crate) fn with_body(shown: &DeliveryWithBody, style: Style) -> String {
    let delivery = &shown.delivery;
    let mut text = facts(delivery, style);
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

fn facts(delivery: &Delivery, style: Style) -> String {
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
    if let Some(last) = delivery.attempts.last() {
        text.push_str(&answer(last, style));
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

/// Returns the stored part of the endpoint's answer to one attempt.
fn answer(attempt: &Attempt, style: Style) -> String {
    let mut facts = Facts::default();
    if !attempt.addresses.is_empty() {
        facts.add("address", attempt.addresses.join(", "));
    }
    for (name, value) in &attempt.response_headers {
        facts.add("header", one_line(&format!("{name}: {value}")));
    }
    let excerpt = attempt.response_excerpt.as_deref();
    facts.maybe("answer", excerpt.filter(|excerpt| !excerpt.is_empty()));
    let facts = facts.text(style);
    if facts.is_empty() {
        return facts;
    }
    heading(&format!("at attempt {}", attempt.number), style) + &facts
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
        assert_text!(with_body(&shown, Style::Plain));
    }
}
