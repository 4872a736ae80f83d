//! Finds behaviour in the emulator's answers that AWS does not have.

use bytes::Bytes;
use serde_json::Value;

use super::{
    Row, emf,
    rules::{DATA_BYTES, SYNCHRONOUS_BYTES},
    violation::{Violation, over},
};

/// A rule for answers.
pub(super) struct AnswerRule {
    /// The limit or property that is checked.
    name: &'static str,
    /// The page of AWS's documentation that states it.
    source: &'static str,
    operation: &'static str,
    faults: fn(&Bytes) -> Vec<Violation>,
}

impl AnswerRule {
    pub(super) fn row(&self) -> Row {
        Row {
            name: self.name,
            source: self.source,
        }
    }
}

const QUOTAS: &str = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html";

pub(super) const RULES: &[AnswerRule] = &[
    AnswerRule {
        name: "output of an execution of 262,144 bytes",
        source: QUOTAS,
        operation: "stepfunctions DescribeExecution",
        faults: |body| {
            let answer = json(body);
            ["input", "output"]
                .into_iter()
                .filter_map(|name| too_large(&answer, name, name))
                .collect()
        },
    },
    AnswerRule {
        name: "input and output of a state of 262,144 bytes",
        source: QUOTAS,
        operation: "stepfunctions GetExecutionHistory",
        faults: |body| {
            let answer = json(body);
            let events = answer["events"].as_array().into_iter().flatten();
            let details = events.flat_map(|event| event.as_object().into_iter().flatten());
            details
                .flat_map(|(name, details)| {
                    ["input", "output"]
                        .into_iter()
                        .filter_map(move |part| too_large(details, part, &format!("{name}.{part}")))
                })
                .collect()
        },
    },
    AnswerRule {
        name: "answer of a function of 6 MB",
        source: "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
        operation: "lambda Invoke",
        faults: |body| {
            let is_over = body.len() > SYNCHRONOUS_BYTES;
            let reason = || over(body.len(), SYNCHRONOUS_BYTES, "bytes");
            is_over
                .then(|| Violation::new("Payload", reason()))
                .into_iter()
                .collect()
        },
    },
    AnswerRule {
        name: "metrics in log lines",
        source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html",
        operation: "logs FilterLogEvents",
        faults: |body| {
            let answer = json(body);
            let events = answer["events"].as_array().into_iter().flatten();
            events
                .filter_map(|event| emf::fault(event["message"].as_str()?))
                .collect()
        },
    },
];

/// Returns the rules that an answer breaks, with the violations.
pub(super) fn broken<'a>(
    operation: &'a str,
    body: &'a Bytes,
) -> impl Iterator<Item = (&'static AnswerRule, Violation)> + use<'a> {
    let rules = RULES.iter().filter(move |rule| rule.operation == operation);
    rules.flat_map(|rule| {
        (rule.faults)(body)
            .into_iter()
            .map(move |fault| (rule, fault))
    })
}

/// Parses an answer as JSON; null if it is not JSON.
fn json(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

fn too_large(of: &Value, member: &str, name: &str) -> Option<Violation> {
    let bytes = of.get(member)?.as_str()?.len();
    (bytes > DATA_BYTES).then(|| Violation::new(name, over(bytes, DATA_BYTES, "bytes")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn broken(operation: &str, body: &Value) -> Vec<(&'static str, String)> {
        let body = Bytes::from(body.to_string());
        let broken = super::broken(operation, &body);
        broken
            .map(|(rule, violation)| (rule.name, violation.to_string()))
            .collect()
    }

    #[test]
    fn each_rule_is_broken_beyond_its_bound_and_nowhere_else() {
        let state = |bytes| {
            let details = json!({"name": "PrepareCalls", "output": "x".repeat(bytes)});
            json!({"events": [{"id": 1, "stateExitedEventDetails": details}]})
        };
        let line = |dimensions: usize| {
            let names: Vec<_> = (0..dimensions).map(|n| format!("d{n}")).collect();
            let mut line = json!({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{
                "Namespace": "n", "Dimensions": [names], "Metrics": [{"Name": "m"}],
            }]}, "m": 1});
            for name in names {
                line[name] = json!("value");
            }
            json!({"events": [{"message": line.to_string()}, {"message": "START"}]})
        };
        let output = |bytes| json!({"input": "{}", "output": "x".repeat(bytes)});
        let payload = |bytes| json!("x".repeat(bytes));
        let cases = [
            (
                "stepfunctions DescribeExecution",
                output(DATA_BYTES),
                output(DATA_BYTES + 1),
                "output: ",
            ),
            (
                "stepfunctions GetExecutionHistory",
                state(DATA_BYTES),
                state(DATA_BYTES + 1),
                "stateExitedEventDetails.output: ",
            ),
            (
                "lambda Invoke",
                payload(SYNCHRONOUS_BYTES - 2),
                payload(SYNCHRONOUS_BYTES - 1),
                "Payload: ",
            ),
            (
                "logs FilterLogEvents",
                line(30),
                line(31),
                "_aws.CloudWatchMetrics[0].Dimensions[0]: ",
            ),
        ];
        assert_eq!(cases.len(), RULES.len());
        for (rule, (operation, within, beyond, member)) in RULES.iter().zip(cases) {
            assert_eq!(broken(operation, &within), [], "{}", rule.name);
            let [(name, violation)] = &broken(operation, &beyond)[..] else {
                panic!("{} is not broken once", rule.name);
            };
            assert_eq!(*name, rule.name);
            assert!(violation.starts_with(member), "{violation}");
        }
    }
}
