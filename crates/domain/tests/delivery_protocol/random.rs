//! The invariants of the delivery protocol, with random events in random order.
//!
//! Each run draws a plan of steps. Messages are received in any order, some of them twice. Every
//! call of a port may fail before or after its effect, which ends the run as a crash does. Clocks
//! are wrong, first attempts wait for their time, circuit breakers open, and endpoints are slow, limited or unavailable for long. Sweeps
//! run at any time, and crash. The queue is purged. Subscriptions are paused, enabled and deleted, and deliveries are
//! resent. Then all faults stop until no work is left, and the invariants must hold. A failure
//! prints its shrunk plan, and stores its seed in `proptest-regressions`; the next run tries that
//! first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use webhooks_domain::deliver::{Recorded, Report};
use webhooks_domain::delivery::{CancelReason, DeliveryStatus, FailureReason, HoldReason};
use webhooks_domain::health::{CircuitPolicy, Health, Hold, OpenCircuit};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::limits::{Limits, MaxInFlight, RateLimit};
use webhooks_domain::outbound::{WebhookRequest, WebhookResponse};
use webhooks_domain::retry::RetryPolicy;
use webhooks_domain::subscription::SubscriptionStatus;
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::{Fault, InMemoryBackend, samples};

use crate::stage::{Stage, VISIBILITY_TIMEOUT, header, schedule, stage_of, verifies_with};

/// The largest error of a clock.
const MAX_SKEW: Duration = Duration::from_secs(2);
const PAYLOAD: &str = r#"{"order":1}"#;

#[derive(Debug, Clone)]
enum Step {
    /// A visible message is processed. If `copy` is set, the queue delivers it again.
    Receive {
        pick: usize,
        copy: bool,
        skew_ms: i64,
        faults: Vec<Fault>,
    },
    Sweep(Vec<Fault>),
    /// The unavailable endpoints are checked.
    Check(Vec<Fault>),
    /// Time passes.
    Wait(Duration),
    Purge,
    /// The subscription of this delivery is paused, made active again, or deleted.
    Pause(usize),
    Enable(usize),
    Delete(usize),
    /// The message of this delivery is cancelled.
    Cancel {
        pick: usize,
        faults: Vec<Fault>,
    },
    /// This delivery is resent.
    Resend {
        pick: usize,
        skew_ms: i64,
        faults: Vec<Fault>,
    },
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::Before),
        1 => Just(Fault::After),
    ];
    proptest::collection::vec(fault, 0..8)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let skew_ms = i64::try_from(MAX_SKEW.as_millis()).unwrap();
    let receive = (any::<usize>(), any::<bool>(), -skew_ms..=skew_ms, faults()).prop_map(
        |(pick, copy, skew_ms, faults)| Step::Receive {
            pick,
            copy,
            skew_ms,
            faults,
        },
    );
    let resend =
        (any::<usize>(), -skew_ms..=skew_ms, faults()).prop_map(|(pick, skew_ms, faults)| {
            Step::Resend {
                pick,
                skew_ms,
                faults,
            }
        });
    let cancel =
        (any::<usize>(), faults()).prop_map(|(pick, faults)| Step::Cancel { pick, faults });
    let step = prop_oneof![
        24 => receive,
        6 => faults().prop_map(Step::Sweep),
        4 => faults().prop_map(Step::Check),
        12 => (0..2_000_u64).prop_map(|secs| Step::Wait(Duration::from_secs(secs))),
        1 => Just(Step::Purge),
        6 => resend,
        1 => cancel,
        2 => any::<usize>().prop_map(Step::Pause),
        2 => any::<usize>().prop_map(Step::Enable),
        1 => any::<usize>().prop_map(Step::Delete),
    ];
    proptest::collection::vec(step, 0..40)
}

fn statuses() -> impl Strategy<Value = Vec<u16>> {
    let status = prop_oneof![
        12 => Just(500_u16), 4 => Just(200), 4 => Just(302), 4 => Just(429), 1 => Just(410),
    ];
    proptest::collection::vec(status, 0..16)
}

