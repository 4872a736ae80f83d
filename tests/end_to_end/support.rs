//! An operator finds out with the `webhooks` command line if a customer got a webhook and why not,
//! and repairs it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use webhooks_cli::Outcome;
use webhooks_client::DeliveryStatus;
use webhooks_receiver::Answer;

use crate::command_line::{webhooks, webhooks_text};
use crate::fixture::Fixture;

/// Writes an event of the test's customer to a file, in the form that `aws events put-events`
/// reads.
fn put_file(test: &Fixture, detail: &Value) -> Result<PathBuf> {
    let mut detail = detail.clone();
    detail["customerId"] = json!(test.customer);
    let entries = json!([{
        "EventBusName": "another", "Source": crate::fixture::SOURCE, "DetailType": "order.created",
        "Detail": detail.to_string(),
    }]);
    write_file(test, "put", &entries)
}

fn write_file(test: &Fixture, name: &str, json: &Value) -> Result<PathBuf> {
    let file = format!("{}-{name}.json", test.customer);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(&path, json.to_string())?;
    Ok(path)
}

/// Subscribes an endpoint of the receiver, and returns the subscription's id and secret.
async fn create(test: &Fixture, url: &str, options: &[&str]) -> Result<(String, String)> {
    let line = [
        "subscriptions",
        "create",
        &test.customer,
        "--url",
        url,
        "--event-type",
        "order.*",
    ];
    let (_, created) = webhooks(&[&line, options].concat()).await?;
    let field = |name: &str| created[name].as_str().map(str::to_owned);
    let (id, secret) = (field("id"), field("secret"));
    Ok((id.context("no id")?, secret.context("no secret")?))
}

/// Puts an event, and returns the id of the message that it becomes.
async fn put(test: &Fixture, detail: &Value) -> Result<String> {
    let file = put_file(test, detail)?;
    let (_, put) = webhooks(&["events", "put", file.to_str().unwrap()]).await?;
    let id = put[0]["messageId"].as_str();
    Ok(id.with_context(|| put.to_string())?.to_owned())
}

/// Waits until nothing more is attempted for a message with one delivery, and returns the
/// delivery's id.
async fn settled(test: &Fixture, message: &str, status: DeliveryStatus) -> Result<String> {
    let mut message = test.settled(message).await?;
    let delivery = message.deliveries.swap_remove(0);
    assert_eq!(delivery.status, status, "{delivery:#?}");
    Ok(delivery.id)
}

#[tokio::test]
async fn support_sees_what_was_delivered() -> Result<()> {
    let test = Fixture::new("support-delivered").await?;
    let (subscription, secret) = create(&test, &test.receiver.url("/a"), &[]).await?;
    let message = put(&test, &json!({"total": 1})).await?;
    let request = test.first_request("/a").await?;
    request.verify(&secret)?;
    assert_eq!(request.webhook_id(), message);
    let delivery = settled(&test, &message, DeliveryStatus::Succeeded).await?;

    let (_, shown) = webhooks_text(&["messages", "show", &message, "--wait"]).await?;
    assert!(shown.contains("succeeded"), "{shown}");
    let by_customer = ["deliveries", "list", &test.customer];
    let by_subscription = [&by_customer[..], &["--subscription", &subscription]].concat();
    for list in [&by_customer[..], &by_subscription] {
        let (_, listed) = webhooks(list).await?;
        assert_eq!(listed["data"][0]["id"], json!(delivery), "{listed}");
        assert_eq!(listed["nextCursor"], Value::Null, "{listed}");
        let (_, failed) = webhooks(&[list, &["--status", "failed"]].concat()).await?;
        assert_eq!(failed["data"], json!([]), "{failed}");
        let (_, table) = webhooks_text(&[list, &["--since", "1h"]].concat()).await?;
        assert!(
            table.contains(&delivery) && table.contains("answered 200"),
            "{table}"
        );
    }
    let list = ["messages", "list", &test.customer];
    let (_, messages) = webhooks(&list).await?;
    assert_eq!(messages["data"][0]["id"], json!(message), "{messages}");
    Ok(())
}

