//! Secrets and payloads never appear where they do not belong.

use std::{env, fs, path::Path};

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use http::{Method, StatusCode};
use serde_json::json;
use webhooks_client::Stack;
use webhooks_domain::gzip::gunzip;
use webhooks_receiver::Answer;

use crate::{
    emulator::{queue_bodies, tasks_are_acknowledged},
    failed_events::failed_event,
    fixture::Fixture,
    logs::log_lines,
};

/// The planted secret, decoded: 32 bytes that are easy to find.
const SECRET_BYTES: &str = "planted-secret-of-just-32-bytes!";
/// A planted value of a secret header.
const HEADER: &str = "planted-secret-header";
/// A planted password.
const PASSWORD: &str = "planted-password";
/// A planted secret of a client, and the access token that it gets.
const CLIENT_SECRET: &str = "planted-client-secret";
const TOKEN: &str = "planted-access-token";
/// `acme:planted-client-secret` in base64.
const CLIENT_PAIR: &str = "YWNtZTpwbGFudGVkLWNsaWVudC1zZWNyZXQ=";
/// `ann:planted-password` in base64.
const PAIR: &str = "YW5uOnBsYW50ZWQtcGFzc3dvcmQ=";
/// The same secret in base64, after `whsec_`.
const SECRET_TEXT: &str = "cGxhbnRlZC1zZWNyZXQtb2YtanVzdC0zMi1ieXRlcyE=";

/// All that is secret.
const SECRETS: [&str; 8] = [
    SECRET_BYTES,
    SECRET_TEXT,
    HEADER,
    PASSWORD,
    PAIR,
    CLIENT_SECRET,
    CLIENT_PAIR,
    TOKEN,
];

/// More than any text of the table has.
const MAX_BYTES: usize = 1_000_000;

/// Asserts that a text contains neither the secret nor the payload.
fn assert_clean(text: &str, payload: &str, place: &str) {
    for planted in SECRETS.into_iter().chain([payload]) {
        assert!(!text.contains(planted), "`{planted}` is in {place}: {text}");
    }
}

/// The answers of a token endpoint, which repeats what it was sent, and then grants a token.
fn token_answers() -> [Answer; 2] {
    let refused = Answer::status(StatusCode::BAD_REQUEST);
    let refused = refused.with_body(format!("{{\"error\":\"{CLIENT_SECRET} {CLIENT_PAIR}\"}}"));
    let granted = json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600});
    [refused, Answer::ok().with_body(granted.to_string())]
}

