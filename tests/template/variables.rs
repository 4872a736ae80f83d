//! Environment variables: each function gets those of its configuration.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{
    api_function_name, installation_id, load, pascal_case, resources_of, signing_key_arn,
    table_name,
};

#[test]
fn every_function_gets_the_variables_that_it_reads_and_no_others() {
    let template = load();
    for (package, variables) in webhooks_lambda::functions() {
        let id = format!("{}Function", pascal_case(package));
        let set: BTreeSet<_> = environment(&template, &id).into_keys().collect();
        let read = variables.iter().map(|variable| variable.name.to_owned());
        // Lambda itself sets these.
        let read: BTreeSet<_> = read.filter(|name| !name.starts_with("AWS_")).collect();
        assert_eq!(set, read, "{id}");
    }
}

#[test]
fn a_variable_has_the_value_that_its_name_says() {
    let template = load();
    let bus = json!({"Fn::If": [
        "CreateEventBus",
        {"Ref": "EventBus"},
        {"Ref": "EventBusName"},
    ]});
    let resources = json!({
        "TABLE_NAME": table_name(),
        "DELIVERY_QUEUE_URL": {"Ref": "DeliveryQueue"},
        "SLOW_DELIVERY_QUEUE_URL": {"Ref": "SlowDeliveryQueue"},
        "DELIVERY_DEAD_LETTER_QUEUE_URL": {"Ref": "DeliveryDeadLetterQueue"},
        "FAILED_EVENTS_QUEUE_URL": {"Ref": "FailedEventsQueue"},
        "RULE_DEAD_LETTER_QUEUE_URL": {"Ref": "RuleDeadLetterQueue"},
        "SIGNING_KEY_ARN": signing_key_arn(),
        "INSTALLATION_ID": installation_id(),
        "EVENT_BUS_NAME": bus,
        "RECOVERY_STATE_MACHINE_ARN": {"Ref": "Recovery"},
        "LAMBDA_ENDPOINT": {"Fn::Sub": "https://lambda.${AWS::Region}.${AWS::URLSuffix}"},
        "DELIVER_WEBHOOK_FUNCTION_NAME": {"Ref": "DeliverWebhookFunction"},
        "API_FUNCTION_NAME": api_function_name("", ":portal"),
        "SELF_TEST_TABLE_NAME": {"Ref": "SelfTestTable"},
    });
    // Empty if there is no portal.
    let address = json!({"Fn::GetAtt": "PortalFunctionUrl.FunctionUrl"});
    let portal = json!({"Fn::If": ["HasPortalUrl", {"Ref": "PortalUrl"}, address]});
    let portal_if_any = json!({"Fn::If": ["RunsPortal", portal, ""]});
    for (id, _) in resources_of(&template, "AWS::Serverless::Function") {
        for (name, value) in environment(&template, id) {
            // The others are parameters.
            let parameter = pascal_case(&name.to_lowercase().replace('_', "-"));
            let parameter = json!({"Ref": parameter});
            let expected = match (id, name.as_str()) {
                ("ApiFunction" | "NotifyContactsFunction", "PORTAL_URL") => &portal_if_any,
                ("ConsoleSessionsFunction", "PORTAL_URL") => &portal,
                _ => resources.get(&name).unwrap_or(&parameter),
            };
            assert_eq!(value, *expected, "{id}: {name}");
        }
    }
}

/// Lambda gives all variables of a function 4 KB as JSON.
#[test]
fn the_longest_values_of_all_parameters_fit_into_a_function() {
    const LAMBDA: usize = 4_096;
    // The mean of names, ARNs and URLs of a stack with a long name.
    const OF_A_RESOURCE: usize = 120;
    let template = load();
    let longest = |value: &Value| match value {
        Value::Object(reference) => {
            let parameter = reference.get("Ref").and_then(Value::as_str);
            let parameter = parameter.map(|name| (name, &template["Parameters"][name]));
            match parameter {
                Some((name, parameter)) if !parameter.is_null() => longest_of(name, parameter),
                _ => OF_A_RESOURCE,
            }
        }
        fixed => fixed.to_string().len(),
    };
    for (id, _) in resources_of(&template, "AWS::Serverless::Function") {
        let variables = environment(&template, id);
        // `"NAME":"value",`
        let lengths = variables
            .iter()
            .map(|(name, value)| name.len() + longest(value) + 6);
        let sum: usize = lengths.sum();
        assert!(sum <= LAMBDA, "{id}: {sum} bytes");
    }
}

/// The most characters that a value of a parameter has.
fn longest_of(name: &str, parameter: &Value) -> usize {
    let length = |value: &Value| value.as_str().map_or(value.to_string().len(), str::len);
    let by_values = parameter["AllowedValues"]
        .as_array()
        .and_then(|values| values.iter().map(length).max());
    let by_number = parameter.get("MaxValue").map(length);
    let by_length = parameter["MaxLength"].as_u64();
    let by_length = by_length.and_then(|most| usize::try_from(most).ok());
    by_values
        .or(by_number)
        .or(by_length)
        .unwrap_or_else(|| panic!("{name} needs a MaxLength"))
}

/// Lambda takes empty values. If it ever drops one, the function must still start.
#[test]
fn a_function_starts_without_a_variable_that_may_be_empty() {
    let template = load();
    let mut empty = BTreeSet::new();
    for (package, variables) in webhooks_lambda::functions() {
        let id = format!("{}Function", pascal_case(package));
        let set = environment(&template, &id);
        for variable in variables {
            let value = set.get(variable.name).unwrap_or(&Value::Null);
            let parameter = value["Ref"].as_str().unwrap_or_default();
            let parameter = &template["Parameters"][parameter];
            let pattern = parameter["AllowedPattern"].as_str().unwrap_or_default();
            // A pattern of the template that allows an empty text ends so: all of it is optional.
            // The function of this one exists only if it is not empty.
            if variable.name == "NOTIFICATION_SENDER" {
                continue;
            }
            if parameter["Default"] == "" || pattern.ends_with(")?$") {
                assert!(!variable.is_required, "{id}: {}", variable.name);
                empty.insert(variable.name);
            }
        }
    }
    let expected = [
        "DENIED_HOSTS",
        "DEVELOPMENT_ALLOWED_CIDRS",
        "MESSAGE_LINK_TEMPLATE",
        "NOTIFICATION_CONFIGURATION_SET",
        "OPERATOR_CUSTOMER_ID",
        "PORTAL_ACCENT_COLOUR",
        "PORTAL_LOGO_URL",
        "PORTAL_NAME",
        "PORTAL_RETURN_URLS",
        "PORTAL_SUPPORT_URL",
        "PORTAL_URL",
        "RETENTION_BY_EVENT_TYPE",
        "RETRY_SCHEDULE",
    ];
    assert_eq!(empty, expected.into());
}

/// The variables of a function, those of all functions included.
fn environment(template: &Value, id: &str) -> BTreeMap<String, Value> {
    let all = &template["Globals"]["Function"];
    let own = &template["Resources"][id]["Properties"];
    let variables = [all, own].map(|of| of["Environment"]["Variables"].as_object());
    let variables = variables.into_iter().flatten().flatten();
    variables
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
