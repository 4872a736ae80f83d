//! The backend: table, queue, endpoint, key service and clock, in memory.

mod lists;
mod recovery;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use webhooks_domain::data_key::{DataKey, WrappedDataKey};
use webhooks_domain::delivery::{
    Attempt, Delivery, DeliveryStatus, DeliveryTask, DueEntry, OutgoingTask, RefusedTask,
    Reopening, Verdict,
};
use webhooks_domain::due::Shard;
use webhooks_domain::fields::FieldError;
use webhooks_domain::health::Health;
use webhooks_domain::idempotency::{IdempotencyKey, IdempotencyRecord};
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use webhooks_domain::limits::{
    AdmissionRequest, EndpointLimiter, Lease, LimiterDecision, ReservationRequest,
};
use webhooks_domain::message::Message;
use webhooks_domain::outbound::{WebhookRequest, WebhookResponse};
use webhooks_domain::ports::{
    CallStore, Clock, Creation, CreationOutcome, DataKeyStore, DeliverNow, DeliveryQueue,
    DeliveryStore, DueIndex, DuePage, HealthFate, HealthStore, InsertOutcome, KeyService,
    KeyServiceError, LimiterStore, MessageStore, QueueError, Replacement, ReplacementOutcome,
    StoreError, SubscriptionDirectory, SubscriptionStore, SubscriptionSwitch, WebhookSender,
    WriteOutcome,
};
use webhooks_domain::queue::MAX_QUEUE_DELAY;
use webhooks_domain::quota::Usage;
use webhooks_domain::recovery::{Recovery, RecoveryKey};
use webhooks_domain::subscription::{
    BrokenSubscription, Disabled, DisabledReason, Subscription, SubscriptionPage,
    SubscriptionStatus,
};
use webhooks_domain::timestamp::Timestamp;

use crate::faults::{Fault, Planted, Script};
use crate::samples;

/// Implements every port. Clones share one state.
#[derive(Clone, Default)]
pub struct InMemoryBackend(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Option<Timestamp>,
    skew_ms: i64,
    subscriptions: BTreeMap<(CustomerId, SubscriptionId), Subscription>,
    /// The fields of a subscription that cannot be read.
    broken: BTreeMap<(CustomerId, SubscriptionId), Vec<FieldError>>,
    usage: BTreeMap<CustomerId, Usage>,
    idempotency: BTreeMap<(CustomerId, IdempotencyKey), IdempotencyRecord>,
    messages: BTreeMap<MessageId, StoredMessage>,
    recoveries: BTreeMap<RecoveryKey, Recovery>,
    /// The duration of each effect.
    latency: Duration,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    /// The deliveries that cannot be read.
    broken_deliveries: BTreeSet<DeliveryId>,
    undelivered: BTreeSet<DeliveryId>,
    due: BTreeMap<DeliveryId, DueEntry>,
    limiters: BTreeMap<SubscriptionId, EndpointLimiter>,
    data_key: Option<WrappedDataKey>,
    queue: Vec<Queued>,
    refuses_batch: bool,
    requests: Vec<(Timestamp, WebhookRequest)>,
    responses: VecDeque<WebhookResponse>,
    key_service_calls: u32,
    faults: Script,
    meanwhile: Option<Meanwhile>,
    deliverer: Option<Deliverer>,
    before_reopening: Option<Meanwhile>,
    before_recovery_write: Option<Meanwhile>,
}

/// A message as it is stored.
#[derive(Clone)]
struct StoredMessage {
    message: Message,
    stored_at: Timestamp,
    expires_at: Timestamp,
}

/// The retention of a message that was recorded without a delivery.
const RETENTION: Duration = Duration::from_hours(24);

/// A callback that runs during another operation.
type Meanwhile = Arc<dyn Fn(&InMemoryBackend) + Send + Sync>;

/// Makes the attempts that are to be made at once.
type Deliverer = Arc<dyn Fn(&InMemoryBackend, &DeliveryTask) + Send + Sync>;

/// A message in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// It cannot be received before this time.
    pub visible_at: Timestamp,
    /// The delivery task.
    pub task: DeliveryTask,
}

