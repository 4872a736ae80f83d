//! Conditional changes of a limiter.
//!
//! This is the only description of the limiter's rule. A store in memory checks and applies a
//! change itself. The DynamoDB store translates it into a condition and an update expression, so
//! that an admission needs one write and no read. A write that is conditional on a version would
//! need a read before each admission, and concurrent admissions would conflict although they take
//! different slots.

use std::time::Duration;

use super::limiter::{EndpointLimiter, Lease, Nanos};

/// A change of a limiter, which is made if its state meets all requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimiterChange {
    /// The requirements.
    pub requires: Vec<Requirement>,
    /// The updates.
    pub updates: Vec<Update>,
    /// The time at which the limiter is in use. A store may delete a limiter long after its last
    /// use. `None` if the change does not prolong its life.
    pub used_at: Option<Nanos>,
}

/// A requirement on the state of a limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// There is no backlog of this version of the limits, or its next free reservation is at this
    /// time or earlier.
    NoBacklogAfter {
        /// The version.
        version: u64,
        /// The time.
        at: Nanos,
    },
    /// The next free reservation in the backlog of this version is at this time or later.
    BacklogReaches {
        /// The version.
        version: u64,
        /// The time.
        at: Nanos,
    },
    /// The theoretical arrival time is within these times, both included.
    ArrivalTimeWithin {
        /// The earliest time.
        from: Nanos,
        /// The latest time.
        until: Nanos,
    },
    /// The theoretical arrival time is absent, or before this time.
    ArrivalTimeBefore(Nanos),
    /// The slot has no lease, or one that has expired.
    SlotFree {
        /// The slot.
        slot: u16,
        /// The present time.
        now: Nanos,
    },
    /// The lease is still held.
    Holds(Lease),
}

/// An update of a limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Moves the theoretical arrival time on.
    AdvanceArrivalTime(Duration),
    /// Sets the theoretical arrival time.
    SetArrivalTime(Nanos),
    /// Sets a lease in its slot.
    TakeLease(Lease),
    /// Removes the lease of a slot.
    Release {
        /// The slot.
        slot: u16,
        /// The time for which the lease was held. `None` if it was not used.
        held: Option<Duration>,
    },
    /// Moves the next free reservation on.
    AdvanceReservation(Duration),
    /// Begins a backlog of this version.
    BeginBacklog {
        /// The version.
        version: u64,
        /// The next free reservation.
        next: Nanos,
    },
}

/// The result of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimiterOutcome {
    /// It was made. This is the limiter as it was before.
    Changed(EndpointLimiter),
    /// The limiter does not meet a requirement, and is unchanged. This is its state.
    Refused(EndpointLimiter),
}

impl LimiterChange {
    /// No change yet, of a limiter that is in use at this time.
    pub(super) fn at(time: Nanos) -> Self {
        Self {
            requires: Vec::new(),
            updates: Vec::new(),
            used_at: Some(time),
        }
    }
}

impl EndpointLimiter {
    /// Returns true if its state meets the requirement.
    pub fn meets(&self, requirement: Requirement) -> bool {
        let has_backlog = |version, is_within: &dyn Fn(Nanos) -> bool| {
            self.version == Some(version) && self.next_reservation_at.is_some_and(is_within)
        };
        let arrival = self.theoretical_arrival_time;
        match requirement {
            Requirement::NoBacklogAfter { version, at } => !has_backlog(version, &|end| end > at),
            Requirement::BacklogReaches { version, at } => has_backlog(version, &|end| end >= at),
            Requirement::ArrivalTimeWithin { from, until } => {
                arrival.is_some_and(|next| (from..=until).contains(&next))
            }
            Requirement::ArrivalTimeBefore(from) => arrival.is_none_or(|next| next < from),
            Requirement::SlotFree { slot, now } => {
                let expires_at = self.leases.get(&slot);
                expires_at.is_none_or(|expires_at| *expires_at <= now)
            }
            Requirement::Holds(lease) => self.leases.get(&lease.slot) == Some(&lease.expires_at),
        }
    }

    /// Makes a change if all requirements are met.
    pub fn change(&mut self, change: &LimiterChange) -> LimiterOutcome {
        let before = self.clone();
        if !change
            .requires
            .iter()
            .all(|requirement| self.meets(*requirement))
        {
            return LimiterOutcome::Refused(before);
        }
        for update in &change.updates {
            self.update(*update);
        }
        LimiterOutcome::Changed(before)
    }

    fn update(&mut self, update: Update) {
        match update {
            Update::AdvanceArrivalTime(by) => {
                let next = self.theoretical_arrival_time;
                self.theoretical_arrival_time = next.map(|next| next + by);
            }
            Update::SetArrivalTime(next) => self.theoretical_arrival_time = Some(next),
            Update::TakeLease(lease) => {
                self.leases.insert(lease.slot, lease.expires_at);
            }
            Update::Release { slot, held } => {
                self.leases.remove(&slot);
                self.last_held = held.or(self.last_held);
            }
            Update::AdvanceReservation(by) => {
                self.next_reservation_at = self.next_reservation_at.map(|next| next + by);
            }
            Update::BeginBacklog { version, next } => {
                self.version = Some(version);
                self.next_reservation_at = Some(next);
            }
        }
    }
}
