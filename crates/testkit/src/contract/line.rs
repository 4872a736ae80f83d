//! The line in front of an endpoint that takes only so much.

use std::time::Duration;

use webhooks_domain::ids::DeliveryId;
use webhooks_domain::limits::{Entered, Limits, Line, Slot};
use webhooks_domain::ports::LineStore;
use webhooks_domain::timestamp::Timestamp;

use crate::samples;

const SECOND: Duration = Duration::from_secs(1);

fn seconds(seconds: u32) -> Timestamp {
    samples::NOW + SECOND * seconds
}

/// Asks for entry for one delivery after another.
struct Asking<'a, L> {
    store: &'a L,
    limits: Limits,
    number: u128,
}

impl<L: LineStore> Asking<'_, L> {
    fn delivery(&self, number: u128) -> DeliveryId {
        DeliveryId {
            message: samples::message("lines", &number.to_string()).id,
            subscription: samples::subscription_id(self.number),
        }
    }

    async fn enter(&self, number: u128, has_waited: bool, now: Timestamp) -> Entered {
        let delivery = self.delivery(number);
        let request = self
            .limits
            .entry(&delivery, has_waited, now, now + 5 * SECOND);
        let entered = self.store.enter(&delivery.subscription, &request);
        entered.await.expect("answers")
    }

    async fn slot(&self, number: u128, now: Timestamp) -> Slot {
        match self.enter(number, false, now).await {
            Entered::In(Some(slot)) => slot,
            other => panic!("a slot, not {other:?}"),
        }
    }

    async fn refused(&self, number: u128, has_waited: bool, now: Timestamp) -> Line {
        match self.enter(number, has_waited, now).await {
            Entered::Refused(line) => line,
            entered @ Entered::In(_) => panic!("no entry, not {entered:?}"),
        }
    }

    async fn turn(&self, line: &Line, now: Timestamp) -> Timestamp {
        let id = samples::subscription_id(self.number);
        let request = self.limits.turn(line, now);
        let turn = self.store.take_turn(&id, &request);
        turn.await.expect("answers")
    }

    async fn leave(&self, slot: Slot, took: Option<Duration>) {
        let id = samples::subscription_id(self.number);
        let left = self.store.leave(&id, slot, took);
        left.await.expect("answers");
    }
}

fn limits(rate: Option<u64>, in_flight: Option<u64>) -> Limits {
    let bound = "within bounds";
    Limits {
        rate: rate.map(|rate| rate.try_into().expect(bound)),
        in_flight: in_flight.map(|most| most.try_into().expect(bound)),
    }
}

/// What goes is within the limits, and who comes later waits behind who waits already.
pub async fn lines(store: &impl LineStore) {
    rate(store).await;
    slots(store).await;
    both(store).await;
}

async fn rate(store: &impl LineStore) {
    let asking = Asking {
        store,
        limits: limits(Some(2), None),
        number: 71,
    };
    for number in 0..2 {
        let entered = asking.enter(number, false, seconds(0)).await;
        assert_eq!(entered, Entered::In(None), "a second's worth at once");
    }
    let line = asking.refused(2, false, seconds(0)).await;
    assert_eq!(line.end, None, "nobody waits");
    assert_eq!(asking.turn(&line, seconds(0)).await, seconds(1));
    let second = seconds(1) + SECOND / 2;
    assert_eq!(
        asking.turn(&line, seconds(0)).await,
        second,
        "whatever was thought of it"
    );
    let line = asking.refused(3, false, seconds(1)).await;
    assert_eq!(line.end, Some(seconds(2).into()), "two wait");
    assert_eq!(asking.turn(&line, seconds(1)).await, seconds(2));
    for number in 4..6 {
        let entered = asking.enter(number, true, seconds(1)).await;
        assert_eq!(entered, Entered::In(None), "those who have waited go first");
    }
    asking.refused(6, true, seconds(1)).await;
    let entered = asking.enter(7, false, seconds(9)).await;
    assert_eq!(entered, Entered::In(None), "the line is over");

    let other = Asking {
        limits: limits(Some(100), None),
        store,
        number: 71,
    };
    asking.turn(&Line::default(), seconds(9)).await;
    let line = Line::default();
    assert_eq!(
        other.turn(&line, seconds(9)).await,
        seconds(10),
        "a line of its own"
    );
}

async fn slots(store: &impl LineStore) {
    let asking = Asking {
        store,
        limits: limits(None, Some(2)),
        number: 72,
    };
    let first = asking.slot(0, seconds(0)).await;
    let second = asking.slot(1, seconds(0)).await;
    assert_ne!(first.number, second.number);
    let line = asking.refused(2, false, seconds(0)).await;
    assert_eq!(line.slots.len(), 2, "both are taken");
    asking.leave(first, Some(3 * SECOND)).await;
    let third = asking.slot(3, seconds(1)).await;
    assert_eq!(third.number, first.number, "it was left");
    asking.leave(first, None).await;
    let line = asking.refused(4, true, seconds(1)).await;
    assert!(line.has(third), "it is another's by now");
    assert_eq!(line.took, Some(3 * SECOND));
    let later = seconds(5) + SECOND / 2;
    let over = asking.slot(5, later).await;
    assert_eq!(over.number, second.number, "its time is over");
    // The same once more, after its answer was lost.
    assert_eq!(asking.slot(5, later).await, over);
}

async fn both(store: &impl LineStore) {
    let asking = Asking {
        store,
        limits: limits(Some(1), Some(2)),
        number: 73,
    };
    asking.slot(0, seconds(0)).await;
    let line = asking.refused(1, false, seconds(0)).await;
    assert_eq!(line.slots.len(), 1, "there is a slot, and no turn");
    asking.slot(2, seconds(1)).await;
    let line = asking.refused(3, true, seconds(2)).await;
    assert_eq!(
        line.slots.len(),
        2,
        "it would be its turn, and there is no slot"
    );
    let entered = asking.enter(3, true, seconds(7)).await;
    assert!(matches!(entered, Entered::In(Some(_))), "{entered:?}");
}
