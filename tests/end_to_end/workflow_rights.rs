//! The workflow's role has what its states need. Only the second interpreter calls with the
//! role's credentials; the emulator's own needs no right.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use webhooks_client::Stack;

use crate::fixture::Fixture;
use crate::machine::{Machine, by_second_interpreter};

/// Calls IAM, which speaks forms and XML.
async fn iam(stack: &Stack, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action)
        .append_pair("Version", "2010-05-08")
        .extend_pairs(parameters);
    let request = Request::post("https://iam.amazonaws.com/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form.finish()))?;
    let response = stack.signed_http().send("iam", request).await?;
    let text = String::from_utf8_lossy(response.body()).into_owned();
    ensure!(response.status().is_success(), "{action}: {text}");
    Ok(text)
}

fn element<'a>(xml: &'a str, name: &str) -> Result<&'a str> {
    let rest = xml.split_once(&format!("<{name}>"));
    let inner = rest.and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    let (inner, _) = inner.with_context(|| format!("no {name}: {xml}"))?;
    Ok(inner.trim())
}

/// The statements of a role's only inline policy.
async fn statements(stack: &Stack, role: &str) -> Result<Vec<Value>> {
    let list = iam(stack, "ListRolePolicies", &[("RoleName", role)]).await?;
    let policy = element(&list, "member")?;
    let names = [("RoleName", role), ("PolicyName", policy)];
    let answer = iam(stack, "GetRolePolicy", &names).await?;
    let document = format!("d={}", element(&answer, "PolicyDocument")?);
    let (_, document) = url::form_urlencoded::parse(document.as_bytes())
        .next()
        .context("no document")?;
    let document: Value = serde_json::from_str(&document)?;
    let statements = document["Statement"].as_array().cloned();
    statements.with_context(|| document.to_string())
}

/// A role that may do what the statements say. Returns its ARN.
async fn role_with(stack: &Stack, name: &str, statements: &[Value]) -> Result<String> {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "states.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }]});
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    let trust = [
        ("AssumeRolePolicyDocument", &*trust.to_string()),
        ("RoleName", name),
    ];
    let created = iam(stack, "CreateRole", &trust).await?;
    let policy = policy.to_string();
    let policy = [
        ("RoleName", name),
        ("PolicyName", "rights"),
        ("PolicyDocument", &policy),
    ];
    iam(stack, "PutRolePolicy", &policy).await?;
    Ok(element(&created, "Arn")?.to_owned())
}

#[tokio::test]
async fn without_one_of_its_rights_the_workflow_is_refused() -> Result<()> {
    if !by_second_interpreter() {
        return Ok(());
    }
    let test = Fixture::new("rights").await?;
    test.subscribe("/a").await?;
    let workflow = Machine::load(&test.stack, "StateMachineArn").await?;
    let described = aws_sdk_sfn::Client::new(test.stack.sdk_config())
        .describe_state_machine()
        .state_machine_arn(&workflow.arn)
        .send()
        .await?;
    let (_, role) = described.role_arn.rsplit_once('/').context("no role")?;
    let all = statements(&test.stack, role).await?;
    // What is allowed on everything is for Step Functions itself: logs and traces.
    let rights = |statement: &Value| statement["Resource"] != "*";
    let count = all.iter().filter(|statement| rights(statement)).count();
    ensure!(count >= 6, "{all:?}");
    let event = |id: String| test.envelope(&id, "order.created", json!({}));
    let usual = workflow.run(&test, &event("usual".to_owned()), "").await?;
    let [_, recorded, queued] = &usual.requests[..] else {
        panic!("{usual:#?}");
    };
    let slow = json!({"calls": [{
        "item": recorded["Item"],
        "queue": {
            "kind": "slow",
            "body": queued["MessageBody"],
            "groupId": queued["MessageGroupId"],
        },
    }]});
    // A delivery, a failed event, and a delivery to a slow endpoint: together they need all.
    // No execution with a plan waits, not even one that plans no failure.
    let fails = "LookUpSubscriptions=InvalidEvent*1";
    let no_failure = "LookUpSubscriptions=InvalidEvent*0";
    for (index, statement) in all.iter().enumerate() {
        if !rights(statement) {
            continue;
        }
        let mut others = all.clone();
        others.remove(index);
        let name = format!("r{index}-{}", test.customer);
        let role = role_with(&test.stack, &name, &others).await?;
        let whole = workflow
            .with_role(&name, &role, "LookUpSubscriptions")
            .await?;
        let writes = workflow
            .with_role(&format!("w{name}"), &role, "WriteCalls")
            .await?;
        let runs = [
            whole
                .run(&test, &event(format!("{index}")), no_failure)
                .await?,
            whole
                .run(&test, &event(format!("{index}-fails")), fails)
                .await?,
            writes.run(&test, &slow, no_failure).await?,
        ];
        let mut causes = runs.iter().flat_map(|run| &run.causes);
        let refused = causes.any(|cause| cause.contains("not authorized"));
        assert!(refused, "nothing is refused without {statement}: {runs:#?}");
    }
    Ok(())
}
