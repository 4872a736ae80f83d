//! The recorded usage of one delivery.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Meter, Usage, Workload};

/// The numbers of subscriptions that were measured, the smallest first.
const FAN_OUTS: [(f64, &str); 3] = [
    (1.0, "fan-out 1"),
    (10.0, "fan-out 10"),
    (100.0, "fan-out 100"),
];
const AT_ONCE: &str = "succeeded at once";
const THIRD_ATTEMPT: &str = "succeeded at the third attempt";
/// The meters that run for each batch. The others run for each event or delivery, and differ between
/// the recorded runs only by chance.
const BY_BATCH: [Meter; 6] = [
    Meter::LambdaRequest,
    Meter::LambdaGigabyteSecond,
    Meter::QueueRequest,
    Meter::FairQueueRequest,
    Meter::StatisticsWriteUnit,
    Meter::LoggedGigabyte,
];
/// The deliveries of a full batch.
pub(crate) const FULL_BATCH: f64 = 10.0;

/// The measurements of `cargo xtask bench --record`: the usage of a delivery by the name of its case.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The day.
    pub date: String,
    /// The cases.
    pub cases: BTreeMap<String, Usage>,
}

impl Recorded {
    /// Returns the last record.
    pub fn last() -> Self {
        serde_json::from_str(include_str!("../usage.json")).expect("a test reads this file")
    }

    /// Returns the mean usage of a delivery of a workload in batches of this size. Between the
    /// measured cases it is interpolated: what an event uses is shared by its deliveries, and what a
    /// batch uses by its own.
    pub fn of_delivery(&self, workload: &Workload, batch: f64) -> Usage {
        let attempts = Workload::ATTEMPTS_OF_FAILING;
        let at_once = self.in_batches(&self.full_batches(AT_ONCE, workload.fan_out), batch, 1.0);
        let third = self.full_batches(THIRD_ATTEMPT, workload.fan_out);
        let third = self.in_batches(&third, batch, attempts);
        at_once.towards(&third, workload.failing)
    }

    fn case(&self, batches: &str, ending: &str) -> &Usage {
        let name = format!("{batches}, {ending}");
        self.cases.get(&name).expect("a test reads every case")
    }

    /// Returns the usage in full batches.
    fn full_batches(&self, ending: &str, fan_out: f64) -> Usage {
        let share = 1.0 / fan_out;
        let mut usage = self.case(FAN_OUTS[0].1, ending).clone();
        for pair in FAN_OUTS.windows(2) {
            let [(fewer, before), (more, after)] = [pair[0], pair[1]];
            let distance = (1.0 / fewer - share) / (1.0 / fewer - 1.0 / more);
            if distance > 0.0 {
                let (before, after) = (self.case(before, ending), self.case(after, ending));
                usage = before.towards(after, distance.min(1.0));
            }
        }
        usage
    }

    /// Adds what smaller batches use more, for this number of attempts.
    fn in_batches(&self, usage: &Usage, batch: f64, attempts: f64) -> Usage {
        let (full, of_one) = (1.0 / FULL_BATCH, 1.0);
        let distance = (1.0 / batch - full) / (of_one - full);
        let full = self.case(FAN_OUTS[0].1, AT_ONCE);
        let of_one = self.case("fan-out 1, batches of one", AT_ONCE);
        usage.plus_difference(full, of_one, distance * attempts, &BY_BATCH)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::PriceList;

    fn usage(fan_out: f64, batch: f64, failing: f64) -> Usage {
        let answer = Duration::from_millis(200);
        let workload = Workload::new(1.0, fan_out, answer, failing).unwrap();
        Recorded::last().of_delivery(&workload, batch)
    }

    #[test]
    fn a_measured_case_is_given_as_it_was_measured() {
        let recorded = Recorded::last();
        for (fan_out, batch, failing, name) in [
            (1.0, 10.0, 0.0, "fan-out 1, succeeded at once"),
            (10.0, 10.0, 0.0, "fan-out 10, succeeded at once"),
            (100.0, 10.0, 0.0, "fan-out 100, succeeded at once"),
            (1.0, 10.0, 1.0, "fan-out 1, succeeded at the third attempt"),
            (
                100.0,
                10.0,
                1.0,
                "fan-out 100, succeeded at the third attempt",
            ),
        ] {
            let usage = usage(fan_out, batch, failing);
            for meter in Meter::ALL {
                let difference = usage.of(meter) - recorded.cases[name].of(meter);
                assert!(difference.abs() < 1e-12, "{name}: {meter:?}");
            }
        }
    }

    #[test]
    fn smaller_batches_use_more_of_what_a_batch_uses() {
        let recorded = Recorded::last();
        let (usage, full) = (usage(1.0, 1.0, 0.0), usage(1.0, 10.0, 0.0));
        let of_one = &recorded.cases["fan-out 1, batches of one, succeeded at once"];
        for meter in Meter::ALL {
            let expected = if BY_BATCH.contains(&meter) {
                of_one
            } else {
                &full
            };
            let difference = usage.of(meter) - expected.of(meter);
            assert!(difference.abs() < 1e-12, "{meter:?}");
        }
    }

    #[test]
    fn the_cost_lies_between_those_of_the_measured_cases() {
        let prices = PriceList::us_east_1();
        let total = |fan_out, batch, failing| usage(fan_out, batch, failing).total(&prices);
        assert!(total(1.0, 10.0, 0.0) > total(2.0, 10.0, 0.0));
        assert!(total(2.0, 10.0, 0.0) > total(10.0, 10.0, 0.0));
        assert!(total(50.0, 10.0, 0.0) > total(100.0, 10.0, 0.0));
        assert!((total(1_000.0, 10.0, 0.0) - total(100.0, 10.0, 0.0)).abs() < 0.2);
        assert!(total(1.0, 2.0, 0.0) > total(1.0, 10.0, 0.0));
        assert!(total(1.0, 10.0, 0.01) > total(1.0, 10.0, 0.0));
    }
}
