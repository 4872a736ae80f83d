//! Cancellations of messages.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use webhooks_domain::cancel::{Cancel, CancelError};
use webhooks_domain::deliver::{Recorded, Report};
use webhooks_domain::delivery::{
    CancelReason, Delivery, DeliveryStatus, DeliveryTask, HoldReason, Verdict,
};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::message::Message;
use webhooks_domain::outbound::AttemptOutcome;
use webhooks_domain::recovery::HeldFate;
use webhooks_domain::resend::Resend;
use webhooks_domain::subscription::SubscriptionStatus;
use webhooks_testkit::{Fault, InMemoryBackend, samples};

use crate::stage::{Stage, now, schedule, stage};

const REQUESTED: DeliveryStatus = DeliveryStatus::Cancelled(CancelReason::Requested);

/// Adds a delivery of the first one's message to another subscription.
fn another(stage: &Stage, number: u128, change: impl FnOnce(&mut Delivery)) -> DeliveryId {
    let message = samples::message("acme", "event 1");
    assert_eq!(message.id, stage.ids[0].message);
    let mut delivery = samples::delivery(&message, samples::subscription_id(number));
    delivery.expires_at = stage.delivery().expires_at;
    change(&mut delivery);
    let id = delivery.id;
    stage.backend.record_call(message, delivery);
    id
}

#[test]
fn everything_that_is_pending_or_held_is_cancelled_and_nothing_more_is_sent() {
    let stage = stage(schedule(&[0, 3_600]));
    stage.backend.answer([samples::response(500)]);
    let first = stage.backend.receive().unwrap();
    stage.handle(first).unwrap();
    let held = another(&stage, 7, |delivery| delivery.status = samples::HELD);
    let unavailable = another(&stage, 8, |delivery| {
        delivery.status = DeliveryStatus::Held(HoldReason::EndpointUnavailable);
    });
    let succeeded = another(&stage, 9, |delivery| {
        delivery.status = DeliveryStatus::Succeeded;
    });
    let due = another(&stage, 10, |_| {});
    stage.queue_first(due);

    let asked_at = stage.backend.time();
    let cancellation = stage.cancel(stage.ids[0]).unwrap();
    assert_eq!(cancellation.cancelled_at, asked_at);
    let counts = (cancellation.cancelled, cancellation.due, cancellation.ended);
    assert_eq!(counts, (4, 1, 1));
    for id in [stage.ids[0], held, unavailable, due] {
        let delivery = stage.delivery_of(id);
        assert_eq!(delivery.status, REQUESTED);
        assert_eq!(delivery.next_attempt_at, None);
    }
    assert_eq!(
        stage.delivery_of(succeeded).status,
        DeliveryStatus::Succeeded
    );
    assert_eq!(stage.backend.next_sweep_at(), None, "nothing is due");
    stage.drain();
    assert_eq!(stage.backend.requests().len(), 1, "only the first attempt");

    stage.backend.set_now(asked_at + Duration::from_hours(2));
    let again = stage.cancel(stage.ids[0]).unwrap();
    assert_eq!((again.cancelled, again.ended), (0, 5));
    assert_eq!(again.cancelled_at, asked_at, "the first time counts");
}

#[test]
fn an_attempt_under_way_is_added_to_the_cancelled_delivery_and_none_follows() {
    for status in [500, 200, 410] {
        let stage = stage(schedule(&[0, 5, 5]));
        stage.backend.answer([samples::response(status)]);
        let message = stage.ids[0].message;
        let cancel = stage.cancel.table.clone();
        stage.backend.during_requests(move |_| {
            let cancel = Cancel {
                table: cancel.clone(),
                clock: cancel.clone(),
            };
            let customer = samples::customer("acme");
            now(cancel.run(&customer, &message, None, 200)).unwrap();
        });
        let Report::Attempted {
            verdict, recorded, ..
        } = stage.run_first()
        else {
            panic!("an attempt was made");
        };
        assert_eq!(verdict, Verdict::Ended(REQUESTED));
        assert_eq!(recorded, Recorded::AfterCancellation);
        stage.drain();
        let delivery = stage.delivery();
        assert_eq!(delivery.status, REQUESTED, "it stays cancelled");
        let [attempt] = &delivery.attempts[..] else {
            panic!("{delivery:?}");
        };
        assert_eq!(attempt.status, Some(status));
        let is_success = attempt.outcome == AttemptOutcome::Succeeded;
        assert_eq!(is_success, status == 200);
        assert_eq!(stage.backend.requests().len(), 1, "no attempt follows");
    }
}

