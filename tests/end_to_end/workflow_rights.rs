//! The workflows' roles have the permissions that their states need, and no more. Only the second
//! interpreter makes calls with the role's credentials; the emulator's own interpreter needs no
//! permission. So these tests are ignored except in the run of the second interpreter, which
//! includes ignored tests.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use webhooks_client::Stack;

use crate::fixture::Fixture;
use crate::machine::{Machine, Run, by_second_interpreter};

/// Calls IAM, whose protocol uses forms and XML.
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

/// Creates a role with these statements. Returns its ARN.
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

/// One run of a copy of a workflow: its start state, its input and its plan.
type Case<'a> = (&'a str, Value, &'a str);

/// Removes each permission in turn from a copy of a workflow's role, and asserts that then one of
/// the cases is refused. With all permissions no case is refused. Together the cases need all
/// permissions.
///
/// Each case has a plan, because an execution with a plan skips its waits, even if no failure is
/// planned.
async fn each_right_is_needed(
    test: &Fixture,
    workflow: &Machine,
    rights: usize,
    cases: impl Fn(&str) -> Vec<Case<'static>>,
) -> Result<()> {
    assert!(
        by_second_interpreter(),
        "the emulator's own interpreter checks no permissions"
    );
    let described = aws_sdk_sfn::Client::new(test.stack.sdk_config())
        .describe_state_machine()
        .state_machine_arn(&workflow.arn)
        .send()
        .await?;
    let (_, role) = described.role_arn.rsplit_once('/').context("no role")?;
    let all = statements(&test.stack, role).await?;
    // A permission on `*` is for Step Functions itself: logs and traces.
    let is_right = |statement: &Value| statement["Resource"] != "*";
    let count = all.iter().filter(|statement| is_right(statement)).count();
    ensure!(count == rights, "{all:?}");
    let without = all.iter().enumerate();
    let without = without.filter(|(_, statement)| is_right(statement));
    for taken in without.map(Some).chain([None]) {
        let mut left = all.clone();
        let name = match taken {
            Some((index, _)) => {
                left.remove(index);
                format!("r{index}-{}", test.customer)
            }
            None => format!("r-{}", test.customer),
        };
        let role = role_with(&test.stack, &name, &left).await?;
        let mut runs: Vec<Run> = Vec::new();
        for (number, (start_at, input, plan)) in cases(&name).into_iter().enumerate() {
            let name = format!("{number}-{name}");
            let under_role = workflow.with_role(&name, &role, start_at).await?;
            runs.push(under_role.run(test, &input, plan).await?);
        }
        let mut all = runs.iter().flat_map(|run| &run.causes);
        let is_refused = all.any(|cause| cause.contains("not authorized"));
        assert_eq!(is_refused, taken.is_some(), "without {taken:?}: {runs:#?}");
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs the second interpreter"]
async fn without_one_of_its_rights_the_workflow_is_refused() -> Result<()> {
    let test = Fixture::new("rights").await?;
    test.subscribe("/a").await?;
    let workflow = Machine::load(&test.stack, "StateMachineArn").await?;
    let event = |id: &str| test.envelope(id, "order.created", json!({}));
    let usual = workflow.run(&test, &event("usual"), "").await?;
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
        "isHeld": false,
    }]});
    // A delivery, a failed event, and a delivery to a slow endpoint.
    each_right_is_needed(&test, &workflow, 6, |name| {
        let fails = format!("{name}-fails");
        vec![
            (
                "LookUpSubscriptions",
                event(name),
                "LookUpSubscriptions=InvalidEvent*0",
            ),
            (
                "LookUpSubscriptions",
                event(&fails),
                "LookUpSubscriptions=InvalidEvent*1",
            ),
            (
                "WriteCalls",
                slow.clone(),
                "LookUpSubscriptions=InvalidEvent*0",
            ),
        ]
    })
    .await
}

#[tokio::test]
#[ignore = "needs the second interpreter"]
async fn without_one_of_its_rights_a_recovery_is_refused() -> Result<()> {
    let test = Fixture::new("recovery-rights").await?;
    let created = test.subscribe("/a").await?;
    let workflow = Machine::load(&test.stack, "RecoveryStateMachineArn").await?;
    let input = json!({
        "customerId": test.customer,
        "subscriptionId": created.subscription.id,
        "recoveryId": "rec_019ab3f0c2d17c6e5d4c3b2a19080706",
    });
    // A page of a recovery, and a page that fails on every attempt, which is recorded.
    each_right_is_needed(&test, &workflow, 2, |_| {
        let start = "RecoverDeliveries";
        vec![
            (start, input.clone(), "RecoverDeliveries=Unnamed*0"),
            (start, input.clone(), "RecoverDeliveries=Unnamed*9"),
        ]
    })
    .await
}
