//! The self test: off by default, and separate from everything else.

use serde_json::json;

use crate::support::{actions, assert_is_public, load, referenced, role_statements};

/// The self test adds nothing by default, and its one public function can access its own table
/// only.
#[test]
fn the_self_test_is_off_by_default_and_reaches_its_own_table_only() {
    let template = load();
    assert_eq!(template["Parameters"]["SelfTest"]["Default"], "Disabled");
    let enabled = json!({"Fn::Equals": [{"Ref": "SelfTest"}, "Enabled"]});
    assert_eq!(template["Conditions"]["RunsSelfTest"], enabled);
    let is_of_self_test = |id: &str| id.starts_with("EchoReceiver") || id == "SelfTestTable";
    let resources = template["Resources"].as_object().unwrap();
    let mut kinds = Vec::new();
    for (id, resource) in resources {
        let is_conditional = resource["Condition"] == "RunsSelfTest";
        assert_eq!(is_conditional, is_of_self_test(id), "{id}");
        if is_of_self_test(id) {
            kinds.push(resource["Type"].as_str().unwrap());
        }
    }
    kinds.sort_unstable();
    let expected = [
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
        "AWS::Logs::LogGroup",
        "AWS::Serverless::Function",
    ];
    assert_eq!(kinds, expected);
    for output in ["EchoReceiverUrl", "SelfTestTableName"] {
        assert_eq!(template["Outputs"][output]["Condition"], "RunsSelfTest");
    }
    for (place, statement) in role_statements(&template) {
        let of_its_role = place.starts_with("EchoReceiverRole,");
        let on_its_table = referenced(&statement["Resource"]) == Some("SelfTestTable");
        let on_a_table = actions(&statement)[0].starts_with("dynamodb:");
        assert_eq!(of_its_role && on_a_table, on_its_table, "{place}");
    }
}

#[test]
fn the_receiver_of_the_self_test_is_public_bounded_and_invoked_by_its_url_only() {
    let template = load();
    let resources = &template["Resources"];
    let properties = |id: &str| resources[id]["Properties"].clone();
    assert_is_public(&template, "EchoReceiver", "EchoReceiverUrl");
    assert_eq!(
        properties("EchoReceiverFunction")["ReservedConcurrentExecutions"],
        json!({"Fn::If": [
            "ReservesForEchoReceiver",
            {"Ref": "EchoReceiverConcurrency"},
            {"Ref": "AWS::NoValue"},
        ]})
    );
}
