//! Events that name the time of their first attempt.

use std::time::Duration;

use webhooks_domain::deliver::Report;
use webhooks_domain::delivery::{DeliveryStatus, DiscardReason, FailureReason, ReopenError};
use webhooks_domain::due::OVERDUE_AFTER;
use webhooks_domain::health::{Health, Hold, OpenCircuit};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::message::Message;
use webhooks_domain::ports::DeliveryReader;
use webhooks_domain::recovery::HeldFate;
use webhooks_domain::resend::ResendError;
use webhooks_domain::subscription::SubscriptionStatus;
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::samples;

use crate::stage::{Stage, now, schedule, stage};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
/// Longer than the queue can keep a task.
const LONG: Duration = Duration::from_hours(24 * 3);

/// A stage whose own delivery is made.
fn idle() -> Stage {
    let stage = stage(schedule(&[0, 5, 60]));
    stage.drain();
    stage
}

/// A message whose first attempts are due after this time.
fn after(stage: &Stage, wait: Duration) -> Message {
    Message {
        deliver_at: Some(stage.backend.time() + wait),
        ..samples::message("acme", &format!("waits {wait:?}"))
    }
}

/// The times of the attempts of a delivery.
fn attempts(stage: &Stage, id: DeliveryId) -> Vec<Timestamp> {
    let made = stage.delivery_of(id).attempts;
    made.iter().map(|attempt| attempt.at).collect()
}

/// Checks that the delivery succeeded with one attempt, not early and at most this late.
fn is_sent_once(stage: &Stage, id: DeliveryId, message: &Message, late: Duration) {
    let due_at = message.deliver_at.unwrap();
    let [at] = attempts(stage, id)[..] else {
        panic!("{:?}", stage.delivery_of(id));
    };
    assert!(at >= due_at && at <= due_at + late, "at {at}, due {due_at}");
    assert_eq!(stage.delivery_of(id).status, DeliveryStatus::Succeeded);
    assert_eq!(
        stage.backend.requests().len(),
        2,
        "the stage's own, and this"
    );
}

#[test]
fn the_first_attempt_is_made_at_its_time_whether_queue_or_sweep_keeps_it() {
    for wait in [SECOND, MINUTE * 15, MINUTE * 15 + SECOND, LONG] {
        let stage = idle();
        let message = after(&stage, wait);
        let id = stage.deliver_message(&message);
        let waiting = stage.delivery_of(id);
        assert_eq!(waiting.status, DeliveryStatus::Pending);
        assert_eq!(waiting.next_attempt_at, message.deliver_at);
        stage.drain();
        is_sent_once(&stage, id, &message, Duration::ZERO);
    }
}

#[test]
fn an_event_whose_time_has_passed_is_sent_at_once() {
    let stage = idle();
    let message = Message {
        deliver_at: Some(stage.backend.time()),
        ..samples::message("acme", "late")
    };
    let id = stage.deliver_message(&message);
    assert_eq!(stage.delivery_of(id).next_attempt_at, None);
    stage.drain();
    is_sent_once(&stage, id, &message, Duration::ZERO);
}

#[test]
fn duplicates_of_a_waiting_event_send_it_neither_early_nor_twice() {
    for wait in [MINUTE, LONG] {
        let stage = idle();
        let message = after(&stage, wait);
        let id = stage.deliver_message(&message);
        stage.deliver_message(&message);
        stage.backend.set_now(stage.backend.time() + wait / 2);
        stage.deliver_message(&message);
        stage.drain();
        stage.deliver_message(&message);
        stage.drain();
        is_sent_once(&stage, id, &message, Duration::ZERO);
    }
}

#[test]
fn a_duplicate_that_runs_after_the_time_does_not_replace_the_waiting_task() {
    let stage = idle();
    let message = after(&stage, MINUTE);
    let id = stage.deliver_message(&message);
    stage.backend.set_now(stage.backend.time() + MINUTE * 2);
    stage.backend.purge_queue();
    stage.deliver_message(&message);
    let task = stage.backend.receive().unwrap();
    let report = stage.handle(task).unwrap();
    assert_eq!(report, Report::Discarded(DiscardReason::Stray));
    stage.drain();
    is_sent_once(&stage, id, &message, OVERDUE_AFTER + MINUTE);
}

#[test]
fn a_waiting_delivery_is_sent_an_hour_after_its_time_if_the_workflow_crashes() {
    let stage = idle();
    let message = after(&stage, SECOND * 30);
    let id = stage.record_message(&message);
    stage.drain();
    is_sent_once(&stage, id, &message, OVERDUE_AFTER + MINUTE);
}

/// Tasks that wait in the queue behind others are late. The sweep does not add copies of them.
#[test]
fn the_sweep_adds_no_task_while_the_queue_is_late() {
    let stage = idle();
    let message = after(&stage, MINUTE);
    stage.deliver_message(&message);
    let late = (MINUTE + OVERDUE_AFTER).checked_sub(SECOND).unwrap();
    stage.backend.set_now(stage.backend.time() + late);
    stage.sweep();
    assert_eq!(stage.backend.queue().len(), 1);
    stage.backend.set_now(stage.backend.time() + SECOND);
    stage.sweep();
    assert_eq!(stage.backend.queue().len(), 2, "now it counts as lost");
}

