//! `doctor --test-states`: tests every state of both workflows with `TestState` of Step
//! Functions, which evaluates a state with AWS's own interpreter and a mocked result, free of
//! charge.
//!
//! The deployed definition is tested. The cases are in `statemachine/cases`, and a test checks
//! that each state has at least one.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::test_state::TestStateOutput;
use aws_sdk_sfn::types::{
    MockErrorOutput, MockInput, MockResponseValidationMode, TestStateConfiguration,
};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::context::{Context, Described};
use super::report::{Check, Group, Outcome};

const GROUP: Group = Group("states");

/// Below the account's rate limit for such calls.
const AT_ONCE: usize = 4;

const WORKFLOWS: [(&str, &str, &str); 2] = [
    (
        "WebhookDelivery",
        "StateMachineArn",
        include_str!("../../../../statemachine/cases/webhook-delivery.json"),
    ),
    (
        "Recovery",
        "RecoveryStateMachineArn",
        include_str!("../../../../statemachine/cases/recovery.json"),
    ),
];

/// The input of a state, and its expected result.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    state: String,
    #[serde(rename = "case")]
    name: String,
    input: Value,
    #[serde(default)]
    variables: Map<String, Value>,
    context: Option<Map<String, Value>>,
    /// The task's result, if it succeeds.
    result: Option<Value>,
    /// The task's error, if it fails after `retries` retries.
    error: Option<String>,
    #[serde(default)]
    retries: i32,
    status: String,
    next: Option<String>,
    output: Option<Value>,
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    let client = Client::new(context.stack.sdk_config());
    let mut checks = Vec::new();
    for (workflow, output, cases) in WORKFLOWS {
        context
            .progress
            .say(&format!("trying the states of {workflow}"));
        let definition = match definition(context, &client, output).await {
            Ok(definition) => definition,
            Err(outcome) => {
                checks.push(GROUP.check(workflow, outcome));
                continue;
            }
        };
        let cases: Vec<Case> = serde_json::from_str(cases).expect("a test reads the file");
        let tried = stream::iter(&cases).map(async |case| {
            let outcome = outcome(context, &client, &definition, case).await;
            GROUP.check(format!("{}: {}", case.state, case.name), outcome)
        });
        let tried: Vec<Check> = tried.buffered(AT_ONCE).collect().await;
        checks.extend(tried);
    }
    checks
}

/// Reads the deployed definition.
async fn definition(context: &Context, client: &Client, output: &str) -> Described<Value> {
    let arn = context.output(output)?;
    let describe = client
        .describe_state_machine()
        .state_machine_arn(arn)
        .send();
    let described = context.ask("states:DescribeStateMachine", describe).await?;
    serde_json::from_str(&described.definition).map_err(|error| {
        Outcome::failed(
            format!("the deployed definition is not JSON: {error}"),
            "deploy the template's own version again",
        )
    })
}

async fn outcome(context: &Context, client: &Client, definition: &Value, case: &Case) -> Outcome {
    let is_local = context.is_local();
    let Some(machine) = machine_of(definition, &case.state) else {
        return Outcome::failed(
            format!("the deployed definition has no state {}", case.state),
            "deploy the template of this command's version",
        );
    };
    if let Some(reason) = not_offered(&machine["States"][&case.state], case, is_local) {
        return Outcome::skipped(reason);
    }
    let mut call = client
        .test_state()
        .definition(machine.to_string())
        .state_name(&case.state)
        .input(case.input.to_string())
        .set_mock(case.mock());
    if !case.variables.is_empty() {
        call = call.variables(Value::from(case.variables.clone()).to_string());
    }
    if case.retries > 0 {
        let configuration = TestStateConfiguration::builder();
        let configuration = configuration.retrier_retry_count(case.retries).build();
        call = call.state_configuration(configuration);
    }
    if let Some(context) = case.context(is_local) {
        call = call.context(Value::from(context).to_string());
    }
    // AWS has a separate host for this call. An emulator has not.
    let call = call.customize().mutate_request(move |request| {
        if is_local {
            let uri = request.uri().replacen("://sync-", "://", 1);
            // It was a valid URI before.
            let _ = request.set_uri(uri);
        }
    });
    match context.ask("states:TestState", call.send()).await {
        Ok(answer) => judge(case, &answer, is_local),
        Err(outcome) => outcome,
    }
}

/// Returns the state machine that contains a state: the definition, or the processor of its
/// Map.
fn machine_of(definition: &Value, state: &str) -> Option<Value> {
    let language = &definition["QueryLanguage"];
    let states = definition["States"].as_object()?;
    let processors = states.values().map(|state| &state["ItemProcessor"]);
    let mut machines = std::iter::once(definition).chain(processors);
    let found = machines.find(|machine| machine["States"].get(state).is_some())?;
    let mut machine = json!({"StartAt": found["StartAt"], "States": found["States"]});
    if !language.is_null() {
        machine["QueryLanguage"] = language.clone();
    }
    Some(machine)
}

/// Returns the reason why a case cannot be tested.
fn not_offered(state: &Value, case: &Case, is_local: bool) -> Option<&'static str> {
    let kind = state["Type"].as_str().unwrap_or_default();
    let is_mocked = case.result.is_some() || case.error.is_some();
    if is_local {
        // Limits of `TestState` in MiniStack 1.5.33.
        return match (kind, &case.error) {
            ("Map", _) => Some("the local emulator does not test a Map"),
            ("Task", Some(_)) if state["Catch"].is_array() && case.status == "RETRIABLE" => {
                Some("the local emulator applies Catch before Retry")
            }
            _ => None,
        };
    }
    (case.context.is_some() && !is_mocked).then_some(
        "TestState accepts a context only with a mock, and no mock for a state of this type",
    )
}

