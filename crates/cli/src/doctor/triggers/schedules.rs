//! Checks the schedules that start functions.

use serde::Deserialize;

use super::{TRIGGERS, judge_role};
use crate::doctor::aws::{LAMBDA, SCHEDULER};
use crate::doctor::context::{Context, Described};
use crate::doctor::report::{Check, Outcome, judge};

/// A schedule of the template.
struct Expected {
    logical_id: &'static str,
    /// The logical id of the function that it starts.
    function: &'static str,
    /// The name of that function in reports.
    function_name: &'static str,
    expression: &'static str,
    /// The effect of a slower schedule.
    if_slower: &'static str,
    /// The effect if the schedule is disabled.
    if_disabled: &'static str,
}

const SCHEDULES: [Expected; 2] = [
    Expected {
        logical_id: "RequeueDueDeliveriesFunctionEveryMinute",
        function: "RequeueDueDeliveriesFunction",
        function_name: "requeue-due-deliveries",
        expression: "rate(1 minute)",
        if_slower: "long waits end late",
        if_disabled: "waits of more than 15 minutes do not end, and lost tasks are not found",
    },
    Expected {
        logical_id: "DeleteCustomersFunctionEveryQuarterOfAnHour",
        function: "DeleteCustomersFunction",
        function_name: "delete-customers",
        expression: "rate(15 minutes)",
        if_slower: "deleted customers are removed late",
        if_disabled: "deleted customers are not removed",
    },
];

/// `GetSchedule`.
#[expect(clippy::struct_field_names, reason = "AWS's names")]
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Schedule {
    state: Option<String>,
    schedule_expression: String,
    target: ScheduleTarget,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScheduleTarget {
    arn: String,
    role_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionArn {
    function_arn: String,
}

/// The checks of both schedules.
pub(super) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("the schedules");
    let mut checks = Vec::new();
    for expected in &SCHEDULES {
        let schedule = schedule(context, expected).await;
        let function = function(context, expected).await;
        let target = |schedule: &Schedule| match &function {
            Ok(function) => judge_target(expected, schedule, &function.function_arn),
            Err(outcome) => outcome.clone(),
        };
        checks.extend(judge(
            TRIGGERS,
            &format!("schedule of {}", expected.function_name),
            &schedule,
            &[
                ("enabled", &|schedule| judge_state(expected, schedule)),
                ("target", &target),
                ("role", &|s| judge_role(s.target.role_arn.as_deref())),
            ],
        ));
    }
    checks
}

async fn schedule(context: &Context, expected: &Expected) -> Described<Schedule> {
    // The id is `GROUP|NAME` in some versions of CloudFormation's documentation, otherwise the
    // name.
    let id = context.resource(expected.logical_id)?;
    let name = id.rsplit(['|', '/']).next().unwrap_or(id);
    let path = format!("/schedules/{name}");
    context.get(&SCHEDULER, "GetSchedule", &path).await
}

async fn function(context: &Context, expected: &Expected) -> Described<FunctionArn> {
    let name = context.resource(expected.function)?;
    let path = format!("/2015-03-31/functions/{name}/configuration");
    context
        .get(&LAMBDA, "GetFunctionConfiguration", &path)
        .await
}

fn judge_state(expected: &Expected, schedule: &Schedule) -> Outcome {
    let actual = &schedule.schedule_expression;
    match schedule.state.as_deref() {
        Some("ENABLED") | None if actual == expected.expression => Outcome::passed(actual),
        Some("ENABLED") | None => Outcome::failed(
            format!(
                "{actual}, not {}: {}",
                expected.expression, expected.if_slower
            ),
            "restore the schedule as described in docs/doctor.md, Drift",
        ),
        Some(state) => Outcome::failed(
            format!("{state}: {}", expected.if_disabled),
            "enable it in the console (EventBridge, Schedules), or `aws scheduler \
             update-schedule --state ENABLED` with its other values",
        ),
    }
}

fn judge_target(expected: &Expected, schedule: &Schedule, function_arn: &str) -> Outcome {
    if schedule.target.arn == function_arn {
        return Outcome::passed(expected.function_name);
    }
    Outcome::failed(
        format!("{}, not {}", schedule.target.arn, expected.function_name),
        "restore the schedule as described in docs/doctor.md, Drift",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::report::fixtures::{is_failed, is_passed};

    fn schedule(state: &str, expression: &str) -> Schedule {
        serde_json::from_value(json!({
            "State": state, "ScheduleExpression": expression,
            "Target": {"Arn": "sweep", "RoleArn": "arn:aws:iam::1:role/r"},
        }))
        .unwrap()
    }

    #[test]
    fn a_stopped_schedule_is_red() {
        for expected in &SCHEDULES {
            let judged = |state, expression| judge_state(expected, &schedule(state, expression));
            assert!(is_passed(&judged("ENABLED", expected.expression)));
            assert!(is_failed(&judged("DISABLED", expected.expression)));
            assert!(is_failed(&judged("ENABLED", "rate(1 hour)")));
            let schedule = schedule("ENABLED", expected.expression);
            assert!(is_passed(&judge_target(expected, &schedule, "sweep")));
            assert!(is_failed(&judge_target(expected, &schedule, "another")));
        }
    }
}
