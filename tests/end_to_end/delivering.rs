//! The path of an event: from the bus to every endpoint that wants it.

use anyhow::Result;
use serde_json::json;
use webhooks_client::{DeliveryStatus, Error, Event, ExecutionStatus};

use crate::{fixture::Fixture, values::Exact};

#[tokio::test]
async fn every_subscription_gets_its_own_delivery() -> Result<()> {
    let test = Fixture::new("each").await?;
    let paths = ["/a", "/b", "/c"];
    let mut subscriptions = Vec::new();
    for path in paths {
        subscriptions.push(test.subscribe(path).await?);
    }
    test.put("order.created", json!({"order": 1})).await?;

    let mut ids = Vec::new();
    for path in paths {
        ids.push(test.first_request(path).await?.webhook_id().to_owned());
    }
    assert_eq!(ids[0], ids[1], "one event is one message");
    assert_eq!(ids[0], ids[2], "one event is one message");

    let message = test.settled(&ids[0]).await?;
    assert_eq!(message.customer_id, test.customer);
    assert_eq!(message.event_type, "order.created");
    assert_eq!(message.deliveries.len(), 3, "{message:#?}");
    for created in &subscriptions {
        let delivery = message.delivery_to(&created.subscription.id).unwrap();
        assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
        assert_eq!(delivery.attempts.len(), 1, "{delivery:#?}");
        assert_eq!(delivery.message_id, message.id);
        assert_eq!(
            test.api.delivery(&delivery.id).await?.delivery.id,
            delivery.id
        );
    }
    for path in paths {
        assert_eq!(test.receiver.requests_to(path).len(), 1, "{message:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_body_holds_type_time_and_data() -> Result<()> {
    let test = Fixture::new("body").await?;
    test.subscribe("/a").await?;
    let event = test.envelope("1", "order.created", json!({"order": {"id": 7}}));
    let execution = test.run_workflow(&event).await?;
    assert_eq!(
        execution.status,
        ExecutionStatus::Succeeded,
        "{execution:?}"
    );

    let request = test.first_request("/a").await?;
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("content-type"), "application/json");
    assert!(!request.header("user-agent").is_empty());
    let body: serde_json::Value = serde_json::from_slice(&request.body)?;
    let expected = json!({
        "type": "order.created",
        "timestamp": event["time"],
        "data": event["detail"],
    });
    assert_eq!(body, expected);
    Ok(())
}

#[tokio::test]
async fn event_types_match_exactly_or_by_wildcard() -> Result<()> {
    let test = Fixture::new("types").await?;
    for (path, types) in [
        ("/exact", json!(["order.created"])),
        ("/prefix", json!(["order.*"])),
        ("/all", json!(["*"])),
        ("/one-of", json!(["invoice.*", "order.created"])),
        ("/other", json!(["invoice.created"])),
        ("/other-prefix", json!(["orders.*", "invoice.*"])),
        ("/longer", json!(["order.created.twice"])),
    ] {
        test.subscribe_with(path, json!({"eventTypes": types}))
            .await?;
    }
    test.put("order.created", json!({})).await?;

    let matching = ["/exact", "/prefix", "/all", "/one-of"];
    let mut message_id = String::new();
    for path in matching {
        message_id = test.first_request(path).await?.webhook_id().to_owned();
    }
    let message = test.settled(&message_id).await?;
    assert_eq!(message.deliveries.len(), matching.len(), "{message:#?}");
    for path in ["/other", "/other-prefix", "/longer"] {
        assert!(test.receiver.requests_to(path).is_empty(), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_filter_decides_by_the_payload() -> Result<()> {
    let test = Fixture::new("filter").await?;
    let large = json!({"filter": {"total": [{"numeric": [">", 100]}]}});
    let swiss = json!({"filter": {"address": {"country": ["CH", "LI"]}}});
    let small = json!({"filter": {"total": [{"numeric": ["<=", 100]}]}});
    let german = json!({"filter": {"address": {"country": ["DE"]}}});
    test.subscribe_with("/large", large).await?;
    test.subscribe_with("/swiss", swiss).await?;
    test.subscribe_with("/small", small).await?;
    test.subscribe_with("/german", german).await?;
    let detail = json!({"total": 100.5, "address": {"country": "CH"}});
    test.put("order.created", detail).await?;

    let request = test.first_request("/large").await?;
    test.first_request("/swiss").await?;
    let message = test.settled(request.webhook_id()).await?;
    assert_eq!(message.deliveries.len(), 2, "{message:#?}");
    assert_eq!(test.receiver.requests().len(), 2);
    Ok(())
}

#[tokio::test]
async fn without_a_subscription_the_workflow_ends_quietly() -> Result<()> {
    let test = Fixture::new("none").await?;
    let neighbour = format!("{}-neighbour", test.customer);
    let url = test.receiver.url("/neighbour");
    let subscription = json!({"url": url, "eventTypes": ["order.created"]});
    test.api
        .create_subscription(&neighbour, &subscription)
        .await?;

    let event = test.envelope("1", "order.created", json!({}));
    let execution = test.run_workflow(&event).await?;
    assert_eq!(
        execution.status,
        ExecutionStatus::Succeeded,
        "{execution:?}"
    );
    let id = test.message_of(&event).to_string();
    let unknown = test.api.message(&id).await;
    assert!(
        matches!(&unknown, Err(Error::Problem(problem)) if problem.status == 404),
        "{unknown:?}"
    );

    // The workflow has ended, so it queues nothing more. Any later request belongs to the
    // neighbour.
    let detail = json!({"customerId": neighbour}).to_string();
    test.put_event(test.raw_event("order.created", detail))
        .await?;
    let request = test.first_request("/neighbour").await?;
    assert_eq!(test.receiver.requests().len(), 1);
    let message = test.settled(request.webhook_id()).await?;
    assert_eq!(message.customer_id, neighbour, "{message:#?}");
    Ok(())
}

#[tokio::test]
async fn a_message_that_no_subscription_of_its_customer_wants_is_kept() -> Result<()> {
    let test = Fixture::new("unwanted").await?;
    test.subscribe_with("/other-type", json!({"eventTypes": ["invoice.*"]}))
        .await?;
    test.subscribe_with("/filtered", json!({"filter": {"country": ["CH"]}}))
        .await?;
    let event = test.envelope("1", "order.created", json!({"country": "DE"}));
    let execution = test.run_workflow(&event).await?;
    assert_eq!(
        execution.status,
        ExecutionStatus::Succeeded,
        "{execution:?}"
    );
    let id = test.message_of(&event).to_string();
    let kept = test.api.message(&id).await?;
    assert_eq!(kept.event_type, "order.created");
    assert!(kept.deliveries.is_empty(), "{kept:?}");
    assert!(test.receiver.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_paused_subscription_holds_its_deliveries() -> Result<()> {
    let test = Fixture::new("paused").await?;
    let paused = test
        .subscribe_with("/paused", json!({"status": "paused"}))
        .await?;
    test.subscribe("/active").await?;
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/active").await?;
    let held = test.settled_delivery(request.webhook_id(), &paused).await?;
    assert_eq!(held.status, DeliveryStatus::Held, "{held:#?}");
    assert!(held.attempts.is_empty(), "{held:#?}");
    assert!(test.receiver.requests_to("/paused").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_deleted_subscription_gets_nothing_more() -> Result<()> {
    let test = Fixture::new("deleted").await?;
    let deleted = test.subscribe("/deleted").await?;
    test.subscribe("/kept").await?;
    test.api
        .delete_subscription(&test.customer, &deleted.subscription.id)
        .await?;
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/kept").await?;
    let message = test.settled(request.webhook_id()).await?;
    assert_eq!(message.deliveries.len(), 1, "{message:#?}");
    Ok(())
}

/// Values that floats, JavaScript and careless parsers get wrong.
const ODD_VALUES: &str = r#"
    "beyondFloat": 9007199254740993,
    "large": 12345678901234567890,
    "negative": -9223372036854775809,
    "decimal": 0.10,
    "small": 1e-7,
    "zero": 0,
    "noFraction": 1.0,
    "unicode": "Grüße 你好 🦀 \u0000 \u2028 \ud83e\udd80 \" \\ /",
    "empty": "",
    "null": null,
    "booleans": [true, false],
    "emptyArray": [],
    "oneElement": [1],
    "nestedArrays": [[[]], [[1]], [{}]],
    "emptyObject": {},
    "": "an empty name",
    "a.b": {"$c": {"d e": [null]}},
    "deep": [[[[[[[[[[[[[[[[{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":[]}}}}}}}}]]]]]]]]]]]]]]]]
"#;

/// Puts an event with this detail, and asserts that its values arrive unchanged.
async fn values_arrive(test: &Fixture, detail: String) -> Result<()> {
    test.subscribe("/a").await?;
    test.put_event(test.raw_event("order.created", detail.clone()))
        .await?;
    let request = test.first_request("/a").await?;
    let body = Exact::parse(std::str::from_utf8(&request.body)?);
    assert_eq!(*body.member("data"), Exact::parse(&detail));
    Ok(())
}

#[tokio::test]
async fn values_arrive_as_they_were_put() -> Result<()> {
    let test = Fixture::new("values").await?;
    let detail = format!(r#"{{"customerId": "{}", {ODD_VALUES}}}"#, test.customer);
    values_arrive(&test, detail).await
}

#[tokio::test]
async fn the_sample_event_of_odd_values_arrives() -> Result<()> {
    let test = Fixture::new("sample").await?;
    let sample: Event =
        serde_json::from_str(include_str!("../../events/order-created-odd-values.json"))?;
    let mut detail = sample.detail.get().replace("cust_1001", &test.customer);
    if test.stack.endpoint().is_some() {
        // The emulator itself parses a number with a fraction into a double.
        detail = detail.replace("3.141592653589793238462643383279", "3.141592653589793");
    }
    values_arrive(&test, detail).await
}

#[tokio::test]
async fn a_large_payload_arrives_whole() -> Result<()> {
    let test = Fixture::new("large").await?;
    test.subscribe("/a").await?;
    let lines: Vec<_> = (0..2_500)
        .map(|n| json!({"line": n, "article": format!("{:x}", n * 7_919), "text": "to fill a line of the order"}))
        .collect();
    let event = test.event("order.created", json!({"lines": lines}));
    let detail = event.detail.get().to_owned();
    assert!(detail.len() > 150_000, "{}", detail.len());
    test.put_event(event).await?;

    let request = test.first_request("/a").await?;
    let body = Exact::parse(std::str::from_utf8(&request.body)?);
    assert!(*body.member("data") == Exact::parse(&detail));
    Ok(())
}
