//! The dependencies of every request.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::SystemRandom;
use webhooks_domain::cancel::Cancel;
use webhooks_domain::customers::Customers;
use webhooks_domain::lists::{Lists, ReadBudget};
use webhooks_domain::manage::{EventTypeRule, Manage};
use webhooks_domain::manage_catalogue::ManageCatalogue;
use webhooks_domain::outbound::EndpointPolicy;
use webhooks_domain::portal_sessions::PortalSessions;
use webhooks_domain::quota::Quota;
use webhooks_domain::recover::Recoveries;
use webhooks_domain::resend::Resend;
use webhooks_domain::send_test::SendTest;
use webhooks_domain::show_statistics::ShowStatistics;
use webhooks_domain::unhealthy::{MAX_COUNTED, UnhealthyLists};
use webhooks_domain::vault::Vault;
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{
    ApiConfig, EventBus, FunctionClient, KmsKeyService, KmsUsage, SdkConfig, SfnWorkflow, Switch,
    SystemClock,
};
#[cfg(test)]
use webhooks_lambda::{Config, Environment, aws_config};
use webhooks_sqs::SqsQueue;

use crate::portal_sessions::Portal;
use crate::publish::Publisher;
use crate::recoveries::ApiRecoveries;
use crate::send_test::DeliverFunction;

/// The time that the delivery function needs in addition to the request itself: see the template.
const TIME_TO_DELIVER: Duration = Duration::from_secs(9);

/// The dependencies of every request.
pub(crate) struct Api {
    pub(crate) manage:
        Manage<DynamoStore, Vault<DynamoStore, KmsKeyService, SystemClock>, SystemClock>,
    pub(crate) resend: Resend<DynamoStore, SqsQueue, SystemClock>,
    pub(crate) cancel: Cancel<DynamoStore, SystemClock>,
    pub(crate) publisher: Publisher,
    pub(crate) customers: Customers<DynamoStore, SystemClock>,
    pub(crate) catalogue: ManageCatalogue<DynamoStore, SystemClock>,
    pub(crate) lists: Lists<DynamoStore>,
    pub(crate) unhealthy: UnhealthyLists<DynamoStore>,
    /// `None` if attempts are not counted.
    pub(crate) statistics: Option<ShowStatistics<DynamoStore, SystemClock>>,
    pub(crate) tests: SendTest<DynamoStore, SqsQueue, DeliverFunction, SystemClock>,
    pub(crate) recoveries: ApiRecoveries,
    pub(crate) portal: Portal,
    pub(crate) table: DynamoStore,
    pub(crate) endpoints: EndpointPolicy,
}

impl Api {
    /// Gives the count of calls to the key service too.
    pub(crate) fn new(
        aws: &SdkConfig,
        config: ApiConfig,
    ) -> Result<(Self, Arc<KmsUsage>), lambda_http::Error> {
        let keys = KmsKeyService::new(aws, config.signing_key_arn, &config.installation_id);
        let usage = keys.usage();
        let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), config.delivery_queue_url);
        let table = DynamoStore::new(aws_sdk_dynamodb::Client::new(aws), config.table_name);
        let api = Self {
            manage: Manage {
                table: table.clone(),
                vault: Vault::new(table.clone(), keys, SystemClock),
                clock: SystemClock,
                random: SystemRandom::new(),
                retention: config.retention,
                request_timeout: config.request_timeout,
                quota: Quota {
                    subscriptions: config.maximum_subscriptions,
                },
                event_types: EventTypeRule {
                    unknown: config.unknown_event_types,
                    operator: config.operator.clone(),
                },
            },
            tests: SendTest {
                table: table.clone(),
                queue: queue.clone(),
                deliverer: DeliverFunction(FunctionClient::new(
                    aws,
                    &config.lambda_endpoint,
                    &config.deliver_webhook_function_name,
                    Duration::from_secs(config.request_timeout.as_secs()) + TIME_TO_DELIVER,
                )?),
                clock: SystemClock,
                random: SystemRandom::new(),
                retention: config.retention,
                links: config.message_links,
            },
            resend: Resend {
                table: table.clone(),
                queue,
                clock: SystemClock,
            },
            cancel: Cancel {
                table: table.clone(),
                clock: SystemClock,
            },
            publisher: Publisher {
                bus: EventBus::new(aws, config.event_bus_name),
                operator: config.operator,
            },
            customers: Customers {
                table: table.clone(),
                clock: SystemClock,
            },
            catalogue: ManageCatalogue {
                table: table.clone(),
                clock: SystemClock,
            },
            lists: Lists {
                table: table.clone(),
                budget: ReadBudget::LARGE,
            },
            unhealthy: UnhealthyLists {
                table: table.clone(),
                counted: MAX_COUNTED,
            },
            statistics: (config.statistics == Switch::Enabled).then(|| ShowStatistics {
                table: table.clone(),
                clock: SystemClock,
            }),
            recoveries: Recoveries {
                table: table.clone(),
                workflow: SfnWorkflow::new(aws, config.recovery_state_machine_arn),
                clock: SystemClock,
                random: SystemRandom::new(),
                retention: config.retention,
            },
            portal: Portal {
                sessions: PortalSessions {
                    table: table.clone(),
                    clock: SystemClock,
                    random: SystemRandom::new(),
                },
                origin: config.portal_url,
                return_urls: config.portal_return_urls,
            },
            table,
            endpoints: EndpointPolicy {
                development: config.development_networks,
                denied_hosts: config.denied_hosts,
            },
        };
        Ok((api, usage))
    }
}

#[cfg(test)]
impl Api {
    /// An API whose table, keys and queue nobody answers for.
    pub(crate) async fn unconnected() -> Self {
        // Nearly every type of a variable takes this text.
        let variables = ApiConfig::variables();
        let required = variables.iter().filter(|variable| variable.is_required);
        let environment: Environment = required
            .map(|variable| (variable.name, "9"))
            .chain([
                ("MONITORING", "Off"),
                ("STATISTICS", "Enabled"),
                ("EVENT_TYPES_MUST_BE_KNOWN", "false"),
                ("PORTAL_URL", "https://portal.example/"),
            ])
            .collect();
        let config = ApiConfig::from_environment(&environment).unwrap();
        let region = aws_sdk_dynamodb::config::Region::from_static("eu-central-1");
        let aws = aws_config().await.to_builder().region(region).build();
        let (api, _) = Self::new(&aws, config).unwrap();
        api
    }
}
