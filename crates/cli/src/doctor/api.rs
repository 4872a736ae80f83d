//! Checks the API: its Function URL, and its answer to these credentials.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::aws::LAMBDA;
use super::context::{CALL_DEADLINE, Context, Described};
use super::report::{Check, Group, Outcome, judge};

const GROUP: Group = Group("api");

/// A customer that does not exist.
const CUSTOMER: &str = "webhooks-doctor";

/// `GetFunctionUrlConfig`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionUrl {
    function_url: String,
    auth_type: String,
}

/// `GetPolicy`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    policy: String,
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("the API");
    let url = function_url(context).await;
    let expected = context.output("ApiUrl").unwrap_or_default();
    let mut checks = judge(
        GROUP,
        "Function URL",
        &url,
        &[
            ("address", &|url| judge_address(&url.function_url, expected)),
            ("authentication", &|url| {
                judge_authentication(&url.auth_type)
            }),
        ],
    );
    let policy = policy(context).await;
    checks.extend(judge(
        GROUP,
        "Function URL",
        &policy,
        &[("public access", &judge_policy)],
    ));
    let answer = answer(context).await;
    checks.extend(judge(
        GROUP,
        "Function URL",
        &answer,
        &[
            ("permissions of these credentials", &|status| {
                judge_permissions(*status)
            }),
            ("answers", &|status| judge_answer(*status)),
        ],
    ));
    checks
}

async fn function_url(context: &Context) -> Described<FunctionUrl> {
    let name = context.output("ApiFunctionName")?;
    let path = format!("/2021-10-31/functions/{name}/url");
    context.get(&LAMBDA, "GetFunctionUrlConfig", &path).await
}

/// Reads the function's resource policy. Most functions have none.
async fn policy(context: &Context) -> Described<Value> {
    let name = context.output("ApiFunctionName")?;
    let path = format!("/2015-03-31/functions/{name}/policy");
    match context.get::<Policy>(&LAMBDA, "GetPolicy", &path).await {
        Ok(policy) => serde_json::from_str(&policy.policy).map_err(|_| {
            Outcome::failed(
                "the function's policy is not JSON",
                "look at it: `aws lambda get-policy --function-name NAME`",
            )
        }),
        Err(Outcome::Failed { reason, .. }) if reason.contains("ResourceNotFoundException") => {
            Ok(json!({"Statement": []}))
        }
        Err(outcome) => Err(outcome),
    }
}

/// Returns the status of the answer to a signed request that changes nothing.
async fn answer(context: &Context) -> Described<StatusCode> {
    context.output("ApiUrl")?;
    let no_answer = |error: String| {
        Outcome::failed(
            error,
            "look at the network, the Region, and the log of the API's function (`sam logs \
             --name ApiFunction`)",
        )
    };
    let api = context
        .stack
        .api()
        .map_err(|error| no_answer(error.to_string()))?;
    let path = ["customers", CUSTOMER, "subscriptions"];
    let call = api.request(Method::GET, &path, &[], None);
    match tokio::time::timeout(CALL_DEADLINE, call).await {
        Ok(Ok(answer)) => Ok(answer.status),
        Ok(Err(error)) => Err(no_answer(super::context::causes(&error))),
        Err(_) => Err(no_answer("the API does not answer".to_owned())),
    }
}

fn judge_address(actual: &str, output: &str) -> Outcome {
    if actual.trim_end_matches('/') == output.trim_end_matches('/') {
        return Outcome::passed(actual);
    }
    Outcome::failed(
        format!("{actual}, but the stack's output is {output}: somebody has recreated it"),
        "tell its callers the new address, or restore it as described in docs/doctor.md, Drift",
    )
}

fn judge_authentication(kind: &str) -> Outcome {
    if kind == "AWS_IAM" {
        return Outcome::passed(kind);
    }
    Outcome::failed(
        format!("{kind}: anybody can read and change every customer's subscriptions"),
        "now: `aws lambda update-function-url-config --auth-type AWS_IAM --function-name NAME`",
    )
}

fn judge_policy(policy: &Value) -> Outcome {
    let statements = policy["Statement"].as_array();
    let is_open = |statement: &&Value| {
        let principal = &statement["Principal"];
        let is_anybody = *principal == "*" || principal["AWS"] == "*";
        let is_bound = statement["Condition"]
            .as_object()
            .is_some_and(|conditions| conditions.values().any(bounds_the_caller));
        statement["Effect"] == "Allow" && is_anybody && !is_bound
    };
    let open = statements.into_iter().flatten().find(is_open);
    match open {
        None => Outcome::passed("none"),
        Some(statement) => Outcome::failed(
            format!(
                "the statement {} of the function's policy lets anybody call it",
                statement["Sid"].as_str().unwrap_or("without Sid")
            ),
            "now: `aws lambda remove-permission --statement-id SID --function-name NAME`",
        ),
    }
}

fn bounds_the_caller(keys: &Value) -> bool {
    let mut keys = keys.as_object().into_iter().flatten();
    keys.any(|(key, _)| {
        let key = key.to_ascii_lowercase();
        key.starts_with("aws:principal") || key.starts_with("aws:source")
    })
}

/// Since October 2025 a caller of a Function URL needs both permissions.
fn judge_permissions(status: StatusCode) -> Outcome {
    if status != StatusCode::FORBIDDEN {
        return Outcome::passed("lambda:InvokeFunctionUrl and lambda:InvokeFunction");
    }
    Outcome::failed(
        "403: these credentials may not call the API",
        "allow them both lambda:InvokeFunctionUrl and lambda:InvokeFunction on the API's function \
         (docs/api.md, Access)",
    )
}

fn judge_answer(status: StatusCode) -> Outcome {
    if status.is_success() {
        return Outcome::passed(format!("{status} to a signed request"));
    }
    Outcome::failed(
        format!("{status} to a signed request"),
        "403: see the permissions above; 5xx: read the function's log (`sam logs --name \
         ApiFunction`)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::fixtures::{is_failed, is_passed};

    #[test]
    fn a_url_that_is_open_to_anybody_is_red() {
        assert!(is_passed(&judge_authentication("AWS_IAM")));
        assert!(is_failed(&judge_authentication("NONE")));
        let statement = |principal: Value, condition: Value| {
            let statement = json!({"Sid": "s", "Effect": "Allow", "Principal": principal,
                "Action": "lambda:InvokeFunctionUrl", "Condition": condition});
            judge_policy(&json!({"Statement": [statement]}))
        };
        let none = json!({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}});
        let organisation = json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}});
        assert!(is_failed(&statement(json!("*"), none.clone())));
        assert!(is_failed(&statement(json!({"AWS": "*"}), none.clone())));
        assert!(is_passed(&statement(json!("*"), organisation)));
        assert!(is_passed(&statement(json!({"AWS": "arn:x"}), none)));
        assert!(is_passed(&judge_policy(&json!({"Statement": []}))));
    }

    #[test]
    fn a_missing_permission_names_both() {
        let Outcome::Failed { fix, .. } = judge_permissions(StatusCode::FORBIDDEN) else {
            panic!("it passed");
        };
        assert!(fix.contains("lambda:InvokeFunctionUrl and lambda:InvokeFunction"));
        assert!(is_passed(&judge_permissions(StatusCode::OK)));
        assert!(is_failed(&judge_answer(StatusCode::SERVICE_UNAVAILABLE)));
    }

    #[test]
    fn another_address_is_red() {
        assert!(is_passed(&judge_address("https://a/", "https://a")));
        assert!(is_failed(&judge_address("https://a/", "https://b/")));
    }
}
