//! Events that name the time of their first attempt, and cancelled messages.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::StatusCode;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{Instant, sleep};
use webhooks_cli::Outcome;
use webhooks_client::{
    CancelQuery, CreatedSubscription, Delivery, DeliveryReason, DeliveryStatus, ExecutionStatus,
};
use webhooks_receiver::Answer;

use crate::command_line::{webhooks, webhooks_text};
use crate::fixture::{ARRIVAL, Fixture, POLL_INTERVAL};
use crate::logs::log_lines;

/// The time after this wait, as text.
fn after(wait: Duration) -> Result<String> {
    Ok((OffsetDateTime::now_utc() + wait).format(&Rfc3339)?)
}

fn time(text: &str) -> Result<OffsetDateTime> {
    Ok(OffsetDateTime::parse(text, &Rfc3339)?)
}

/// Runs the workflow for an event with this time. Returns its message.
async fn run_at(test: &Fixture, id: &str, at: &str) -> Result<String> {
    let event = test.envelope(id, "order.created", json!({"webhookDeliverAt": at}));
    let execution = test.run_workflow(&event).await?;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(execution.event_error, None, "{execution:?}");
    Ok(test.message_of(&event).to_string())
}

/// The delivery of a message, once it is as wanted.
async fn delivery(
    test: &Fixture,
    message: &str,
    to: &CreatedSubscription,
    wanted: impl Fn(&Delivery) -> bool,
) -> Result<Delivery> {
    let id = &to.subscription.id;
    let message = test.api.message_when(message, ARRIVAL, |message| {
        message.delivery_to(id).is_some_and(&wanted)
    });
    let message = message.await?;
    message.delivery_to(id).cloned().context("it is there")
}

/// The line of the audit for a message that was cancelled.
async fn audit_of(test: &Fixture, message: &str) -> Result<Value> {
    let deadline = Instant::now() + ARRIVAL;
    loop {
        let lines = log_lines(&test.stack, test.began_at_millis).await?;
        let found = lines
            .iter()
            .find(|line| line.contains(message) && line.contains("message cancelled"));
        if let Some(line) = found {
            return Ok(serde_json::from_str(line)?);
        }
        ensure!(Instant::now() < deadline, "no line of the audit");
        sleep(POLL_INTERVAL).await;
    }
}

