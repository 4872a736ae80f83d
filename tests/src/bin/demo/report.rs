//! The result of the demo, as tables or as JSON.

use anstyle::Style;
use anyhow::{Context, Result};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use webhooks_client::{Attempt, AttemptOutcome, Delivery, DeliveryStatus, ExecutionStatus};

use crate::paint::{BAD, FAINT, GOOD, STRONG, WAITING, paint, table};
use crate::scenario::{Delivered, Outcome};

/// The most characters of an answer's body that a table shows.
const EXCERPT_CHARACTERS: usize = 40;

/// The result of the demo.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    deliveries: Vec<DeliveryReport>,
    unwanted: UnwantedReport,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryReport {
    endpoint: String,
    #[serde(flatten)]
    delivery: Delivery,
    /// For each attempt, in order.
    signatures_verified: Vec<Option<bool>>,
    /// For each attempt, in order: milliseconds since the delivery was recorded.
    #[serde(skip)]
    offsets_ms: Vec<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnwantedReport {
    event_type: String,
    customer_id: String,
    workflow_succeeded: bool,
    requests: usize,
}

impl Report {
    /// Sums up an outcome.
    pub(crate) fn new(outcome: &Outcome) -> Result<Self> {
        let deliveries = outcome.deliveries.iter().map(delivery_report);
        let unwanted = &outcome.unwanted;
        Ok(Self {
            deliveries: deliveries.collect::<Result<_>>()?,
            unwanted: UnwantedReport {
                event_type: unwanted.event_type.clone(),
                customer_id: unwanted.customer_id.clone(),
                workflow_succeeded: unwanted.status == ExecutionStatus::Succeeded,
                requests: unwanted.requests,
            },
        })
    }

    /// Returns true if the result is as the scenario expects: everything is delivered, every
    /// signature is verified, and nothing else was sent.
    pub(crate) fn is_as_expected(&self) -> bool {
        let delivered = self.deliveries.iter().all(|report| {
            report.delivery.status == DeliveryStatus::Succeeded
                && report
                    .signatures_verified
                    .iter()
                    .all(|verified| *verified == Some(true))
        });
        delivered && self.unwanted.workflow_succeeded && self.unwanted.requests == 0
    }

    /// Tables for people.
    pub(crate) fn text(&self) -> Result<String> {
        Ok(format!(
            "{}\n{}\n{}\n{}",
            paint(STRONG, "Deliveries"),
            self.delivery_table()?,
            paint(STRONG, "Attempts"),
            self.attempt_table()?,
        ))
    }

    fn delivery_table(&self) -> Result<String> {
        let unwanted = &self.unwanted;
        let (status, style) = if unwanted.workflow_succeeded && unwanted.requests == 0 {
            ("no subscription", FAINT)
        } else {
            ("requests or a failure", BAD)
        };
        let unwanted = [
            unwanted.event_type.clone(),
            unwanted.customer_id.clone(),
            "-".to_owned(),
            paint(style, status),
            unwanted.requests.to_string(),
        ];
        let rows = self.deliveries.iter().map(|report| {
            let delivery = &report.delivery;
            [
                delivery.event_type.clone(),
                delivery.customer_id.clone(),
                report.endpoint.clone(),
                paint(status_style(delivery.status), &delivery.status.to_string()),
                delivery.attempts.len().to_string(),
            ]
        });
        let headings = ["EVENT TYPE", "CUSTOMER", "ENDPOINT", "STATUS", "ATTEMPTS"];
        table(headings, rows.chain([unwanted]))
    }

    fn attempt_table(&self) -> Result<String> {
        let headings = [
            "EVENT TYPE",
            "NO",
            "AFTER",
            "OUTCOME",
            "TOOK",
            "SIGNATURE",
            "ANSWER",
        ];
        table(
            headings,
            self.deliveries.iter().flat_map(DeliveryReport::rows),
        )
    }
}

impl DeliveryReport {
    /// A row for each attempt.
    fn rows(&self) -> impl Iterator<Item = [String; 7]> {
        let attempts = self.delivery.attempts.iter();
        let details = self.offsets_ms.iter().zip(&self.signatures_verified);
        attempts
            .zip(details)
            .map(|(attempt, (offset_ms, verified))| {
                let style = match attempt.outcome {
                    AttemptOutcome::Succeeded => GOOD,
                    _ => WAITING,
                };
                let (signature, signature_style) = match verified {
                    Some(true) => ("verified", GOOD),
                    Some(false) => ("WRONG", BAD),
                    None => ("not received", FAINT),
                };
                [
                    self.delivery.event_type.clone(),
                    attempt.number.to_string(),
                    format!("{}.{:03} s", offset_ms / 1000, offset_ms % 1000),
                    paint(style, &outcome_text(attempt)),
                    format!("{} ms", attempt.duration_ms),
                    paint(signature_style, signature),
                    answer_text(attempt),
                ]
            })
    }
}

fn delivery_report(delivered: &Delivered) -> Result<DeliveryReport> {
    let delivery = &delivered.delivery;
    let recorded_at = milliseconds(&delivery.created_at)?;
    let offsets_ms = delivery
        .attempts
        .iter()
        .map(|attempt| Ok(milliseconds(&attempt.at)? - recorded_at))
        .collect::<Result<_>>()?;
    Ok(DeliveryReport {
        endpoint: delivered.endpoint.url.clone(),
        delivery: delivery.clone(),
        signatures_verified: (0..delivery.attempts.len())
            .map(|index| delivered.verified(index))
            .collect(),
        offsets_ms,
    })
}

fn status_style(status: DeliveryStatus) -> Style {
    match status {
        DeliveryStatus::Succeeded => GOOD,
        DeliveryStatus::Pending | DeliveryStatus::Held => WAITING,
        DeliveryStatus::Failed | DeliveryStatus::Cancelled => BAD,
    }
}

fn outcome_text(attempt: &Attempt) -> String {
    match attempt.status {
        Some(status) => format!("{} ({status})", attempt.outcome),
        None => attempt.outcome.to_string(),
    }
}

/// The start of the answer's body or of the error, on one line.
fn answer_text(attempt: &Attempt) -> String {
    let text = attempt.response_excerpt.as_ref().or(attempt.error.as_ref());
    let line = text.map_or("", String::as_str);
    line.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(EXCERPT_CHARACTERS)
        .collect()
}

/// Milliseconds since 1970 of an RFC 3339 time.
fn milliseconds(time: &str) -> Result<i64> {
    let parsed = OffsetDateTime::parse(time, &Rfc3339)
        .with_context(|| format!("the API's time `{time}` is not RFC 3339"))?;
    Ok(i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000)?)
}
