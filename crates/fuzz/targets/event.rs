//! An event on the bus, written by a producer.

use std::collections::HashMap;

use serde_bytes::{ByteBuf, Bytes};
use serde_json::Value;
use serde_json::value::RawValue;
use webhooks_domain::errors;
use webhooks_domain::event::{EventReader, MAX_CARRIED_BYTES, MAX_EVENT_BYTES};
use webhooks_domain::message::Message;
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::payload_shape::PayloadShape;

use crate::law::check_law;
use crate::near::near;

const EVENTS: [&str; 7] = [
    include_str!("../../../events/detail-not-an-object.json"),
    include_str!("../../../events/invoice-paid.json"),
    include_str!("../../../events/order-cancelled.json"),
    include_str!("../../../events/order-created-odd-values.json"),
    include_str!("../../../events/order-created-with-key.json"),
    include_str!("../../../events/order-created-without-customer.json"),
    include_str!("../../../events/order-created.json"),
];
const TOKENS: &[&str] = &[
    "\"detail\":{",
    "\"detail-type\":",
    "\"customerId\":",
    "\"idempotencyKey\":",
    "\"id\":",
    "\"time\":",
    "\"\"",
    "null",
    "0",
    "-0",
    "1e400",
    "1E-7",
    "0.10",
    "12345678901234567890123",
    "\\ud800",
    "\\u0000",
    "\\\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\u{2028}",
    "2026-12-31T23:59:60Z",
    "+00:00",
];

#[test]
fn laws_hold() {
    let reader = EventReader {
        operator: None,
        customer_id: "/detail/customerId".parse().unwrap(),
        idempotency_key: "/detail/idempotencyKey".parse().unwrap(),
        deadline: "/detail/webhookDeadline".parse().unwrap(),
        deliver_at: "/detail/webhookDeliverAt".parse().unwrap(),
    };
    // Sometimes white space after the event, up to about the limit.
    let space = (0..8_u8, 0..64_usize);
    check_law!((near(EVENTS, TOKENS), space), |(
        event,
        (one_in_eight, size),
    )| {
        let mut event = event.clone();
        if *one_in_eight == 0 {
            let size = (MAX_EVENT_BYTES - 32 + size).saturating_sub(event.len());
            event.push_str(&" ".repeat(size));
        }
        match reader.read(&event) {
            Ok(message) => is_the_event(&message, &event),
            Err(error) => {
                assert!(errors::LOOK_UP_SUBSCRIPTIONS.contains(&error.error_type()));
                assert!(error.to_string().len() < 300, "{error}");
            }
        }
    });
}

/// Checks that the message equals the event, value by value and byte by byte, within the size
/// limit.
fn is_the_event(message: &Message, event: &str) {
    // A name may have an unpaired surrogate, which no string can hold.
    let fields: HashMap<ByteBuf, &RawValue> = serde_json::from_str(event).unwrap();
    let field = |name: &str| fields[Bytes::new(name.as_bytes())].get();
    let text = |name: &str| serde_json::from_str::<String>(field(name)).unwrap();
    let body = |format| {
        String::from_utf8(
            message
                .body(&PayloadShape::of_format(format).unwrap(), None)
                .unwrap(),
        )
        .unwrap()
    };
    assert_eq!(body(PayloadFormat::Event), event);
    assert_eq!(body(PayloadFormat::Detail), field("detail"));
    let body = body(PayloadFormat::Standard);
    let sent: HashMap<String, &RawValue> = serde_json::from_str(&body).unwrap();
    let sent_text = |name: &str| serde_json::from_str::<String>(sent[name].get()).unwrap();
    assert_eq!(sent.len(), 3);
    assert_eq!(sent["data"].get(), field("detail"));
    assert_eq!(sent_text("type"), text("detail-type"));
    assert_eq!(sent_text("timestamp"), text("time"));

    let workflow = serde_json::to_string(message).unwrap();
    assert_eq!(
        &serde_json::from_str::<Message>(&workflow).unwrap(),
        message
    );
    let payload = &serde_json::from_str::<Value>(&workflow).unwrap()["payload"];
    assert!(payload.as_str().unwrap().len() <= MAX_CARRIED_BYTES);
    assert!(event.len() <= MAX_EVENT_BYTES && body.len() <= MAX_EVENT_BYTES + 1_024);
}
