//! Parameters and outputs.

use std::collections::BTreeSet;

use serde_json::json;
use webhooks_tests::template;

use crate::support::{is_sentence, load};

const OUTPUTS: &[&str] = &[
    "AcceptedEventSources",
    "ApiFunctionName",
    "ApiUrl",
    "CustomerIdPointer",
    "DashboardName",
    "DeliveryDeadLetterQueueUrl",
    "DeliveryQueueUrl",
    "EchoReceiverUrl",
    "EventBusName",
    "FailedEventsQueueUrl",
    "IdempotencyKeyPointer",
    "InstallationId",
    "LongestQueueDelaySeconds",
    "ConsoleSessionsFunctionName",
    "PortalAddress",
    "RecoveryStateMachineArn",
    "RuleDeadLetterQueueUrl",
    "SelfTestTableName",
    "SigningKeyArn",
    "SlowDeliveryQueueUrl",
    "StateMachineArn",
    "TableName",
];

#[test]
fn operational_events_become_webhooks_only_with_an_operator() {
    let template = load();
    let source = webhooks_domain::operational::SOURCE;
    assert_eq!(template["Parameters"]["OperatorCustomerId"]["Default"], "");
    let pattern = &template["Resources"]["EventRule"]["Properties"]["EventPattern"]["source"];
    let sources = json!({"Ref": "EventSources"});
    let with_own = json!({"Fn::Join": [",", [{"Fn::Join": [",", sources]}, source]]});
    let split = json!({"Fn::Split": [",", with_own]});
    assert_eq!(*pattern, json!({"Fn::If": ["HasOperator", split, sources]}));
    let allowed = &template["Parameters"]["EventSources"]["AllowedPattern"];
    let refused = format!("^(?!{source}$)");
    assert!(allowed.as_str().unwrap().starts_with(&refused), "{allowed}");
}

#[test]
fn every_parameter_is_described_and_limited() {
    let template = load();
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        assert!(
            is_sentence(&parameter["Description"]),
            "{name} has no description"
        );
        assert!(
            parameter["ConstraintDescription"].is_string(),
            "{name} does not limit its values"
        );
        let limited = parameter.get("AllowedPattern").is_some()
            || parameter.get("AllowedValues").is_some()
            || (parameter.get("MinValue").is_some() && parameter.get("MaxValue").is_some());
        assert!(limited, "{name} takes anything");
        assert!(parameter.get("Default").is_some(), "{name} has no default");
    }
}

#[test]
fn every_output_is_described_and_none_is_missing() {
    let template = load();
    let outputs = template["Outputs"].as_object().unwrap();
    let names: BTreeSet<_> = outputs.keys().map(String::as_str).collect();
    assert_eq!(names, OUTPUTS.iter().copied().collect());
    for (name, output) in outputs {
        assert!(
            is_sentence(&output["Description"]),
            "{name} has no description"
        );
    }
}

/// SAM CLI would use the list instead of the name, and `sam deploy` would end with a `TypeError`.
#[test]
fn no_output_has_the_name_of_a_parameter_that_is_a_list() {
    let template = load();
    for name in template["Outputs"].as_object().unwrap().keys() {
        let kind = &template["Parameters"][name]["Type"];
        assert_ne!(*kind, "CommaDelimitedList", "{name}");
    }
}

#[test]
fn no_private_address_is_allowed_by_default() {
    let template = load();
    assert_eq!(
        template["Parameters"]["DevelopmentAllowedCidrs"]["Default"],
        ""
    );
    let samconfig = std::fs::read_to_string(template::root().join("samconfig.toml")).unwrap();
    let (default, local) = samconfig.split_once("[local.").unwrap();
    assert!(!default.contains("DevelopmentAllowedCidrs"));
    assert!(local.contains("DevelopmentAllowedCidrs=127.0.0.0/8"));
}

/// `sam deploy` fixes the parameters that samconfig.toml sets. All others come from the template
/// and change with it.
#[test]
fn samconfig_sets_no_parameter_for_aws() {
    let samconfig = std::fs::read_to_string(template::root().join("samconfig.toml")).unwrap();
    let (default, _) = samconfig.split_once("[local.").unwrap();
    let mut set = default.lines().filter(|line| !line.starts_with('#'));
    assert!(!set.any(|line| line.contains("parameter_overrides")));
}
