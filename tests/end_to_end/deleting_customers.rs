//! The deletion of a customer: every trace of it disappears from the table.

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use http::StatusCode;
use serde_json::json;
use tokio::time::{Instant, sleep};
use webhooks_client::{Customer, Stack};
use webhooks_receiver::Answer;

use crate::command_line::{webhooks, webhooks_text};
use crate::emulator::invoke;
use crate::fixture::{ALL_ATTEMPTS, Fixture, POLL_INTERVAL};

/// The keys of all items that have one of the texts in any key or value.
async fn traces(stack: &Stack, texts: &[String]) -> Result<Vec<String>> {
    let mut pages = aws_sdk_dynamodb::Client::new(stack.sdk_config())
        .scan()
        .table_name(stack.output("TableName")?)
        .consistent_read(true)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        for item in page?.items.unwrap_or_default() {
            let text = format!("{item:?}");
            if texts.iter().any(|trace| text.contains(trace)) {
                let key = |name: &str| item.get(name).map(AttributeValue::as_s);
                found.push(format!("{:?} {:?}", key("pk"), key("sk")));
            }
        }
    }
    Ok(found)
}

/// Runs the function until the customer is unknown.
async fn until_forgotten(test: &Fixture) -> Result<()> {
    let deadline = Instant::now() + ALL_ATTEMPTS;
    loop {
        invoke(&test.stack, "DeleteCustomersFunction").await?;
        let shown = test.api.customer(&test.customer).answer().await?;
        if shown.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        let customer: Customer = shown.read()?;
        ensure!(Instant::now() < deadline, "still there: {customer:?}");
        sleep(POLL_INTERVAL).await;
    }
}

#[tokio::test]
async fn no_trace_of_a_deleted_customer_is_left() -> Result<()> {
    let test = Fixture::new("forget").await?;
    let other = test.another("stays").await?;
    // A long answer is an item of its own.
    let failure = Answer::status(StatusCode::BAD_GATEWAY).with_body("no ".repeat(1_000));
    test.receiver.script("/fails", [failure]);
    let (api, customer) = (&test.api, test.customer.as_str());
    let limited = json!({"rateLimitPerSecond": 100, "metadata": {"plan": "gold"}});
    let quick = test.subscribe_with("/quick", limited).await?.subscription;
    let failing = test.subscribe("/fails").await?.subscription;
    let paused = test.subscribe("/paused").await?.subscription;
    let pause = json!({"status": "paused"});
    api.update_subscription(customer, &paused.id, &pause)
        .await?;
    other.subscribe("/stays").await?;
    api.update_customer(customer, &json!({"rateLimitPerSecond": 100}))
        .await?;

    test.put("order.created", json!({"number": 1})).await?;
    other.put("order.created", json!({"number": 2})).await?;
    let stays = other.first_request("/stays").await?.webhook_id().to_owned();
    let message = test.first_request("/quick").await?.webhook_id().to_owned();
    test.settled(&message).await?;
    other.settled(&stays).await?;
    api.enable_subscription(customer, &paused.id, None).await?;
    test.first_request("/paused").await?;

    let id = |id: &str| id.split('_').next_back().unwrap_or_default().to_owned();
    // Their former requests are items of their own.
    let moved = json!({"url": test.receiver.url("/quick-2")});
    api.update_subscription(customer, &quick.id, &moved).await?;
    api.delete_subscription(customer, &failing.id).await?;
    let mut texts = vec![customer.to_owned(), id(&message)];
    texts.extend([&quick, &failing, &paused].map(|subscription| id(&subscription.id)));
    let before = traces(&test.stack, &texts).await?;
    for kind in [
        "CUSTOMER#",
        "CUSTOMERS",
        "MESSAGE#",
        "RECOVERY#",
        "SUBSCRIPTION#",
        "EXCHANGE#",
        "VERSION#",
    ] {
        assert!(before.iter().any(|key| key.contains(kind)), "{before:?}");
    }
    let of_other = traces(&test.stack, std::slice::from_ref(&other.customer)).await?;

    let deleted = webhooks(&["customers", "delete", customer, "--yes"])
        .await?
        .1;
    assert_eq!(deleted["deletion"]["deletedItems"], json!(0), "{deleted}");
    let shown = webhooks_text(&["customers", "show", customer]).await?.1;
    assert!(shown.contains("requested at"), "{shown}");
    // Nothing can be created any more.
    let refused = test
        .subscribe("/late")
        .await
        .err()
        .context("it is refused")?;
    assert!(
        format!("{refused:#}").contains("being deleted"),
        "{refused:#}"
    );
    let put = api.put_customer(customer, &json!({})).answer().await?;
    assert_eq!(put.status, StatusCode::CONFLICT);
    let again = api.delete_customer(customer).answer().await?;
    assert_eq!(again.status, StatusCode::ACCEPTED);

    until_forgotten(&test).await?;
    assert_eq!(traces(&test.stack, &texts).await?, Vec::<String>::new());
    let left = traces(&test.stack, std::slice::from_ref(&other.customer)).await?;
    assert_eq!(left, of_other, "nothing of another customer is deleted");

    // The customer can come back.
    test.subscribe("/again").await?;
    test.put("order.created", json!({"number": 3})).await?;
    test.first_request("/again").await?;
    Ok(())
}

#[tokio::test]
async fn a_customer_may_have_a_limit_of_its_own() -> Result<()> {
    let test = Fixture::new("limited").await?;
    let (api, customer) = (&test.api, test.customer.as_str());
    api.put_customer(customer, &json!({"maxSubscriptions": 1}))
        .await?;
    test.subscribe("/a").await?;
    let refused = test.subscribe("/b").await.err().context("it is refused")?;
    let refused = format!("{refused:#}");
    assert!(
        refused.contains("has 1 subscriptions, its maximum"),
        "{refused}"
    );
    let update = ["customers", "update", customer, "--max-subscriptions", "2"];
    let changed = webhooks(&update).await?.1;
    assert_eq!(changed["maxSubscriptions"], json!(2));
    test.subscribe("/b").await?;
    for bad in [json!(0), json!(10_001), json!("5"), json!(1.5)] {
        let body = json!({"maxSubscriptions": bad});
        let answer = api.update_customer(customer, &body).answer().await?;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(
            answer.text().contains("maxSubscriptions"),
            "{}",
            answer.text()
        );
    }
    let none = json!({"maxSubscriptions": null});
    assert_eq!(
        api.update_customer(customer, &none)
            .await?
            .max_subscriptions,
        None
    );
    Ok(())
}