impl InMemoryBackend {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("no test panics while it holds the backend")
    }

    /// Runs one effect with the next fault of the script.
    fn effect<T>(&self, effect: impl FnOnce(&mut State) -> T) -> Result<T, Planted> {
        let mut state = self.state();
        if !state.latency.is_zero() {
            state.now = Some(state.now.unwrap_or(samples::NOW) + state.latency);
        }
        match state.faults.next() {
            Fault::None => Ok(effect(&mut state)),
            Fault::Before => Err(Planted),
            Fault::After => {
                effect(&mut state);
                Err(Planted)
            }
        }
    }

    fn store<T>(&self, effect: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        self.effect(effect)
            .map_err(|planted| StoreError::Unavailable {
                operation: "answer",
                source: Box::new(planted),
            })
    }

    /// Stores a subscription as it is. It replaces a subscription with the same id.
    pub fn store_subscription(&self, subscription: &Subscription) {
        let key = (subscription.customer_id.clone(), subscription.id);
        let mut state = self.state();
        let before = state.subscriptions.insert(key, subscription.clone());
        let before = before.map_or(Usage::default(), |before| Usage::of(&before));
        let usage = state.usage.entry(subscription.customer_id.clone());
        let usage = usage.or_default();
        *usage = *usage + Usage::of(subscription) - before;
    }

    /// Makes a field of a subscription unreadable.
    pub fn break_subscription(&self, customer: &CustomerId, id: SubscriptionId, field: &str) {
        let problem = FieldError::new(field, "is not one");
        let mut state = self.state();
        let problems = state.broken.entry((customer.clone(), id)).or_default();
        problems.push(problem);
    }

    /// Makes a delivery unreadable.
    pub fn break_delivery(&self, id: DeliveryId) {
        self.state().broken_deliveries.insert(id);
    }

    /// Deletes a subscription.
    pub fn delete_subscription(&self, customer: &CustomerId, id: SubscriptionId) {
        let mut state = self.state();
        if let Some(deleted) = state.subscriptions.remove(&(customer.clone(), id)) {
            let usage = state.usage.entry(customer.clone()).or_default();
            *usage = *usage - Usage::of(&deleted);
        }
    }

    /// The counted usage of a customer.
    pub fn usage(&self, customer: &CustomerId) -> Usage {
        self.state()
            .usage
            .get(customer)
            .copied()
            .unwrap_or_default()
    }

    /// Adds faults for the next calls.
    pub fn plant(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// Removes the remaining faults. Returns true if there were any.
    pub fn clear_faults(&self) -> bool {
        self.state().faults.clear()
    }

    /// Adds the next answers of the endpoint. Without any it answers 200.
    pub fn answer(&self, responses: impl IntoIterator<Item = WebhookResponse>) {
        self.state().responses.extend(responses);
    }

    /// Sets the duration of every effect.
    pub fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Sets the time.
    pub fn set_now(&self, now: Timestamp) {
        self.state().now = Some(now);
    }

    /// Makes the callers' clock run ahead of the real time, or behind it.
    pub fn set_skew_ms(&self, skew_ms: i64) {
        self.state().skew_ms = skew_ms;
    }

    /// The real time, which the queue follows.
    pub fn time(&self) -> Timestamp {
        self.state().now.unwrap_or(samples::NOW)
    }

    /// Records a message and a delivery, as the workflow does. The delivery may have earlier
    /// attempts.
    pub fn record_call(&self, message: Message, delivery: Delivery) {
        let mut state = self.state();
        state.record_message(message, delivery.created_at, delivery.expires_at);
        state.record_delivery(delivery);
    }

    /// Records a message, as the workflow does for an event that matches no subscription.
    pub fn record_message(&self, message: Message, stored_at: Timestamp) {
        let expires_at = stored_at + RETENTION;
        self.state().record_message(message, stored_at, expires_at);
    }

    /// Sets the function that makes the attempts which are to be made at once.
    pub fn deliver_with(&self, deliverer: impl Fn(&Self, &DeliveryTask) + Send + Sync + 'static) {
        self.state().deliverer = Some(Arc::new(deliverer));
    }

    /// A delivery as it is stored.
    pub fn delivery(&self, id: &DeliveryId) -> Option<Delivery> {
        self.state().deliveries.get(id).cloned()
    }

    /// All deliveries.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state().deliveries.values().cloned().collect()
    }

    /// Sets a callback that runs during each request.
    pub fn during_requests(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().meanwhile = Some(Arc::new(meanwhile));
    }

    /// Sets a callback that runs once, before the next delivery is reopened.
    pub fn before_reopening(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().before_reopening = Some(Arc::new(meanwhile));
    }

    /// Sets a callback that runs once, before the next progress of a recovery is written.
    pub fn before_recovery_write(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().before_recovery_write = Some(Arc::new(meanwhile));
    }

    /// Receives the message that becomes visible first, and sets the clock to that time.
    pub fn receive(&self) -> Option<Queued> {
        self.receive_before(Timestamp::from_millis(i64::MAX))
    }

    /// Like [`Self::receive`], but only if the message becomes visible before this time.
    pub fn receive_before(&self, end: Timestamp) -> Option<Queued> {
        let mut state = self.state();
        let visible = (0..state.queue.len()).filter(|&i| state.queue[i].visible_at < end);
        let first = visible.min_by_key(|&i| state.queue[i].visible_at)?;
        let message = state.queue.swap_remove(first);
        let now = state.now.unwrap_or(samples::NOW).max(message.visible_at);
        state.now = Some(now);
        Some(message)
    }

    /// Receives any one of the messages that are visible now, because a queue guarantees no order.
    pub fn receive_any(&self, pick: usize) -> Option<Queued> {
        let mut state = self.state();
        let now = state.now.unwrap_or(samples::NOW);
        let visible: Vec<_> = (0..state.queue.len())
            .filter(|&i| state.queue[i].visible_at <= now)
            .collect();
        let picked = *visible.get(pick.checked_rem(visible.len())?)?;
        Some(state.queue.swap_remove(picked))
    }

    /// Makes the queue refuse each task of the next batch.
    pub fn refuse_batch(&self) {
        self.state().refuses_batch = true;
    }

    /// Empties the queue, as an operator can by mistake.
    pub fn purge_queue(&self) {
        self.state().queue.clear();
    }

    /// The earliest time at which the sweep has work.
    pub fn next_sweep_at(&self) -> Option<Timestamp> {
        self.state().due.values().map(|due| due.sweep_at).min()
    }

    /// Returns a message to the queue, as happens after its visibility timeout.
    pub fn put_back(&self, message: Queued, visibility_timeout: Duration) {
        let visible_at = self.time() + visibility_timeout;
        self.state().queue.push(Queued {
            visible_at,
            ..message
        });
    }

    /// The messages in the queue.
    pub fn queue(&self) -> Vec<Queued> {
        self.state().queue.clone()
    }

    /// The requests that the endpoint received, with their times.
    pub fn requests(&self) -> Vec<(Timestamp, WebhookRequest)> {
        self.state().requests.clone()
    }

    /// The number of calls to the key service.
    pub fn key_service_calls(&self) -> u32 {
        self.state().key_service_calls
    }
}

