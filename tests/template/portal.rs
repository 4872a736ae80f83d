//! The portal and the console: off by default, public, and without access to secrets. Sessions of the
//! console are made by a function that few may invoke.

use std::collections::BTreeSet;

use serde_json::json;
use webhooks_domain::portal_session::LimitedAction;
use webhooks_dynamodb::RESEND_ATTRIBUTES;

use crate::support::{
    actions, api_function_name, arn_of_api_for_portal, assert_is_public, load, role_statements,
};

/// The portal adds nothing by default, and everything of it is added by one parameter.
#[test]
fn the_portal_is_off_by_default() {
    let template = load();
    assert_eq!(template["Parameters"]["Portal"]["Default"], "Disabled");
    let enabled = json!({"Fn::Equals": [{"Ref": "Portal"}, "Enabled"]});
    assert_eq!(template["Conditions"]["RunsPortal"], enabled);
    let mut kinds = Vec::new();
    for (id, resource) in template["Resources"].as_object().unwrap() {
        let is_conditional = resource["Condition"] == "RunsPortal";
        let is_of_portal = id.starts_with("Portal") || id.starts_with("ConsoleSessions");
        let is_alarm = resource["Type"] == "AWS::CloudWatch::Alarm";
        assert_eq!(is_conditional, is_of_portal && !is_alarm, "{id}");
        if is_conditional {
            kinds.push(resource["Type"].as_str().unwrap());
        }
    }
    kinds.sort_unstable();
    let expected = [
        "AWS::IAM::Role",
        "AWS::IAM::Role",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
        "AWS::Logs::LogGroup",
        "AWS::Logs::LogGroup",
        "AWS::Serverless::Function",
        "AWS::Serverless::Function",
    ];
    assert_eq!(kinds, expected);
    for output in ["PortalAddress", "ConsoleSessionsFunctionName"] {
        let output = &template["Outputs"][output];
        assert_eq!(output["Condition"], "RunsPortal");
    }
    let samconfig =
        std::fs::read_to_string(webhooks_tests::template::root().join("samconfig.toml"));
    let samconfig = samconfig.unwrap();
    let (default, local) = samconfig.split_once("[local.").unwrap();
    assert!(!default.contains("Portal=") && local.contains("Portal=Enabled"));
}

#[test]
fn the_portal_is_public_bounded_and_invoked_by_its_url_only() {
    let template = load();
    let properties = |id: &str| template["Resources"][id]["Properties"].clone();
    assert_is_public(&template, "Portal", "PortalFunctionUrl");
    assert_eq!(
        properties("PortalFunction")["ReservedConcurrentExecutions"],
        json!({"Fn::If": [
            "ReservesForPortal",
            {"Ref": "PortalReservedConcurrency"},
            {"Ref": "AWS::NoValue"},
        ]})
    );
}

/// The portal refers to the API, and the API to the portal, so one of both references is a name. By its
/// other name the API would require no scope.
#[test]
fn the_portal_invokes_the_api_by_its_alias_only() {
    let template = load();
    let api = &template["Resources"]["ApiFunction"]["Properties"];
    assert_eq!(api["FunctionName"], api_function_name("", ""));
    let alias = &template["Resources"]["PortalApiAlias"]["Properties"];
    assert_eq!(
        *alias,
        json!({
            "Name": "portal", "FunctionName": {"Ref": "ApiFunction"}, "FunctionVersion": "$LATEST",
        })
    );
    let mut invoked = Vec::new();
    for (place, statement) in role_statements(&template) {
        let may_invoke = actions(&statement).contains(&"lambda:InvokeFunction");
        if may_invoke && place.starts_with("PortalRole,") {
            invoked.push(statement["Resource"].clone());
        }
    }
    assert_eq!(invoked, [arn_of_api_for_portal()]);
}

/// The portal waits for the API, which waits for the attempt of a test.
#[test]
fn the_portal_outlives_the_api() {
    let template = load();
    let map = template["Mappings"]["RequestTimeouts"].as_object().unwrap();
    for (request, row) in map {
        let seconds = |name: &str| row[name].as_u64().unwrap();
        assert!(
            seconds("PortalTimeout") > seconds("ApiTimeout") + 1,
            "{request}"
        );
        let request: u64 = request.parse().unwrap();
        // `TIME_OF_API` in functions/portal/src/main.rs.
        assert_eq!(seconds("ApiTimeout") + 1, request + 19, "{request}");
    }
    let timeout = json!({"Fn::FindInMap": [
        "RequestTimeouts",
        {"Ref": "RequestTimeoutSeconds"},
        "PortalTimeout",
    ]});
    let portal = &template["Resources"]["PortalFunction"]["Properties"];
    assert_eq!(portal["Timeout"], timeout);
}

