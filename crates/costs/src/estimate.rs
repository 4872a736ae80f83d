//! The estimate of a workload: environments, queue, latency, quotas and costs.

use serde::Serialize;
use webhooks_lambda::Monitoring;

use crate::{
    Capacity, Meter, PriceList, Quota, Recorded, SuddenStart, UnknownRegion, Usage, Workload,
    capacity::MAX_CONCURRENCY, monthly, quotas::invocations_per_second,
};

/// The time of `LookUpSubscriptions` and `PrepareCalls` for a page of an event. Assumed, as in
/// docs/limits.md.
const WORKFLOW_FUNCTIONS_SECONDS: f64 = 0.018;
/// The functions that the workflow calls for a page of an event.
const WORKFLOW_FUNCTIONS: f64 = 2.0;
/// The requests a second of one execution environment (Lambda Developer Guide, "Requests per
/// second"): short calls need more environments than their time says.
const REQUESTS_OF_ENVIRONMENT: f64 = 10.0;
/// The deliveries of a page of the workflow.
const PAGE: f64 = 100.0;
/// The memory for which an Express execution is billed.
const EXPRESS_GIGABYTES: f64 = 64.0 / 1_024.0;
/// The memory of `DeliverWebhook`, as in template.yaml.
const DELIVERY_GIGABYTES: f64 = 256.0 / 1_024.0;
/// The answer time of the recorded runs.
const RECORDED_ANSWER_SECONDS: f64 = 0.2;
/// The requests of an execution environment for the data key, in an hour.
const KEY_REQUESTS_AN_HOUR: f64 = 12.0;
/// The writes a second of one partition (DynamoDB).
const PARTITION_WRITES: f64 = 1_000.0;
/// The read units a second of one partition (DynamoDB).
const PARTITION_READS: f64 = 3_000.0;
/// The bytes of a subscription in the table. Assumed.
const SUBSCRIPTION_BYTES: f64 = 512.0;
/// The bytes of a read unit.
const READ_UNIT_BYTES: f64 = 4_096.0;

/// The estimate of a workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// The workload.
    pub workload: Workload,
    /// Deliveries a second.
    pub deliveries_per_second: f64,
    /// Attempts a second.
    pub attempts_per_second: f64,
    /// The environments that deliver.
    pub delivery: Capacity,
    /// The mean number of busy environments of the workflow's functions.
    pub workflow_environments: f64,
    /// The delivery queue.
    pub queue: Queue,
    /// The time from the put of an event to its first request, in seconds.
    pub latency_seconds: f64,
    /// Quotas, those that bind first at the beginning.
    pub quotas: Vec<Quota>,
    /// The partitions of the table that may become hot.
    pub hot_partitions: Vec<HotPartition>,
    /// The lines of a month's bill.
    pub bill: Vec<BillLine>,
    /// The sum of the lines.
    pub dollars_per_month: f64,
    /// The sum for a million deliveries.
    pub dollars_per_million: f64,
}

/// The delivery queue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// The mean time that a message waits, in seconds.
    pub waiting_seconds: f64,
    /// The mean number of waiting messages.
    pub depth: f64,
    /// The mean number of messages in flight.
    pub in_flight: f64,
    /// The mean number of delayed messages: retries before their time.
    pub delayed: f64,
    /// The queue if the rate begins suddenly. `None` if the environments are too few for ever.
    pub sudden_start: Option<SuddenStart>,
}

/// A partition with a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HotPartition {
    /// Its owner.
    pub of: &'static str,
    /// The largest rate.
    pub per_second: f64,
    /// The largest share of all traffic that one owner may have.
    pub largest_share: f64,
}

/// A line of the bill.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BillLine {
    /// The billed item.
    pub name: &'static str,
    /// Its cost in a month.
    pub dollars: f64,
}

