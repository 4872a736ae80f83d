//! Parameters and outputs.

use std::collections::BTreeSet;

use serde_json::json;
use webhooks_domain::contact::EmailAddress;
use webhooks_domain::payload_shape::MessageLinkTemplate;
use webhooks_domain::retention::RetentionByEventType;
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
    "NotificationDeadLetterQueueUrl",
    "NotificationQueueUrl",
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

/// A value that the template allows must not stop `PrepareCalls`: no event would be delivered.
#[test]
fn every_list_of_retentions_that_the_template_allows_can_be_read() {
    let template = load();
    let pattern = &template["Parameters"]["RetentionByEventType"]["AllowedPattern"];
    let pattern = regex_lite::Regex::new(pattern.as_str().unwrap()).unwrap();
    let longest = "x".repeat(128);
    let repeated = |entry: &str, count| vec![entry; count].join(",");
    for (list, is_allowed) in [
        ("order.created=7,audit.*=30", true),
        ("*=60, order.*=3,Order Created =7", true),
        ("order.*=9999,a=b=1,order.*=3", true),
        ("\u{e9}v\u{e9}nement.*=1,\u{a0}=2", true),
        (&format!("{longest}=1"), true),
        (&format!("{}.*=1", "x".repeat(126)), true),
        (&repeated("a=1", 50), true),
        (&repeated("a=1", 51), false),
        (&format!("{longest}x=1"), false),
        (&format!("{}.*=1", "x".repeat(127)), false),
        ("order*=7", false),
        ("*.order=7", false),
        ("order.*.a=7", false),
        ("**=7", false),
        (".*=7", false),
        ("=7", false),
        (" =7", false),
        ("a=0", false),
        ("a=1,", false),
        ("a=10000", false),
        ("a\u{85}b=1", false),
        ("a\tb=1", false),
    ] {
        assert_eq!(pattern.is_match(list), is_allowed, "{list:?}");
        let read = list.parse::<RetentionByEventType>();
        assert!(read.is_ok() || !is_allowed, "{list:?}: {read:?}");
    }
}

/// As every event has a link in its thin webhooks, `PrepareCalls` reads the template when it starts.
#[test]
fn every_template_of_a_link_that_can_be_deployed_can_be_read() {
    let template = load();
    let parameter = &template["Parameters"]["MessageLinkTemplate"];
    let pattern = parameter["AllowedPattern"].as_str().unwrap();
    let pattern = regex_lite::Regex::new(pattern).unwrap();
    assert_eq!(parameter["MaxLength"], MessageLinkTemplate::MAX_BYTES);
    for (link, is_allowed) in [
        (
            "https://app.example.com/messages/{customerId}/{messageId}",
            true,
        ),
        ("https://app.example.com/?m={messageId}#{customerId}", true),
        ("https://localhost:59999/{messageId}", true),
        ("https://a.example:0/%7Bx", true),
        ("https://a.example/", true),
        ("https://a.example", false),
        ("http://a.example/", false),
        ("https://a.example:65536/", false),
        ("https://a.1/", false),
        ("https://a..example/", false),
        ("https://[::1]/", false),
        ("https://{customerId}.example/", false),
        ("https://a.example/{id}", false),
        ("https://a.example/{customerId}/{customerId}", false),
        (
            "https://a.example/{messageId}{customerId}{messageId}",
            false,
        ),
        ("https://a.example/<a>", false),
        ("https://a.example/ x", false),
        ("https://a.example/\\x", false),
    ] {
        assert_eq!(pattern.is_match(link), is_allowed, "{link}");
        let read = link.parse::<MessageLinkTemplate>();
        assert!(read.is_ok() || !is_allowed, "{link}: {read:?}");
    }
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

/// Otherwise a deployment would succeed, and the function could not start.
#[test]
fn every_sender_that_can_be_deployed_is_an_address() {
    let template = load();
    let parameter = &template["Parameters"]["NotificationSender"];
    let pattern = parameter["AllowedPattern"].as_str().unwrap();
    let pattern = regex_lite::Regex::new(pattern).unwrap();
    let max = parameter["MaxLength"].as_u64().unwrap();
    assert_eq!(max, EmailAddress::MAX_LENGTH as u64);
    let is_deployed = |text: &str| text.len() as u64 <= max && pattern.is_match(text);
    let long = |count| "x".repeat(count);
    for good in [
        "webhooks@example.com",
        "Web.Hooks+1_a-b@mail.example.co.uk",
        "a.b.c.d@x.yz",
        "1@2.museum",
        "a@xn--mller-kva.example",
        &format!("{}@example.com", long(64)),
        &[long(15).as_str(); 4].join("."),
        &format!("a@{}.example", long(63)),
    ] {
        let good = if good.contains('@') {
            good.to_owned()
        } else {
            format!("{good}@example.com")
        };
        assert!(is_deployed(&good), "{good}");
        good.parse::<EmailAddress>().unwrap();
    }
    // None of these is an address for the function.
    for bad in [
        "ops",
        "@example.com",
        "ops@",
        ".ops@example.com",
        "ops.@example.com",
        "o..ps@example.com",
        "ops@example",
        "ops@-a.example",
        "ops@a-.example",
        "ops@example.-com",
        "ops@example.com-",
        "ops@a..example",
        "ops@.example.com",
        "ops@example.com.",
        "ops@127.0.0.1",
        "ops@example.com\n",
        "o ps@example.com",
        "ops@x@example.com",
        "öps@example.com",
        "ops@müller.example",
        &format!("{}@example.com", long(65)),
        &format!("a@{}.example", long(64)),
        &format!("a@{}.example", [long(63).as_str(); 4].join(".")),
    ] {
        assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?}");
        assert!(!is_deployed(bad), "{bad:?}");
    }
    // IAM would read these as a variable and as patterns.
    for special in [
        "${aws:username}@example.com",
        "*@example.com",
        "o?s@example.com",
    ] {
        assert!(!is_deployed(special), "{special}");
    }
    assert!(is_deployed(""), "no sender is allowed");
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
