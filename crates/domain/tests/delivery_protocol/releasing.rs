//! The deliveries that were held are sent or discarded once their subscription is active again.

use std::time::Duration;

use webhooks_domain::delivery::{CancelReason, Delivery, DeliveryStatus, FailureReason};
use webhooks_domain::health::Hold;
use webhooks_domain::message::Message;
use webhooks_domain::recover::RecoveriesError;
use webhooks_domain::recovery::{HeldFate, Rate, Recovery, RecoveryStatus};
use webhooks_domain::subscription::{Subscription, SubscriptionStatus};
use webhooks_testkit::{Fault, samples};

use crate::recovering::{Outage, counts, outage};
use crate::stage::now;

const FAILED: DeliveryStatus = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
const DISCARDED: DeliveryStatus = DeliveryStatus::Cancelled(CancelReason::Discarded);

/// An outage with this many held deliveries, and one that has failed before them. Its subscription
/// has just been made active.
fn held(count: usize) -> Outage {
    let statuses = std::iter::once(FAILED);
    let outage = outage(statuses.chain(std::iter::repeat_n(samples::HELD, count)));
    for status in [SubscriptionStatus::Paused, SubscriptionStatus::Active] {
        outage.stage.set_status(outage.stage.ids[0], Some(status));
    }
    outage
}

impl Outage {
    fn subscription(&self) -> Subscription {
        self.stage.subscription_of(self.stage.ids[0]).unwrap()
    }

    /// The request that makes the subscription active, after it has written the status.
    fn activate(&self, held: HeldFate) -> Result<Option<Recovery>, RecoveriesError> {
        now(self.recoveries.release(&self.subscription(), held, true))
    }

    /// The same request once more: it finds the subscription active.
    fn repeat(&self, held: HeldFate) -> Result<Option<Recovery>, RecoveriesError> {
        now(self.recoveries.release(&self.subscription(), held, false))
    }

    /// The number of recoveries of the subscription.
    fn started(&self) -> usize {
        let to = self.stage.ids[0].subscription;
        let customer = samples::customer("acme");
        let page = self.recoveries.list(&customer, &to, None, 10);
        now(page).unwrap().recoveries.len()
    }
}

#[test]
fn an_activation_sends_what_was_held_once_and_the_oldest_first() {
    let outage = held(20);
    let recovery = outage.activate(HeldFate::Send).unwrap().unwrap();
    outage.run(&recovery.key());
    outage.stage.drain();
    let requests = outage.requests();
    assert_eq!(requests.len(), 20);
    assert!(requests.values().all(|&times| times == 1));
    assert_eq!(outage.status(0), FAILED, "it was not held");
    let sent: Vec<_> = (1..=20)
        .map(|number| outage.stage.delivery_of(outage.ids[number]).attempts[0].at)
        .collect();
    assert!(sent.is_sorted(), "{sent:?}");
    let ended = outage.recovery(&recovery.key());
    assert_eq!(ended.status, RecoveryStatus::Succeeded);
    assert_eq!(counts(&ended), (21, 20, 1));
}

#[test]
fn a_repeated_activation_starts_no_second_recovery() {
    for fate in [HeldFate::Send, HeldFate::Discard] {
        let outage = held(3);
        let first = outage.activate(fate).unwrap().unwrap();
        let again = outage.repeat(fate).unwrap().unwrap();
        assert_eq!(again.id, first.id, "while it runs");
        let concurrent = outage.activate(fate).unwrap().unwrap();
        assert_eq!(concurrent.id, first.id, "at the same moment");
        outage.run(&first.key());
        outage.stage.drain();
        let again = outage.repeat(fate).unwrap().unwrap();
        assert_eq!(again.id, first.id, "after its end");
        assert_eq!(again.status, RecoveryStatus::Succeeded);
        assert_eq!(outage.started(), 1);
    }
}

#[test]
fn a_crash_at_any_call_of_an_activation_is_repaired_by_its_repetition() {
    // The recovery, and its workflow.
    const CALLS: usize = 2;
    for fate in [HeldFate::Send, HeldFate::Discard] {
        for (call, fault) in (0..CALLS).flat_map(|n| [(n, Fault::Before), (n, Fault::After)]) {
            let place = format!("{fate:?}: {fault:?} at {call}");
            let outage = held(3);
            let faults = std::iter::repeat_n(Fault::None, call).chain([fault]);
            let active = outage.subscription();
            outage.stage.backend.plant(faults);
            let activated = now(outage.recoveries.release(&active, fate, true));
            assert!(activated.is_err(), "{place}");
            assert!(!outage.stage.backend.clear_faults(), "the fault happened");
            let recovery = outage.repeat(fate).unwrap().unwrap();
            assert_eq!(recovery.status, RecoveryStatus::Running, "{place}");
            outage.run(&recovery.key());
            outage.stage.drain();
            let sent = if fate == HeldFate::Send { 3 } else { 0 };
            assert_eq!(outage.requests().len(), sent, "{place}");
            let is_held = |number| outage.status(number) == samples::HELD;
            assert!(!(1..=3).any(is_held), "{place}");
        }
    }
}