fn policies() -> impl Strategy<Value = RetryPolicy> {
    let delay = prop_oneof![1 => Just(0_u32), 6 => 1..900_u32, 2 => 900..5_000_u32];
    // Without jitter a plan always runs in the same way and can be replayed.
    proptest::collection::vec(delay, 0..6).prop_map(|delays| {
        let policy = schedule(&[vec![0], delays].concat());
        policy.with_jitter(0.0).unwrap()
    })
}

/// No circuit breaker, or one that opens soon.
fn circuits() -> impl Strategy<Value = Option<CircuitPolicy>> {
    let circuit = (1..4_u32, 1..900_u32)
        .prop_map(|(minimum, cooldown)| CircuitPolicy::new(50, minimum, cooldown).unwrap());
    proptest::option::of(circuit)
}

/// No limits, or low ones; and `true` if the endpoint is slow.
fn limits() -> impl Strategy<Value = (Limits, bool)> {
    let rate = (1..3_u64).prop_map(|rate| RateLimit::try_from(rate).unwrap());
    let in_flight = (1..3_u64).prop_map(|most| MaxInFlight::try_from(most).unwrap());
    let limits = (proptest::option::of(rate), proptest::option::of(in_flight))
        .prop_map(|(rate, in_flight)| Limits { rate, in_flight });
    (limits, any::<bool>())
}

/// A health without problems, or that of an endpoint that has been unavailable for long. Its circuit
/// breaker is open for these seconds.
fn outages() -> impl Strategy<Value = Option<u64>> {
    proptest::option::of(0..2_000_u64)
}

fn unavailable(open_for: u64) -> Health {
    let circuit = OpenCircuit {
        since: samples::NOW - Hold::AFTER,
        until: samples::NOW + Duration::from_secs(open_for),
        cooldown: OpenCircuit::LONGEST,
    };
    Health {
        failing_since: Some(circuit.since),
        circuit: Some(circuit),
        hold: Some(Hold {
            since: circuit.since,
            check_at: circuit.until,
        }),
        slow_since: None,
        warned: None,
    }
}

/// The deadline and the time of the first attempt, in seconds, of each delivery.
fn times() -> impl Strategy<Value = Vec<(Option<u64>, Option<u64>)>> {
    let deadline = prop_oneof![3 => Just(None), 1 => (0..10_000_u64).prop_map(Some)];
    let deliver_at = prop_oneof![3 => Just(None), 1 => (0..5_000_u64).prop_map(Some)];
    proptest::collection::vec((deadline, deliver_at), 1..4)
}

/// A stage with a plan, and the results of the run.
struct Run {
    stage: Stage,
    policy: RetryPolicy,
    crashes: usize,
    /// The deliveries with an event's deadline.
    expiring: BTreeSet<DeliveryId>,
    paused: BTreeSet<DeliveryId>,
    deleted: BTreeSet<DeliveryId>,
    cancelled: BTreeSet<DeliveryId>,
    /// The number of requests, and the time, at the last successful cancellation of each delivery that
    /// nobody has resent since.
    stopped: BTreeMap<DeliveryId, (usize, Timestamp)>,
    /// The times before which no attempt may begin.
    waits: BTreeMap<DeliveryId, Timestamp>,
    /// The numbers of attempts after which each delivery was resent.
    rounds: BTreeMap<DeliveryId, BTreeSet<u32>>,
    /// The violations that were seen during a request.
    violations: Arc<Mutex<Vec<String>>>,
}

