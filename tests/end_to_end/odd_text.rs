//! Odd text in an event that cannot be delivered: the event is kept whole, listed, and delivered
//! with the same text after it is corrected.
//!
//! The test takes messages from queues that all tests share, so it runs alone.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use webhooks_cli::Outcome;

use crate::command_line::webhooks;
use crate::emulator::{queue_bodies, queue_message_with};
use crate::fixture::{Fixture, SOURCE};
use crate::recovery::set_aside;

/// Texts as JSON writes them between quotes, each with a name.
const TEXTS: [(&str, &str); 8] = [
    ("escaped noncharacters", r"\ufffe and \uffff, \uFDD0"),
    (
        "noncharacters",
        "\u{fffe} and \u{ffff}, \u{fdd0}, \u{10ffff}",
    ),
    ("a backslash before one", "\\\\\u{ffff}\\\\uffff"),
    ("zero", r"before \u0000 after"),
    ("control characters", r"\u0001\u001f\b\f\n\r\t\u007f\u0085"),
    (
        "raw control characters",
        "\u{7f}\u{85}\u{2028}\u{feff}\u{202e}",
    ),
    (
        "halves of surrogate pairs",
        r"\ud83d and \ude00\ud83d, \ud83dx",
    ),
    ("halves and noncharacters", r"\ud83d \uffff \u0000"),
];

/// A misspelt field for the customer's id, which makes an event fail.
const WRONG_NAME: &str = "customerID";

/// The parts of an event and of a webhook that the test reads.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, alias = "data")]
    detail: Detail<'a>,
}

#[derive(Deserialize)]
struct Detail<'a> {
    case: String,
    #[serde(borrow)]
    text: &'a RawValue,
}

/// The name of the case that a JSON text belongs to, and its odd text.
fn read(json: &str) -> Result<(String, Vec<u16>)> {
    let event: Event = serde_json::from_str(json).with_context(|| json.to_owned())?;
    Ok((event.detail.case, units(event.detail.text.get())))
}

/// A JSON string as UTF-16, in which an unpaired surrogate is a unit like any other.
fn units(json: &str) -> Vec<u16> {
    let inner = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let mut letters = inner.unwrap().chars();
    let mut units = Vec::new();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            units.extend(letter.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        let escape = letters.next().unwrap();
        units.push(match escape {
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let digits: String = letters.by_ref().take(4).collect();
                u16::from_str_radix(&digits, 16).unwrap()
            }
            other => u16::try_from(u32::from(other)).unwrap(),
        });
    }
    units
}

#[test]
fn escaped_and_literal_text_have_the_same_units() {
    assert_eq!(units(r#""\ud83d\ude00\u00fc\/""#), units(r#""😀ü/""#));
    assert_eq!(units(r#""\ud83d\\u""#), [0xd83d, 0x5c, 0x75]);
    assert_ne!(units(r#""\uffff""#), units(r#""\\uffff""#));
}

/// Tests that run while no other test does.
mod alone {
    use super::*;

    #[tokio::test]
    async fn an_event_with_odd_text_is_kept_whole_and_delivered_unchanged() -> Result<()> {
        let (test, _alone) = Fixture::alone("odd-text").await?;
        let created = test.subscribe("/a").await?;
        let queue = test.stack.output("FailedEventsQueueUrl")?;
        let mut expected = BTreeMap::new();
        for (name, text) in TEXTS {
            let detail = |case: &str| {
                let customer = &test.customer;
                format!(r#"{{"{WRONG_NAME}":"{customer}","case":"{case}","text":"{text}"}}"#)
            };
            let put = format!("{name}, put");
            test.put_event(test.raw_event("order.created", detail(&put)))
                .await
                .with_context(|| put.clone())?;
            let started = format!("{name}, started");
            let event = format!(
                r#"{{"version":"0","id":"{}-{name}","detail-type":"order.created","source":"{SOURCE}","account":"000000000000","time":"2026-01-02T03:04:05Z","region":"us-east-1","resources":[],"detail":{}}}"#,
                test.customer,
                detail(&started)
            );
            let arn = test.stack.start_execution(&event).await;
            let arn = arn.with_context(|| started.clone())?;
            let execution = test.execution_end(&arn).await?;
            let error = execution.event_error.as_deref();
            assert_eq!(error, Some("MissingCustomerId"), "{started}: {execution:?}");
            for case in [put, started] {
                queue_message_with(&test.stack, queue, &format!("\"{case}\"")).await?;
                expected.insert(case, units(&format!("\"{text}\"")));
            }
        }

        let mut kept = BTreeMap::new();
        let mut bodies = queue_bodies(&test.stack, queue).await?;
        bodies.retain(|body| body.contains(&test.customer));
        for body in &bodies {
            kept.extend([read(body)?]);
        }
        assert_eq!(kept, expected);
        let (_, listed) = webhooks(&["dlq", "list"]).await?;
        let events = listed.as_array().context("no list")?;
        let events = events.iter().find(|row| row["queue"] == "events");
        let errors = events.and_then(|row| row["errors"].as_array());
        let errors = errors.context("no errors")?;
        let missing = errors
            .iter()
            .find(|error| error["name"] == "MissingCustomerId");
        let count = missing.and_then(|error| error["count"].as_u64());
        assert!(count >= Some(u64::try_from(expected.len())?), "{listed}");

        let (outcome, _) = webhooks(&["dlq", "drop", "events", "--yes"]).await?;
        assert_eq!(outcome, Outcome::Complete);
        for body in bodies {
            let corrected = body.replacen(WRONG_NAME, "customerId", 1);
            set_aside(&test, queue, &corrected, &[]).await?;
        }
        let (outcome, redriven) = webhooks(&["dlq", "redrive", "events"]).await?;
        assert_eq!(outcome, Outcome::Complete, "{redriven}");
        let mut delivered = BTreeMap::new();
        for request in test.requests("/a", expected.len()).await? {
            request.verify(&created.secret)?;
            delivered.extend([read(std::str::from_utf8(&request.body)?)?]);
            let message = request.webhook_id();
            test.settled_delivery(message, &created).await?;
        }
        assert_eq!(delivered, expected);
        Ok(())
    }
}
