//! Rules that the definitions in `statemachine` keep. AWS refuses some breaches only
//! when a definition is deployed, the local emulator none.

// A failed `unwrap` or index shows more in a test than a handled one would.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use webhooks_domain::errors;
use webhooks_domain::recovery::Recovery;
use webhooks_tests::template;

/// The names that a Lambda task reports beside its function's own.
///
/// From the Step Functions guide, "Handle Lambda service exceptions" and "Handling
/// errors in Step Functions workflows". `Runtime.ExitError` is the Lambda
/// guide's, for a function whose process ended.
const LAMBDA_ERRORS: &[&str] = &[
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
];

/// From the Step Functions guide, "Handling errors in Step Functions workflows".
const STATES_ERRORS: &[&str] = &["States.ALL", "States.TaskFailed", "States.Timeout"];

/// The exception of a conditional write that a workflow decides on.
const CONDITION_FAILED: &str = "DynamoDB.ConditionalCheckFailedException";

/// The fields of `JSONPath` states, which a `JSONata` definition must not have.
const JSON_PATH_FIELDS: &[&str] = &[
    "InputPath",
    "ItemsPath",
    "MaxConcurrencyPath",
    "OutputPath",
    "Parameters",
    "ResultPath",
    "ResultSelector",
    "TimeoutSecondsPath",
    "Variable",
];

/// An Express execution is ended after five minutes, and no state catches that.
const EXPRESS_LIMIT_SECONDS: f64 = 300.0;

/// An inline Map runs no more iterations at once.
const INLINE_MAP_CONCURRENCY: u64 = 40;

#[test]
fn the_definition_speaks_jsonata_only() {
    for (_, definition) in definitions() {
        assert_eq!(definition["QueryLanguage"], "JSONata");
        each_object(&definition, &mut |object| {
            for key in object.keys() {
                assert!(
                    !JSON_PATH_FIELDS.contains(&key.as_str()),
                    "{key} belongs to JSONPath"
                );
                assert!(!key.ends_with(".$"), "{key} belongs to JSONPath");
            }
        });
    }
}

#[test]
fn every_expression_reads_variables_that_some_state_assigns() {
    for (_, definition) in definitions() {
        let mut assigned = BTreeSet::from(["states".to_owned()]);
        each_object(&definition, &mut |object| {
            if let Some(Value::Object(variables)) = object.get("Assign") {
                assigned.extend(variables.keys().cloned());
            }
        });
        let mut seen = 0;
        each_text(&definition, &mut |text| {
            let expression = text.strip_prefix("{%").map(|rest| {
                rest.strip_suffix("%}")
                    .unwrap_or_else(|| panic!("`{text}` does not end its expression"))
            });
            let Some(expression) = expression else {
                assert!(
                    !text.contains("{%"),
                    "`{text}` is no expression: AWS takes it as text"
                );
                return;
            };
            seen += 1;
            for variable in variables(expression) {
                assert!(
                    assigned.contains(&variable),
                    "`{text}` reads ${variable}, which nothing assigns"
                );
            }
        });
        assert!(seen > 0);
    }
}

#[test]
fn the_machine_and_every_state_say_what_they_are_for() {
    for (_, definition) in definitions() {
        assert!(definition["Comment"].is_string());
        for (name, state) in states(&definition) {
            assert!(
                state["Comment"]
                    .as_str()
                    .is_some_and(|text| text.ends_with('.')),
                "{name}"
            );
            let pascal_case = name.starts_with(|letter: char| letter.is_ascii_uppercase())
                && name.chars().all(|letter| letter.is_ascii_alphabetic());
            assert!(pascal_case, "{name}");
        }
    }
}

#[test]
fn every_state_can_be_reached_and_leads_somewhere() {
    for (_, definition) in definitions() {
        assert_connected(&definition, "the machine");
        for (name, state) in states(&definition) {
            if let Some(processor) = state.get("ItemProcessor") {
                assert_eq!(processor["ProcessorConfig"]["Mode"], "INLINE", "{name}");
                assert!(
                    state["MaxConcurrency"].as_u64().unwrap() <= INLINE_MAP_CONCURRENCY,
                    "{name}"
                );
                assert_connected(processor, &name);
            }
        }
    }
}

