//! Permissions: each role may do what its function needs, and nothing else.

use std::collections::BTreeSet;

use serde_json::json;
use webhooks_tests::template;

use crate::support::{
    actions, all_statements, arn_of_table, has_key, installation_id, load, pascal_case, referenced,
    resource_statements, resources_of, role_statements, signing_key_arn, this_bus,
};

/// The statements that apply to every resource, by their names, because their actions support no
/// resource. In the order of the template.
const ON_EVERY_RESOURCE: &[(&str, &[&str])] = &[
    ("DeliverWorkflowLogs", LOG_DELIVERY_ACTIONS),
    ("WriteTraces", TRACE_ACTIONS),
    ("JoinVpc", VPC_ACTIONS),
];

const TRACE_ACTIONS: &[&str] = &[
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
];

/// The permissions that Lambda needs for a function in a VPC, and no more (Lambda developer guide,
/// "Giving Lambda functions access to resources in an Amazon VPC").
const VPC_ACTIONS: &[&str] = &[
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];

const LOG_DELIVERY_ACTIONS: &[&str] = &[
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
];

#[test]
fn every_action_is_written_out() {
    for (place, statement) in all_statements(&load()) {
        let actions = actions(&statement);
        assert!(!actions.is_empty(), "{place}: no Action");
        for action in actions {
            assert!(
                !action.contains(['*', '?']) && action.contains(':'),
                "{place}: action {action}"
            );
        }
        assert!(statement.get("NotAction").is_none(), "{place}: NotAction");
        assert!(
            statement.get("NotResource").is_none(),
            "{place}: NotResource"
        );
    }
}

#[test]
fn every_statement_of_a_role_names_one_resource_of_the_stack() {
    let template = load();
    for (place, statement) in role_statements(&template) {
        let sid = statement["Sid"].as_str().unwrap_or_default();
        if let Some((_, known)) = ON_EVERY_RESOURCE.iter().find(|(name, _)| *name == sid) {
            assert_eq!(statement["Resource"], "*", "{place}");
            for action in actions(&statement) {
                assert!(known.contains(&action), "{place}: {action}");
            }
            let of_workflow = place.starts_with("WebhookDeliveryRole");
            assert!(sid != "DeliverWorkflowLogs" || of_workflow, "{place}");
            let may_join = place.starts_with("DeliverWebhookRole");
            assert!(sid != "JoinVpc" || may_join, "{place}");
            continue;
        }
        if sid == "TellOperationalEvents" {
            assert_eq!(actions(&statement), ["events:PutEvents"], "{place}");
            assert_eq!(statement["Resource"], this_bus(&template), "{place}");
            let source = webhooks_domain::operational::SOURCE;
            // The key has a value for each event of a call.
            let condition = json!({
                "ForAllValues:StringEquals": {"events:source": [source]},
                "Null": {"events:source": "false"},
            });
            assert_eq!(statement["Condition"], condition, "{place}");
            continue;
        }
        if sid == "SendFromSender" {
            assert!(place.starts_with("NotifyContactsRole"), "{place}");
            assert_eq!(actions(&statement), ["ses:SendEmail"], "{place}");
            let sender = json!({"Ref": "NotificationSender"});
            let condition = json!({"StringEquals": {"ses:FromAddress": sender}});
            assert_eq!(statement["Condition"], condition, "{place}");
            // Identities are no resources of the stack. In the sandbox those of recipients count too.
            let own = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}";
            // So do the configuration sets of identities, if the request names none.
            let resources = ["identity/*", "configuration-set/*"]
                .map(|resource| json!({"Fn::Sub": format!("{own}:{resource}")}));
            assert_eq!(statement["Resource"], json!(resources), "{place}");
            continue;
        }
        let resource = referenced(&statement["Resource"]);
        assert!(
            resource.is_some_and(|id| template["Resources"].get(id).is_some()),
            "{place}: resource {}",
            statement["Resource"]
        );
    }
}

/// A condition must be false if the request lacks its key: `IfExists` would be true then.
#[test]
fn no_condition_is_true_without_its_key() {
    for (place, statement) in all_statements(&load()) {
        let Some(condition) = statement["Condition"].as_object() else {
            continue;
        };
        for (operator, keys) in condition {
            assert!(!operator.ends_with("IfExists"), "{place}: {operator}");
            for key in [
                "dynamodb:LeadingKeys",
                "dynamodb:Attributes",
                "events:source",
            ] {
                if operator.starts_with("ForAllValues:") && keys.get(key).is_some() {
                    // An empty set of keys satisfies `ForAllValues`.
                    assert_eq!(condition["Null"][key], "false", "{place}");
                }
            }
        }
    }
}

/// Every role of a function or workflow names the partitions of the table that it may access.
#[test]
fn each_role_is_bound_to_the_partitions_that_it_uses() {
    for (place, statement) in role_statements(&load()) {
        let on_table = statement["Resource"] == arn_of_table("");
        let is_bound = !statement["Condition"]["ForAllValues:StringLike"].is_null();
        assert!(!on_table || is_bound, "{place}");
    }
}