#[test]
fn a_process_that_dies_before_the_recovery_leaves_it_to_the_repetition() {
    let outage = held(3);
    let recovery = outage.repeat(HeldFate::Send).unwrap().unwrap();
    outage.run(&recovery.key());
    outage.stage.drain();
    assert_eq!(outage.requests().len(), 3);
}

#[test]
fn a_repetition_continues_a_recovery_that_was_stopped() {
    let outage = held(3);
    let first = outage.activate(HeldFate::Send).unwrap().unwrap();
    now(outage.recoveries.stop(&first.key())).unwrap();
    outage.run(&first.key());
    let stopped = outage.recovery(&first.key());
    assert_eq!(stopped.status, RecoveryStatus::Stopped);
    let next = outage.repeat(HeldFate::Send).unwrap().unwrap();
    assert_ne!(next.id, first.id);
    let again = outage.repeat(HeldFate::Send).unwrap().unwrap();
    assert_eq!((again.id, outage.started()), (next.id, 2), "while it runs");
    let other = outage.repeat(HeldFate::Discard).unwrap().unwrap();
    assert_ne!(other.id, next.id, "it does something else");
    now(outage.recoveries.stop(&other.key())).unwrap();
    outage.run(&next.key());
    outage.stage.drain();
    assert_eq!(outage.requests().len(), 3);
}

#[test]
fn nothing_is_started_if_nothing_is_held_or_it_is_to_be_kept() {
    let well = outage([FAILED, FAILED]);
    for fate in [HeldFate::Send, HeldFate::Discard] {
        assert_eq!(well.repeat(fate).unwrap(), None, "it was active before");
    }
    let outage = held(3);
    assert_eq!(outage.activate(HeldFate::Keep).unwrap(), None);
    assert_eq!(outage.repeat(HeldFate::Keep).unwrap(), None);
    assert_eq!((outage.started(), well.started()), (0, 0));
    assert_eq!(outage.status(1), samples::HELD);
}

#[test]
fn discarded_deliveries_are_cancelled_and_no_others() {
    let outage = held(120);
    // One of them was resent meanwhile.
    let resent = outage.ids[7];
    now(outage.pages.resend.run(&resent)).unwrap();
    let recovery = outage.activate(HeldFate::Discard).unwrap().unwrap();
    outage.run(&recovery.key());
    outage.stage.drain();
    assert_eq!(outage.requests().len(), 1, "the resent one");
    for number in 0..=120 {
        let expected = match number {
            0 => FAILED,
            7 => DeliveryStatus::Succeeded,
            _ => DISCARDED,
        };
        assert_eq!(outage.status(number), expected, "{number}");
    }
    assert_eq!(counts(&outage.recovery(&recovery.key())), (121, 119, 2));
}

#[test]
fn a_page_that_discards_and_is_killed_at_any_call_is_retried() {
    // The recovery, the subscription, the list; read and discard; and the progress.
    const COUNT: usize = 3;
    const CALLS: usize = 3 + (COUNT + 1) + COUNT + 1;
    for (call, fault) in (0..CALLS).flat_map(|n| [(n, Fault::Before), (n, Fault::After)]) {
        let outage = held(COUNT);
        let recovery = outage.activate(HeldFate::Discard).unwrap().unwrap();
        let faults = std::iter::repeat_n(Fault::None, call).chain([fault]);
        outage.stage.backend.plant(faults);
        outage.run(&recovery.key());
        assert!(!outage.stage.backend.clear_faults(), "the fault happened");
        let discarded = (1..=COUNT).all(|number| outage.status(number) == DISCARDED);
        assert!(discarded, "{fault:?} at {call}");
        let ended = outage.recovery(&recovery.key());
        assert_eq!(ended.status, RecoveryStatus::Succeeded);
    }
}

#[test]
fn the_rate_is_that_of_the_subscription() {
    let rate = |limit: Option<u64>| {
        let outage = held(1);
        outage.stage.change(outage.stage.ids[0], |subscription| {
            subscription.limits.rate = limit.map(|limit| limit.try_into().unwrap());
        });
        let recovery = outage.activate(HeldFate::Send).unwrap().unwrap();
        recovery.per_second.get()
    };
    assert_eq!(rate(None), Rate::default().get());
    assert_eq!(rate(Some(3)), 3);
    assert_eq!(rate(Some(200)), Rate::MAX);
}

/// A delivery that becomes held after the first reading of the list, although it was created
/// before: the run that holds it has read the subscription before the activation.
fn held_late(outage: &Outage) -> Delivery {
    let message = samples::message("acme", "late");
    let late = Delivery {
        status: samples::HELD,
        expires_at: samples::NOW + Duration::from_hours(24 * 90),
        ..samples::delivery(&message, outage.stage.ids[0].subscription)
    };
    outage.stage.backend.record_call(message, late.clone());
    late
}

