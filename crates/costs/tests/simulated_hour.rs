//! The formulas of an estimate, held to a simulated hour.
//!
//! A mean of the steady half is within [`MEANS`] of the formula, and the queue after a sudden start
//! within [`START`]. The formulas leave out the first batch, in which no poller is added, so a start
//! may also differ by what arrives in two batches.

mod simulation;

use std::time::Duration;

use webhooks_costs::{Capacity, Workload};

use simulation::{Hour, hour};

/// The largest relative difference of a mean.
const MEANS: f64 = 0.03;
/// The largest relative difference of a figure of the start.
const START: f64 = 0.10;
const MAX_CONCURRENCY: u64 = 1_000;

/// Events a second, fan-out, answer time in milliseconds, and the failing share.
const WORKLOADS: [(f64, f64, u64, f64); 10] = [
    (1.0, 1.0, 200, 0.0),
    (15.0, 1.0, 200, 0.0),
    (100.0, 1.0, 200, 0.01),
    (200.0, 1.0, 200, 0.0),
    (1_000.0, 1.0, 200, 0.0),
    (1_000.0, 2.0, 200, 0.01),
    (1_000.0, 1.0, 2_000, 0.05),
    (10_000.0, 1.0, 200, 0.0),
    (30_000.0, 1.0, 200, 0.0),
    (100_000.0, 1.0, 20, 0.0),
];

fn workload((events, fan_out, answer_ms, failing): (f64, f64, u64, f64)) -> Workload {
    let answer = Duration::from_millis(answer_ms);
    Workload::new(events, fan_out, answer, failing).expect("within the bounds")
}

fn simulated(workload: &Workload, seed: u64) -> (Capacity, Hour) {
    let capacity = Capacity::of(workload.attempts_per_second(), workload.answer_seconds);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few thousand at most"
    )]
    let most = (capacity.maximum_concurrency as u64).min(MAX_CONCURRENCY);
    (capacity, hour(workload, &capacity, most, seed))
}

#[track_caller]
fn close(what: &str, formula: f64, simulated: f64, share: f64, absolute: f64) {
    let difference = (formula - simulated).abs();
    let bound = (share * formula.abs()).max(absolute);
    assert!(
        difference <= bound,
        "{what}: {formula} by the formula, {simulated} in the simulated hour"
    );
}

#[test]
fn the_steady_means_are_those_of_the_formulas() {
    for case in WORKLOADS {
        let workload = workload(case);
        let (capacity, hour) = simulated(&workload, 1);
        let steady = &hour.steady;
        println!("{case:?}: {capacity:?} {hour:?}");
        close(
            "attempts",
            workload.attempts_per_second(),
            steady.attempts_per_second,
            MEANS,
            0.1,
        );
        close(
            "in flight",
            capacity.in_flight(),
            steady.in_flight,
            MEANS,
            0.1,
        );
        // The formula has the fewest environments. Pollers that were added stay.
        let fewest = capacity.environments * (1.0 - START) - 0.1;
        let range = fewest..=capacity.maximum_concurrency;
        assert!(range.contains(&steady.environments), "{case:?}: {steady:?}");
        assert!(
            steady.batch <= capacity.batch * (1.0 + MEANS) + 0.1,
            "{case:?}: {steady:?}"
        );
        close(
            "waiting",
            capacity.waiting_seconds(),
            steady.waiting_seconds,
            0.0,
            capacity.batch_seconds / 5.0,
        );
    }
}

#[test]
fn the_queue_after_a_sudden_start_is_that_of_the_formulas() {
    for case in WORKLOADS {
        let workload = workload(case);
        let (capacity, hour) = simulated(&workload, 2);
        let rate = workload.first_attempts_per_second();
        let start = capacity.sudden_start(rate).unwrap();
        println!("{case:?}: {start:?} {hour:?}");
        let batches = 2.0 * capacity.batch_seconds;
        let arrivals = workload.attempts_per_second() * batches + 10.0;
        close(
            "peak depth",
            start.peak_depth,
            hour.peak_depth,
            START,
            arrivals,
        );
        close(
            "oldest",
            start.oldest_seconds,
            hour.oldest_seconds,
            START,
            batches,
        );
        close(
            "drained",
            start.drained_after_seconds,
            hour.drained_after_seconds,
            START,
            batches,
        );
    }
}

#[test]
fn a_queue_that_one_stack_cannot_drain_grows() {
    let workload = workload((100_000.0, 1.0, 200, 0.0));
    let (capacity, hour) = simulated(&workload, 3);
    assert_eq!(capacity.sudden_start(100_000.0), None);
    let served = 10.0 * 1_000.0 / capacity.batch_seconds;
    let grown = (workload.attempts_per_second() - served) * 3_600.0;
    close("depth", grown, hour.depth_at_end, START, 0.0);
}

#[test]
fn the_same_seed_gives_the_same_hour() {
    let workload = workload(WORKLOADS[5]);
    let shown = |seed| format!("{:?}", simulated(&workload, seed).1);
    assert_eq!(shown(7), shown(7));
    assert_ne!(shown(7), shown(8));
}
