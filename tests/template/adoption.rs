//! A stack that adopts the table of another one.

use serde_json::{Value, json};

use crate::support::load;

#[test]
fn a_table_is_adopted_only_with_the_key_and_the_installation_of_its_secrets() {
    let template = load();
    let is_empty = |parameter: &str| json!({"Fn::Equals": [{"Ref": parameter}, ""]});
    for (condition, parameter) in [
        ("CreateTable", "ExistingTableName"),
        ("CreateSigningKey", "ExistingKeyArn"),
        ("OwnInstallation", "InstallationId"),
    ] {
        assert_eq!(template["Conditions"][condition], is_empty(parameter));
        assert_eq!(template["Parameters"][parameter]["Default"], "");
    }
    assert_eq!(template["Resources"]["Table"]["Condition"], "CreateTable");
    let key = &template["Resources"]["SigningKey"];
    assert_eq!(key["Condition"], "CreateSigningKey");

    let rule = &template["Rules"]["AdoptTableWithItsSecrets"];
    let is_given = |parameter: &str| json!({"Fn::Not": [is_empty(parameter)]});
    assert_eq!(rule["RuleCondition"], is_given("ExistingTableName"));
    let assertions = rule["Assertions"].as_array().unwrap().iter();
    let needed: Vec<_> = assertions.map(|one| &one["Assert"]).collect();
    let expected = ["ExistingKeyArn", "InstallationId"].map(is_given);
    assert_eq!(needed, expected.iter().collect::<Vec<_>>());
}

/// The parameters are used in the roles' policies, so a value with more than one table, key or
/// installation would widen the permissions.
#[test]
fn the_adoption_parameters_name_one_table_one_key_and_one_installation() {
    let template = load();
    let arn = "arn:aws:kms:eu-west-1:123456789012:key/";
    let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    for (parameter, good, bad) in [
        (
            "ExistingTableName",
            "webhooks-Table-1QX.restored_2",
            ["web*", "webhook?", "t/index/due", "a", "${AWS::StackName}"],
        ),
        (
            "ExistingKeyArn",
            &format!("{arn}mrk-{}", id.replace('-', "")),
            [
                &format!("{arn}*"),
                &format!("{arn}{id}?"),
                "arn:aws:kms:eu-west-1:123456789012:alias/webhooks",
                "arn:aws:kms:*:123456789012:key/1",
                id,
            ],
        ),
        ("InstallationId", id, ["*", "a?", "a b", "${aws:x}", "a/b"]),
    ] {
        let pattern = &template["Parameters"][parameter]["AllowedPattern"];
        let pattern = regex_lite::Regex::new(pattern.as_str().unwrap()).unwrap();
        for value in ["", good] {
            assert!(pattern.is_match(value), "{parameter}: {value}");
        }
        for value in bad {
            assert!(!pattern.is_match(value), "{parameter}: {value}");
        }
    }
}

/// A stack that adopts a table has the same permissions: the adopted table, key and installation
/// replace the stack's own, and nothing else changes.
#[test]
fn a_stack_that_adopts_a_table_differs_only_in_table_key_and_installation() {
    let template = load();
    let own = [
        json!({"Ref": "Table"}),
        json!({"Fn::GetAtt": "SigningKey.Arn"}),
        json!({"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}),
    ];
    let adopted = ["ExistingTableName", "ExistingKeyArn", "InstallationId"]
        .map(|parameter| json!({"Ref": parameter}));
    let variant = |owns: bool, named: &[Value; 3]| {
        let mut variant = json!({
            "Resources": template["Resources"],
            "Outputs": template["Outputs"],
        });
        for resource in ["Table", "SigningKey"] {
            variant["Resources"]
                .as_object_mut()
                .unwrap()
                .remove(resource);
        }
        choose(&mut variant, owns, named);
        variant
    };
    let (created, adopting) = (variant(true, &own), variant(false, &adopted));
    assert_eq!(created, adopting);
    // No reference to the other variant is left.
    let text = created.to_string();
    assert!(text.contains(ADOPTABLE[0]) && text.contains(ADOPTABLE[1]));
    for name in [
        "\"Table\"",
        "${Table",
        "\"SigningKey.Arn",
        "${SigningKey",
        "Existing",
    ] {
        assert!(!text.contains(name), "{name}");
    }
}

/// The placeholders for the table, the key and the installation after a variant is chosen.
const ADOPTABLE: [&str; 3] = ["<table>", "<key>", "<installation>"];

/// Replaces each condition on adoption by one of its branches, and the resource that this branch
/// names by a placeholder.
fn choose(value: &mut Value, owns: bool, named: &[Value; 3]) {
    let conditions = ["CreateTable", "CreateSigningKey", "OwnInstallation"];
    if let Some(branches) = value.get("Fn::If").and_then(Value::as_array)
        && conditions.iter().any(|name| branches[0] == **name)
    {
        *value = branches[if owns { 1 } else { 2 }].clone();
        if let Some(index) = named.iter().position(|name| name == value) {
            *value = ADOPTABLE[index].into();
        }
        return;
    }
    match value {
        Value::Object(object) => object
            .values_mut()
            .for_each(|inner| choose(inner, owns, named)),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|inner| choose(inner, owns, named)),
        _ => {}
    }
}
