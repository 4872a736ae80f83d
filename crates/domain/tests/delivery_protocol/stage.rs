//! A stage for the delivery protocol: a backend with queued deliveries, and the use cases that work
//! on it.

use std::time::Duration;

use futures_util::FutureExt;
use ring::rand::SystemRandom;
use webhooks_domain::cancel::{Cancel, CancelError, Cancellation};
use webhooks_domain::deliver::{
    CustomerLimits, Deliver, DeliverError, HealthMonitor, Report, TokenCache,
};
use webhooks_domain::delivery::{Delivery, DeliveryTask};
use webhooks_domain::due::LongestQueueDelay;
use webhooks_domain::health::{Health, HealthPolicy, HealthTracker, OpenCircuit};
use webhooks_domain::ids::{DeliveryId, SubscriptionId};
use webhooks_domain::message::Message;
use webhooks_domain::outbound::WebhookRequest;
use webhooks_domain::ports::{DeliveryQueue, SubscriptionTable, WriteOutcome};
use webhooks_domain::prepare::{MatchedSubscription, prepare};
use webhooks_domain::queue::MAX_QUEUE_DELAY;
use webhooks_domain::recover::{RecoverDeliveries, Recoveries};
use webhooks_domain::recovery::{HeldFate, Recovery};
use webhooks_domain::resend::{Resend, ResendError};
use webhooks_domain::retry::RetryPolicy;
use webhooks_domain::signing::{SealedSecrets, Secret, SecretKind};
use webhooks_domain::subscription::{Subscription, SubscriptionStatus};
use webhooks_domain::sweep::{Sweep, SweepReport};
use webhooks_domain::timestamp::Timestamp;
use webhooks_domain::unavailable::{UnavailableEndpoints, UnavailableReport};
use webhooks_domain::vault::Vault;
use webhooks_testkit::{InMemoryBackend, Queued, SignedRequest, samples};

pub(crate) const VISIBILITY_TIMEOUT: Duration = Duration::from_mins(2);
pub(crate) const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);

type TestDeliver = Deliver<
    InMemoryBackend,
    InMemoryBackend,
    InMemoryBackend,
    Vault<InMemoryBackend, InMemoryBackend, InMemoryBackend>,
    InMemoryBackend,
>;

type TestUnavailable =
    UnavailableEndpoints<InMemoryBackend, InMemoryBackend, InMemoryBackend, InMemoryBackend>;

pub(crate) struct Stage {
    pub(crate) backend: InMemoryBackend,
    pub(crate) secret: Secret,
    /// Each delivery has its own message and its own subscription.
    pub(crate) ids: Vec<DeliveryId>,
    pub(crate) deliver: TestDeliver,
    sweep: Sweep<InMemoryBackend, InMemoryBackend, InMemoryBackend>,
    unavailable: TestUnavailable,
    pages: RecoverDeliveries<InMemoryBackend, InMemoryBackend, InMemoryBackend>,
    resend: Resend<InMemoryBackend, InMemoryBackend, InMemoryBackend>,
    pub(crate) cancel: Cancel<InMemoryBackend, InMemoryBackend>,
}

/// A stage with one delivery.
pub(crate) fn stage(policy: RetryPolicy) -> Stage {
    stage_with(policy, &[None])
}

/// A stage with one delivery for each of these deadlines.
pub(crate) fn stage_with(policy: RetryPolicy, deadlines: &[Option<Timestamp>]) -> Stage {
    let times = deadlines.iter().map(|&deadline| (deadline, None));
    stage_of(policy, &times.collect::<Vec<_>>())
}

