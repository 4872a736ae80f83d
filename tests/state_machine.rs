//! Rules for the definitions in `statemachine`. AWS reports some violations only when a definition
//! is deployed, and the local emulator reports none.

// A failed `unwrap` or index shows more in a test than a handled one would.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use webhooks_domain::errors;
use webhooks_domain::recovery::{Recovery, RecoveryStatus};
use webhooks_dynamodb::key::recovery_key;
use webhooks_testkit::samples;
use webhooks_tests::template;

/// The current time in seconds since 1970, as a definition writes it.
const NOW_IN_SECONDS: &str = "{% $string($floor($millis() / 1000)) %}";

/// The error of a conditional write whose condition is false.
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

/// The errors of Step Functions itself that the states of our definitions can report.
///
/// From the Step Functions guide, "Handling errors in Step Functions workflows". No Catch handles
/// the first two.
const STATES_ERRORS: &[&str] = &[
    "States.DataLimitExceeded",
    "States.Runtime",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.TaskFailed",
    "States.Timeout",
];

/// The prefixes of the error names of AWS's services and runtimes.
const ERROR_FAMILIES: [&str; 5] = ["Lambda.", "DynamoDB.", "SQS.", "Sandbox.", "Runtime."];

/// The state that only a duplicate of an event enters.
const COMPARISON: &str = "CompareDuplicate";

/// The number of retries of a task.
const RETRIES: u64 = 8;

/// An Express execution ends after five minutes, and no state can catch that.
const EXPRESS_LIMIT_SECONDS: f64 = 300.0;

/// The largest number of concurrent iterations of an inline Map.
const INLINE_MAP_CONCURRENCY: u64 = 40;

#[test]
fn the_definition_uses_only_jsonata() {
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
                    "`{text}` is not an expression: AWS uses it as text"
                );
                return;
            };
            seen += 1;
            for variable in variables(expression) {
                let is_local = expression.contains(&format!("${variable} := "));
                assert!(
                    is_local || assigned.contains(&variable),
                    "`{text}` reads ${variable}, which no state assigns"
                );
            }
        });
        assert!(seen > 0);
    }
}

