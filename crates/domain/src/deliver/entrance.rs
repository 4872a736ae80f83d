//! The way to an endpoint: its lane, its circuit, its line. No attempt is made here, and
//! whoever is turned away uses up none.

use std::time::Duration;

use super::admission::Admission;
use super::{Deliver, DeliverError, PutOff, Report};
use crate::delivery::{Delivery, DeliveryStatus, Detour, DropReason, Hint, Lane};
use crate::health::{Health, OpenCircuit};
use crate::limits::{Limits, MaxInFlight, Slot};
use crate::message::Message;
use crate::ports::{
    Clock, DeliveryQueue, DeliveryStore, HealthStore, LineStore, MAX_QUEUE_DELAY, StoreError,
    WriteOutcome,
};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

/// What a delivery finds whose attempt is due.
pub(super) enum Entrance {
    /// The attempt is made now.
    Open(Box<Pass>),
    /// No attempt is made now; this was done instead.
    Closed(Box<Report>),
    /// Another run was quicker, so that the hint may mean something else by now.
    Overtaken,
}

impl Entrance {
    fn closed(report: Report) -> Self {
        Self::Closed(Box::new(report))
    }
}

/// What lets an attempt through.
pub(super) struct Pass {
    pub(super) subscription: Subscription,
    /// Whether it is the one that an open circuit lets through.
    pub(super) is_probe: bool,
    /// The slot that it has among those that are sent at once, if they are counted.
    pub(super) slot: Option<Slot>,
}

/// Whether it is a delivery's turn.
enum Turn {
    /// It is, and it has this slot.
    Now(Option<Slot>),
    /// It is then.
    At(Timestamp),
}