/// A stage with one delivery for each of these deadlines and times of the first attempt.
pub(crate) fn stage_of(
    policy: RetryPolicy,
    times: &[(Option<Timestamp>, Option<Timestamp>)],
) -> Stage {
    let backend = InMemoryBackend::default();
    let vault = Vault::new(backend.clone(), backend.clone(), backend.clone());
    let secret = Secret::generate(SecretKind::V1, &SystemRandom::new());
    let mut ids = Vec::new();
    for (number, &(deadline, deliver_at)) in (1..).zip(times) {
        let base = samples::subscription("acme", number);
        let sealed = now(vault.seal(&secret, &base.customer_id, &base.id, 1));
        let subscription = Subscription {
            secrets: SealedSecrets::only(sealed.unwrap()),
            ..base
        };
        backend.store_subscription(&subscription);
        let message = Message {
            deadline,
            deliver_at,
            ..samples::message("acme", &format!("event {number}"))
        };
        let mut delivery = samples::delivery(&message, subscription.id);
        delivery.next_attempt_at = message.waits_until(samples::NOW);
        delivery.expires_at = samples::NOW + policy.longest_run() + Duration::from_hours(24 * 90);
        ids.push(delivery.id);
        backend.record_call(message, delivery);
    }
    let stage = Stage {
        deliver: deliver(&backend, policy),
        sweep: Sweep {
            table: backend.clone(),
            queue: backend.clone(),
            clock: backend.clone(),
        },
        unavailable: unavailable(&backend),
        pages: RecoverDeliveries {
            resend: resend(&backend),
            links: None,
        },
        resend: resend(&backend),
        cancel: Cancel {
            table: backend.clone(),
            clock: backend.clone(),
        },
        backend,
        secret,
        ids,
    };
    for &id in &stage.ids {
        stage.queue_first(id);
    }
    stage
}

fn resend(backend: &InMemoryBackend) -> Resend<InMemoryBackend, InMemoryBackend, InMemoryBackend> {
    Resend {
        table: backend.clone(),
        queue: backend.clone(),
        clock: backend.clone(),
    }
}

/// The check of unavailable endpoints.
pub(crate) fn unavailable(backend: &InMemoryBackend) -> TestUnavailable {
    UnavailableEndpoints {
        recoveries: Recoveries {
            table: backend.clone(),
            workflow: backend.clone(),
            clock: backend.clone(),
            random: SystemRandom::new(),
            retention: Duration::from_hours(24 * 90),
        },
        resend: resend(backend),
    }
}

pub(crate) fn deliver(backend: &InMemoryBackend, policy: RetryPolicy) -> TestDeliver {
    Deliver {
        table: backend.clone(),
        queue: backend.clone(),
        sender: backend.clone(),
        vault: Vault::new(backend.clone(), backend.clone(), backend.clone()),
        clock: backend.clone(),
        policy,
        longest_queue_delay: LongestQueueDelay::MAX,
        request_timeout: Duration::from_secs(15),
        time_for_attempt: Duration::from_secs(17),
        health_monitor: HealthMonitor {
            policy: HealthPolicy::NONE,
            tracker: HealthTracker::default(),
        },
        customer_limits: CustomerLimits::default(),
        tokens: TokenCache::default(),
        random: SystemRandom::new(),
    }
}

pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the backend answers at once")
}

pub(crate) fn schedule(delays: &[u32]) -> RetryPolicy {
    RetryPolicy::schedule(delays.to_vec()).unwrap()
}

pub(crate) fn header<'a>(request: &'a WebhookRequest, name: &str) -> &'a str {
    let found = request.headers.iter().find(|(header, _)| header == name);
    &found.expect("every request has it").1
}

pub(crate) fn verifies_with(request: &WebhookRequest, secret: &Secret) -> bool {
    let signed = SignedRequest {
        id: header(request, "webhook-id"),
        timestamp: header(request, "webhook-timestamp"),
        body: &request.body,
        signatures: header(request, "webhook-signature"),
    };
    signed.verifies_with(&secret.expose())
}

impl Stage {
    /// Queues a delivery's first task, as the workflow does.
    pub(crate) fn queue_first(&self, id: DeliveryId) {
        let due_at = self.delivery_of(id).next_attempt_at;
        let now = self.backend.time();
        let wait = due_at.map_or(Duration::ZERO, |due_at| due_at.since(now));
        if wait <= MAX_QUEUE_DELAY {
            self.queue(&DeliveryTask::new(id, 1, due_at), wait);
        }
    }

