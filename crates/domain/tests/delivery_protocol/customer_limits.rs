//! The rate of a customer, for all of its subscriptions together.

use std::collections::HashMap;
use std::time::Duration;

use webhooks_domain::customer::Customer;
use webhooks_domain::deliver::{DeferReason, Report};
use webhooks_domain::delivery::{DeliveryStatus, DeliveryTask};
use webhooks_domain::ids::{DeliveryId, SubscriptionId};
use webhooks_domain::limiter;
use webhooks_domain::limits::{LimiterDecision, LimiterId, LimiterKind, LimitsInForce, RateLimit};
use webhooks_domain::ports::{CustomerTable, WriteOutcome};
use webhooks_testkit::{Fault, samples};

use crate::stage::{Stage, header, now, schedule, stage, stage_with};

const SECOND: Duration = Duration::from_secs(1);

/// Limits the customer of a stage. Without a rate, it has no limit.
fn limit(stage: &Stage, rate: Option<u64>) {
    let id = samples::customer("acme");
    let stored = now(stage.backend.customer(&id)).unwrap();
    let read = stored.clone();
    let current = stored.unwrap_or_else(|| Customer::unwritten(&id, stage.backend.time()));
    let changed = Customer {
        rate_limit: rate.map(|rate| RateLimit::try_from(rate).unwrap()),
        version: current.version + 1,
        ..current
    };
    let written = now(stage.backend.write_customer(read.as_ref(), &changed)).unwrap();
    assert_eq!(written, WriteOutcome::Written);
}

fn throttled() -> Report {
    Report::Deferred(DeferReason::OverLimit)
}

/// Adds deliveries to the subscription of this one, and queues each of them.
fn queue_more(stage: &Stage, like: DeliveryId, count: usize) {
    for n in 0..count {
        let id = stage.another_delivery_to(like.subscription, &format!("more {n}"));
        stage.queue_first(id);
    }
}

#[test]
fn all_subscriptions_of_a_customer_share_its_rate() {
    let stage = stage_with(schedule(&[0]), &[None, None]);
    stage.backend.purge_queue();
    limit(&stage, Some(4));
    for like in stage.ids.clone() {
        queue_more(&stage, like, 20);
    }
    let mut sent_to: HashMap<SubscriptionId, usize> = HashMap::new();
    let mut half = None;
    while let Some(message) = stage.backend.receive() {
        let id = message.task.delivery;
        if let Report::Attempted { .. } = stage.handle(message).unwrap() {
            *sent_to.entry(id.subscription).or_default() += 1;
            if sent_to.values().sum::<usize>() == 20 {
                half = Some(sent_to.clone());
            }
        }
    }
    assert_eq!(sent_to.values().copied().collect::<Vec<_>>(), [20, 20]);
    let requests = stage.backend.requests();
    for (n, (first, _)) in requests.iter().enumerate() {
        let within = |at| first.since(at) < SECOND;
        let in_a_second = requests[..=n].iter().filter(|(at, _)| within(*at)).count();
        assert!(in_a_second <= 2 * 4, "{in_a_second} in a second");
    }
    let took = requests.last().unwrap().0.since(requests[0].0);
    assert!(took >= SECOND * (40 - 2 * 4) / 4, "{took:?}");
    // They waited in the order of arrival.
    assert!(half.unwrap().len() <= 2);
}

#[test]
fn the_limit_of_a_customer_is_read_once_a_minute() {
    let stage = stage(schedule(&[0]));
    stage.drain();
    let rest = stage.another_delivery("next");
    // Load, subscription; the data key is known. No other call before the request.
    stage
        .backend
        .plant([Fault::None, Fault::None, Fault::Before]);
    assert!(stage.run(&DeliveryTask::first(rest)).is_err());
    assert_eq!(stage.backend.requests().len(), 2);
    stage.backend.clear_faults();

    limit(&stage, Some(1));
    let attempted = |event: &str| {
        let id = stage.another_delivery(event);
        matches!(
            stage.run(&DeliveryTask::first(id)).unwrap(),
            Report::Attempted { .. }
        )
    };
    assert!((0..5).all(|n| attempted(&format!("before {n}"))), "kept");
    stage
        .backend
        .set_now(stage.backend.time() + Duration::from_mins(1));
    let admitted = (0..5).filter(|n| attempted(&format!("after {n}"))).count();
    assert_eq!(admitted, 2, "the burst of two seconds");
    limit(&stage, None);
    stage
        .backend
        .set_now(stage.backend.time() + Duration::from_mins(1));
    assert!((0..5).all(|n| attempted(&format!("later {n}"))));
}

