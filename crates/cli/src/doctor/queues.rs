//! Checks the queues and the event source mappings that read them.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};

use super::aws::{LAMBDA, SQS};
use super::context::{Context, Described};
use super::functions;
use super::report::{Check, Group, Judgment, Outcome, judge};

const GROUP: Group = Group("queues");

/// The retention of every queue in the template, in seconds: 14 days.
const RETENTION: u64 = 1_209_600;

/// The maximum number of receives of both delivery queues. With fewer, a short failure of our
/// own would send tasks to the dead-letter queue.
const MAX_RECEIVES: u64 = 10;

const BATCH_SIZE: u64 = 10;

/// The delivery queues, with the parameters of their mappings.
const DELIVERY: [(&str, &str); 2] = [
    ("DeliveryQueue", "MaximumDeliveryConcurrency"),
    ("SlowDeliveryQueue", "MaximumSlowDeliveryConcurrency"),
];

/// The dead-letter queues, with their names in `webhooks dlq`.
const DEAD_LETTER: [(&str, &str); 3] = [
    ("DeliveryDeadLetterQueue", "deliveries"),
    ("FailedEventsQueue", "events"),
    ("RuleDeadLetterQueue", "rule"),
];

/// `GetQueueAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Queue {
    attributes: BTreeMap<String, String>,
}

