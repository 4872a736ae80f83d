//! In-memory deliveries, their `due` index and the limiters.

use std::collections::BTreeMap;

use webhooks_domain::delivery::{
    Attempt, CancelReason, Delivery, DeliveryStatus, DeliveryTask, DueEntry, ExchangeId, Reopening,
    Verdict,
};
use webhooks_domain::due::{LongestQueueDelay, NextAttempt, Shard};
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId};
use webhooks_domain::limits::{CustomerLimit, LimiterChange, LimiterId, LimiterOutcome};
use webhooks_domain::message::{Message, StoredMessage};
use webhooks_domain::outbound::ResponseBody;
use webhooks_domain::ports::{
    CancelTable, DeliveryReader, DeliveryTable, DueIndex, DuePage, InsertOutcome, LimiterStore,
    ResendTable, StoreError, WriteOutcome,
};
use webhooks_domain::timestamp::Timestamp;

use super::{InMemoryBackend, MessageRecord, State};
use crate::samples;

impl DeliveryReader for InMemoryBackend {
    async fn load(&self, id: &DeliveryId) -> Result<Option<(Delivery, Message)>, StoreError> {
        let (delivery, message) = self.store(|state| {
            state.check_delivery(id)?;
            let message = state.message(&id.message);
            Ok((state.delivery(id).cloned(), message.cloned()))
        })??;
        match (delivery, message) {
            (None, _) => Ok(None),
            (Some(delivery), Some(stored)) => {
                let delivery = delivery.expiring_with(stored.expires_at);
                Ok(Some((delivery, stored.message)))
            }
            (Some(_), None) => Err(StoreError::Corrupt {
                key: id.to_string(),
                problem: "stored without its message".to_owned(),
            }),
        }
    }

    async fn message(&self, id: &MessageId) -> Result<Option<Message>, StoreError> {
        self.store(|state| state.message(id).map(|stored| stored.message.clone()))
    }

    async fn read(
        &self,
        id: &DeliveryId,
    ) -> Result<(Option<StoredMessage>, Option<Delivery>), StoreError> {
        self.store(|state| {
            state.check_delivery(id)?;
            let message = state.message(&id.message);
            let message = message.map(|stored| StoredMessage {
                message: stored.message.clone(),
                expires_at: stored.expires_at,
            });
            Ok((message, state.delivery(id).cloned()))
        })?
    }
}

impl LimiterStore for InMemoryBackend {
    async fn change_limiter(
        &self,
        id: &LimiterId,
        change: &LimiterChange,
    ) -> Result<LimiterOutcome, StoreError> {
        self.store(|state| state.limiters.entry(id.clone()).or_default().change(change))
    }
}

impl DeliveryTable for InMemoryBackend {
    async fn customer_limit(&self, id: &CustomerId) -> Result<Option<CustomerLimit>, StoreError> {
        self.store(|state| state.customer_limits.get(id).copied())
    }

