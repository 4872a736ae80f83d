//! `DeliverWebhook`: makes the attempts of the tasks in the delivery queue.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("a release build must not crash on purpose: build it without `failpoints`");

#[cfg(all(feature = "bench", not(debug_assertions)))]
compile_error!("a release build trusts no authority of a measurement: build it without `bench`");

#[cfg(all(feature = "system-allocator", not(debug_assertions)))]
compile_error!("a release build has its own allocator: build it without `system-allocator`");

#[cfg(feature = "failpoints")]
mod failpoints;
mod log;
mod metrics;
mod publish;

use std::sync::Mutex;
use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, run, service_fn};
#[cfg(not(feature = "system-allocator"))]
use mimalloc::MiMalloc;
use ring::rand::SystemRandom;
use tracing::warn;
use webhooks_domain::deliver::{Deliver, HealthMonitor};
use webhooks_domain::health::HealthTracker;
use webhooks_domain::outbound::AddressPolicy;
use webhooks_domain::ports::Clock;
use webhooks_domain::vault::Vault;
use webhooks_dynamodb::DynamoStore;
use webhooks_eventbridge::EventBus;
use webhooks_http::HttpSender;
use webhooks_kms::KmsKeyService;
use webhooks_lambda::{
    Environment, Metrics, SystemClock, TraceHeader, Tracer, aws_config, end_of_invocation,
    init_logging,
};
use webhooks_sqs::{SqsQueue, batch, batch::Record, decode, in_trace};

use crate::publish::Publisher;

/// A delivery makes some thousand small allocations, most of them in the AWS client. With the
/// system's allocator, it would use a sixth more CPU time.
#[cfg(not(feature = "system-allocator"))]
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The longest time for queueing the next attempt and recording this one (see the limits of AWS
/// calls). If later writes of endpoint health and limiter state are interrupted, the next
/// attempts make up for them.
const TIME_TO_RECORD: Duration = Duration::from_secs(4);
/// The time for the answer to Lambda.
const TIME_TO_ANSWER: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let environment = Environment::read();
    init_logging(&environment)?;
    let metrics = &Metrics::of_this_function(&environment)?;
    let aws = aws_config().await;
    let keys = KmsKeyService::new(
        aws_sdk_kms::Client::new(&aws),
        environment.text("SIGNING_KEY_ARN")?,
        &environment.text("INSTALLATION_ID")?,
    );
    let key_usage = keys.usage();
    let publisher = &Publisher {
        bus: EventBus::new(
            aws_sdk_eventbridge::Client::new(&aws),
            environment.text("EVENT_BUS_NAME")?,
        ),
        operator: environment.parse_unless_empty("OPERATOR_CUSTOMER_ID")?,
        tracer: Tracer::new(&environment),
        events: Mutex::default(),
    };
    // The messages of a batch are handled concurrently, so a batch loader combines their reads.
    let table = DynamoStore::new(
        aws_sdk_dynamodb::Client::new(&aws),
        environment.text("TABLE_NAME")?,
    )
    .batching_reads();
    let timeout = Duration::from_secs(environment.parse("REQUEST_TIMEOUT_SECONDS")?);
    let development = environment
        .parse_unless_empty("DEVELOPMENT_ALLOWED_CIDRS")?
        .unwrap_or_default();
    let addresses = AddressPolicy::new(development);
    #[cfg(not(feature = "bench"))]
    let sender = HttpSender::new(addresses, timeout)?;
    #[cfg(feature = "bench")]
    let sender = HttpSender::for_bench(
        addresses,
        timeout,
        environment.text("BENCH_AUTHORITY_FILE")?.as_ref(),
        environment.parse("BENCH_NAME_SERVER")?,
    )?;
    let policy = environment.retry_policy()?;
    if policy.longest_run() > environment.retention()? {
        warn!("some deliveries end as expired: RETENTION_DAYS is shorter than the retry schedule");
    }
    let deliver = Deliver {
        vault: Vault::new(table.clone(), keys, SystemClock),
        table,
        queue: SqsQueue::new(
            aws_sdk_sqs::Client::new(&aws),
            environment.text("DELIVERY_QUEUE_URL")?,
        )
        .with_slow_queue(environment.text("SLOW_DELIVERY_QUEUE_URL")?),
        sender,
        clock: SystemClock,
        policy,
        longest_queue_delay: environment.parse("LONGEST_QUEUE_DELAY_SECONDS")?,
        time_for_attempt: timeout + TIME_TO_RECORD,
        health_monitor: HealthMonitor {
            policy: environment.health_policy()?,
            tracker: HealthTracker::default(),
        },
        random: SystemRandom::new(),
    };
    #[cfg(feature = "failpoints")]
    let failpoints = failpoints::Failpoints::new(environment.text(failpoints::FOLDER)?)?;
    #[cfg(feature = "failpoints")]
    let deliver = failpoints.around(deliver);
    let deliver = &deliver;
    run(service_fn(async |event: LambdaEvent<batch::Batch>| {
        let end = end_of_invocation(&event.context);
        let time_left = end.since(SystemClock.now() + TIME_TO_ANSWER);
        // Two tasks for one attempt must not be handled at the same time.
        let subject = |record: &Record| decode(&record.body).ok().map(|task| task.delivery);
        let response = batch::run(event.payload, time_left, subject, async |record| {
            let task = decode(&record.body)
                .inspect_err(|error| log::not_understood(&record.message_id, error))?;
            let trace = record.trace_header().and_then(TraceHeader::parse);
            // It is boxed first, because it is large and each wrapper would copy it.
            let run = Box::pin(deliver.run(&task, end));
            let run = in_trace(record.trace_header(), run);
            #[cfg(feature = "failpoints")]
            let run = failpoints.run(&task, run);
            run.await
                .inspect(|report| log::report(&task, trace.as_ref(), report))
                .inspect(|report| publisher.report(&task, trace.as_ref(), report))
                .inspect(|report| metrics::report(metrics, &task, record.sent_at(), report))
                .inspect_err(|error| log::our_failure(&task, error))?;
            Ok::<_, lambda_runtime::Error>(())
        })
        .await;
        let time_left = end.since(SystemClock.now() + TIME_TO_ANSWER / 2);
        publisher.publish(metrics, time_left).await;
        metrics::batch(metrics, response.batch_item_failures.len(), &key_usage);
        metrics.write();
        Ok::<_, Diagnostic>(response)
    }))
    .await
}