impl Clock for InMemoryBackend {
    fn now(&self) -> Timestamp {
        let state = self.state();
        let time = state.now.unwrap_or(samples::NOW);
        Timestamp::from_millis(time.as_millis() + state.skew_ms)
    }
}

impl WebhookSender for InMemoryBackend {
    /// No fault applies to the call itself: a fault of the next call stands for a crash after it.
    async fn send(&self, request: WebhookRequest) -> WebhookResponse {
        let meanwhile = {
            let mut state = self.state();
            let now = state.now.unwrap_or(samples::NOW);
            state.requests.push((now, request));
            state.meanwhile.clone()
        };
        if let Some(meanwhile) = meanwhile {
            meanwhile(self);
        }
        self.state()
            .responses
            .pop_front()
            .unwrap_or_else(|| samples::response(200))
    }
}

impl DeliveryQueue for InMemoryBackend {
    async fn send(
        &self,
        customer: &CustomerId,
        task: &DeliveryTask,
        delay: Duration,
    ) -> Result<(), QueueError> {
        let outgoing = OutgoingTask {
            customer,
            task: *task,
            delay,
        };
        self.send_batch(&[outgoing]).await?;
        Ok(())
    }

    async fn send_batch(&self, tasks: &[OutgoingTask<'_>]) -> Result<Vec<RefusedTask>, QueueError> {
        self.effect(|state| {
            if std::mem::take(&mut state.refuses_batch) {
                let refused = |index| RefusedTask {
                    index,
                    code: "InternalError".to_owned(),
                };
                return (0..tasks.len()).map(refused).collect();
            }
            let now = state.now.unwrap_or(samples::NOW);
            for outgoing in tasks {
                if let Some(delivery) = state.deliveries.get(&outgoing.task.delivery) {
                    assert_eq!(
                        outgoing.customer, &delivery.customer_id,
                        "the customer of the task"
                    );
                }
                state.queue.push(Queued {
                    visible_at: now + whole_seconds(outgoing.delay),
                    task: outgoing.task,
                });
            }
            Vec::new()
        })
        .map_err(|planted| QueueError(Box::new(planted)))
    }
}

/// The queue delays by whole seconds, rounded up, and by at most 900.
fn whole_seconds(delay: Duration) -> Duration {
    assert!(delay <= MAX_QUEUE_DELAY, "the queue refuses {delay:?}");
    Duration::from_secs(u64::try_from(delay.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX))
}

impl DeliveryStore for InMemoryBackend {
    async fn load(&self, id: &DeliveryId) -> Result<Option<(Delivery, Message)>, StoreError> {
        let (delivery, message) = self.store(|state| {
            state.check_delivery(id)?;
            let message = state.message(&id.message);
            Ok((
                state.delivery(id).cloned(),
                message.map(|stored| stored.message.clone()),
            ))
        })??;
        match (delivery, message) {
            (None, _) => Ok(None),
            (Some(delivery), Some(message)) => Ok(Some((delivery, message))),
            (Some(_), None) => Err(StoreError::Corrupt {
                key: id.to_string(),
                problem: "stored without its message".to_owned(),
            }),
        }
    }