    /// Runs the workflow for an event of the first delivery's subscription. If a run has recorded the
    /// delivery before, only the task is queued.
    pub(crate) fn deliver_message(&self, message: &Message) -> DeliveryId {
        let id = self.record_message(message);
        let due_at = message.waits_until(self.backend.time());
        let wait = due_at.map_or(Duration::ZERO, |due_at| due_at.since(self.backend.time()));
        if wait <= MAX_QUEUE_DELAY {
            self.queue(&DeliveryTask::new(id, 1, due_at), wait);
        }
        id
    }

    /// Runs the workflow for such an event, until it crashes before it queues the task.
    pub(crate) fn record_message(&self, message: &Message) -> DeliveryId {
        let subscription = self.subscription_of(self.ids[0]).unwrap();
        let delivery = prepare(
            message,
            &MatchedSubscription::from(&subscription),
            self.backend.time(),
            Duration::from_hours(24 * 90),
            None,
        );
        let id = delivery.id;
        self.backend.record_call(message.clone(), delivery);
        id
    }

    /// Cancels the message of a delivery.
    pub(crate) fn cancel(&self, id: DeliveryId) -> Result<Cancellation, CancelError> {
        let customer = samples::customer("acme");
        now(self.cancel.run(&customer, &id.message, None, 200))
    }

    /// Queues a task for a delivery.
    pub(crate) fn queue(&self, task: &DeliveryTask, delay: Duration) {
        let customer = self.delivery_of(task.delivery).customer_id;
        now(DeliveryQueue::send(&self.backend, &customer, task, delay)).unwrap();
    }

    /// Keeps the circuit breaker of a delivery's subscription open until this time.
    pub(crate) fn reopen_circuit(&self, id: DeliveryId, until: Timestamp) {
        let current = self.subscription_of(id).unwrap();
        let circuit = OpenCircuit {
            since: until,
            until,
            cooldown: Duration::from_secs(30),
        };
        let health = Health {
            circuit: Some(circuit),
            ..current.health
        };
        let written = now(self.backend.change_health(&current, &health));
        assert_eq!(written.unwrap(), WriteOutcome::Written);
    }

    /// Changes a delivery's subscription.
    pub(crate) fn change(&self, id: DeliveryId, change: impl FnOnce(&mut Subscription)) {
        let mut changed = self.subscription_of(id).unwrap();
        changed.version += 1;
        change(&mut changed);
        self.backend.store_subscription(&changed);
    }

    /// Adds a delivery of the first one's subscription. It is not queued.
    pub(crate) fn another_delivery(&self, event: &str) -> DeliveryId {
        self.another_delivery_to(self.ids[0].subscription, event)
    }

    /// Adds a delivery to this subscription. It is not queued.
    pub(crate) fn another_delivery_to(
        &self,
        subscription: SubscriptionId,
        event: &str,
    ) -> DeliveryId {
        let message = samples::message("acme", event);
        let mut delivery = samples::delivery(&message, subscription);
        delivery.created_at = self.backend.time();
        delivery.expires_at = self.backend.time() + Duration::from_hours(24 * 90);
        let id = delivery.id;
        self.backend.record_call(message, delivery);
        id
    }

    pub(crate) fn run_first(&self) -> Report {
        self.run(&DeliveryTask::first(self.ids[0])).unwrap()
    }

    pub(crate) fn run(&self, task: &DeliveryTask) -> Result<Report, DeliverError> {
        now(self.deliver.run(task, NEVER))
    }

    /// Processes a message as the function does: after an error it returns to the queue.
    pub(crate) fn handle(&self, message: Queued) -> Result<Report, DeliverError> {
        self.run(&message.task)
            .inspect_err(|_| self.backend.put_back(message, VISIBILITY_TIMEOUT))
    }

