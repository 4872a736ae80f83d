//! Resends of single deliveries.

use std::time::Duration;

use webhooks_domain::deliver::Report;
use webhooks_domain::delivery::{
    CancelReason, Delivery, DeliveryStatus, DeliveryTask, DiscardReason, FailureReason, ReopenError,
};
use webhooks_domain::due::OVERDUE_AFTER;
use webhooks_domain::resend::{Resend, ResendError};
use webhooks_domain::subscription::SubscriptionStatus;
use webhooks_testkit::{Fault, samples};

use crate::stage::{Stage, now, schedule, stage, stage_with};

const EXHAUSTED: DeliveryStatus = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);

/// A stage whose delivery has failed after all its attempts.
fn failed(delays: &[u32]) -> Stage {
    let stage = stage(schedule(delays));
    stage
        .backend
        .answer(delays.iter().map(|_| samples::response(500)));
    stage.drain();
    assert_eq!(stage.delivery().status, EXHAUSTED);
    stage
}

/// A stage whose delivery is held after a failed attempt, with the task of its next attempt still
/// in the queue. The subscription is active again.
fn held() -> (Stage, DeliveryTask) {
    let stage = stage(schedule(&[0, 5, 5]));
    stage.backend.answer([samples::response(500)]);
    let id = stage.ids[0];
    let first = stage.backend.receive().unwrap();
    stage.handle(first).unwrap();
    let next = stage.backend.receive().unwrap();
    stage.set_status(id, Some(SubscriptionStatus::Paused));
    stage.handle(next).unwrap();
    assert_eq!(stage.delivery().status, samples::HELD);
    stage.set_status(id, Some(SubscriptionStatus::Active));
    (stage, next.task)
}

#[test]
fn an_unreadable_delivery_is_not_resent_and_the_refusal_names_the_field() {
    let stage = failed(&[0]);
    let id = stage.ids[0];
    let customer = samples::customer("acme");
    stage
        .backend
        .break_subscription(&customer, id.subscription, "url");
    let words = stage.resend(id).unwrap_err().to_string();
    assert!(words.contains(&id.subscription.to_string()), "{words}");
    assert!(words.contains("url: is not one"), "{words}");
    stage.backend.break_delivery(id);
    let refused = stage.resend(id).unwrap_err();
    assert!(matches!(refused, ResendError::Broken { .. }));
    assert!(refused.to_string().contains(&id.to_string()), "{refused}");
}

#[test]
fn a_failed_delivery_is_resent_at_once_with_the_same_id_and_body() {
    let stage = failed(&[0, 5]);
    let asked_at = stage.backend.time() + Duration::from_hours(1);
    stage.backend.set_now(asked_at);
    let again = stage.resend(stage.ids[0]).unwrap();
    assert_eq!(again.status, DeliveryStatus::Pending);
    assert_eq!(again, stage.delivery());
    stage.drain();
    let delivery = stage.delivery();
    assert_eq!(delivery.status, DeliveryStatus::Succeeded);
    let numbers: Vec<_> = delivery.attempts.iter().map(|made| made.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(delivery.attempts[2].at, asked_at);
    let requests = stage.backend.requests();
    assert_eq!(requests.len(), 3);
    let id = |n: usize| crate::stage::header(&requests[n].1, "webhook-id").to_owned();
    assert_eq!(id(2), id(0));
    assert_eq!(requests[2].1.body, requests[0].1.body);
}

#[test]
fn a_succeeded_delivery_is_resent_once_for_each_request() {
    let stage = stage(schedule(&[0, 5]));
    for asked in 1..4 {
        stage.drain();
        assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
        assert_eq!(stage.backend.requests().len(), asked);
        stage.resend(stage.ids[0]).unwrap();
    }
}

#[test]
fn a_resend_to_a_dead_endpoint_ends_by_the_retry_policy() {
    let delays = [0, 5, 5];
    let stage = failed(&delays);
    for round in 2..4 {
        stage
            .backend
            .answer(delays.iter().map(|_| samples::response(500)));
        stage.resend(stage.ids[0]).unwrap();
        stage.drain();
        assert_eq!(stage.delivery().status, EXHAUSTED);
        assert_eq!(stage.delivery().attempts.len(), round * delays.len());
    }
}

#[test]
fn a_held_delivery_can_be_resent_when_its_subscription_is_active() {
    let (stage, _) = held();
    let id = stage.ids[0];
    stage.set_status(id, Some(SubscriptionStatus::Paused));
    assert!(matches!(stage.resend(id), Err(ResendError::NotActive(_))));
    stage.set_status(id, Some(SubscriptionStatus::Active));
    stage.resend(id).unwrap();
    stage.drain();
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
    assert_eq!(stage.backend.requests().len(), 2);
}

#[test]
fn a_resend_is_held_if_its_subscription_is_paused_before_the_attempt() {
    let (stage, _) = held();
    let id = stage.ids[0];
    stage.resend(id).unwrap();
    stage.set_status(id, Some(SubscriptionStatus::Paused));
    stage.drain();
    assert_eq!(stage.delivery().status, samples::HELD);
    assert_eq!(stage.backend.requests().len(), 1);
}

#[test]
fn nothing_is_resent_to_a_deleted_subscription() {
    let stage = failed(&[0]);
    stage.set_status(stage.ids[0], None);
    let refused = stage.resend(stage.ids[0]);
    assert!(matches!(refused, Err(ResendError::NotActive(_))));
    assert_eq!(stage.delivery().status, EXHAUSTED);
}

#[test]
fn a_subscription_deleted_after_the_resend_cancels_it() {
    let stage = failed(&[0]);
    stage.resend(stage.ids[0]).unwrap();
    stage.set_status(stage.ids[0], None);
    stage.drain();
    let cancelled = DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted);
    assert_eq!(stage.delivery().status, cancelled);
    assert_eq!(stage.backend.requests().len(), 1);
}

