//! Steps with failing endpoints: retries and their times, `Retry-After`, 410, and a wait that
//! the sweep ends.

use std::time::Duration;

use serde_json::Map;
use tokio::time::{Instant, sleep};
use webhooks_client::{
    AttemptOutcome, CreatedSubscription, DeliveryReason, DeliveryStatus, SubscriptionStatus,
};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::timestamp::Timestamp;
use webhooks_dynamodb::DynamoStore;

use super::{Checked, RETRY_AFTER_SECONDS, scheduled};
use crate::doctor::context::Described;
use crate::doctor::report::Outcome;
use crate::doctor::send::judge::{Arrival, Judgement, fault, not_too_early, one_message, signed};
use crate::doctor::send::stage::{ARRIVAL, CUSTOMER, Stage, refused};

pub(super) const RETRY: &str = "retry";
pub(super) const RETRY_AFTER: &str = "retry-after";
pub(super) const GONE: &str = "gone";
pub(super) const LONG_WAIT: &str = "long-wait";

/// The tolerance for a wait that the queue performs. It covers the next sweep, a cold start and
/// a delayed read of the queue.
const SWEEP: Duration = Duration::from_secs(75);

/// The time by which the long wait exceeds the queue's longest delay. The sweep queues the task
/// after this time.
const BEYOND_QUEUE: Duration = Duration::from_secs(10);

/// The time limit for the sweep to queue the task: its due time plus two sweeps.
const HAND_OVER: Duration = Duration::from_secs(150);

/// Delivers one event to an endpoint with this retry schedule.
async fn deliver(
    stage: &Stage<'_>,
    step: &str,
    schedule: Vec<u32>,
) -> Described<(CreatedSubscription, DeliveryId)> {
    let created = stage.subscribe(step, step, scheduled(schedule)).await?;
    let detail = stage.detail(Map::new()).to_string();
    let message = stage.put(step, &detail).await?;
    let id = stage.delivery_id(step, message, &created)?;
    Ok((created, id))
}

fn times(arrivals: &[Arrival]) -> Vec<Timestamp> {
    arrivals.iter().map(|arrival| arrival.at).collect()
}

/// Checks that two failures are followed by a success, each attempt at its time.
pub(in crate::doctor::send) async fn retry(stage: &Stage<'_>) -> Checked {
    let waits = [2_u32, 4];
    let (created, id) = deliver(stage, RETRY, vec![0, waits[0], waits[1]]).await?;
    let within = ARRIVAL + 2 * SWEEP;
    let arrivals = stage.arrivals(RETRY, 3, within, &id).await?;
    let waits = waits.map(|seconds| Duration::from_secs(seconds.into()));
    let times = not_too_early(&times(&arrivals), &waits);
    let mut same = one_message(&arrivals, &id.message.to_string());
    for arrival in &arrivals {
        let verified = signed(arrival, &[&created.secret]);
        same = same.and_then(|seen| verified.map(|_| seen));
    }
    let ended = stage.delivery_when(&id, ARRIVAL, |delivery| {
        delivery.status == DeliveryStatus::Succeeded
    });
    let recorded: Judgement = ended.await.map(|delivery| {
        let attempts = delivery.attempts.iter();
        let outcomes: Vec<_> = attempts.map(|one| one.outcome.to_string()).collect();
        outcomes.join(", ")
    });
    Ok(vec![
        ("retries", times),
        ("attempts of one message", same),
        ("attempts recorded", recorded),
    ])
}

/// Checks that `Retry-After` delays an attempt that was due sooner.
pub(in crate::doctor::send) async fn retry_after(stage: &Stage<'_>) -> Checked {
    let (_, id) = deliver(stage, RETRY_AFTER, vec![0, 1]).await?;
    let arrivals = stage.arrivals(RETRY_AFTER, 2, ARRIVAL + SWEEP, &id).await?;
    let asked = Duration::from_secs(u64::from(RETRY_AFTER_SECONDS));
    Ok(vec![(
        "Retry-After",
        not_too_early(&times(&arrivals), &[asked]),
    )])
}

