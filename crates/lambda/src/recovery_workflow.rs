//! Starting the workflow of a recovery.

use std::sync::OnceLock;

use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use serde::Serialize;
use webhooks_domain::ids::{CustomerId, RecoveryId, SubscriptionId};
use webhooks_domain::ports::{RecoveryWorkflow, WorkflowError};
use webhooks_domain::recovery::Recovery;

/// The workflow of recoveries, in Step Functions. Its client is created by its first call, because
/// most invocations start no recovery.
#[derive(Debug)]
pub struct SfnWorkflow {
    aws: SdkConfig,
    client: OnceLock<Client>,
    arn: String,
}

/// The input of `recovery.asl.json`: the ids of a recovery, and nothing that it writes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names in the input")]
struct Input<'a> {
    customer_id: &'a CustomerId,
    subscription_id: SubscriptionId,
    recovery_id: RecoveryId,
}

impl SfnWorkflow {
    /// The state machine with this ARN.
    pub fn new(aws: &SdkConfig, arn: String) -> Self {
        Self {
            aws: aws.clone(),
            client: OnceLock::new(),
            arn,
        }
    }
}

impl RecoveryWorkflow for SfnWorkflow {
    /// The execution has the recovery's id as its name: there is one for each.
    async fn start(&self, recovery: &Recovery) -> Result<(), WorkflowError> {
        let input = Input {
            customer_id: &recovery.customer_id,
            subscription_id: recovery.subscription_id,
            recovery_id: recovery.id,
        };
        let input = serde_json::to_string(&input).map_err(|error| WorkflowError(error.into()))?;
        let started = self
            .client
            .get_or_init(|| Client::new(&self.aws))
            .start_execution()
            .state_machine_arn(&self.arn)
            .name(recovery.id.to_string())
            .input(input)
            .send()
            .await;
        match started {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(StartExecutionError::is_execution_already_exists) =>
            {
                Ok(())
            }
            Err(error) => Err(WorkflowError(error.into())),
        }
    }
}
