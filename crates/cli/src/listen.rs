//! `webhooks listen`: a receiver on this machine that shows requests and can fail on purpose.

mod forward;
mod server;

use std::time::Duration;

use crate::terminal::{Style, Tone};
use anyhow::{Context, Result};
use clap::Args;
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use webhooks_domain::timestamp::Timestamp;

use crate::Outcome;
use crate::pretty;
use crate::print::{Printer, Report, one_line, tell};
use crate::signature::Verdict;
use crate::verify::Secrets;

use self::forward::Target;
use self::server::Endpoint;

pub(crate) const HELP: &str = "\
Examples:
  webhooks listen
  webhooks listen --port 3030 --secret env:WEBHOOK_SECRET
  webhooks listen --secret whsec_… --forward http://localhost:3000/webhooks
  webhooks listen --status 503                 # always fails
  webhooks listen --fail-first 2 --delay 500ms # fails twice, then accepts all, slowly

A local stack reaches it at http://127.0.0.1:PORT/ with any path. A stack in AWS cannot reach
it, because it sends only to public https addresses. Give --secret twice during a rotation.";

/// The number of requests that may wait to be printed.
const BACKLOG: usize = 100;

/// Options of `listen`.
#[derive(Args, Debug)]
pub(crate) struct Listen {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value = "3030")]
    port: u16,
    #[command(flatten)]
    secrets: Secrets,
    /// Forward each request to this http URL, and return its answer.
    #[arg(long, value_name = "URL")]
    forward: Option<Target>,
    /// Answer with this status [default: 200; with --fail-first, the failures' status, 500].
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<StatusCode>,
    /// Delay each answer by this time.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    delay: Duration,
    /// Fail the first N requests.
    #[arg(long, value_name = "N")]
    fail_first: Option<u64>,
    /// End after this many requests.
    #[arg(long, value_name = "N")]
    max: Option<u64>,
}

fn status(text: &str) -> Result<StatusCode, String> {
    let status = text.parse().ok();
    // A status below 200 is no final answer.
    status
        .filter(|status: &StatusCode| (200..600).contains(&status.as_u16()))
        .ok_or_else(|| "must be 200 to 599".to_owned())
}

/// A request and its answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Heard {
    at: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    /// Absent if there is no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    answered: u16,
    /// The reason why a request could not be forwarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    forward_error: Option<String>,
}

impl Listen {
    /// Listens until it is interrupted.
    pub(crate) async fn run(&self, printer: &mut Printer<'_>) -> Result<Outcome> {
        let keys = self.secrets.keys()?;
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await;
        let listener = listener.with_context(|| {
            format!(
                "cannot listen on port {}: choose another one with `--port`",
                self.port
            )
        })?;
        let url = format!("http://{}/", listener.local_addr()?);
        tell(format_args!("listening on {url}; press Ctrl-C to end"));
        if keys.is_empty() {
            tell(format_args!(
                "signatures are not checked without `--secret` or WEBHOOK_SECRET\n\
                 to subscribe it: webhooks subscriptions create CUSTOMER --url {url} --event-type '*'"
            ));
        } else {
            tell(format_args!(
                "signatures are checked, secrets: {}",
                keys.len()
            ));
        }
        let (heard, mut next) = mpsc::channel(BACKLOG);
        let endpoint = Endpoint::new(self.behaviour(), keys, heard);
        let serving = tokio::spawn(server::serve(listener, endpoint)).abort_handle();
        let mut count = 0_u64;
        while let Some(heard) = next.recv().await {
            printer.next(&heard)?;
            count += 1;
            if self.max.is_some_and(|max| count >= max) {
                break;
            }
        }
        // Requests in progress still get their answers.
        tokio::time::sleep(self.delay + server::LAST_ANSWER).await;
        serving.abort();
        Ok(Outcome::Complete)
    }

    fn behaviour(&self) -> server::Behaviour {
        let failing = self.status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (fail_first, then) = match (self.fail_first, self.status) {
            (Some(count), _) => (count, StatusCode::OK),
            (None, Some(status)) => (0, status),
            (None, None) => (0, StatusCode::OK),
        };
        server::Behaviour {
            fail_first,
            failing,
            then,
            delay: self.delay,
            forward: self
                .forward
                .clone()
                .filter(|_| self.status.is_none() || self.fail_first.is_some()),
        }
    }
}

impl Heard {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|header| header.0 == name)
            .map(|header| header.1.as_str())
    }

    /// Returns the event type, if the body has one.
    fn event_type(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Typed {
            #[serde(rename = "type")]
            standard: Option<String>,
            #[serde(rename = "detail-type")]
            event: Option<String>,
        }
        let body: &RawValue = serde_json::from_str(&self.body).ok()?;
        let typed: Typed = serde_json::from_str(body.get()).ok()?;
        typed.standard.or(typed.event)
    }
}

impl Report for Heard {
    fn text(&self, style: Style) -> String {
        let tone = if (200..300).contains(&self.answered) {
            Tone::Good
        } else {
            Tone::Bad
        };
        let parts = [
            self.at.clone(),
            format!("{} {}", self.method, one_line(&self.path)),
            one_line(&self.event_type().unwrap_or_default()),
            one_line(self.header("webhook-id").unwrap_or("no webhook-id")),
            format!("{} bytes", self.body.len()),
        ];
        let answered = style.paint(tone, &self.answered.to_string());
        let parts = parts.iter().filter(|part| !part.is_empty());
        let parts = parts.map(|part| style.paint(Tone::Plain, part));
        let parts: Vec<_> = parts.chain([format!("answered {answered}")]).collect();
        let mut text = parts.join("  ");
        text.push('\n');
        let indented = |line: &str| format!("  {line}\n");
        if let Some(verdict) = &self.verdict {
            text.push_str(&indented(&verdict.line(style)));
        }
        if let Some(error) = &self.forward_error {
            let error = format!("not forwarded: {error}");
            text.push_str(&indented(&style.paint(Tone::Bad, &error)));
        }
        text.push_str(&pretty::indented(self.body.as_bytes(), "    "));
        text
    }
}

/// Returns the arrival time of a request.
fn arrived() -> Timestamp {
    crate::clock::now()
}

#[cfg(test)]
mod tests;
