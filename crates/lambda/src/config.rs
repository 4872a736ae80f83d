//! The configuration of each function: a typed struct whose fields are its environment variables.
//!
//! The structs are the only list of variables. The tests of `template.yaml` compare it with what
//! the template sets, and `webhooks doctor` compares it with what is deployed. To add a variable,
//! add a field here, set the variable in `template.yaml`, and use the field.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;
use webhooks_domain::contact::EmailAddress;
use webhooks_domain::due::LongestQueueDelay;
use webhooks_domain::event::EventReader;
use webhooks_domain::health::HealthPolicy;
use webhooks_domain::ids::CustomerId;
use webhooks_domain::manage::UnknownTypes;
use webhooks_domain::outbound::{
    DeniedHosts, DevelopmentNetworks, KeptResponseBytes, RequestTimeout,
};
use webhooks_domain::payload_shape::MessageLinkTemplate;
use webhooks_domain::portal_session::{DailyLimits, FrameAncestors, Origin, Origins};
use webhooks_domain::retention::Retention;
use webhooks_domain::retry::RetryPolicy;

use crate::environment::{Environment, Variable, VariableError, Variables};
use crate::logging;
use crate::metrics::Monitoring;
use crate::switch::Switch;

/// Everything that is missing or malformed. The function must not start.
#[derive(PartialEq, Eq)]
pub struct ConfigError(Vec<VariableError>);

/// A function that cannot start prints its error in this form.
impl fmt::Debug for ConfigError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

impl Display for ConfigError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let problems: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&problems.join("; "))
    }
}

impl std::error::Error for ConfigError {}

/// A configuration that is read from environment variables.
pub trait Config: Sized {
    /// Reads every variable. `None` when one of them has a problem.
    fn read(variables: &mut Variables<'_>) -> Option<Self>;

    /// Reads the configuration from an environment.
    ///
    /// # Errors
    /// When a variable is missing or malformed. The error names all of them.
    fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        let mut variables = Variables::of(environment);
        let config = Self::read(&mut variables);
        let (_, problems) = variables.finish();
        config.ok_or(ConfigError(problems))
    }

    /// The variables that are read.
    fn variables() -> Vec<Variable> {
        let environment = Environment::default();
        let mut variables = Variables::of(&environment);
        Self::read(&mut variables);
        variables.finish().0
    }
}

/// The settings of every function, and its own configuration.
struct WithLogLevel<C> {
    log_level: LevelFilter,
    config: C,
}

impl<C: Config> Config for WithLogLevel<C> {
    fn read(variables: &mut Variables<'_>) -> Option<Self> {
        let log_level = variables.required("LOG_LEVEL");
        let config = C::read(variables);
        Some(Self {
            log_level: log_level?,
            config: config?,
        })
    }
}

/// Starts a function: reads its configuration from the environment of this process, and logs at
/// the level that `LOG_LEVEL` names.
///
/// # Errors
/// When a variable is missing or malformed. The error names all of them.
pub fn start<C: Config>() -> Result<C, ConfigError> {
    let config = WithLogLevel::<C>::from_environment(&Environment::read())?;
    logging::init(config.log_level);
    Ok(config.config)
}

/// Declares a configuration. Each field is read by a method of [`Variables`]:
/// `table_name: String = required("TABLE_NAME")`.
#[macro_export]
macro_rules! config {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $reader:ident($($variable:literal)?),)+
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl $crate::Config for $name {
            fn read(variables: &mut $crate::Variables<'_>) -> Option<Self> {
                $(let $field = variables.$reader($($variable)?);)+
                Some(Self { $($field: $field?,)+ })
            }
        }
    };
}

