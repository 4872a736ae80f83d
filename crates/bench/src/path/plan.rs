//! The sizes and rates of the measurements.

/// The number of rounds that count.
pub(super) const ROUNDS: usize = 3;

/// The events of each round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The number of events put at once; 0 means no burst.
    pub(super) burst: usize,
    /// The number of events put one by one.
    pub(super) evenly: usize,
    /// The rate of these events, per second.
    pub(super) per_second: f64,
}

impl Plan {
    /// Events one by one, and no burst. The rate is low, because the emulator takes half a
    /// second to read a thousand subscriptions.
    pub(super) const STEADY: Self = Self {
        burst: 0,
        evenly: 4,
        per_second: 1.5,
    };
}

/// The numbers of subscriptions of an event, with rates far below the emulator's capacity.
pub(super) const FAN_OUTS: [(usize, Plan); 3] = [
    (
        1,
        Plan {
            burst: 80,
            evenly: 20,
            per_second: 5.0,
        },
    ),
    (
        10,
        Plan {
            burst: 16,
            evenly: 5,
            per_second: 1.0,
        },
    ),
    (
        100,
        Plan {
            burst: 3,
            evenly: 2,
            per_second: 0.3,
        },
    ),
];

/// The numbers of subscriptions of the event's customer, of which one matches.
pub(super) const OWN: [usize; 3] = [1, 100, 1_000];

/// The numbers of subscriptions of other customers.
pub(super) const OTHERS: [usize; 3] = [10, 1_000, 100_000];
