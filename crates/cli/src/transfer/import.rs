//! `webhooks import`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use clap::error::ErrorKind;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use webhooks_client::Api;

use super::file::{Line, Lines};
use super::plan::{Cleared, Entry, Work, customer};
use super::{Fields, Shown, member, subscriptions};
use crate::advice::advise;
use crate::answer::{read, send};
use crate::ask::Yes;
use crate::print::{Printer, Report, progress, tell};
use crate::terminal::{Cell, Style, Table, Tone};
use crate::{Outcome, usage};

pub(crate) const HELP: &str = "\
Examples:
  webhooks import webhooks.jsonl --dry-run
  webhooks import webhooks.jsonl --yes

FILE is from `webhooks export`, or is made from another provider's data (docs/moving.md). A subscription
is the same if it has the id of its entry, or was imported from it. So an import can be repeated:
it writes only what differs.";

/// The number of customers that are compared and written at once.
const AT_ONCE: usize = 4;

/// The longest idempotency key.
const MAX_KEY: usize = 255;

/// Options of `import`.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The file; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only show the difference.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    yes: Yes,
}

/// Tells a look at the difference from the work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Compare,
    Write,
}

/// The result for a customer.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Imported {
    customer: String,
    /// The differences, which are written unless this is a dry run.
    changes: Vec<Change>,
    /// The number of entries that are the same.
    unchanged: usize,
    /// The entries that could not be compared or written.
    failed: Vec<Failed>,
}

/// A difference.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    /// The id of the entry. `None` for the customer itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The stored subscription, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<String>,
    /// The names of the fields that differ. `None` if it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Vec<String>>,
    /// True if a new subscription gets a new signing secret.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    new_secret: bool,
    /// The fields that the file does not have, because nobody can read them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_exported: Vec<String>,
    /// The hidden values that the API removes, because they were for another origin.
    #[serde(flatten)]
    cleared: Cleared,
}

/// An entry that could not be compared or written.
#[derive(Debug, Serialize)]
struct Failed {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    problem: String,
}

/// The sums over all customers.
#[derive(Debug, Default)]
struct Totals {
    customers: usize,
    changes: usize,
    unchanged: usize,
    failed: usize,
    new_secrets: usize,
    incomplete: usize,
    cleared: usize,
}

impl Import {
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        if self.dry_run {
            return Ok(self.pass(api, printer, Mode::Compare).await?.tell(false));
        }
        if self.yes.yes {
            return Ok(self.pass(api, printer, Mode::Write).await?.tell(true));
        }
        if self.file == Path::new("-") {
            let text = "cannot read standard input twice: give `--yes` or `--dry-run`";
            return Err(usage(ErrorKind::MissingRequiredArgument, text).into());
        }
        let compared = self.pass(api, printer, Mode::Compare).await?;
        let count = compared.changes;
        let outcome = compared.tell(false);
        if count == 0 {
            return Ok(outcome);
        }
        if !self.yes.confirmed(&format!("Write {count} changes?"))? {
            printer.note("nothing was written")?;
            return Ok(Outcome::Incomplete);
        }
        Ok(self.pass(api, printer, Mode::Write).await?.tell(true))
    }

    /// Reads the file once, and compares or writes its customers.
    async fn pass(&self, api: &Api, printer: &mut Printer<'_>, mode: Mode) -> Result<Totals> {
        let named = || format!("`{}`", self.file.display());
        let lines = Lines::open(&self.file).with_context(named)?;
        let work = stream::iter(lines).map(async |line| match line {
            Ok(line) => Ok(import(api, line, mode).await),
            Err(error) => Err(error),
        });
        let mut done = std::pin::pin!(work.buffered(AT_ONCE));
        let mut totals = Totals::default();
        let progress = progress();
        while let Some(imported) = done.next().await {
            let imported = imported.with_context(named)?;
            totals.add(&imported);
            progress.set_message(format!("{} customers", totals.customers));
            if !imported.changes.is_empty() || !imported.failed.is_empty() {
                progress.suspend(|| printer.next(&imported))?;
            }
        }
        progress.finish_and_clear();
        Ok(totals)
    }
}

