//! The delivery protocol under crashes, duplicates and every kind of answer.
//!
//! One delivery is driven through a queue in virtual time. At every call of a
//! port a fault may strike: the effect does not happen, or it happens and its
//! answer is lost. Either way the run ends there, as after a crash, and the
//! queue brings the message back.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use webhooks_domain::deliver::{Deliver, Report};
use webhooks_domain::delivery::{
    CancelReason, Delivery, DeliveryStatus, DropReason, FailureReason, Hint,
};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::outbound::WebhookRequest;
use webhooks_domain::ports::{Clock, DeliveryQueue, SubscriptionStore};
use webhooks_domain::retry::RetryPolicy;
use webhooks_domain::signing::{Overlap, SealedSecrets, Secret, SecretKind};
use webhooks_domain::subscription::{Subscription, SubscriptionStatus};
use webhooks_domain::vault::Vault;
use webhooks_testkit::{Fault, SignedRequest, World, samples};

const VISIBILITY_TIMEOUT: Duration = Duration::from_mins(2);

type TestDeliver = Deliver<World, World, World, Vault<World, World, World>, World>;

/// A world with one subscription and one delivery that is queued.
struct Stage {
    world: World,
    deliver: TestDeliver,
    secret: Secret,
    id: DeliveryId,
}

fn stage(policy: RetryPolicy) -> Stage {
    let world = World::default();
    let vault = Vault::new(world.clone(), world.clone(), world.clone());
    let secret = Secret::generate(SecretKind::V1, &SystemRandom::new());
    let base = samples::subscription("acme", 1);
    let sealed = vault
        .seal(&secret, &base.customer_id, &base.id, 1)
        .now_or_never()
        .unwrap();
    let subscription = Subscription {
        secrets: SealedSecrets::only(sealed.unwrap()),
        ..base
    };
    world.insert_now(&subscription);
    let message = samples::message("acme", "event");
    let delivery = samples::delivery(&message, subscription.id);
    let id = delivery.id;
    world.record_call(message, delivery);
    DeliveryQueue::send(&world, &first_hint(id), Duration::ZERO)
        .now_or_never()
        .unwrap()
        .unwrap();
    let deliver = deliver(&world, policy);
    Stage {
        world,
        deliver,
        secret,
        id,
    }
}

fn deliver(world: &World, policy: RetryPolicy) -> TestDeliver {
    Deliver {
        table: world.clone(),
        queue: world.clone(),
        sender: world.clone(),
        vault: Vault::new(world.clone(), world.clone(), world.clone()),
        clock: world.clone(),
        policy,
        random: SystemRandom::new(),
    }
}

fn first_hint(delivery: DeliveryId) -> Hint {
    Hint {
        delivery,
        attempt: 1,
        due_at: None,
    }
}

trait InsertNow {
    fn insert_now(&self, subscription: &Subscription);
}

impl InsertNow for World {
    fn insert_now(&self, subscription: &Subscription) {
        SubscriptionStore::insert(self, subscription)
            .now_or_never()
            .unwrap()
            .unwrap();
    }
}

impl Stage {
    fn run_first(&self) -> Report {
        self.deliver
            .run(&first_hint(self.id))
            .now_or_never()
            .unwrap()
            .unwrap()
    }

    /// Runs what is in the queue until it is empty; gives the number of failed runs.
    fn drain(&self, duplicates: &[bool]) -> u32 {
        let mut failures = 0;
        let mut duplicates = duplicates.iter();
        for _ in 0..10_000 {
            let Some(message) = self.world.receive() else {
                return failures;
            };
            let result = self.deliver.run(&message.hint).now_or_never().unwrap();
            if result.is_err() {
                failures += 1;
                self.world.put_back(message, VISIBILITY_TIMEOUT);
            } else if duplicates.next() == Some(&true) {
                self.world.put_back(message, Duration::from_secs(1));
            }
        }
        panic!("the queue never empties: {:?}", self.delivery());
    }

    fn delivery(&self) -> Delivery {
        self.world.delivery(&self.id).unwrap()
    }
}

fn schedule(delays: &[u32]) -> RetryPolicy {
    RetryPolicy::schedule(delays.to_vec()).unwrap()
}

fn header<'a>(request: &'a WebhookRequest, name: &str) -> &'a str {
    let found = request.headers.iter().find(|(header, _)| header == name);
    &found.expect("every request has it").1
}