    async fn record(
        &self,
        id: &DeliveryId,
        due_at: Option<Timestamp>,
        attempt: &Attempt,
        verdict: &Verdict,
    ) -> Result<WriteOutcome, StoreError> {
        self.write(|state| {
            let stored = state.delivery(id);
            if stored.is_none_or(|stored| stored.next_attempt_at != due_at) {
                return WriteOutcome::Conflict;
            }
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

    async fn record_cancelled(
        &self,
        id: &DeliveryId,
        attempt: &Attempt,
    ) -> Result<WriteOutcome, StoreError> {
        self.write(|state| match state.delivery_mut(id) {
            Some(stored)
                if matches!(stored.status, DeliveryStatus::Cancelled(_))
                    && stored.next_attempt() == attempt.number =>
            {
                stored.attempts.push(attempt.clone());
                WriteOutcome::Written
            }
            _ => WriteOutcome::Conflict,
        })
    }

    async fn store_body(
        &self,
        id: &ExchangeId,
        body: &ResponseBody,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.store(|state| {
            state.bodies.insert(*id, (body.clone(), expires_at));
        })
    }

    async fn settle(
        &self,
        id: &DeliveryId,
        attempts: u32,
        status: DeliveryStatus,
    ) -> Result<WriteOutcome, StoreError> {
        self.write(|state| {
            state.update_pending(id, attempts, |delivery, due| end(delivery, due, status))
        })
    }
}

impl CancelTable for InMemoryBackend {
    async fn mark_cancelled(
        &self,
        id: &MessageId,
        at: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            if state.message(id).is_none() {
                return WriteOutcome::Conflict;
            }
            if let Some(stored) = state.messages.get_mut(id) {
                stored.message.cancelled_at.get_or_insert(at);
            }
            WriteOutcome::Written
        })
    }

    async fn cancel(&self, read: &Delivery) -> Result<WriteOutcome, StoreError> {
        let meanwhile = self.state().before_cancelling.take();
        if let Some(meanwhile) = meanwhile {
            meanwhile(self);
        }
        self.write(|state| {
            let cancelled = match state.delivery_mut(&read.id) {
                Some(stored)
                    if stored.status.as_str() == read.status.as_str()
                        && stored.attempts.len() == read.attempts.len() =>
                {
                    stored.status = DeliveryStatus::Cancelled(CancelReason::Requested);
                    stored.next_attempt_at = None;
                    true
                }
                _ => false,
            };
            if !cancelled {
                return WriteOutcome::Conflict;
            }
            state.due.remove(&read.id);
            state.undelivered.remove(&read.id);
            WriteOutcome::Written
        })
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
        self.write(|state| {
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

impl ResendTable for InMemoryBackend {
    async fn reopen(&self, reopening: &Reopening<'_>) -> Result<WriteOutcome, StoreError> {
        let meanwhile = self.state().before_reopening.take();
        if let Some(meanwhile) = meanwhile {
            meanwhile(self);
        }
        let read = reopening.read();
        self.write(|state| match state.delivery_mut(&read.id) {
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

    async fn insert_due(
        &self,
        delivery: &Delivery,
        next: &NextAttempt,
    ) -> Result<InsertOutcome, StoreError> {
        self.store(|state| {
            if state.delivery(&delivery.id).is_some() {
                return InsertOutcome::AlreadyThere;
            }
            let delivery = Delivery {
                next_attempt_at: Some(next.due_at),
                ..delivery.clone()
            };
            state.due.insert(delivery.id, DueEntry::of(&delivery, next));
            state.deliveries.insert(delivery.id, delivery);
            InsertOutcome::Inserted
        })
    }

    async fn insert_test(&self, message: &Message, delivery: &Delivery) -> Result<(), StoreError> {
        let (created_at, expires_at) = (delivery.created_at, delivery.expires_at);
        self.store(|state| state.record_message(message.clone(), created_at, expires_at))?;
        self.store(|state| state.record_delivery(delivery.clone()))
    }
}

impl InMemoryBackend {
    /// Runs an update of a delivery.
    fn write<T>(&self, effect: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        self.store(|state| {
            state.delivery_writes += 1;
            effect(state)
        })
    }
}

impl State {
    pub(super) fn now(&self) -> Timestamp {
        self.now.unwrap_or(samples::NOW)
    }

    /// A delivery that has not expired.
    pub(super) fn delivery(&self, id: &DeliveryId) -> Option<&Delivery> {
        let now = self.now();
        let delivery = self.deliveries.get(id);
        delivery.filter(|delivery| delivery.expires_at > now)
    }

    /// Returns an error for a delivery that was made unreadable.
    pub(super) fn check_delivery(&self, id: &DeliveryId) -> Result<(), StoreError> {
        if !self.broken_deliveries.contains(id) {
            return Ok(());
        }
        Err(StoreError::Corrupt {
            key: id.to_string(),
            problem: "is not one".to_owned(),
        })
    }

    pub(super) fn delivery_mut(&mut self, id: &DeliveryId) -> Option<&mut Delivery> {
        let now = self.now();
        let delivery = self.deliveries.get_mut(id);
        delivery.filter(|delivery| delivery.expires_at > now)
    }

    /// A message that has not expired.
    pub(super) fn message(&self, id: &MessageId) -> Option<&MessageRecord> {
        let now = self.now();
        let message = self.messages.get(id);
        message.filter(|message| message.expires_at > now)
    }

    pub(super) fn record_message(
        &mut self,
        message: Message,
        stored_at: Timestamp,
        expires_at: Timestamp,
    ) {
        if self.message(&message.id).is_none() {
            let id = message.id;
            let stored = MessageRecord {
                message,
                stored_at,
                expires_at,
            };
            self.messages.insert(id, stored);
        }
    }

    pub(super) fn record_delivery(&mut self, delivery: Delivery) {
        if self.delivery(&delivery.id).is_some() {
            return;
        }
        let is_undelivered = matches!(
            delivery.status,
            DeliveryStatus::Held(_) | DeliveryStatus::Failed(_)
        );
        self.due.remove(&delivery.id);
        if let (DeliveryStatus::Pending, Some(due_at), []) = (
            delivery.status,
            delivery.next_attempt_at,
            &delivery.attempts[..],
        ) {
            // As the workflow writes it.
            let next = NextAttempt::plan(due_at, self.now(), LongestQueueDelay::MAX);
            self.due.insert(delivery.id, DueEntry::of(&delivery, &next));
        }
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
    if !matches!(status, DeliveryStatus::Held(_)) {
        delivery.next_attempt_at = None;
    }
}