    async fn record(
        &self,
        id: &DeliveryId,
        attempt: &Attempt,
        verdict: &Verdict,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            state.update_pending(id, attempt.number - 1, |delivery, due| {
                delivery.attempts.push(attempt.clone());
                match verdict {
                    Verdict::Ended(status) => end(delivery, due, *status),
                    Verdict::Retry(next) => {
                        delivery.next_attempt_at = Some(next.due_at);
                        let task = DeliveryTask::new(*id, attempt.number + 1, Some(next.due_at));
                        let sweep_at = next.sweep_at;
                        let customer = delivery.customer_id.clone();
                        let entry = DueEntry {
                            customer,
                            task,
                            sweep_at,
                        };
                        due.insert(*id, entry);
                    }
                }
            })
        })
    }

    async fn settle(
        &self,
        id: &DeliveryId,
        attempts: u32,
        status: DeliveryStatus,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            state.update_pending(id, attempts, |delivery, due| end(delivery, due, status))
        })
    }

    async fn reopen(&self, reopening: &Reopening<'_>) -> Result<WriteOutcome, StoreError> {
        let meanwhile = self.state().before_reopening.take();
        if let Some(meanwhile) = meanwhile {
            meanwhile(self);
        }
        let read = reopening.read();
        self.store(|state| match state.delivery_mut(&read.id) {
            Some(stored)
                if stored.status == read.status && stored.attempts.len() == read.attempts.len() =>
            {
                *stored = reopening.reopened();
                state.due.insert(read.id, reopening.due());
                state.undelivered.insert(read.id);
                WriteOutcome::Written
            }
            _ => WriteOutcome::Conflict,
        })
    }
}

impl State {
    fn now(&self) -> Timestamp {
        self.now.unwrap_or(samples::NOW)
    }

    /// A delivery that has not expired.
    fn delivery(&self, id: &DeliveryId) -> Option<&Delivery> {
        let now = self.now();
        let delivery = self.deliveries.get(id);
        delivery.filter(|delivery| delivery.expires_at > now)
    }

    /// Returns an error for a delivery that was made unreadable.
    fn check_delivery(&self, id: &DeliveryId) -> Result<(), StoreError> {
        if !self.broken_deliveries.contains(id) {
            return Ok(());
        }
        Err(StoreError::Corrupt {
            key: id.to_string(),
            problem: "is not one".to_owned(),
        })
    }

    fn delivery_mut(&mut self, id: &DeliveryId) -> Option<&mut Delivery> {
        let now = self.now();
        let delivery = self.deliveries.get_mut(id);
        delivery.filter(|delivery| delivery.expires_at > now)
    }

    /// A message that has not expired.
    fn message(&self, id: &MessageId) -> Option<&StoredMessage> {
        let now = self.now();
        let message = self.messages.get(id);
        message.filter(|message| message.expires_at > now)
    }

    fn record_message(&mut self, message: Message, stored_at: Timestamp, expires_at: Timestamp) {
        if self.message(&message.id).is_none() {
            let id = message.id;
            let stored = StoredMessage {
                message,
                stored_at,
                expires_at,
            };
            self.messages.insert(id, stored);
        }
    }

