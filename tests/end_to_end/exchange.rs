//! The exchange of an attempt: the request that was sent, and the answer that came back.

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use http::header::{CONTENT_TYPE, SERVER};
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use webhooks_client::{Attempt, DeliveriesQuery, Stack};
use webhooks_receiver::Answer;

use crate::command_line::webhooks_text;
use crate::fixture::Fixture;

/// A part of every secret value here.
const MARK: &str = "s3cret-of-exchange";

fn failure(body: &str) -> Answer {
    Answer::status(StatusCode::SERVICE_UNAVAILABLE)
        .with_header(CONTENT_TYPE, HeaderValue::from_static("text/plain"))
        .with_header(SERVER, HeaderValue::from_static("shop/1.0"))
        .with_body(body.to_owned())
}

/// The URL that an attempt shows.
fn url(attempt: &Attempt) -> Option<&str> {
    attempt.request.as_ref().map(|request| &*request.url)
}

/// The number of long answers of a subscription in the table.
async fn stored_answers(stack: &Stack, subscription: &str) -> Result<i32> {
    let text = |text: String| AttributeValue::S(text);
    let found = aws_sdk_dynamodb::Client::new(stack.sdk_config())
        .query()
        .table_name(stack.output("TableName")?)
        .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
        .expression_attribute_values(":pk", text(format!("SUBSCRIPTION#{subscription}")))
        .expression_attribute_values(":prefix", text("EXCHANGE#".to_owned()))
        .send()
        .await?;
    Ok(found.count())
}

