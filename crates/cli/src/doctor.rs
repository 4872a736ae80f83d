//! `webhooks doctor`: checks that a deployed stack works, and explains each failure and its
//! fix.
//!
//! Each group of checks has a module. It first reads its part of the stack as
//! [`context::Described`] values; separate functions then judge these and return a
//! [`report::Outcome`]. If a check cannot be made, because a call is refused or unanswered,
//! that is the outcome of this check. The run continues.
//!
//! Without options, the command changes nothing and sends nothing.

mod api;
mod aws;
mod context;
mod functions;
mod key;
mod program;
mod queues;
mod quotas;
mod report;
mod send;
mod stack;
mod states;
mod table;
mod triggers;
mod watching;
mod workflows;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use futures_util::future::{LocalBoxFuture, join_all};
use webhooks_client::Stack;

use self::context::Context;
use self::report::{Check, Report};
use crate::clock::now;
use crate::place::Place;
use crate::print::Printer;

pub(crate) const HELP: &str = "\
Examples:
  webhooks --stack webhooks --region eu-west-1 doctor
  webhooks --stack webhooks doctor --report doctor.txt
  webhooks --stack webhooks doctor --send

Without options it only reads. Each check that fails is followed by the reason and the fix
(docs/doctor.md). The report of `--report` has no secrets and can be attached to an issue.
The exit code is 1 if a check has failed, otherwise 0.";

/// Options of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Also put events on the bus for a test customer, and follow them through the stack.
    #[arg(long)]
    send: bool,
    /// With `--send`, also make an event fail, which triggers the alarm of the failed-events
    /// queue.
    #[arg(long, requires = "send")]
    failed_events: bool,
    /// With `--send`, the receiver of the webhooks [default: this command on a laptop, the
    /// stack's receiver on AWS].
    #[arg(long, requires = "send", value_enum, value_name = "WHOSE")]
    receiver: Option<send::Via>,
    /// Also test every state of the workflows with `TestState` of Step Functions.
    #[arg(long)]
    test_states: bool,
    /// Also write the report to this file. It contains no secrets.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl Options {
    /// Runs the checks and prints the report.
    ///
    /// # Errors
    /// A [`clap::Error`] for wrong usage. If the stack is not found, that is a failed check.
    pub(crate) async fn run(
        &self,
        place: &Place,
        printer: &mut Printer<'_>,
    ) -> Result<crate::Outcome> {
        let report = match place.find().await {
            Ok(stack) => Box::pin(self.examine(stack)).await,
            Err(error) if error.is::<clap::Error>() => return Err(error),
            Err(error) => Report::of_missing_stack(now(), &error),
        };
        if let Some(path) = &self.report {
            std::fs::write(path, report.to_attach())
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        printer.print(&report)?;
        Ok(if report.has_failed() {
            crate::Outcome::Incomplete
        } else {
            crate::Outcome::Complete
        })
    }

    async fn examine(&self, stack: Stack) -> Report {
        let at = now();
        let (context, mut checks) = Context::new(stack).await;
        checks.extend(read_only(&context).await);
        if self.send {
            let sent = send::checks(&context, self.failed_events, self.receiver);
            checks.extend(Box::pin(sent).await);
        }
        if self.test_states {
            checks.extend(states::checks(&context).await);
        }
        context.progress.finish();
        Report::new(&context, at, checks)
    }
}

/// Runs all groups at once. The order of the results follows an event through the stack.
async fn read_only(context: &Context) -> Vec<Check> {
    let groups: Vec<LocalBoxFuture<'_, Vec<Check>>> = vec![
        Box::pin(stack::checks(context)),
        Box::pin(quotas::checks(context)),
        Box::pin(triggers::checks(context)),
        Box::pin(workflows::checks(context)),
        Box::pin(functions::checks(context)),
        Box::pin(queues::checks(context)),
        Box::pin(table::checks(context)),
        Box::pin(key::checks(context)),
        Box::pin(api::checks(context)),
        Box::pin(watching::checks(context)),
    ];
    join_all(groups).await.concat()
}
