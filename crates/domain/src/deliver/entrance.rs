//! The way to an endpoint: its lane, its circuit, its line. No attempt is made here, and
//! whoever is turned away uses up none.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use super::admission::Admission;
use super::{Deliver, DeliverError, PutOff, Report};
use crate::delivery::{Delivery, DeliveryStatus, Detour, DropReason, Hint, Lane};
use crate::health::{Endpoint, Health, OpenCircuit};
use crate::limits::{Entered, Limits, LimitsInForce, Reservation, Slot};
use crate::message::Message;
use crate::ports::{
    Clock, DeliveryQueue, DeliveryStore, HealthStore, LineStore, MAX_QUEUE_DELAY, WriteOutcome,
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
    fn open(subscription: Subscription, slot: Option<Slot>) -> Self {
        Self::Open(Box::new(Pass {
            subscription,
            is_probe: false,
            slot,
        }))
    }

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

/// What may pass between being let in and the attempt: the opening of the secrets. A slot is
/// taken for that, too, so that it is not given away while the request is under way.
const TIME_BEFORE_ATTEMPT: Duration = Duration::from_secs(10);

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
        match Admission::of(delivery, message, subscription, hint.lane, now) {
            Admission::Settle(status) => self.settle(delivery, status).await,
            Admission::ChangeLane => {
                self.queue
                    .send(&delivery.customer_id, &hint.on(Lane::Slow), Duration::ZERO)
                    .await?;
                Ok(Entrance::closed(Report::PutOff(PutOff::SlowLane)))
            }
            Admission::Park(endpoint, until) => {
                self.park(hint, delivery, endpoint, until, now).await
            }
            Admission::Probe(subscription, circuit) => {
                self.claim_probe(*subscription, circuit, now).await
            }
            Admission::Attempt(subscription) if message.is_test => {
                Ok(Entrance::open(*subscription, None))
            }
            Admission::Attempt(subscription) => self.pass_line(hint, delivery, *subscription).await,
        }
    }

    /// Sets a delivery to a status without an attempt.
    pub(super) async fn settle(
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
        endpoint: Endpoint,
        open_until: Timestamp,
        now: Timestamp,
    ) -> Result<Entrance, DeliverError> {
        if is_from_sweep(hint, delivery, now) {
            return Ok(Entrance::closed(Report::Dropped(DropReason::LeftToSweep)));
        }
        // A reservation that comes later is kept.
        let (parked, release) = match hint.reservation() {
            Some(reserved) if reserved.not_before > open_until => {
                (*hint, open_until.max(now + reserved.queue_delay(now)))
            }
            _ => {
                let release = self.care.watch.park(endpoint, open_until, now);
                (hint.put_off(Detour::Parked), release)
            }
        };
        self.queue
            .send(&delivery.customer_id, &parked, release.since(now))
            .await?;
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

    /// Lets a delivery through if the limits of its subscription allow it, or puts it off until
    /// its turn. A subscription without limits costs nothing here.
    ///
    /// A hint of the sweep is dropped where the line is as long as the attempt is overdue: its
    /// hint before may be in it. Were it given a turn, there would be one more with every hour.
    async fn pass_line(
        &self,
        hint: &Hint,
        delivery: &Delivery,
        subscription: Subscription,
    ) -> Result<Entrance, DeliverError> {
        if subscription.limits == Limits::default() {
            return Ok(Entrance::open(subscription, None));
        }
        let id = subscription.id;
        let limits = LimitsInForce {
            limits: subscription.limits,
            version: subscription.version,
        };
        let now = self.clock.now();
        let reserved = hint.reservation();
        let ahead = reserved.filter(|reserved| reserved.is_ahead(limits, now));
        let reservation = if let Some(ahead) = ahead {
            ahead
        } else {
            let until = now + self.time_for_attempt + TIME_BEFORE_ATTEMPT;
            let has_waited = reserved.is_some();
            let request = limits.entry(random_number(&self.random), has_waited, now, until);
            let line = match self.table.enter(&id, &request).await? {
                Entered::In(slot) => return Ok(Entrance::open(subscription, slot)),
                Entered::Refused(line) => line,
            };
            let (wait, overdue) = (line.wait(limits, now), delivery.overdue_for(now));
            let may_be_in_it = wait > MAX_QUEUE_DELAY && wait >= overdue;
            if may_be_in_it && is_from_sweep(hint, delivery, now) {
                return Ok(Entrance::closed(Report::Dropped(DropReason::LeftToSweep)));
            }
            Reservation {
                not_before: self.table.take_turn(&id, &limits.turn(&line, now)).await?,
                version: limits.version,
            }
        };
        let waiting = hint.put_off(Detour::InLine(reservation));
        let wait = reservation.queue_delay(now);
        self.queue
            .send(&delivery.customer_id, &waiting, wait)
            .await?;
        Ok(Entrance::closed(Report::PutOff(PutOff::Throttled)))
    }
}

/// Any number. Where none can be had, 0 is one, too: it may be another's, as any may.
fn random_number(random: &SystemRandom) -> u32 {
    let mut bytes = [0; 4];
    let _ = random.fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

/// Whether the sweep has sent the hint because its attempt is overdue.
fn is_from_sweep(hint: &Hint, delivery: &Delivery, now: Timestamp) -> bool {
    hint.detour.is_none() && delivery.is_overdue(now)
}