#[test]
fn every_choice_has_a_default() {
    for (name, state) in of_type("Choice") {
        assert!(state["Default"].is_string(), "{name}");
        for choice in state["Choices"].as_array().unwrap() {
            assert!(choice["Condition"].is_string(), "{name}");
        }
    }
}

#[test]
fn every_task_has_a_time_limit_that_its_function_ends_within() {
    let template = template::load().unwrap();
    for (name, state) in of_type("Task") {
        let timeout = state["TimeoutSeconds"]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}"));
        if let Some(function) = function_of(&state) {
            let function_timeout = template["Resources"][&function]["Properties"]["Timeout"]
                .as_u64()
                .unwrap();
            assert!(
                timeout > function_timeout,
                "{name} gives up before {function}"
            );
        }
    }
}

#[test]
fn every_task_retries_with_jitter_and_a_longest_delay() {
    for (name, state) in of_type("Task") {
        let retriers = state["Retry"]
            .as_array()
            .unwrap_or_else(|| panic!("{name} has no Retry"));
        assert!(
            retriers.iter().any(|retrier| retrier["MaxAttempts"] != 0),
            "{name} never retries"
        );
        for retrier in retriers
            .iter()
            .filter(|retrier| retrier["MaxAttempts"] != 0)
        {
            assert_eq!(retrier["JitterStrategy"], "FULL", "{name}");
            assert!(
                retrier["MaxAttempts"]
                    .as_u64()
                    .is_some_and(|attempts| attempts >= 3),
                "{name}"
            );
            assert!(
                retrier["BackoffRate"]
                    .as_f64()
                    .is_some_and(|rate| rate >= 1.0),
                "{name}"
            );
            let interval = retrier["IntervalSeconds"].as_u64().unwrap();
            let longest = retrier["MaxDelaySeconds"]
                .as_u64()
                .unwrap_or_else(|| panic!("{name}"));
            assert!(
                longest > interval,
                "{name}: AWS wants MaxDelaySeconds over IntervalSeconds"
            );
        }
    }
}

#[test]
fn states_all_stands_alone_and_last() {
    for (name, state) in all_states() {
        for field in ["Retry", "Catch"] {
            let handlers = state[field].as_array().cloned().unwrap_or_default();
            for (index, handler) in handlers.iter().enumerate() {
                let names = error_names(handler);
                assert!(!names.is_empty(), "{name}: {field} {index} matches nothing");
                if names.iter().any(|error| error == "States.ALL") {
                    assert_eq!(names.len(), 1, "{name}: {field} {index}");
                    assert_eq!(index + 1, handlers.len(), "{name}: {field} {index}");
                }
            }
        }
    }
}

