//! The payload formats of a webhook's body.

use std::collections::BTreeMap;

use anyhow::Result;
use http::StatusCode;
use serde_json::{json, value::RawValue};
use webhooks_receiver::{Answer, Request};

use crate::{fixture::Fixture, values::Exact};

/// The text of a producer, with numbers that a float cannot hold.
const ODD_VALUES: &str = include_str!("../../events/order-created-odd-values.json");

fn text(request: &Request) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

#[tokio::test]
async fn each_format_arrives_signed_with_odd_numbers_intact() -> Result<()> {
    let test = Fixture::new("formats").await?;
    let mut event = ODD_VALUES.replace("cust_1001", &test.customer);
    event = event.replace("f0d1c2b3", &test.customer);
    if test.stack.endpoint().is_some() {
        // The emulator itself parses a number with a fraction into a double.
        event = event.replace("3.141592653589793238462643383279", "3.141592653589793");
    }
    let mut received = Vec::new();
    for format in ["standard", "detail", "event"] {
        let fields = json!({"payloadFormat": format});
        let created = test.subscribe_with(&format!("/{format}"), fields).await?;
        received.push((format, created));
    }
    test.stack.start_execution(&event).await?;

    let event = Exact::parse(&event);
    let mut details = Vec::new();
    for (format, created) in received {
        let request = test.first_request(&format!("/{format}")).await?;
        request.verify(&created.secret)?;
        assert_eq!(request.header("content-type"), "application/json");
        let body = Exact::parse(text(&request));
        let detail = match format {
            "standard" => body.member("data"),
            "detail" => &body,
            _ => {
                assert_eq!(body, event);
                body.member("detail")
            }
        };
        assert_eq!(detail, event.member("detail"), "{format}");
        details.push(raw_detail(text(&request)));
    }
    assert_eq!(details[0], details[1], "the detail is copied byte for byte");
    assert_eq!(details[0], details[2], "the detail is copied byte for byte");
    Ok(())
}

/// The text of the detail in a body of either format.
fn raw_detail(body: &str) -> String {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(body).unwrap();
    let detail = members.get("data").or(members.get("detail"));
    detail.map_or(body, |detail| detail.get()).to_owned()
}

#[tokio::test]
async fn a_changed_format_applies_to_later_events() -> Result<()> {
    let test = Fixture::new("reformat").await?;
    let failure = Answer::status(StatusCode::BAD_GATEWAY).on_release();
    test.receiver.script("/a", [failure, Answer::ok()]);
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({"n": 1})).await?;
    test.first_request("/a").await?;
    let changes = json!({"payloadFormat": "event"});
    let id = &created.subscription.id;
    test.api
        .update_subscription(&test.customer, id, &changes)
        .await?;
    test.receiver.release();
    let attempts = test.requests("/a", 2).await?;
    assert_eq!(attempts[0].body, attempts[1].body);
    assert!(text(&attempts[1]).starts_with(r#"{"type":"order.created","#));

    test.put("order.created", json!({"n": 2})).await?;
    let later = test.requests("/a", 3).await?.swap_remove(2);
    later.verify(&created.secret)?;
    let event = Exact::parse(text(&later));
    assert_eq!(*event.member("detail").member("n"), Exact::parse("2"));
    assert_eq!(
        *event.member("detail-type"),
        Exact::parse(r#""order.created""#)
    );
    Ok(())
}
