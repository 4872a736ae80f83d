//! The story of the README, from the first delivery on, with the `webhooks` command line.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::time::sleep;
use webhooks_cli::Outcome;
use webhooks_client::DeliveryStatus;
use webhooks_receiver::Answer;

use crate::command_line::{webhooks, webhooks_text};
use crate::fixture::{ALL_ATTEMPTS, Fixture};

/// The number of events that flow during the rotation.
const EVENTS: usize = 12;

fn text<'a>(json: &'a Value, field: &str) -> Result<&'a str> {
    json[field]
        .as_str()
        .with_context(|| format!("no {field}: {json}"))
}

fn broken() -> Answer {
    Answer::status(http::StatusCode::SERVICE_UNAVAILABLE)
}

#[tokio::test]
async fn a_failed_delivery_is_found_and_recovered_with_the_same_id() -> Result<()> {
    let test = Fixture::new("story-recover").await?;
    let customer = test.customer.as_str();
    let url = test.receiver.url("/a");
    let create = ["subscriptions", "create", customer, "--url", &url];
    let types = ["--event-type", "order.*", "--retry-schedule", "0,1"];
    let (_, created) = webhooks(&[&create[..], &types].concat()).await?;
    let subscription = text(&created, "id")?;
    test.receiver.script("/a", [broken()]);
    test.put("order.created", json!({"total": 1})).await?;
    let failed = test.requests("/a", 2).await?;
    let message = failed[0].webhook_id().to_owned();
    test.settled(&message).await?;

    let (_, undelivered) = webhooks_text(&["undelivered", customer, subscription]).await?;
    assert!(
        undelivered.contains("failed") && undelivered.contains("answered 503"),
        "{undelivered}"
    );
    assert!(undelivered.contains("`webhooks recover "), "{undelivered}");
    test.receiver.script("/a", [Answer::ok()]);
    let recover = ["recover", customer, subscription, "--since", "1h"];
    let (_, count) = webhooks(&[&recover[..], &["--dry-run"]].concat()).await?;
    assert_eq!(count, json!({"count": 1, "complete": true}));
    let (outcome, recovery) = webhooks(&[&recover[..], &["--yes"]].concat()).await?;
    assert_eq!(outcome, Outcome::Complete, "{recovery}");
    assert_eq!(recovery["queued"], json!(1), "{recovery}");

    let requests = test.requests("/a", 3).await?;
    assert_eq!(requests[2].webhook_id(), message);
    assert_eq!(requests[2].body, failed[0].body);
    requests[2].verify(text(&created, "secret")?)?;
    test.settled(&message).await?;
    let (_, undelivered) = webhooks_text(&["undelivered", customer, subscription]).await?;
    assert_eq!(undelivered, "  no undelivered webhooks\n");
    let (_, recoveries) = webhooks_text(&["recoveries", "list", customer, subscription]).await?;
    assert!(recoveries.contains(text(&recovery, "id")?), "{recoveries}");
    Ok(())
}

/// A receiver may switch to the new secret at any time within the overlap. It never sees a
/// signature that it cannot verify.
#[tokio::test]
async fn a_rotation_while_events_flow_leaves_no_receiver_without_a_valid_signature() -> Result<()> {
    let test = Fixture::new("story-rotate").await?;
    let customer = test.customer.as_str();
    let created = test.subscribe("/a").await?;
    let subscription = &created.subscription.id;
    let flow = async {
        for n in 0..EVENTS {
            test.put("order.created", json!({"n": n})).await?;
            sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    let rotate = async {
        test.requests("/a", EVENTS / 3).await?;
        let rotate = ["subscriptions", "rotate", customer, subscription];
        let (_, rotated) = webhooks(&[&rotate[..], &["--overlap", "1h"]].concat()).await?;
        let rotated_at = test.receiver.requests_to("/a").len();
        anyhow::Ok((text(&rotated, "secret")?.to_owned(), rotated_at))
    };
    let (flow, rotated) = tokio::join!(flow, rotate);
    flow?;
    let (new_secret, rotated_at) = rotated?;
    let requests = test.receiver.received("/a", EVENTS, ALL_ATTEMPTS).await?;
    for request in &requests {
        request.verify(&created.secret)?;
    }
    // Events that were in flight when the answer came may have only the old signature.
    let in_flight = 2;
    for request in requests.iter().skip(rotated_at + in_flight) {
        request.verify(&new_secret)?;
    }
    requests[EVENTS - 1].verify(&new_secret)?;
    Ok(())
}

#[tokio::test]
async fn a_replay_sends_what_a_changed_filter_had_excluded() -> Result<()> {
    let test = Fixture::new("story-replay").await?;
    let customer = test.customer.as_str();
    let filter = |least: u32| format!(r#"{{"total": [{{"numeric": [">", {least}]}}]}}"#);
    let created = test
        .subscribe_with(
            "/a",
            serde_json::from_str(&format!(r#"{{"filter": {}}}"#, filter(1_000)))?,
        )
        .await?;
    let subscription = created.subscription.id.as_str();
    for total in [50, 500] {
        test.put("order.created", json!({"total": total})).await?;
    }
    let messages = async || {
        let (_, listed) = webhooks(&["messages", "list", customer]).await?;
        anyhow::Ok(listed["data"].as_array().map_or(0, Vec::len))
    };
    while messages().await? < 2 {
        sleep(Duration::from_millis(250)).await;
    }
    let update = [
        "subscriptions",
        "update",
        customer,
        subscription,
        "--filter",
    ];
    webhooks(&[&update[..], &[&filter(100)]].concat()).await?;
    let replay = ["replay", customer, subscription, "--since", "1h", "--yes"];
    let (outcome, replayed) = webhooks(&replay).await?;
    assert_eq!(outcome, Outcome::Complete, "{replayed}");
    assert_eq!(replayed["queued"], json!(1), "{replayed}");
    let request = test.first_request("/a").await?;
    let body: Value = serde_json::from_slice(&request.body)?;
    assert_eq!(body["data"]["total"], json!(500));
    let settled = test.settled(request.webhook_id()).await?;
    assert_eq!(settled.deliveries[0].status, DeliveryStatus::Succeeded);
    assert_eq!(test.receiver.requests_to("/a").len(), 1);
    Ok(())
}
