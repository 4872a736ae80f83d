//! `webhooks console`: links with which support staff open the console.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use webhooks_client::{
    ConsoleSession, ConsoleSessionId, ConsoleSessionsPage, ConsoleSessionsRequest,
    CreatedPortalSession, NewConsoleSession, Nothing, Page, PortalCapability, Stack, WholeNumber,
};

use crate::Outcome;
use crate::advice::advise;
use crate::answer::rows;
use crate::input::word;
use crate::portal::{CAPABILITIES, names, open, text};
use crate::print::{Printer, Report};
use crate::terminal::{Style, Table};
use crate::when::short;

/// The examples in the help text.
pub(crate) const HELP: &str = "\
Examples:
  webhooks console --open
  webhooks console --read-only --expires-in 15m
  webhooks console --capability view --capability payloads --actor jo@example.com
  webhooks console --list
  webhooks console --revoke-all

The link opens a session once, and within 5 minutes. Whoever has it can act for every customer, so
treat it as a password. Without --read-only and --capability the session has all capabilities but
`secrets`.";

/// Options of `console`.
#[derive(Args, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct Options {
    /// Permit only to see, without bodies, answers and secrets: the capability `view`.
    #[arg(long, conflicts_with = "capabilities")]
    read_only: bool,
    /// A permitted action. Repeatable.
    #[arg(
        long = "capability",
        value_name = "CAPABILITY",
        value_parser = word::<PortalCapability>(&CAPABILITIES)
    )]
    capabilities: Vec<PortalCapability>,
    /// The name under which each change is logged. By default the ARN of these credentials.
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// The duration of the session, at most a day.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    expires_in: Duration,
    /// Open the link in the browser instead of printing it. Other users of this machine may see
    /// it among the running programs, so print it on a machine that you share.
    #[arg(long)]
    open: bool,
    /// List the sessions that have not ended.
    #[arg(long, conflicts_with_all = CREATION)]
    list: bool,
    /// Revoke a session.
    #[arg(long, value_name = "SESSION", conflicts_with_all = CREATION, conflicts_with = "list")]
    revoke: Option<String>,
    /// Revoke all sessions of the console.
    #[arg(long, conflicts_with_all = CREATION, conflicts_with_all = ["list", "revoke"])]
    revoke_all: bool,
}

/// The options of a new session.
const CREATION: [&str; 5] = ["read_only", "capabilities", "actor", "expires_in", "open"];

/// The capabilities of a session by default.
const DEFAULT: [PortalCapability; 4] = [
    PortalCapability::View,
    PortalCapability::Payloads,
    PortalCapability::Manage,
    PortalCapability::Resend,
];

impl Options {
    pub(crate) async fn run(&self, stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
        if self.list {
            printer.print(&list(stack).await?)?;
        } else if let Some(session) = &self.revoke {
            let id = session.clone();
            let request = ConsoleSessionsRequest::Revoke(ConsoleSessionId { id });
            let () = stack.console_sessions(&request).await.map_err(advise)?;
            printer.note(&format!("revoked {session}"))?;
        } else if self.revoke_all {
            let request = ConsoleSessionsRequest::RevokeAll(Nothing {});
            let () = stack.console_sessions(&request).await.map_err(advise)?;
            printer.note("revoked all sessions of the console")?;
        } else {
            let actor = match &self.actor {
                Some(actor) => actor.clone(),
                None => caller(stack).await?,
            };
            let request = ConsoleSessionsRequest::Create(self.wanted(actor));
            let created = stack.console_sessions(&request).await.map_err(advise)?;
            self.print(stack, created, printer)?;
        }
        Ok(Outcome::Complete)
    }

    fn wanted(&self, actor: String) -> NewConsoleSession {
        let seconds = u32::try_from(self.expires_in.as_secs()).unwrap_or(u32::MAX);
        let capabilities = match self.capabilities.as_slice() {
            _ if self.read_only => vec![PortalCapability::View],
            [] => DEFAULT.to_vec(),
            named => named.to_vec(),
        };
        NewConsoleSession {
            actor,
            capabilities,
            expires_in_seconds: Some(WholeNumber(seconds)),
        }
    }

    fn print(
        &self,
        stack: &Stack,
        created: CreatedPortalSession,
        printer: &mut Printer<'_>,
    ) -> Result<()> {
        let created = CreatedPortalSession {
            url: stack.link(&created.url),
            ..created
        };
        if self.open {
            open(&created.url)?;
        }
        printer.print(&Created {
            is_open: self.open,
            created,
        })?;
        Ok(())
    }
}