    fn record_delivery(&mut self, delivery: Delivery) {
        if self.delivery(&delivery.id).is_some() {
            return;
        }
        let is_undelivered = matches!(
            delivery.status,
            DeliveryStatus::Held | DeliveryStatus::Failed(_)
        );
        self.due.remove(&delivery.id);
        if is_undelivered {
            self.undelivered.insert(delivery.id);
        } else {
            self.undelivered.remove(&delivery.id);
        }
        self.deliveries.insert(delivery.id, delivery);
    }

    fn update_pending(
        &mut self,
        id: &DeliveryId,
        attempts: u32,
        change: impl FnOnce(&mut Delivery, &mut BTreeMap<DeliveryId, DueEntry>),
    ) -> WriteOutcome {
        let now = self.now();
        let delivery = self.deliveries.get_mut(id).filter(|delivery| {
            delivery.status == DeliveryStatus::Pending
                && delivery.attempts.len() == attempts as usize
                && delivery.expires_at > now
        });
        let Some(delivery) = delivery else {
            return WriteOutcome::Conflict;
        };
        change(delivery, &mut self.due);
        if delivery.status.is_undelivered() {
            self.undelivered.insert(*id);
        } else {
            self.undelivered.remove(id);
        }
        WriteOutcome::Written
    }
}

fn end(delivery: &mut Delivery, due: &mut BTreeMap<DeliveryId, DueEntry>, status: DeliveryStatus) {
    delivery.status = status;
    due.remove(&delivery.id);
    if status != DeliveryStatus::Held {
        delivery.next_attempt_at = None;
    }
}

impl DueIndex for InMemoryBackend {
    async fn due_page(
        &self,
        shard: Shard,
        until: Timestamp,
        after: Option<&DueEntry>,
        limit: u32,
    ) -> Result<DuePage, StoreError> {
        let place = |due: &DueEntry| (due.sweep_at, due.task.delivery);
        self.store(|state| {
            let mut due: Vec<DueEntry> = state
                .due
                .values()
                .filter(|due| Shard::of(&due.task.delivery) == shard && due.sweep_at <= until)
                .filter(|due| state.delivery(&due.task.delivery).is_some())
                .filter(|due| after.is_none_or(|after| place(due) > place(after)))
                .cloned()
                .collect();
            due.sort_by_key(place);
            let has_more = due.len() > limit as usize;
            due.truncate(limit as usize);
            DuePage {
                due,
                unreadable: Vec::new(),
                has_more,
            }
        })
    }

    async fn postpone(
        &self,
        due: &DueEntry,
        sweep_at: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            let is_there = state.delivery(&due.task.delivery).is_some();
            match state.due.get_mut(&due.task.delivery) {
                Some(entry) if is_there && entry.sweep_at == due.sweep_at => {
                    entry.sweep_at = sweep_at;
                    WriteOutcome::Written
                }
                _ => WriteOutcome::Conflict,
            }
        })
    }
}

impl CallStore for InMemoryBackend {
    async fn record_call(&self, message: &Message, delivery: &Delivery) -> Result<(), StoreError> {
        let (created_at, expires_at) = (delivery.created_at, delivery.expires_at);
        self.store(|state| state.record_message(message.clone(), created_at, expires_at))?;
        self.store(|state| state.record_delivery(delivery.clone()))
    }
}

/// Makes the attempt in the backend if a deliverer is set; see [`InMemoryBackend::deliver_with`].
impl DeliverNow for InMemoryBackend {
    async fn deliver_now(&self, task: &DeliveryTask) {
        let deliverer = self.state().deliverer.clone();
        if let Some(deliverer) = deliverer {
            deliverer(self, task);
        }
    }
}

impl SubscriptionStore for InMemoryBackend {
    async fn insert(&self, creation: &Creation<'_>) -> Result<CreationOutcome, StoreError> {
        self.store(|state| state.create(creation))
    }

