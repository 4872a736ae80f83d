//! Endpoints with limits, and slow endpoints.

use std::time::Duration;

use webhooks_domain::deliver::{DeferReason, Report};
use webhooks_domain::delivery::{Deferral, DeliveryStatus, DeliveryTask, DiscardReason};
use webhooks_domain::due::OVERDUE_AFTER;
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::limiter;
use webhooks_domain::limits::{
    EndpointLimiter, Lease, LimiterDecision, LimiterId, LimiterKind, Limits, LimitsInForce,
    MaxInFlight, RateLimit, Reservation,
};
use webhooks_domain::outbound::{AttemptOutcome, WebhookResponse};
use webhooks_domain::queue::QueueKind;
use webhooks_domain::subscription::SubscriptionStatus;
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::{Fault, samples};

use crate::stage::{Stage, header, now, schedule, stage};

const SECOND: Duration = Duration::from_secs(1);

/// A stage whose deliveries all belong to one subscription with these limits. Nothing is queued.
fn limited(limits: Limits) -> Stage {
    let stage = stage(schedule(&[0, 60]));
    stage.backend.purge_queue();
    stage.change(stage.ids[0], |subscription| subscription.limits = limits);
    stage
}

fn at_rate(rate: u64) -> Limits {
    Limits {
        rate: Some(RateLimit::try_from(rate).unwrap()),
        in_flight: None,
    }
}

fn in_flight(most: u64) -> Limits {
    Limits {
        rate: None,
        in_flight: Some(MaxInFlight::try_from(most).unwrap()),
    }
}

/// Adds this many deliveries, and queues each of them.
fn queue_more(stage: &Stage, count: usize) -> Vec<DeliveryId> {
    let more = (0..count).map(|n| stage.another_delivery(&format!("more {n}")));
    let more: Vec<_> = more.collect();
    for &id in &more {
        stage.queue_first(id);
    }
    more
}

/// The only task in the queue.
fn only_task(stage: &Stage) -> DeliveryTask {
    let [queued] = stage.backend.queue()[..] else {
        panic!("one task, {:?}", stage.backend.queue())
    };
    queued.task
}

fn throttled() -> Report {
    Report::Deferred(DeferReason::OverLimit)
}

/// The limits of the stage's subscription.
fn in_force(stage: &Stage) -> LimitsInForce {
    let subscription = stage.subscription_of(stage.ids[0]).unwrap();
    LimitsInForce::of_subscription(subscription.limits, subscription.version)
}

fn limiter_id(stage: &Stage) -> LimiterId {
    LimiterId::Subscription(stage.ids[0].subscription)
}

/// Leases a slot for a minute, as another request would.
fn take_lease(stage: &Stage) -> Lease {
    let time = stage.backend.time();
    let id = limiter_id(stage);
    let request = in_force(stage).admission(7, true, time, time + Duration::from_mins(1));
    match now(limiter::admit(&stage.backend, &id, &request)).unwrap() {
        LimiterDecision::Admitted(Some(slot)) => slot,
        other => panic!("expected a lease, got {other:?}"),
    }
}

fn release(stage: &Stage, lease: Lease) {
    let id = limiter_id(stage);
    now(limiter::release(&stage.backend, &id, lease, Some(SECOND))).unwrap();
}

/// Reserves this many times for other deliveries. Returns the last.
fn add_reservations(stage: &Stage, count: usize) -> Timestamp {
    let id = limiter_id(stage);
    let limits = in_force(stage);
    let reservations = (0..count).map(|_| {
        let idle = EndpointLimiter::default();
        let request = limits.reservation(&idle, stage.backend.time());
        now(limiter::reserve(&stage.backend, &id, &request, &idle)).unwrap()
    });
    reservations.last().unwrap()
}