/// Checks that 410 ends the delivery and disables the subscription.
pub(in crate::doctor::send) async fn gone(stage: &Stage<'_>) -> Checked {
    let (created, id) = deliver(stage, GONE, vec![0, 1]).await?;
    stage.arrivals(GONE, 1, ARRIVAL, &id).await?;
    let ended = stage.delivery_when(&id, ARRIVAL, |delivery| delivery.status.is_terminal());
    let ended = ended.await?;
    if ended.reason != Some(DeliveryReason::EndpointGone) {
        let reason = format!("the delivery is {}: {:?}", ended.status, ended.reason);
        return fault(reason, "attach the report to an issue");
    }
    // The subscription is written after the delivery.
    let deadline = Instant::now() + ARRIVAL;
    let judged = loop {
        stage.ledger.api_call();
        let call = stage.api.subscription(CUSTOMER, &created.subscription.id);
        let shown = call
            .await
            .map_err(|error| refused("showing a subscription", error))?;
        if shown.status == SubscriptionStatus::Disabled {
            break Ok("the delivery has failed, the subscription is disabled".to_owned());
        }
        if Instant::now() >= deadline {
            let reason = format!("after 410 the subscription is {}", shown.status);
            break fault(reason, "attach the report to an issue");
        }
        sleep(Duration::from_secs(1)).await;
    };
    Ok(vec![("410", judged)])
}

/// Checks a wait that is longer than the queue's longest delay, until the sweep queues its
/// task. If the queue's delay is short, as on a local stack, it waits for the attempt.
pub(in crate::doctor::send) async fn long_wait(stage: &Stage<'_>) -> Checked {
    let longest = stage.stack.output("LongestQueueDelaySeconds").ok();
    let longest = longest.and_then(|text| text.parse().ok()).unwrap_or(900);
    let longest = Duration::from_secs(longest);
    let wait = longest + BEYOND_QUEUE;
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
    let (_, id) = deliver(stage, LONG_WAIT, vec![0, seconds]).await?;
    stage.arrivals(LONG_WAIT, 1, ARRIVAL, &id).await?;
    let failed = stage.delivery_when(&id, ARRIVAL, |delivery| {
        let outcome = delivery.attempts.first().map(|attempt| attempt.outcome);
        outcome == Some(AttemptOutcome::HttpError)
    });
    let failed = failed.await?;
    let planned = failed.next_attempt_at.as_deref();
    let Some(due_at) = planned.and_then(Timestamp::parse_rfc3339) else {
        return fault(
            "no next attempt is planned",
            "attach the report to an issue",
        );
    };
    let name = stage
        .stack
        .output("TableName")
        .map_err(|error| refused("outputs", error))?;
    let client = aws_sdk_dynamodb::Client::new(stage.stack.sdk_config());
    let store = DynamoStore::new(client, name.to_owned());
    let deadline = Instant::now() + HAND_OVER;
    let handed_over = loop {
        // Until the sweep queues the task, the item's sweep time is before the attempt's due
        // time; afterwards it is long after it.
        match store.sweep_at(&id).await {
            Ok(Some(sweep_at)) if sweep_at < due_at => {}
            Ok(_) => {
                break Ok(format!(
                    "a wait of {} s, queued by the sweep",
                    wait.as_secs()
                ));
            }
            Err(error) => {
                let reason =
                    format!("the table cannot be read, which needs dynamodb:GetItem: {error}");
                break Err(Outcome::skipped(reason));
            }
        }
        if Instant::now() >= deadline {
            break fault(
                "the sweep has not queued it within two minutes",
                "check with `webhooks doctor` that the schedule starts RequeueDueDeliveries; \
                 SweepStoppedAlarm watches it",
            );
        }
        sleep(Duration::from_secs(2)).await;
    };
    if handed_over.is_err() || longest > ARRIVAL {
        return Ok(vec![("long wait", handed_over)]);
    }
    let arrivals = stage.arrivals(LONG_WAIT, 2, wait + ARRIVAL, &id).await?;
    let in_time = not_too_early(&times(&arrivals), &[wait]);
    let judged = handed_over.and_then(|seen| in_time.map(|times| format!("{seen}; {times}")));
    Ok(vec![("long wait", judged)])
}