#[test]
fn a_limit_that_cannot_be_read_is_the_one_before() {
    let stage = stage(schedule(&[0]));
    limit(&stage, Some(1));
    // Nothing is known yet: the message goes back to the queue.
    let first = DeliveryTask::first(stage.ids[0]);
    stage
        .backend
        .plant([Fault::None, Fault::None, Fault::Before]);
    assert!(stage.run(&first).is_err());
    assert_eq!(stage.backend.requests().len(), 0);
    stage.backend.clear_faults();
    stage.run(&first).unwrap();
    let again = DeliveryTask::first(stage.another_delivery("second"));
    stage.run(&again).unwrap();
    stage
        .backend
        .set_now(stage.backend.time() + Duration::from_mins(1));
    for event in ["third", "fourth"] {
        let task = DeliveryTask::first(stage.another_delivery(event));
        stage
            .backend
            .plant([Fault::None, Fault::None, Fault::Before]);
        stage.run(&task).unwrap();
    }
    let task = DeliveryTask::first(stage.another_delivery("fifth"));
    stage
        .backend
        .plant([Fault::None, Fault::None, Fault::Before]);
    assert_eq!(stage.run(&task).unwrap(), throttled());
}

#[test]
fn a_slot_is_free_again_if_the_customer_is_over_its_rate() {
    let stage = stage(schedule(&[0]));
    limit(&stage, Some(1));
    stage.change(stage.ids[0], |subscription| {
        subscription.limits.in_flight = Some(1.try_into().unwrap());
    });
    let deliver = |event: &str| {
        let id = stage.another_delivery(event);
        stage.run(&DeliveryTask::first(id)).unwrap()
    };
    for event in ["first", "second"] {
        assert!(matches!(deliver(event), Report::Attempted { .. }));
    }
    assert_eq!(deliver("third"), throttled());
    let subscription = stage.subscription_of(stage.ids[0]).unwrap();
    let of = LimitsInForce::of_subscription(subscription.limits, subscription.version);
    let time = stage.backend.time();
    let request = of.admission(3, true, time, time + Duration::from_mins(1));
    let id = LimiterId::Subscription(subscription.id);
    let taken = now(limiter::admit(&stage.backend, &id, &request)).unwrap();
    assert!(
        matches!(taken, LimiterDecision::Admitted(Some(_))),
        "{taken:?}"
    );
}

#[test]
fn a_reservation_of_the_customer_holds_under_the_limits_of_the_subscription() {
    let stage = stage(schedule(&[0]));
    stage.backend.purge_queue();
    limit(&stage, Some(1));
    stage.change(stage.ids[0], |subscription| {
        subscription.limits.rate = Some(200.try_into().unwrap());
    });
    queue_more(&stage, stage.ids[0], 6);
    let mut deferred = 0;
    while let Some(message) = stage.backend.receive() {
        if stage.handle(message).unwrap() == throttled() {
            deferred += 1;
        }
        for queued in stage.backend.queue() {
            if let Some(reserved) = queued.task.reservation() {
                assert_eq!(reserved.limiter, LimiterKind::Customer);
            }
        }
    }
    assert!((4..20).contains(&deferred), "{deferred} times deferred");
    let ids: Vec<_> = stage.backend.requests();
    let ids: Vec<_> = ids
        .iter()
        .map(|(_, sent)| header(sent, "webhook-id"))
        .collect();
    assert_eq!(ids.len(), 6);
    for delivery in stage.backend.deliveries() {
        let is_first = delivery.id == stage.ids[0];
        assert!(is_first || delivery.status == DeliveryStatus::Succeeded);
    }
}