    async fn get(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Option<Subscription>, StoreError> {
        let key = (customer.clone(), *id);
        let (found, problems) = self.store(|state| {
            let problems = state.broken.get(&key).cloned();
            (state.subscriptions.get(&key).cloned(), problems)
        })?;
        match problems {
            None => Ok(found),
            Some(problems) => Err(StoreError::Corrupt {
                key: id.to_string(),
                problem: format!("{problems:?}"),
            }),
        }
    }

    async fn broken(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Option<BrokenSubscription>, StoreError> {
        let key = (customer.clone(), *id);
        self.store(|state| {
            Some(BrokenSubscription {
                problems: state.broken.get(&key)?.clone(),
                readable: state.subscriptions.get(&key)?.clone(),
            })
        })
    }

    async fn replace(
        &self,
        replacement: &Replacement<'_>,
    ) -> Result<ReplacementOutcome, StoreError> {
        let &Replacement { read, changed, .. } = replacement;
        let key = (read.customer_id.clone(), read.id);
        self.store(|state| {
            let Some(stored) = state.subscriptions.get_mut(&key) else {
                return ReplacementOutcome::Conflict;
            };
            let health = match replacement.health {
                HealthFate::Kept => stored.health,
                HealthFate::Forgotten => Health::default(),
            };
            let changed = Subscription {
                health,
                ..changed.clone()
            };
            if *stored == changed {
                return ReplacementOutcome::Written;
            }
            if stored.version != read.version {
                return ReplacementOutcome::Conflict;
            }
            let usage = state.usage.entry(key.0.clone()).or_default();
            let growth = Usage::of(&changed) - Usage::of(read);
            if !replacement.quota.has_room(*usage, growth) {
                return ReplacementOutcome::QuotaExceeded(*usage);
            }
            *usage = *usage + growth;
            *stored = changed;
            state.broken.remove(&key);
            ReplacementOutcome::Written
        })
    }

    async fn remove(&self, read: &Subscription) -> Result<WriteOutcome, StoreError> {
        let key = (read.customer_id.clone(), read.id);
        self.store(|state| match state.subscriptions.get(&key) {
            Some(stored) if stored.version == read.version => {
                state.subscriptions.remove(&key);
                state.broken.remove(&key);
                let usage = state.usage.entry(key.0).or_default();
                *usage = *usage - Usage::of(read);
                WriteOutcome::Written
            }
            _ => WriteOutcome::Conflict,
        })
    }

    async fn correct_usage(
        &self,
        customer: &CustomerId,
        counted: Usage,
        actual: Usage,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            let usage = state.usage.entry(customer.clone()).or_default();
            if *usage != counted {
                return WriteOutcome::Conflict;
            }
            *usage = actual;
            WriteOutcome::Written
        })
    }
}

impl State {
    fn create(&mut self, creation: &Creation<'_>) -> CreationOutcome {
        let subscription = creation.subscription;
        let now = self.now.unwrap_or(samples::NOW);
        let customer = subscription.customer_id.clone();
        if let Some(record) = creation.record {
            let key = (customer.clone(), record.key.clone());
            if let Some(found) = self.idempotency.get(&key)
                && found.expires_at > now
                && Some(found.subscription) != creation.deleted
            {
                return CreationOutcome::KeyInUse(found.clone());
            }
        }
        let key = (customer.clone(), subscription.id);
        if self.subscriptions.contains_key(&key) {
            return CreationOutcome::AlreadyThere;
        }
        let usage = self.usage.entry(customer.clone()).or_default();
        let growth = Usage::of(subscription);
        if !creation.quota.has_room(*usage, growth) {
            return CreationOutcome::QuotaExceeded(*usage);
        }
        *usage = *usage + growth;
        self.subscriptions.insert(key, subscription.clone());
        if let Some(record) = creation.record {
            let key = (customer, record.key.clone());
            self.idempotency.insert(key, record.clone());
        }
        CreationOutcome::Created
    }
}

impl SubscriptionSwitch for InMemoryBackend {
    async fn disable(
        &self,
        read: &Subscription,
        reason: DisabledReason,
        now: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        let key = (read.customer_id.clone(), read.id);
        self.store(|state| match state.subscriptions.get_mut(&key) {
            Some(stored) if stored.version == read.version && stored.health == read.health => {
                stored.status = SubscriptionStatus::Disabled;
                stored.disabled = Some(Disabled { reason, at: now });
                stored.updated_at = now;
                stored.version += 1;
                WriteOutcome::Written
            }
            _ => WriteOutcome::Conflict,
        })
    }
}

impl HealthStore for InMemoryBackend {
    async fn change_health(
        &self,
        read: &Subscription,
        health: &Health,
    ) -> Result<WriteOutcome, StoreError> {
        let key = (read.customer_id.clone(), read.id);
        self.store(|state| match state.subscriptions.get_mut(&key) {
            Some(stored) if stored.health == read.health && stored.url == read.url => {
                stored.health = *health;
                WriteOutcome::Written
            }
            _ => WriteOutcome::Conflict,
        })
    }
}

