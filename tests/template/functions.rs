//! Functions: their names, networks, traces, concurrency and architecture.

use std::collections::BTreeSet;

use serde_json::json;
use webhooks_tests::template;

use crate::support::{
    assert_same_values, kebab_case, load, referenced, resources_of, role_statements,
};

#[test]
fn one_parameter_sets_the_log_level_of_functions_and_of_lambda() {
    let template = load();
    let function = &template["Globals"]["Function"];
    let level = json!({"Ref": "LogLevel"});
    assert_eq!(function["LoggingConfig"]["LogFormat"], "JSON");
    assert_eq!(function["LoggingConfig"]["ApplicationLogLevel"], level);
    assert_eq!(function["Environment"]["Variables"]["LOG_LEVEL"], level);
    for (id, function) in resources_of(&template, "AWS::Serverless::Function") {
        let own = &function["Properties"];
        assert!(
            own["LoggingConfig"]["ApplicationLogLevel"].is_null(),
            "{id}"
        );
        assert!(
            own["Environment"]["Variables"]["LOG_LEVEL"].is_null(),
            "{id}"
        );
    }
    // Lambda treats lines without a level, such as metrics, as INFO. A higher level would drop
    // them, and our alarms would see no data.
    let parameter = &template["Parameters"]["LogLevel"];
    assert_eq!(parameter["Default"], "INFO");
    assert_eq!(
        parameter["AllowedValues"],
        json!(["INFO", "DEBUG", "TRACE"])
    );
}

#[test]
fn only_the_delivery_function_is_in_a_vpc_and_only_when_asked() {
    let template = load();
    for parameter in ["SubnetIds", "SecurityGroupIds"] {
        assert_eq!(template["Parameters"][parameter]["Default"], "");
    }
    assert_eq!(template["Parameters"]["EnableIpv6"]["Default"], "false");
    let is_true = json!({"Fn::Equals": [{"Ref": "EnableIpv6"}, "true"]});
    assert_eq!(template["Conditions"]["AllowIpv6"], is_true);
    for (id, function) in resources_of(&template, "AWS::Serverless::Function") {
        let network = &function["Properties"]["VpcConfig"];
        if id == "DeliverWebhookFunction" {
            assert_eq!(network["Fn::If"][0], "InVpc");
            let ipv6 = &network["Fn::If"][1]["Ipv6AllowedForDualStack"];
            assert_eq!(*ipv6, json!({"Fn::If": ["AllowIpv6", true, false]}));
            assert_eq!(network["Fn::If"][2], json!({"Ref": "AWS::NoValue"}));
        } else {
            assert!(network.is_null(), "{id}");
        }
    }
}

#[test]
fn every_function_and_the_workflow_are_traced() {
    let template = load();
    assert_eq!(template["Parameters"]["Tracing"]["Default"], "PassThrough");
    let mode = &template["Globals"]["Function"]["Tracing"];
    assert_eq!(*mode, json!({"Ref": "Tracing"}));
    let active = json!({"Fn::Equals": [{"Ref": "Tracing"}, "Active"]});
    assert_eq!(template["Conditions"]["TracesWorkflows"], active);
    let enabled = json!({"Fn::If": ["TracesWorkflows", true, false]});
    let workflows = resources_of(&template, "AWS::Serverless::StateMachine");
    let functions = resources_of(&template, "AWS::Serverless::Function");
    for (id, workflow) in &workflows {
        let tracing = &workflow["Properties"]["Tracing"];
        assert_eq!(tracing["Enabled"], enabled, "{id}");
    }
    for (id, resource) in functions.iter().chain(&workflows) {
        let role = referenced(&resource["Properties"]["Role"]).unwrap();
        let may = role_statements(&template).iter().any(|(place, statement)| {
            place.starts_with(&format!("{role},")) && statement["Sid"] == "WriteTraces"
        });
        assert!(may, "{id}: {role} cannot write traces");
    }
}

#[test]
fn the_delivery_concurrency_is_the_parameters_value() {
    let template = load();
    let rows = template["Mappings"]["DeliveryConcurrencies"]
        .as_object()
        .unwrap();
    for (chosen, row) in rows {
        assert_eq!(row["Maximum"], chosen.parse::<u64>().unwrap());
    }
    for parameter in [
        "MaximumDeliveryConcurrency",
        "MaximumSlowDeliveryConcurrency",
    ] {
        assert_same_values(&template, parameter, rows);
    }
}

#[test]
fn a_function_has_the_name_of_its_package() {
    let template = load();
    let functions = resources_of(&template, "AWS::Serverless::Function");
    let mut packages = BTreeSet::new();
    for (id, function) in functions {
        let package = kebab_case(id.strip_suffix("Function").unwrap());
        assert_eq!(
            function["Metadata"]["BuildMethod"], "rust-cargolambda",
            "{id}"
        );
        assert_eq!(
            function["Metadata"]["BuildProperties"]["Binary"], package,
            "{id}"
        );
        assert_eq!(function["Properties"]["CodeUri"], ".", "{id}");
        let manifest = template::root()
            .join("functions")
            .join(&package)
            .join("Cargo.toml");
        let manifest = std::fs::read_to_string(&manifest).unwrap();
        assert!(manifest.contains(&format!("name = \"{package}\"")), "{id}");
        packages.insert(package);
    }
    let folders: BTreeSet<_> = std::fs::read_dir(template::root().join("functions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(packages, folders);
}

#[test]
fn the_api_accepts_signed_requests_only() {
    let template = load();
    let api = json!({"Ref": "ApiFunction"});
    let auth: Vec<_> = resources_of(&template, "AWS::Lambda::Url")
        .into_iter()
        .filter(|(_, url)| url["Properties"]["TargetFunctionArn"] == api)
        .map(|(id, url)| (id, &url["Properties"]["AuthType"]))
        .collect();
    assert_eq!(auth, [("ApiFunctionUrl", &json!("AWS_IAM"))]);
    // Callers are allowed only by their own policies.
    for (id, permission) in resources_of(&template, "AWS::Lambda::Permission") {
        assert_ne!(permission["Properties"]["FunctionName"], api, "{id}");
    }
    // A URL that is part of its function cannot be left out in a Region without Function URLs.
    for (id, function) in resources_of(&template, "AWS::Serverless::Function") {
        assert!(
            function["Properties"].get("FunctionUrlConfig").is_none(),
            "{id}"
        );
    }
}

/// `sam build` uses the default and `sam deploy` uses the parameter, so only one value may exist.
#[test]
fn only_the_built_architecture_can_be_deployed() {
    let template = load();
    let parameter = &template["Parameters"]["Architecture"];
    assert_eq!(parameter["AllowedValues"], json!([parameter["Default"]]));
    assert_eq!(
        template["Globals"]["Function"]["Architectures"],
        json!([{"Ref": "Architecture"}])
    );
    for (id, function) in resources_of(&template, "AWS::Serverless::Function") {
        assert!(
            function["Properties"].get("Architectures").is_none(),
            "{id}"
        );
    }
}

/// The smallest Lambda concurrency of a new account.
const SMALLEST_ACCOUNT: u64 = 10;

/// The concurrency that the workflow, the sweep and the API need for one event at a time.
const OTHERS: u64 = 3;

#[test]
fn the_defaults_leave_a_new_account_room_for_the_workflow() {
    let template = load();
    let default = |name: &str| template["Parameters"][name]["Default"].as_u64().unwrap();
    let delivery =
        default("MaximumDeliveryConcurrency") + default("MaximumSlowDeliveryConcurrency");
    assert!(delivery + OTHERS <= SMALLEST_ACCOUNT, "{delivery}");
}
