//! A real browser, driven by `tests/browser/driver.mjs`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use webhooks_client::{CreatedPortalSession, Stack};

/// The most bytes that a page has, with everything that it loads at the first visit.
const MAX_BYTES: usize = 60_000;

/// A running browser. It ends when this is dropped.
pub(crate) struct Browser {
    process: Arc<Mutex<Process>>,
    /// The portal as the browser reaches it, with a `/` at its end.
    pub(crate) portal: String,
}

struct Process {
    child: Child,
    steps: Option<ChildStdin>,
    pages: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Without more steps the driver ends the browser.
        self.steps = None;
        let _ = self.child.wait();
    }
}

impl Process {
    fn ask(&mut self, step: &Value) -> Result<String> {
        let steps = self.steps.as_mut().context("the browser has ended")?;
        writeln!(steps, "{step}")?;
        let mut answer = String::new();
        self.pages.read_line(&mut answer)?;
        Ok(answer)
    }
}

/// A page after a step.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) status: u16,
    /// The visible text.
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) cookies: Vec<Cookie>,
    /// The bodies of all answers in the step.
    bytes: usize,
    faults: Vec<String>,
    error: Option<String>,
}

/// A cookie that the browser keeps.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) http_only: bool,
    pub(crate) secure: bool,
    pub(crate) same_site: String,
}

impl Page {
    /// The cookies that give access.
    pub(crate) fn session_cookies(&self) -> Vec<&Cookie> {
        let cookies = self.cookies.iter();
        cookies
            .filter(|cookie| cookie.name == "__Host-webhooks")
            .collect()
    }

    /// Requires texts of the page.
    pub(crate) fn shows(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.text.contains(text), "`{text}`: {}", self.text);
        }
        self
    }

    /// Requires texts to be nowhere in the page, not even in its links.
    pub(crate) fn has_none_of(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(!self.html.contains(text), "`{text}`: {}", self.html);
        }
        self
    }
}

impl Browser {
    /// Starts the browser for the portal of a stack, and for the origin of the operator's application.
    pub(crate) fn start(stack: &Stack, application: &str) -> Result<Self> {
        let variable = |name| {
            let value = std::env::var_os(name);
            value.with_context(|| format!("{name}: run `cargo xtask test --only browser`"))
        };
        let portal = stack.link(stack.output("PortalAddress")?);
        let mut child = Command::new(variable("WEBHOOKS_NODE")?)
            .arg(variable("WEBHOOKS_BROWSER_DRIVER")?)
            .args([portal.trim_end_matches('/'), application])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the driver of the browser")?;
        let steps = child.stdin.take();
        let pages = child.stdout.take().context("its output")?;
        let process = Process {
            child,
            steps,
            pages: BufReader::new(pages),
        };
        Ok(Self {
            process: Arc::new(Mutex::new(process)),
            portal,
        })
    }

    /// A visitor with a browser profile of their own.
    pub(crate) fn visitor(&self, who: &'static str) -> Visitor<'_> {
        Visitor { browser: self, who }
    }
}

/// Somebody with a browser profile.
pub(crate) struct Visitor<'a> {
    browser: &'a Browser,
    who: &'static str,
}

impl Visitor<'_> {
    /// Makes a step. Fails if the page has a fault.
    async fn step(&self, name: &str, fields: Value) -> Result<Page> {
        let mut step = fields;
        (step["who"], step["do"]) = (json!(self.who), json!(name));
        let process = Arc::clone(&self.browser.process);
        let sent = step.clone();
        let asked = spawn_blocking(move || {
            let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
            process.ask(&sent)
        });
        let answer = asked.await??;
        let page: Page = serde_json::from_str(&answer)
            .with_context(|| format!("{step}: not an answer: {answer}"))?;
        if let Some(error) = &page.error {
            bail!("{step}: {error}");
        }
        let faults = page.faults.join("\n");
        ensure!(faults.is_empty(), "{step}: {}:\n{faults}", page.url);
        // A page that updates itself while somebody waits is loaded repeatedly.
        let is_bounded = page.bytes <= MAX_BYTES || name == "wait";
        ensure!(is_bounded, "{step}: {} bytes", page.bytes);
        Ok(page)
    }

    /// Opens the link of a session.
    pub(crate) async fn enter(&self, session: &CreatedPortalSession, at: &Stack) -> Result<Page> {
        self.step("enter", json!({"url": at.link(&session.url)}))
            .await
    }

    /// Opens a URL.
    pub(crate) async fn open(&self, url: &str) -> Result<Page> {
        self.step("open", json!({"url": url})).await
    }

    /// Loads the page again.
    pub(crate) async fn reload(&self) -> Result<Page> {
        self.step("reload", json!({})).await
    }

    /// Follows the first link with this text.
    pub(crate) async fn follow(&self, name: &str) -> Result<Page> {
        self.step("follow", json!({"name": name})).await
    }

    /// Presses the first button with this text, which leads to a page.
    pub(crate) async fn press(&self, name: &str) -> Result<Page> {
        self.step("press", json!({"name": name})).await
    }

    /// Fills a field.
    pub(crate) async fn fill(&self, label: &str, text: &str) -> Result<Page> {
        self.step("fill", json!({"label": label, "text": text}))
            .await
    }

    /// Chooses an option of a field.
    pub(crate) async fn select(&self, label: &str, text: &str) -> Result<Page> {
        self.step("select", json!({"label": label, "text": text}))
            .await
    }

    /// Waits until the page shows a text, without loading it again.
    pub(crate) async fn wait_for(&self, text: &str) -> Result<Page> {
        self.step("wait", json!({"text": text})).await
    }
}
