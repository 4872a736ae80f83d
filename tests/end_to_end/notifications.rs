//! Contacts of customers get e-mails about their failing endpoints. The emulator keeps the e-mails
//! that were sent.
//!
//! The time for which an endpoint has been failing is written into the table, because the first
//! step is an hour away.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::{Stack, SubscriptionStatus};
use webhooks_domain::health::Health;
use webhooks_domain::ports::{SubscriptionTable, WriteOutcome};
use webhooks_dynamodb::DynamoStore;
use webhooks_receiver::Answer;

use crate::client_certificates::{self, DAY, now};
use crate::command_line::{webhooks, webhooks_text};
use crate::emulator::{pause_delivery, queue_message_with, resume_delivery};
use crate::fixture::{ARRIVAL, Fixture, POLL_INTERVAL};
use crate::logs::log_lines;

/// The domain of the sender, as `cargo xtask test` deploys the stack.
const DOMAIN: &str = "example.com";

/// An e-mail, as the emulator keeps it.
#[derive(Debug)]
struct Mail {
    subject: String,
    text: String,
}

/// Makes the domain an identity of the emulator's SES, which sends from identities only.
async fn prepare(stack: &Stack) -> Result<()> {
    let region = stack.region();
    let identity = json!({"EmailIdentity": DOMAIN}).to_string();
    let uri = format!("https://email.{region}.amazonaws.com/v2/email/identities");
    let request = Request::post(uri)
        .header("content-type", "application/json")
        .body(Bytes::from(identity))?;
    let created = stack.signed_http().send("ses", request).await?;
    let exists = String::from_utf8_lossy(created.body()).contains("AlreadyExists");
    ensure!(created.status().is_success() || exists, "{created:?}");
    Ok(())
}

/// The e-mails to an address.
async fn mails_to(stack: &Stack, address: &str) -> Result<Vec<Mail>> {
    let endpoint = stack
        .endpoint()
        .context("e-mails can be seen on the emulator only")?;
    let url = endpoint.join("/_ministack/ses/messages")?;
    let request = Request::get(url.as_str()).body(Bytes::new())?;
    let response = stack.signed_http().send("ses", request).await?;
    ensure!(response.status().is_success(), "{response:?}");
    let answer: Value = serde_json::from_slice(response.body())?;
    let accounts = answer["messages"].as_object().context("no messages")?;
    let messages = accounts.values().filter_map(Value::as_array).flatten();
    let to = json!([address]);
    let mine = messages.filter(|message| message["To"] == to);
    Ok(mine
        .map(|message| Mail {
            subject: message["Subject"].as_str().unwrap_or_default().to_owned(),
            text: message["BodyText"].as_str().unwrap_or_default().to_owned(),
        })
        .collect())
}

/// Waits for the e-mail with this number to an address, counted from 1.
async fn mail_to(stack: &Stack, address: &str, number: usize) -> Result<Mail> {
    let deadline = Instant::now() + ARRIVAL;
    loop {
        let mut mails = mails_to(stack, address).await?;
        if mails.len() >= number {
            return Ok(mails.swap_remove(number - 1));
        }
        ensure!(Instant::now() < deadline, "{address} has {mails:?}");
        sleep(POLL_INTERVAL).await;
    }
}

/// Writes that an endpoint has been failing for two hours.
async fn fails_for_hours(test: &Fixture, subscription: &str) -> Result<()> {
    let table = test.stack.output("TableName")?.to_owned();
    let client = aws_sdk_dynamodb::Client::new(test.stack.sdk_config());
    let store = DynamoStore::new(client, table);
    let (customer, id) = (test.customer.parse()?, subscription.parse()?);
    let read = store.get(&customer, &id).await?;
    let read = read.context("no subscription")?;
    let health = Health {
        failing_since: Some(now() - Duration::from_hours(2)),
        ..Health::default()
    };
    let written = store.change_health(&read, &health).await?;
    ensure!(written == WriteOutcome::Written);
    Ok(())
}

/// Tests that run while no other test does, because they stop the queue of all warnings.
mod alone {
    use super::*;