/// The first lease of an access token is written only while its subscription exists.
#[test]
fn only_attempts_check_that_a_subscription_exists() {
    let checks = "dynamodb:ConditionCheckItem";
    let statements = role_statements(&load()).into_iter();
    let found: Vec<_> = statements
        .filter(|(_, statement)| actions(statement).contains(&checks))
        .map(|(place, statement)| {
            let keys = &statement["Condition"]["ForAllValues:StringLike"];
            let role = place.split(',').next().unwrap_or_default().to_owned();
            (role, keys["dynamodb:LeadingKeys"].clone())
        })
        .collect();
    let expected = ("DeliverWebhookRole".to_owned(), json!(["CUSTOMER#*"]));
    assert_eq!(found, [expected]);
}

#[test]
fn only_the_keys_own_policy_allows_every_resource() {
    for (place, statement) in resource_statements(&load()) {
        assert_eq!(statement["Effect"], "Allow", "{place}");
        if place.starts_with("SigningKey") {
            assert_eq!(statement["Resource"], "*", "{place}");
            assert!(
                actions(&statement)
                    .iter()
                    .all(|action| action.starts_with("kms:")),
                "{place}"
            );
        } else {
            assert!(referenced(&statement["Resource"]).is_some(), "{place}");
            assert!(
                statement["Condition"].is_object(),
                "{place}: allows every caller"
            );
        }
    }
}

#[test]
fn every_policy_of_a_role_is_written_in_the_template() {
    let template = load();
    for key in ["ManagedPolicyArns", "PolicyArn", "PermissionsBoundary"] {
        assert!(!has_key(&template, key), "{key}");
    }
    for (id, role) in resources_of(&template, "AWS::IAM::Role") {
        let trust = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(
            trust.as_array().unwrap().len(),
            1,
            "{id} must trust one service only"
        );
        assert!(
            trust[0]["Principal"]["Service"].is_string(),
            "{id}: {}",
            trust[0]["Principal"]
        );
    }
    // SAM would create its own role, or add its own policies to this one.
    for kind in ["AWS::Serverless::Function", "AWS::Serverless::StateMachine"] {
        for (id, resource) in resources_of(&template, kind) {
            let properties = &resource["Properties"];
            assert!(
                referenced(&properties["Role"]).is_some(),
                "{id} has no role"
            );
            assert!(properties.get("Policies").is_none(), "{id} has policies");
        }
    }
}

#[test]
fn no_two_functions_share_a_role() {
    let template = load();
    let functions = resources_of(&template, "AWS::Serverless::Function");
    let roles: BTreeSet<_> = functions
        .iter()
        .map(|(_, function)| referenced(&function["Properties"]["Role"]).unwrap())
        .collect();
    assert_eq!(roles.len(), functions.len());
}

#[test]
fn secrets_are_decrypted_for_their_purpose_and_installation_only() {
    let template = load();
    let mut holders = Vec::new();
    for (place, statement) in role_statements(&template) {
        if !actions(&statement)
            .iter()
            .any(|one| one.starts_with("kms:"))
        {
            continue;
        }
        assert_eq!(statement["Resource"], signing_key_arn(), "{place}");
        let condition = json!({
            "StringEquals": {
                "kms:EncryptionContext:purpose": "subscription-secrets",
                "kms:EncryptionContext:installation": installation_id(),
            },
            "ForAllValues:StringEquals": {
                "kms:EncryptionContextKeys": ["purpose", "installation"],
            },
        });
        assert_eq!(statement["Condition"], condition, "{place}");
        holders.push(place);
    }
    let roles = holders.iter().map(|place| place.split(',').next().unwrap());
    assert_eq!(roles.collect::<Vec<_>>(), ["ApiRole", "DeliverWebhookRole"]);
}

/// IAM cannot grant a permission that the key's policy does not grant.
#[test]
fn the_keys_policy_allows_every_command_that_the_docs_name() {
    let template = load();
    let statement = &template["Resources"]["SigningKey"]["Properties"]["KeyPolicy"]["Statement"][0];
    let allowed: BTreeSet<_> = actions(statement).into_iter().collect();
    let mut named = BTreeSet::new();
    let docs = std::fs::read_dir(template::root().join("docs")).unwrap();
    let pages = docs.map(|entry| entry.unwrap().path());
    for page in pages.chain([template::root().join("README.md")]) {
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        for after in text.split("aws kms ").skip(1) {
            let verb = |c: char| !c.is_ascii_lowercase() && c != '-';
            let action = format!("kms:{}", pascal_case(after.split(verb).next().unwrap()));
            assert!(allowed.contains(&*action), "{}: {action}", page.display());
            named.insert(action);
        }
    }
    assert!(named.contains("kms:RotateKeyOnDemand"), "{named:?}");
}
