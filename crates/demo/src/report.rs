//! The result of the demo, as tables or as JSON.

use anyhow::{Context, Result};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use webhooks_client::{Attempt, AttemptOutcome, Delivery, DeliveryStatus, ExecutionStatus};
use webhooks_terminal::{Cell, Style, Table, Tone};

use crate::scenario::{Delivered, Outcome};

/// The most characters of an answer's body that a table shows.
const EXCERPT_CHARACTERS: usize = 40;

/// What the demo found.
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
    pub(crate) fn text(&self, style: Style) -> String {
        let heading = |text| style.paint(Tone::Strong, text);
        format!(
            "{}\n{}\n{}\n{}",
            heading("Deliveries"),
            self.delivery_table().text(style),
            heading("Attempts"),
            self.attempt_table().text(style),
        )
    }

    fn delivery_table(&self) -> Table<5> {
        let mut table = Table::new(["EVENT TYPE", "CUSTOMER", "ENDPOINT", "STATUS", "ATTEMPTS"]);
        for report in &self.deliveries {
            let delivery = &report.delivery;
            table.push([
                delivery.event_type.as_str().into(),
                delivery.customer_id.as_str().into(),
                report.endpoint.as_str().into(),
                Cell::new(delivery.status.to_string(), status_tone(delivery.status)),
                delivery.attempts.len().to_string().into(),
            ]);
        }
        let unwanted = &self.unwanted;
        let quiet = unwanted.workflow_succeeded && unwanted.requests == 0;
        let (status, tone) = if quiet {
            ("no subscription", Tone::Faint)
        } else {
            ("not ended quietly", Tone::Bad)
        };
        table.push([
            unwanted.event_type.as_str().into(),
            unwanted.customer_id.as_str().into(),
            "-".into(),
            Cell::new(status, tone),
            unwanted.requests.to_string().into(),
        ]);
        table
    }

    fn attempt_table(&self) -> Table<7> {
        let mut table = Table::new([
            "EVENT TYPE",
            "NO",
            "AFTER",
            "OUTCOME",
            "TOOK",
            "SIGNATURE",
            "ANSWER",
        ]);
        for report in &self.deliveries {
            let attempts = report.delivery.attempts.iter();
            let details = report.offsets_ms.iter().zip(&report.signatures_verified);
            for (attempt, (offset_ms, verified)) in attempts.zip(details) {
                let tone = match attempt.outcome {
                    AttemptOutcome::Succeeded => Tone::Good,
                    _ => Tone::Waiting,
                };
                let signature = match verified {
                    Some(true) => Cell::new("verified", Tone::Good),
                    Some(false) => Cell::new("WRONG", Tone::Bad),
                    None => Cell::new("not received", Tone::Faint),
                };
                table.push([
                    report.delivery.event_type.as_str().into(),
                    attempt.number.to_string().into(),
                    format!("{}.{:03} s", offset_ms / 1000, offset_ms % 1000).into(),
                    Cell::new(outcome_text(attempt), tone),
                    format!("{} ms", attempt.duration_ms).into(),
                    signature,
                    answer_text(attempt).into(),
                ]);
            }
        }
        table
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

fn status_tone(status: DeliveryStatus) -> Tone {
    match status {
        DeliveryStatus::Succeeded => Tone::Good,
        DeliveryStatus::Pending | DeliveryStatus::Held => Tone::Waiting,
        DeliveryStatus::Failed | DeliveryStatus::Cancelled => Tone::Bad,
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
