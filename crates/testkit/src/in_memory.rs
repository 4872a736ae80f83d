//! The backend: table, queue, endpoint, key service and clock, in memory.

mod catalogue;
mod customers;
mod deliveries;
mod exchanges;
mod keys;
mod lists;
mod portal_sessions;
mod portal_usage;
mod recovery;
mod statistics;
mod subscriptions;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use webhooks_domain::catalogue::{CatalogueEntry, TypeName};
use webhooks_domain::customer::Customer;
use webhooks_domain::data_key::WrappedDataKey;
use webhooks_domain::delivery::{
    Delivery, DeliveryTask, DueEntry, ExchangeId, OutgoingTask, RefusedTask,
};
use webhooks_domain::fields::FieldError;
use webhooks_domain::idempotency::{IdempotencyKey, IdempotencyRecord};
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId, PortalSessionId, SubscriptionId};
use webhooks_domain::limits::{CustomerLimit, EndpointLimiter, LimiterId};
use webhooks_domain::message::Message;
use webhooks_domain::outbound::{ResponseBody, TokenRecord, WebhookRequest, WebhookResponse};
use webhooks_domain::portal_session::{Audience, UtcDay};
use webhooks_domain::ports::{
    Clock, DeliverNow, DeliveryQueue, QueueError, StoreError, WebhookSender,
};
use webhooks_domain::queue::MAX_QUEUE_DELAY;
use webhooks_domain::quota::Usage;
use webhooks_domain::recovery::{Recovery, RecoveryKey};
use webhooks_domain::statistics::{Hour, Statistics};
use webhooks_domain::subscription::{FormerRequests, Subscription};
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
    /// The customers, each with an empty usage: `usage` has it.
    customers: BTreeMap<CustomerId, Customer>,
    catalogue: BTreeMap<TypeName, CatalogueEntry>,
    usage: BTreeMap<CustomerId, Usage>,
    /// The subscriptions that the deletion of a customer has deleted.
    deleted_subscriptions: BTreeMap<CustomerId, BTreeSet<SubscriptionId>>,
    idempotency: BTreeMap<(CustomerId, IdempotencyKey), IdempotencyRecord>,
    portal_sessions: BTreeMap<(Audience, PortalSessionId), portal_sessions::Stored>,
    portal_usage: BTreeMap<(CustomerId, UtcDay), portal_usage::Usage>,
    messages: BTreeMap<MessageId, MessageRecord>,
    recoveries: BTreeMap<RecoveryKey, Recovery>,
    /// The recoveries whose workflows were started.
    started: BTreeSet<RecoveryKey>,
    /// The duration of each effect.
    latency: Duration,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    /// Answers beside their attempts, with their expiry.
    bodies: BTreeMap<ExchangeId, (ResponseBody, Timestamp)>,
    former_requests: BTreeMap<(CustomerId, SubscriptionId, u64), FormerRequests>,
    /// The deliveries that cannot be read.
    broken_deliveries: BTreeSet<DeliveryId>,
    undelivered: BTreeSet<DeliveryId>,
    due: BTreeMap<DeliveryId, DueEntry>,
    limiters: BTreeMap<LimiterId, EndpointLimiter>,
    customer_limits: BTreeMap<CustomerId, CustomerLimit>,
    token_records: BTreeMap<(CustomerId, SubscriptionId), TokenRecord>,
    token_endpoint: tokens::Endpoint,
    statistics: BTreeMap<(SubscriptionId, Hour), Statistics>,
    data_key: Option<WrappedDataKey>,
    queue: Vec<Queued>,
    refuses_batch: bool,
    requests: Vec<(Timestamp, WebhookRequest)>,
    responses: VecDeque<WebhookResponse>,
    /// The answer after these, instead of 200.
    last_response: Option<WebhookResponse>,
    tasks_sent: u64,
    delivery_writes: u64,
    exchange_reads: u64,
    key_service_calls: u32,
    faults: Script,
    meanwhile: Option<Meanwhile>,
    requests_take_a_poll: bool,
    deliverer: Option<Deliverer>,
    before_reopening: Option<Meanwhile>,
    before_cancelling: Option<Meanwhile>,
    before_recovery_write: Option<Meanwhile>,
    before_health_change: Option<Meanwhile>,
}

/// A message as it is stored.
#[derive(Clone)]
struct MessageRecord {
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

    /// Sets the answer of the endpoint after those that were added, until the next call.
    pub fn answer_always(&self, response: WebhookResponse) {
        self.state().last_response = Some(response);
    }

    /// The number of tasks that the queue has accepted.
    pub fn tasks_sent(&self) -> u64 {
        self.state().tasks_sent
    }

    /// The number of updates of deliveries, also those that were refused.
    pub fn delivery_writes(&self) -> u64 {
        self.state().delivery_writes
    }

    /// The number of reads of parts of exchanges.
    pub fn exchange_reads(&self) -> u64 {
        self.state().exchange_reads
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

    /// Lets each request wait for one poll from now on, while others run.
    pub fn pause_requests(&self) {
        self.state().requests_take_a_poll = true;
    }

    /// Sets a callback that runs once, before the next delivery is reopened.
    pub fn before_reopening(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().before_reopening = Some(Arc::new(meanwhile));
    }

    /// Sets a callback that runs once, before the next delivery is cancelled.
    pub fn before_cancelling(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().before_cancelling = Some(Arc::new(meanwhile));
    }

    /// Sets a callback that runs once, before the next progress of a recovery is written.
    pub fn before_recovery_write(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().before_recovery_write = Some(Arc::new(meanwhile));
    }

    /// Sets a callback that runs once, before the next change of a health is written.
    pub fn before_health_change(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().before_health_change = Some(Arc::new(meanwhile));
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

    /// The earliest time at which the sweep has work. A check of an endpoint for which nothing is
    /// held is none.
    pub fn next_sweep_at(&self) -> Option<Timestamp> {
        let state = self.state();
        let due = state.due.values().map(|due| due.sweep_at);
        let holds = state.holds().filter(|entry| state.has_work(entry));
        due.chain(holds.map(|entry| entry.check_at)).min()
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
        let mut pauses = self.state().requests_take_a_poll;
        poll_fn(|context| {
            if std::mem::take(&mut pauses) {
                context.waker().wake_by_ref();
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        let mut state = self.state();
        let next = state.responses.pop_front();
        next.or_else(|| state.last_response.clone())
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
                state.tasks_sent += 1;
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

/// Makes the attempt in the backend if a deliverer is set; see [`InMemoryBackend::deliver_with`].
impl DeliverNow for InMemoryBackend {
    async fn deliver_now(&self, task: &DeliveryTask) {
        let deliverer = self.state().deliverer.clone();
        if let Some(deliverer) = deliverer {
            deliverer(self, task);
        }
    }
}