/// The longest wait of the queue is 5 s in this stack, so the sweep ends the second wait.
#[tokio::test]
async fn the_first_attempt_is_made_at_its_time_by_the_queue_or_by_the_sweep() -> Result<()> {
    let test = Fixture::new("deliver-at").await?;
    let created = test.subscribe("/a").await?;
    for wait in [Duration::from_secs(4), Duration::from_secs(8)] {
        let at = after(wait)?;
        let id = format!("{wait:?}");
        let message = run_at(&test, &id, &at).await?;
        // A duplicate of the event makes no other message. Its task may make one more request, because
        // both tasks are due at the same moment.
        assert_eq!(run_at(&test, &id, &at).await?, message);
        let made = test.settled_delivery(&message, &created).await?;
        assert_eq!(made.status, DeliveryStatus::Succeeded, "{made:#?}");
        assert_eq!(made.attempts.len(), 1, "{made:#?}");
        assert!(time(&made.attempts[0].at)? >= time(&at)?, "{made:#?}");
        let shown = test.api.message(&message).await?;
        let shown = shown.deliver_at.context("the time is shown")?;
        assert!((time(&shown)? - time(&at)?).abs() < Duration::from_millis(1));
    }
    let requests = test.requests("/a", 2).await?;
    let ids: BTreeSet<_> = requests
        .iter()
        .map(|request| request.webhook_id())
        .collect();
    assert_eq!(ids.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_waiting_message_is_shown_cancelled_and_resent() -> Result<()> {
    let test = Fixture::new("cancel-waiting").await?;
    let created = test.subscribe("/a").await?;
    let at = after(Duration::from_hours(24 * 30))?;
    let message = run_at(&test, "1", &at).await?;
    let waiting = delivery(&test, &message, &created, |_| true).await?;
    assert_eq!(waiting.status, DeliveryStatus::Pending);
    let next = waiting.next_attempt_at.context("it waits")?;
    assert!((time(&next)? - time(&at)?).abs() < Duration::from_millis(1));
    let refused = test.api.resend_delivery(&waiting.id).answer().await?;
    assert_eq!(refused.status, StatusCode::CONFLICT);

    let line = ["messages", "cancel", &test.customer, &message];
    let (outcome, cancelled) = webhooks(&line).await?;
    assert_eq!(outcome, Outcome::Complete);
    assert_eq!(cancelled["cancelled"], 1, "{cancelled}");
    assert_eq!(cancelled["due"], 0, "{cancelled}");
    let audited = audit_of(&test, &message).await?;
    assert_eq!(audited["customer.id"], test.customer, "{audited}");
    assert_eq!(
        (&audited["cancelled"], &audited["due"]),
        (&json!(1), &json!(0))
    );
    let ended = delivery(&test, &message, &created, |_| true).await?;
    assert_eq!(ended.status, DeliveryStatus::Cancelled);
    assert_eq!(ended.reason, Some(DeliveryReason::Requested));
    let (_, again) = webhooks_text(&line).await?;
    assert!(again.contains("ended before"), "{again}");

    // A duplicate does not bring it back.
    assert_eq!(run_at(&test, "1", &at).await?, message);
    let ended = delivery(&test, &message, &created, |_| true).await?;
    assert_eq!(ended.status, DeliveryStatus::Cancelled);

    test.api.resend_delivery(&ended.id).await?;
    let request = test.first_request("/a").await?;
    assert_eq!(request.webhook_id(), message);
    let sent = test.settled_delivery(&message, &created).await?;
    assert_eq!(sent.status, DeliveryStatus::Succeeded, "{sent:#?}");
    Ok(())
}

#[tokio::test]
async fn retries_and_held_deliveries_are_cancelled_page_by_page() -> Result<()> {
    let test = Fixture::new("cancel").await?;
    let failure = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
    test.receiver.script("/a", [failure]);
    let policy = json!({"retryPolicy": {"schedule": [0, 3600]}});
    let retried = test.subscribe_with("/a", policy).await?;
    let paused = json!({"status": "paused"});
    let held = test.subscribe_with("/b", paused).await?;
    let succeeded = test.subscribe("/c").await?;
    test.put("order.created", json!({})).await?;
    let message = test.first_request("/a").await?.webhook_id().to_owned();
    delivery(&test, &message, &retried, |made| made.attempts.len() == 1).await?;
    let ended = |made: &Delivery| made.status == DeliveryStatus::Succeeded;
    delivery(&test, &message, &succeeded, ended).await?;

    let other = test.another("cancel-other").await?;
    let query = CancelQuery::default();
    let call = other.api.cancel_message(&other.customer, &message, &query);
    assert_eq!(call.answer().await?.status, StatusCode::NOT_FOUND);

    let mut query: Value = json!({"limit": "1"});
    let (mut cancelled, mut ended, mut pages) = (0, 0, 0);
    loop {
        let path = ["customers", &test.customer, "messages", &message, "cancel"];
        let parameters: Vec<(&str, &str)> = query
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
            .collect();
        let answer = test
            .api
            .request(http::Method::POST, &path, &parameters, None)
            .await?;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let page: Value = serde_json::from_slice(&answer.body)?;
        cancelled += page["cancelled"].as_u64().context("a number")?;
        ended += page["ended"].as_u64().context("a number")?;
        pages += 1;
        if page["nextCursor"].is_null() {
            break;
        }
        query["cursor"] = page["nextCursor"].clone();
    }
    assert_eq!((cancelled, ended), (2, 1));
    assert!(pages >= 3, "one delivery on each page, not {pages} pages");
    for to in [&retried, &held] {
        let made = delivery(&test, &message, to, |_| true).await?;
        assert_eq!(made.reason, Some(DeliveryReason::Requested), "{made:#?}");
    }
    let shown = test.api.message(&message).await?;
    assert!(shown.cancelled_at.is_some());
    Ok(())
}

#[tokio::test]
async fn a_time_that_is_wrong_is_refused_with_its_reason() -> Result<()> {
    let test = Fixture::new("deliver-at-wrong").await?;
    test.subscribe("/a").await?;
    let far = after(Duration::from_hours(24 * 91))?;
    let (early, late) = (
        after(Duration::from_mins(1))?,
        after(Duration::from_mins(2))?,
    );
    for (number, detail) in [
        json!({"webhookDeliverAt": "tomorrow"}),
        json!({"webhookDeliverAt": 1_700_000_000}),
        json!({"webhookDeliverAt": far}),
        json!({"webhookDeliverAt": late, "webhookDeadline": early}),
    ]
    .into_iter()
    .enumerate()
    {
        let event = test.envelope(&number.to_string(), "order.created", detail);
        let execution = test.run_workflow(&event).await?;
        let error = execution.event_error.as_deref();
        assert_eq!(error, Some("InvalidEvent"), "{event} {execution:?}");
    }
    Ok(())
}
