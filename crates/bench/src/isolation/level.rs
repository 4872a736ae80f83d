//! One level: a number of hanging endpoints.

use std::{
    ops::Range,
    time::{Duration, SystemTime},
};

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};
use webhooks_receiver::Answer;

use crate::{
    load::Crowd,
    stack::{Deployment, Role},
    stats::{Measured, quantile},
};

/// The number of customers, each with one endpoint.
pub(super) const CUSTOMERS: usize = 100;

/// The concurrency of the delivery function in the deployed stack.
pub(super) const CONCURRENCY: usize = 50;

/// The number of parts of a run, for the spread.
const FIFTHS: usize = 5;

/// The time between the end of a run's last request and its report in the log.
const UNTIL_REPORTED: Duration = Duration::from_secs(2);

/// The time after which an attempt that timed out is repeated, by the default schedule. The
/// third attempt is due after the run.
const REPEATED_AFTER: Duration = Duration::from_secs(6);

/// Longer than a healthy endpoint waits for its last request.
const TIME_LIMIT: Duration = Duration::from_mins(2);

/// The events of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) events: usize,
    pub(super) per_second: f64,
}

impl Load {
    /// Well below the emulator's capacity.
    pub(super) const FULL: Self = Self {
        events: 480,
        per_second: 15.0,
    };

    pub(super) const QUICK: Self = Self {
        events: 100,
        per_second: 15.0,
    };

    /// Returns its duration.
    pub(super) fn seconds(&self) -> f64 {
        float(self.events) / self.per_second
    }
}

/// The number of hanging endpoints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    hanging: usize,
}

/// All levels. The others are compared with the first.
pub(super) const LEVELS: [Level; 3] = [
    Level { hanging: 0 },
    Level { hanging: 1 },
    Level { hanging: 10 },
];

/// The figures of a level.
pub(super) struct Shown {
    /// The time from the put to the first request at healthy endpoints, in milliseconds.
    pub(super) p50: Measured,
    pub(super) p99: Measured,
    /// The billed milliseconds.
    pub(super) billed_by_delivery: f64,
    pub(super) billed_by_healthy_delivery: f64,
    pub(super) invocations: u64,
}

impl Level {
    /// Formats it as a share of all endpoints.
    pub(super) fn text(self) -> String {
        format!("{} %", self.hanging * 100 / CUSTOMERS)
    }

    pub(super) async fn measure(
        self,
        deployment: &Deployment,
        load: &Load,
        request_timeout: u64,
    ) -> Result<Shown> {
        let name = format!("hang-{}", self.hanging);
        let mut crowd = Crowd::subscribe(&deployment.api, &name, CUSTOMERS, 1).await?;
        // One event for each customer, so that the functions are warm and connections are open.
        crowd
            .time_burst(&deployment.stack, CUSTOMERS, TIME_LIMIT)
            .await?;
        sleep(UNTIL_REPORTED).await;
        crowd.script(0..self.hanging, &[Answer::never()]);
        let began = SystemTime::now();
        let puts = crowd.put_evenly(&deployment.stack, load.events, load.per_second);
        let events = puts.await?;
        let healthy = self.hanging..CUSTOMERS;
        self.healthy_received(&crowd, &events).await?;
        sleep(UNTIL_REPORTED + REPEATED_AFTER + 2 * Duration::from_secs(request_timeout)).await;
        let delivered = deployment.invocations(Role::Deliver, began).await?;
        crowd.unsubscribe(&deployment.api, 0..self.hanging).await?;
        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        for fifth in 0..FIFTHS {
            let bound = |n: usize| events.start + events.len() * n / FIFTHS;
            let events = bound(fifth)..bound(fifth + 1);
            let mut latencies = crowd.latencies(&events, healthy.clone())?;
            latencies.sort_by(f64::total_cmp);
            p50.push(quantile(&latencies, 0.5));
            p99.push(quantile(&latencies, 0.99));
        }
        let billed = float(usize::try_from(delivered.billed_millis)?);
        Ok(Shown {
            p50: Measured::of(&p50),
            p99: Measured::of(&p99),
            billed_by_delivery: billed / float(events.len()),
            billed_by_healthy_delivery: billed / float(self.healthy(&events)),
            invocations: delivered.count,
        })
    }

    /// Returns the number of these events that are for healthy endpoints.
    fn healthy(self, events: &Range<usize>) -> usize {
        let is_healthy = |number: &usize| number % CUSTOMERS >= self.hanging;
        events.clone().filter(is_healthy).count()
    }

    /// Waits until every healthy endpoint has received its requests.
    async fn healthy_received(self, crowd: &Crowd, events: &Range<usize>) -> Result<()> {
        let expected = self.healthy(events);
        let deadline = Instant::now() + TIME_LIMIT;
        loop {
            let came = crowd.latencies(events, self.hanging..CUSTOMERS)?.len();
            if came >= expected {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{came} of {expected} requests came to healthy endpoints"
            );
            sleep(Duration::from_millis(250)).await;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far less than 2^53")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_customers_of_each_cycle_hang() {
        let level = Level { hanging: 10 };
        assert_eq!(level.text(), "10 %");
        assert_eq!(level.healthy(&(100..300)), 180);
        assert_eq!(level.healthy(&(95..105)), 5);
    }
}