impl Estimate {
    /// Computes what a workload takes in a Region, from the recorded usage and these prices.
    ///
    /// # Errors
    /// If the default quotas of the Region are not known.
    pub fn of(workload: Workload, region: &str, prices: &PriceList) -> Result<Self, UnknownRegion> {
        let invocations = invocations_per_second(region)?;
        let deliveries = workload.deliveries_per_second();
        let attempts = workload.attempts_per_second();
        let delivery = Capacity::of(attempts, workload.answer_seconds);
        let pages = (workload.fan_out / PAGE).ceil();
        let pages_per_second = workload.events_per_second * pages;
        let workflow_environments = environments(
            pages_per_second * WORKFLOW_FUNCTIONS,
            pages_per_second * WORKFLOW_FUNCTIONS_SECONDS,
        );
        let usage = usage(&workload, &delivery);
        let waits = Workload::WAITS_OF_FAILING.iter().sum::<f64>();
        let queue = Queue {
            waiting_seconds: delivery.waiting_seconds(),
            depth: attempts * delivery.waiting_seconds(),
            in_flight: delivery.in_flight(),
            delayed: deliveries * workload.failing * waits,
            sudden_start: delivery.sudden_start(workload.first_attempts_per_second()),
        };
        let workflow_seconds =
            usage.of(Meter::ExpressGigabyteSecond) * workload.fan_out / EXPRESS_GIGABYTES;
        let bill = bill(&usage, deliveries, prices);
        let dollars_per_month = bill.iter().map(|line| line.dollars).sum::<f64>();
        let deliveries_per_month = deliveries * monthly::HOURS * 3_600.0;
        Ok(Self {
            deliveries_per_second: deliveries,
            attempts_per_second: attempts,
            latency_seconds: workflow_seconds + queue.waiting_seconds,
            quotas: quotas(
                &workload,
                &usage,
                &delivery,
                workflow_environments,
                invocations,
            ),
            hot_partitions: hot_partitions(&workload),
            dollars_per_million: dollars_per_month / deliveries_per_month * 1e6,
            delivery,
            workflow_environments,
            queue,
            bill,
            dollars_per_month,
            workload,
        })
    }
}

/// Returns the environments that calls need: those that are busy, or more if the calls are short.
fn environments(calls_per_second: f64, busy: f64) -> f64 {
    busy.max(calls_per_second / REQUESTS_OF_ENVIRONMENT)
}

/// Returns the usage of a delivery: the recorded one, for the answer time and the environments of the
/// workload.
fn usage(workload: &Workload, delivery: &Capacity) -> Usage {
    let recorded = Recorded::last().of_delivery(workload, delivery.batch);
    let deliveries = workload.deliveries_per_second();
    let longer = workload.answer_seconds - RECORDED_ANSWER_SECONDS;
    let batches = workload.attempts_per_second() / delivery.batch / deliveries;
    let time = recorded.of(Meter::LambdaGigabyteSecond) + longer * DELIVERY_GIGABYTES * batches;
    let keys = delivery.environments.max(1.0) * KEY_REQUESTS_AN_HOUR / 3_600.0 / deliveries;
    recorded
        .with(Meter::LambdaGigabyteSecond, time.max(0.0))
        .with(Meter::KeyRequest, keys)
}

fn bill(usage: &Usage, deliveries_per_second: f64, prices: &PriceList) -> Vec<BillLine> {
    let deliveries = deliveries_per_second * monthly::HOURS * 3_600.0;
    let by_delivery = Meter::billed().map(|meter| BillLine {
        name: meter.text(),
        dollars: prices.dollars(meter, usage.of(meter) * deliveries),
    });
    let monitoring = Monitoring::Essential;
    let mut fixed = monthly::without_events(monitoring);
    fixed.push(monthly::with_traffic(monitoring));
    let fixed = fixed.iter().map(|line| BillLine {
        name: line.name,
        dollars: line.dollars(prices),
    });
    by_delivery.chain(fixed).collect()
}

