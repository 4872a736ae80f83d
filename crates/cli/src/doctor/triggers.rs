//! Checks the event rule that starts the workflow, and the schedule that starts the sweep.

use serde::Deserialize;
use serde_json::json;

use super::aws::{EVENTS, LAMBDA, SCHEDULER, SQS};
use super::context::{Context, Described};
use super::report::{Check, Group, Outcome, judge};

const GROUP: Group = Group("triggers");

/// `DescribeRule`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    state: String,
}

/// `ListTargetsByRule`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Targets {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    arn: String,
    role_arn: Option<String>,
    retry_policy: Option<RetryPolicy>,
    dead_letter_config: Option<DeadLetter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RetryPolicy {
    maximum_event_age_in_seconds: Option<u64>,
    maximum_retry_attempts: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetter {
    arn: Option<String>,
}

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
struct QueueArn {
    attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    queue_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionArn {
    function_arn: String,
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("the event rule and the schedule");
    let rule = rule::<Rule>(context, "DescribeRule", "Name").await;
    let targets = rule_target(context).await;
    let dead_letters = dead_letter_queue(context).await;
    let dead_letter = |target: &Target| match &dead_letters {
        Ok(queue) => judge_dead_letters(target, &queue.attributes.queue_arn),
        Err(outcome) => outcome.clone(),
    };
    let mut checks = judge(
        GROUP,
        "EventRule",
        &rule,
        &[("enabled", &|rule| judge_rule(&rule.state))],
    );
    checks.extend(judge(
        GROUP,
        "EventRule",
        &targets,
        &[
            ("role", &|t| judge_role(t.role_arn.as_deref())),
            ("retries", &judge_retries),
            ("dead-letter queue", &dead_letter),
        ],
    ));
    let schedule = schedule(context).await;
    let function = sweep(context).await;
    let target = |schedule: &Schedule| match &function {
        Ok(function) => judge_schedule_target(schedule, &function.function_arn),
        Err(outcome) => outcome.clone(),
    };
    checks.extend(judge(
        GROUP,
        "Schedule",
        &schedule,
        &[
            ("enabled", &judge_schedule),
            ("target", &target),
            ("role", &|s| judge_role(s.target.role_arn.as_deref())),
        ],
    ));
    checks
}

async fn rule<T: serde::de::DeserializeOwned>(
    context: &Context,
    operation: &str,
    member: &str,
) -> Described<T> {
    // The id of a rule on a custom bus is `BUS|RULE`.
    let id = context.resource("EventRule")?;
    let name = id.rsplit('|').next().unwrap_or(id);
    let bus = context.output("EventBusName")?;
    let input = json!({member: name, "EventBusName": bus});
    context.call(&EVENTS, operation, &input).await
}

/// Returns the rule's target that starts the delivery workflow.
async fn rule_target(context: &Context) -> Described<Target> {
    let targets: Targets = rule(context, "ListTargetsByRule", "Rule").await?;
    let workflow = context.output("StateMachineArn")?;
    let mut targets = targets.targets.into_iter();
    targets
        .find(|target| target.arn == workflow)
        .ok_or_else(|| {
            Outcome::failed(
                "the rule does not start the delivery workflow: no event becomes a webhook",
                "somebody has removed its target: restore it as described in docs/doctor.md, Drift",
            )
        })
}

async fn dead_letter_queue(context: &Context) -> Described<QueueArn> {
    let url = context.output("RuleDeadLetterQueueUrl")?;
    let input = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
    context.call(&SQS, "GetQueueAttributes", &input).await
}

async fn schedule(context: &Context) -> Described<Schedule> {
    let resources = context.resources()?.values();
    let mut schedules = resources.filter(|resource| resource.kind == "AWS::Scheduler::Schedule");
    let Some(schedule) = schedules.next() else {
        return Err(Outcome::failed(
            "the stack has no schedule",
            "deploy the template of this command's version",
        ));
    };
    // The id is `GROUP|NAME` in some versions of CloudFormation's documentation, otherwise the
    // name.
    let name = schedule
        .physical_id
        .rsplit(['|', '/'])
        .next()
        .unwrap_or_default();
    let path = format!("/schedules/{name}");
    context.get(&SCHEDULER, "GetSchedule", &path).await
}

async fn sweep(context: &Context) -> Described<FunctionArn> {
    let name = context.resource("RequeueDueDeliveriesFunction")?;
    let path = format!("/2015-03-31/functions/{name}/configuration");
    context
        .get(&LAMBDA, "GetFunctionConfiguration", &path)
        .await
}

fn judge_rule(state: &str) -> Outcome {
    if state.starts_with("ENABLED") {
        return Outcome::passed(state);
    }
    Outcome::failed(
        format!("{state}: no event becomes a webhook"),
        "`aws events enable-rule --name RULE --event-bus-name BUS`; events that were put meanwhile are only in \
         the bus's archive",
    )
}

fn judge_role(role: Option<&str>) -> Outcome {
    match role {
        Some(role) if !role.is_empty() => Outcome::passed(role.rsplit('/').next().unwrap_or(role)),
        _ => Outcome::failed(
            "none: it has no permission to start its target",
            "somebody has changed it: restore it as described in docs/doctor.md, Drift",
        ),
    }
}

fn judge_retries(target: &Target) -> Outcome {
    // EventBridge's own defaults are 24 hours and 185 attempts.
    let policy = target.retry_policy.as_ref();
    let age = policy.and_then(|policy| policy.maximum_event_age_in_seconds);
    let attempts = policy.and_then(|policy| policy.maximum_retry_attempts);
    let (age, attempts) = (age.unwrap_or(86_400), attempts.unwrap_or(185));
    if age >= 86_400 && attempts >= 185 {
        return Outcome::passed(format!("{attempts} within {age} s"));
    }
    Outcome::failed(
        format!("{attempts} within {age} s: in a longer outage of Step Functions, events are lost"),
        "somebody has changed the target: restore it as described in docs/doctor.md, Drift",
    )
}

fn judge_dead_letters(target: &Target, queue_arn: &str) -> Outcome {
    let arn = target.dead_letter_config.as_ref();
    match arn.and_then(|config| config.arn.as_deref()) {
        Some(arn) if arn == queue_arn => Outcome::passed("RuleDeadLetterQueue"),
        other => Outcome::failed(
            format!(
                "{}: if the workflow cannot start for an event, the event is lost",
                other.unwrap_or("none")
            ),
            "somebody has changed the target: restore it as described in docs/doctor.md, Drift",
        ),
    }
}

fn judge_schedule(schedule: &Schedule) -> Outcome {
    match schedule.state.as_deref() {
        Some("ENABLED") | None if schedule.schedule_expression == "rate(1 minute)" => {
            Outcome::passed("every minute")
        }
        Some("ENABLED") | None => Outcome::failed(
            format!(
                "{}, not every minute: long waits end late",
                schedule.schedule_expression
            ),
            "restore the schedule as described in docs/doctor.md, Drift",
        ),
        Some(state) => Outcome::failed(
            format!(
                "{state}: waits of more than 15 minutes do not end, and lost tasks are not found"
            ),
            "enable it in the console (EventBridge, Schedules), or `aws scheduler \
             update-schedule --state ENABLED` with its other values",
        ),
    }
}

fn judge_schedule_target(schedule: &Schedule, function_arn: &str) -> Outcome {
    if schedule.target.arn == function_arn {
        return Outcome::passed("requeue-due-deliveries");
    }
    Outcome::failed(
        format!("{}, not requeue-due-deliveries", schedule.target.arn),
        "restore the schedule as described in docs/doctor.md, Drift",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::doctor::report::fixtures::{is_failed, is_passed};

    fn target(fields: Value) -> Target {
        let mut all = json!({"Arn": "workflow", "RoleArn": "arn:aws:iam::1:role/r"});
        let (Value::Object(all_fields), Value::Object(fields)) = (&mut all, fields) else {
            panic!("both are objects");
        };
        all_fields.extend(fields);
        serde_json::from_value(all).unwrap()
    }

    fn schedule(state: &str, expression: &str) -> Schedule {
        serde_json::from_value(json!({
            "State": state, "ScheduleExpression": expression,
            "Target": {"Arn": "sweep", "RoleArn": "arn:aws:iam::1:role/r"},
        }))
        .unwrap()
    }

    #[test]
    fn a_disabled_rule_is_red() {
        assert!(is_passed(&judge_rule("ENABLED")));
        assert!(is_failed(&judge_rule("DISABLED")));
    }

    #[test]
    fn a_target_that_loses_events_is_red() {
        let retries = |age: u64, attempts: u64| {
            let policy = json!({"MaximumEventAgeInSeconds": age, "MaximumRetryAttempts": attempts});
            judge_retries(&target(json!({"RetryPolicy": policy})))
        };
        assert!(is_passed(&retries(86_400, 185)));
        assert!(is_failed(&retries(60, 185)) && is_failed(&retries(86_400, 0)));
        assert!(is_passed(&judge_retries(&target(json!({})))));
        let dead = target(json!({"DeadLetterConfig": {"Arn": "queue"}}));
        assert!(is_passed(&judge_dead_letters(&dead, "queue")));
        assert!(is_failed(&judge_dead_letters(&dead, "another")));
        assert!(is_failed(&judge_dead_letters(&target(json!({})), "queue")));
        assert!(is_failed(&judge_role(None)) && is_passed(&judge_role(Some("a/b"))));
    }

    #[test]
    fn a_stopped_schedule_is_red() {
        assert!(is_passed(&judge_schedule(&schedule(
            "ENABLED",
            "rate(1 minute)"
        ))));
        assert!(is_failed(&judge_schedule(&schedule(
            "DISABLED",
            "rate(1 minute)"
        ))));
        assert!(is_failed(&judge_schedule(&schedule(
            "ENABLED",
            "rate(1 hour)"
        ))));
        let every_minute = schedule("ENABLED", "rate(1 minute)");
        assert!(is_passed(&judge_schedule_target(&every_minute, "sweep")));
        assert!(is_failed(&judge_schedule_target(&every_minute, "another")));
    }
}
