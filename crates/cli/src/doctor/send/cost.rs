//! The cost of a run, from its own counts and the list prices of us-east-1.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use webhooks_costs::{Meter, PriceList};

/// EventBridge and SQS bill units of 64 KB, DynamoDB bills writes in units of 1 KB.
const EVENT_UNIT_BYTES: u64 = 64 * 1_024;
const WRITE_UNIT_BYTES: u64 = 1_024;

/// The counts that the steps collect.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    events: AtomicU64,
    event_units: AtomicU64,
    executions: AtomicU64,
    message_units: AtomicU64,
    api_calls: AtomicU64,
}

/// The usage of the whole run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    events: u64,
    event_units: u64,
    executions: u64,
    message_units: u64,
    api_calls: u64,
    /// The number of deliveries that the run caused.
    pub(super) deliveries: u64,
    /// The number of attempts of these deliveries.
    pub(super) attempts: u64,
    /// The number of requests that the stack's receiver served.
    pub(super) received: u64,
}

impl Ledger {
    pub(super) fn api_call(&self) {
        self.api_calls.fetch_add(1, Relaxed);
    }

    /// Counts an event that was put on the bus, with the size of its detail.
    pub(super) fn event(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.events.fetch_add(1, Relaxed);
        self.event_units
            .fetch_add(bytes.div_ceil(EVENT_UNIT_BYTES).max(1), Relaxed);
        self.execution(bytes);
    }

    /// Counts an execution that was started directly, with the size of its input.
    pub(super) fn start(&self, bytes: usize) {
        self.execution(bytes as u64);
    }

    fn execution(&self, bytes: u64) {
        self.executions.fetch_add(1, Relaxed);
        self.message_units
            .fetch_add(bytes.div_ceil(WRITE_UNIT_BYTES).max(1), Relaxed);
    }

    pub(super) fn used(&self) -> Used {
        Used {
            events: self.events.load(Relaxed),
            event_units: self.event_units.load(Relaxed),
            executions: self.executions.load(Relaxed),
            message_units: self.message_units.load(Relaxed),
            api_calls: self.api_calls.load(Relaxed),
            ..Used::default()
        }
    }
}

impl Used {
    /// Returns the approximate cost in dollars. docs/how-it-works.md counts the usage of each
    /// item.
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    fn dollars(&self, prices: &PriceList) -> f64 {
        let [executions, attempts, api_calls, received] = [
            self.executions,
            self.attempts,
            self.api_calls,
            self.received,
        ]
        .map(|n| n as f64);
        let deliveries = self.deliveries as f64;
        let message_units = self.message_units as f64;
        let lines = [
            (Meter::EventIn, self.event_units as f64),
            (Meter::ExpressStart, executions),
            // 64 MB for 0.2 s.
            (Meter::ExpressGigabyteSecond, executions * 0.0125),
            (
                Meter::LambdaRequest,
                2.0 * executions + attempts + api_calls + received,
            ),
            // 128 MB for 0.1 s of each, and 256 MB for the duration of a receiver's request.
            (
                Meter::LambdaGigabyteSecond,
                0.0125 * (2.0 * executions + api_calls + received) + 0.1 * attempts,
            ),
            // A message, its delivery, and an update for each attempt. The receiver writes
            // twice for each request; one of these writes is as large as the body.
            (
                Meter::TableWriteUnit,
                message_units + deliveries + 2.0 * attempts + received + message_units,
            ),
            (Meter::IndexWriteUnit, executions + deliveries + attempts),
            (
                Meter::ReadUnit,
                executions + 2.0 * attempts + 3.0 * api_calls + 2.0 * received,
            ),
            (Meter::QueueRequest, 3.0 * attempts),
            (Meter::FairQueueRequest, 3.0 * attempts),
            (Meter::KeyRequest, 10.0),
        ];
        lines
            .iter()
            .map(|(meter, amount)| prices.dollars(*meter, *amount))
            .sum()
    }

    /// Returns a line for the report.
    pub(super) fn line(&self) -> String {
        let prices = PriceList::us_east_1();
        let cents = self.dollars(&prices) * 100.0;
        format!(
            "{} events, {} executions, {} deliveries, {} attempts, {} API calls: about {cents:.1} \
             cents at list prices of us-east-1",
            self.events, self.executions, self.deliveries, self.attempts, self.api_calls
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meter_has_a_price_and_a_run_costs_cents() {
        let ledger = Ledger::default();
        for _ in 0..50 {
            ledger.event(500);
            ledger.api_call();
        }
        ledger.event(245_000);
        ledger.start(1_000);
        let used = Used {
            deliveries: 50,
            attempts: 60,
            received: 60,
            ..ledger.used()
        };
        assert_eq!((used.events, used.executions), (51, 52));
        assert_eq!(used.event_units, 50 + 4);
        assert_eq!(used.message_units, 50 + 240 + 1);
        let dollars = used.dollars(&PriceList::us_east_1());
        assert!((0.000_1..0.01).contains(&dollars), "{dollars}");
        assert!(used.line().starts_with("51 events, 52 executions"));
    }
}
