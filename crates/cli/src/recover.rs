//! `webhooks recover` and `webhooks replay`: send many deliveries again.

use crate::terminal::Style;
use anyhow::Result;
use clap::{Args, ValueEnum};
use webhooks_client::{Api, RecoveryCount, RecoveryKind, UndeliveredStatus, WholeNumber};

use crate::answer::{Answer, send};
use crate::ask::Yes;
use crate::print::Printer;
use crate::recoveries::{follow, text};
use crate::subscriptions::Named;
use crate::when::{moment, span};
use crate::{Outcome, clock};

/// The API's default.
const DEFAULT_PER_SECOND: u32 = 10;

pub(crate) const RECOVER_HELP: &str = "\
Examples:
  webhooks recover cust_1001 sub_… --since 2h --dry-run
  webhooks recover cust_1001 sub_… --since 2026-11-23T14:00:00Z --until 2026-11-23T16:00:00Z
  webhooks recover cust_1001 sub_… --since 7days --status held --per-second 50 --yes

Sends the failed and held deliveries that were created between --since and --until, with
their original webhook-id and body. The recovery continues after Ctrl-C; `webhooks
recoveries` shows and stops it.";

pub(crate) const REPLAY_HELP: &str = "\
Examples:
  webhooks replay cust_1001 sub_… --since 7days --dry-run
  webhooks replay cust_1001 sub_… --since 2026-11-01 --per-second 50 --yes

Sends the messages since this time that match the subscription now and were never sent to
it, because it is new, or its filter or event types have changed. The replay continues
after Ctrl-C; `webhooks recoveries` shows and stops it.";

/// Options of `recover`.
#[derive(Args, Debug)]
pub(crate) struct Recover {
    #[command(flatten)]
    span: Span,
    /// Only deliveries with this status; without it, both. Repeatable, or separated by commas.
    #[arg(
        long = "status",
        value_name = "STATUS",
        value_enum,
        value_delimiter = ','
    )]
    statuses: Vec<Status>,
}

/// The statuses that can be recovered.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    Failed,
    Held,
}

impl From<Status> for UndeliveredStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Failed => Self::Failed,
            Status::Held => Self::Held,
        }
    }
}

/// Options of `replay`.
#[derive(Args, Debug)]
pub(crate) struct Replay {
    #[command(flatten)]
    span: Span,
}

/// Options that both commands have.
#[derive(Args, Debug)]
struct Span {
    #[command(flatten)]
    named: Named,
    /// Only what was created at or after this time: an age such as `2h`, a date (UTC) or an RFC
    /// 3339 time. `recover` compares deliveries, and `replay` messages.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: String,
    /// Only what was created before this time: an age, a date (UTC) or an RFC 3339 time [default: now].
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<String>,
    /// The number of webhooks to send per second [default: 10].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    per_second: Option<u32>,
    /// Only count them.
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the end.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    yes: Yes,
}

impl Recover {
    /// Counts, asks for confirmation, starts the recovery and follows it.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let statuses = self
            .statuses
            .iter()
            .map(|&status| UndeliveredStatus::from(status));
        let statuses: Vec<_> = statuses.collect();
        let statuses = (!statuses.is_empty()).then_some(statuses);
        self.span
            .run(RecoveryKind::Recover, statuses, api, printer)
            .await
    }
}

impl Replay {
    /// Counts, asks for confirmation, starts the replay and follows it.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        self.span
            .run(RecoveryKind::Replay, None, api, printer)
            .await
    }
}

impl Span {
    async fn run(
        &self,
        kind: RecoveryKind,
        statuses: Option<Vec<UndeliveredStatus>>,
        api: &Api,
        printer: &mut Printer<'_>,
    ) -> Result<Outcome> {
        let Named {
            customer,
            subscription,
        } = &self.named;
        let request = webhooks_client::Recover {
            since: self.since.clone(),
            // The end is fixed now, so that the counted deliveries are the ones that are sent.
            until: Some(
                self.until
                    .clone()
                    .unwrap_or_else(|| clock::now().to_string()),
            ),
            statuses,
            per_second: self.per_second.map(WholeNumber),
            dry_run: false,
        };
        let per_second = self.per_second.unwrap_or(DEFAULT_PER_SECOND);
        let counted: Answer<RecoveryCount> =
            send(api.count_recovery(kind, customer, subscription, &request)).await?;
        if self.dry_run {
            printer.answer(&counted, |count, _| count_text(kind, *count, per_second))?;
            return Ok(Outcome::Complete);
        }
        printer.note(count_text(kind, counted.value, per_second).trim_end())?;
        // If the count is 0, starting a recovery is harmless, and scripts get the same form of
        // answer.
        if counted.value.count > 0 || !counted.value.complete {
            let question = format!("Send them to {subscription}?");
            if !self.yes.confirmed(&question)? {
                printer.note("  nothing was started")?;
                return Ok(Outcome::Incomplete);
            }
        } else if !printer.is_json() {
            return Ok(Outcome::Complete);
        }
        let started = send(api.start_recovery(kind, customer, subscription, &request)).await?;
        if self.no_wait {
            printer.answer(&started, |recovery, style: Style| {
                format!(
                    "{}\n  `webhooks recoveries show {customer} {subscription} {}` shows how far it is.\n",
                    text(recovery, style),
                    recovery.id
                )
            })?;
            return Ok(Outcome::Complete);
        }
        follow(&self.named, &started.value.id, counted.value, api, printer).await
    }
}

/// Describes the count and the expected duration.
fn count_text(kind: RecoveryKind, count: RecoveryCount, per_second: u32) -> String {
    let what = match (kind, count.count) {
        (RecoveryKind::Recover, 1) => "delivery to send again",
        (RecoveryKind::Recover, _) => "deliveries to send again",
        (RecoveryKind::Discard, 1) => "held delivery to discard",
        (RecoveryKind::Discard, _) => "held deliveries to discard",
        (RecoveryKind::Release, 1) => "held delivery to send",
        (RecoveryKind::Release, _) => "held deliveries to send",
        (RecoveryKind::Replay, 1) => "message that the subscription never had",
        (RecoveryKind::Replay, _) => "messages that the subscription never had",
    };
    let at_least = if count.complete { "" } else { "at least " };
    let seconds = count.count.div_ceil(u64::from(per_second));
    let takes = if count.count == 0 {
        String::new()
    } else {
        let duration = span(std::time::Duration::from_secs(seconds));
        let about = if count.complete { "about" } else { "at least" };
        format!(", at {per_second} a second: {about} {duration}")
    };
    format!("  {at_least}{} {what}{takes}\n", count.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_says_how_long_it_takes() {
        let text = |kind, count, complete| count_text(kind, RecoveryCount { count, complete }, 10);
        assert_eq!(
            text(RecoveryKind::Recover, 1204, true),
            "  1204 deliveries to send again, at 10 a second: about 2m 1s\n"
        );
        assert_eq!(
            text(RecoveryKind::Replay, 1000, false),
            "  at least 1000 messages that the subscription never had, at 10 a second: at least 1m 40s\n"
        );
        assert_eq!(
            text(RecoveryKind::Recover, 0, true),
            "  0 deliveries to send again\n"
        );
    }
}
