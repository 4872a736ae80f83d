//! `webhooks events start`.

use std::path::PathBuf;
use std::time::Duration;

use crate::terminal::{Cell, Style, Tone};
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};
use webhooks_client::{Error, Execution, ExecutionStatus, Message, Stack};
use webhooks_domain::ids::MessageId;

use super::file;
use crate::advice::advise;
use crate::print::{Facts, Printer, Report, one_line, progress, task};
use crate::{Outcome, input, messages};

/// The time between two checks of an execution.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The longest wait for an execution: an Express workflow cannot run longer.
const TIME_LIMIT: Duration = Duration::from_mins(5);

/// The longest wait for the message of a workflow that does not report its end.
const MESSAGE_TIME_LIMIT: Duration = Duration::from_secs(20);

/// Options of `events start`.
#[derive(Args, Debug)]
pub(crate) struct Start {
    /// The file with the whole event; `-` is standard input.
    file: PathBuf,
    /// Do not wait for the end.
    #[arg(long)]
    no_wait: bool,
}

/// The result of an execution.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    execution_arn: String,
    /// AWS's status in lower case; `unknown` if AWS does not report it.
    status: String,
    /// The error of the execution, or of its event.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<MessageId>,
    /// The message from the API, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

impl Start {
    pub(super) async fn run(&self, stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
        let json = input::read(&self.file)?;
        let name = || format!("`{}`", self.file.display());
        let event: &RawValue = serde_json::from_slice(&json).with_context(name)?;
        let reader = file::reader(stack)?;
        // The workflow validates the event, since that is what this command tests.
        let message_id = file::whole_message(&reader, event.get())
            .ok()
            .map(|message| message.id);
        let arn = stack.start_execution(event.get()).await.map_err(advise)?;
        let mut started = Started {
            execution_arn: arn,
            status: "running".to_owned(),
            error: None,
            cause: None,
            message_id,
            message: None,
        };
        if !self.no_wait {
            started.wait(stack).await?;
        }
        printer.print(&started)?;
        Ok(match started.status.as_str() {
            _ if started.error.is_some() => Outcome::Incomplete,
            "succeeded" => Outcome::Complete,
            "unknown" if started.message.is_some() => Outcome::Complete,
            "running" if self.no_wait => Outcome::Complete,
            _ => Outcome::Incomplete,
        })
    }
}

impl Started {
    async fn wait(&mut self, stack: &Stack) -> Result<()> {
        let progress = progress();
        progress.set_message("the workflow runs");
        let deadline = Instant::now() + TIME_LIMIT;
        let time_limit = loop {
            match stack.execution(&self.execution_arn).await {
                Ok(execution) => {
                    let running = execution.status == ExecutionStatus::Running;
                    self.take(execution);
                    if !running || Instant::now() > deadline {
                        // The workflow writes the message before it ends.
                        break Duration::ZERO;
                    }
                }
                // An Express workflow on AWS has no status; only its message shows the result.
                Err(Error::Service { .. }) => {
                    "unknown".clone_into(&mut self.status);
                    break MESSAGE_TIME_LIMIT;
                }
                Err(error) => return Err(advise(error)),
            }
            sleep(POLL_INTERVAL).await;
        };
        if let Some(id) = self.message_id {
            let api = stack.api()?;
            let found = api
                .message_when(&id.to_string(), time_limit, |_| true)
                .await;
            self.message = match found {
                Ok(message) => Some(message),
                Err(Error::StillWaiting { .. }) => None,
                Err(error) => return Err(advise(error)),
            };
        }
        progress.finish_and_clear();
        Ok(())
    }

    fn take(&mut self, execution: Execution) {
        self.status = match execution.status {
            ExecutionStatus::Running => "running".to_owned(),
            ExecutionStatus::Succeeded => "succeeded".to_owned(),
            ExecutionStatus::Failed => "failed".to_owned(),
            ExecutionStatus::Other(name) => name.to_lowercase(),
        };
        self.error = execution.error.or(execution.event_error);
        self.cause = execution.cause;
    }
}

impl Report for Started {
    fn text(&self, style: Style) -> String {
        let (tone, status) = match self.status.as_str() {
            "succeeded" if self.error.is_some() => {
                (Tone::Bad, "sent the event to the failed-events queue")
            }
            "succeeded" => (Tone::Good, "succeeded"),
            "running" => (Tone::Waiting, "running"),
            "unknown" => (
                Tone::Waiting,
                "started; an Express workflow does not report its end",
            ),
            other => (Tone::Bad, other),
        };
        let mut facts = Facts::default();
        facts.add("execution", self.execution_arn.as_str());
        facts.add("workflow", Cell::new(status, tone));
        facts.maybe("error", self.error.as_deref().map(one_line));
        facts.maybe("cause", self.cause.as_deref().map(one_line));
        let rest = match (&self.message, self.message_id) {
            (Some(message), _) => format!("\n{}", messages::text(message, style)),
            (None, _) if self.status == "succeeded" && self.error.is_some() => task(
                "The event is in the failed-events queue: `webhooks dlq list`. Correct it, and start it again.",
            ),
            (None, _) if self.error.is_some() => {
                task("The event was not kept. If it came from the bus, it is in the archive.")
            }
            (None, Some(id)) if self.status == "running" => task(format!(
                "`webhooks messages show {id} --wait` shows its deliveries."
            )),
            (None, Some(id)) if self.status == "succeeded" => task(format!(
                "There is no message {id}: its customer has no subscription."
            )),
            (None, Some(id)) => task(format!(
                "There is no message {id} yet. Either its customer has no subscription \
                 (`webhooks subscriptions list CUSTOMER`), or the event failed (`webhooks dlq list`)."
            )),
            (None, None) => task("This event becomes no message."),
        };
        facts.text(style) + &rest
    }
}
