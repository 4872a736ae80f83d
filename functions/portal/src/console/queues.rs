//! The queues of the stack, with the numbers of their messages.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tracing::error;
use webhooks_lambda::{PortalConfig, with_sources};
use webhooks_pages::console::{Queue, Queues as QueuesView, Runbook};
use webhooks_sqs::{QueueDepth, queue_depth};

use crate::api::Failure;

/// Counts the messages of queues.
pub(crate) trait CountMessages: Send + Sync + 'static {
    /// Counts the messages of the queue with this URL.
    fn count<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<QueueDepth, Failure>>;
}

impl CountMessages for aws_sdk_sqs::Client {
    fn count<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<QueueDepth, Failure>> {
        async { Ok(queue_depth(self, url).await?) }.boxed()
    }
}

/// A queue of the template.
struct OfStack {
    name: &'static str,
    alarm: &'static str,
    is_dead_letter: bool,
    url: String,
}

/// The queues, in the order of the flow.
pub(crate) struct Queues {
    counts: Box<dyn CountMessages>,
    queues: [OfStack; 5],
}

impl Queues {
    pub(crate) fn new(counts: Box<dyn CountMessages>, config: &PortalConfig) -> Self {
        let queue = |name, alarm, url: &String| OfStack {
            name,
            alarm,
            is_dead_letter: false,
            url: url.clone(),
        };
        let dead_letters = |name, alarm, url| OfStack {
            is_dead_letter: true,
            ..queue(name, alarm, url)
        };
        Self {
            counts,
            queues: [
                dead_letters(
                    "RuleDeadLetterQueue",
                    "RuleDeadLettersAlarm",
                    &config.rule_dead_letter_queue_url,
                ),
                dead_letters(
                    "FailedEventsQueue",
                    "FailedEventsAlarm",
                    &config.failed_events_queue_url,
                ),
                queue(
                    "DeliveryQueue",
                    "DeliveryQueueAgeAlarm",
                    &config.delivery_queue_url,
                ),
                queue(
                    "SlowDeliveryQueue",
                    "SlowDeliveryQueueAgeAlarm",
                    &config.slow_delivery_queue_url,
                ),
                dead_letters(
                    "DeliveryDeadLetterQueue",
                    "DeliveryDeadLettersAlarm",
                    &config.delivery_dead_letter_queue_url,
                ),
            ],
        }
    }

    /// The queues with their numbers. One that cannot be counted has none.
    pub(super) async fn counted(&self) -> QueuesView {
        let queues = self.queues.iter().map(async |queue| {
            let depth = self.counts.count(&queue.url).await;
            let depth = depth.unwrap_or_else(|failure| {
                let error = with_sources(&*failure);
                error!(error, queue = queue.name, "messages not counted");
                QueueDepth::default()
            });
            Queue {
                name: queue.name,
                is_dead_letter: queue.is_dead_letter,
                waiting: depth.waiting,
                in_flight: depth.in_flight,
                delayed: depth.delayed,
                runbook: Runbook::of(queue.alarm).expect("a test finds each"),
            }
        });
        QueuesView {
            queues: join_all(queues).await,
        }
    }
}
