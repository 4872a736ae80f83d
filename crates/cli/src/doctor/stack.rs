//! Checks the credentials, the Region, and the stack's status and outputs.

use aws_sdk_cloudformation::types::StackStatus;

use super::context::{Context, Described};
use super::report::{Check, Group, Outcome};

const GROUP: Group = Group("stack");

/// All outputs that this command reads.
const OUTPUTS: [&str; 14] = [
    "ApiFunctionName",
    "ApiUrl",
    "CustomerIdPointer",
    "DeliveryDeadLetterQueueUrl",
    "DeliveryQueueUrl",
    "EventBusName",
    "FailedEventsQueueUrl",
    "IdempotencyKeyPointer",
    "RecoveryStateMachineArn",
    "RuleDeadLetterQueueUrl",
    "SigningKeyArn",
    "SlowDeliveryQueueUrl",
    "StateMachineArn",
    "TableName",
];

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("credentials, stack");
    let caller = caller(context).await;
    let status = context.description().map(|stack| &stack.status);
    vec![
        GROUP.check("credentials", caller.unwrap_or_else(|outcome| outcome)),
        GROUP.check(
            "status",
            status.map_or_else(|outcome| outcome, judge_status),
        ),
        GROUP.check(
            "outputs",
            judge_outputs(|name| context.output(name).is_ok()),
        ),
    ]
}

async fn caller(context: &Context) -> Described<Outcome> {
    let client = aws_sdk_sts::Client::new(context.stack.sdk_config());
    let call = client.get_caller_identity().send();
    let caller = context.ask("sts:GetCallerIdentity", call).await?;
    let arn = caller.arn.unwrap_or_default();
    let region = context.stack.region();
    Ok(Outcome::passed(format!("{arn} in {region}")))
}

fn judge_status(status: &StackStatus) -> Outcome {
    match status {
        StackStatus::CreateComplete
        | StackStatus::UpdateComplete
        | StackStatus::ImportComplete
        | StackStatus::UpdateCompleteCleanupInProgress => Outcome::passed(status.as_str()),
        StackStatus::UpdateRollbackComplete | StackStatus::ImportRollbackComplete => {
            Outcome::warned(
                format!(
                    "{}: the last deployment failed, and the stack is unchanged",
                    status.as_str()
                ),
                "read the stack's events in CloudFormation, and deploy again",
            )
        }
        StackStatus::CreateInProgress | StackStatus::UpdateInProgress => Outcome::failed(
            format!("{}: a deployment is running", status.as_str()),
            "wait until it ends, and run this again",
        ),
        other => Outcome::failed(
            other.as_str(),
            "read the stack's events in CloudFormation; after UPDATE_ROLLBACK_FAILED, \
             `aws cloudformation continue-update-rollback`; then deploy again",
        ),
    }
}

fn judge_outputs(has: impl Fn(&str) -> bool) -> Outcome {
    let missing: Vec<_> = OUTPUTS.into_iter().filter(|&name| !has(name)).collect();
    if missing.is_empty() {
        return Outcome::passed(format!("all {} that are used", OUTPUTS.len()));
    }
    Outcome::failed(
        format!("missing: {}", missing.join(", ")),
        "deploy the template of this command's version",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_deployment_is_red() {
        let failed = judge_status(&StackStatus::UpdateRollbackFailed);
        assert!(matches!(failed, Outcome::Failed { .. }));
        let running = judge_status(&StackStatus::UpdateInProgress);
        assert!(matches!(running, Outcome::Failed { .. }));
        let rolled_back = judge_status(&StackStatus::UpdateRollbackComplete);
        assert!(matches!(rolled_back, Outcome::Warned { .. }));
        let complete = judge_status(&StackStatus::CreateComplete);
        assert!(matches!(complete, Outcome::Passed { .. }));
    }

    #[test]
    fn a_missing_output_is_red_by_name() {
        let outcome = judge_outputs(|name| name != "TableName");
        let Outcome::Failed { reason, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(reason, "missing: TableName");
        assert!(matches!(judge_outputs(|_| true), Outcome::Passed { .. }));
    }
}