#[test]
fn a_copy_of_the_task_adds_its_attempt_to_a_cancelled_delivery_only_once() {
    let stage = stage(schedule(&[0, 5]));
    let first = DeliveryTask::first(stage.ids[0]);
    stage.cancel(stage.ids[0]).unwrap();
    let attempt = samples::failed_attempt(1);
    let add = || {
        now(webhooks_domain::ports::DeliveryTable::record_cancelled(
            &stage.backend,
            &stage.ids[0],
            &attempt,
        ))
        .unwrap()
    };
    add();
    add();
    stage.run(&first).unwrap();
    assert_eq!(stage.delivery().attempts.len(), 1);
    assert!(stage.backend.requests().is_empty());
}

#[test]
fn a_delivery_that_is_made_after_the_cancellation_is_cancelled_too() {
    let stage = stage(schedule(&[0, 5]));
    stage.cancel(stage.ids[0]).unwrap();
    let late = another(&stage, 1, |_| {});
    assert_eq!(late, stage.ids[0], "a duplicate makes the same delivery");
    stage.queue_first(late);
    // A later page of subscriptions.
    let other = samples::subscription("acme", 2);
    stage.backend.store_subscription(&other);
    let late = another(&stage, 2, |_| {});
    stage.queue_first(late);
    stage.drain();
    assert_eq!(stage.delivery_of(late).status, REQUESTED);
    assert!(stage.backend.requests().is_empty());
}

#[test]
fn a_delivery_that_is_held_after_the_cancellation_is_sent_by_no_recovery() {
    let stage = stage(schedule(&[0, 5]));
    stage.drain();
    let message = samples::message("acme", "paused");
    stage
        .backend
        .record_message(message.clone(), stage.backend.time());
    let id = DeliveryId {
        message: message.id,
        subscription: stage.ids[0].subscription,
    };
    stage.cancel(id).unwrap();
    stage.set_status(stage.ids[0], Some(SubscriptionStatus::Paused));
    stage.record_message(&message);
    assert_eq!(stage.delivery_of(id).status, samples::HELD);
    stage.set_status(stage.ids[0], Some(SubscriptionStatus::Active));
    stage.release(HeldFate::Send).unwrap();
    stage.drain();
    assert!(matches!(
        stage.delivery_of(id).status,
        DeliveryStatus::Cancelled(_)
    ));
    assert_eq!(stage.backend.requests().len(), 1);
}

#[test]
fn a_cancelled_delivery_is_resent_with_all_its_retries() {
    let stage = stage(schedule(&[0, 5]));
    stage.cancel(stage.ids[0]).unwrap();
    stage.backend.answer([samples::response(500)]);
    stage.resend(stage.ids[0]).unwrap();
    stage.drain();
    let delivery = stage.delivery();
    assert_eq!(delivery.status, DeliveryStatus::Succeeded);
    assert_eq!(delivery.attempts.len(), 2);
}

#[test]
fn a_second_cancellation_stops_a_resend() {
    let stage = stage(schedule(&[0, 3_600]));
    stage.cancel(stage.ids[0]).unwrap();
    stage.backend.answer([samples::response(500)]);
    stage.resend(stage.ids[0]).unwrap();
    stage.drain_queue();
    assert_eq!(stage.delivery().attempts.len(), 1);
    assert_eq!(stage.cancel(stage.ids[0]).unwrap().cancelled, 1);
    stage.drain();
    assert_eq!(stage.delivery().status, REQUESTED);
    assert_eq!(stage.backend.requests().len(), 1);
}

#[test]
fn the_message_of_another_customer_is_not_found() {
    let stage = stage(schedule(&[0]));
    let other = samples::customer("other");
    let refused = now(stage.cancel.run(&other, &stage.ids[0].message, None, 200));
    assert!(matches!(refused, Err(CancelError::NotFound(_))));
    assert_eq!(stage.delivery().status, DeliveryStatus::Pending);
    stage.drain();
    assert_eq!(stage.backend.requests().len(), 1);
}

