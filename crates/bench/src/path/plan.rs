//! How many of what, and how fast.

/// Rounds that count.
pub(super) const ROUNDS: usize = 3;

/// How events are put, in each round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Events put at once; none is no burst.
    pub(super) burst: usize,
    /// Events put one by one.
    pub(super) evenly: usize,
    /// So many of them in a second.
    pub(super) per_second: f64,
}

impl Plan {
    /// Events one by one, and no burst. Slow: the emulator takes half a second to read a
    /// thousand subscriptions.
    pub(super) const STEADY: Self = Self {
        burst: 0,
        evenly: 4,
        per_second: 1.5,
    };
}

/// Subscriptions of an event, and how its events are put: far below what the emulator takes.
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

/// Subscriptions of the event's customer, of which one wants it.
pub(super) const OWN: [usize; 3] = [1, 100, 1_000];

/// Subscriptions of other customers.
pub(super) const OTHERS: [usize; 3] = [10, 1_000, 100_000];
