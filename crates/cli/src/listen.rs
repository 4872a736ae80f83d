//! `webhooks listen`: a receiver on this machine, to see what comes and to misbehave.

mod forward;
mod server;

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use webhooks_domain::timestamp::Timestamp;
use webhooks_terminal::{Style, Tone};

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
  webhooks listen --fail-first 2 --delay 500ms # fails twice, then takes all, slowly

A local stack reaches it at http://127.0.0.1:PORT/, any path. A stack in AWS does not: it
sends to public https addresses only. More than one --secret: while one is rotated.";

/// How many requests may wait to be printed.
const BACKLOG: usize = 100;

/// Options of `listen`.
#[derive(Args, Debug)]
pub(crate) struct Listen {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value = "3030")]
    port: u16,
    #[command(flatten)]
    secrets: Secrets,
    /// Pass each request on to this http URL, and answer as it does.
    #[arg(long, value_name = "URL")]
    forward: Option<Target>,
    /// Answer with this status [default: 200; with --fail-first the status of those, 500].
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<StatusCode>,
    /// Answer that much later.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    delay: Duration,
    /// Fail the first N requests, then behave.
    #[arg(long, value_name = "N")]
    fail_first: Option<u64>,
    /// End after so many requests.
    #[arg(long, value_name = "N")]
    max: Option<u64>,
}

fn status(text: &str) -> Result<StatusCode, String> {
    let status = text.parse().ok();
    // Those below 200 are not answers.
    status
        .filter(|status: &StatusCode| (200..600).contains(&status.as_u16()))
        .ok_or_else(|| "must be 200 to 599".to_owned())
}

/// A request, and what it was answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Heard {
    at: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    /// Absent without a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    answered: u16,
    /// Why the forwarded request came to nothing.
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
                "cannot listen on port {}: take another with `--port`",
                self.port
            )
        })?;
        let url = format!("http://{}/", listener.local_addr()?);
        tell(format_args!("listening on {url}, Ctrl-C ends it"));
        if keys.is_empty() {
            tell(format_args!(
                "signatures are not checked: give `--secret`, or set WEBHOOK_SECRET\n\
                 subscribe it: webhooks subscriptions create CUSTOMER --url {url} --event-type '*'"
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
        // What is being answered still is answered.
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

    /// The event type, where the body has one.
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

/// Now, for a request that is here.
fn arrived() -> Timestamp {
    crate::clock::now()
}

#[cfg(test)]
mod tests;
