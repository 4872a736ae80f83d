//! Reads parts of the template.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use webhooks_tests::template;

/// The bus of the rule, as the archive names it.
pub(crate) fn this_bus(template: &Value) -> Value {
    template["Resources"]["EventArchive"]["Properties"]["SourceArn"].clone()
}

pub(crate) fn load() -> Value {
    template::load().unwrap()
}

/// The resources of one type, by logical id, in the order of their ids.
pub(crate) fn resources_of<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let mut found: Vec<_> = template["Resources"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id.as_str(), resource))
        .collect();
    found.sort_unstable_by_key(|(id, _)| *id);
    found
}

/// Every statement of a role's policies, with its location.
pub(crate) fn role_statements(template: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (id, role) in resources_of(template, "AWS::IAM::Role") {
        for policy in role["Properties"]["Policies"].as_array().unwrap() {
            collect(id, &policy["PolicyDocument"], &mut found);
        }
    }
    assert!(!found.is_empty());
    found
}

/// Every statement of a policy of a resource, with its location.
pub(crate) fn resource_statements(template: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (id, resource) in template["Resources"].as_object().unwrap() {
        for key in ["KeyPolicy", "PolicyDocument"] {
            if let Some(document) = resource["Properties"].get(key) {
                collect(id, document, &mut found);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

pub(crate) fn all_statements(template: &Value) -> Vec<(String, Value)> {
    let mut found = role_statements(template);
    found.extend(resource_statements(template));
    found
}

pub(crate) fn collect(id: &str, document: &Value, found: &mut Vec<(String, Value)>) {
    for (index, statement) in document["Statement"].as_array().unwrap().iter().enumerate() {
        let statement = statement
            .get("Fn::If")
            .map_or(statement, |choice| &choice[1]);
        found.push((format!("{id}, statement {index}"), statement.clone()));
    }
}

/// The actions of a statement, which may be one text or a list.
pub(crate) fn actions(statement: &Value) -> Vec<&str> {
    match &statement["Action"] {
        Value::String(action) => vec![action],
        Value::Array(actions) => actions
            .iter()
            .map(|action| action.as_str().unwrap())
            .collect(),
        _ => vec![],
    }
}

/// The logical id that a `!Ref` or `!GetAtt` names. An adopted resource has the id of the resource
/// that it replaces, and an index has its table's id.
pub(crate) fn referenced(value: &Value) -> Option<&str> {
    if *value == signing_key_arn() {
        return Some("SigningKey");
    }
    if *value == arn_of_api_for_portal() {
        return Some("PortalApiAlias");
    }
    let indexes =
        ["deliveries", "due", "messages", "undelivered"].map(|name| format!("/index/{name}"));
    let mut suffixes = indexes.iter().map(String::as_str).chain([""]);
    if suffixes.any(|suffix| *value == arn_of_table(suffix)) {
        return Some("Table");
    }
    let id = value
        .get("Ref")
        .or_else(|| value.get("Fn::GetAtt"))?
        .as_str()?;
    Some(id.split('.').next().unwrap_or(id))
}

/// The name of the table, the stack's own or an adopted one.
pub(crate) fn table_name() -> Value {
    json!({"Fn::If": ["CreateTable", {"Ref": "Table"}, {"Ref": "ExistingTableName"}]})
}

/// The table's ARN with a suffix, for an index.
pub(crate) fn arn_of_table(suffix: &str) -> Value {
    let arn = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Name}";
    json!({"Fn::Sub": [format!("{arn}{suffix}"), {"Name": table_name()}]})
}

/// The name of the API's function, which the portal knows without a reference, between these texts.
pub(crate) fn api_function_name(before: &str, after: &str) -> Value {
    json!({"Fn::Sub": [
        format!("{before}webhooks-ApiFunction-${{Id}}{after}"),
        {"Id": {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}},
    ]})
}

/// The ARN of the API's alias for the portal.
pub(crate) fn arn_of_api_for_portal() -> Value {
    let arn = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:";
    api_function_name(arn, ":portal")
}

/// The key of the secrets, the stack's own or an adopted one.
pub(crate) fn signing_key_arn() -> Value {
    json!({"Fn::If": [
        "CreateSigningKey",
        {"Fn::GetAtt": "SigningKey.Arn"},
        {"Ref": "ExistingKeyArn"},
    ]})
}

/// The installation id to which the secrets are bound: the id of the stack, or an adopted one.
pub(crate) fn installation_id() -> Value {
    let own = json!({"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]});
    json!({"Fn::If": ["OwnInstallation", own, {"Ref": "InstallationId"}]})
}

pub(crate) fn has_key(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(object) => {
            object.contains_key(key) || object.values().any(|inner| has_key(inner, key))
        }
        Value::Array(items) => items.iter().any(|inner| has_key(inner, key)),
        _ => false,
    }
}

pub(crate) fn is_sentence(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() > 10 && text.ends_with('.'))
}

/// Asserts that a mapping has a row for each value that a parameter takes.
pub(crate) fn assert_same_values(template: &Value, parameter: &str, rows: &Map<String, Value>) {
    let allowed: BTreeSet<_> = template["Parameters"][parameter]["AllowedValues"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    assert_eq!(
        rows.keys().cloned().collect::<BTreeSet<_>>(),
        allowed,
        "{parameter}"
    );
}

/// `rotate-key-on-demand` becomes `RotateKeyOnDemand`.
pub(crate) fn pascal_case(kebab_case: &str) -> String {
    let words = kebab_case.split('-').filter(|word| !word.is_empty());
    words
        .map(|word| word[..1].to_ascii_uppercase() + &word[1..])
        .collect()
}

pub(crate) fn kebab_case(pascal_case: &str) -> String {
    let mut kebab = String::new();
    for letter in pascal_case.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

/// Asserts that the function with this prefix has a public URL, and is invoked by its URL only.
///
/// A public URL without authentication needs both permissions (Lambda developer guide, "Control
/// access to Lambda function URLs"; since October 2025).
pub(crate) fn assert_is_public(template: &Value, prefix: &str, url: &str) {
    let properties = |id: &str| template["Resources"][id]["Properties"].clone();
    let arn = format!("{prefix}Function.Arn");
    assert_eq!(
        properties(url),
        json!({"AuthType": "NONE", "TargetFunctionArn": {"Fn::GetAtt": arn}})
    );
    let function = json!({"Ref": format!("{prefix}Function")});
    assert_eq!(
        properties(&format!("{prefix}UrlPermission")),
        json!({
            "Action": "lambda:InvokeFunctionUrl", "FunctionName": function,
            "FunctionUrlAuthType": "NONE", "Principal": "*",
        })
    );
    assert_eq!(
        properties(&format!("{prefix}InvokePermission")),
        json!({
            "Action": "lambda:InvokeFunction", "FunctionName": function,
            "InvokedViaFunctionUrl": true, "Principal": "*",
        })
    );
}