#[tokio::test]
async fn secrets_and_payloads_stay_where_they_belong() -> Result<()> {
    let test = Fixture::new("leaks").await?;
    let payload = format!("planted-payload-{}", test.customer);
    let secret = json!({
        "secret": format!("whsec_{SECRET_TEXT}"),
        "secretHeaders": {"x-key": format!("Bearer {HEADER}")},
        "authentication": {"type": "basic", "username": "ann", "password": PASSWORD},
    });
    let failure = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
    // An endpoint may repeat what it was sent, and the beginning of its answer is stored.
    let padding = "a long answer is an item of its own\n".repeat(60);
    let failure = failure.with_body(format!(
        "{padding} no access for Bearer {HEADER}, Basic {PAIR}, {PASSWORD}"
    ));
    test.receiver.script("/fails", [failure, Answer::ok()]);
    test.receiver.script("/waits", [Answer::ok().on_release()]);
    test.subscribe_with("/ok", secret.clone()).await?;
    let failing = test.subscribe_with("/fails", secret.clone()).await?;
    test.receiver.script("/token", token_answers());
    let echo = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
    let echo = echo.with_body(format!("{padding} Bearer {TOKEN} of {CLIENT_SECRET}"));
    test.receiver.script("/tokens", [echo, Answer::ok()]);
    let client = json!({
        "type": "oauth2", "tokenUrl": test.receiver.url("/token"),
        "clientId": "acme", "clientSecret": CLIENT_SECRET,
    });
    let client = json!({"authentication": client, "retryPolicy": {"schedule": [0, 6, 1]}});
    let tokens = test.subscribe_with("/tokens", client).await?;
    let waiting = test.subscribe_with("/waits", secret.clone()).await?;

    // A problem must not repeat a secret.
    let mut bad = secret.clone();
    bad["url"] = json!("http://example.com");
    bad["eventTypes"] = json!(["*"]);
    let path = ["customers", &test.customer, "subscriptions"];
    let refused = test
        .api
        .request(Method::POST, &path, &[], Some(&bad))
        .await?;
    assert_clean(&refused.text(), &payload, "a problem");

    // A delivered event, checked while its queue message is in flight.
    test.put("order.created", json!({"text": payload})).await?;
    let request = test.first_request("/waits").await?;
    let queue = test.stack.output("DeliveryQueueUrl")?;
    let in_flight = queue_bodies(&test.stack, queue).await?;
    let waits = waiting.subscription.id.trim_start_matches("sub_");
    assert!(
        in_flight.iter().any(|body| body.contains(waits)),
        "{in_flight:?}"
    );
    test.receiver.release();
    for body in &in_flight {
        assert_clean(body, &payload, "the delivery queue");
    }

    // An event that is not delivered. The failed-events queue keeps it as a whole, so it is not
    // checked.
    let detail = json!({"text": payload}).to_string();
    test.put_event(test.raw_event("order.created", detail))
        .await?;
    failed_event(&test.stack, |kept| kept.body.contains(&payload)).await?;

    test.requests("/fails", 2).await?;
    test.requests("/tokens", 2).await?;
    let message = test.settled(request.webhook_id()).await?;
    for delivery in &message.deliveries {
        tasks_are_acknowledged(&test.stack, &delivery.id).await?;
    }
    let slow = test.stack.output("SlowDeliveryQueueUrl")?;
    let mut bodies = queue_bodies(&test.stack, queue).await?;
    bodies.extend(queue_bodies(&test.stack, slow).await?);
    for body in bodies {
        assert_clean(&body, &payload, "the delivery queue");
    }
    for path in [
        &["customers", &test.customer, "subscriptions"][..],
        &["customers", &test.customer, "deliveries"],
        &["messages", request.webhook_id()],
        &[
            "deliveries",
            &message.delivery_to(&failing.subscription.id).unwrap().id,
        ],
        &[
            "deliveries",
            &message.delivery_to(&tokens.subscription.id).unwrap().id,
        ],
    ] {
        let answer = test.api.request(Method::GET, path, &[], None).await?;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let whole = String::from_utf8_lossy(&answer.body);
        for planted in [HEADER, PASSWORD, PAIR, CLIENT_SECRET, CLIENT_PAIR, TOKEN] {
            assert!(!whole.contains(planted), "{whole}");
        }
    }
    table_has_no_secret(&test.stack).await?;
    let lines = log_lines(&test.stack, 0).await?;
    // A failed attempt is always logged, so its log lines must be among those checked.
    let failed = message.delivery_to(&failing.subscription.id).unwrap();
    let logged = lines.iter().any(|line| line.contains(&failed.id));
    assert!(logged, "{} is in no log group", failed.id);
    for line in lines {
        assert_clean(&line, &payload, "a log group");
    }
    for (file, text) in log_files()? {
        for line in text.lines() {
            assert_clean(line, &payload, &file);
        }
    }
    Ok(())
}

async fn table_has_no_secret(stack: &Stack) -> Result<()> {
    let mut pages = aws_sdk_dynamodb::Client::new(stack.sdk_config())
        .scan()
        .table_name(stack.output("TableName")?)
        .into_paginator()
        .send();
    let (mut subscriptions, mut answers) = (0, 0);
    while let Some(page) = pages.next().await {
        for item in page?.items.unwrap_or_default() {
            let sort_key = item.get("sk").and_then(|sk| sk.as_s().ok());
            if sort_key.is_some_and(|sk| sk.starts_with("SUBSCRIPTION#")) {
                subscriptions += 1;
            }
            if sort_key.is_some_and(|sk| sk.starts_with("EXCHANGE#")) {
                answers += 1;
            }
            for (name, value) in &item {
                assert!(
                    !holds_secret(value),
                    "the secret is in `{name}` of {item:?}"
                );
            }
        }
    }
    assert!(subscriptions >= 3, "the subscriptions are in the table");
    assert!(answers >= 1, "the long answer is in the table");
    Ok(())
}

fn holds_secret(value: &AttributeValue) -> bool {
    let found = |bytes: &[u8]| {
        let text = gunzip(bytes, MAX_BYTES).unwrap_or_default();
        let bytes = if text.is_empty() { bytes } else { &text };
        SECRETS
            .iter()
            .any(|secret| bytes.windows(secret.len()).any(|w| w == secret.as_bytes()))
    };
    match value {
        AttributeValue::S(text) => found(text.as_bytes()),
        AttributeValue::B(bytes) => found(bytes.as_ref()),
        AttributeValue::Ss(texts) => texts.iter().any(|text| found(text.as_bytes())),
        AttributeValue::Bs(all) => all.iter().any(|bytes| found(bytes.as_ref())),
        AttributeValue::L(elements) => elements.iter().any(holds_secret),
        AttributeValue::M(members) => members.values().any(holds_secret),
        _ => false,
    }
}

/// The log files beside the stack file, with their names.
fn log_files() -> Result<Vec<(String, String)>> {
    let stack_file = env::var("WEBHOOKS_STACK")?;
    let folder = Path::new(&stack_file).parent().context("no folder")?;
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            files.push((path.display().to_string(), text));
        }
    }
    Ok(files)
}
