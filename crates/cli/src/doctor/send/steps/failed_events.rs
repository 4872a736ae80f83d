//! Checks that an event that cannot become a webhook is kept with its reason. This triggers
//! `FailedEventsAlarm`, so it runs only on request.

use std::time::Duration;

use aws_sdk_sqs::types::Message;
use serde_json::json;
use tokio::time::Instant;

use super::Checked;
use crate::doctor::report::Outcome;
use crate::doctor::send::judge::fault;
use crate::doctor::send::stage::{ARRIVAL, RUN, Stage};
use crate::queue::{BATCH, Queue};

const STEP: &str = "failed-event";

/// The time after which a received message becomes visible again if this program dies.
const HIDDEN_FOR: Duration = Duration::from_secs(10);

/// The error of an event without a customer.
const ERROR: &str = webhooks_domain::errors::MISSING_CUSTOMER_ID;

/// Puts an event without a customer, finds it in the failed-events queue, and deletes it.
pub(in crate::doctor::send) async fn failed_event(stage: &Stage<'_>) -> Checked {
    let unreachable = |error: anyhow::Error| {
        Outcome::failed(
            format!("{error:#}"),
            "these credentials need sqs:ReceiveMessage, sqs:DeleteMessage and \
             sqs:ChangeMessageVisibility on the queue of output FailedEventsQueueUrl",
        )
    };
    let queue = Queue::new(stage.stack, "FailedEventsQueueUrl").map_err(unreachable)?;
    let marker = format!("{}-without-customer", stage.name);
    let event = stage.event(STEP, &json!({RUN: marker}).to_string())?;
    stage.put_event(&event).await?;
    let deadline = Instant::now() + ARRIVAL;
    let mut others = Vec::new();
    let mut found = None;
    while found.is_none() && Instant::now() < deadline {
        let received = queue
            .receive(BATCH, HIDDEN_FOR)
            .await
            .map_err(unreachable)?;
        for message in received {
            if message.body().unwrap_or_default().contains(&marker) {
                found = Some(message);
            } else {
                others.push(message);
            }
        }
    }
    for some in others.chunks(BATCH) {
        queue.release(some).await.map_err(unreachable)?;
    }
    let Some(found) = found else {
        return fault(
            "the event did not arrive in the failed-events queue within a minute",
            "`webhooks dlq list` shows all three queues; the alarm WorkflowFailures fires when an \
             event was not kept",
        );
    };
    let error = error(&found);
    let left = queue.delete(&[&found]).await.map_err(unreachable)?;
    let judged = if left > 0 {
        fault(
            "the event cannot be deleted from the queue",
            "`webhooks dlq list` shows it",
        )
    } else if error == ERROR {
        Ok(format!("kept as {ERROR}, and deleted afterwards"))
    } else {
        fault(
            format!("the event was kept as `{error}` instead of `{ERROR}`"),
            "attach the report to an issue",
        )
    };
    Ok(vec![("failed events", judged)])
}

fn error(message: &Message) -> &str {
    let attribute = || message.message_attributes()?.get("error")?.string_value();
    attribute().unwrap_or_default()
}