/// Declares the configurations of the functions, and the list of all their variables.
macro_rules! functions {
    ($($(#[$doc:meta])* $package:literal: $name:ident $fields:tt)+) => {
        $(config! { $(#[$doc])* $name $fields })+

        /// Each function, by the name of its package, with the variables that it reads.
        pub fn functions() -> Vec<(&'static str, Vec<Variable>)> {
            vec![$(($package, WithLogLevel::<$name>::variables()),)+]
        }
    };
}

functions! {
    /// The configuration of `look-up-subscriptions`.
    "look-up-subscriptions": LookUpSubscriptionsConfig {
        /// The table.
        table_name: String = required("TABLE_NAME"),
        /// Reads events.
        event_reader: EventReader = event_reader(),
        /// The time after which a change of an event type's validation applies.
        event_type_refresh: Duration = seconds("EVENT_TYPE_REFRESH_SECONDS"),
        /// The name of this function.
        function_name: String = required("AWS_LAMBDA_FUNCTION_NAME"),
        /// Decides which values become metrics.
        monitoring: Monitoring = required("MONITORING"),
    }

    /// The configuration of `prepare-calls`.
    "prepare-calls": PrepareCallsConfig {
        /// The times for which the table keeps messages and their deliveries.
        retention: Retention = retention(),
        /// Longer waits for the first attempt are left to the sweep.
        longest_queue_delay: LongestQueueDelay = required("LONGEST_QUEUE_DELAY_SECONDS"),
        /// The links in thin webhooks. `None` if they have none.
        message_links: Option<MessageLinkTemplate> = optional("MESSAGE_LINK_TEMPLATE"),
    }

    /// The configuration of `deliver-webhook`.
    "deliver-webhook": DeliverWebhookConfig {
        /// The table.
        table_name: String = required("TABLE_NAME"),
        /// The fast queue.
        delivery_queue_url: String = required("DELIVERY_QUEUE_URL"),
        /// The slow queue.
        slow_delivery_queue_url: String = required("SLOW_DELIVERY_QUEUE_URL"),
        /// The KMS key of the signing secrets.
        signing_key_arn: String = required("SIGNING_KEY_ARN"),
        /// Binds the signing secrets to this installation.
        installation_id: String = required("INSTALLATION_ID"),
        /// The bus of the operational events.
        event_bus_name: String = required("EVENT_BUS_NAME"),
        /// The customer of the operational events. `None` if they are not sent as webhooks.
        operator: Option<CustomerId> = optional("OPERATOR_CUSTOMER_ID"),
        /// The time limit of one request to a receiver.
        request_timeout: RequestTimeout = required("REQUEST_TIMEOUT_SECONDS"),
        /// The time for which the table keeps a message and its deliveries.
        retention: Duration = days("RETENTION_DAYS"),
        /// The largest part of a response body that is kept.
        kept_response_bytes: KeptResponseBytes = required("KEPT_RESPONSE_BYTES"),
        /// When failed attempts are repeated.
        retry_policy: RetryPolicy = retry_policy(),
        /// Longer waits are left to the sweep.
        longest_queue_delay: LongestQueueDelay = required("LONGEST_QUEUE_DELAY_SECONDS"),
        /// The rules for failing endpoints.
        health_policy: HealthPolicy = health_policy(),
        /// Private networks that may be reached. For development only.
        development_networks: DevelopmentNetworks = or_default("DEVELOPMENT_ALLOWED_CIDRS"),
        /// Hosts that no subscription may have.
        denied_hosts: DeniedHosts = or_default("DENIED_HOSTS"),
        /// The name of this function.
        function_name: String = required("AWS_LAMBDA_FUNCTION_NAME"),
        /// Decides which values become metrics.
        monitoring: Monitoring = required("MONITORING"),
        /// Enabled if attempts are counted.
        statistics: Switch = required("STATISTICS"),
        /// The X-Ray daemon. Without one, no subsegments are sent.
        xray_daemon: Option<String> = optional("AWS_XRAY_DAEMON_ADDRESS"),
    }

    /// The configuration of `requeue-due-deliveries`.
    "requeue-due-deliveries": RequeueDueDeliveriesConfig {
        /// The table.
        table_name: String = required("TABLE_NAME"),
        /// The fast queue.
        delivery_queue_url: String = required("DELIVERY_QUEUE_URL"),
        /// The workflow that runs recoveries.
        recovery_state_machine_arn: String = required("RECOVERY_STATE_MACHINE_ARN"),
        /// The time for which the table keeps a recovery.
        retention: Duration = days("RETENTION_DAYS"),
        /// The name of this function.
        function_name: String = required("AWS_LAMBDA_FUNCTION_NAME"),
        /// Decides which values become metrics.
        monitoring: Monitoring = required("MONITORING"),
    }

    /// The configuration of `recover-deliveries`.
    "recover-deliveries": RecoverDeliveriesConfig {
        /// The table.
        table_name: String = required("TABLE_NAME"),
        /// The fast queue.
        delivery_queue_url: String = required("DELIVERY_QUEUE_URL"),
        /// The links in thin webhooks. `None` if they have none.
        message_links: Option<MessageLinkTemplate> = optional("MESSAGE_LINK_TEMPLATE"),
    }

    /// The configuration of `delete-customers`.
    "delete-customers": DeleteCustomersConfig {
        /// The table.
        table_name: String = required("TABLE_NAME"),
        /// The time after which everything that began before a request has ended.
        settle: Duration = seconds("LONGEST_QUEUE_DELAY_SECONDS"),
    }

    /// The configuration of `notify-contacts`.
    "notify-contacts": NotifyContactsConfig {
        /// The address from which e-mails are sent.
        sender: EmailAddress = required("NOTIFICATION_SENDER"),
        /// The configuration set of SES. `None` if there is none.
        configuration_set: Option<String> = optional("NOTIFICATION_CONFIGURATION_SET"),
        /// The name of the service. `None` for the default.
        service: Option<String> = optional("PORTAL_NAME"),
        /// The portal. `None` if the stack has none.
        portal_url: Option<Origin> = optional("PORTAL_URL"),
        /// The name of this function.
        function_name: String = required("AWS_LAMBDA_FUNCTION_NAME"),
        /// Decides which values become metrics.
        monitoring: Monitoring = required("MONITORING"),
    }

    /// The configuration of `api`.
    "api": ApiConfig {
        /// The table.
        table_name: String = required("TABLE_NAME"),
        /// The fast queue.
        delivery_queue_url: String = required("DELIVERY_QUEUE_URL"),
        /// The workflow that runs recoveries.
        recovery_state_machine_arn: String = required("RECOVERY_STATE_MACHINE_ARN"),
        /// The KMS key of the signing secrets.
        signing_key_arn: String = required("SIGNING_KEY_ARN"),
        /// Binds the signing secrets to this installation.
        installation_id: String = required("INSTALLATION_ID"),
        /// Lambda's endpoint in this Region.
        lambda_endpoint: String = required("LAMBDA_ENDPOINT"),
        /// The function that makes attempts.
        deliver_webhook_function_name: String = required("DELIVER_WEBHOOK_FUNCTION_NAME"),
        /// The maximum number of subscriptions of a customer.
        maximum_subscriptions: u32 = required("MAXIMUM_SUBSCRIPTIONS_PER_CUSTOMER"),
        /// The effect of event types that are not in the catalogue.
        unknown_event_types: UnknownTypes = required("EVENT_TYPES_MUST_BE_KNOWN"),
        /// The time limit of one request to a receiver.
        request_timeout: RequestTimeout = required("REQUEST_TIMEOUT_SECONDS"),
        /// The bus of the operational events.
        event_bus_name: String = required("EVENT_BUS_NAME"),
        /// The customer of the operational events. `None` if they are not sent as webhooks.
        operator: Option<CustomerId> = optional("OPERATOR_CUSTOMER_ID"),
        /// The time for which the table keeps a message and its deliveries.
        retention: Duration = days("RETENTION_DAYS"),
        /// The links in thin webhooks. `None` if they have none.
        message_links: Option<MessageLinkTemplate> = optional("MESSAGE_LINK_TEMPLATE"),
        /// Private networks that may be reached. For development only.
        development_networks: DevelopmentNetworks = or_default("DEVELOPMENT_ALLOWED_CIDRS"),
        /// Hosts that no subscription may have.
        denied_hosts: DeniedHosts = or_default("DENIED_HOSTS"),
        /// The name of this function.
        function_name: String = required("AWS_LAMBDA_FUNCTION_NAME"),
        /// Decides which values become metrics.
        monitoring: Monitoring = required("MONITORING"),
        /// Enabled if attempts are counted.
        statistics: Switch = required("STATISTICS"),
        /// The portal. `None` if the stack has none.
        portal_url: Option<Origin> = optional("PORTAL_URL"),
        /// The origins to which the portal may lead after a session.
        portal_return_urls: Origins = or_default("PORTAL_RETURN_URLS"),
    }

    /// The configuration of `portal`.
    "portal": PortalConfig {
        /// Lambda's endpoint in this Region.
        lambda_endpoint: String = required("LAMBDA_ENDPOINT"),
        /// The API's function, with the alias of the portal.
        api_function_name: String = required("API_FUNCTION_NAME"),
        /// The time limit of one request to a receiver.
        request_timeout: RequestTimeout = required("REQUEST_TIMEOUT_SECONDS"),
        /// The table.
        table_name: String = required("TABLE_NAME"),
        /// The fast queue.
        delivery_queue_url: String = required("DELIVERY_QUEUE_URL"),
        /// The slow queue.
        slow_delivery_queue_url: String = required("SLOW_DELIVERY_QUEUE_URL"),
        /// The queue of delivery tasks that failed.
        delivery_dead_letter_queue_url: String = required("DELIVERY_DEAD_LETTER_QUEUE_URL"),
        /// The queue of events that the workflow could not process.
        failed_events_queue_url: String = required("FAILED_EVENTS_QUEUE_URL"),
        /// The queue of events for which the rule could not start the workflow.
        rule_dead_letter_queue_url: String = required("RULE_DEAD_LETTER_QUEUE_URL"),
        /// The workflow that runs recoveries.
        recovery_state_machine_arn: String = required("RECOVERY_STATE_MACHINE_ARN"),
        /// The time for which the table keeps a recovery.
        retention: Duration = days("RETENTION_DAYS"),
        /// The address of a custom domain. `None` if the portal has that of its Function URL.
        portal_url: Option<Origin> = optional("PORTAL_URL"),
        /// The origins to which the portal may lead after a session.
        return_urls: Origins = or_default("PORTAL_RETURN_URLS"),
        /// The actions that a customer's sessions can cause on one day.
        daily_limits: DailyLimits = required("PORTAL_DAILY_LIMITS"),
        /// The sites that may embed the portal.
        frame_ancestors: FrameAncestors = required("PORTAL_FRAME_ANCESTORS"),
        /// The name of the service. `None` for the default.
        name: Option<String> = optional("PORTAL_NAME"),
        /// The URL of the operator's logo.
        logo_url: Option<String> = optional("PORTAL_LOGO_URL"),
        /// The operator's colour. `None` for the default.
        accent_colour: Option<String> = optional("PORTAL_ACCENT_COLOUR"),
        /// The page or address where customers get help.
        support_url: Option<String> = optional("PORTAL_SUPPORT_URL"),
        /// Enabled if attempts are counted.
        statistics: Switch = required("STATISTICS"),
        /// Private networks that may be reached. For development only.
        development_networks: DevelopmentNetworks = or_default("DEVELOPMENT_ALLOWED_CIDRS"),
    }

    /// The configuration of `console-sessions`.
    "console-sessions": ConsoleSessionsConfig {
        /// The table.
        table_name: String = required("TABLE_NAME"),
        /// The address of the portal and of the console.
        portal_url: Origin = required("PORTAL_URL"),
    }

    /// The configuration of `echo-receiver`.
    "echo-receiver": EchoReceiverConfig {
        /// The self test's own table.
        self_test_table_name: String = required("SELF_TEST_TABLE_NAME"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_named_at_once() {
        let variables = [("TABLE_NAME", "table"), ("DEADLINE_POINTER", "x")];
        let environment = variables.into_iter().collect();
        let error = LookUpSubscriptionsConfig::from_environment(&environment).unwrap_err();
        let text = error.to_string();
        let problems: Vec<_> = text.split("; ").collect();
        assert_eq!(problems.len(), 7, "{text}");
        for (problem, name) in problems.iter().zip([
            "CUSTOMER_ID_POINTER is not set",
            "IDEMPOTENCY_KEY_POINTER is not set",
            "DEADLINE_POINTER: ",
            "DELIVER_AT_POINTER is not set",
            "EVENT_TYPE_REFRESH_SECONDS is not set",
            "AWS_LAMBDA_FUNCTION_NAME is not set",
            "MONITORING is not set",
        ]) {
            assert!(problem.contains(name), "{text}");
        }
    }

    #[test]
    fn the_variables_of_a_function_are_those_that_it_reads() {
        let names: Vec<_> = WithLogLevel::<LookUpSubscriptionsConfig>::variables()
            .into_iter()
            .map(|variable| (variable.name, variable.is_required))
            .collect();
        assert_eq!(
            names,
            [
                ("LOG_LEVEL", true),
                ("TABLE_NAME", true),
                ("OPERATOR_CUSTOMER_ID", false),
                ("CUSTOMER_ID_POINTER", true),
                ("IDEMPOTENCY_KEY_POINTER", true),
                ("DEADLINE_POINTER", true),
                ("DELIVER_AT_POINTER", true),
                ("EVENT_TYPE_REFRESH_SECONDS", true),
                ("AWS_LAMBDA_FUNCTION_NAME", true),
                ("MONITORING", true),
            ]
        );
    }
}