fn verifies_with(request: &WebhookRequest, secret: &Secret) -> bool {
    let signed = SignedRequest {
        id: header(request, "webhook-id"),
        timestamp: header(request, "webhook-timestamp"),
        body: &request.body,
        signatures: header(request, "webhook-signature"),
    };
    signed.verifies_with(&secret.expose())
}

#[test]
fn a_request_is_signed_for_what_it_carries() {
    let stage = stage(schedule(&[0]));
    stage.drain(&[]);
    let (at, request) = stage.world.requests().remove(0);
    let header = |name| header(&request, name);
    assert_eq!(header("content-type"), "application/json");
    assert!(header("user-agent").starts_with("webhooks/"));
    assert_eq!(header("webhook-id"), stage.id.message.to_string());
    assert_eq!(header("webhook-timestamp"), at.as_secs().to_string());
    assert!(verifies_with(&request, &stage.secret));
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
}

#[test]
fn an_attempt_is_signed_with_the_secrets_of_its_own_time() {
    let stage = stage(schedule(&[0, 5, 60]));
    stage.world.answer([500, 500].map(samples::response));
    stage.run_first();
    let (customer, id) = (samples::customer("acme"), samples::subscription_id(1));
    let current = SubscriptionStore::get(&stage.world, &customer, &id);
    let current = current.now_or_never().unwrap().unwrap().unwrap();
    let next = Secret::generate(SecretKind::V1, &SystemRandom::new());
    let sealed = stage.deliver.vault.seal(&next, &customer, &id, 2);
    let sealed = sealed.now_or_never().unwrap().unwrap();
    let overlap = Overlap::from_secs(30).unwrap();
    let rotated = current.secrets.rotate(sealed, overlap, stage.world.now());
    let changed = Subscription {
        secrets: rotated.unwrap(),
        version: 2,
        ..current
    };
    let replaced = stage.world.replace(&changed).now_or_never().unwrap();
    replaced.unwrap();
    stage.drain(&[]);
    let by = |secret: &Secret| -> Vec<bool> {
        let requests = stage.world.requests();
        let requests = requests.iter().map(|(_, request)| request);
        requests
            .map(|request| verifies_with(request, secret))
            .collect()
    };
    assert_eq!(by(&stage.secret), [true, true, false]);
    assert_eq!(by(&next), [false, true, true]);
}

#[test]
fn a_paused_subscription_holds_and_a_deleted_one_cancels() {
    for (status, expected) in [
        (Some(SubscriptionStatus::Paused), DeliveryStatus::Held),
        (Some(SubscriptionStatus::Disabled), DeliveryStatus::Held),
        (
            None,
            DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted),
        ),
    ] {
        let stage = stage(schedule(&[0, 5]));
        stage.world.answer([samples::response(500)]);
        stage.run_first();
        let customer = samples::customer("acme");
        let id = samples::subscription_id(1);
        let current = SubscriptionStore::get(&stage.world, &customer, &id);
        let current = current.now_or_never().unwrap().unwrap().unwrap();
        match status {
            Some(status) => {
                let changed = Subscription {
                    status,
                    version: 2,
                    ..current
                };
                stage
                    .world
                    .replace(&changed)
                    .now_or_never()
                    .unwrap()
                    .unwrap();
            }
            None => stage
                .world
                .remove(&customer, &id)
                .now_or_never()
                .unwrap()
                .unwrap(),
        }
        stage.drain(&[]);
        assert_eq!(stage.delivery().status, expected);
        assert_eq!(
            stage.world.requests().len(),
            1,
            "nothing is sent after the change"
        );
    }
}

#[test]
fn an_endpoint_that_is_gone_ends_the_delivery_and_disables_the_subscription() {
    let stage = stage(schedule(&[0, 5]));
    stage.world.answer([samples::response(410)]);
    stage.drain(&[]);
    let gone = DeliveryStatus::Failed(FailureReason::EndpointGone);
    assert_eq!(stage.delivery().status, gone);
    let (customer, id) = (samples::customer("acme"), samples::subscription_id(1));
    let current = SubscriptionStore::get(&stage.world, &customer, &id);
    let current = current.now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(current.status, SubscriptionStatus::Disabled);
}

#[test]
fn a_queue_message_without_a_delivery_makes_no_request() {
    let stage = stage(schedule(&[0]));
    let message = samples::message("acme", "another event");
    let unknown = samples::delivery(&message, samples::subscription_id(1)).id;
    let report = stage
        .deliver
        .run(&first_hint(unknown))
        .now_or_never()
        .unwrap()
        .unwrap();
    assert_eq!(report, Report::Dropped(DropReason::NoDelivery));
    assert!(stage.world.requests().is_empty());
}