/// Returns the quotas, with the largest share first.
fn quotas(
    workload: &Workload,
    usage: &Usage,
    delivery: &Capacity,
    workflow_environments: f64,
    invocations_per_second: f64,
) -> Vec<Quota> {
    let events = workload.events_per_second;
    let used = |meter| usage.of(meter) * workload.deliveries_per_second();
    let writes = used(Meter::TableWriteUnit) + used(Meter::StatisticsWriteUnit);
    let index_writes = writes_of_largest_index(usage, workload) * workload.deliveries_per_second();
    let reads = used(Meter::ReadUnit);
    let batches_per_second = delivery.environments / delivery.batch_seconds;
    let mut quotas = vec![
        Quota::new(
            "EventBridge: invocations a second",
            events,
            invocations_per_second,
        ),
        Quota::new("Step Functions: Express starts a second", events, 6_000.0),
        Quota::new(
            "Lambda: concurrent executions",
            environments(batches_per_second, delivery.environments) + workflow_environments,
            1_000.0,
        ),
        Quota::new(
            "Lambda: requests a second",
            used(Meter::LambdaRequest),
            1_000.0 * REQUESTS_OF_ENVIRONMENT,
        ),
        Quota::fixed(
            "Lambda: concurrency of an event source mapping",
            delivery.environments,
            MAX_CONCURRENCY,
        ),
        Quota::new("SQS: messages in flight", delivery.in_flight(), 120_000.0),
        Quota::new("DynamoDB: write units a second, table", writes, 40_000.0),
        Quota::new("DynamoDB: write units a second, new table", writes, 4_000.0),
        Quota::new(
            "DynamoDB: write units a second, largest index",
            index_writes,
            40_000.0,
        ),
        Quota::new(
            "DynamoDB: write units a second, new index",
            index_writes,
            4_000.0,
        ),
        Quota::new("DynamoDB: read units a second, table", reads, 40_000.0),
        Quota::new("DynamoDB: read units a second, new table", reads, 12_000.0),
    ];
    quotas.sort_by(|left, right| right.share().total_cmp(&left.share()));
    quotas
}

/// Returns the writes of the index that a delivery writes most. The quota is for each index.
fn writes_of_largest_index(usage: &Usage, workload: &Workload) -> f64 {
    // A delivery is written once to `deliveries`, and its message once to `messages`. `due` and
    // `undelivered` share the rest, which is not recorded apart: one of them has all of it at most.
    let rest = usage.of(Meter::IndexWriteUnit) - 1.0 - 1.0 / workload.fan_out;
    rest.max(1.0)
}

/// Returns the events a second that the partition of one customer allows. The event reads the
/// customer's subscriptions, and each attempt reads its own.
fn events_of_one_customer(workload: &Workload) -> f64 {
    let look_up = (workload.fan_out * SUBSCRIPTION_BYTES / READ_UNIT_BYTES).ceil();
    let attempts = workload.attempts_per_second() / workload.events_per_second;
    (PARTITION_READS / (look_up + attempts)).min(PARTITION_WRITES)
}

