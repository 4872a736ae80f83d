//! One case: the number of subscriptions of an event, and the result of its deliveries.

use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use http::StatusCode;
use tokio::time::{Instant, sleep};
use webhooks_costs::{Meter, Usage};
use webhooks_receiver::Answer;

use super::{
    rules,
    tap::{Counted, Tap},
    workflow,
};
use crate::{
    load::Crowd,
    stack::{Deployment, Gate, Invocations, Role},
    workload,
};

/// The response time of a receiver.
const RECEIVER: Duration = Duration::from_millis(200);

/// Longer than all requests of a case take, including waits for retries.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// The wait before each further attempt, as deployed with the stack, plus the largest jitter.
/// Meanwhile the queue collects the messages of an attempt.
const RETRY_WAIT: Duration = Duration::from_millis(5_600);

/// The time between the last write of a function and its report in the log.
const UNTIL_REPORTED: Duration = Duration::from_millis(500);

/// The result of the deliveries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    AtOnce,
    ThirdAttempt,
    /// The failures have an answer of 16 KB.
    AfterLongAnswers,
}

impl Ending {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::AtOnce => "succeeded at once",
            Self::ThirdAttempt => "succeeded at the third attempt",
            Self::AfterLongAnswers => "succeeded at the third attempt after long answers",
        }
    }

    fn attempts(self) -> usize {
        match self {
            Self::AtOnce => 1,
            Self::ThirdAttempt | Self::AfterLongAnswers => 3,
        }
    }
}

/// The fill of the queue's batches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Batches {
    Full,
    OfOne,
}

/// A case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) fan_out: usize,
    pub(super) ending: Ending,
    pub(super) batches: Batches,
    customers: usize,
    /// The number of events of all customers. It is small for each endpoint, because a circuit
    /// breaker opens after ten attempts at the earliest.
    events: usize,
}

const fn case(fan_out: usize, ending: Ending, batches: Batches, customers: usize) -> Case {
    Case {
        fan_out,
        ending,
        batches,
        customers,
        events: customers * 2,
    }
}

/// All cases. The first one is compared with hosted services.
pub(super) const CASES: [Case; 8] = [
    case(1, Ending::AtOnce, Batches::Full, 15),
    case(1, Ending::AtOnce, Batches::OfOne, 10),
    case(10, Ending::AtOnce, Batches::Full, 3),
    case(100, Ending::AtOnce, Batches::Full, 1),
    case(1, Ending::ThirdAttempt, Batches::Full, 15),
    case(10, Ending::ThirdAttempt, Batches::Full, 3),
    case(100, Ending::ThirdAttempt, Batches::Full, 1),
    case(1, Ending::AfterLongAnswers, Batches::Full, 15),
];

impl Case {
    /// Returns its name, which is the same in every run.
    pub(super) fn name(&self) -> String {
        format!("{}, {}", self.column(), self.ending.text())
    }

    /// Returns its name without the ending.
    pub(super) fn column(&self) -> String {
        let batches = match self.batches {
            Batches::Full => "",
            Batches::OfOne => ", batches of one",
        };
        format!("fan-out {}{batches}", self.fan_out)
    }

    /// Warms up the functions, and then runs the case.
    pub(super) async fn measure(
        mut self,
        deployment: &Deployment,
        tap: &Tap,
        quick: bool,
    ) -> Result<Usage> {
        if quick {
            self.customers = self.customers.div_ceil(3);
            self.events = self.customers * 2;
        }
        let name = self.name().replace([' ', ','], "-");
        let mut crowd =
            Crowd::subscribe(&deployment.api, &name, self.customers, self.fan_out).await?;
        crowd.script(0..self.customers, &[Answer::ok().after(RECEIVER)]);
        // One event for each customer, so that every execution environment is warm.
        crowd
            .time_burst(&deployment.stack, self.customers, TIME_LIMIT)
            .await?;
        sleep(UNTIL_REPORTED).await;
        let _ = tap.take();
        Run {
            case: self,
            deployment,
            tap,
            crowd,
            began: SystemTime::now(),
        }
        .measure()
        .await
    }
}

/// A page of about 16 KB whose lines differ, and which compresses to about 5 KB.
fn long_answer() -> String {
    let line = |n: u32| {
        format!(
            "  at handler_{:08x} (server.js)",
            n.wrapping_mul(2_654_435_761)
        )
    };
    let lines: Vec<_> = (1..=480).map(line).collect();
    lines.join("\n")
}

/// A case in progress.
struct Run<'a> {
    case: Case,
    deployment: &'a Deployment,
    tap: &'a Tap,
    crowd: Crowd,
    began: SystemTime,
}