#[test]
fn deliveries_over_the_rate_wait_in_the_order_of_arrival() {
    let stage = limited(at_rate(3));
    queue_more(&stage, 20);
    // A queue keeps no order: they come in this one.
    let mut ids = Vec::new();
    while let Some(message) = stage.backend.receive() {
        ids.extend(
            message
                .task
                .deferral
                .is_none()
                .then_some(message.task.delivery),
        );
        stage.handle(message).unwrap();
    }
    let requests = stage.backend.requests();
    for (n, (first, _)) in requests.iter().enumerate() {
        let within = |at| first.since(at) < SECOND;
        let in_a_second = requests[..=n].iter().filter(|(at, _)| within(*at)).count();
        // The burst of a second after a pause, and the deliveries whose reserved time has come.
        assert!(in_a_second <= 6, "{in_a_second} in a second");
    }
    let sent: Vec<_> = requests
        .iter()
        .map(|(_, request)| header(request, "webhook-id"))
        .collect();
    // Deliveries with reservations in the same second are sent in any order.
    for (n, id) in ids.iter().enumerate() {
        let place = sent.iter().position(|sent| *sent == id.message.to_string());
        let place = place.unwrap();
        assert!(place.abs_diff(n) <= 5, "{n} came at {place}");
    }
    for id in ids {
        let delivery = stage.delivery_of(id);
        assert_eq!(delivery.status, DeliveryStatus::Succeeded);
        assert_eq!(delivery.attempts.len(), 1, "waiting uses up no attempt");
    }
    let took = requests.last().unwrap().0.since(requests[0].0);
    let least = SECOND * (20 - 3) / 3;
    assert!(
        took + SECOND >= least && took <= least + 3 * SECOND,
        "{took:?}"
    );
}

#[test]
fn a_subscription_without_limits_writes_nothing_for_them() {
    let stage = stage(schedule(&[0]));
    // Load, subscription, customer, data key, unwrap; no other call before the request.
    let faults = std::iter::repeat_n(Fault::None, 5).chain([Fault::Before]);
    stage.backend.plant(faults);
    assert!(stage.run(&DeliveryTask::first(stage.ids[0])).is_err());
    assert_eq!(stage.backend.requests().len(), 1);
}

#[test]
fn a_delivery_without_a_free_slot_waits_until_one_is_released() {
    let stage = limited(in_flight(1));
    let slot = take_lease(&stage);
    let report = stage.run_first();
    assert_eq!(report, throttled());
    let waiting = only_task(&stage);
    assert!(
        matches!(waiting.deferral, Some(Deferral::Limiter(_))),
        "{waiting:?}"
    );
    let message = stage.backend.receive().unwrap();
    assert_eq!(stage.handle(message).unwrap(), throttled(), "still");
    assert_eq!(only_task(&stage).attempt, 1);

    release(&stage, slot);
    stage.drain();
    let delivery = stage.delivery();
    assert_eq!(delivery.status, DeliveryStatus::Succeeded);
    assert_eq!(delivery.attempts.len(), 1);
    // Its own lease is released too.
    take_lease(&stage);
}

#[test]
fn deliveries_that_wait_for_a_slot_return_one_after_another() {
    let stage = limited(in_flight(2));
    let ids = queue_more(&stage, 6);
    take_lease(&stage);
    stage.backend.set_now(stage.backend.time() + SECOND);
    take_lease(&stage);
    let time = stage.backend.time();
    for _ in &ids {
        let message = stage.backend.receive_before(time + SECOND).unwrap();
        assert_eq!(stage.handle(message).unwrap(), throttled());
    }
    let reservations = stage.backend.queue().into_iter().map(|queued| {
        let Some(Deferral::Limiter(reservation)) = queued.task.deferral else {
            panic!("{queued:?}")
        };
        reservation.not_before.since(time).as_millis()
    });
    assert_eq!(
        reservations.collect::<Vec<_>>(),
        [1_000, 1_125, 1_250, 1_375, 1_500, 1_625]
    );
}

#[test]
fn the_number_of_waiting_deliveries_does_not_raise_the_rate_of_requests_for_a_slot() {
    let stage = limited(in_flight(1));
    queue_more(&stage, 100);
    take_lease(&stage);
    let end = stage.backend.time() + SECOND * 59;
    let mut asked = 0;
    while let Some(message) = stage.backend.receive_before(end) {
        assert_eq!(stage.handle(message).unwrap(), throttled());
        asked += 1;
    }
    // Each task once, and then four for each second that a lease lasts.
    assert!((100..=340).contains(&asked), "{asked}");
}