#[test]
fn the_machine_and_every_state_have_a_comment() {
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
fn the_timeout_of_every_task_is_longer_than_that_of_its_function() {
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
                "{name} times out before {function}"
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
                "{name}: AWS requires MaxDelaySeconds to exceed IntervalSeconds"
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
fn our_own_permanent_errors_are_not_retried_and_all_others_are() {
    for (name, state) in of_type("Task") {
        let resource = state["Resource"].as_str().unwrap();
        let permanent: BTreeSet<String> = match function_errors(&state) {
            Some(errors) => {
                let permanent = errors.iter().filter(|e| !errors::TRIED_AGAIN.contains(e));
                permanent.map(|error| (*error).to_owned()).collect()
            }
            None if resource.contains(":dynamodb:") => [CONDITION_FAILED.to_owned()].into(),
            None => BTreeSet::new(),
        };
        let retriers = state["Retry"].as_array().unwrap();
        // Any list of AWS's error names may be incomplete.
        let [first @ .., rest] = retriers.as_slice() else {
            panic!("{name} never retries");
        };
        assert_eq!(rest["ErrorEquals"], json!(["States.ALL"]), "{name}");
        assert_eq!(rest["MaxAttempts"], RETRIES, "{name}");
        let named: BTreeSet<String> = first.iter().flat_map(error_names).collect();
        assert_eq!(named, permanent, "{name}");
        assert!(first.len() <= 1, "{name}");
        for retrier in first {
            assert_eq!(retrier["MaxAttempts"], 0, "{name}");
        }
    }
}

#[test]
fn a_catch_names_only_errors_that_the_state_can_report() {
    for (name, state) in all_states() {
        let own = function_errors(&state).unwrap_or_default();
        for catcher in state["Catch"].as_array().into_iter().flatten() {
            for error in error_names(catcher) {
                let is_known = error == "States.ALL"
                    || own.contains(&error.as_str())
                    || error == CONDITION_FAILED
                        && state["Resource"].as_str().unwrap().contains(":dynamodb:");
                assert!(is_known, "{name}: Catch of {error}");
            }
        }
    }
}

#[test]
fn every_error_of_a_function_is_permanent_or_retried() {
    for errors in [
        errors::LOOK_UP_SUBSCRIPTIONS,
        errors::PREPARE_CALLS,
        errors::RECOVER_DELIVERIES,
    ] {
        let names: BTreeSet<_> = errors.iter().collect();
        assert_eq!(names.len(), errors.len(), "{errors:?}");
    }
    for error in errors::TRIED_AGAIN {
        let is_ours = errors::LOOK_UP_SUBSCRIPTIONS.contains(error)
            || errors::PREPARE_CALLS.contains(error)
            || errors::RECOVER_DELIVERIES.contains(error);
        assert!(is_ours, "{error}");
    }
}

#[test]
fn retries_outlast_an_outage_of_ten_seconds_in_99_percent_of_cases() {
    // The execution of a duplicate has one task more, and still has to end in five minutes.
    let tasks = of_type("Task").into_iter();
    for (name, state) in tasks.filter(|(name, _)| name != COMPARISON) {
        let delays = delays(state["Retry"].as_array().unwrap().last().unwrap());
        let mean = delays.iter().sum::<f64>() / 2.0;
        let given_up = probability_of_less(&delays, 10.0);
        println!("{name}: {mean} s on average, under 10 s in {given_up:.4} of all cases");
        // With full jitter a wait is anything from zero to the delay, so the mean is half the
        // delay.
        assert!(mean > 20.0, "{name}: {mean} s");
        assert!(given_up < 0.01, "{name}: {given_up}");
    }
}

#[test]
fn every_failure_is_sent_to_the_failed_events_queue() {
    let definition = load();
    let mut caught = BTreeSet::new();
    for (name, state) in top_level(&definition) {
        let has_work = state["Type"] == "Task" || state["Type"] == "Map";
        if !has_work || name == "SendToFailedEvents" {
            continue;
        }
        let last = state["Catch"]
            .as_array()
            .and_then(|catchers| catchers.last());
        let last = last.unwrap_or_else(|| panic!("{name} catches nothing"));
        assert_eq!(last["ErrorEquals"], json!(["States.ALL"]), "{name}");
        assert_eq!(last["Next"], "SendToFailedEvents", "{name}");
        assert_eq!(
            last["Assign"],
            json!({"failure": "{% $states.errorOutput %}"}),
            "{name}"
        );
        caught.insert(name);
    }
    // No Catch inside a Map may swallow a failure: the Map's own Catch must handle it.
    for (name, state) in states(&definition) {
        let is_inside = !top_level(&definition).contains_key(&name);
        if state["Type"] == "Task" && is_inside {
            for catcher in state["Catch"].as_array().into_iter().flatten() {
                assert_eq!(catcher["ErrorEquals"], json!([CONDITION_FAILED]), "{name}");
            }
        }
    }
}

#[test]
fn an_execution_fails_only_when_its_event_was_not_kept() {
    let definition = load();
    let states = states(&definition);
    let send = &states["SendToFailedEvents"];
    assert_eq!(send["Next"], "EventKept");
    let kept =
        json!({"status": "sent to the failed-events queue", "error": "{% $failure.Error %}"});
    assert_eq!(send["Output"], kept);
    assert_eq!(states["EventKept"]["Type"], "Succeed");
    let catchers = send["Catch"].as_array().unwrap();
    assert_eq!(catchers.len(), 1);
    assert_eq!(catchers[0]["ErrorEquals"], json!(["States.ALL"]));
    assert_eq!(catchers[0]["Next"], "EventNotKept");
    let fails: Vec<_> = states.iter().filter(|(_, s)| s["Type"] == "Fail").collect();
    assert_eq!(fails.len(), 1, "{fails:?}");
    assert_eq!(fails[0].0, "EventNotKept");
    let leads_there = |state: &Value| {
        let handlers = ["Catch", "Choices"].into_iter();
        let handlers = handlers
            .filter_map(|field| state[field].as_array())
            .flatten();
        let next = handlers.map(|handler| &handler["Next"]);
        next.chain([&state["Next"], &state["Default"]])
            .any(|next| next == "EventNotKept")
    };
    let leading: Vec<_> = states.iter().filter(|(_, s)| leads_there(s)).collect();
    assert_eq!(leading.len(), 1, "{leading:?}");
}

#[test]
fn one_failed_execution_is_an_alarm() {
    let template = template::load().unwrap();
    let alarm = &template["Resources"]["WorkflowFailuresAlarm"]["Properties"];
    assert_eq!(alarm["MetricName"], "ExecutionsFailed");
    assert_eq!(alarm["Threshold"], 1);
    assert_eq!(alarm["EvaluationPeriods"], 1);
}

#[test]
fn the_output_of_a_successful_execution_holds_no_payload() {
    for (name, state) in of_type("Succeed") {
        // The input of these states is the previous state's output: a status and the name of an
        // error.
        let given = ["EventKept", "FailureRecorded"].contains(&name.as_str());
        let output = if given {
            json!("{% $states.input %}")
        } else {
            json!({})
        };
        assert_eq!(state["Output"], output, "{name}");
    }
    for (name, state) in all_states() {
        let handlers = state["Catch"].as_array().into_iter().flatten();
        for source in handlers.chain([&state]) {
            let next = source["Next"].as_str().unwrap_or_default();
            if ["EventKept", "FailureRecorded"].contains(&next) {
                assert!(source["Output"]["status"].is_string(), "{name}");
                assert_eq!(source["Output"]["error"], "{% $failure.Error %}", "{name}");
                assert_eq!(source["Output"].as_object().unwrap().len(), 2, "{name}");
            }
        }
    }
}

#[test]
fn a_cause_is_kept_for_our_own_errors_only() {
    let mut readers = Vec::new();
    for (name, state) in all_states() {
        each_text(&state, &mut |text| {
            if text.contains("Cause") {
                readers.push((name.clone(), text.to_owned()));
            }
        });
    }
    let [(name, cause)] = readers.as_slice() else {
        panic!("{readers:?}");
    };
    assert_eq!(name, "SendToFailedEvents");
    let (names, rest) = cause
        .strip_prefix("{% $failure.Error in [")
        .and_then(|text| text.split_once(']'))
        .unwrap();
    assert_eq!(
        rest,
        " and $failure.Cause ? $substring($failure.Cause, 0, 1024) \
         : 'left out, because it may quote the event' %}"
    );
    let names: BTreeSet<&str> = names
        .split(", ")
        .map(|name| name.trim_matches('\''))
        .collect();
    let own = errors::LOOK_UP_SUBSCRIPTIONS
        .iter()
        .chain(errors::PREPARE_CALLS);
    assert_eq!(names, own.copied().collect());
}

#[test]
fn a_failed_event_keeps_no_character_that_its_queue_refuses() {
    let send = &load()["States"]["SendToFailedEvents"];
    let escaped = |text: &str, character: &str, escape: &str| {
        format!("$join($split({text}, '{character}'), '{escape}')")
    };
    let once = escaped("$text", r"\uFFFE", r"\\ufffe");
    let both = escaped(&once, r"\uFFFF", r"\\uffff");
    let event = "$states.context.Execution.Input";
    let found = r"$contains($text, '\uFFFE') or $contains($text, '\uFFFF')";
    assert_eq!(
        send["Arguments"]["MessageBody"].as_str().unwrap(),
        format!("{{% ($text := $string({event}); {found} ? {both} : {event}) %}}")
    );
    // The escaped characters are those that SQS refuses in JSON text. SQS accepts all others from
    // U+0020 on, and JSON itself escapes the lower ones and unpaired surrogates.
    let read: String = serde_json::from_str(r#""\ufffe\uffff""#).unwrap();
    assert_eq!(read, "\u{fffe}\u{ffff}");
}

#[test]
fn a_failed_event_is_kept_before_the_execution_is_ended() {
    let definition = load();
    let states = states(&definition);
    let last = worst_case_seconds(&states["SendToFailedEvents"]);
    let mut waits = 0.0;
    for (name, state) in states {
        if state["Type"] != "Task" {
            continue;
        }
        waits += delays(state["Retry"].as_array().unwrap().last().unwrap())
            .iter()
            .sum::<f64>();
        // Every attempt of one state times out.
        let seconds = worst_case_seconds(&state) + last;
        println!("{name} and SendToFailedEvents: up to {seconds} s");
        assert!(
            name == "SendToFailedEvents" || seconds < EXPRESS_LIMIT_SECONDS,
            "{name} and SendToFailedEvents take up to {seconds} s"
        );
    }
    // Every state fails at once until its last attempt, and so does the next state.
    println!("all waits of one page: up to {waits} s");
    assert!(waits < EXPRESS_LIMIT_SECONDS, "{waits} s");
}

#[test]
fn an_item_is_written_once_and_a_duplicate_continues() {
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
        // An expired item counts as absent, although DynamoDB may delete it days later.
        assert_eq!(
            state["Arguments"]["ConditionExpression"],
            "attribute_not_exists(pk) OR expiresAt <= :now",
            "{name}"
        );
        assert_eq!(
            state["Arguments"]["ExpressionAttributeValues"],
            json!({":now": {"N": NOW_IN_SECONDS}}),
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
        // Only a message is compared first.
        let next = if name == "RecordMessage" {
            &json!("IsDuplicate")
        } else {
            &state["Next"]
        };
        assert_eq!(duplicate["Next"], *next, "{name}");
        // A delivery that exists is queued, even if its subscription is paused now.
        let mut output = state["Output"].clone();
        if name == "RecordCall" {
            output["isHeld"] = json!(false);
        }
        assert_eq!(duplicate["Output"], output, "{name}");
    }
    assert_eq!(writes, 2);
}

/// A second event with the key of another one must reach nobody, because its deliveries would have
/// the message of the first.
#[test]
fn a_duplicate_is_compared_before_any_call_is_written() {
    let states = top_level(&load());
    let compare = &states[COMPARISON];
    assert_eq!(
        function_of(compare).as_deref(),
        Some("LookUpSubscriptionsFunction")
    );
    let result = json!({"isConflict": "{% $states.result.conflict != null %}"});
    assert_eq!(compare["Assign"], result);
    assert_eq!(compare["Next"], "IsConflict");
    let choice = |name: &str| {
        let choices = states[name]["Choices"].as_array().unwrap();
        let [choice] = &choices[..] else {
            panic!("{choices:?}")
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (
            text(&choice["Condition"]),
            text(&choice["Next"]),
            text(&states[name]["Default"]),
        )
    };
    let of = |condition: &str, next: &str| {
        let next = next.to_owned();
        (condition.to_owned(), next, "WriteCalls".to_owned())
    };
    // Later pages always find the message.
    let first = of("{% $isFirstPage %}", COMPARISON);
    assert_eq!(choice("IsDuplicate"), first);
    let conflict = of("{% $isConflict %}", "NotDelivered");
    assert_eq!(choice("IsConflict"), conflict);
    assert_eq!(states["NotDelivered"]["Type"], "Succeed");
    let look_up = &states["LookUpSubscriptions"]["Assign"];
    let is_first = "{% $not($exists($states.input.cursor)) %}";
    assert_eq!(look_up["isFirstPage"], is_first);
    // Nothing but a new message leads to the calls without a comparison.
    let leading = states
        .iter()
        .filter(|(_, state)| state["Next"] == "WriteCalls");
    let leading: Vec<_> = leading.map(|(name, _)| name.as_str()).collect();
    assert_eq!(leading, ["RecordMessage"]);
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
    // The folder `cases` beside them holds the inputs of `webhooks doctor --test-states`.
    let files = std::fs::read_dir(template::root().join("statemachine")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let definitions = names.filter(|name| name.ends_with(".asl.json"));
    assert_eq!(definitions.count(), known.len());
}

#[test]
fn a_recovery_page_whose_retries_are_exhausted_is_recorded_as_failed() {
    let [_, (_, recovery)] = definitions();
    let page = &recovery["States"]["RecoverDeliveries"];
    let last = page["Catch"].as_array().unwrap().last().unwrap();
    assert_eq!(last["ErrorEquals"], json!(["States.ALL"]));
    assert_eq!(last["Next"], "MarkFailed");
    let mark = &recovery["States"]["MarkFailed"];
    assert_eq!(mark["Next"], "FailureRecorded");
    assert_eq!(mark["Catch"][0]["Next"], "FailureRecorded");
    assert_eq!(recovery["States"]["FailureRecorded"]["Type"], "Succeed");
    assert_eq!(mark["Catch"][1]["ErrorEquals"], json!(["States.ALL"]));
    assert_eq!(mark["Catch"][1]["Next"], "FailureNotRecorded");
    assert_eq!(recovery["States"]["FailureNotRecorded"]["Type"], "Fail");
}

#[test]
fn a_recovery_writes_constants_to_the_item_that_its_ids_name() {
    let [_, (_, recovery)] = definitions();
    let mark = &recovery["States"]["MarkFailed"]["Arguments"];
    let [sample, _] = samples::recoveries("acme");
    let input = json!({
        "customerId": sample.customer_id,
        "subscriptionId": sample.subscription_id,
        "recoveryId": sample.id,
    });
    let (pk, sk) = recovery_key(&sample.key());
    let key =
        |name: &str, input: &Value| concatenated(mark["Key"][name]["S"].as_str().unwrap(), input);
    assert_eq!(mark["Key"].as_object().unwrap().len(), 2);
    assert_eq!(key("pk", &input), pk);
    assert_eq!(key("sk", &input), sk);

    // With any input the key stays in the recoveries' partitions.
    for hostile in [
        json!({"customerId": "CUSTOMER#acme", "markFailed": {"key": {"pk": {"S": "CUSTOMER#acme"}}}}),
        json!({"customerId": {"S": "x"}, "subscriptionId": "SUBSCRIPTION#1", "recoveryId": 7}),
        json!({}),
    ] {
        assert!(key("pk", &hostile).starts_with("RECOVERY#"), "{hostile}");
    }

    // Everything else is constant.
    let mut constants = mark.clone();
    constants.as_object_mut().unwrap().remove("Key");
    each_text(&constants, &mut |text| {
        assert!(!text.contains("{%"), "{text}");
    });
    let status = |status: RecoveryStatus| json!({"S": status.as_str()});
    assert_eq!(
        constants["ExpressionAttributeValues"],
        json!({
            ":failed": status(RecoveryStatus::Failed),
            ":running": status(RecoveryStatus::Running),
            ":stopping": status(RecoveryStatus::Stopping),
            ":one": {"N": "1"},
        })
    );
    assert_eq!(
        constants["ConditionExpression"],
        "#status IN (:running, :stopping)"
    );
    assert_eq!(
        constants["UpdateExpression"],
        "SET #status = :failed ADD version :one"
    );
    assert_eq!(
        constants["ExpressionAttributeNames"],
        json!({"#status": "status"})
    );

    // An input that the function refuses causes no write.
    let refused = &recovery["States"]["RecoverDeliveries"]["Catch"][0];
    assert_eq!(refused["ErrorEquals"], json!([errors::INVALID_INPUT]));
    assert_eq!(
        recovery["States"][refused["Next"].as_str().unwrap()]["Type"],
        "Fail"
    );
}

#[test]
fn no_write_is_built_from_the_input_of_a_caller() {
    for (name, state) in of_type("Task") {
        let resource = state["Resource"].as_str().unwrap();
        if !resource.contains(":dynamodb:") || name == "MarkFailed" {
            continue;
        }
        // Items come from PrepareCalls, whose input was made by LookUpSubscriptions.
        let arguments = state["Arguments"].as_object().unwrap();
        for (field, value) in arguments {
            if field == "ExpressionAttributeValues" {
                // The time of the clock, not a value of the input.
                assert_eq!(*value, json!({":now": {"N": NOW_IN_SECONDS}}), "{name}");
                continue;
            }
            let text = value.as_str().unwrap();
            let is_item = field == "Item"
                && ["{% $states.input.message %}", "{% $states.input.item %}"].contains(&text);
            assert!(is_item || !text.contains("{%"), "{name}: {field} is {text}");
        }
    }
    let states = &load()["States"];
    assert_eq!(load()["StartAt"], "LookUpSubscriptions");
    assert_eq!(states["PrepareCalls"]["Next"], "RecordMessage");
    for (name, state) in top_level(&load()) {
        let choices = state["Choices"].as_array().into_iter().flatten();
        let mut next = choices.chain([&state]).map(|from| &from["Next"]);
        let is_before = next.any(|next| next == "PrepareCalls");
        assert_eq!(is_before, name == "HasSubscriptions", "{name}");
    }
}

#[test]
fn each_workflow_writes_to_one_kind_of_partition() {
    let template = template::load().unwrap();
    for (role, action, partitions) in [
        ("WebhookDeliveryRole", "dynamodb:PutItem", "MESSAGE#*"),
        ("RecoveryRole", "dynamodb:UpdateItem", "RECOVERY#*"),
    ] {
        let policies = &template["Resources"][role]["Properties"]["Policies"];
        let statements = policies[0]["PolicyDocument"]["Statement"]
            .as_array()
            .unwrap();
        let on_the_table: Vec<_> = statements
            .iter()
            .filter(|statement| statement["Action"].to_string().contains("dynamodb:"))
            .collect();
        let [statement] = on_the_table[..] else {
            panic!("{role}: {on_the_table:?}");
        };
        assert_eq!(statement["Action"], action, "{role}");
        // `ForAllValues` alone is also true for a request without the key.
        let condition = json!({
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [partitions]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        });
        assert_eq!(statement["Condition"], condition, "{role}");
    }
}

/// A state machine may write only these types of attributes: Step Functions encodes a binary
/// attribute twice, and documents nothing about lists and maps.
#[test]
fn a_definition_writes_strings_numbers_and_booleans_only() {
    for (name, state) in all_states() {
        each_object(&state["Arguments"], &mut |object| {
            for unsupported in ["B", "L", "M", "SS", "NS", "BS", "NULL"] {
                assert!(!object.contains_key(unsupported), "{name}: {unsupported}");
            }
        });
    }
}

#[test]
fn the_docs_for_producers_list_every_error_of_an_event() {
    let file = template::root().join("docs/producers.md");
    let documented = std::fs::read_to_string(file).unwrap();
    let (_, documented) = documented.split_once("| error | what is wrong |").unwrap();
    let (documented, _) = documented.split_once("\n\n").unwrap();
    let fails = states(&load()).into_iter();
    let fails = fails.filter_map(|(_, state)| Some(state["Error"].as_str()?.to_owned()));
    let own = errors::LOOK_UP_SUBSCRIPTIONS
        .iter()
        .chain(errors::PREPARE_CALLS);
    let own = own.chain(STATES_ERRORS).map(|name| (*name).to_owned());
    for name in own.chain(fails) {
        assert!(documented.contains(&format!("`{name}`")), "{name}");
    }
    // The errors of AWS's services and runtimes are too many to list, so they are documented by
    // family.
    for family in ERROR_FAMILIES {
        assert!(documented.contains(&format!("`{family}…`")), "{family}");
    }
}

#[test]
fn the_docs_for_producers_list_no_unknown_error() {
    let file = template::root().join("docs/producers.md");
    let documented = std::fs::read_to_string(file).unwrap();
    let (_, documented) = documented.split_once("| error | what is wrong |").unwrap();
    let (documented, _) = documented.split_once("\n\n").unwrap();
    let first = documented.lines().filter_map(|row| row.split('|').nth(1));
    let names: BTreeSet<&str> = first
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(names.len() > 15, "{names:?}");
    let own: Vec<_> = [errors::LOOK_UP_SUBSCRIPTIONS, errors::PREPARE_CALLS].concat();
    let definition = states(&load());
    for name in names {
        let family = name.strip_suffix('…');
        let is_known = own.contains(&name)
            || STATES_ERRORS.contains(&name)
            || family.is_some_and(|family| ERROR_FAMILIES.contains(&family))
            || definition.values().any(|state| state["Error"] == name)
            // Errors of a function's runtime: a panic, and an event that it cannot parse.
            || ["::", "InvalidEventDataError"].contains(&name);
        assert!(is_known, "{name}");
    }
}

#[test]
fn every_error_name_of_ours_is_used_by_a_function() {
    let file = template::root().join("crates/domain/src/model/errors.rs");
    let source = std::fs::read_to_string(file).unwrap();
    let constants = source.split("pub const ").skip(1);
    let names =
        constants.filter_map(|text| Some(text.split_once(": &str = \"")?.1.split_once('"')?.0));
    let names: BTreeSet<&str> = names.collect();
    let lists = [
        errors::LOOK_UP_SUBSCRIPTIONS,
        errors::PREPARE_CALLS,
        errors::RECOVER_DELIVERIES,
        &[
            errors::SWEEP_FAILED,
            errors::DELETION_FAILED,
            errors::SESSION_NOT_FOUND,
        ],
    ];
    assert_eq!(names, lists.concat().into_iter().collect());
    // No other text becomes an error name of a workflow's function.
    for function in ["look-up-subscriptions", "prepare-calls"] {
        let file = template::root().join(format!("functions/{function}/src/main.rs"));
        let source = std::fs::read_to_string(file).unwrap();
        assert!(!source.contains("FunctionError::new(\""), "{function}");
        assert!(!source.contains("Diagnostic"), "{function}");
    }
}

#[test]
fn the_silence_limit_of_a_recovery_exceeds_its_longest_wait() {
    let [_, (_, recovery)] = definitions();
    let page = worst_case_seconds(&recovery["States"]["RecoverDeliveries"]);
    // The longest wait between two pages.
    let silence = page + 30.0;
    assert!(silence < Recovery::SILENCE.as_secs_f64(), "{silence} s");
}

#[test]
fn a_recovery_fits_into_the_history_of_one_execution() {
    let [_, (_, recovery)] = definitions();
    // The number of events that a state adds to the history: 5 for a task that calls a function, 2
    // for others.
    let events = |kind: &str| if kind == "Task" { 5 } else { 2 };
    let page = ["RecoverDeliveries", "MoreToRecover", "WaitForEndpoint"];
    let page: u32 = page
        .iter()
        .map(|state| events(recovery["States"][state]["Type"].as_str().unwrap()))
        .sum();
    // One page in ten may fail once, which adds 3 events.
    let all = Recovery::MAX_PAGES * page + Recovery::MAX_PAGES / 10 * 3;
    assert!(all < 25_000, "{all} events");
}

#[test]
fn the_workflow_never_parses_the_numbers_of_an_event() {
    for (name, state) in of_type("Task") {
        if function_of(&state).is_some() {
            // The payload is a single string, so JSONata does not parse its numbers.
            let payload = json!({"duplicate": "{% $payload %}"});
            let expected = (name == COMPARISON).then_some(&payload);
            assert_eq!(
                state.get("Arguments"),
                expected,
                "{name}: JSONata would rewrite the event's numbers"
            );
        }
    }
}

#[test]
fn a_message_is_recorded_if_the_look_up_returned_one() {
    let choices = &load()["States"]["HasSubscriptions"]["Choices"];
    assert_eq!(choices[0]["Condition"], "{% $states.input.record %}");
    assert_eq!(choices[0]["Next"], "PrepareCalls");
}

#[test]
fn only_the_states_that_keep_a_failed_event_read_it() {
    for (name, state) in top_level(&load()) {
        if name == "SendToFailedEvents" {
            continue;
        }
        each_text(&state, &mut |text| {
            assert!(!text.contains("Execution.Input"), "{name}: {text}");
        });
    }
}

#[test]
fn the_template_substitutes_exactly_the_names_in_the_definition() {
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

/// The text of a state machine's definition.
fn text(resource: &str) -> String {
    let template = template::load().unwrap();
    let file = &template["Resources"][resource]["Properties"]["DefinitionUri"];
    std::fs::read_to_string(template::root().join(file.as_str().unwrap())).unwrap()
}

/// The delivery workflow.
fn load() -> Value {
    serde_json::from_str(&text("WebhookDelivery")).unwrap()
}

/// Every definition, with the logical id of its resource.
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

/// All states, including those inside a Map.
fn states(definition: &Value) -> BTreeMap<String, Value> {
    let mut found = top_level(definition);
    for state in top_level(definition).values() {
        if let Some(processor) = state.get("ItemProcessor") {
            for (name, inner) in states(processor) {
                assert!(
                    found.insert(name.clone(), inner).is_none(),
                    "two states have the name {name}"
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
    assert!(!found.is_empty(), "no state has the type {kind}");
    found
}

/// The logical id of a Task's function.
fn function_of(state: &Value) -> Option<String> {
    let resource = state["Resource"].as_str()?;
    let id = resource.strip_prefix("${")?.strip_suffix("FunctionArn}")?;
    Some(format!("{id}Function"))
}

/// The error names of a Task's function.
fn function_errors(state: &Value) -> Option<&'static [&'static str]> {
    Some(match function_of(state)?.as_str() {
        "LookUpSubscriptionsFunction" => errors::LOOK_UP_SUBSCRIPTIONS,
        "PrepareCallsFunction" => errors::PREPARE_CALLS,
        "RecoverDeliveriesFunction" => errors::RECOVER_DELIVERIES,
        other => panic!("no list of the errors of {other}"),
    })
}

/// Evaluates an expression that joins texts and fields of the execution's input, as `JSONata` does:
/// a value that is not text becomes its JSON, and an absent value becomes nothing.
fn concatenated(expression: &str, input: &Value) -> String {
    let expression = expression.strip_prefix("{% ").unwrap();
    let parts = expression.strip_suffix(" %}").unwrap().split(" & ");
    let value = |part: &str| {
        if let Some(text) = part.strip_prefix('\'') {
            return text.strip_suffix('\'').unwrap().to_owned();
        }
        let field = part.strip_prefix("$states.context.Execution.Input.");
        match &input[field.unwrap()] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    };
    parts.map(value).collect()
}

fn error_names(handler: &Value) -> Vec<String> {
    let names = handler["ErrorEquals"].as_array().unwrap();
    names
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

/// The longest delays of a retrier. With full jitter each wait is between zero and its delay.
fn delays(retrier: &Value) -> Vec<f64> {
    let mut delay = retrier["IntervalSeconds"].as_f64().unwrap();
    let longest = retrier["MaxDelaySeconds"].as_f64().unwrap();
    let rate = retrier["BackoffRate"].as_f64().unwrap();
    let next = |_| {
        let this = delay.min(longest);
        delay *= rate;
        this
    };
    (0..retrier["MaxAttempts"].as_u64().unwrap())
        .map(next)
        .collect()
}

/// The probability that random waits, each between zero and its longest, sum to less than this
/// time.
fn probability_of_less(longest: &[f64], seconds: f64) -> f64 {
    const PER_SECOND: f64 = 20.0;
    // The distribution of the sum so far, in steps of 50 ms.
    let mut sums = vec![1.0];
    for longest in longest {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few thousand"
        )]
        let steps = (longest * PER_SECOND) as usize;
        let mut next = vec![0.0; sums.len() + steps];
        for (sum, probability) in sums.iter().enumerate() {
            for step in 0..=steps {
                #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
                let share = (steps + 1) as f64;
                next[sum + step] += probability / share;
            }
        }
        sums = next;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few thousand"
    )]
    let end = (seconds * PER_SECOND) as usize;
    sums.iter().take(end).sum()
}

/// The time that a Task takes if every attempt times out and every delay is the longest.
fn worst_case_seconds(state: &Value) -> f64 {
    let timeout = state["TimeoutSeconds"].as_f64().unwrap();
    let delays = delays(state["Retry"].as_array().unwrap().last().unwrap());
    timeout + delays.iter().map(|delay| timeout + delay).sum::<f64>()
}

/// Asserts that all states of one level can be reached from its start, that every named state
/// exists, and that every state ends or has a successor.
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
    // CloudFormation replaces `${…}` before the expression is evaluated.
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