#[test]
fn an_expired_delivery_is_not_resent() {
    let deadline = samples::NOW + Duration::from_mins(1);
    let stage = stage_with(schedule(&[0]), &[Some(deadline)]);
    stage.backend.answer([samples::response(500)]);
    stage.drain();
    stage.backend.set_now(deadline + Duration::from_millis(1));
    let refused = stage.resend(stage.ids[0]);
    let expired = ReopenError::Expired { deadline };
    assert!(matches!(refused, Err(ResendError::Reopen(error)) if error == expired));
}

#[test]
fn a_task_from_before_the_resend_makes_no_attempt() {
    let (stage, old) = held();
    stage.resend(stage.ids[0]).unwrap();
    for stray in [old, DeliveryTask::first(stage.ids[0])] {
        let report = stage.run(&stray).unwrap();
        assert!(matches!(
            report,
            Report::Discarded(DiscardReason::Stray | DiscardReason::AttemptRecorded)
        ));
    }
    assert_eq!(stage.backend.requests().len(), 1);
    stage.drain();
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
    assert_eq!(stage.backend.requests().len(), 2);
}

#[test]
fn two_concurrent_resends_make_one_round_of_attempts() {
    let stage = failed(&[0, 5]);
    let id = stage.ids[0];
    stage
        .backend
        .answer([samples::response(500), samples::response(500)]);
    stage.backend.before_reopening(move |backend| {
        // The clocks of two execution environments always differ a little.
        backend.set_skew_ms(1);
        let other = Resend {
            table: backend.clone(),
            queue: backend.clone(),
            clock: backend.clone(),
        };
        now(other.run(&id)).unwrap();
        backend.set_skew_ms(0);
    });
    let refused = stage.resend(id);
    assert!(
        matches!(refused, Err(ResendError::Conflict(_))),
        "{refused:?}"
    );
    let late = stage.resend(id);
    let pending = ReopenError::Pending;
    assert!(matches!(late, Err(ResendError::Reopen(error)) if error == pending));
    assert_eq!(stage.backend.queue().len(), 1);
    stage.drain();
    assert_eq!(stage.delivery().attempts.len(), 4);
    assert_eq!(stage.backend.requests().len(), 4);
}

#[test]
fn a_write_that_the_client_repeats_is_not_a_conflict() {
    let stage = failed(&[0]);
    let id = stage.ids[0];
    stage.backend.before_reopening(move |backend| {
        let other = Resend {
            table: backend.clone(),
            queue: backend.clone(),
            clock: backend.clone(),
        };
        // The write takes effect, and its answer is lost.
        backend.plant([Fault::None, Fault::None, Fault::After]);
        now(other.run(&id)).unwrap_err();
    });
    assert_eq!(stage.resend(id).unwrap(), stage.delivery());
    stage.drain();
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
}

#[test]
fn a_crash_during_a_resend_loses_nothing() {
    // Load, subscription, reopen, queue, and the entry that the sweep reads.
    const BOUNDARIES: usize = 5;
    let delivered = |faults: Vec<Fault>| -> (Delivery, Duration) {
        let stage = failed(&[0, 5]);
        let asked_at = stage.backend.time();
        stage.backend.plant(faults);
        let _ = stage.resend(stage.ids[0]);
        stage.backend.clear_faults();
        stage.drain();
        let last = stage.delivery().attempts.last().map(|made| made.at);
        (stage.delivery(), last.unwrap().since(asked_at))
    };
    for boundary in 0..BOUNDARIES {
        for fault in [Fault::Before, Fault::After] {
            let mut faults = vec![Fault::None; boundary];
            // The last call is made only if the call before it has failed.
            if boundary == BOUNDARIES - 1 {
                faults[boundary - 1] = Fault::Before;
            }
            faults.push(fault);
            let is_reopened = boundary > 2 || (boundary, fault) == (2, Fault::After);
            let (delivery, late) = delivered(faults);
            let place = format!("{fault:?} at {boundary}");
            if is_reopened {
                assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{place}");
                assert_eq!(delivery.attempts.len(), 3, "{place}");
                assert!(late <= OVERDUE_AFTER + Duration::from_mins(1), "{place}");
            } else {
                assert_eq!(delivery.status, EXHAUSTED, "{place}");
            }
        }
    }
    // A queue that accepts nothing delays it by one sweep only.
    let (_, late) = delivered(vec![Fault::None, Fault::None, Fault::None, Fault::Before]);
    assert!(late <= Duration::from_mins(1), "{late:?}");
}