#[test]
fn each_request_cancels_a_bounded_page() {
    let stage = stage(schedule(&[0]));
    for number in 2..=450 {
        another(&stage, number, |_| {});
    }
    let customer = samples::customer("acme");
    let message = &stage.ids[0].message;
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let before = stage.backend.delivery_writes();
        let page = now(stage.cancel.run(&customer, message, after.as_ref(), 200)).unwrap();
        let writes = stage.backend.delivery_writes() - before;
        assert_eq!(writes, u64::from(page.cancelled));
        pages.push(page.cancelled);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [200, 200, 50]);
}

#[test]
fn a_retry_that_is_recorded_meanwhile_is_cancelled_with_its_attempt() {
    let stage = stage(schedule(&[0, 3_600]));
    let id = stage.ids[0];
    stage
        .backend
        .before_cancelling(move |backend: &InMemoryBackend| {
            let next = webhooks_domain::due::NextAttempt::plan(
                backend.time() + Duration::from_hours(1),
                backend.time(),
                webhooks_domain::due::LongestQueueDelay::MAX,
            );
            let attempt = samples::failed_attempt(1);
            let verdict = Verdict::Retry(next);
            let recorded = webhooks_domain::ports::DeliveryTable::record(
                backend, &id, None, &attempt, &verdict,
            );
            now(recorded).unwrap();
        });
    let cancellation = stage.cancel(id).unwrap();
    assert_eq!((cancellation.cancelled, cancellation.due), (1, 0));
    let delivery = stage.delivery();
    assert_eq!((delivery.status, delivery.attempts.len()), (REQUESTED, 1));
    stage.drain();
    assert!(stage.backend.requests().is_empty());
}

#[test]
fn a_crash_after_the_mark_still_stops_everything() {
    let stage = stage(schedule(&[0, 5]));
    // The message is read and marked; the deliveries are not read.
    stage
        .backend
        .plant([Fault::None, Fault::None, Fault::Before]);
    stage.cancel(stage.ids[0]).unwrap_err();
    stage.backend.clear_faults();
    assert_eq!(stage.delivery().status, DeliveryStatus::Pending);
    stage.drain();
    assert_eq!(stage.delivery().status, REQUESTED);
    assert!(stage.backend.requests().is_empty());
}

#[test]
fn a_waiting_message_is_cancelled() {
    let stage = stage(schedule(&[0]));
    stage.drain();
    let message = Message {
        deliver_at: Some(stage.backend.time() + Duration::from_hours(24)),
        ..samples::message("acme", "later")
    };
    let id = stage.deliver_message(&message);
    let cancellation = stage.cancel(id).unwrap();
    assert_eq!((cancellation.cancelled, cancellation.due), (1, 0));
    stage.drain();
    assert_eq!(stage.delivery_of(id).status, REQUESTED);
    assert_eq!(stage.backend.requests().len(), 1);
}

/// The last attempt is under way while its message is cancelled and its delivery is sent again. What
/// comes of it must not end what somebody has asked for.
#[test]
fn an_attempt_that_began_before_a_resend_decides_nothing_about_it() {
    let stage = stage(schedule(&[0]));
    stage.backend.answer([500, 200].map(samples::response));
    let (id, is_first) = (stage.ids[0], AtomicBool::new(true));
    stage.backend.during_requests(move |backend| {
        if !is_first.swap(false, Ordering::Relaxed) {
            return;
        }
        backend.set_now(backend.time() + Duration::from_secs(1));
        let cancel = Cancel {
            table: backend.clone(),
            clock: backend.clone(),
        };
        let customer = samples::customer("acme");
        now(cancel.run(&customer, &id.message, None, 200)).unwrap();
        let resend = Resend {
            table: backend.clone(),
            queue: backend.clone(),
            clock: backend.clone(),
        };
        now(resend.run(&id)).unwrap();
    });
    stage.drain();
    assert_eq!(stage.backend.requests().len(), 2);
    let delivery = stage.delivery();
    assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:?}");
}
