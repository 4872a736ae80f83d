//! Checks the event rule that starts the workflow.

use serde::Deserialize;
use serde_json::json;

use super::{TRIGGERS, judge_role};
use crate::doctor::aws::{EVENTS, SQS};
use crate::doctor::context::{Context, Described};
use crate::doctor::report::{Check, Outcome, judge};

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

/// The checks of this group.
pub(super) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("the event rule");
    let rule = rule::<Rule>(context, "DescribeRule", "Name").await;
    let targets = rule_target(context).await;
    let dead_letters = dead_letter_queue(context).await;
    let dead_letter = |target: &Target| match &dead_letters {
        Ok(queue) => judge_dead_letters(target, &queue.attributes.queue_arn),
        Err(outcome) => outcome.clone(),
    };
    let mut checks = judge(
        TRIGGERS,
        "EventRule",
        &rule,
        &[("enabled", &|rule| judge_rule(&rule.state))],
    );
    checks.extend(judge(
        TRIGGERS,
        "EventRule",
        &targets,
        &[
            ("role", &|t| judge_role(t.role_arn.as_deref())),
            ("retries", &judge_retries),
            ("dead-letter queue", &dead_letter),
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
}