/// It cannot decrypt a secret, delete anything but sessions, or write a subscription.
#[test]
fn the_role_of_the_portal_writes_sessions_and_recoveries_and_reopens_deliveries() {
    let template = load();
    let (mut all, mut writes) = (Vec::new(), Vec::new());
    for (place, statement) in role_statements(&template) {
        if !place.starts_with("PortalRole,") || statement["Sid"] == "WriteTraces" {
            continue;
        }
        let actions = actions(&statement);
        let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        for write in [
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
        ] {
            if actions.contains(&write) {
                writes.push((write, keys.clone()));
            }
        }
        all.extend(actions.into_iter().map(str::to_owned));
    }
    let expected = [
        ("dynamodb:UpdateItem", json!(["PORTAL#*", "CONSOLE"])),
        ("dynamodb:DeleteItem", json!(["PORTAL#*", "CONSOLE"])),
        ("dynamodb:UpdateItem", json!(["MESSAGE#*"])),
        ("dynamodb:PutItem", json!(["RECOVERY#*"])),
    ];
    assert_eq!(writes, expected);
    all.sort_unstable();
    all.dedup();
    let expected = [
        "dynamodb:BatchGetItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "lambda:InvokeFunction",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:GetQueueAttributes",
        "sqs:SendMessage",
        "sqs:SendMessageBatch",
        "states:StartExecution",
    ];
    assert_eq!(all, expected);
}

/// Its updates use what the adapter writes, and nothing that makes a session, or another webhook of a
/// delivery.
#[test]
fn the_updates_of_the_portal_are_bound_to_their_attributes() {
    let sessions = [
        "codeDigest",
        "enteredAt",
        "expiresAt",
        "pk",
        "recoveriesUntil",
        "sk",
        "testsUntil",
        "tokenDigest",
    ];
    let limited = LimitedAction::ALL.map(LimitedAction::as_str);
    let sessions = sessions.into_iter().chain(limited).collect();
    let mut expected: Vec<BTreeSet<&str>> = vec![sessions, RESEND_ATTRIBUTES.into()];
    for (place, statement) in role_statements(&load()) {
        if !place.starts_with("PortalRole,") || actions(&statement) != ["dynamodb:UpdateItem"] {
            continue;
        }
        let condition = &statement["Condition"]["ForAllValues:StringLike"];
        let attributes = condition["dynamodb:Attributes"].as_array().unwrap();
        let attributes = attributes.iter().map(|name| name.as_str().unwrap());
        assert_eq!(attributes.collect::<BTreeSet<_>>(), expected.remove(0));
    }
    assert!(expected.is_empty());
}

/// Whoever may make sessions of customers, and the API for them, can make none of the console: only one
/// role may put an item into their partition, and only its function has a name that IAM can permit.
#[test]
fn only_console_sessions_can_make_a_session_of_the_console() {
    let template = load();
    let mut roles = Vec::new();
    for (place, statement) in role_statements(&template) {
        let may_put = actions(&statement).contains(&"dynamodb:PutItem");
        let condition = &statement["Condition"]["ForAllValues:StringLike"];
        let keys = condition["dynamodb:LeadingKeys"].as_array();
        // Its own table.
        let is_of_self_test = place.starts_with("EchoReceiverRole,");
        if !may_put || is_of_self_test {
            continue;
        }
        let keys = keys.unwrap_or_else(|| panic!("{place} may put any item"));
        let may_reach = |key: &serde_json::Value| {
            let pattern = key.as_str().unwrap();
            let prefix = pattern.strip_suffix('*');
            prefix.map_or(pattern == "CONSOLE", |prefix| "CONSOLE".starts_with(prefix))
        };
        if keys.iter().any(may_reach) {
            roles.push(place.split(',').next().unwrap().to_owned());
        }
    }
    assert_eq!(roles, ["ConsoleSessionsRole"]);
    let targets = template["Resources"].as_object().unwrap().values();
    let targets = targets.filter(|resource| {
        let kind = resource["Type"].as_str().unwrap();
        kind == "AWS::Lambda::Url" || kind == "AWS::Lambda::Permission"
    });
    for target in targets {
        assert!(!target.to_string().contains("ConsoleSessions"), "{target}");
    }
}

/// It writes, lists and deletes the sessions of the console, and reads nothing else.
#[test]
fn the_role_of_console_sessions_has_its_own_items_only() {
    let template = load();
    for (place, statement) in role_statements(&template) {
        if !place.starts_with("ConsoleSessionsRole,") || statement["Sid"] == "WriteTraces" {
            continue;
        }
        let actions = actions(&statement);
        if actions.iter().any(|action| action.starts_with("dynamodb:")) {
            let expected = ["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Query"];
            assert_eq!(actions, expected);
            let keys = &statement["Condition"]["ForAllValues:StringLike"];
            assert_eq!(keys["dynamodb:LeadingKeys"], json!(["CONSOLE"]));
            assert_eq!(
                statement["Condition"]["Null"]["dynamodb:LeadingKeys"],
                "false"
            );
        } else {
            assert!(
                actions.iter().all(|action| action.starts_with("logs:")),
                "{actions:?}"
            );
        }
    }
}
