//! The deployed state machines: their definitions, and the history of an execution.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};
use serde_json::{Value, json};
use webhooks_client::{ExecutionStatus, Stack};

use crate::fixture::Fixture;

/// The error of a conditional put whose item already exists.
pub(crate) const CONDITION_FAILED: &str = "DynamoDB.ConditionalCheckFailedException";

/// Returns true if the second interpreter runs the state machines of this stack. The emulator's own
/// interpreter records no history inside a Map, and neither jitters nor limits its waits. So
/// history and waits are checked only with the second interpreter.
pub(crate) fn by_second_interpreter() -> bool {
    match std::env::var("WEBHOOKS_INTERPRETER").as_deref() {
        Ok("second") => true,
        Ok("emulator") => false,
        other => panic!("WEBHOOKS_INTERPRETER is {other:?}: run `cargo xtask test`"),
    }
}

/// A deployed state machine.
pub(crate) struct Machine {
    sfn: Client,
    pub(crate) arn: String,
    pub(crate) definition: Value,
}

/// A Task state of a definition, possibly inside a Map.
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) state: Value,
    /// The Map state that contains it.
    map: Option<Value>,
    /// True if only the Catch of a failure leads to it.
    pub(crate) after_failure: bool,
}

/// An execution that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) arn: String,
    pub(crate) status: ExecutionStatus,
    pub(crate) output: Option<Value>,
    pub(crate) error: Option<String>,
    /// The entered states in order, as far as the history records them.
    pub(crate) entered: Vec<String>,
    /// The requests to services other than Lambda, in order. The emulator's own history does not
    /// record them.
    pub(crate) requests: Vec<Value>,
    /// The waits between a failed attempt and the next attempt of the same state.
    pub(crate) waits: Vec<Duration>,
    /// The causes of the failed attempts.
    pub(crate) causes: Vec<String>,
}

impl Machine {
    /// Loads a state machine. `output` is the output of the stack that holds its ARN.
    pub(crate) async fn load(stack: &Stack, output: &str) -> Result<Self> {
        let sfn = Client::new(stack.sdk_config());
        let arn = stack.output(output)?.to_owned();
        let described = sfn.describe_state_machine().state_machine_arn(&arn);
        let definition = serde_json::from_str(&described.send().await?.definition)?;
        Ok(Self {
            sfn,
            arn,
            definition,
        })
    }

    /// The same definition with another role and another start state.
    pub(crate) async fn with_role(
        &self,
        name: &str,
        role_arn: &str,
        start_at: &str,
    ) -> Result<Self> {
        let mut definition = self.definition.clone();
        definition["StartAt"] = start_at.into();
        let created = self
            .sfn
            .create_state_machine()
            .name(name)
            .definition(definition.to_string())
            .role_arn(role_arn)
            .send()
            .await?;
        Ok(Self {
            sfn: self.sfn.clone(),
            arn: created.state_machine_arn,
            definition,
        })
    }

    /// Runs the machine. The plan lists the attempts that fail, as in
    /// `State=Error*2,Another=Error*1`: see `crates/xtask/python/planned_failures.py`. An execution
    /// with a plan skips its waits.
    pub(crate) async fn run(&self, test: &Fixture, input: &Value, plan: &str) -> Result<Run> {
        let started = self
            .sfn
            .start_execution()
            .state_machine_arn(format!("{}#{plan}", self.arn))
            .input(input.to_string())
            .send()
            .await?;
        let arn = started.execution_arn;
        let ended = test.execution_end(&arn).await?;
        let described = self.sfn.describe_execution().execution_arn(&arn);
        let output = described.send().await?.output;
        let history: Vec<HistoryEvent> = self
            .sfn
            .get_execution_history()
            .execution_arn(&arn)
            .max_results(1_000)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<_, _>>()
            .await?;
        Ok(Run {
            status: ended.status,
            output: output.map(|text| serde_json::from_str(&text)).transpose()?,
            error: ended.error,
            entered: history.iter().filter_map(entered).collect(),
            requests: history.iter().filter_map(request).collect(),
            waits: waits(&history),
            causes: history.iter().filter_map(cause).collect(),
            arn,
        })
    }

    /// Keeps the states that the history of an execution records.
    pub(crate) fn shown(&self, states: &[&str]) -> Vec<String> {
        let top_level = self.definition["States"].as_object().unwrap();
        let shown = states
            .iter()
            .filter(|name| by_second_interpreter() || top_level.contains_key(**name));
        shown.map(|name| (*name).to_owned()).collect()
    }

    /// Every Task of the definition.
    pub(crate) fn tasks(&self) -> Vec<Task> {
        let usual = reached_without_failure(&self.definition);
        let mut found = Vec::new();
        for (name, state) in states(&self.definition) {
            let after_failure = !usual.contains(&name);
            for (inner, task) in states(&state["ItemProcessor"]) {
                if task["Type"] == "Task" {
                    found.push(Task {
                        name: inner,
                        state: task,
                        map: Some(state.clone()),
                        after_failure,
                    });
                }
            }
            if state["Type"] == "Task" {
                found.push(Task {
                    name,
                    state,
                    map: None,
                    after_failure,
                });
            }
        }
        assert!(!found.is_empty());
        found
    }
}