impl Run {
    fn new(
        policy: RetryPolicy,
        circuit: Option<CircuitPolicy>,
        (limits, is_slow): (Limits, bool),
        outage: Option<u64>,
        times: &[(Option<u64>, Option<u64>)],
        statuses: &[u16],
    ) -> Self {
        let time = |secs: Option<u64>| secs.map(|secs| samples::NOW + Duration::from_secs(secs));
        let times = times
            .iter()
            .map(|&(deadline, wait)| (time(deadline), time(wait)));
        let times: Vec<_> = times.collect();
        let mut stage = stage_of(policy.clone(), &times);
        stage.deliver.health_monitor.policy.circuit = circuit;
        for &id in &stage.ids {
            stage.change(id, |subscription| {
                subscription.limits = limits;
                subscription.health = outage.map(unavailable).unwrap_or_default();
                subscription.health.slow_since = is_slow.then_some(samples::NOW);
            });
        }
        let with_times = || stage.ids.iter().zip(&times);
        let expiring = with_times().filter_map(|(id, (deadline, _))| deadline.map(|_| *id));
        let expiring = expiring.collect();
        let waits = with_times().filter_map(|(id, (_, deliver_at))| Some((*id, (*deliver_at)?)));
        let waits = waits.collect();
        // Long answers, two of which may follow each other.
        let responses = statuses.iter().map(|&status| WebhookResponse {
            body: samples::body(&"no ".repeat(400)),
            ..samples::response(status)
        });
        stage.backend.answer(responses);
        let violations = Arc::new(Mutex::new(Vec::new()));
        let (ids, seen) = (stage.ids.clone(), Arc::clone(&violations));
        stage.backend.during_requests(move |backend| {
            seen.lock()
                .unwrap()
                .extend(wrong_with_request(backend, &ids));
        });
        Self {
            stage,
            policy,
            crashes: 0,
            expiring,
            paused: BTreeSet::new(),
            deleted: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            stopped: BTreeMap::new(),
            waits,
            rounds: BTreeMap::new(),
            violations,
        }
    }

    fn run_step(&mut self, step: &Step) {
        let backend = &self.stage.backend;
        let id = |pick: usize| self.stage.ids[pick % self.stage.ids.len()];
        match step {
            Step::Receive {
                pick,
                copy,
                skew_ms,
                faults,
            } => {
                let Some(message) = backend.receive_any(*pick) else {
                    return;
                };
                backend.plant(faults.iter().copied());
                backend.set_skew_ms(*skew_ms);
                let result = self.stage.handle(message);
                backend.set_skew_ms(0);
                backend.clear_faults();
                match result {
                    Ok(report) => {
                        self.crashes += usize::from(is_unrecorded(&report));
                        if *copy {
                            backend.put_back(message, VISIBILITY_TIMEOUT);
                        }
                    }
                    Err(error) => {
                        self.crashes += 1;
                        self.check_text(&format!("{error} {error:?}"));
                    }
                }
            }
            Step::Sweep(faults) => {
                backend.plant(faults.iter().copied());
                self.stage.sweep();
                backend.clear_faults();
            }
            Step::Check(faults) => {
                backend.plant(faults.iter().copied());
                self.stage.check_unavailable();
                backend.clear_faults();
            }
            Step::Wait(duration) => backend.set_now(backend.time() + *duration),
            Step::Purge => backend.purge_queue(),
            Step::Pause(pick) => {
                let id = id(*pick);
                self.stage.set_status(id, Some(SubscriptionStatus::Paused));
                self.paused.insert(id);
            }
            Step::Enable(pick) => {
                let id = id(*pick);
                self.stage.set_status(id, Some(SubscriptionStatus::Active));
            }
            Step::Cancel { pick, faults } => {
                let id = id(*pick);
                backend.plant(faults.iter().copied());
                // A failed cancellation may have had its effect.
                let is_done = self.stage.cancel(id).is_ok();
                backend.clear_faults();
                self.cancelled.insert(id);
                if is_done {
                    let stopped = (self.requests_of(id).len(), backend.time());
                    self.stopped.insert(id, stopped);
                }
            }
            Step::Resend {
                pick,
                skew_ms,
                faults,
            } => {
                let id = id(*pick);
                backend.plant(faults.iter().copied());
                backend.set_skew_ms(*skew_ms);
                // A failed resend may have had its effect.
                let _ = self.stage.resend(id);
                self.stopped.remove(&id);
                backend.set_skew_ms(0);
                backend.clear_faults();
                let rounds = self.rounds.entry(id).or_default();
                rounds.insert(self.stage.delivery_of(id).earlier_attempts);
            }
            Step::Delete(pick) => {
                let id = id(*pick);
                self.stage.set_status(id, None);
                self.deleted.insert(id);
            }
        }
    }

