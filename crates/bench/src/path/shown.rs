//! The figures of one crowd of customers over all rounds.

use std::time::Duration;

use anyhow::Result;
use webhooks_costs::{Estimate, PriceList, Workload};

use super::plan::Plan;
use crate::{
    load::Crowd,
    report::{Table, Unit, cell},
    stack::Deployment,
    stats::{Measured, quantile, ratios},
};

/// Longer than any burst takes.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// A crowd, its plan, and a value for each round.
pub(super) struct Shown {
    /// The varied number.
    pub(super) size: usize,
    crowd: Crowd,
    plan: Plan,
    /// All latencies, in milliseconds.
    latencies: Vec<f64>,
    median_millis: Vec<f64>,
    /// The duration of the burst, divided by its events.
    event_seconds: Vec<f64>,
}

impl Shown {
    pub(super) fn new(size: usize, crowd: Crowd, plan: Plan) -> Self {
        Self {
            size,
            crowd,
            plan,
            latencies: Vec::new(),
            median_millis: Vec::new(),
            event_seconds: Vec::new(),
        }
    }

    /// Puts a burst, and then events at an even rate.
    pub(super) async fn round(&mut self, deployment: &Deployment) -> Result<()> {
        let (stack, crowd, plan) = (&deployment.stack, &mut self.crowd, self.plan);
        if plan.burst > 0 {
            let seconds = crowd.time_burst(stack, plan.burst, TIME_LIMIT).await?;
            self.event_seconds.push(seconds / float(plan.burst));
        }
        let before = crowd.receiver.requests().len();
        let events = crowd.put_evenly(stack, plan.evenly, plan.per_second);
        let events = events.await?;
        let all = before + crowd.deliveries(plan.evenly);
        crowd.received(all, TIME_LIMIT).await?;
        let mut latencies = crowd.latencies(&events, 0..crowd.customers())?;
        latencies.sort_by(f64::total_cmp);
        self.median_millis.push(quantile(&latencies, 0.5));
        self.latencies.append(&mut latencies);
        Ok(())
    }

    /// Discards the rounds so far, which were a warm-up.
    pub(super) fn forget(&mut self) {
        self.latencies.clear();
        self.median_millis.clear();
        self.event_seconds.clear();
    }

    /// Returns the median latency relative to another crowd's.
    fn latency_to(&self, base: &Self) -> Measured {
        ratios(&self.median_millis, &base.median_millis)
    }

    /// Returns the row of a table that compares the latency with the estimate and this wait.
    pub(super) fn beside_estimate(&self, wait: Duration) -> Result<[String; 4]> {
        let answer_time = Duration::from_millis(1);
        let workload = Workload::new(self.plan.per_second, float(self.size), answer_time, 0.0)?;
        let estimate = Estimate::of(workload, "us-east-1", &PriceList::us_east_1())?;
        let estimated = (estimate.latency_seconds + wait.as_secs_f64()) * 1e3;
        let base = vec![estimated; self.median_millis.len()];
        Ok([
            self.size.to_string(),
            cell(ratios(&self.median_millis, &base), Unit::Ratio),
            cell(Measured::of(&self.median_millis), Unit::Millis),
            Unit::Millis.text(estimated),
        ])
    }

    fn delivery_seconds(&self) -> Vec<f64> {
        let deliveries = float(self.crowd.deliveries(1));
        let seconds = self.event_seconds.iter();
        seconds.map(|seconds| seconds / deliveries).collect()
    }

    /// Returns the row of a table, compared with the base row.
    pub(super) fn row(&self, base: &Self) -> Vec<String> {
        let mut sorted = self.latencies.clone();
        sorted.sort_by(f64::total_cmp);
        let per_second = |seconds: &[f64]| {
            if seconds.is_empty() {
                return "-".to_owned();
            }
            let rates: Vec<f64> = seconds.iter().map(|seconds| 1.0 / seconds).collect();
            cell(Measured::of(&rates), Unit::Count)
        };
        vec![
            self.size.to_string(),
            cell(self.latency_to(base), Unit::Ratio),
            Unit::Millis.text(quantile(&sorted, 0.5)),
            Unit::Millis.text(quantile(&sorted, 0.9)),
            Unit::Millis.text(quantile(&sorted, 0.99)),
            per_second(&self.event_seconds),
            per_second(&self.delivery_seconds()),
        ]
    }
}

/// Returns a table for such rows.
pub(super) fn table(title: &str, size: &str) -> Table {
    Table::new(
        title,
        &[
            size,
            "median latency ÷ first row",
            "median latency",
            "p90",
            "p99",
            "burst, events a second",
            "burst, deliveries a second",
        ],
    )
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn float(count: usize) -> f64 {
    count as f64
}