impl<T, Q, W, V, C> Deliver<T, Q, W, V, C>
where
    T: DeliveryStore + HealthStore + LineStore,
    Q: DeliveryQueue,
    C: Clock,
{
    /// Lets a delivery through, or puts it off.
    pub(super) async fn enter(
        &self,
        hint: &Hint,
        delivery: &Delivery,
        message: &Message,
        subscription: Option<Subscription>,
    ) -> Result<Entrance, DeliverError> {
        let now = self.clock.now();
        let pass = |subscription: Box<Subscription>, slot| {
            Entrance::Open(Box::new(Pass {
                subscription: *subscription,
                is_probe: false,
                slot,
            }))
        };
        match Admission::of(delivery, message, subscription, hint.lane, now) {
            Admission::Settle(status) => self.settle(delivery, status).await,
            Admission::ChangeLane => {
                self.queue
                    .send(&hint.on(Lane::Slow), Duration::ZERO)
                    .await?;
                Ok(Entrance::closed(Report::PutOff(PutOff::SlowLane)))
            }
            Admission::Park(until) => self.park(hint, delivery, until, now).await,
            Admission::Probe(subscription, circuit) => {
                self.claim_probe(*subscription, circuit, now).await
            }
            Admission::Attempt(subscription) if message.is_test => Ok(pass(subscription, None)),
            Admission::Attempt(subscription) => match self.turn(hint, &subscription, now).await? {
                Turn::Now(slot) => Ok(pass(subscription, slot)),
                Turn::At(turn) => self.wait_in_line(hint, delivery, turn, now).await,
            },
        }
    }

    /// Sets a delivery to a status without an attempt.
    async fn settle(
        &self,
        delivery: &Delivery,
        status: DeliveryStatus,
    ) -> Result<Entrance, DeliverError> {
        let made = delivery.attempts_made();
        match self.table.settle(&delivery.id, made, status).await? {
            WriteOutcome::Written => Ok(Entrance::closed(Report::Settled(status, delivery.into()))),
            WriteOutcome::Overtaken => Ok(Entrance::Overtaken),
        }
    }

    /// Puts a delivery off whose circuit is open: no attempt, and no write.
    ///
    /// One that the sweep finds overdue is dropped instead: its hint before may be parked
    /// already, and were both kept, there would be one more with every hour.
    async fn park(
        &self,
        hint: &Hint,
        delivery: &Delivery,
        open_until: Timestamp,
        now: Timestamp,
    ) -> Result<Entrance, DeliverError> {
        if is_from_sweep(hint, delivery, now) {
            return Ok(Entrance::closed(Report::Dropped(DropReason::LeftToSweep)));
        }
        let id = hint.delivery.subscription;
        let release = self.care.watch.park(id, open_until, now);
        let parked = hint.put_off(Detour::Parked);
        self.queue.send(&parked, release.since(now)).await?;
        Ok(Entrance::closed(Report::PutOff(PutOff::Parked)))
    }

    /// Claims the one attempt that an open circuit lets through.
    async fn claim_probe(
        &self,
        subscription: Subscription,
        circuit: OpenCircuit,
        now: Timestamp,
    ) -> Result<Entrance, DeliverError> {
        let health = Health {
            circuit: Some(circuit.claimed_until(now + self.time_for_attempt)),
            ..subscription.health
        };
        Ok(
            match self.table.change_health(&subscription, &health).await? {
                WriteOutcome::Written => Entrance::Open(Box::new(Pass {
                    subscription: Subscription {
                        health,
                        ..subscription
                    },
                    is_probe: true,
                    slot: None,
                })),
                WriteOutcome::Overtaken => Entrance::Overtaken,
            },
        )
    }

    /// Whether it is a delivery's turn, by the limits of its subscription. One without limits
    /// costs nothing here.
    ///
    /// Who finds every slot taken takes a turn too, so that those who wait come back one
    /// after another, in the order in which they came. Whoever has waited tries again soon.
    async fn turn(
        &self,
        hint: &Hint,
        subscription: &Subscription,
        now: Timestamp,
    ) -> Result<Turn, StoreError> {
        let (id, limits) = (&subscription.id, subscription.limits);
        if limits == Limits::default() {
            return Ok(Turn::Now(None));
        }
        let mut had_turn = false;
        match (hint.detour, limits.rate) {
            (Some(Detour::InLine(turn)), _) if turn > now => return Ok(Turn::At(turn)),
            (Some(Detour::InLine(_)), _) => had_turn = true,
            (_, Some(rate)) => {
                let turn = self.table.take_turn(id, rate.turn(now)).await?;
                if turn > now {
                    return Ok(Turn::At(turn));
                }
                had_turn = true;
            }
            (_, None) => {}
        }
        let Some(slots) = limits.in_flight else {
            return Ok(Turn::Now(None));
        };
        let until = now + self.time_for_attempt;
        let request = slots.slot(&hint.delivery, now, until);
        match self.table.take_slot(id, request).await? {
            Some(slot) => Ok(Turn::Now(Some(slot))),
            None if had_turn => Ok(Turn::At(now + MaxInFlight::NEXT_TRY)),
            None => Ok(Turn::At(self.table.take_turn(id, slots.turn(now)).await?)),
        }
    }

    /// Puts a delivery off until its turn.
    ///
    /// One that the sweep finds overdue is dropped where the line is longer than the queue can
    /// wait: its hint before is in it, or comes again with the next hour.
    async fn wait_in_line(
        &self,
        hint: &Hint,
        delivery: &Delivery,
        turn: Timestamp,
        now: Timestamp,
    ) -> Result<Entrance, DeliverError> {
        let wait = turn.since(now);
        if wait > MAX_QUEUE_DELAY && is_from_sweep(hint, delivery, now) {
            return Ok(Entrance::closed(Report::Dropped(DropReason::LeftToSweep)));
        }
        let waiting = hint.put_off(Detour::InLine(turn));
        self.queue.send(&waiting, wait.min(MAX_QUEUE_DELAY)).await?;
        Ok(Entrance::closed(Report::PutOff(PutOff::Throttled)))
    }
}

/// Whether the sweep has sent the hint because its attempt is overdue.
fn is_from_sweep(hint: &Hint, delivery: &Delivery, now: Timestamp) -> bool {
    hint.detour.is_none() && delivery.is_overdue(now)
}
