//! The world: table, queue, endpoint, key service and clock, in memory.

mod lists;
mod recovery;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use webhooks_domain::data_key::{DataKey, WrappedDataKey};
use webhooks_domain::delivery::{Attempt, Delivery, DeliveryStatus, Hint, Reopening, Verdict};
use webhooks_domain::due::{Due, Shard};
use webhooks_domain::health::Health;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use webhooks_domain::limits::{Entered, EntryRequest, Line, Slot, TurnRequest};
use webhooks_domain::message::Message;
use webhooks_domain::outbound::{WebhookRequest, WebhookResponse, WebhookSender};
use webhooks_domain::ports::{
    CallStore, Clock, DataKeyStore, DeliverNow, DeliveryQueue, DeliveryStore, DueIndex, DuePage,
    HealthStore, InsertOutcome, KeyService, KeyServiceError, LineStore, MAX_QUEUE_DELAY, Outgoing,
    QueueError, RecoveryKey, Refused, StoreError, SubscriptionDirectory, SubscriptionPage,
    SubscriptionStore, SubscriptionSwitch, WriteOutcome,
};
use webhooks_domain::recovery::Recovery;
use webhooks_domain::subscription::{Disabled, DisabledReason, Subscription, SubscriptionStatus};
use webhooks_domain::timestamp::Timestamp;

use crate::faults::{Fault, Planted, Script};
use crate::samples;

/// Every port in one. Clones share what they hold.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Option<Timestamp>,
    skew_ms: i64,
    subscriptions: BTreeMap<(CustomerId, SubscriptionId), Subscription>,
    /// Each with the time at which it was stored.
    messages: BTreeMap<MessageId, (Timestamp, Message)>,
    recoveries: BTreeMap<RecoveryKey, Recovery>,
    /// How long each effect takes.
    latency: Duration,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    undelivered: BTreeSet<DeliveryId>,
    due: BTreeMap<DeliveryId, Due>,
    lines: BTreeMap<SubscriptionId, Line>,
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

/// What happens while something else is under way.
type Meanwhile = Arc<dyn Fn(&World) + Send + Sync>;

/// Who makes the attempts that are asked for at once.
type Deliverer = Arc<dyn Fn(&World, &Hint) + Send + Sync>;

