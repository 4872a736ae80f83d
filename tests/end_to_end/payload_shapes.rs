//! The shapes of payloads, and the requests that carry them.

use anyhow::Result;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhooks_client::TransformTest;
use webhooks_receiver::{Answer, Request};

use crate::fixture::Fixture;

fn text(request: &Request) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

fn transform(template: &str) -> Value {
    let paths =
        json!({"n": "$.detail.order.n", "note": "$.detail.order.note", "lost": "$.detail.lost"});
    json!({"paths": paths, "template": template})
}

#[tokio::test]
async fn each_shape_arrives_signed_with_its_content_type() -> Result<()> {
    let test = Fixture::new("shapes").await?;
    let shapes = [
        ("/thin", json!({"payloadFormat": "thin"})),
        ("/cloud-events", json!({"payloadFormat": "cloudEvents"})),
        (
            "/fields",
            json!({"payloadFormat": "fields", "payloadFields": ["/order/n", "/none"]}),
        ),
        (
            "/transform",
            json!({"payloadFormat": "transform",
                "transform": transform(r#"{"text": "<n>: <note><lost>", "n": <n>, "lost": <lost>}"#)}),
        ),
        (
            "/form",
            json!({"payloadFormat": "transform", "contentType": "application/x-www-form-urlencoded",
                "transform": transform("n=<n>&note=<note>"),
                "method": "PUT", "queryParameters": {"channel": "a b", "a": ""}}),
        ),
        (
            "/own",
            json!({"payloadFormat": "detail", "contentType": "application/vnd.shop+json", "method": "PATCH"}),
        ),
    ];
    let mut created = Vec::new();
    for (path, fields) in shapes {
        created.push((path, test.subscribe_with(path, fields).await?));
    }
    let order = json!({"n": 12_345_678_901_234_567_u64, "note": "a \"b\" & c\n"});
    test.put("order.created", json!({"order": order})).await?;

    for (path, created) in created {
        let request = test.first_request(path).await?;
        request.verify(&created.secret)?;
        let id = request.header("webhook-id");
        let customer = &test.customer;
        let (content_type, method, query) = match path {
            "/cloud-events" => ("application/cloudevents+json", Method::POST, None),
            "/form" => (
                "application/x-www-form-urlencoded",
                Method::PUT,
                Some("a=&channel=a+b"),
            ),
            "/own" => ("application/vnd.shop+json", Method::PATCH, None),
            _ => ("application/json", Method::POST, None),
        };
        assert_eq!(request.header("content-type"), content_type, "{path}");
        assert_eq!(
            (&request.method, request.query.as_deref()),
            (&method, query),
            "{path}"
        );
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match path {
            "/thin" => {
                let link = format!("https://app.example.com/messages/{customer}/{id}");
                let data = json!({"messageId": id, "customerId": customer, "link": link});
                assert_eq!(body["data"], data);
                assert_eq!(body["type"], "order.created");
            }
            "/cloud-events" => {
                assert_eq!(
                    (&body["specversion"], &body["id"]),
                    (&json!("1.0"), &json!(id))
                );
                assert_eq!(body["data"]["order"], order);
            }
            "/fields" => assert_eq!(
                body["data"],
                json!({"order": {"n": 12_345_678_901_234_567_u64}})
            ),
            "/transform" => assert_eq!(
                text(&request),
                r#"{"text": "12345678901234567: a \"b\" & c\n", "n": 12345678901234567, "lost": null}"#
            ),
            "/form" => assert_eq!(
                text(&request),
                "n=12345678901234567&note=a+%22b%22+%26+c%0A"
            ),
            _ => assert_eq!(body["order"], order),
        }
        let customer_message = test.settled(id).await?;
        for delivery in customer_message.deliveries {
            let shown = test.api.delivery(&delivery.id).await?;
            let sent = shown.delivery.attempts[0].request.as_ref().unwrap();
            if delivery.subscription_id == created.subscription.id {
                assert_eq!(shown.body.as_deref(), Some(text(&request)), "{path}");
                assert_eq!(sent.method, method.as_str());
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_edit_between_two_attempts_changes_no_byte_of_a_body() -> Result<()> {
    let test = Fixture::new("reshape").await?;
    let failure = Answer::status(StatusCode::BAD_GATEWAY).on_release();
    test.receiver.script("/a", [failure, Answer::ok()]);
    let fields = json!({"payloadFormat": "transform", "contentType": "text/plain",
        "transform": transform("order <n> of <b>")});
    let created = test.subscribe_with("/a", fields).await?;
    test.put("order.created", json!({"order": {"n": 1}}))
        .await?;
    test.first_request("/a").await?;
    let id = &created.subscription.id;
    for changes in [
        json!({"transform": transform("no. <n>")}),
        json!({"payloadFormat": "event", "contentType": null}),
        json!({"method": "PUT"}),
    ] {
        let changed = test.api.update_subscription(&test.customer, id, &changes);
        changed.await?;
    }
    test.receiver.release();
    let attempts = test.requests("/a", 2).await?;
    for attempt in &attempts {
        attempt.verify(&created.secret)?;
        assert_eq!(text(attempt), "order 1 of <b>");
        assert_eq!(attempt.header("content-type"), "text/plain");
    }
    assert_eq!(
        attempts[1].method,
        Method::PUT,
        "the method is the attempt's own"
    );

    test.put("order.created", json!({"order": {"n": 2}}))
        .await?;
    let later = test.requests("/a", 3).await?.swap_remove(2);
    assert_eq!(later.header("content-type"), "application/json");
    let event: Value = serde_json::from_slice(&later.body)?;
    assert_eq!(event["detail"]["order"]["n"], 2);
    Ok(())
}

#[tokio::test]
async fn a_transform_is_tried_before_it_is_used() -> Result<()> {
    let test = Fixture::new("try-transform").await?;
    let try_it = |template: &str| TransformTest {
        transform: serde_json::from_value(transform(template)).unwrap(),
        content_type: None,
        event: serde_json::from_str(r#"{"detail":{"order":{"n":0.10}}}"#).unwrap(),
        example: None,
    };
    let made = test.api.test_transform(&try_it("[<n>]")).await?;
    assert_eq!(
        (made.body.as_str(), made.content_type.as_str()),
        ("[0.10]", "application/json")
    );
    let refused = test.api.test_transform(&try_it(r#"{"<n>": 1}"#)).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("character 3"), "{refused}");
    let fields = json!({"payloadFormat": "transform", "transform": transform(r#"{"<n>": 1}"#)});
    let refused = test.subscribe_with("/a", fields).await.unwrap_err();
    assert!(
        format!("{refused:#}").contains("character 3"),
        "{refused:#}"
    );
    Ok(())
}