/// Compares or writes a customer. Problems of one entry do not stop the others.
async fn import(api: &Api, line: Line, mode: Mode) -> Imported {
    let mut imported = Imported::default();
    let Some(id) = member::<String>(&line.customer, "id").filter(|id| !id.is_empty()) else {
        let problem = "customer: `id`: is required, and must be a string".to_owned();
        imported.failed.push(Failed { id: None, problem });
        return imported;
    };
    imported.customer.clone_from(&id);
    match import_customer(api, &id, &line.customer, mode).await {
        Ok(change) => imported.add(change),
        // Without its customer, nothing of it is written.
        Err(error) => {
            imported.fail(None, &error);
            return imported;
        }
    }
    let stored = match subscriptions(api, &id).await {
        Ok(stored) => stored,
        Err(error) => {
            imported.fail(None, &error);
            return imported;
        }
    };
    for fields in line.subscriptions {
        let name = member(&fields, "id");
        match import_subscription(api, &id, fields, &stored, mode).await {
            Ok(change) => imported.add(change),
            Err(error) => imported.fail(name, &error),
        }
    }
    imported
}

async fn import_customer(
    api: &Api,
    id: &str,
    fields: &Fields,
    mode: Mode,
) -> Result<Option<Change>> {
    let answer = api.customer(id).answer().await.map_err(advise)?;
    let stored: Option<Fields> = if answer.status == StatusCode::NOT_FOUND {
        None
    } else {
        let answer = answer.into_success().map_err(advise)?;
        Some(serde_json::from_slice(&answer.body)?)
    };
    if stored
        .as_ref()
        .is_some_and(|stored| stored.contains_key("deletion"))
    {
        return Err(anyhow!("is being deleted"));
    }
    let differ = customer(fields, stored.as_ref())?;
    let names = stored.is_some().then(|| differ.keys().cloned().collect());
    if differ.is_empty() && stored.is_some() {
        return Ok(None);
    }
    if mode == Mode::Write {
        match stored.as_ref().and_then(|stored| member(stored, "version")) {
            Some(version) => {
                send(api.update_customer(id, &differ).if_match(version)).await?;
            }
            None => {
                send(api.put_customer(id, &differ)).await?;
            }
        }
    }
    Ok(Some(Change {
        id: None,
        subscription_id: None,
        fields: names,
        new_secret: false,
        not_exported: Vec::new(),
        cleared: Cleared::default(),
    }))
}

async fn import_subscription(
    api: &Api,
    customer: &str,
    fields: Fields,
    stored: &Shown,
    mode: Mode,
) -> Result<Option<Change>> {
    let entry = Entry::of(fields)?;
    let found = entry.find(stored)?;
    let mut secret = None;
    if let (Some(found), Some(_)) = (found, &entry.secret) {
        let id: String = member(found, "id").unwrap_or_default();
        let signing = send(api.secrets(customer, &id)).await?.value.secrets;
        secret = signing.into_iter().next().map(|current| current.secret);
    }
    let work = entry.work(found, secret.as_deref())?;
    let (mut subscription_id, names, mut cleared) = match &work {
        Work::Nothing { .. } => return Ok(None),
        Work::Create(_) => (None, None, Cleared::default()),
        Work::Change {
            id, names, cleared, ..
        } => (Some(id.clone()), Some(names.clone()), cleared.clone()),
    };
    if mode == Mode::Write {
        match &work {
            Work::Nothing { .. } => {}
            Work::Create(json) => {
                let json: &RawValue = serde_json::from_str(json)?;
                let call = api.create_subscription(customer, &json);
                let call = call.idempotency_key(&idempotency_key(&entry.id));
                let created = read::<Fields>(call.answer()).await?;
                subscription_id = member(&created.value, "id");
            }
            Work::Change {
                id, version, patch, ..
            } => {
                let patch: &RawValue = serde_json::from_str(patch)?;
                let call = api.update_subscription(customer, id, &patch);
                let changed = read::<Cleared>(call.if_match(*version).answer()).await?;
                cleared = changed.value;
            }
        }
    }
    Ok(Some(Change {
        id: Some(entry.id),
        subscription_id,
        new_secret: names.is_none() && entry.secret.is_none(),
        fields: names,
        not_exported: entry.not_exported,
        cleared,
    }))
}