    /// Resends a delivery.
    pub(crate) fn resend(&self, id: DeliveryId) -> Result<Delivery, ResendError> {
        now(self.resend.run(&id))
    }

    pub(crate) fn sweep(&self) -> SweepReport {
        self.sweep_until(NEVER)
    }

    pub(crate) fn sweep_until(&self, end: Timestamp) -> SweepReport {
        now(self.sweep.run(end))
    }

    /// Checks the unavailable endpoints, as happens beside the sweep.
    pub(crate) fn check_unavailable(&self) -> UnavailableReport {
        now(self.unavailable.run(NEVER))
    }

    /// Sends or discards what is held, as the request does that makes the subscription active.
    pub(crate) fn release(&self, held: HeldFate) -> Option<Recovery> {
        let subscription = self.subscription_of(self.ids[0]).unwrap();
        let recoveries = &self.unavailable.recoveries;
        now(recoveries.release(&subscription, held, true)).unwrap()
    }

    /// Runs a page of each recovery whose workflow was started. Returns the time at which the next
    /// pages may be run, if there are any. After an error the workflow repeats a page.
    pub(crate) fn run_pages(&self) -> Option<Timestamp> {
        let started = self.backend.started_recoveries();
        let waits = started.iter().filter_map(|key| {
            let run = || now(self.pages.run(key, NEVER));
            let next_step = run().or_else(|_| run()).unwrap().next_step;
            next_step.more.then_some(next_step.wait_seconds)
        });
        let now = self.backend.time();
        Some(now + Duration::from_secs(waits.max()?))
    }

    /// Processes the queue until it is empty.
    pub(crate) fn drain_queue(&self) {
        while let Some(message) = self.backend.receive() {
            self.handle(message).unwrap();
        }
    }

    /// Processes the queue, and runs the sweep when it is due, until no work is left. Returns the
    /// reports, without our own failures.
    pub(crate) fn drain(&self) -> Vec<Report> {
        let mut reports = Vec::new();
        for _ in 0..100_000 {
            let next_pages = self.run_pages();
            let next_sweep = self.backend.next_sweep_at().map(next_minute);
            let next = [next_pages, next_sweep].into_iter().flatten().min();
            if let Some(message) = self.backend.receive_before(next.unwrap_or(NEVER)) {
                // After an error the message is in the queue again.
                reports.extend(self.handle(message));
            } else if let Some(next) = next {
                self.backend.set_now(self.backend.time().max(next));
                self.sweep();
                self.check_unavailable();
            } else {
                return reports;
            }
        }
        panic!("the work never ends");
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.delivery_of(self.ids[0])
    }

    pub(crate) fn delivery_of(&self, id: DeliveryId) -> Delivery {
        self.backend.delivery(&id).unwrap()
    }

    pub(crate) fn subscription_of(&self, id: DeliveryId) -> Option<Subscription> {
        let customer = samples::customer("acme");
        now(SubscriptionTable::get(
            &self.backend,
            &customer,
            &id.subscription,
        ))
        .unwrap()
    }

    /// Changes the status of a delivery's subscription; `None` deletes it.
    pub(crate) fn set_status(&self, id: DeliveryId, status: Option<SubscriptionStatus>) {
        let Some(current) = self.subscription_of(id) else {
            return;
        };
        match status {
            None => {
                let customer = &current.customer_id;
                self.backend.delete_subscription(customer, current.id);
            }
            Some(status) => {
                let version = current.version + 1;
                let changed = Subscription {
                    status,
                    disabled: None,
                    version,
                    ..current
                };
                self.backend.store_subscription(&changed);
            }
        }
    }
}

/// The start of the next minute of the schedule, or this time if it is one.
fn next_minute(time: Timestamp) -> Timestamp {
    let minute = 60_000;
    Timestamp::from_millis((time.as_millis() + minute - 1) / minute * minute)
}
