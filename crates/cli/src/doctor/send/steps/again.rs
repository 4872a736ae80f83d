//! Steps that send again: pause and recover, replay, resend.

use std::time::Duration;

use serde_json::Map;
use tokio::time::{Instant, sleep};
use webhooks_client::{DeliveryStatus, Recover, RecoveryKind, SubscriptionPatch, WantedStatus};

use super::{Checked, scheduled};
use crate::doctor::context::Described;
use crate::doctor::send::judge::{Judgement, fault, one_message, signed};
use crate::doctor::send::stage::{ARRIVAL, CUSTOMER, Stage, refused};

pub(super) const RECOVER: &str = "recover";
pub(super) const REPLAY: &str = "replay";
pub(super) const RESEND: &str = "resend";

/// The time limit of a recovery, which includes its first page and the delay of the indexes.
const RECOVERY: Duration = Duration::from_mins(2);

/// Recovers a failed delivery and one that was held while the subscription was paused.
pub(in crate::doctor::send) async fn recover(stage: &Stage<'_>) -> Checked {
    let fields = scheduled(vec![0]);
    let created = stage.subscribe(RECOVER, RECOVER, fields).await?;
    let subscription = created.subscription.id.as_str();
    let detail = stage.detail(Map::new()).to_string();
    let failing = stage.put(RECOVER, &detail).await?;
    let failing = stage.delivery_id(RECOVER, failing, &created)?;
    stage.arrivals(RECOVER, 1, ARRIVAL, &failing).await?;
    let has_failed =
        |delivery: &webhooks_client::Delivery| delivery.status == DeliveryStatus::Failed;
    stage.delivery_when(&failing, ARRIVAL, has_failed).await?;

    stage.ledger.api_call();
    let changes = SubscriptionPatch {
        status: Some(WantedStatus::Paused),
        ..SubscriptionPatch::default()
    };
    let paused = stage
        .api
        .update_subscription(CUSTOMER, subscription, &changes);
    paused.await.map_err(|error| refused("pausing", error))?;
    let held = stage.put(RECOVER, &detail).await?;
    let held = stage.delivery_id(RECOVER, held, &created)?;
    let is_held = |delivery: &webhooks_client::Delivery| delivery.status == DeliveryStatus::Held;
    stage.delivery_when(&held, ARRIVAL, is_held).await?;
    let pause: Judgement = match stage.arrived(RECOVER).await?.len() {
        1 => Ok("the delivery was held".to_owned()),
        _ => fault(
            "a webhook was sent to a paused subscription",
            "attach the report to an issue",
        ),
    };

    stage.ledger.api_call();
    let keep = Some(webhooks_client::HeldFate::Keep);
    let active = stage.api.enable_subscription(CUSTOMER, subscription, keep);
    active.await.map_err(|error| refused("enabling", error))?;
    recovered(stage, RECOVER, RecoveryKind::Recover, subscription, 3).await?;
    for id in [&failing, &held] {
        let has_arrived =
            |delivery: &webhooks_client::Delivery| delivery.status == DeliveryStatus::Succeeded;
        stage.delivery_when(id, ARRIVAL, has_arrived).await?;
    }
    let both = "one failed and one held, both arrived".to_owned();
    Ok(vec![("recover", Ok(both)), ("pause and resume", pause)])
}

/// Replays an event to a subscription that is created afterwards.
pub(in crate::doctor::send) async fn replay(stage: &Stage<'_>) -> Checked {
    // The customer has another subscription, because no message is recorded without one.
    stage
        .subscribe(REPLAY, "nothing", SubscriptionPatch::default())
        .await?;
    let detail = stage.detail(Map::new()).to_string();
    let message = stage.put(REPLAY, &detail).await?;
    stage.ledger.api_call();
    let named = message.to_string();
    let recorded = stage.api.message_when(&named, ARRIVAL, |_| true);
    recorded
        .await
        .map_err(|error| refused("waiting for a message", error))?;
    let created = stage
        .subscribe(REPLAY, REPLAY, SubscriptionPatch::default())
        .await?;
    let id = stage.delivery_id(REPLAY, message, &created)?;
    recovered(
        stage,
        REPLAY,
        RecoveryKind::Replay,
        &created.subscription.id,
        1,
    )
    .await?;
    let arrivals = stage.arrivals(REPLAY, 1, ARRIVAL, &id).await?;
    let judged = one_message(&arrivals, &message.to_string())
        .and_then(|_| signed(&arrivals[0], &[&created.secret]))
        .map(|_| "arrived at a later subscription".to_owned());
    Ok(vec![("replay", judged)])
}

/// Starts recoveries until `count` webhooks have arrived, because the index that a recovery
/// reads is delayed.
async fn recovered(
    stage: &Stage<'_>,
    step: &str,
    kind: RecoveryKind,
    subscription: &str,
    count: usize,
) -> Described<()> {
    let request = Recover {
        since: stage.began_at.to_string(),
        ..Recover::default()
    };
    let deadline = Instant::now() + RECOVERY;
    loop {
        stage.ledger.api_call();
        let start = stage
            .api
            .start_recovery(kind, CUSTOMER, subscription, &request);
        let started = start
            .await
            .map_err(|error| refused("starting a recovery", error))?;
        let ended = loop {
            sleep(Duration::from_secs(2)).await;
            if stage.arrived(step).await?.len() >= count {
                return Ok(());
            }
            stage.ledger.api_call();
            let show = stage.api.recovery(CUSTOMER, subscription, &started.id);
            let shown = show
                .await
                .map_err(|error| refused("showing a recovery", error))?;
            if shown.status.is_terminal() || Instant::now() >= deadline {
                break shown;
            }
        };
        if Instant::now() >= deadline {
            let came = stage.arrived(step).await?.len();
            return fault(
                format!(
                    "{came} of {count} webhooks arrived; the last {kind} {}, with {} queued",
                    ended.status, ended.queued
                ),
                "`webhooks recoveries show` and the history of the workflow of output \
                 RecoveryStateMachineArn have more",
            );
        }
    }
}

/// Resends a successful delivery: the same message with a new signature.
pub(in crate::doctor::send) async fn resend(stage: &Stage<'_>) -> Checked {
    let created = stage
        .subscribe(RESEND, RESEND, SubscriptionPatch::default())
        .await?;
    let detail = stage.detail(Map::new()).to_string();
    let message = stage.put(RESEND, &detail).await?;
    let id = stage.delivery_id(RESEND, message, &created)?;
    stage.arrivals(RESEND, 1, ARRIVAL, &id).await?;
    let has_arrived =
        |delivery: &webhooks_client::Delivery| delivery.status == DeliveryStatus::Succeeded;
    stage.delivery_when(&id, ARRIVAL, has_arrived).await?;
    // A signature's timestamp has whole seconds.
    sleep(Duration::from_millis(1_100)).await;
    stage.ledger.api_call();
    let again = stage.api.resend_delivery(&id.to_string()).await;
    again.map_err(|error| refused("resending", error))?;
    let arrivals = stage.arrivals(RESEND, 2, ARRIVAL, &id).await?;
    let mut judged = one_message(&arrivals, &message.to_string());
    for arrival in &arrivals {
        let verified = signed(arrival, &[&created.secret]);
        judged = judged.and_then(|seen| verified.map(|_| seen));
    }
    Ok(vec![("resend", judged)])
}