/// The idempotency key of a new subscription: printable ASCII of at most [`MAX_KEY`] characters, and
/// another one for each id.
fn idempotency_key(id: &str) -> String {
    let key = format!("import {}", id.escape_default());
    if key.len() <= MAX_KEY {
        return key;
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
    let mut key = "import-sha256 ".to_owned();
    for byte in digest.as_ref() {
        write!(key, "{byte:02x}").expect("a string takes every text");
    }
    key
}

impl Imported {
    fn add(&mut self, change: Option<Change>) {
        match change {
            Some(change) => self.changes.push(change),
            None => self.unchanged += 1,
        }
    }

    fn fail(&mut self, id: Option<String>, error: &anyhow::Error) {
        let problem = format!("{error:#}");
        self.failed.push(Failed { id, problem });
    }
}

impl Report for Imported {
    fn text(&self, style: Style) -> String {
        let mut table = Table::untitled();
        let name = |id: &Option<String>| match id {
            Some(id) => format!("{}/{id}", self.customer),
            None => self.customer.clone(),
        };
        for change in &self.changes {
            let (sign, tone, mut what) = match &change.fields {
                None => ("+", Tone::Good, "new".to_owned()),
                Some(fields) => ("~", Tone::Waiting, fields.join(", ")),
            };
            if change.new_secret {
                what.push_str(", with a new secret");
            }
            if !change.not_exported.is_empty() {
                let missing = change.not_exported.join(", ");
                what.extend([", without ", &missing]);
            }
            if !change.cleared.is_empty() {
                what.extend([", which removes ", &removed(&change.cleared)]);
            }
            table.push([
                Cell::new(sign, tone),
                name(&change.id).into(),
                Cell::new(what, Tone::Faint),
            ]);
        }
        for failed in &self.failed {
            table.push([
                Cell::new("!", Tone::Bad),
                name(&failed.id).into(),
                Cell::new(&failed.problem, Tone::Bad),
            ]);
        }
        table.text(style)
    }
}

/// The removed values in words.
fn removed(cleared: &Cleared) -> String {
    let authentication = cleared.authentication.as_ref();
    let authentication = authentication.map(|kind| format!("its {kind} authentication"));
    let names = &cleared.secret_headers;
    let headers = (!names.is_empty()).then(|| format!("secret headers {}", names.join(", ")));
    let words: Vec<_> = authentication.into_iter().chain(headers).collect();
    words.join(" and ")
}

impl Totals {
    fn add(&mut self, imported: &Imported) {
        self.customers += 1;
        self.changes += imported.changes.len();
        self.unchanged += imported.unchanged;
        self.failed += imported.failed.len();
        let changes = || imported.changes.iter();
        self.new_secrets += changes().filter(|change| change.new_secret).count();
        self.incomplete += changes()
            .filter(|change| !change.not_exported.is_empty())
            .count();
        self.cleared += changes()
            .filter(|change| !change.cleared.is_empty())
            .count();
    }

    /// Prints the sums on standard error.
    fn tell(&self, is_written: bool) -> Outcome {
        let verb = if is_written { "written" } else { "to write" };
        tell(format_args!(
            "{} customers: {} changes {verb}, {} unchanged, {} failed",
            self.customers, self.changes, self.unchanged, self.failed
        ));
        if self.new_secrets > 0 {
            tell(format_args!(
                "{} subscriptions get new secrets, because the file has none for them",
                self.new_secrets
            ));
        }
        if self.incomplete > 0 {
            tell(format_args!(
                "{} subscriptions lack what `notExported` names: add it to the file, or to them",
                self.incomplete
            ));
        }
        if self.cleared > 0 {
            let verb = if is_written { "have lost" } else { "lose" };
            tell(format_args!(
                "{} subscriptions {verb} their authentication or secret headers, because these were for \
                 another origin: add them to the file, or to them",
                self.cleared
            ));
        }
        if self.failed > 0 {
            Outcome::Incomplete
        } else {
            Outcome::Complete
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: Option<&str>, fields: Option<&[&str]>) -> Change {
        Change {
            id: id.map(str::to_owned),
            subscription_id: None,
            fields: fields.map(|names| names.iter().map(|&name| name.to_owned()).collect()),
            new_secret: id == Some("ep_1"),
            not_exported: Vec::new(),
            cleared: Cleared::default(),
        }
    }

    #[test]
    fn a_customers_changes_and_problems_are_shown_with_their_entries() {
        let mut imported = Imported {
            customer: "cust_1001".to_owned(),
            changes: vec![
                change(None, Some(&["name"])),
                change(Some("ep_1"), None),
                Change {
                    not_exported: vec!["authentication".to_owned()],
                    ..change(Some("ep_2"), Some(&["url", "filter"]))
                },
                Change {
                    cleared: Cleared {
                        authentication: Some("bearer".to_owned()),
                        secret_headers: vec!["x-a".to_owned(), "x-b".to_owned()],
                    },
                    ..change(Some("ep_4"), Some(&["url"]))
                },
            ],
            ..Imported::default()
        };
        imported.fail(Some("ep_3".to_owned()), &anyhow!("url: must be https"));
        assert_text!(imported.text(Style::Plain));
    }

    #[test]
    fn values_that_the_api_cleared_are_read_shown_and_counted() {
        // From an answer of the API.
        let answer = r#"{"id":"sub_1","clearedSecretHeaders":["x-key"],"clearedAuthentication":"basic","version":4}"#;
        let imported = Imported {
            changes: vec![
                Change {
                    cleared: serde_json::from_str(answer).unwrap(),
                    ..change(Some("ep_4"), Some(&["url"]))
                },
                Change {
                    cleared: serde_json::from_str(r#"{"id":"sub_2","version":2}"#).unwrap(),
                    ..change(Some("ep_5"), Some(&["url"]))
                },
            ],
            ..Imported::default()
        };
        let shown = serde_json::to_value(&imported).unwrap();
        let of = |index: usize| &shown["changes"][index];
        assert_eq!(of(0)["clearedAuthentication"], "basic");
        assert_eq!(of(0)["clearedSecretHeaders"][0], "x-key");
        assert_eq!(of(1).as_object().unwrap().len(), 2, "{}", of(1));
        let mut totals = Totals::default();
        totals.add(&imported);
        assert_eq!((totals.changes, totals.cleared), (2, 1));
    }

    #[test]
    fn an_idempotency_key_is_printable_and_short_and_another_one_for_each_id() {
        assert_eq!(idempotency_key("ep_1"), "import ep_1");
        let fits = "x".repeat(MAX_KEY - "import ".len());
        assert_eq!(idempotency_key(&fits), format!("import {fits}"));
        let long = |last: &str| "\u{1F600}".repeat(255) + last;
        assert_ne!(idempotency_key(&long("a")), idempotency_key(&long("b")));
        assert_eq!(idempotency_key(&long("a")), idempotency_key(&long("a")));
        for id in ["é\n\u{1F600}", &fits, &format!("{fits}x"), &long("a")] {
            let key = idempotency_key(id);
            assert!(key.chars().all(|c| (' '..='~').contains(&c)), "{key}");
            assert!(key.len() <= MAX_KEY, "{key}");
        }
    }
}
