//! Checks the KMS key that encrypts signing secrets, and its policy.

use serde::Deserialize;
use serde_json::{Value, json};

use super::aws::KMS;
use super::context::{Context, Described};
use super::report::{Check, Group, Outcome, judge};

const GROUP: Group = Group("key");

/// The actions that the functions need.
const NEEDED: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// The action that the operator's runbook needs.
const OPERATOR: [&str; 1] = ["kms:RotateKeyOnDemand"];

/// `DescribeKey`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    key_metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    key_state: String,
}

/// `GetKeyRotationStatus`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rotation {
    key_rotation_enabled: bool,
}

/// `GetKeyPolicy`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    policy: String,
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("the signing key");
    let key: Described<Key> = ask(context, "DescribeKey").await;
    let rotation: Described<Rotation> = ask(context, "GetKeyRotationStatus").await;
    let policy: Described<Policy> = ask(context, "GetKeyPolicy").await;
    let mut checks = judge(
        GROUP,
        "SigningKey",
        &key,
        &[("state", &|key| judge_state(&key.key_metadata.key_state))],
    );
    checks.extend(judge(
        GROUP,
        "SigningKey",
        &rotation,
        &[("rotation", &|r| judge_rotation(r.key_rotation_enabled))],
    ));
    checks.extend(judge(
        GROUP,
        "SigningKey",
        &policy,
        &[
            ("policy for the functions", &|p| judge_needed(&p.policy)),
            ("policy for rotation", &|p| judge_operator(&p.policy)),
        ],
    ));
    checks
}

async fn ask<T: serde::de::DeserializeOwned>(context: &Context, operation: &str) -> Described<T> {
    let mut input = json!({"KeyId": context.output("SigningKeyArn")?});
    if operation == "GetKeyPolicy" {
        input["PolicyName"] = json!("default");
    }
    context.call(&KMS, operation, &input).await
}

fn judge_state(state: &str) -> Outcome {
    match state {
        "Enabled" => Outcome::passed("Enabled"),
        "PendingDeletion" => Outcome::failed(
            "PendingDeletion: nothing can be signed, and once it is deleted all secrets are lost",
            "now: `aws kms cancel-key-deletion --key-id KEY`, then `aws kms enable-key --key-id KEY`",
        ),
        state => Outcome::failed(
            format!("{state}: nothing can be signed, and deliveries go to the dead-letter queue"),
            "`aws kms enable-key --key-id KEY`; then `webhooks dlq redrive deliveries`",
        ),
    }
}

fn judge_rotation(enabled: bool) -> Outcome {
    if enabled {
        return Outcome::passed("every year");
    }
    Outcome::failed(
        "the key is not rotated",
        "`aws kms enable-key-rotation --key-id KEY`",
    )
}

fn judge_needed(policy: &str) -> Outcome {
    const FIX: &str = "restore the template's key policy: `aws kms put-key-policy`, or docs/doctor.md, \
                       Drift. Without kms:PutKeyPolicy in it only AWS Support can";
    let missing = match missing(policy, &NEEDED) {
        Ok(missing) => missing,
        Err(outcome) => return outcome,
    };
    if missing.is_empty() {
        return Outcome::passed(format!("allows {}", NEEDED.join(", ")));
    }
    Outcome::failed(
        format!(
            "it does not let this account's IAM policies allow {}: no secret can be decrypted",
            missing.join(", ")
        ),
        FIX,
    )
}

fn judge_operator(policy: &str) -> Outcome {
    let missing = match missing(policy, &OPERATOR) {
        Ok(missing) => missing,
        Err(outcome) => return outcome,
    };
    if missing.is_empty() {
        return Outcome::passed(format!("allows {}", OPERATOR.join(", ")));
    }
    Outcome::warned(
        format!(
            "it denies {} regardless of IAM policies: nobody can rotate the key on demand",
            missing.join(", ")
        ),
        "add it to the key's policy, as in the template of a newer version",
    )
}