/// A message in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// Not received before this time.
    pub visible_at: Timestamp,
    /// What it asks for.
    pub hint: Hint,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("no test panics while it holds the world")
    }

    /// Runs one effect under the next fault of the script.
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

    /// Plants faults for the calls to come.
    pub fn plant(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// Forgets the faults that did not strike; gives whether there were any.
    pub fn clear_faults(&self) -> bool {
        self.state().faults.clear()
    }

    /// What the endpoint answers next; when nothing is left it answers 200.
    pub fn answer(&self, responses: impl IntoIterator<Item = WebhookResponse>) {
        self.state().responses.extend(responses);
    }

    /// Lets every effect take this long.
    pub fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Sets the time.
    pub fn set_now(&self, now: Timestamp) {
        self.state().now = Some(now);
    }

    /// Lets the clock of whoever asks go ahead of the time, or behind it.
    pub fn set_skew_ms(&self, skew_ms: i64) {
        self.state().skew_ms = skew_ms;
    }

    /// The time itself, by which the queue goes.
    pub fn time(&self) -> Timestamp {
        self.state().now.unwrap_or(samples::NOW)
    }

    /// Records a message and a delivery, as the workflow does; or one with its past.
    pub fn record_call(&self, message: Message, delivery: Delivery) {
        let mut state = self.state();
        state.record_message(message, delivery.created_at);
        state.record_delivery(delivery);
    }

    /// Records a message, as the workflow does for an event that no subscription wants.
    pub fn record_message(&self, message: Message, stored_at: Timestamp) {
        self.state().record_message(message, stored_at);
    }

    /// Lets this make the attempts that are asked for at once.
    pub fn deliver_with(&self, deliverer: impl Fn(&Self, &Hint) + Send + Sync + 'static) {
        self.state().deliverer = Some(Arc::new(deliverer));
    }

    /// A delivery as the table has it.
    pub fn delivery(&self, id: &DeliveryId) -> Option<Delivery> {
        self.state().deliveries.get(id).cloned()
    }

    /// All deliveries.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state().deliveries.values().cloned().collect()
    }

    /// Lets this happen while each request is under way.
    pub fn during_requests(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().meanwhile = Some(Arc::new(meanwhile));
    }

    /// Lets this happen once, before the next delivery is reopened.
    pub fn before_reopening(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().before_reopening = Some(Arc::new(meanwhile));
    }

    /// Lets this happen once, before the next progress of a recovery is written.
    pub fn before_recovery_write(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().before_recovery_write = Some(Arc::new(meanwhile));
    }

    /// Takes the message that is visible first, and moves the clock there.
    pub fn receive(&self) -> Option<Queued> {
        self.receive_before(Timestamp::from_millis(i64::MAX))
    }

    /// The same, if it is visible before this time.
    pub fn receive_before(&self, end: Timestamp) -> Option<Queued> {
        let mut state = self.state();
        let visible = (0..state.queue.len()).filter(|&i| state.queue[i].visible_at < end);
        let first = visible.min_by_key(|&i| state.queue[i].visible_at)?;
        let message = state.queue.swap_remove(first);
        let now = state.now.unwrap_or(samples::NOW).max(message.visible_at);
        state.now = Some(now);
        Some(message)
    }

    /// Takes any of the messages that are visible now: a queue keeps no order.
    pub fn receive_any(&self, pick: usize) -> Option<Queued> {
        let mut state = self.state();
        let now = state.now.unwrap_or(samples::NOW);
        let visible: Vec<_> = (0..state.queue.len())
            .filter(|&i| state.queue[i].visible_at <= now)
            .collect();
        let picked = *visible.get(pick.checked_rem(visible.len())?)?;
        Some(state.queue.swap_remove(picked))
    }

    /// Lets the queue refuse each hint of the next batch.
    pub fn refuse_batch(&self) {
        self.state().refuses_batch = true;
    }

    /// Empties the queue, as an operator can by mistake.
    pub fn purge_queue(&self) {
        self.state().queue.clear();
    }

    /// When the sweep next has something to do.
    pub fn next_sweep_at(&self) -> Option<Timestamp> {
        self.state().due.values().map(|due| due.sweep_at).min()
    }

    /// Puts a message back, as the queue does after its visibility timeout.
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

    /// The requests that the endpoint saw, and when.
    pub fn requests(&self) -> Vec<(Timestamp, WebhookRequest)> {
        self.state().requests.clone()
    }

    /// How often the key service was asked.
    pub fn key_service_calls(&self) -> u32 {
        self.state().key_service_calls
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        let state = self.state();
        let time = state.now.unwrap_or(samples::NOW);
        Timestamp::from_millis(time.as_millis() + state.skew_ms)
    }
}

impl WebhookSender for World {
    /// Never struck by a fault itself: the fault of the next call is the crash after it.
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

impl DeliveryQueue for World {
    async fn send(
        &self,
        customer: &CustomerId,
        hint: &Hint,
        delay: Duration,
    ) -> Result<(), QueueError> {
        let outgoing = Outgoing {
            customer,
            hint: *hint,
            delay,
        };
        self.send_batch(&[outgoing]).await?;
        Ok(())
    }