    /// Invariant 6, for texts that could be logged.
    fn check_text(&self, text: &str) {
        let secret = self.stage.secret.expose();
        if text.contains(PAYLOAD) || text.contains(&secret) {
            self.violations
                .lock()
                .unwrap()
                .push(format!("published: {text}"));
        }
    }

    /// Lets the backend work without faults until no work is left.
    fn settle(&self) {
        self.stage.drain();
        // A delivery without an attempt is in no index: after a purge an operator queues it.
        for &id in &self.stage.ids {
            let delivery = self.stage.delivery_of(id);
            if delivery.status == DeliveryStatus::Pending && delivery.attempts.is_empty() {
                self.stage.queue_first(id);
            }
        }
        self.stage.drain();
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let violations = self.violations.lock().unwrap();
        prop_assert!(violations.is_empty(), "{violations:?}");
        let mut attempts = 0;
        for &id in &self.stage.ids {
            self.check_status(id)?;
            self.check_attempts(id)?;
            self.check_requests(id)?;
            self.check_stopped(id)?;
            attempts += self.stage.delivery_of(id).attempts.len();
        }
        let requests = self.stage.backend.requests().len();
        // Invariant 4: here a copy of a message is processed later, so it causes no request.
        prop_assert!(requests >= attempts, "an attempt without a request");
        prop_assert!(
            requests <= attempts + self.crashes,
            "{requests} requests for {attempts} attempts and {} crashes",
            self.crashes
        );
        Ok(())
    }