/// Returns the actions that the policy allows to no one.
fn missing(policy: &str, actions: &[&'static str]) -> Result<Vec<&'static str>, Outcome> {
    let policy: Value = serde_json::from_str(policy).map_err(|_| {
        Outcome::failed(
            "the key's policy is not JSON",
            "look at it: `aws kms get-key-policy --key-id KEY`",
        )
    })?;
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        statement => vec![statement.clone()],
    };
    let says = |effect: &str, action: &str| {
        statements
            .iter()
            .any(|one| one["Effect"] == effect && applies_to(one, action))
    };
    let missing = actions.iter().copied();
    Ok(missing
        .filter(|action| !says("Allow", action) || says("Deny", action))
        .collect())
}

/// Returns true if a statement applies to an action, without a condition that we cannot
/// evaluate.
///
/// The functions satisfy conditions on the encryption context. An Allow or Deny under any other
/// condition is ignored.
fn applies_to(statement: &Value, action: &str) -> bool {
    let principals = match &statement["Principal"] {
        Value::Object(principals) => principals.get("AWS").cloned().unwrap_or_default(),
        principal => principal.clone(),
    };
    let has_principal = texts(&principals).iter().any(|principal| {
        principal == "*" || principal.contains(":root") || principal.contains(":role/")
    });
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    let mut keys = conditions.flat_map(|(_, keys)| keys.as_object().into_iter().flatten());
    let is_ours = keys.all(|(key, _)| {
        key.to_ascii_lowercase()
            .starts_with("kms:encryptioncontext")
    });
    let names = texts(&statement["Action"]);
    let is_named = names.iter().any(|pattern| matches(pattern, action));
    has_principal && is_ours && is_named
}

fn texts(value: &Value) -> Vec<String> {
    let texts = match value {
        Value::Array(texts) => texts.iter().collect(),
        text => vec![text],
    };
    let texts = texts.into_iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// Matches an IAM action pattern. Case is ignored, and `*` may only be at the end.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    match pattern.strip_suffix('*') {
        Some(start) => action.starts_with(start),
        None => pattern == action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::fixtures::{is_failed, is_passed, is_warned};

    fn policy(statements: &Value) -> String {
        json!({"Version": "2012-10-17", "Statement": statements}).to_string()
    }

    fn allow(actions: &Value) -> Value {
        let root = json!({"AWS": "arn:aws:iam::123456789012:root"});
        json!({"Effect": "Allow", "Principal": root, "Action": actions, "Resource": "*"})
    }

    #[test]
    fn a_key_that_is_not_enabled_is_red() {
        assert!(is_passed(&judge_state("Enabled")));
        for state in [
            "Disabled",
            "PendingDeletion",
            "PendingImport",
            "Unavailable",
        ] {
            assert!(is_failed(&judge_state(state)), "{state}");
        }
        assert!(is_failed(&judge_rotation(false)));
    }

    #[test]
    fn a_policy_that_lets_the_functions_in_passes() {
        for actions in [
            json!(["kms:Decrypt", "kms:GenerateDataKey"]),
            json!("kms:*"),
            json!("*"),
            json!(["kms:Dec*", "KMS:generatedatakey"]),
        ] {
            assert!(is_passed(&judge_needed(&policy(&json!([allow(&actions)])))));
        }
    }

    #[test]
    fn a_wrong_policy_is_red() {
        let all = allow(&json!("kms:*"));
        let mut service = all.clone();
        service["Principal"] = json!({"Service": "s3.amazonaws.com"});
        let mut conditional = all.clone();
        conditional["Condition"] = json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}});
        let mut deny = all.clone();
        deny["Effect"] = json!("Deny");
        for statements in [
            json!([]),
            json!([allow(&json!(["kms:Decrypt"]))]),
            json!([service]),
            json!([conditional]),
            json!([all.clone(), deny]),
        ] {
            assert!(
                is_failed(&judge_needed(&policy(&statements))),
                "{statements}"
            );
        }
        assert!(is_failed(&judge_needed("not JSON")));
        let mut bound = all;
        bound["Condition"] =
            json!({"StringEquals": {"kms:EncryptionContext:purpose": "subscription-secrets"}});
        assert!(is_passed(&judge_needed(&policy(&json!([bound])))));
    }

    #[test]
    fn a_policy_without_rotation_on_demand_is_reported() {
        let old = policy(&json!([allow(&json!(NEEDED))]));
        assert!(is_warned(&judge_operator(&old)));
        let new = policy(&json!([allow(&json!(OPERATOR))]));
        assert!(is_passed(&judge_operator(&new)));
    }
}
