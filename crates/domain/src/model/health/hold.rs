//! Deliveries that are held because their endpoint is unavailable.
//!
//! Once a circuit breaker stays open for an hour or longer, deliveries that come due are held
//! instead of deferred. The subscription is then in the `due` index, so the sweep finds it: while
//! the circuit breaker is half-open, the sweep releases one held delivery as the probe; once it has
//! closed, the sweep starts the recovery that sends the others. The subscription leaves the index
//! last.

use std::time::Duration;

use crate::queue::MAX_QUEUE_DELAY;
use crate::timestamp::Timestamp;

use super::{Health, OpenCircuit};

/// The state of a subscription whose deliveries are held because its endpoint is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// The time since which deliveries are held or, once they may be sent again, the time since
    /// which they may. The id of the recovery that sends them is derived from the second one.
    pub since: Timestamp,
    /// The time from which the sweep checks the subscription.
    pub check_at: Timestamp,
}

impl Hold {
    /// Deliveries are held if the circuit breaker stays open until this long, or longer, after it
    /// opened.
    pub const AFTER: Duration = Duration::from_hours(1);
    /// The time before a recovery begins. A run that has read the subscription before the circuit
    /// breaker closed holds its delivery within this time, so the recovery finds it.
    pub const SETTLING: Duration = Duration::from_mins(1);
    /// The time that a probe has until the sweep releases another one.
    pub const PROBE_TIME: Duration = Duration::from_mins(5);
    /// The time after which the sweep checks again, while a recovery runs or nothing is held.
    pub const RECHECK: Duration = MAX_QUEUE_DELAY;

    /// The hold of deliveries that may be sent from now on.
    pub fn released(now: Timestamp) -> Self {
        Self {
            since: now,
            check_at: now + Self::SETTLING,
        }
    }

    /// The same, to be checked at another time.
    #[must_use]
    pub fn checked_at(self, check_at: Timestamp) -> Self {
        Self { check_at, ..self }
    }
}

impl OpenCircuit {
    /// Returns true if it stays open for so long that deliveries must be held.
    fn is_open_for_long(self) -> bool {
        self.until.since(self.since) >= Hold::AFTER
    }
}

impl Health {
    /// The health during a probe, which must have ended at `until`.
    #[must_use]
    pub fn during_probe(self, circuit: OpenCircuit, until: Timestamp) -> Self {
        Self {
            circuit: Some(circuit.claimed_until(until)),
            hold: self.hold.map(|hold| hold.checked_at(until)),
            ..self
        }
    }

    /// The health of another endpoint, which replaces this one. Deliveries that were held for the
    /// old endpoint are sent to the new one.
    #[must_use]
    pub fn of_new_endpoint(self, now: Timestamp) -> Self {
        let may_hold = self.hold.is_some() || self.circuit.is_some();
        Self {
            hold: may_hold.then(|| Hold::released(now)),
            ..Self::default()
        }
    }

    /// The hold after an attempt that has left the circuit breaker in this state.
    pub(super) fn hold_after(&self, circuit: Option<OpenCircuit>, now: Timestamp) -> Option<Hold> {
        match circuit {
            _ if circuit == self.circuit => self.hold,
            None => self.hold.map(|_| Hold::released(now)),
            Some(open) if self.hold.is_some() || open.is_open_for_long() => Some(Hold {
                since: self.hold.map_or(open.since, |hold| hold.since),
                check_at: open.until,
            }),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn open(since_open: Duration) -> OpenCircuit {
        OpenCircuit {
            since: NOW,
            until: NOW + since_open,
            cooldown: OpenCircuit::LONGEST,
        }
    }

    fn health(circuit: Option<OpenCircuit>, hold: Option<Hold>) -> Health {
        Health {
            circuit,
            hold,
            ..Health::default()
        }
    }

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn deliveries_are_held_once_a_circuit_breaker_stays_open_for_an_hour() {
        let (short, long) = (open(59 * MINUTE), open(Hold::AFTER));
        let before = health(Some(open(SECOND)), None);
        assert_eq!(before.hold_after(Some(short), NOW), None);
        let hold = before.hold_after(Some(long), NOW).unwrap();
        assert_eq!((hold.since, hold.check_at), (NOW, long.until));
        // Every failed probe moves the check, and the hold keeps its beginning.
        let longer = open(2 * Hold::AFTER);
        let next = health(Some(long), Some(hold)).hold_after(Some(longer), NOW);
        assert_eq!(next, Some(hold.checked_at(longer.until)));
    }

    #[test]
    fn the_check_follows_the_claim_of_a_probe_so_that_the_sweep_releases_no_other() {
        let hold = Hold::released(NOW);
        let until = NOW + 3 * Hold::AFTER;
        let during = health(None, Some(hold)).during_probe(open(Hold::AFTER), until);
        assert_eq!(during.circuit.unwrap().until, until);
        assert_eq!(during.hold, Some(hold.checked_at(until)));
        let during = Health::default().during_probe(open(SECOND), until);
        assert_eq!(during.hold, None);
    }

    #[test]
    fn what_is_held_is_released_when_the_circuit_breaker_closes_or_the_endpoint_is_replaced() {
        let later = NOW + 2 * Hold::AFTER;
        let hold = Hold {
            since: NOW,
            check_at: NOW + Hold::AFTER,
        };
        let holding = health(Some(open(Hold::AFTER)), Some(hold));
        let released = Some(Hold::released(later));
        assert_eq!(holding.hold_after(None, later), released);
        assert_eq!(holding.of_new_endpoint(later), health(None, released));
        // A delivery may be held while the endpoint is replaced.
        let opened = health(Some(open(SECOND)), None);
        assert_eq!(opened.of_new_endpoint(later), health(None, released));
        let healthy = health(None, None);
        assert_eq!(healthy.of_new_endpoint(later), healthy);
        assert_eq!(healthy.hold_after(None, later), None);
    }

    #[test]
    fn an_attempt_that_is_no_probe_does_not_move_the_check() {
        let hold = Hold::released(NOW);
        let holding = health(Some(open(Hold::AFTER)), Some(hold));
        assert_eq!(holding.hold_after(holding.circuit, NOW), Some(hold));
        // While a recovery sends what was held, the circuit breaker may open again.
        let reopened = health(None, Some(hold)).hold_after(Some(open(SECOND)), NOW);
        assert_eq!(reopened, Some(hold.checked_at(NOW + SECOND)));
    }
}
