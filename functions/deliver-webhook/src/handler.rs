//! Handles the queue messages of a batch.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lambda_runtime::LambdaEvent;
use webhooks_domain::ports::Clock;
use webhooks_domain::timestamp::Timestamp;
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{
    DeliverWebhookConfig, EventBus, KmsKeyService, KmsUsage, Metrics, SdkConfig, Switch,
    SystemClock, TraceHeader, Tracer, end_of_invocation,
};
use webhooks_sqs::batch::{self, Batch, BatchResponse, Record};
use webhooks_sqs::{decode, in_trace};

use crate::publish::Publisher;
use crate::statistics::Counter;
#[cfg(not(feature = "failpoints"))]
use crate::use_case::DeliverWebhooks;
use crate::{log, metrics, use_case};

#[cfg(feature = "failpoints")]
use crate::failpoints::{DeliverWebhooks, Failpoints};

/// The time for the answer to Lambda.
const TIME_TO_ANSWER: Duration = Duration::from_millis(500);

/// The use case, and the collectors of the operational events and statistics of a batch.
pub(crate) struct Handler {
    deliver: DeliverWebhooks,
    publisher: Publisher,
    /// `None` if attempts are not counted.
    counter: Option<Counter<DynamoStore>>,
    metrics: Metrics,
    key_usage: Arc<KmsUsage>,
    #[cfg(feature = "failpoints")]
    failpoints: Arc<Failpoints>,
}

impl Handler {
    pub(crate) fn new(
        config: DeliverWebhookConfig,
        aws: &SdkConfig,
    ) -> Result<Self, lambda_runtime::Error> {
        let keys = KmsKeyService::new(aws, config.signing_key_arn.clone(), &config.installation_id);
        let key_usage = keys.usage();
        let bus = EventBus::new(aws, config.event_bus_name.clone());
        let operator = config.operator.clone();
        let tracer = Tracer::new(config.xray_daemon.clone());
        let metrics = Metrics::new(&*config.function_name, config.monitoring);
        let counts = config.statistics == Switch::Enabled;
        let deliver = use_case::new(config, aws, keys)?;
        let publisher = Publisher {
            bus,
            table: deliver.table.clone(),
            operator,
            tracer,
            events: Mutex::default(),
        };
        let counter = counts.then(|| Counter::new(deliver.table.clone()));
        #[cfg(feature = "failpoints")]
        let failpoints = Failpoints::new()?;
        #[cfg(feature = "failpoints")]
        let deliver = failpoints.around(deliver);
        Ok(Self {
            deliver,
            publisher,
            counter,
            metrics,
            key_usage,
            #[cfg(feature = "failpoints")]
            failpoints,
        })
    }

    /// Handles the messages of a batch concurrently.
    pub(crate) async fn handle(&self, event: LambdaEvent<Batch>) -> BatchResponse {
        let end = end_of_invocation(&event.context);
        let time_left = end.since(SystemClock.now() + TIME_TO_ANSWER);
        // Two tasks for one delivery must not be handled at the same time.
        let subject = |record: &Record| decode(&record.body).ok().map(|task| task.delivery);
        let handle = async |record: &Record| self.handle_one(record, end).await;
        let response = batch::run(event.payload, time_left, subject, handle).await;
        let time_left = end.since(SystemClock.now() + TIME_TO_ANSWER / 2);
        let published = self.publisher.publish(&self.metrics, time_left);
        let statistics = async {
            if let Some(counter) = &self.counter {
                counter.write(&self.metrics, time_left).await;
            }
        };
        tokio::join!(published, statistics);
        let failures = response.batch_item_failures.len();
        metrics::batch(&self.metrics, failures, &self.key_usage);
        self.metrics.write();
        #[cfg(feature = "failpoints")]
        self.failpoints.answered();
        response
    }

    async fn handle_one(
        &self,
        record: &Record,
        end: Timestamp,
    ) -> Result<(), lambda_runtime::Error> {
        let task = decode(&record.body)
            .inspect_err(|error| log::not_understood(&record.message_id, error))?;
        let trace = record.trace_header().and_then(TraceHeader::parse);
        // The future is boxed first, because it is large and each wrapper would copy it.
        let run = Box::pin(self.deliver.run(&task, end));
        let run = in_trace(record.trace_header(), run);
        #[cfg(feature = "failpoints")]
        let run = self.failpoints.run(&task, run);
        run.await
            .inspect(|report| log::report(&task, trace.as_ref(), report))
            .inspect(|report| self.publisher.report(&task, trace.as_ref(), report))
            .inspect(|report| {
                if let Some(counter) = &self.counter {
                    counter.report(&task, report);
                }
            })
            .inspect(|report| metrics::report(&self.metrics, &task, record.sent_at(), report))
            .inspect_err(|error| log::our_failure(&task, error))?;
        Ok(())
    }
}