#[test]
fn every_error_name_is_one_that_the_state_can_report() {
    for (name, state) in all_states() {
        let resource = state["Resource"].as_str().unwrap_or_default();
        let mut known: Vec<&str> = STATES_ERRORS.to_vec();
        match function_of(&state).as_deref() {
            Some("LookUpSubscriptionsFunction") => known.extend(errors::LOOK_UP_SUBSCRIPTIONS),
            Some("PrepareCallsFunction") => known.extend(errors::PREPARE_CALLS),
            Some("RecoverDeliveriesFunction") => known.extend(errors::RECOVER_DELIVERIES),
            Some(other) => panic!("{name}: no list of the errors of {other}"),
            None if resource.contains(":dynamodb:") => known.push(CONDITION_FAILED),
            None => {}
        }
        if function_of(&state).is_some() {
            known.extend(LAMBDA_ERRORS);
        }
        for field in ["Retry", "Catch"] {
            for handler in state[field].as_array().into_iter().flatten() {
                for error in error_names(handler) {
                    assert!(
                        known.contains(&error.as_str()),
                        "{name}: {field} of {error}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_store_that_does_not_answer_is_asked_again() {
    let [(_, delivery), (_, recovery)] = definitions();
    for (state, known) in [
        (
            &delivery["States"]["LookUpSubscriptions"],
            errors::LOOK_UP_SUBSCRIPTIONS,
        ),
        (
            &recovery["States"]["RecoverDeliveries"],
            errors::RECOVER_DELIVERIES,
        ),
    ] {
        let retried: Vec<String> = state["Retry"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(error_names)
            .collect();
        for error in known {
            assert_eq!(
                retried.iter().any(|retried| retried == error),
                *error == errors::STORE_UNAVAILABLE,
                "{error}"
            );
        }
    }
}

#[test]
fn whatever_fails_parks_the_event() {
    let definition = load();
    let mut caught = BTreeSet::new();
    for (name, state) in top_level(&definition) {
        let has_work = state["Type"] == "Task" || state["Type"] == "Map";
        if !has_work || name == "ParkEvent" {
            continue;
        }
        let last = state["Catch"]
            .as_array()
            .and_then(|catchers| catchers.last());
        let last = last.unwrap_or_else(|| panic!("{name} catches nothing"));
        assert_eq!(last["ErrorEquals"], json!(["States.ALL"]), "{name}");
        assert_eq!(last["Next"], "ParkEvent", "{name}");
        assert_eq!(
            last["Assign"],
            json!({"failure": "{% $states.errorOutput %}"}),
            "{name}"
        );
        caught.insert(name);
    }
    // Inside a Map nothing may swallow a failure: the Map's own Catch parks it.
    for (name, state) in states(&definition) {
        if state["Type"] == "Task" && !caught.contains(&name) && name != "ParkEvent" {
            for catcher in state["Catch"].as_array().into_iter().flatten() {
                assert_eq!(catcher["ErrorEquals"], json!([CONDITION_FAILED]), "{name}");
            }
        }
    }
    let park = &definition["States"]["ParkEvent"];
    assert_eq!(
        park["Arguments"]["MessageBody"],
        "{% $states.context.Execution.Input %}"
    );
    assert_eq!(park["Next"], "Failed");
    assert_eq!(definition["States"]["Failed"]["Type"], "Fail");
}

#[test]
fn a_failed_event_is_parked_before_the_execution_is_ended() {
    let slowest_park = worst_case_seconds(&load()["States"]["ParkEvent"]);
    for (name, state) in states(&load()) {
        if state["Type"] == "Task" && name != "ParkEvent" {
            let seconds = worst_case_seconds(&state) + slowest_park;
            assert!(
                seconds < EXPRESS_LIMIT_SECONDS,
                "{name} and ParkEvent take up to {seconds} s"
            );
        }
    }
}

#[test]
fn an_item_is_written_once_and_a_duplicate_goes_on() {
    let mut writes = 0;
    for (name, state) in of_type("Task") {
        if !state["Resource"]
            .as_str()
            .unwrap()
            .ends_with("dynamodb:putItem")
        {
            continue;
        }
        writes += 1;
        assert_eq!(
            state["Arguments"]["ConditionExpression"], "attribute_not_exists(pk)",
            "{name}"
        );
        assert_eq!(
            state["Retry"][0],
            json!({"ErrorEquals": [CONDITION_FAILED], "MaxAttempts": 0}),
            "{name}"
        );
        let duplicate = &state["Catch"][0];
        assert_eq!(
            duplicate["ErrorEquals"],
            json!([CONDITION_FAILED]),
            "{name}"
        );
        assert_eq!(duplicate["Next"], state["Next"], "{name}");
        assert_eq!(duplicate["Output"], state["Output"], "{name}");
    }
    assert_eq!(writes, 2);
}

#[test]
fn every_definition_is_of_a_state_machine() {
    let template = template::load().unwrap();
    let machines = template["Resources"].as_object().unwrap().iter();
    let machines: BTreeSet<&str> = machines
        .filter(|(_, resource)| resource["Type"] == "AWS::Serverless::StateMachine")
        .map(|(id, _)| id.as_str())
        .collect();
    let known = definitions();
    let known: BTreeSet<&str> = known.iter().map(|(id, _)| *id).collect();
    assert_eq!(machines, known);
    let files = std::fs::read_dir(template::root().join("statemachine")).unwrap();
    assert_eq!(files.count(), known.len());
}

#[test]
fn a_page_of_a_recovery_that_fails_for_good_says_so() {
    let [_, (_, recovery)] = definitions();
    let page = &recovery["States"]["RecoverDeliveries"];
    let last = page["Catch"].as_array().unwrap().last().unwrap();
    assert_eq!(last["ErrorEquals"], json!(["States.ALL"]));
    assert_eq!(last["Next"], "MarkFailed");
    let mark = &recovery["States"]["MarkFailed"];
    assert_eq!(mark["Next"], "Failed");
    assert_eq!(mark["Catch"][0]["Next"], "Failed");
    assert_eq!(recovery["States"]["Failed"]["Type"], "Fail");
}

#[test]
fn a_recovery_that_is_not_heard_of_is_dead() {
    let [_, (_, recovery)] = definitions();
    let page = worst_case_seconds(&recovery["States"]["RecoverDeliveries"]);
    // The longest wait between two pages.
    let silence = page + 30.0;
    assert!(silence < Recovery::SILENCE.as_secs_f64(), "{silence} s");
}

#[test]
fn a_recovery_is_no_longer_than_one_execution_can_be() {
    let [_, (_, recovery)] = definitions();
    // What a state adds to the history: a task that calls a function 5 events, others 2.
    let events = |kind: &str| if kind == "Task" { 5 } else { 2 };
    let page = ["RecoverDeliveries", "MoreToRecover", "WaitForEndpoint"];
    let page: u32 = page
        .iter()
        .map(|state| events(recovery["States"][state]["Type"].as_str().unwrap()))
        .sum();
    // Every page in ten may fail once, which adds 3.
    let all = Recovery::MAX_PAGES * page + Recovery::MAX_PAGES / 10 * 3;
    assert!(all < 25_000, "{all} events");
}

#[test]
fn numbers_pass_the_workflow_untouched() {
    for (name, state) in of_type("Task") {
        if function_of(&state).is_some() {
            assert!(
                state.get("Arguments").is_none(),
                "{name}: JSONata would rewrite the event's numbers"
            );
        }
    }
}

#[test]
fn what_is_recorded_is_what_the_look_up_says() {
    let choices = &load()["States"]["HasSubscriptions"]["Choices"];
    assert_eq!(choices[0]["Condition"], "{% $states.input.record %}");
    assert_eq!(choices[0]["Next"], "PrepareCalls");
}

#[test]
fn only_parking_reads_the_event() {
    for (name, state) in top_level(&load()) {
        if name == "ParkEvent" {
            continue;
        }
        each_text(&state, &mut |text| {
            assert!(!text.contains("Execution.Input"), "{name}: {text}");
        });
    }
}

#[test]
fn the_template_substitutes_what_the_definition_names_and_no_more() {
    let template = template::load().unwrap();
    for (resource, _) in definitions() {
        let text = text(resource);
        let used: BTreeSet<&str> = text
            .split("${")
            .skip(1)
            .map(|rest| rest.split_once('}').unwrap().0)
            .collect();
        let given = &template["Resources"][resource]["Properties"]["DefinitionSubstitutions"];
        let given: BTreeSet<&str> = given
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(used, given, "{resource}");
        assert!(!text.contains("arn:aws"), "an ARN is written out");
        assert!(!text.contains("https:"), "a URL is written out");
    }
}

/// The definition of a state machine of the template, as it stands in its file.
fn text(resource: &str) -> String {
    let template = template::load().unwrap();
    let file = &template["Resources"][resource]["Properties"]["DefinitionUri"];
    std::fs::read_to_string(template::root().join(file.as_str().unwrap())).unwrap()
}

/// The delivery workflow.
fn load() -> Value {
    serde_json::from_str(&text("WebhookDelivery")).unwrap()
}

/// Every definition, by its resource.
fn definitions() -> [(&'static str, Value); 2] {
    let recovery = serde_json::from_str(&text("Recovery")).unwrap();
    [("WebhookDelivery", load()), ("Recovery", recovery)]
}

/// The states of every definition.
fn all_states() -> Vec<(String, Value)> {
    let all = definitions().into_iter();
    all.flat_map(|(_, definition)| states(&definition))
        .collect()
}

/// The states of the machine itself, without those inside a Map.
fn top_level(definition: &Value) -> BTreeMap<String, Value> {
    let states = definition["States"].as_object().unwrap();
    states
        .iter()
        .map(|(name, state)| (name.clone(), state.clone()))
        .collect()
}

/// All states, those inside a Map too.
fn states(definition: &Value) -> BTreeMap<String, Value> {
    let mut found = top_level(definition);
    for state in top_level(definition).values() {
        if let Some(processor) = state.get("ItemProcessor") {
            for (name, inner) in states(processor) {
                assert!(
                    found.insert(name.clone(), inner).is_none(),
                    "two states are called {name}"
                );
            }
        }
    }
    found
}

fn of_type(kind: &str) -> Vec<(String, Value)> {
    let found: Vec<_> = all_states()
        .into_iter()
        .filter(|(_, state)| state["Type"] == kind)
        .collect();
    assert!(!found.is_empty(), "no state is a {kind}");
    found
}

/// The logical id of a Task's function.
fn function_of(state: &Value) -> Option<String> {
    let resource = state["Resource"].as_str()?;
    let id = resource.strip_prefix("${")?.strip_suffix("FunctionArn}")?;
    Some(format!("{id}Function"))
}

fn error_names(handler: &Value) -> Vec<String> {
    let names = handler["ErrorEquals"].as_array().unwrap();
    names
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

/// How long a Task takes when every attempt times out and every delay is the longest.
fn worst_case_seconds(state: &Value) -> f64 {
    let timeout = state["TimeoutSeconds"].as_f64().unwrap();
    let mut total = timeout;
    for retrier in state["Retry"].as_array().unwrap() {
        let mut delay = retrier["IntervalSeconds"].as_f64().unwrap_or_default();
        for _ in 0..retrier["MaxAttempts"].as_u64().unwrap() {
            total += timeout + delay.min(retrier["MaxDelaySeconds"].as_f64().unwrap());
            delay *= retrier["BackoffRate"].as_f64().unwrap();
        }
    }
    total
}

/// Asserts that the states of one level can all be reached from its start, that
/// every name exists, and that every state ends or goes on.
fn assert_connected(level: &Value, place: &str) {
    let states = level["States"].as_object().unwrap();
    let mut reached = BTreeSet::new();
    let mut open = vec![level["StartAt"].as_str().unwrap()];
    while let Some(name) = open.pop() {
        if !reached.insert(name) {
            continue;
        }
        let state = states
            .get(name)
            .unwrap_or_else(|| panic!("{place}: no state {name}"));
        let handlers = ["Catch", "Choices"]
            .into_iter()
            .filter_map(|field| state[field].as_array());
        let branches = handlers.flatten().map(|handler| &handler["Next"]);
        let next: Vec<&str> = branches
            .chain([&state["Next"], &state["Default"]])
            .filter_map(Value::as_str)
            .collect();
        let ends = state["End"] == true || state["Type"] == "Succeed" || state["Type"] == "Fail";
        assert!(
            ends != (state["Next"].is_string() || state["Default"].is_string()),
            "{place}: {name}"
        );
        open.extend(next);
    }
    let all: BTreeSet<&str> = states.keys().map(String::as_str).collect();
    assert_eq!(reached, all, "{place}");
}

fn each_object(value: &Value, visit: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object.values().for_each(|inner| each_object(inner, visit));
        }
        Value::Array(items) => items.iter().for_each(|inner| each_object(inner, visit)),
        _ => {}
    }
}

fn each_text(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Object(object) => object.values().for_each(|inner| each_text(inner, visit)),
        Value::Array(items) => items.iter().for_each(|inner| each_text(inner, visit)),
        _ => {}
    }
}

/// The `$name`s of an expression that are not functions.
fn variables(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    // What CloudFormation puts in is text by the time that the expression is read.
    for rest in expression.replace("${", "{").split('$').skip(1) {
        let name: String = rest
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect();
        if !rest[name.len()..].starts_with('(') {
            found.push(name);
        }
    }
    found
}