/// The ARN of these credentials.
async fn caller(stack: &Stack) -> Result<String> {
    let client = aws_sdk_sts::Client::new(stack.sdk_config());
    let caller = client.get_caller_identity().send().await;
    let unknown = "cannot tell whose credentials these are; name the actor by --actor";
    caller.context(unknown)?.arn.context(unknown)
}

/// All sessions that have not ended.
async fn list(stack: &Stack) -> Result<Page<ConsoleSession>> {
    let mut listed = Page {
        data: Vec::new(),
        next_cursor: None,
        broken: Vec::new(),
    };
    loop {
        let cursor = listed.next_cursor.take();
        let request = ConsoleSessionsRequest::List(ConsoleSessionsPage { cursor });
        let page: Page<ConsoleSession> = stack.console_sessions(&request).await.map_err(advise)?;
        listed.data.extend(page.data);
        listed.broken.extend(page.broken);
        listed.next_cursor = page.next_cursor;
        if listed.next_cursor.is_none() {
            return Ok(listed);
        }
    }
}

/// A new session. An open link is not printed, except in JSON.
#[derive(serde::Serialize)]
struct Created {
    #[serde(flatten)]
    created: CreatedPortalSession,
    #[serde(skip)]
    is_open: bool,
}

impl Report for Created {
    fn text(&self, style: Style) -> String {
        let link = (!self.is_open).then_some(self.created.url.as_str());
        text(&self.created, link, style)
    }
}

impl Report for Page<ConsoleSession> {
    fn text(&self, style: Style) -> String {
        let mut table = Table::new([
            "SESSION",
            "ACTOR",
            "CAPABILITIES",
            "CREATED",
            "ENTERED",
            "ENDS",
        ]);
        for row in &self.data {
            table.push([
                row.id.as_str().into(),
                row.actor.as_str().into(),
                names(&row.capabilities).into(),
                short(&row.created_at).into(),
                row.entered_at
                    .as_deref()
                    .map(short)
                    .unwrap_or_default()
                    .into(),
                short(&row.expires_at).into(),
            ]);
        }
        let table = (!self.data.is_empty()).then_some(table);
        rows(table, &self.broken, "no session", style)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn options(options: &[&str]) -> Result<Options, clap::Error> {
        let words = ["console"].iter().chain(options);
        Line::try_parse_from(words).map(|line| line.options)
    }

    #[test]
    fn a_session_shows_no_secrets_unless_it_is_asked_for() {
        let wanted = |words: &[&str]| {
            let wanted = options(words).unwrap().wanted("jo".to_owned());
            serde_json::to_value(wanted).unwrap()
        };
        let default = json!({
            "actor": "jo", "capabilities": ["view", "payloads", "manage", "resend"],
            "expiresInSeconds": 3600,
        });
        assert_eq!(wanted(&[]), default);
        assert_eq!(wanted(&["--read-only"])["capabilities"], json!(["view"]));
        let named = wanted(&["--capability", "secrets", "--expires-in", "15m"]);
        assert_eq!(named["capabilities"], json!(["secrets"]));
        assert_eq!(named["expiresInSeconds"], 900);
    }

    #[test]
    fn to_list_or_to_revoke_creates_nothing() {
        for words in [
            ["--list", "--open"],
            ["--list", "--actor=jo"],
            ["--revoke-all", "--list"],
            ["--revoke-all", "--read-only"],
            ["--revoke=pse_1", "--capability=view"],
            ["--revoke=pse_1", "--revoke-all"],
            ["--read-only", "--capability=manage"],
        ] {
            assert!(options(&words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn sessions_are_listed_with_their_actors() {
        let session = ConsoleSession {
            id: "pse_1".to_owned(),
            actor: "jo@example.com".to_owned(),
            capabilities: DEFAULT.to_vec(),
            created_at: "2026-01-01T00:00:00.000Z".to_owned(),
            entered_at: None,
            expires_at: "2026-01-01T01:00:00.000Z".to_owned(),
        };
        let mut page = Page {
            data: vec![session],
            next_cursor: None,
            broken: Vec::new(),
        };
        let shown = page.text(Style::Plain);
        assert!(shown.contains("jo@example.com") && shown.contains("view,payloads,manage,resend"));
        page.data.clear();
        assert!(page.text(Style::Plain).contains("no session"));
    }
}