#[tokio::test]
async fn json_is_the_answer_of_the_api_unchanged() -> Result<()> {
    let test = Fixture::new("support-json").await?;
    let (subscription, _) = create(&test, &test.receiver.url("/a"), &[]).await?;
    let message = put(&test, &json!({"n": 1})).await?;
    let delivery = settled(&test, &message, DeliveryStatus::Succeeded).await?;
    let customer = &test.customer;
    for (command, path) in [
        (
            vec!["deliveries", "show", &delivery],
            vec!["deliveries", &delivery],
        ),
        (
            vec!["messages", "show", &message],
            vec!["messages", &message],
        ),
        (
            vec!["subscriptions", "show", customer, &subscription],
            vec!["customers", customer, "subscriptions", &subscription],
        ),
    ] {
        let (_, printed) = webhooks_text(&[&["--json"], &command[..]].concat()).await?;
        let answer = test.api.request(Method::GET, &path, &[], None).await?;
        assert_eq!(printed.trim_end().as_bytes(), answer.body, "{command:?}");
    }
    Ok(())
}

#[tokio::test]
async fn support_sees_each_attempt_and_why_it_failed() -> Result<()> {
    let test = Fixture::new("support-failed").await?;
    let refusal = Answer::status(StatusCode::SERVICE_UNAVAILABLE).with_body("database is down");
    test.receiver.script("/a", [Answer::cut(), refusal]);
    let url = test.receiver.url("/a");
    let (subscription, _) = create(&test, &url, &["--retry-schedule", "0,1"]).await?;
    let message = put(&test, &json!({"total": 2.50})).await?;
    let delivery = settled(&test, &message, DeliveryStatus::Failed).await?;

    let (_, shown) = webhooks_text(&["deliveries", "show", &delivery]).await?;
    for text in [
        "failed: given up after 2 attempts, the last answered 503",
        "not reached: ",
        "answered 503 Service Unavailable: the endpoint failed",
        "database is down",
        "127.0.0.1",
        "\"total\": 2.5",
        &format!("`webhooks deliveries resend {delivery}`"),
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let (_, owed) = webhooks(&["undelivered", &test.customer, &subscription]).await?;
    assert_eq!(owed["data"][0]["id"], json!(delivery), "{owed}");

    test.receiver.script("/a", [Answer::ok()]);
    let (outcome, _) = webhooks(&["deliveries", "resend", &delivery]).await?;
    assert_eq!(outcome, Outcome::Complete);
    let requests = test.requests("/a", 3).await?;
    assert_eq!(requests[2].webhook_id(), message);
    assert_eq!(requests[2].body, requests[0].body);
    settled(&test, &message, DeliveryStatus::Succeeded).await?;
    let (_, owed) = webhooks(&["undelivered", &test.customer, &subscription]).await?;
    assert_eq!(owed["data"], json!([]), "{owed}");
    Ok(())
}

#[tokio::test]
async fn a_subscription_is_managed_from_the_command_line() -> Result<()> {
    let test = Fixture::new("support-manage").await?;
    let url = test.receiver.url("/a");
    let (id, secret) = create(
        &test,
        &url,
        &["--header", "x-a=1", "--metadata", "team=shop"],
    )
    .await?;
    let named = [test.customer.as_str(), id.as_str()];
    let run = async |command: &str, options: &[&str]| {
        let line = [&["subscriptions", command], &named[..], options].concat();
        webhooks(&line).await
    };
    let filter = r#"{"total": [{"numeric": [">", 1]}]}"#;
    let (_, updated) = run("update", &["--filter", filter, "--remove-header", "x-a"]).await?;
    assert_eq!(
        updated["filter"]["total"][0]["numeric"],
        json!([">", 1]),
        "{updated}"
    );
    assert_eq!(updated.get("headers"), None, "{updated}");
    let version = updated["version"].as_u64().unwrap();
    let stale = (version - 1).to_string();
    let error = run("update", &["--status", "paused", "--if-version", &stale]).await;
    let error = format!("{:#}", error.unwrap_err());
    assert!(
        error.contains("412") && error.contains("subscriptions show"),
        "{error}"
    );
    let current = version.to_string();
    let (_, paused) = run("update", &["--status", "paused", "--if-version", &current]).await?;
    assert_eq!(paused["status"], "paused", "{paused}");
    let (_, enabled) = run("enable", &[]).await?;
    assert_eq!(enabled["status"], "active", "{enabled}");

    let (_, rotated) = run("rotate", &["--overlap", "1h", "--kind", "v1a"]).await?;
    let (_, secrets) = run("secret", &[]).await?;
    assert_eq!(
        secrets["secrets"][0]["secret"], rotated["secret"],
        "{secrets}"
    );
    assert_eq!(secrets["secrets"][1]["secret"], json!(secret));

    let list = ["subscriptions", "list", &test.customer];
    let (_, table) = webhooks_text(&list).await?;
    assert!(table.contains(&id) && table.contains(&url), "{table}");
    let line = [&["subscriptions", "delete"], &named[..], &["--yes"]].concat();
    let (outcome, _) = webhooks_text(&line).await?;
    assert_eq!(outcome, Outcome::Complete);
    let error = format!("{:#}", run("show", &[]).await.unwrap_err());
    assert!(
        error.contains("404") && error.contains("subscriptions list"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_workflow_started_by_hand_reports_how_it_ended() -> Result<()> {
    let test = Fixture::new("support-start").await?;
    create(&test, &test.receiver.url("/a"), &[]).await?;
    let event = test.envelope("start", "order.created", json!({"total": 1}));
    let file = write_file(&test, "start", &event)?;
    let start = ["events", "start", file.to_str().unwrap()];
    let (outcome, started) = webhooks(&start).await?;
    assert_eq!(outcome, Outcome::Complete, "{started}");
    assert_eq!(started["status"], "succeeded", "{started}");
    let request = test.first_request("/a").await?;
    assert_eq!(started["messageId"], request.webhook_id(), "{started}");
    assert_eq!(started["message"]["id"], request.webhook_id(), "{started}");

    let mut broken = event.clone();
    broken["detail"] = json!("none");
    let file = write_file(&test, "broken", &broken)?;
    let (outcome, printed) = webhooks_text(&["events", "start", file.to_str().unwrap()]).await?;
    assert_eq!(outcome, Outcome::Incomplete, "{printed}");
    assert!(
        printed.contains("DetailNotAnObject") && printed.contains("dlq list"),
        "{printed}"
    );
    Ok(())
}

#[tokio::test]
async fn tail_shows_attempts_as_they_are_made() -> Result<()> {
    let test = Fixture::new("support-tail").await?;
    test.receiver.script(
        "/a",
        [Answer::status(StatusCode::BAD_GATEWAY), Answer::ok()],
    );
    let url = test.receiver.url("/a");
    create(&test, &url, &["--retry-schedule", "0,1"]).await?;
    let tail = ["tail", &test.customer, "--interval", "1s", "--max", "2"];
    let detail = json!({});
    let (tailed, message) = tokio::join!(webhooks_text(&tail), put(&test, &detail));
    let (_, tailed) = tailed?;
    let lines: Vec<_> = tailed.lines().collect();
    assert_eq!(lines.len(), 2, "{tailed}");
    assert!(
        lines[0].contains("attempt 1  answered 502 Bad Gateway"),
        "{tailed}"
    );
    assert!(lines[1].contains("attempt 2  answered 200 OK"), "{tailed}");
    let digits = message?.replace("msg_", "dlv_");
    assert!(lines.iter().all(|line| line.contains(&digits)), "{tailed}");
    Ok(())
}

#[tokio::test]
async fn a_listener_on_this_machine_verifies_and_misbehaves() -> Result<()> {
    let test = Fixture::new("support-listen").await?;
    let port = {
        let free = TcpListener::bind(("127.0.0.1", 0)).await?;
        free.local_addr()?.port().to_string()
    };
    let url = format!("http://127.0.0.1:{port}/hook");
    let (_, secret) = create(&test, &url, &["--retry-schedule", "0,1"]).await?;
    let listen = [
        "listen",
        "--port",
        &port,
        "--secret",
        &secret,
        "--fail-first",
        "1",
        "--max",
        "2",
    ];
    let detail = json!({"total": 1});
    let (heard, message) = tokio::join!(webhooks_text(&listen), put(&test, &detail));
    let ((_, heard), message) = (heard?, message?);
    assert!(
        heard.contains("answered 500") && heard.contains("answered 200"),
        "{heard}"
    );
    assert_eq!(heard.matches("valid: v1, signed ").count(), 2, "{heard}");
    assert_eq!(heard.matches(&message).count(), 2, "{heard}");
    assert!(heard.contains("        \"total\": 1\n"), "{heard}");
    let delivery = settled(&test, &message, DeliveryStatus::Succeeded).await?;
    let attempts = test.api.delivery(&delivery).await?.delivery.attempts;
    assert!(Duration::from_millis(attempts[1].duration_ms) < Duration::from_secs(5));
    Ok(())
}