#[test]
fn deliveries_that_return_late_stay_within_the_limit() {
    let stage = limited(at_rate(2));
    queue_more(&stage, 100);
    while let Some(message) = stage
        .backend
        .receive_before(stage.backend.time() + SECOND / 2)
    {
        stage.handle(message).unwrap();
    }
    // For a while nothing reads the queue.
    stage
        .backend
        .set_now(stage.backend.time() + Duration::from_mins(10));
    let (sent, now) = (stage.backend.requests().len(), stage.backend.time());
    while let Some(message) = stage.backend.receive_before(now + SECOND / 2) {
        stage.handle(message).unwrap();
    }
    assert_eq!(stage.backend.requests().len(), sent + 4, "the saved burst");
    stage.drain();
    assert_eq!(stage.backend.requests().len(), 100);
}

#[test]
fn a_lease_is_released_if_the_record_fails_and_expires_after_a_crash() {
    let stage = limited(in_flight(1));
    stage.queue_first(stage.ids[0]);
    // Load, subscription, customer, lease, data key, unwrap: the record fails.
    let none = |count| std::iter::repeat_n(Fault::None, count);
    stage.backend.plant(none(6).chain([Fault::Before]));
    let message = stage.backend.receive().unwrap();
    assert!(stage.handle(message).is_err());
    let slot = take_lease(&stage);
    release(&stage, slot);

    // The data key is cached by now, and the customer is read again. Neither the record nor the
    // release happens.
    stage
        .backend
        .plant(none(4).chain([Fault::Before, Fault::Before]));
    let message = stage.backend.receive().unwrap();
    assert!(stage.handle(message).is_err());
    stage.backend.set_now(stage.backend.time() + SECOND);
    assert_eq!(stage.run_first(), throttled());
    stage.drain();
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
}

#[test]
fn a_new_delivery_does_not_wait_behind_reservations_of_a_lower_limit() {
    let stage = limited(at_rate(1));
    let ids: Vec<_> = (0..100)
        .map(|n| stage.another_delivery(&format!("waits {n}")))
        .collect();
    for &id in &ids {
        stage.run(&DeliveryTask::first(id)).unwrap();
    }
    stage.change(stage.ids[0], |subscription| {
        subscription.limits = at_rate(50);
    });
    stage.backend.set_now(stage.backend.time() + SECOND);
    let next = stage.another_delivery("next");
    let report = stage.run(&DeliveryTask::first(next)).unwrap();
    assert!(matches!(report, Report::Attempted { .. }), "{report:?}");

    stage.change(stage.ids[0], |subscription| {
        subscription.limits = Limits::default();
    });
    let waiting = stage.backend.receive().unwrap();
    let report = stage.handle(waiting).unwrap();
    assert!(matches!(report, Report::Attempted { .. }), "{report:?}");
    stage.drain();
    let status = |id: &DeliveryId| stage.delivery_of(*id).status;
    assert!(ids.iter().all(|id| status(id) == DeliveryStatus::Succeeded));
}

#[test]
fn a_waiting_delivery_is_held_when_its_subscription_is_paused() {
    let stage = limited(in_flight(1));
    take_lease(&stage);
    assert_eq!(stage.run_first(), throttled());
    stage.set_status(stage.ids[0], Some(SubscriptionStatus::Paused));
    stage.drain();
    assert_eq!(stage.delivery().status, samples::HELD);
    assert_eq!(stage.backend.requests().len(), 0);
}

#[test]
fn an_overdue_task_joins_a_short_backlog_and_is_left_to_the_sweep_if_it_is_long() {
    let stage = limited(at_rate(1));
    stage.queue_first(stage.ids[0]);
    stage.backend.answer([samples::response(500)]);
    stage.handle(stage.backend.receive().unwrap()).unwrap();
    stage.backend.purge_queue();
    let due_at = stage.delivery().next_attempt_at;
    stage.backend.set_now(due_at.unwrap() + OVERDUE_AFTER);
    let swept = DeliveryTask::new(stage.ids[0], 2, due_at);
    add_reservations(&stage, 10);
    assert_eq!(stage.run(&swept).unwrap(), throttled());
    stage.backend.purge_queue();
    add_reservations(&stage, 5_000);
    let left = Report::Discarded(DiscardReason::LeftToSweep);
    let before = add_reservations(&stage, 1);
    assert_eq!(stage.run(&swept).unwrap(), left);
    assert_eq!(
        add_reservations(&stage, 1),
        before + SECOND * 4 / 5,
        "the discarded task made no reservation"
    );
    assert!(stage.backend.queue().is_empty());
    // A task that was deferred by the limiter before keeps waiting, for as long as one queue delay.
    let reserved_at = stage.backend.time() + Duration::from_mins(20);
    let waiting = swept.deferred_by(Deferral::Limiter(Reservation {
        not_before: reserved_at,
        limiter: LimiterKind::Subscription,
        version: in_force(&stage).version,
    }));
    assert_eq!(stage.run(&waiting).unwrap(), throttled());
    assert_eq!(only_task(&stage), waiting);
    stage.drain();
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
}

