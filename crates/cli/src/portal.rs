//! `webhooks portal`: links with which a customer's people open the portal.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use webhooks_client::{
    CreatedPortalSession, NewPortalSession, PortalCapability, PortalSession, PortalSessionsQuery,
    Stack, WholeNumber,
};

use crate::Outcome;
use crate::advice::advise;
use crate::answer::{Listed, Paging, send};
use crate::input::word;
use crate::print::{Facts, Printer, Report};
use crate::terminal::{Style, Table};
use crate::when::short;

/// The examples in the help text.
pub(crate) const HELP: &str = "\
Examples:
  webhooks portal cust_1001 --open
  webhooks portal cust_1001 --capability view --capability payloads --expires-in 15m
  webhooks portal cust_1001 --list
  webhooks portal cust_1001 --revoke-all

The link opens a session once, and within 5 minutes. Whoever has it can act for the customer, so
treat it as a password.";

/// The names of the capabilities.
pub(crate) const CAPABILITIES: [&str; 5] = ["view", "payloads", "manage", "secrets", "resend"];

/// Options of `portal`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The customer.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    /// A permitted action. Repeatable. By default only `view`.
    #[arg(
        long = "capability",
        value_name = "CAPABILITY",
        value_parser = word::<PortalCapability>(&CAPABILITIES)
    )]
    capabilities: Vec<PortalCapability>,
    /// The duration of the session, at most a day.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    expires_in: Duration,
    /// The page of your application to which the portal leads after the session.
    #[arg(long, value_name = "URL")]
    return_url: Option<String>,
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
    /// Revoke all sessions of the customer.
    #[arg(long, conflicts_with_all = CREATION, conflicts_with_all = ["list", "revoke"])]
    revoke_all: bool,
    #[command(flatten)]
    paging: Paging,
}

/// The options of a new session.
const CREATION: [&str; 4] = ["capabilities", "expires_in", "return_url", "open"];

impl Options {
    pub(crate) async fn run(&self, stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
        let api = &stack.api().map_err(advise)?;
        let customer = &self.customer;
        if self.list {
            let page = |limit, cursor| {
                api.portal_sessions(customer, &PortalSessionsQuery { limit, cursor })
            };
            printer.print(&self.paging.collect(page).await?)?;
        } else if let Some(session) = &self.revoke {
            api.revoke_portal_session(customer, session)
                .await
                .map_err(advise)?;
            printer.note(&format!("revoked {session}"))?;
        } else if self.revoke_all {
            api.revoke_portal_sessions(customer).await.map_err(advise)?;
            printer.note(&format!("revoked all sessions of {customer}"))?;
        } else {
            let created = send(api.create_portal_session(customer, &self.wanted())).await?;
            let link = stack.link(&created.value.url);
            if self.open {
                open(&link)?;
            }
            let link = (!self.open).then_some(link.as_str());
            printer.answer(&created, |created, style| text(created, link, style))?;
        }
        Ok(Outcome::Complete)
    }

    fn wanted(&self) -> NewPortalSession {
        let seconds = u32::try_from(self.expires_in.as_secs()).unwrap_or(u32::MAX);
        NewPortalSession {
            capabilities: if self.capabilities.is_empty() {
                vec![PortalCapability::View]
            } else {
                self.capabilities.clone()
            },
            expires_in_seconds: Some(WholeNumber(seconds)),
            return_url: self.return_url.clone(),
        }
    }
}

/// Opens a link in the browser of this machine.
pub(crate) fn open(url: &str) -> Result<()> {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let opened = Command::new(program)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{program}`; leave out --open"))?;
    ensure!(opened.success(), "`{program}` failed; leave out --open");
    Ok(())
}

/// Shows a session, and its link unless it was opened.
pub(crate) fn text(created: &CreatedPortalSession, link: Option<&str>, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("session", created.id.as_str());
    if let Some(link) = link {
        facts.add("link", link);
        facts.add("link until", created.url_expires_at.as_str());
    }
    facts.add("ends", created.expires_at.as_str());
    facts.text(style)
}

impl Report for Listed<PortalSession> {
    fn text(&self, style: Style) -> String {
        let table = || {
            let mut table = Table::new([
                "SESSION",
                "CAPABILITIES",
                "CREATED",
                "ENTERED",
                "ENDS",
                "BY",
            ]);
            for row in &self.rows {
                table.push([
                    row.id.as_str().into(),
                    names(&row.capabilities).into(),
                    short(&row.created_at).into(),
                    row.entered_at
                        .as_deref()
                        .map(short)
                        .unwrap_or_default()
                        .into(),
                    short(&row.expires_at).into(),
                    row.created_by.as_deref().unwrap_or_default().into(),
                ]);
            }
            table
        };
        self.text("no session", table, style)
    }
}

/// The names of capabilities, with commas.
pub(crate) fn names(capabilities: &[PortalCapability]) -> String {
    let names = capabilities.iter().map(|capability| match capability {
        PortalCapability::View => "view",
        PortalCapability::Payloads => "payloads",
        PortalCapability::Manage => "manage",
        PortalCapability::Secrets => "secrets",
        PortalCapability::Resend => "resend",
    });
    names.collect::<Vec<_>>().join(",")
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
        let words = ["portal", "acme"].iter().chain(options);
        Line::try_parse_from(words).map(|line| line.options)
    }

    #[test]
    fn a_session_may_only_view_unless_more_is_asked_for() {
        let wanted = |words| serde_json::to_value(options(words).unwrap().wanted()).unwrap();
        let plain = json!({"capabilities": ["view"], "expiresInSeconds": 3600});
        assert_eq!(wanted(&[]), plain);
        let more = [
            "--capability",
            "manage",
            "--capability",
            "resend",
            "--expires-in",
            "15m",
        ];
        let expected = json!({"capabilities": ["manage", "resend"], "expiresInSeconds": 900});
        assert_eq!(wanted(&more), expected);
    }

    #[test]
    fn to_list_or_to_revoke_creates_nothing() {
        for words in [
            ["--list", "--open"],
            ["--revoke-all", "--list"],
            ["--revoke=pse_1", "--capability=view"],
            ["--revoke=pse_1", "--revoke-all"],
        ] {
            assert!(options(&words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn an_open_link_is_not_printed() {
        let created = CreatedPortalSession {
            id: "pse_1".to_owned(),
            url: "https://portal.example/enter#code=abc".to_owned(),
            url_expires_at: "2026-01-01T00:05:00.000Z".to_owned(),
            expires_at: "2026-01-01T01:00:00.000Z".to_owned(),
        };
        assert!(text(&created, Some(&created.url), Style::Plain).contains("#code=abc"));
        assert!(!text(&created, None, Style::Plain).contains("abc"));
    }
}