#[test]
fn what_becomes_held_during_an_activation_is_in_its_recovery() {
    for (fate, ended) in [
        (HeldFate::Send, DeliveryStatus::Succeeded),
        (HeldFate::Discard, DISCARDED),
    ] {
        let outage = held(3);
        let recovery = outage.activate(fate).unwrap().unwrap();
        let next_step = outage.page(&recovery.key()).next_step;
        assert_eq!(next_step.wait_seconds, Hold::SETTLING.as_secs());
        let late = held_late(&outage);
        // A page that comes too early, as after a retry, leaves it to the next one.
        outage.page(&recovery.key());
        assert_eq!(outage.stage.delivery_of(late.id).status, samples::HELD);
        outage.run(&recovery.key());
        outage.stage.drain();
        assert_eq!(outage.stage.delivery_of(late.id).status, ended);
        let recovery = outage.recovery(&recovery.key());
        assert_eq!(recovery.status, RecoveryStatus::Succeeded);
        assert_eq!(counts(&recovery), (5, 4, 1), "nothing is counted twice");
    }
}

#[test]
fn another_change_does_not_stop_the_recovery_of_an_activation() {
    let outage = held(3);
    let recovery = outage.activate(HeldFate::Send).unwrap().unwrap();
    outage.page(&recovery.key());
    let late = held_late(&outage);
    outage.stage.change(outage.stage.ids[0], |subscription| {
        subscription.description = Some("ours".to_owned().try_into().unwrap());
        subscription.version += 1;
        subscription.updated_at = recovery.started_at + Duration::from_secs(1);
    });
    outage.run(&recovery.key());
    outage.stage.drain();
    let sent = outage.stage.delivery_of(late.id).status;
    assert_eq!(sent, DeliveryStatus::Succeeded);
}

/// It is `failed` then, as it would be without the pause, and the owner hears of it.
#[test]
fn a_held_delivery_whose_deadline_has_passed_ends_as_expired() {
    let outage = held(0);
    let held = |name: &str, deadline: Option<Duration>| {
        let message = Message {
            deadline: deadline.map(|after| samples::NOW + after),
            ..samples::message("acme", name)
        };
        let delivery = Delivery {
            status: samples::HELD,
            expires_at: samples::NOW + Duration::from_hours(24 * 90),
            ..samples::delivery(&message, outage.stage.ids[0].subscription)
        };
        outage.stage.backend.record_call(message, delivery.clone());
        delivery.id
    };
    let late = held("late", Some(Duration::from_mins(10)));
    let in_time = held("in time", None);
    let recovery = outage.activate(HeldFate::Send).unwrap().unwrap();
    outage.run(&recovery.key());
    outage.stage.drain();
    let status = |id| outage.stage.delivery_of(id).status;
    assert_eq!(status(in_time), DeliveryStatus::Succeeded);
    assert_eq!(status(late), DeliveryStatus::Failed(FailureReason::Expired));
    assert_eq!(outage.requests().len(), 1);
    let again = outage.repeat(HeldFate::Send).unwrap().unwrap();
    assert_eq!(again.id, recovery.id, "nothing is held");
}

#[test]
fn a_later_activation_decides_itself_about_what_is_held() {
    let outage = held(3);
    let recovery = outage.activate(HeldFate::Send).unwrap().unwrap();
    outage.page(&recovery.key());
    let late = held_late(&outage);
    let second = Duration::from_secs(1);
    outage
        .stage
        .backend
        .set_now(outage.stage.backend.time() + second);
    // Paused and active again, and this time it keeps what is held.
    outage.stage.change(outage.stage.ids[0], |subscription| {
        subscription.updated_at = recovery.started_at + second;
    });
    assert_eq!(outage.activate(HeldFate::Keep).unwrap(), None);
    outage.run(&recovery.key());
    outage.stage.drain();
    assert_eq!(outage.stage.delivery_of(late.id).status, samples::HELD);
    let ended = outage.recovery(&recovery.key());
    assert_eq!(ended.status, RecoveryStatus::Stopped);
    assert_eq!(outage.requests().len(), 3);
}

#[test]
fn a_delivery_of_a_later_pause_is_not_in_the_range() {
    let outage = held(1);
    let recovery = outage.activate(HeldFate::Send).unwrap().unwrap();
    assert_eq!(recovery.range.since, outage.subscription().created_at);
    let settled_at = outage.stage.backend.time() + Hold::SETTLING;
    assert_eq!(recovery.range.until, settled_at);
    outage
        .stage
        .backend
        .set_now(outage.stage.backend.time() + Duration::from_secs(1));
    outage
        .stage
        .set_status(outage.stage.ids[0], Some(SubscriptionStatus::Paused));
    outage.run(&recovery.key());
    let stopped = outage.recovery(&recovery.key());
    assert_eq!(stopped.status, RecoveryStatus::Stopped, "it is not active");
    outage
        .stage
        .set_status(outage.stage.ids[0], Some(SubscriptionStatus::Active));
    let next = outage.activate(HeldFate::Send).unwrap().unwrap();
    assert_ne!(next.id, recovery.id, "another activation");
}
