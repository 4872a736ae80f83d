//! The examples of `docs/payloads.md` are true.

#![allow(clippy::unwrap_used)]

use futures_util::FutureExt;
use webhooks_domain::manage::ExpectedVersion;
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::payload_shape::PayloadShape;
use webhooks_domain::prepare::link;
use webhooks_testkit::changes::change;
use webhooks_testkit::{InMemoryBackend, samples};

const PAGE: &str = include_str!("../../../docs/payloads.md");
const EVENT: &str = include_str!("../../../events/order-created.json");

/// The fenced blocks of the page, each with its language.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let fenced = PAGE.split("```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

/// The shape of a subscription with these fields.
fn shape(fields: &str) -> PayloadShape {
    let backend = InMemoryBackend::default();
    let before = samples::subscription("cust_1001", 1);
    backend.store_subscription(&before);
    let any = ExpectedVersion::Any;
    let updated = backend
        .manage()
        .update(&before.customer_id, &before.id, &any, change(fields))
        .now_or_never()
        .unwrap();
    updated.unwrap().subscription.payload
}

#[test]
fn every_example_makes_the_body_that_the_page_shows() {
    let message = samples::event_reader().read(EVENT).unwrap();
    let links = "https://app.example.com/messages/{customerId}/{messageId}";
    let links = links.parse().unwrap();
    let (mut examples, mut bodies, mut formats) = (0, 0, Vec::new());
    let blocks = blocks();
    for (index, (language, text)) in blocks.iter().enumerate() {
        if *language != "json" || !text.contains("payloadFormat") {
            continue;
        }
        examples += 1;
        let shape = shape(text);
        let format = shape.format();
        let link = link(&message, format, Some(&links));
        let body = message.body(&shape, link.as_deref()).unwrap();
        let body = String::from_utf8(body).unwrap();
        assert!(shape.content_type().contains('/'));
        match blocks.get(index + 1) {
            Some(("body", shown)) => {
                bodies += 1;
                assert_eq!(shown.trim_end(), body, "{format:?}");
            }
            // Shortened: `{…}` is the detail, and `msg_…` the id.
            Some(("text", shown)) => {
                let detail = message.body(
                    &PayloadShape::of_format(PayloadFormat::Detail).unwrap(),
                    None,
                );
                let detail = String::from_utf8(detail.unwrap()).unwrap();
                let shown = shown.trim_end().replace("{…}", &detail);
                let shown = shown.replace("msg_…", &message.id.to_string());
                assert_eq!(shown, body, "{format:?}");
            }
            _ => {}
        }
        formats.push(format);
    }
    formats.dedup();
    assert_eq!(
        formats,
        [
            PayloadFormat::Standard,
            PayloadFormat::Detail,
            PayloadFormat::Event,
            PayloadFormat::Thin,
            PayloadFormat::CloudEvents,
            PayloadFormat::Fields,
            PayloadFormat::Transform
        ]
    );
    assert_eq!((examples, bodies), (9, 5));
}