impl Task {
    /// The errors that the definition names, and one of each other kind that AWS reports for the
    /// service.
    pub(crate) fn errors(&self) -> BTreeSet<String> {
        let resource = self.state["Resource"].as_str().unwrap();
        let service: &[&str] = if resource.contains(":dynamodb:") {
            &[
                "DynamoDB.AmazonDynamoDBException",
                "DynamoDB.ProvisionedThroughputExceededException",
            ]
        } else if resource.contains(":sqs:") {
            &["SQS.AmazonSQSException", "SQS.SdkClientException"]
        } else {
            &[
                "Lambda.ResourceConflictException",
                "Lambda.TooManyRequestsException",
                "Lambda.Unknown",
            ]
        };
        let any = ["States.TaskFailed", "States.Timeout"];
        let handlers = ["Retry", "Catch"].map(|field| self.state[field].as_array());
        let named = handlers.into_iter().flatten().flatten().flat_map(names);
        named
            .filter(|name| *name != "States.ALL")
            .chain(service.iter().copied())
            .chain(any)
            .map(str::to_owned)
            .collect()
    }

    /// The longest allowed wait before each further attempt after this error.
    pub(crate) fn longest_waits(&self, error: &str) -> Vec<Duration> {
        let Some(retrier) = handler(&self.state["Retry"], error) else {
            return Vec::new();
        };
        let attempts = retrier["MaxAttempts"].as_i64().unwrap();
        let number = |field: &str| retrier[field].as_f64().unwrap();
        (0..i32::try_from(attempts).unwrap())
            .map(|n| number("IntervalSeconds") * number("BackoffRate").powi(n))
            .map(|seconds| Duration::from_secs_f64(seconds.min(number("MaxDelaySeconds"))))
            .collect()
    }

    /// The state that follows when the attempts after this error are exhausted. `None` if the
    /// execution fails.
    pub(crate) fn after(&self, error: &str) -> Option<String> {
        let map = self.map.as_ref().map(|map| &map["Catch"]);
        let catcher = handler(&self.state["Catch"], error).or_else(|| handler(map?, error))?;
        catcher["Next"].as_str().map(str::to_owned)
    }
}

/// The first retrier or catcher that handles an error.
fn handler<'a>(handlers: &'a Value, error: &str) -> Option<&'a Value> {
    handlers.as_array()?.iter().find(|handler| {
        names(handler).any(|name| match name {
            "States.ALL" => true,
            "States.TaskFailed" => error != "States.Timeout",
            name => name == error,
        })
    })
}

fn names(handler: &Value) -> impl Iterator<Item = &str> {
    let names = handler["ErrorEquals"].as_array();
    names.into_iter().flatten().filter_map(Value::as_str)
}

fn states(level: &Value) -> BTreeMap<String, Value> {
    let states = level["States"].as_object().cloned().unwrap_or_default();
    states.into_iter().collect()
}

fn reached_without_failure(definition: &Value) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![definition["StartAt"].as_str().unwrap().to_owned()];
    while let Some(name) = open.pop() {
        let state = &definition["States"][&name];
        if !reached.insert(name) {
            continue;
        }
        let choices = state["Choices"].as_array().into_iter().flatten();
        let next = choices.map(|choice| &choice["Next"]);
        let next = next.chain([&state["Next"], &state["Default"]]);
        // An item that is there is no failure.
        let there = state["Catch"].as_array().into_iter().flatten();
        let there = there.filter(|catch| catch["ErrorEquals"] == json!([CONDITION_FAILED]));
        let next = next.chain(there.map(|catch| &catch["Next"]));
        open.extend(next.filter_map(Value::as_str).map(str::to_owned));
    }
    reached
}

fn entered(event: &HistoryEvent) -> Option<String> {
    let details = event.state_entered_event_details()?;
    Some(details.name().to_owned())
}

fn request(event: &HistoryEvent) -> Option<Value> {
    let details = event.task_scheduled_event_details()?;
    serde_json::from_str(details.parameters()).ok()
}

fn cause(event: &HistoryEvent) -> Option<String> {
    let task = event.task_failed_event_details();
    let function = event.lambda_function_failed_event_details();
    let cause = task.and_then(|details| details.cause());
    let cause = cause.or_else(|| function.and_then(|details| details.cause()));
    cause.map(str::to_owned)
}

fn waits(history: &[HistoryEvent]) -> Vec<Duration> {
    let mut waits = Vec::new();
    let mut failed_at = None;
    for event in history {
        match event.r#type() {
            HistoryEventType::TaskFailed
            | HistoryEventType::TaskTimedOut
            | HistoryEventType::LambdaFunctionFailed
            | HistoryEventType::LambdaFunctionTimedOut => failed_at = Some(event.timestamp()),
            HistoryEventType::TaskScheduled | HistoryEventType::LambdaFunctionScheduled => {
                let since = failed_at.take().map(|at| at.to_millis().unwrap());
                let waited = since.map(|at| event.timestamp().to_millis().unwrap() - at);
                let waited = waited.map(|millis| u64::try_from(millis).unwrap());
                waits.extend(waited.map(Duration::from_millis));
            }
            _ if event.state_entered_event_details().is_some() => failed_at = None,
            _ => {}
        }
    }
    waits
}
