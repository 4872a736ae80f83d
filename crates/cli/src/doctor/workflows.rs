//! Checks the state machines.

use serde::Deserialize;
use serde_json::json;

use super::aws::STATES;
use super::context::{Context, Described};
use super::report::{Check, Group, Outcome, judge};

const GROUP: Group = Group("workflows");

/// `DescribeStateMachine`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateMachine {
    status: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    logging_configuration: Option<Logging>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logging {
    level: Option<String>,
    #[serde(default)]
    include_execution_data: bool,
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("state machines");
    let delivery = describe(context, "StateMachineArn").await;
    let recovery = describe(context, "RecoveryStateMachineArn").await;
    let expected = context.parameter("WorkflowType");
    let mut checks = judge(
        GROUP,
        "WebhookDelivery",
        &delivery,
        &[
            ("state", &judge_state),
            ("type", &|machine| judge_type(machine, expected)),
            ("logging", &|machine| {
                judge_logging(machine).unless_local(context.is_local())
            }),
        ],
    );
    checks.extend(judge(
        GROUP,
        "Recovery",
        &recovery,
        &[
            ("state", &judge_state),
            ("type", &|machine| judge_type(machine, Some("STANDARD"))),
        ],
    ));
    checks
}

async fn describe(context: &Context, output: &str) -> Described<StateMachine> {
    let input = json!({"stateMachineArn": context.output(output)?});
    context.call(&STATES, "DescribeStateMachine", &input).await
}

fn judge_state(machine: &StateMachine) -> Outcome {
    match machine.status.as_deref() {
        Some("ACTIVE") | None => Outcome::passed("ACTIVE"),
        Some(state) => Outcome::failed(
            format!("{state}: it starts no executions any more"),
            "somebody has deleted it: restore it as described in docs/doctor.md, Drift",
        ),
    }
}

fn judge_type(machine: &StateMachine, expected: Option<&str>) -> Outcome {
    if expected.is_none_or(|expected| expected == machine.kind) {
        return Outcome::passed(&machine.kind);
    }
    Outcome::failed(
        format!(
            "{}, but the template has {}",
            machine.kind,
            expected.unwrap_or_default()
        ),
        "deploy with the WorkflowType that you want",
    )
}

fn judge_logging(machine: &StateMachine) -> Outcome {
    let logging = machine.logging_configuration.as_ref();
    let level = logging.and_then(|logging| logging.level.as_deref());
    if logging.is_some_and(|logging| logging.include_execution_data) {
        return Outcome::failed(
            "its log holds customers' payloads (includeExecutionData)",
            "`aws stepfunctions update-state-machine` without includeExecutionData, and delete \
             the contents of its log group",
        );
    }
    match level {
        Some("OFF") | None => Outcome::warned(
            "it logs nothing: a failed Express execution leaves no trace",
            "restore its logging (level ERROR) as docs/doctor.md, Drift, says",
        ),
        Some(level) => Outcome::passed(format!("{level}, without payloads")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::doctor::report::fixtures::{is_failed, is_passed, is_warned};

    fn machine(status: &str, logging: &Value) -> StateMachine {
        let machine = json!({"status": status, "type": "EXPRESS", "loggingConfiguration": logging});
        serde_json::from_value(machine).unwrap()
    }

    #[test]
    fn a_state_machine_that_is_not_as_deployed_is_red() {
        let good = machine(
            "ACTIVE",
            &json!({"level": "ERROR", "includeExecutionData": false}),
        );
        assert!(is_passed(&judge_state(&good)) && is_passed(&judge_logging(&good)));
        assert!(is_passed(&judge_type(&good, Some("EXPRESS"))));
        assert!(is_failed(&judge_type(&good, Some("STANDARD"))));
        let deleted = machine("DELETING", &json!(null));
        assert!(is_failed(&judge_state(&deleted)) && is_warned(&judge_logging(&deleted)));
        let leaky = machine(
            "ACTIVE",
            &json!({"level": "ALL", "includeExecutionData": true}),
        );
        assert!(is_failed(&judge_logging(&leaky)));
    }
}