#[test]
fn the_retries_count_from_the_first_attempt() {
    let stage = idle();
    stage.backend.answer([500, 500].map(samples::response));
    let message = after(&stage, LONG);
    let id = stage.deliver_message(&message);
    stage.drain();
    let made = attempts(&stage, id);
    let due_at = message.deliver_at.unwrap();
    assert_eq!(made.len(), 3);
    assert_eq!(made[0], due_at);
    assert!(made[1] >= due_at + SECOND * 5 && made[1] < due_at + SECOND * 10);
    let delivery = stage.delivery_of(id);
    assert_eq!(delivery.status, DeliveryStatus::Succeeded);
    assert!(
        delivery.expires_at >= due_at + LONG,
        "the wait costs no time"
    );
}

#[test]
fn a_waiting_delivery_is_held_if_its_subscription_is_paused_at_its_time() {
    let stage = idle();
    let message = after(&stage, MINUTE);
    let id = stage.deliver_message(&message);
    stage.set_status(stage.ids[0], Some(SubscriptionStatus::Paused));
    stage.drain();
    assert_eq!(stage.delivery_of(id).status, samples::HELD);
    assert_eq!(stage.backend.requests().len(), 1);
}

#[test]
fn what_was_held_when_it_was_made_waits_for_its_time_after_a_recovery_too() {
    for wait in [MINUTE * 10, LONG] {
        let stage = idle();
        stage.set_status(stage.ids[0], Some(SubscriptionStatus::Paused));
        let message = after(&stage, wait);
        let id = stage.record_message(&message);
        let held = stage.delivery_of(id);
        assert_eq!((held.status, held.next_attempt_at), (samples::HELD, None));
        stage.set_status(stage.ids[0], Some(SubscriptionStatus::Active));
        stage.release(HeldFate::Send).unwrap();
        stage.drain();
        is_sent_once(&stage, id, &message, MINUTE);
    }
}

#[test]
fn a_waiting_delivery_is_resent_only_after_it_was_cancelled() {
    let stage = idle();
    let message = after(&stage, LONG);
    let id = stage.deliver_message(&message);
    let refused = stage.resend(id).unwrap_err();
    assert!(matches!(refused, ResendError::Reopen(ReopenError::Pending)));
    stage.cancel(id).unwrap();
    let asked_at = stage.backend.time();
    stage.resend(id).unwrap();
    stage.drain();
    assert_eq!(attempts(&stage, id), [asked_at]);
}

/// The resend finds the endpoint unavailable. It continues once the endpoint answers, long before the
/// time of the event.
#[test]
fn a_resend_before_the_time_does_not_wait_after_an_outage() {
    let stage = idle();
    let message = after(&stage, LONG);
    let id = stage.deliver_message(&message);
    stage.cancel(id).unwrap();
    let asked_at = stage.backend.time();
    stage.change(id, |subscription| {
        let circuit = OpenCircuit {
            since: asked_at - Hold::AFTER,
            until: asked_at + MINUTE,
            cooldown: OpenCircuit::LONGEST,
        };
        subscription.health = Health {
            failing_since: Some(circuit.since),
            circuit: Some(circuit),
            hold: Some(Hold {
                since: circuit.since,
                check_at: circuit.until,
            }),
            ..Health::default()
        };
    });
    stage.resend(id).unwrap();
    stage.drain_queue();
    assert_eq!(stage.delivery_of(id).status, samples::AWAITING_ENDPOINT);
    // The circuit breaker closes before a probe, so a recovery sends what is held.
    stage.change(id, |subscription| subscription.health.circuit = None);
    stage.drain();
    let [at] = attempts(&stage, id)[..] else {
        panic!("{:?}", stage.delivery_of(id));
    };
    assert!(at < asked_at + MINUTE * 10, "at {at}, asked at {asked_at}");
}

#[test]
fn a_waiting_delivery_whose_deadline_passes_expires() {
    let stage = idle();
    let message = after(&stage, MINUTE);
    let message = Message {
        deadline: message.deliver_at,
        ..message
    };
    let id = stage.record_message(&message);
    stage.backend.set_now(stage.backend.time() + MINUTE * 10);
    stage.drain();
    let expired = DeliveryStatus::Failed(FailureReason::Expired);
    assert_eq!(stage.delivery_of(id).status, expired);
}

/// A duplicate of the event, or a late start of its workflow, makes a delivery after the message. It
/// ends before the message does, because nothing can be sent without it.
#[test]
fn a_delivery_that_would_outlive_its_message_ends_with_it() {
    for after in [false, true] {
        let stage = stage(schedule(&[0, 5]));
        stage.drain();
        let message = samples::message("acme", "event 1");
        let end = stage.delivery().expires_at;
        let other = samples::subscription("acme", 7);
        stage.backend.store_subscription(&other);
        let mut late = samples::delivery(&message, other.id);
        late.expires_at = end + Duration::from_hours(48);
        let id = late.id;
        stage.backend.record_call(message, late);
        let at = if after { end + MINUTE } else { end - MINUTE };
        stage.backend.set_now(at);
        stage.queue_first(id);
        let made = stage.backend.requests().len();
        stage.drain();
        let (_, delivery) = now(DeliveryReader::read(&stage.backend, &id)).unwrap();
        let expired = DeliveryStatus::Failed(FailureReason::Expired);
        assert_eq!(delivery.unwrap().status, expired, "after it: {after}");
        assert_eq!(stage.backend.requests().len(), made);
    }
}