impl Run<'_> {
    async fn measure(mut self) -> Result<Usage> {
        let attempts = self.case.ending.attempts();
        self.script();
        match self.case.batches {
            Batches::OfOne => {
                for event in 1..=self.case.events {
                    self.put(event).await?;
                    self.recorded(event * self.case.fan_out).await?;
                }
            }
            Batches::Full => {
                let gate = Gate::of(self.deployment).await?;
                gate.close().await?;
                for event in 1..=self.case.events {
                    self.put(event).await?;
                }
                for attempt in 1..=attempts {
                    gate.open().await?;
                    self.recorded(attempt * self.deliveries()).await?;
                    if attempt < attempts {
                        gate.close().await?;
                        sleep(RETRY_WAIT).await;
                    }
                }
            }
        }
        sleep(UNTIL_REPORTED).await;
        self.usage().await
    }

    fn script(&self) {
        let body = match self.case.ending {
            Ending::AtOnce => return,
            Ending::ThirdAttempt => "database is down".to_owned(),
            Ending::AfterLongAnswers => long_answer(),
        };
        let fails = Answer::status(StatusCode::INTERNAL_SERVER_ERROR)
            .with_body(body)
            .after(RECEIVER);
        // Two events for each endpoint, attempt by attempt.
        let answers = [vec![fails; 4], vec![Answer::ok().after(RECEIVER)]].concat();
        self.crowd.script(0..self.case.customers, &answers);
    }

    fn deliveries(&self) -> usize {
        self.crowd.deliveries(self.case.events)
    }

    /// Puts one event and waits until its execution has ended, so that no execution waits for
    /// another one.
    async fn put(&mut self, so_far: usize) -> Result<()> {
        self.crowd.put_burst(&self.deployment.stack, 1).await?;
        workflow::succeeded(self.deployment, self.began, so_far).await?;
        Ok(())
    }

    /// Waits until `attempts` attempts are recorded.
    async fn recorded(&self, attempts: usize) -> Result<()> {
        let deadline = Instant::now() + TIME_LIMIT;
        loop {
            let so_far = self.tap.attempts();
            if so_far >= attempts {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{so_far} of {attempts} attempts");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns the usage per delivery.
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    async fn usage(self) -> Result<Usage> {
        let counted = self.tap.take();
        self.check(&counted)?;
        let mut all = Invocations::default();
        for role in [Role::LookUp, Role::Prepare, Role::Deliver] {
            all += self.deployment.invocations(role, self.began).await?;
        }
        let batches = self.deployment.invocations(Role::Deliver, self.began);
        let batches = batches.await?.count;
        let executions = workflow::succeeded(self.deployment, self.began, self.case.events);
        let executions = executions.await?;
        let one = &executions[0];
        let outside = workflow::transitions(&self.deployment.aws, one).await?;
        let inside = self.deliveries() * rules::MAP_TRANSITIONS;
        let transitions = (outside * self.case.events + inside) as f64;
        let express = executions
            .iter()
            .map(|execution| rules::express_gigabyte_seconds(execution.seconds));

        let (events, deliveries) = (self.case.events as f64, self.deliveries() as f64);
        let event_bytes = workload::event("customer", "order.created", 0)
            .to_string()
            .len();
        let puts = events * rules::chunks(event_bytes) as f64 + counted.events as f64;
        let polls = batches * rules::POLLER_REQUESTS;
        let queue_requests = deliveries + (counted.queue_requests as u64 + polls) as f64;
        let key_requests = deliveries * rules::key_requests();
        Ok(Usage::of_run(
            deliveries,
            [
                (Meter::EventIn, puts),
                (Meter::ArchivedGigabyte, events * event_bytes as f64 / 1e9),
                (Meter::ExpressStart, events),
                (Meter::ExpressGigabyteSecond, express.sum()),
                (Meter::StandardTransition, transitions),
                (Meter::LambdaRequest, all.count as f64),
                (Meter::LambdaGigabyteSecond, all.gibibyte_seconds),
                (Meter::TableWriteUnit, counted.writes.table as f64),
                (Meter::IndexWriteUnit, counted.writes.indexes as f64),
                (
                    Meter::StatisticsWriteUnit,
                    counted.statistics_writes.table as f64,
                ),
                (Meter::ReadUnit, counted.read_units + key_requests),
                (Meter::QueueRequest, queue_requests),
                (Meter::FairQueueRequest, queue_requests),
                (Meter::KeyRequest, key_requests),
                (Meter::LoggedGigabyte, all.log_bytes as f64 / 1e9),
            ],
        ))
    }

    /// Checks the number of recorded attempts: another number means that something else was
    /// measured.
    fn check(&self, counted: &Counted) -> Result<()> {
        let attempts = self.deliveries() * self.case.ending.attempts();
        let recorded = counted.attempts;
        let unknown = &counted.unknown;
        ensure!(unknown.is_empty(), "uncounted operations: {unknown:?}");
        ensure!(
            recorded == attempts,
            "{recorded} attempts recorded, not {attempts}"
        );
        Ok(())
    }
}