    async fn send_batch(&self, hints: &[Outgoing<'_>]) -> Result<Vec<Refused>, QueueError> {
        self.effect(|state| {
            if std::mem::take(&mut state.refuses_batch) {
                let refused = |index| Refused {
                    index,
                    code: "InternalError".to_owned(),
                };
                return (0..hints.len()).map(refused).collect();
            }
            let now = state.now.unwrap_or(samples::NOW);
            for outgoing in hints {
                if let Some(delivery) = state.deliveries.get(&outgoing.hint.delivery) {
                    assert_eq!(outgoing.customer, &delivery.customer_id, "whose hint it is");
                }
                state.queue.push(Queued {
                    visible_at: now + whole_seconds(outgoing.delay),
                    hint: outgoing.hint,
                });
            }
            Vec::new()
        })
        .map_err(|planted| QueueError(Box::new(planted)))
    }
}

/// The queue counts whole seconds, rounded up, and no more than 900.
fn whole_seconds(delay: Duration) -> Duration {
    assert!(delay <= MAX_QUEUE_DELAY, "the queue refuses {delay:?}");
    Duration::from_secs(u64::try_from(delay.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX))
}

impl DeliveryStore for World {
    async fn load(&self, id: &DeliveryId) -> Result<Option<(Delivery, Message)>, StoreError> {
        let (delivery, message) = self.store(|state| {
            (
                state.deliveries.get(id).cloned(),
                state.messages.get(&id.message).map(|(_, m)| m.clone()),
            )
        })?;
        match (delivery, message) {
            (None, _) => Ok(None),
            (Some(delivery), Some(message)) => Ok(Some((delivery, message))),
            (Some(_), None) => Err(StoreError::Corrupt {
                key: id.to_string(),
                problem: "there without its message".to_owned(),
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
                        let hint = Hint::new(*id, attempt.number + 1, Some(next.due_at));
                        let sweep_at = next.sweep_at;
                        let customer = delivery.customer_id.clone();
                        let entry = Due {
                            customer,
                            hint,
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
        self.store(|state| match state.deliveries.get_mut(&read.id) {
            Some(stored)
                if stored.status == read.status && stored.attempts.len() == read.attempts.len() =>
            {
                *stored = reopening.reopened();
                state.due.insert(read.id, reopening.due());
                state.undelivered.insert(read.id);
                WriteOutcome::Written
            }
            _ => WriteOutcome::Overtaken,
        })
    }
}

impl State {
    fn record_message(&mut self, message: Message, stored_at: Timestamp) {
        let stored = self.messages.entry(message.id);
        stored.or_insert((stored_at, message));
    }

    fn record_delivery(&mut self, delivery: Delivery) {
        let is_owed = matches!(
            delivery.status,
            DeliveryStatus::Held | DeliveryStatus::Failed(_)
        );
        if is_owed {
            self.undelivered.insert(delivery.id);
        }
        self.deliveries.entry(delivery.id).or_insert(delivery);
    }

    fn update_pending(
        &mut self,
        id: &DeliveryId,
        attempts: u32,
        change: impl FnOnce(&mut Delivery, &mut BTreeMap<DeliveryId, Due>),
    ) -> WriteOutcome {
        let delivery = self.deliveries.get_mut(id).filter(|delivery| {
            delivery.status == DeliveryStatus::Pending
                && delivery.attempts.len() == attempts as usize
        });
        let Some(delivery) = delivery else {
            return WriteOutcome::Overtaken;
        };
        change(delivery, &mut self.due);
        if delivery.status.is_owed() {
            self.undelivered.insert(*id);
        } else {
            self.undelivered.remove(id);
        }
        WriteOutcome::Written
    }
}

fn end(delivery: &mut Delivery, due: &mut BTreeMap<DeliveryId, Due>, status: DeliveryStatus) {
    delivery.status = status;
    due.remove(&delivery.id);
    if status != DeliveryStatus::Held {
        delivery.next_attempt_at = None;
    }
}

impl DueIndex for World {
    async fn due_page(
        &self,
        shard: Shard,
        until: Timestamp,
        after: Option<&Due>,
        limit: u32,
    ) -> Result<DuePage, StoreError> {
        let place = |due: &Due| (due.sweep_at, due.hint.delivery);
        self.store(|state| {
            let mut due: Vec<Due> = state
                .due
                .values()
                .filter(|due| Shard::of(&due.hint.delivery) == shard && due.sweep_at <= until)
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

    async fn postpone(&self, due: &Due, sweep_at: Timestamp) -> Result<WriteOutcome, StoreError> {
        self.store(|state| match state.due.get_mut(&due.hint.delivery) {
            Some(entry) if entry.sweep_at == due.sweep_at => {
                entry.sweep_at = sweep_at;
                WriteOutcome::Written
            }
            _ => WriteOutcome::Overtaken,
        })
    }
}

impl CallStore for World {
    async fn record_call(&self, message: &Message, delivery: &Delivery) -> Result<(), StoreError> {
        self.store(|state| state.record_message(message.clone(), delivery.created_at))?;
        self.store(|state| state.record_delivery(delivery.clone()))
    }
}

/// Makes the attempt within the world, when there is a deliverer; see [`World::deliver_with`].
impl DeliverNow for World {
    async fn deliver_now(&self, hint: &Hint) {
        let deliverer = self.state().deliverer.clone();
        if let Some(deliverer) = deliverer {
            deliverer(self, hint);
        }
    }
}

impl SubscriptionStore for World {
    async fn insert(&self, subscription: &Subscription) -> Result<InsertOutcome, StoreError> {
        let key = (subscription.customer_id.clone(), subscription.id);
        self.store(|state| {
            if state.subscriptions.contains_key(&key) {
                return InsertOutcome::AlreadyThere;
            }
            state.subscriptions.insert(key, subscription.clone());
            InsertOutcome::Inserted
        })
    }

    async fn get(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Option<Subscription>, StoreError> {
        self.store(|state| state.subscriptions.get(&(customer.clone(), *id)).cloned())
    }

    async fn replace(&self, subscription: &Subscription) -> Result<WriteOutcome, StoreError> {
        let key = (subscription.customer_id.clone(), subscription.id);
        self.store(|state| match state.subscriptions.get_mut(&key) {
            Some(stored) => {
                let replacement = Subscription {
                    health: stored.health,
                    ..subscription.clone()
                };
                if stored.version + 1 == subscription.version {
                    *stored = replacement;
                    WriteOutcome::Written
                } else if *stored == replacement {
                    WriteOutcome::Written
                } else {
                    WriteOutcome::Overtaken
                }
            }
            None => WriteOutcome::Overtaken,
        })
    }

    async fn remove(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        version: Option<u64>,
    ) -> Result<WriteOutcome, StoreError> {
        let key = (customer.clone(), *id);
        self.store(|state| {
            let stored = state.subscriptions.get(&key).map(|stored| stored.version);
            if version.is_some() && stored != version {
                return WriteOutcome::Overtaken;
            }
            state.subscriptions.remove(&key);
            WriteOutcome::Written
        })
    }
}

impl SubscriptionSwitch for World {
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
            _ => WriteOutcome::Overtaken,
        })
    }
}

impl HealthStore for World {
    async fn change_health(
        &self,
        read: &Subscription,
        health: &Health,
    ) -> Result<WriteOutcome, StoreError> {
        let key = (read.customer_id.clone(), read.id);
        self.store(|state| match state.subscriptions.get_mut(&key) {
            Some(stored) if stored.health == read.health => {
                stored.health = *health;
                WriteOutcome::Written
            }
            _ => WriteOutcome::Overtaken,
        })
    }
}

impl LineStore for World {
    async fn enter(
        &self,
        id: &SubscriptionId,
        request: &EntryRequest,
    ) -> Result<Entered, StoreError> {
        self.store(|state| {
            let line = state.lines.entry(*id).or_default();
            if let Some(slot) = line.slot_of(request) {
                return Entered::In(Some(slot));
            }
            match line.way(request) {
                Some(way) => {
                    line.enter(way);
                    Entered::In(way.slot)
                }
                None => Entered::Refused(line.clone()),
            }
        })
    }

    async fn take_turn(
        &self,
        id: &SubscriptionId,
        request: &TurnRequest,
    ) -> Result<Timestamp, StoreError> {
        self.store(|state| {
            let line = state.lines.entry(*id).or_default();
            line.take_turn(request).into()
        })
    }

    async fn leave(
        &self,
        id: &SubscriptionId,
        slot: Slot,
        held: Duration,
    ) -> Result<(), StoreError> {
        self.store(|state| {
            let line = state.lines.entry(*id).or_default();
            if line.has(slot) {
                line.slots.remove(&slot.number);
                line.held = Some(held);
            }
        })
    }
}

impl SubscriptionDirectory for World {
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
            let subscriptions: Vec<_> = range
                .by_ref()
                .take(limit as usize)
                .map(|(_, found)| found.clone())
                .collect();
            SubscriptionPage {
                subscriptions,
                has_more: range.next().is_some(),
            }
        })
    }
}

impl DataKeyStore for World {
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

/// Wraps a key by turning its bits over: enough to see that it was wrapped.
impl KeyService for World {
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

impl World {
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