impl LimiterStore for InMemoryBackend {
    async fn admit(
        &self,
        id: &SubscriptionId,
        request: &AdmissionRequest,
    ) -> Result<LimiterDecision, StoreError> {
        self.store(|state| {
            let limiter = state.limiters.entry(*id).or_default();
            if let Some(lease) = limiter.lease_of(request) {
                return LimiterDecision::Admitted(Some(lease));
            }
            match limiter.grant(request) {
                Some(grant) => {
                    limiter.apply(grant);
                    LimiterDecision::Admitted(grant.lease)
                }
                None => LimiterDecision::Refused(limiter.clone()),
            }
        })
    }

    async fn reserve(
        &self,
        id: &SubscriptionId,
        request: &ReservationRequest,
    ) -> Result<Timestamp, StoreError> {
        self.store(|state| {
            let limiter = state.limiters.entry(*id).or_default();
            limiter.reserve(request).into()
        })
    }

    async fn release(
        &self,
        id: &SubscriptionId,
        lease: Lease,
        held: Duration,
    ) -> Result<(), StoreError> {
        self.store(|state| {
            let limiter = state.limiters.entry(*id).or_default();
            if limiter.holds(lease) {
                limiter.leases.remove(&lease.slot);
                limiter.last_held = Some(held);
            }
        })
    }
}

impl MessageStore for InMemoryBackend {
    async fn message(&self, id: &MessageId) -> Result<Option<Message>, StoreError> {
        self.store(|state| state.message(id).map(|stored| stored.message.clone()))
    }
}

impl SubscriptionDirectory for InMemoryBackend {
    async fn page(
        &self,
        customer: &CustomerId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<SubscriptionPage, StoreError> {
        let all = samples::all_subscriptions_of(customer);
        let start = match after {
            Some(id) => Bound::Excluded((customer.clone(), *id)),
            None => Bound::Included(all.0),
        };
        self.store(|state| {
            let mut range = state.subscriptions.range((start, Bound::Included(all.1)));
            let (mut subscriptions, mut broken) = (Vec::new(), Vec::new());
            for (key, found) in range.by_ref().take(limit as usize) {
                match state.broken.get(key) {
                    None => subscriptions.push(found.clone()),
                    Some(problems) => broken.push(BrokenSubscription {
                        readable: found.clone(),
                        problems: problems.clone(),
                    }),
                }
            }
            SubscriptionPage {
                subscriptions,
                broken,
                unnamed: Vec::new(),
                has_more: range.next().is_some(),
            }
        })
    }
}

impl DataKeyStore for InMemoryBackend {
    async fn get(&self) -> Result<Option<WrappedDataKey>, StoreError> {
        self.store(|state| state.data_key.clone())
    }

    async fn insert(&self, key: &WrappedDataKey) -> Result<InsertOutcome, StoreError> {
        self.store(|state| {
            if state.data_key.is_some() {
                return InsertOutcome::AlreadyThere;
            }
            state.data_key = Some(key.clone());
            InsertOutcome::Inserted
        })
    }
}

/// Wraps a key by inverting its bits, so that tests can see that it was wrapped.
impl KeyService for InMemoryBackend {
    async fn generate(&self) -> Result<(DataKey, WrappedDataKey), KeyServiceError> {
        self.key_service(|calls| {
            let key = [u8::try_from(calls % 256).unwrap_or(0); 32];
            (
                DataKey::new(key),
                WrappedDataKey(key.map(|byte| !byte).to_vec()),
            )
        })
    }

    async fn unwrap(&self, wrapped: &WrappedDataKey) -> Result<DataKey, KeyServiceError> {
        let bytes: Vec<u8> = wrapped.0.iter().map(|byte| !byte).collect();
        self.key_service(|_| DataKey::new(bytes.try_into().expect("wrapped here, so 32 bytes")))
    }
}

impl InMemoryBackend {
    fn key_service<T>(&self, answer: impl FnOnce(u32) -> T) -> Result<T, KeyServiceError> {
        self.effect(|state| {
            state.key_service_calls += 1;
            answer(state.key_service_calls)
        })
        .map_err(|planted| KeyServiceError {
            operation: "answer",
            source: Box::new(planted),
        })
    }
}