    /// Invariant 1: one terminal state, and the right one.
    fn check_status(&self, id: DeliveryId) -> Result<(), TestCaseError> {
        let delivery = self.stage.delivery_of(id);
        let last = delivery.attempts.last().and_then(|attempt| attempt.status);
        let right = match delivery.status {
            // This test sends no test messages, and discards nothing.
            DeliveryStatus::Pending
            | DeliveryStatus::Cancelled(CancelReason::Discarded)
            | DeliveryStatus::Failed(
                FailureReason::TestFailed
                | FailureReason::SubscriptionUnreadable
                | FailureReason::BodyTooLarge,
            ) => false,
            DeliveryStatus::Held(reason) => {
                // Nothing is sent for a deleted subscription, so nothing ends either.
                let awaits = reason == HoldReason::EndpointUnavailable;
                (awaits && self.deleted.contains(&id))
                    || self.paused.contains(&id)
                    || self.stage.subscription_of(id).is_some_and(|subscription| {
                        subscription.status == SubscriptionStatus::Disabled
                    })
            }
            DeliveryStatus::Succeeded => last == Some(200),
            DeliveryStatus::Failed(FailureReason::EndpointGone) => last == Some(410),
            DeliveryStatus::Failed(FailureReason::AttemptsExhausted) => {
                let next = delivery.next_attempt() - delivery.earlier_attempts;
                self.policy.delay_before(next).is_none()
            }
            DeliveryStatus::Failed(FailureReason::Expired) => self.expiring.contains(&id),
            DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted) => {
                self.deleted.contains(&id)
            }
            DeliveryStatus::Cancelled(CancelReason::Requested) => self.cancelled.contains(&id),
        };
        prop_assert!(right, "{delivery:?}");
        Ok(())
    }

    /// Invariants 4 and 5: attempts are contiguous and never early.
    fn check_attempts(&self, id: DeliveryId) -> Result<(), TestCaseError> {
        let attempts = self.stage.delivery_of(id).attempts;
        // A resend does not wait.
        let is_resent = self
            .rounds
            .get(&id)
            .is_some_and(|rounds| rounds.contains(&0));
        if let (Some(first), Some(&wait), false) =
            (attempts.first(), self.waits.get(&id), is_resent)
        {
            prop_assert!(first.at + MAX_SKEW >= wait, "{} is before {wait}", first.at);
        }
        for (number, attempt) in (1..).zip(&attempts) {
            prop_assert_eq!(attempt.number, number);
        }
        for pair in attempts.windows(2) {
            let gap = pair[1].at.since(pair[0].at) + 2 * MAX_SKEW;
            let number = self.number_in_round(id, pair[1].number);
            let scheduled = self.policy.delay_before(number).unwrap();
            prop_assert!(
                gap >= scheduled,
                "attempt {} came after {gap:?}",
                pair[1].number
            );
        }
        Ok(())
    }

    /// The number of the attempt, counted from the last resend before it.
    fn number_in_round(&self, id: DeliveryId, number: u32) -> u32 {
        let rounds = self.rounds.get(&id);
        let earlier = rounds.and_then(|rounds| rounds.range(..number).next_back());
        number - earlier.unwrap_or(&0)
    }

    /// Invariant 7: after a cancellation nothing is sent, unless somebody resends the delivery.
    fn check_stopped(&self, id: DeliveryId) -> Result<(), TestCaseError> {
        if let Some(&(before, at)) = self.stopped.get(&id) {
            let after = self.requests_of(id).split_off(before);
            let after: Vec<_> = after.into_iter().map(|(sent_at, _)| sent_at).collect();
            prop_assert!(after.is_empty(), "cancelled at {at}, sent at {after:?}");
        }
        Ok(())
    }

    /// The requests for a delivery, with their times.
    fn requests_of(&self, id: DeliveryId) -> Vec<(Timestamp, WebhookRequest)> {
        let message = id.message.to_string();
        let requests = self.stage.backend.requests().into_iter();
        requests
            .filter(|(_, request)| header(request, "webhook-id") == message)
            .collect()
    }

    /// Invariant 3: the same id and body each time, and a signature for the time of the attempt.
    fn check_requests(&self, id: DeliveryId) -> Result<(), TestCaseError> {
        let ours = self.requests_of(id);
        for (at, request) in &ours {
            prop_assert_eq!(&request.body, &ours[0].1.body);
            let stamp: i64 = header(request, "webhook-timestamp").parse().unwrap();
            let skew = Duration::from_secs((stamp - at.as_secs()).unsigned_abs());
            prop_assert!(skew <= MAX_SKEW + Duration::from_secs(1), "{stamp} at {at}");
            prop_assert!(verifies_with(request, &self.stage.secret));
        }
        Ok(())
    }
}

fn is_unrecorded(report: &Report) -> bool {
    matches!(
        report,
        Report::Attempted {
            recorded: Recorded::LeftToNextTask,
            ..
        }
    )
}

/// Invariant 2, checked at the endpoint: each request has a recorded delivery that has not ended.
fn wrong_with_request(backend: &InMemoryBackend, ids: &[DeliveryId]) -> Option<String> {
    let (at, request) = backend.requests().pop()?;
    let message = header(&request, "webhook-id");
    let id = ids.iter().find(|id| id.message.to_string() == message);
    let Some(delivery) = id.and_then(|id| backend.delivery(id)) else {
        return Some(format!(
            "a request for {message}, which has no recorded delivery"
        ));
    };
    (delivery.status != DeliveryStatus::Pending)
        .then(|| format!("a request at {at} for {delivery:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_order_of_events_loses_a_delivery_or_forks_it_or_makes_it_early(
        policy in policies(),
        circuit in circuits(),
        limits in limits(),
        outage in outages(),
        times in times(),
        statuses in statuses(),
        steps in steps(),
    ) {
        let mut run = Run::new(policy, circuit, limits, outage, &times, &statuses);
        for step in &steps {
            run.run_step(step);
        }
        run.settle();
        run.check()?;
    }
}
