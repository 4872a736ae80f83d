//! The use case of `domain`, with the adapters of this function.

use std::time::Duration;

use ring::rand::SystemRandom;
use tracing::warn;
use webhooks_domain::deliver::{CustomerLimits, Deliver, HealthMonitor, TokenCache};
use webhooks_domain::health::HealthTracker;
use webhooks_domain::outbound::{AddressPolicy, DevelopmentNetworks};
use webhooks_domain::vault::Vault;
use webhooks_dynamodb::DynamoStore;
use webhooks_http::HttpSender;
#[cfg(feature = "bench")]
use webhooks_lambda::{Config, Environment};
use webhooks_lambda::{DeliverWebhookConfig, KmsKeyService, SdkConfig, SystemClock};
use webhooks_sqs::SqsQueue;

/// The delivery of webhooks, with this queue and this sender.
pub(crate) type DeliverWebhooks<Q = SqsQueue, W = HttpSender> =
    Deliver<DynamoStore, Q, W, Vault<DynamoStore, KmsKeyService, SystemClock>, SystemClock>;

/// The longest time for queueing the next attempt and recording this one (see the limits of AWS
/// calls). If later writes of endpoint health and limiter state are interrupted, the next
/// attempts make up for them.
const TIME_TO_RECORD: Duration = Duration::from_secs(4);

/// Makes the use case.
pub(crate) fn new(
    config: DeliverWebhookConfig,
    aws: &SdkConfig,
    keys: KmsKeyService,
) -> Result<DeliverWebhooks, lambda_runtime::Error> {
    if config.retry_policy.longest_run() > config.retention {
        warn!("some deliveries end as expired: RETENTION_DAYS is shorter than the retry schedule");
    }
    // The messages of a batch are handled concurrently, so a batch loader combines their reads.
    let table = DynamoStore::new(aws_sdk_dynamodb::Client::new(aws), config.table_name);
    let table = table.batching_reads();
    let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), config.delivery_queue_url);
    let timeout = Duration::from_secs(config.request_timeout.as_secs());
    Ok(Deliver {
        vault: Vault::new(table.clone(), keys, SystemClock),
        table,
        queue: queue.with_slow_queue(config.slow_delivery_queue_url),
        sender: sender(config.development_networks, timeout)?
            .denying(config.denied_hosts)
            .keeping(config.kept_response_bytes),
        clock: SystemClock,
        policy: config.retry_policy,
        longest_queue_delay: config.longest_queue_delay,
        request_timeout: timeout,
        time_for_attempt: timeout + TIME_TO_RECORD,
        health_monitor: HealthMonitor {
            policy: config.health_policy,
            tracker: HealthTracker::default(),
        },
        customer_limits: CustomerLimits::default(),
        tokens: TokenCache::default(),
        random: SystemRandom::new(),
    })
}

fn sender(
    development: DevelopmentNetworks,
    timeout: Duration,
) -> Result<HttpSender, lambda_runtime::Error> {
    let addresses = AddressPolicy::new(development);
    #[cfg(not(feature = "bench"))]
    let sender = HttpSender::new(addresses, timeout)?;
    #[cfg(feature = "bench")]
    let sender = {
        let bench = crate::bench::BenchConfig::from_environment(&Environment::read())?;
        HttpSender::for_bench(addresses, timeout, &bench.authority_file, bench.name_server)?
    };
    Ok(sender)
}
