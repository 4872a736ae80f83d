//! Waits that are too long for the queue, and event deadlines.

use std::time::Duration;

use anyhow::Result;
use http::StatusCode;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use webhooks_client::{DeliveryReason, DeliveryStatus};
use webhooks_receiver::Answer;

use crate::fixture::Fixture;

/// Longer than the longest queue delay of this stack, so the sweep must end the wait.
const LONG_WAIT: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_long_wait_is_ended_by_the_sweep() -> Result<()> {
    let test = Fixture::new("long-wait").await?;
    let failure = Answer::status(StatusCode::SERVICE_UNAVAILABLE);
    test.receiver.script("/a", [failure, Answer::ok()]);
    let policy = json!({"schedule": [0, LONG_WAIT.as_secs()], "jitter": 0});
    let fields = json!({"retryPolicy": policy});
    let created = test.subscribe_with("/a", fields).await?;
    test.put("order.created", json!({})).await?;

    let requests = test.requests("/a", 2).await?;
    let id = requests[0].webhook_id();
    let delivery = test.settled_delivery(id, &created).await?;
    assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
    let at = |n: usize| OffsetDateTime::parse(&delivery.attempts[n].at, &Rfc3339);
    let gap = (at(1)? - at(0)?).unsigned_abs();
    assert!(gap >= LONG_WAIT, "{gap:?}");
    Ok(())
}

#[tokio::test]
async fn no_attempt_begins_after_the_events_deadline() -> Result<()> {
    let test = Fixture::new("deadline").await?;
    test.receiver
        .script("/a", [Answer::status(StatusCode::INTERNAL_SERVER_ERROR)]);
    let fields = json!({"retryPolicy": {"schedule": [0, 3600], "jitter": 0}});
    let created = test.subscribe_with("/a", fields).await?;
    let deadline = OffsetDateTime::now_utc() + Duration::from_mins(10);
    let detail = json!({"webhookDeadline": deadline.format(&Rfc3339)?});
    test.put("order.created", detail).await?;

    let request = test.first_request("/a").await?;
    let delivery = test
        .settled_delivery(request.webhook_id(), &created)
        .await?;
    assert_eq!(delivery.status, DeliveryStatus::Failed, "{delivery:#?}");
    assert_eq!(
        delivery.reason,
        Some(DeliveryReason::Expired),
        "{delivery:#?}"
    );
    assert_eq!(delivery.attempts.len(), 1, "{delivery:#?}");
    let body: Value = serde_json::from_slice(&request.body)?;
    assert!(body["data"]["webhookDeadline"].is_string(), "{body}");
    Ok(())
}