/// `ListEventSourceMappings`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mappings {
    event_source_mappings: Vec<Mapping>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mapping {
    #[serde(rename = "UUID")]
    id: String,
    event_source_arn: Option<String>,
    state: Option<String>,
    batch_size: Option<u64>,
    #[serde(default)]
    function_response_types: Vec<String>,
    scaling_config: Option<Scaling>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scaling {
    maximum_concurrency: Option<u64>,
}

impl Queue {
    fn number(&self, attribute: &str) -> Option<u64> {
        self.attributes.get(attribute)?.parse().ok()
    }

    fn document(&self, attribute: &str) -> Option<Value> {
        serde_json::from_str(self.attributes.get(attribute)?).ok()
    }

    fn arn(&self) -> &str {
        let arn = self.attributes.get("QueueArn");
        arn.map(String::as_str).unwrap_or_default()
    }
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("queues and event source mappings");
    let delivery = join_all(DELIVERY.map(|(id, _)| queue(context, id))).await;
    let dead_letter = join_all(DEAD_LETTER.map(|(id, _)| queue(context, id))).await;
    let function = functions::configuration(context, "DeliverWebhookFunction").await;
    let timeout = function.map(|configuration| configuration.timeout);
    let window = context.parameter("BatchingWindowSeconds");
    let window = window.and_then(|p| p.parse().ok()).unwrap_or(0);
    let mappings = mappings(context).await;
    let mut checks = Vec::new();
    for ((id, parameter), queue) in DELIVERY.into_iter().zip(&delivery) {
        let dead = dead_letter[0].as_ref().map(Queue::arn).unwrap_or_default();
        let visibility = |queue: &Queue| match &timeout {
            Ok(timeout) => judge_visibility(queue, *timeout, window),
            Err(outcome) => outcome.clone(),
        };
        checks.extend(judge(
            GROUP,
            id,
            queue,
            &[
                ("redrive policy", &|queue| judge_redrive(queue, dead)),
                ("visibility timeout", &visibility),
                ("retention", &judge_retention),
            ],
        ));
        let expected = context.parameter(parameter).and_then(|p| p.parse().ok());
        let mapping = match (queue, &mappings) {
            (Ok(queue), Ok(mappings)) => mapping_of(mappings, queue.arn()),
            (Err(outcome), _) | (_, Err(outcome)) => Err(outcome.clone()),
        };
        checks.extend(judge(
            GROUP,
            id,
            &mapping,
            &[
                ("mapping enabled", &judge_enabled),
                ("mapping answers for each message", &judge_responses),
                ("mapping batch size", &judge_batch),
                ("mapping concurrency", &|m| judge_concurrency(m, expected)),
            ],
        ));
    }
    for ((id, name), queue) in DEAD_LETTER.into_iter().zip(&dead_letter) {
        let judgments: [Judgment<'_, Queue>; 2] = [
            ("empty", &|queue| judge_empty(queue, name)),
            ("retention", &judge_retention),
        ];
        checks.extend(judge(GROUP, id, queue, &judgments));
    }
    checks.extend(judge(
        GROUP,
        "RuleDeadLetterQueue",
        &dead_letter[2],
        &[("policy", &judge_rule_policy)],
    ));
    checks
}

async fn queue(context: &Context, logical_id: &str) -> Described<Queue> {
    let url = context.resource(logical_id)?;
    let input = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    context.call(&SQS, "GetQueueAttributes", &input).await
}

async fn mappings(context: &Context) -> Described<Mappings> {
    let name = context.resource("DeliverWebhookFunction")?;
    let path = format!("/2015-03-31/event-source-mappings?FunctionName={name}");
    context.get(&LAMBDA, "ListEventSourceMappings", &path).await
}

fn mapping_of(mappings: &Mappings, queue_arn: &str) -> Described<Mapping> {
    let mut mappings = mappings.event_source_mappings.iter();
    let found = mappings.find(|mapping| mapping.event_source_arn.as_deref() == Some(queue_arn));
    found.cloned().ok_or_else(|| {
        Outcome::failed(
            "nothing reads the queue: deliver-webhook has no event source mapping for it",
            "somebody has deleted it: restore it as described in docs/doctor.md, Drift",
        )
    })
}

fn judge_redrive(queue: &Queue, dead_letter_arn: &str) -> Outcome {
    const FIX: &str = "`aws sqs set-queue-attributes` with the RedrivePolicy of the template, or \
                       docs/doctor.md, Drift";
    let Some(policy) = queue.document("RedrivePolicy") else {
        return Outcome::failed(
            "none: a message that cannot be processed is retried for 14 days, and is then lost",
            FIX,
        );
    };
    if policy["deadLetterTargetArn"] != dead_letter_arn {
        return Outcome::failed(
            format!("the dead-letter queue is {}", policy["deadLetterTargetArn"]),
            FIX,
        );
    }
    // It may be a number or a string.
    let receives = policy["maxReceiveCount"].to_string();
    match receives.trim_matches('"').parse::<u64>() {
        Ok(receives) if receives >= MAX_RECEIVES => {
            Outcome::passed(format!("after {receives} receives"))
        }
        _ => Outcome::failed(
            format!(
                "after {receives} receives: a short outage of our own would fill the dead-letter queue"
            ),
            FIX,
        ),
    }
}

/// AWS recommends six times the timeout of the function that polls the queue, plus its batching
/// window (seconds).
fn judge_visibility(queue: &Queue, function_timeout: u64, batching_window: u64) -> Outcome {
    let least = 6 * function_timeout + batching_window;
    match queue.number("VisibilityTimeout") {
        Some(seconds) if seconds >= least => Outcome::passed(format!(
            "{seconds} s, for a function that may take {function_timeout} s"
        )),
        seconds => Outcome::failed(
            format!(
                "{} s is less than the {least} s that AWS asks for (six times the function's \
                 timeout, and the batching window): attempts may be made twice",
                seconds.unwrap_or_default()
            ),
            format!("`aws sqs set-queue-attributes --attributes VisibilityTimeout={least}`"),
        ),
    }
}

fn judge_retention(queue: &Queue) -> Outcome {
    match queue.number("MessageRetentionPeriod") {
        Some(seconds) if seconds >= RETENTION => Outcome::passed("14 days"),
        seconds => Outcome::failed(
            format!("messages are lost after {} s", seconds.unwrap_or_default()),
            format!(
                "`aws sqs set-queue-attributes --attributes MessageRetentionPeriod={RETENTION}`"
            ),
        ),
    }
}

fn judge_enabled(mapping: &Mapping) -> Outcome {
    match mapping.state.as_deref() {
        Some("Enabled") => Outcome::passed("Enabled"),
        Some(state @ ("Enabling" | "Updating" | "Creating")) => Outcome::failed(
            format!("{state}: Lambda does not read the queue yet"),
            "wait a minute, and run this again",
        ),
        state => Outcome::failed(
            format!("{}: nothing reads the queue", state.unwrap_or("no state")),
            format!(
                "`aws lambda update-event-source-mapping --enabled --uuid {}`",
                mapping.id
            ),
        ),
    }
}

fn judge_responses(mapping: &Mapping) -> Outcome {
    let mut types = mapping.function_response_types.iter();
    if types.any(|kind| kind == "ReportBatchItemFailures") {
        return Outcome::passed("ReportBatchItemFailures");
    }
    Outcome::failed(
        "without ReportBatchItemFailures, a message that the function returns as failed is lost",
        format!(
            "`aws lambda update-event-source-mapping --function-response-types \
             ReportBatchItemFailures --uuid {}`",
            mapping.id
        ),
    )
}

fn judge_batch(mapping: &Mapping) -> Outcome {
    match mapping.batch_size {
        Some(BATCH_SIZE) => Outcome::passed(format!("{BATCH_SIZE}")),
        size => Outcome::warned(
            format!(
                "{} messages instead of {BATCH_SIZE}, for which the function's timeout and cost are calculated",
                size.unwrap_or_default()
            ),
            format!(
                "`aws lambda update-event-source-mapping --batch-size {BATCH_SIZE} --uuid {}`",
                mapping.id
            ),
        ),
    }
}

fn judge_concurrency(mapping: &Mapping, expected: Option<u64>) -> Outcome {
    let actual = mapping.scaling_config.as_ref();
    let actual = actual.and_then(|scaling| scaling.maximum_concurrency);
    match (actual, expected) {
        (Some(actual), None) => Outcome::passed(format!("at most {actual}")),
        (Some(actual), Some(expected)) if actual == expected => {
            Outcome::passed(format!("at most {actual}"))
        }
        (actual, expected) => Outcome::failed(
            format!(
                "{}, but the stack's parameter is {}",
                actual.map_or("no bound".to_owned(), |actual| format!("at most {actual}")),
                expected.map_or("one".to_owned(), |expected| expected.to_string())
            ),
            format!(
                "`aws lambda update-event-source-mapping --scaling-config \
                 MaximumConcurrency={} --uuid {}`",
                expected.map_or("N".to_owned(), |expected| expected.to_string()),
                mapping.id
            ),
        ),
    }
}

fn judge_empty(queue: &Queue, name: &str) -> Outcome {
    let count = |attribute| queue.number(attribute).unwrap_or_default();
    let messages =
        count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesNotVisible");
    if messages == 0 {
        return Outcome::passed("empty");
    }
    Outcome::warned(
        format!("about {messages} messages wait for an operator"),
        format!("`webhooks dlq list` shows why; then `webhooks dlq redrive {name} --max 1`"),
    )
}

fn judge_rule_policy(queue: &Queue) -> Outcome {
    let policy = queue.document("Policy").unwrap_or_default();
    let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
    let lets = |statement: &Value| {
        statement["Effect"] == "Allow"
            && statement["Principal"]["Service"] == "events.amazonaws.com"
            && statement["Action"]
                .as_str()
                .is_some_and(|action| action.eq_ignore_ascii_case("sqs:SendMessage"))
    };
    if statements.iter().any(lets) {
        return Outcome::passed("EventBridge may send to it");
    }
    Outcome::failed(
        "EventBridge cannot send to it: if the workflow cannot start for an event, the event is lost",
        "somebody has changed the queue's policy: restore it as described in docs/doctor.md, Drift",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::fixtures::{is_failed, is_passed, is_warned};

    const DEAD: &str = "arn:aws:sqs:us-east-1:123456789012:dead";

    fn queue(attributes: &Value) -> Queue {
        serde_json::from_value(json!({"Attributes": attributes})).unwrap()
    }

    fn mapping(fields: Value) -> Mapping {
        let mut all = json!({
            "UUID": "1", "EventSourceArn": "a", "State": "Enabled", "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 100},
        });
        let (Value::Object(all_fields), Value::Object(fields)) = (&mut all, fields) else {
            panic!("both are objects");
        };
        all_fields.extend(fields);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_missing_or_foreign_redrive_policy_is_red() {
        let policy = |target: &str, receives: Value| {
            let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": receives});
            queue(&json!({"RedrivePolicy": policy.to_string()}))
        };
        assert!(is_passed(&judge_redrive(&policy(DEAD, json!(10)), DEAD)));
        assert!(is_passed(&judge_redrive(&policy(DEAD, json!("10")), DEAD)));
        assert!(is_failed(&judge_redrive(&policy(DEAD, json!(1)), DEAD)));
        assert!(is_failed(&judge_redrive(&policy("x", json!(10)), DEAD)));
        assert!(is_failed(&judge_redrive(&queue(&json!({})), DEAD)));
    }

    #[test]
    fn a_visibility_timeout_below_six_function_timeouts_is_red() {
        let hidden = |seconds: &str| queue(&json!({"VisibilityTimeout": seconds}));
        assert!(is_passed(&judge_visibility(&hidden("138"), 23, 0)));
        assert!(is_failed(&judge_visibility(&hidden("137"), 23, 0)));
        assert!(is_failed(&judge_visibility(&hidden("147"), 23, 10)));
        assert!(is_passed(&judge_visibility(&hidden("148"), 23, 10)));
        assert!(is_failed(&judge_visibility(&queue(&json!({})), 23, 0)));
    }

    #[test]
    fn a_short_retention_is_red() {
        let kept = |seconds: &str| queue(&json!({"MessageRetentionPeriod": seconds}));
        assert!(is_passed(&judge_retention(&kept("1209600"))));
        assert!(is_failed(&judge_retention(&kept("345600"))));
    }

    #[test]
    fn a_mapping_that_is_not_as_deployed_is_red_by_its_part() {
        let good = mapping(json!({}));
        assert!(is_passed(&judge_enabled(&good)) && is_passed(&judge_responses(&good)));
        assert!(is_passed(&judge_batch(&good)));
        assert!(is_passed(&judge_concurrency(&good, Some(100))));
        for state in ["Disabled", "Disabling", "Enabling"] {
            assert!(is_failed(&judge_enabled(&mapping(json!({"State": state})))));
        }
        let silent = mapping(json!({"FunctionResponseTypes": []}));
        assert!(is_failed(&judge_responses(&silent)));
        assert!(is_warned(&judge_batch(&mapping(json!({"BatchSize": 1})))));
        let unbounded = mapping(json!({"ScalingConfig": null}));
        assert!(is_failed(&judge_concurrency(&unbounded, Some(100))));
        assert!(is_failed(&judge_concurrency(&good, Some(20))));
    }

    #[test]
    fn a_queue_that_nothing_empties_is_red() {
        let mappings = Mappings {
            event_source_mappings: vec![mapping(json!({}))],
        };
        assert!(mapping_of(&mappings, "a").is_ok());
        assert!(is_failed(&mapping_of(&mappings, "b").unwrap_err()));
    }

    #[test]
    fn waiting_dead_letters_are_reported_with_their_command() {
        let full = queue(&json!({"ApproximateNumberOfMessages": "3"}));
        let Outcome::Warned { reason, fix } = judge_empty(&full, "events") else {
            panic!("it passed");
        };
        assert!(reason.contains('3') && fix.contains("dlq redrive events"));
        assert!(is_passed(&judge_empty(&queue(&json!({})), "events")));
    }

    #[test]
    fn a_queue_that_eventbridge_cannot_reach_is_red() {
        let allow = json!({"Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage",
            "Principal": {"Service": "events.amazonaws.com"}}]});
        let allowed = queue(&json!({"Policy": allow.to_string()}));
        assert!(is_passed(&judge_rule_policy(&allowed)));
        assert!(is_failed(&judge_rule_policy(&queue(&json!({})))));
    }
}