    #[tokio::test]
    async fn warnings_about_several_endpoints_are_one_message_for_each_contact() -> Result<()> {
        let (test, _alone) = Fixture::alone("notify").await?;
        prepare(&test.stack).await?;
        let queue = test.stack.output("NotificationQueueUrl")?;
        let [ops, dev] = ["ops", "dev"].map(|name| format!("{name}-{}@example.com", test.customer));
        let contacts = json!({"contacts": [ops, dev]});
        test.api.put_customer(&test.customer, &contacts).await?;
        let failure = || Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
        let mut ids = Vec::new();
        for path in ["/a", "/b"] {
            let answers = (0..5).map(|_| failure()).chain([Answer::ok()]);
            test.receiver.script(path, answers);
            let created = test.subscribe(path).await?;
            fails_for_hours(&test, &created.subscription.id).await?;
            ids.push(created.subscription.id);
        }
        let paused = pause_delivery(&test.stack, "NotificationQueueUrl").await?;
        let queued = async {
            test.put("order.created", json!({})).await?;
            for id in &ids {
                let warning = queue_message_with(&test.stack, queue, id).await?;
                let warning: Value = serde_json::from_str(&warning)?;
                assert_eq!(warning["detail-type"], "subscription.warning", "{warning}");
                assert_eq!(warning["detail"]["step"], "failingForAnHour", "{warning}");
                assert_eq!(
                    warning["detail"]["contacts"],
                    json!([ops, dev]),
                    "{warning}"
                );
            }
            anyhow::Ok(())
        }
        .await;
        resume_delivery(&test.stack, paused).await?;
        queued?;
        for contact in [&ops, &dev] {
            let mail = mail_to(&test.stack, contact, 1).await?;
            assert_eq!(mail.subject, "Your webhook endpoint is failing");
            for id in &ids {
                assert_eq!(mail.text.matches(id.as_str()).count(), 1, "{}", mail.text);
            }
            assert!(mail.text.contains("HTTP status 500"), "{}", mail.text);
        }

        // All attempts of both deliveries have failed by then, and the step was taken once.
        test.requests("/a", 5).await?;
        test.requests("/b", 5).await?;
        test.put("order.created", json!({})).await?;
        let mut recovered = String::new();
        let mut number = 2;
        while ids.iter().any(|id| !recovered.contains(id.as_str())) {
            let mail = mail_to(&test.stack, &ops, number).await?;
            assert_eq!(mail.subject, "Your webhook endpoint works again");
            recovered += &mail.text;
            number += 1;
        }
        let lines = log_lines(&test.stack, test.began_at_millis).await?;
        let shown = lines.iter().find(|line| line.contains(&ops));
        assert_eq!(shown, None, "no log has an address");
        Ok(())
    }
}

#[tokio::test]
async fn a_contact_is_warned_that_a_client_certificate_ends() -> Result<()> {
    let test = Fixture::new("certificate-ends").await?;
    prepare(&test.stack).await?;
    let contact = format!("ops-{}@example.com", test.customer);
    let contacts = json!({"contacts": [contact]});
    test.api.put_customer(&test.customer, &contacts).await?;
    let issued = client_certificates::issue(now() - DAY, now() + 20 * DAY);
    let url = client_certificates::refusing()?;
    let fields = json!({"url": url, "authentication": issued.fields()});
    let created = test.subscribe_with("/a", fields).await?.subscription;
    let shown = serde_json::to_value(created.authentication)?;
    let not_after = shown["notAfter"].as_str();
    let not_after = not_after.context("no end")?;
    test.put("order.created", json!({})).await?;
    let mail = mail_to(&test.stack, &contact, 1).await?;
    assert_eq!(
        mail.subject,
        "The client certificate for your webhook endpoint ends"
    );
    let ends = format!("ends at {not_after}.");
    assert!(mail.text.contains(&ends), "{}", mail.text);
    assert!(mail.text.contains(&created.id), "{}", mail.text);
    Ok(())
}

#[tokio::test]
async fn a_contact_is_warned_that_an_endpoint_is_disabled() -> Result<()> {
    let test = Fixture::new("disabled").await?;
    prepare(&test.stack).await?;
    let contact = format!("ops-{}@example.com", test.customer);
    let (_, put) = webhooks(&["customers", "put", &test.customer, "--contact", &contact]).await?;
    let expected = json!([{"address": contact, "state": "confirmed"}]);
    assert_eq!(put["contacts"], expected, "{put}");
    let (_, shown) = webhooks_text(&["customers", "show", &test.customer]).await?;
    assert!(shown.contains(&contact), "{shown}");

    test.receiver
        .script("/gone", [Answer::status(StatusCode::GONE)]);
    let gone = test.subscribe("/gone?token=secret").await?.subscription;
    test.put("order.created", json!({})).await?;
    let mail = mail_to(&test.stack, &contact, 1).await?;
    assert_eq!(mail.subject, "Your webhook endpoint is disabled");
    assert!(mail.text.contains(&gone.id), "{}", mail.text);
    assert!(mail.text.contains("/gone\n"), "{}", mail.text);
    assert!(!mail.text.contains("secret"), "{}", mail.text);
    let status = test
        .api
        .subscription(&test.customer, &gone.id)
        .await?
        .status;
    assert_eq!(status, SubscriptionStatus::Disabled);
    Ok(())
}

#[tokio::test]
async fn hostile_addresses_are_refused_with_the_field() -> Result<()> {
    let test = Fixture::new("addresses").await?;
    for (bad, problem) in [
        (json!(["a@b.c\r\nBcc: victim@example.com"]), "[0]"),
        (json!(["ops@example.com", "öps@example.com"]), "[1]"),
        (
            json!([format!("{}@example.com", "x".repeat(10_240))]),
            "254",
        ),
        (json!(["ops@example.com", "OPS@example.com"]), "twice"),
        (
            json!(["1@x.yz", "2@x.yz", "3@x.yz", "4@x.yz", "5@x.yz", "6@x.yz"]),
            "at most 5",
        ),
        (json!("ops@example.com"), "contacts"),
        (json!([{"address": "ops@example.com"}]), "contacts"),
    ] {
        let body = json!({"contacts": bad});
        let answer = test
            .api
            .put_customer(&test.customer, &body)
            .answer()
            .await?;
        let refused = [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::BAD_REQUEST];
        assert!(refused.contains(&answer.status), "{bad}: {}", answer.text());
        let refusal = answer.text();
        assert!(
            refusal.contains("contacts") && refusal.contains(problem),
            "{bad}: {refusal}"
        );
    }
    Ok(())
}