#[tokio::test]
async fn a_long_answer_is_shown_whole_with_each_attempt_that_got_it() -> Result<()> {
    let test = Fixture::new("exchange").await?;
    let page = "no stock:\n\tsold out\n".repeat(400);
    test.receiver
        .script("/a", [failure(&page), failure(&page), Answer::ok()]);
    let created = test
        .subscribe_with("/a", json!({"headers": {"x-team": "blue"}}))
        .await?;
    test.put("order.created", json!({})).await?;
    let requests = test.requests("/a", 3).await?;
    let message = requests[0].webhook_id();
    let delivery = test.settled_delivery(message, &created).await?;

    let shown = test.api.delivery(&delivery.id).await?.delivery;
    assert_eq!(shown.attempts.len(), 3, "{shown:#?}");
    for (attempt, sent) in shown.attempts.iter().zip(&requests) {
        assert_eq!(url(attempt), Some(&*test.receiver.url("/a")));
        let request = attempt.request.as_ref().context("no request")?;
        assert_eq!(request.method, "POST");
        for name in [
            "content-type",
            "user-agent",
            "webhook-id",
            "webhook-timestamp",
            "x-team",
        ] {
            assert_eq!(request.headers[name], sent.header(name), "{name}");
        }
        assert_eq!(request.headers["webhook-signature"], "***");
        let timings = attempt.timings.as_ref().context("no timings")?;
        assert!(timings.first_byte_ms.is_some(), "{attempt:#?}");
    }
    for attempt in &shown.attempts[..2] {
        let response = attempt.response.as_ref().context("no response")?;
        assert_eq!(response.status, 503);
        assert_eq!(response.body, page);
        assert!(!response.body_truncated);
        assert_eq!(response.size_bytes, page.len() as u64);
        assert_eq!(response.headers["server"], "shop/1.0");
    }
    assert_eq!(
        stored_answers(&test.stack, &created.subscription.id).await?,
        1
    );

    // Lists have the beginning of the answer only.
    let query = DeliveriesQuery::default();
    let listed = test
        .api
        .deliveries(&test.customer, &created.subscription.id, &query)
        .await?;
    let listed = listed.data.first().context("it is listed")?;
    for attempt in &listed.attempts[..2] {
        assert!(attempt.request.is_none() && attempt.response.is_none());
        let excerpt = attempt.response_excerpt.as_deref().unwrap_or_default();
        assert!(
            page.starts_with(excerpt) && !excerpt.is_empty(),
            "{excerpt}"
        );
    }

    let show = ["deliveries", "show", &delivery.id, "--attempt", "1"];
    let printed = webhooks_text(&show).await?.1;
    for part in [
        "request of attempt 1",
        "webhook-signature: ***",
        "status 503",
        "     sold out",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert_eq!(printed.matches("sold out").count(), 400);
    Ok(())
}

#[tokio::test]
async fn an_attempt_shows_the_url_of_its_own_time() -> Result<()> {
    let test = Fixture::new("exchange-url").await?;
    test.receiver.script("/old", [failure("no")]);
    let created = test.subscribe("/old").await?;
    let id = &created.subscription.id;
    test.put("order.created", json!({})).await?;
    test.first_request("/old").await?;
    let (old, new) = (test.receiver.url("/old"), test.receiver.url("/new"));
    let moved = json!({"url": new, "headers": {"x-team": "blue"}});
    test.api
        .update_subscription(&test.customer, id, &moved)
        .await?;
    let request = test.first_request("/new").await?;
    let delivery = test
        .settled_delivery(request.webhook_id(), &created)
        .await?;

    let shown = async || {
        let shown = test.api.delivery(&delivery.id).await?;
        anyhow::Ok(shown.delivery.attempts)
    };
    let attempts = shown().await?;
    let (last, before) = attempts.split_last().context("no attempt")?;
    assert_eq!(url(last), Some(&*new));
    let names = |attempt: &Attempt| {
        let request = attempt.request.as_ref();
        request.is_some_and(|request| request.headers.contains_key("x-team"))
    };
    assert!(names(last));
    assert!(!before.is_empty());
    for attempt in before {
        assert_eq!(url(attempt), Some(&*old), "{attempt:#?}");
        assert!(!names(attempt));
    }
    test.api.delete_subscription(&test.customer, id).await?;
    assert_eq!(shown().await?, attempts, "also after its deletion");
    Ok(())
}

#[tokio::test]
async fn a_secret_header_is_shown_in_no_exchange() -> Result<()> {
    let test = Fixture::new("exchange-secret").await?;
    let body = format!("{}Bearer {MARK} is not known", "x ".repeat(1_500));
    test.receiver.script("/a", [failure(&body), Answer::ok()]);
    let headers = json!({"authorization": format!("Bearer {MARK}")});
    let created = test
        .subscribe_with("/a", json!({"secretHeaders": headers}))
        .await?;
    test.put("order.created", json!({})).await?;
    let request = test.requests("/a", 2).await?.swap_remove(0);
    assert_eq!(request.header("authorization"), format!("Bearer {MARK}"));
    let delivery = test
        .settled_delivery(request.webhook_id(), &created)
        .await?;
    assert_eq!(
        stored_answers(&test.stack, &created.subscription.id).await?,
        1
    );

    let of_customer = ["customers", &test.customer, "deliveries", &delivery.id];
    for path in [&["deliveries", &delivery.id][..], &of_customer] {
        let answer = test.api.request(Method::GET, path, &[], None).await?;
        assert_eq!(answer.status, StatusCode::OK);
        let whole = String::from_utf8_lossy(&answer.body);
        assert!(!whole.contains(MARK), "{whole}");
        assert!(whole.contains(r#""authorization":"***""#), "{whole}");
        assert!(whole.contains("*** is not known"), "{whole}");
    }
    for number in ["1", "2"] {
        let show = ["deliveries", "show", &delivery.id, "--attempt", number];
        let printed = webhooks_text(&show).await?.1;
        assert!(!printed.contains(MARK), "{printed}");
        assert!(printed.contains("authorization: ***"), "{printed}");
    }
    Ok(())
}

#[tokio::test]
async fn the_answer_to_a_test_has_its_exchange() -> Result<()> {
    let test = Fixture::new("exchange-test").await?;
    let created = test.subscribe("/a").await?;
    let id = &created.subscription.id;
    let delivery = test.api.test_subscription(&test.customer, id, None).await?;
    let attempt = delivery.attempts.first().context("no attempt")?;
    assert_eq!(url(attempt), Some(&*test.receiver.url("/a")));
    let response = attempt.response.as_ref().context("no response")?;
    assert_eq!(response.status, 200);
    Ok(())
}