#[test]
fn a_delay_beyond_the_queues_bound_is_waited_out_in_steps() {
    let stage = stage(schedule(&[0, 86_400]));
    stage.world.answer([samples::response(500)]);
    stage.drain(&[]);
    let delivery = stage.delivery();
    assert_eq!(delivery.status, DeliveryStatus::Succeeded);
    let gap = delivery.attempts[1].at.since(delivery.attempts[0].at);
    assert!(gap >= Duration::from_hours(24), "{gap:?}");
    assert!(
        gap <= Duration::from_hours(24).mul_f64(1.1) + Duration::from_secs(2),
        "{gap:?}"
    );
}

#[test]
fn the_same_queue_message_twice_makes_one_request() {
    let stage = stage(schedule(&[0, 5]));
    assert!(matches!(stage.run_first(), Report::Attempted { .. }));
    assert_eq!(stage.run_first(), Report::Dropped(DropReason::NotPending));
    assert_eq!(stage.world.requests().len(), 1);
}

#[test]
fn two_runs_that_overlap_do_not_fork_the_retries() {
    const REQUEST: Duration = Duration::from_secs(2);
    let policy = schedule(&[0, 5, 5, 5, 5, 5]);
    let stage = stage(policy.clone());
    stage.world.answer((0..100).map(|_| samples::response(500)));
    // The first hint is there twice, and what comes due during a request runs beside it.
    let again = first_hint(stage.id);
    let sent = DeliveryQueue::send(&stage.world, &again, Duration::from_secs(1));
    sent.now_or_never().unwrap().unwrap();
    let beside = deliver(&stage.world, policy);
    stage.world.during_requests(move |world| {
        let end = world.now() + REQUEST;
        while let Some(message) = world.receive_before(end) {
            beside.run(&message.hint).now_or_never().unwrap().unwrap();
        }
        world.set_now(world.now().max(end));
    });
    stage.drain(&[]);
    assert_eq!(stage.delivery().attempts.len(), 6);
    assert_eq!(
        stage.world.requests().len(),
        7,
        "one more for the one duplicate"
    );
}

fn webhook_id(request: &WebhookRequest) -> &str {
    header(request, "webhook-id")
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::Before),
        1 => Just(Fault::After),
    ];
    proptest::collection::vec(fault, 0..60)
}

fn statuses() -> impl Strategy<Value = Vec<u16>> {
    let status = prop_oneof![3 => Just(500_u16), 1 => Just(200), 1 => Just(302), 1 => Just(429)];
    proptest::collection::vec(status, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// DESIGN's invariants 1 to 5 for one delivery, whatever crashes and repeats.
    #[test]
    fn no_crash_loses_forks_or_hurries_a_delivery(
        delays in proptest::collection::vec(1..2_000_u32, 0..6),
        statuses in statuses(),
        faults in faults(),
        duplicates in proptest::collection::vec(any::<bool>(), 0..20),
    ) {
        let delays: Vec<u32> = std::iter::once(0).chain(delays).collect();
        let policy = schedule(&delays);
        let stage = stage(policy.clone());
        stage.world.answer(statuses.iter().map(|&status| samples::response(status)));
        stage.world.plant(faults.iter().copied());
        let failures = stage.drain(&duplicates);

        let delivery = stage.delivery();
        let exhausted = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
        prop_assert!(
            delivery.status == DeliveryStatus::Succeeded || delivery.status == exhausted,
            "not terminal: {:?}", delivery.status
        );
        let numbers: Vec<u32> = delivery.attempts.iter().map(|attempt| attempt.number).collect();
        prop_assert_eq!(&numbers, &(1..=u32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
        prop_assert!(numbers.len() <= delays.len());
        if delivery.status == exhausted {
            prop_assert_eq!(numbers.len(), delays.len());
        }

        let requests = stage.world.requests();
        prop_assert!(requests.len() >= numbers.len(), "an attempt without a request");
        prop_assert!(requests.len() <= numbers.len() + failures as usize, "requests without cause");
        for (_, request) in &requests {
            prop_assert_eq!(&request.body, &requests[0].1.body);
            prop_assert_eq!(webhook_id(request), webhook_id(&requests[0].1));
        }
        for pair in delivery.attempts.windows(2) {
            let gap = pair[1].at.since(pair[0].at);
            let scheduled = policy.delay_before(pair[1].number).unwrap();
            prop_assert!(gap >= scheduled, "attempt {} came after {gap:?}", pair[1].number);
        }
    }
}