impl Case {
    fn mock(&self) -> Option<MockInput> {
        let mock = MockInput::builder().field_validation_mode(MockResponseValidationMode::Present);
        if let Some(result) = &self.result {
            return Some(mock.result(result.to_string()).build());
        }
        let error = self.error.as_ref()?;
        let error = MockErrorOutput::builder().error(error).cause("of a test");
        Some(mock.error_output(error.build()).build())
    }

    /// Returns the context object. For the emulator, it contains the variables.
    fn context(&self, is_local: bool) -> Option<Map<String, Value>> {
        let mut context = self.context.clone();
        if is_local && !self.variables.is_empty() {
            let context = context.get_or_insert_default();
            context.insert("variables".to_owned(), Value::from(self.variables.clone()));
        }
        context
    }
}

fn judge(case: &Case, answer: &TestStateOutput, is_local: bool) -> Outcome {
    let status = answer.status().map_or("none", |status| status.as_str());
    let next = answer.next_state();
    if status != case.status || next != case.next.as_deref() {
        let next = next.unwrap_or("none");
        let because = [answer.error(), answer.cause()];
        let because: Vec<_> = because.into_iter().flatten().collect();
        return Outcome::failed(
            format!(
                "{status}, next state {next}, instead of {}, {} {}",
                case.status,
                case.next.as_deref().unwrap_or("none"),
                because.join(": ")
            ),
            "attach the report to an issue",
        );
    }
    let output = answer
        .output()
        .and_then(|text| serde_json::from_str(text).ok());
    let output: Value = output.unwrap_or_default();
    match &case.output {
        // The emulator does not apply a state's own Output.
        Some(expected) if !is_local && output != *expected => Outcome::failed(
            format!("the output is {output} instead of {expected}"),
            "attach the report to an issue",
        ),
        _ => Outcome::passed(match next {
            Some(next) => format!("{status}, then {next}"),
            None => status.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_sdk_sfn::types::TestExecutionStatus;

    use super::*;

    fn cases() -> Vec<(Value, Vec<Case>)> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../statemachine");
        let files = ["webhook-delivery.asl.json", "recovery.asl.json"];
        let definitions = files.map(|file| {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            serde_json::from_str(&text).unwrap()
        });
        let cases = WORKFLOWS.map(|(_, _, cases)| serde_json::from_str(cases).unwrap());
        definitions.into_iter().zip(cases).collect()
    }

    #[test]
    fn every_state_has_a_case_and_every_case_a_state() {
        for (definition, cases) in cases() {
            let mut missing: BTreeSet<String> = BTreeSet::new();
            let states = definition["States"].as_object().unwrap();
            for (name, state) in states {
                missing.insert(name.clone());
                let inner = state["ItemProcessor"]["States"].as_object();
                missing.extend(inner.into_iter().flatten().map(|(name, _)| name.clone()));
            }
            for case in &cases {
                let machine = machine_of(&definition, &case.state);
                let machine = machine.unwrap_or_else(|| panic!("{}", case.state));
                if let Some(next) = &case.next {
                    assert!(machine["States"].get(next).is_some(), "{next}");
                }
                missing.remove(&case.state);
            }
            assert_eq!(missing, BTreeSet::new());
        }
    }

    /// Checks that each target of a Choice or a Catch has a case.
    #[test]
    fn every_way_out_of_a_choice_and_of_a_catch_has_a_case() {
        for (definition, cases) in cases() {
            let mut names: Vec<_> = cases.iter().map(|case| case.state.as_str()).collect();
            names.dedup();
            for name in names {
                let state = &machine_of(&definition, name).unwrap()["States"][name];
                let of = |list: &str| state[list].as_array().cloned().unwrap_or_default();
                let ways = of("Choices").into_iter().chain(of("Catch"));
                let ways = ways.map(|way| way["Next"].as_str().unwrap().to_owned());
                let default = state["Default"].as_str().map(str::to_owned);
                for way in ways.chain(default) {
                    let mut known = cases.iter().filter(|case| case.state == name);
                    let found = known.any(|case| case.next.as_ref() == Some(&way));
                    assert!(found, "{name} to {way}");
                }
            }
        }
    }

    #[test]
    fn another_status_next_state_or_output_is_named() {
        let case: Case = serde_json::from_value(json!({
            "state": "A", "case": "a", "input": {}, "status": "SUCCEEDED", "next": "B",
            "output": {"n": 1},
        }))
        .unwrap();
        let answer = |status, next: &str, output: &str| {
            let answer = TestStateOutput::builder().status(status);
            answer.next_state(next).output(output).build()
        };
        let judged =
            |status, next, output, local| judge(&case, &answer(status, next, output), local);
        let good = TestExecutionStatus::Succeeded;
        assert!(matches!(
            judged(good.clone(), "B", r#"{"n":1}"#, false),
            Outcome::Passed { .. }
        ));
        assert!(matches!(
            judged(good.clone(), "B", "{}", true),
            Outcome::Passed { .. }
        ));
        let reason = |outcome| match outcome {
            Outcome::Failed { reason, .. } => reason,
            other => panic!("{other:?}"),
        };
        assert!(reason(judged(good.clone(), "B", "{}", false)).contains("instead of {\"n\":1}"));
        assert!(reason(judged(good, "C", r#"{"n":1}"#, false)).contains("next state C"));
        let failed = TestExecutionStatus::Failed;
        assert!(reason(judged(failed, "B", r#"{"n":1}"#, false)).starts_with("FAILED"));
    }
}