fn timed_out() -> WebhookResponse {
    WebhookResponse {
        outcome: AttemptOutcome::TimedOut,
        status: None,
        duration_ms: 15_000,
        ..samples::response(500)
    }
}

fn queue(stage: &Stage) -> QueueKind {
    let subscription = stage.subscription_of(stage.ids[0]).unwrap();
    subscription.health.queue()
}

#[test]
fn a_hanging_endpoint_is_served_by_the_slow_queue_until_it_is_quick_again() {
    let stage = limited(Limits::default());
    stage.backend.answer([timed_out(), timed_out()]);
    stage.queue_first(stage.ids[0]);
    stage.drain();
    assert_eq!(
        queue(&stage),
        QueueKind::Slow,
        "two slow attempts of one delivery"
    );

    let id = stage.another_delivery("slow");
    let report = stage.run(&DeliveryTask::first(id)).unwrap();
    assert_eq!(report, Report::Deferred(DeferReason::SlowEndpoint));
    assert_eq!(
        only_task(&stage),
        DeliveryTask::first(id).on(QueueKind::Slow)
    );
    assert_eq!(
        stage.backend.requests().len(),
        2,
        "a task of the fast queue makes no request"
    );
    stage.backend.answer([samples::response(500)]);
    let message = stage.backend.receive().unwrap();
    stage.handle(message).unwrap();
    assert_eq!(
        only_task(&stage).queue,
        QueueKind::Slow,
        "its retry is in the slow queue too"
    );
    stage.drain();
    assert_eq!(stage.delivery_of(id).status, DeliveryStatus::Succeeded);

    queue_more(&stage, 5);
    stage.drain();
    assert_eq!(queue(&stage), QueueKind::Fast);
    // A task that is still in the slow queue is processed there, and not moved back.
    let late = stage.another_delivery("late");
    let report = stage
        .run(&DeliveryTask::first(late).on(QueueKind::Slow))
        .unwrap();
    assert!(matches!(report, Report::Attempted { .. }), "{report:?}");
}

#[test]
fn a_probe_of_a_hanging_endpoint_is_made_by_the_slow_queue() {
    let stage = limited(Limits::default());
    let time = stage.backend.time();
    stage.change(stage.ids[0], |subscription| {
        subscription.health.slow_since = Some(time);
    });
    stage.reopen_circuit(stage.ids[0], time);
    let report = stage.run_first();
    assert_eq!(report, Report::Deferred(DeferReason::SlowEndpoint));
    assert_eq!(stage.backend.requests().len(), 0);
    stage.drain();
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
}

/// A waiting delivery asks again, under the limit that is in force by then.
#[test]
fn a_raised_limit_applies_to_waiting_deliveries() {
    let stage = limited(at_rate(1));
    queue_more(&stage, 240);
    let began = stage.backend.time();
    let raised_at = began + Duration::from_secs(14);
    while let Some(message) = stage.backend.receive_before(raised_at) {
        stage.handle(message).unwrap();
    }
    let went = stage.backend.requests().len();
    assert!((10..=20).contains(&went), "{went} before it was raised");
    stage.backend.set_now(raised_at);
    stage.change(stage.ids[0], |subscription| {
        subscription.limits = at_rate(100);
    });
    stage.drain();
    let requests = stage.backend.requests();
    assert_eq!(requests.len(), 240);
    let took = requests.iter().map(|(at, _)| at.since(raised_at)).max();
    assert!(took.unwrap() <= Duration::from_secs(40), "{took:?}");
}