fn hot_partitions(workload: &Workload) -> Vec<HotPartition> {
    let partition = |of, per_second: f64, all: f64| HotPartition {
        of,
        per_second,
        largest_share: (per_second / all).min(1.0),
    };
    let events = workload.events_per_second;
    vec![
        partition(
            "a customer: events",
            events_of_one_customer(workload),
            events,
        ),
        // Each event has one delivery to a subscription.
        partition("a subscription: deliveries", PARTITION_WRITES, events),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn estimate(events: f64, fan_out: f64, answer_ms: u64, failing: f64) -> Estimate {
        let answer = Duration::from_millis(answer_ms);
        let workload = Workload::new(events, fan_out, answer, failing).unwrap();
        Estimate::of(workload, "us-east-1", &PriceList::us_east_1()).unwrap()
    }

    fn quota<'a>(estimate: &'a Estimate, name: &str) -> &'a Quota {
        let mut quotas = estimate.quotas.iter();
        quotas.find(|quota| quota.name.contains(name)).unwrap()
    }

    /// The section "Which limit binds first" of docs/limits.md.
    #[test]
    fn ten_thousand_events_a_second_are_as_documented() {
        let estimate = estimate(10_000.0, 1.0, 200, 0.0);
        assert_eq!(quota(&estimate, "Express starts").raise_to, Some(15_000.0));
        // Statistics add at most a tenth of a write to a delivery, by chance in a recorded run.
        let writes = quota(&estimate, "write units a second, table").used;
        assert!((30_000.0..=31_000.0).contains(&writes), "{writes}");
        let writes = quota(&estimate, "write units a second, largest index").used;
        assert!((writes - 10_000.0).abs() < 1.0, "{writes}");
        let reads = quota(&estimate, "read units a second, table").used;
        assert!((reads - 40_000.0).abs() < 4_000.0, "{reads}");
        assert!((estimate.delivery.environments - 240.0).abs() < 1.0);
        let concurrent = quota(&estimate, "concurrent executions").used;
        assert!((concurrent - 2_240.0).abs() < 1.0, "{concurrent}");
        let requests = quota(&estimate, "Lambda: requests");
        assert!((requests.used - 21_000.0).abs() < 100.0, "{requests:?}");
        assert!(estimate.quotas[0].share() >= estimate.quotas[1].share());
    }

    /// The first row of "One customer, one message" of docs/limits.md.
    #[test]
    fn a_customer_has_fewer_events_if_each_is_read_for_many_subscriptions() {
        // Look-up and deliveries: 1 + 2, 2 + 10 and 13 + 100 units.
        for (fan_out, most) in [
            (1.0, 1_000.0),
            (2.0, 1_000.0),
            (10.0, 250.0),
            (100.0, 26.55),
        ] {
            let estimate = estimate(1_000.0, fan_out, 200, 0.0);
            let customer = estimate.hot_partitions[0];
            assert!((customer.per_second - most).abs() < 0.01, "{customer:?}");
        }
    }

    #[test]
    fn short_calls_need_an_environment_for_ten_requests_a_second() {
        assert!((environments(1_000.0, 18.0) - 100.0).abs() < 1e-9);
        assert!((environments(1_000.0, 200.0) - 200.0).abs() < 1e-9);
    }

    #[test]
    fn the_largest_index_of_failing_deliveries_has_at_most_what_is_not_of_the_creation() {
        let estimate = estimate(1_000.0, 1.0, 200, 1.0);
        let used = quota(&estimate, "largest index").used;
        assert!((used - 7_867.0).abs() < 1.0, "{used}");
    }

    #[test]
    fn full_batches_of_the_recorded_answer_time_cost_what_was_recorded() {
        let estimate = estimate(1_000.0, 1.0, 200, 0.0);
        let prices = PriceList::us_east_1();
        let recorded = Recorded::last();
        let recorded = recorded.cases["fan-out 1, succeeded at once"].total(&prices);
        let difference = (estimate.dollars_per_million - recorded).abs();
        assert!(
            difference < 0.1,
            "{} {recorded}",
            estimate.dollars_per_million
        );
        let slow = self::estimate(1_000.0, 1.0, 2_000, 0.0).dollars_per_million;
        assert!(slow > estimate.dollars_per_million + 0.5, "{slow}");
    }

    #[test]
    fn a_trickle_costs_little_more_than_a_month_without_events() {
        let estimate = estimate(0.001, 1.0, 200, 0.0);
        let slight = monthly::slight(Monitoring::Essential, &PriceList::us_east_1());
        let difference = estimate.dollars_per_month - slight;
        assert!(difference > 0.0 && difference < 0.1, "{difference}");
        let sum: f64 = estimate.bill.iter().map(|line| line.dollars).sum();
        assert!((estimate.dollars_per_month - sum).abs() < 1e-9);
    }

    #[test]
    fn the_memory_is_that_of_the_template() {
        let template = include_str!("../../../template.yaml");
        let (_, function) = template
            .split_once("\n  DeliverWebhookFunction:\n")
            .unwrap();
        let (_, memory) = function.split_once("      MemorySize: ").unwrap();
        let (memory, _) = memory.split_once('\n').unwrap();
        let gigabytes = memory.parse::<f64>().unwrap() / 1_024.0;
        assert!((gigabytes - DELIVERY_GIGABYTES).abs() < 1e-9);
    }
}
