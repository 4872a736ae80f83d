//! `webhooks export`

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use serde::Serialize;
use webhooks_client::{
    ActiveSecrets, Answered, Api, ContactState, Customer, CustomersQuery, ListLimit, NewCustomer,
    WholeNumber,
};

use super::file::{Header, Line};
use super::{Fields, NOT_SETTABLE, member, raw, subscriptions, without_marker};
use crate::Outcome;
use crate::advice::advise;
use crate::answer::{read, send};
use crate::print::{Printer, Report, progress, tell};
use crate::terminal::{Style, escape_json};

pub(crate) const HELP: &str = "\
Examples:
  webhooks export --output webhooks.jsonl
  webhooks export --customer cust_1001 --secrets --output cust_1001.jsonl

The file has a line for each customer with its subscriptions, for `webhooks import`. Secret headers
and authentications are never shown, so the file only names them.";

/// The number of requests for secrets at once.
const AT_ONCE: usize = 8;

/// Options of `export`.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// Only this customer.
    #[arg(long = "customer", value_name = "CUSTOMER", id = "one_customer")]
    one: Option<String>,
    /// Write to this new file, which only you can read. Without it, print.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With the current signing secret of each subscription. Without it, an import makes new ones.
    #[arg(long, requires = "output")]
    secrets: bool,
}

/// A line of the file, in JSON in any case.
#[derive(Serialize)]
#[serde(transparent)]
struct Text<'a, T>(&'a T);

impl<T: Serialize> Report for Text<'_, T> {
    fn text(&self, _: Style) -> String {
        let json = serde_json::to_string(self).expect("it has a JSON form");
        format!("{}\n", escape_json(&json))
    }
}

/// The result for a subscription.
#[derive(Debug)]
enum Exported {
    Entry(Fields),
    /// It was deleted after the list was read.
    Gone,
    /// Its secret cannot be read.
    LeftOut {
        id: String,
        problem: String,
    },
}

/// The place to which lines are written.
enum Sink<'a, 'b> {
    Printed(&'a mut Printer<'b>),
    File(NewFile),
}

impl Sink<'_, '_> {
    fn write(&mut self, line: &impl Serialize) -> Result<()> {
        match self {
            Self::Printed(printer) => printer.next(&Text(line))?,
            Self::File(file) => {
                serde_json::to_writer(&mut file.content, line)?;
                file.content.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    fn end(self) -> Result<()> {
        match self {
            Self::Printed(_) => Ok(()),
            Self::File(file) => file.end(),
        }
    }
}

impl Export {
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let mut sink = match &self.output {
            Some(path) => Sink::File(NewFile::create(path)?),
            None => Sink::Printed(printer),
        };
        sink.write(&Header::new())?;
        let mut counts = Counts::default();
        match &self.one {
            Some(id) => {
                let customer = send(api.customer(id)).await?.value;
                self.customer(api, customer, &mut sink, &mut counts).await?;
            }
            None => self.all(api, &mut sink, &mut counts).await?,
        }
        sink.end()?;
        Ok(counts.tell())
    }

    async fn all(&self, api: &Api, sink: &mut Sink<'_, '_>, counts: &mut Counts) -> Result<()> {
        let progress = progress();
        let mut cursor = None;
        loop {
            let limit = Some(ListLimit::up_to(u32::MAX));
            let call = api.customers(&CustomersQuery { limit, cursor });
            let page = read::<webhooks_client::Page<Customer>>(call.answer()).await?;
            for broken in &page.value.broken {
                let id = &broken.id;
                tell(format_args!(
                    "{id}: the customer cannot be read, and is left out with its subscriptions"
                ));
            }
            counts.left_out += page.value.broken.len();
            for customer in page.value.data {
                progress.set_message(format!("{} customers", counts.customers));
                self.customer(api, customer, sink, counts).await?;
            }
            cursor = page.value.next_cursor;
            if cursor.is_none() {
                progress.finish_and_clear();
                return Ok(());
            }
        }
    }

    async fn customer(
        &self,
        api: &Api,
        customer: Customer,
        sink: &mut Sink<'_, '_>,
        counts: &mut Counts,
    ) -> Result<()> {
        let id = customer.id.clone();
        if customer.deletion.is_some() {
            tell(format_args!("{id}: is being deleted, and is left out"));
            counts.left_out += 1;
            return Ok(());
        }
        let shown = subscriptions(api, &id).await?;
        for broken in &shown.broken {
            tell(format_args!(
                "{id}/{broken}: cannot be read, and is left out"
            ));
        }
        counts.left_out += shown.broken.len();
        let entries = stream::iter(shown.whole).map(|shown| self.subscription(api, &id, shown));
        let exported: Vec<Exported> = entries.buffered(AT_ONCE).try_collect().await?;
        let entries = whole(&id, exported, counts);
        counts.customers += 1;
        counts.subscriptions += entries.len();
        let has = |name| {
            entries
                .iter()
                .filter(|entry| entry.contains_key(name))
                .count()
        };
        counts.incomplete += has("notExported");
        sink.write(&Line {
            customer: fields_of(customer),
            subscriptions: entries,
        })
    }

    /// The entry of a subscription.
    async fn subscription(&self, api: &Api, customer: &str, shown: Fields) -> Result<Exported> {
        let id: String = member(&shown, "id").context("a subscription without an id")?;
        let entry = entry_of(&shown);
        if !self.secrets {
            return Ok(Exported::Entry(entry));
        }
        let answered = api.secrets(customer, &id).answer().await.map_err(advise)?;
        with_secret(id, entry, answered)
    }
}

/// The entry with the current one of the secrets that the API answered.
///
/// # Errors
/// If the answer is not about this subscription alone.
fn with_secret(id: String, mut entry: Fields, answered: Answered) -> Result<Exported> {
    let problem = answered.problem();
    // The detail of a path that an older stack does not have names no subscription.
    let is_gone = answered.status == StatusCode::NOT_FOUND
        && problem.as_ref().is_some_and(|of| of.detail.contains(&id));
    if is_gone {
        return Ok(Exported::Gone);
    }
    let is_broken = answered.status == StatusCode::CONFLICT;
    if let Some(problem) = problem.filter(|of| is_broken && of.kind.ends_with("-broken")) {
        return Ok(Exported::LeftOut {
            id,
            problem: problem.detail,
        });
    }
    let answer: ActiveSecrets = answered.read().map_err(advise)?;
    if let Some(current) = answer.secrets.first() {
        entry.insert("secret".to_owned(), raw(&current.secret));
    }
    Ok(Exported::Entry(entry))
}

/// The entries of a customer. Subscriptions that are left out are named and counted.
fn whole(customer: &str, exported: Vec<Exported>, counts: &mut Counts) -> Vec<Fields> {
    let mut entries = Vec::new();
    for one in exported {
        match one {
            Exported::Entry(entry) => entries.push(entry),
            Exported::Gone => {}
            Exported::LeftOut { id, problem } => {
                tell(format_args!(
                    "{customer}/{id}: the secret cannot be read, and it is left out: {problem}"
                ));
                counts.left_out += 1;
            }
        }
    }
    entries
}

/// The fields of the entry of a subscription, without its secret.
fn entry_of(shown: &Fields) -> Fields {
    let mut entry = shown.clone();
    entry.retain(|name, _| !NOT_SETTABLE.contains(&name.as_str()));
    without_marker(&mut entry);
    entry.extend(
        shown
            .get_key_value("id")
            .map(|(name, id)| (name.clone(), id.clone())),
    );
    // The system disables a subscription; a request can only pause it.
    if member::<String>(shown, "status").as_deref() == Some("disabled") {
        entry.insert("status".to_owned(), raw(&"paused"));
    }
    let secret = ["secretHeaders", "authentication"].into_iter();
    let secret = secret.filter_map(|name| shown.get_key_value(name));
    let mut missing: Fields = secret
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // The previous secrets of a rotation sign only for some days.
    let signing: Vec<Fields> = member(shown, "secrets").unwrap_or_default();
    let previous: Vec<_> = signing.iter().skip(1).collect();
    if !previous.is_empty() {
        missing.insert("previousSecrets".to_owned(), raw(&previous));
    }
    if !missing.is_empty() {
        entry.insert("notExported".to_owned(), raw(&missing));
    }
    entry
}

/// The fields of a customer that a request can write, with its id.
fn fields_of(customer: Customer) -> Fields {
    // A list that a request gives counts as confirmed, so an address that is not is left out.
    let confirmed = customer.contacts.into_iter();
    let confirmed = confirmed.filter(|contact| contact.state == ContactState::Confirmed);
    let contacts: Vec<_> = confirmed.map(|contact| contact.address).collect();
    let fields = NewCustomer {
        contacts: (!contacts.is_empty()).then_some(contacts),
        name: customer.name,
        metadata: (!customer.metadata.is_empty()).then_some(customer.metadata),
        max_subscriptions: customer.max_subscriptions.map(WholeNumber),
        rate_limit_per_second: customer.rate_limit_per_second.map(WholeNumber),
    };
    let mut fields: Fields = serde_json::from_str(raw(&fields).get()).expect("it is an object");
    fields.insert("id".to_owned(), raw(&customer.id));
    fields
}

/// A new file that only its owner can read: it may have secrets. It has another name until it is
/// complete, and an export that fails removes it.
struct NewFile {
    path: PathBuf,
    partial: PathBuf,
    content: BufWriter<File>,
}

impl NewFile {
    fn create(path: &Path) -> Result<Self> {
        must_be_new(path)?;
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(&partial)
            .with_context(|| format!("cannot create `{}`", partial.display()))?;
        Ok(Self {
            path: path.to_owned(),
            partial,
            content: BufWriter::new(file),
        })
    }

    /// Gives the complete file its name.
    fn end(mut self) -> Result<()> {
        self.content.flush()?;
        self.content.get_ref().sync_all()?;
        must_be_new(&self.path)?;
        fs::rename(&self.partial, &self.path)
            .with_context(|| format!("cannot create `{}`", self.path.display()))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After the end there is none.
        let _ = fs::remove_file(&self.partial);
    }
}

fn must_be_new(path: &Path) -> Result<()> {
    if path.try_exists()? {
        bail!("cannot create `{}`: it exists", path.display());
    }
    Ok(())
}

#[derive(Default)]
struct Counts {
    customers: usize,
    subscriptions: usize,
    incomplete: usize,
    left_out: usize,
}

impl Counts {
    fn tell(&self) -> Outcome {
        tell(format_args!(
            "{} customers, {} subscriptions exported",
            self.customers, self.subscriptions
        ));
        if self.incomplete > 0 {
            tell(format_args!(
                "{} of them have secrets that nobody can read: see `notExported` in the file",
                self.incomplete
            ));
        }
        if self.left_out > 0 {
            tell(format_args!(
                "{} customers and subscriptions are left out, as named above",
                self.left_out
            ));
            Outcome::Incomplete
        } else {
            Outcome::Complete
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_what_can_be_written_and_names_what_cannot_be_read() {
        let shown = r#"{"id":"sub_1","customerId":"a","url":"https://a.example/","eventTypes":["*"],
            "filter":{"n":[1.50]},"payloadFormat":"standard","status":"disabled",
            "disabledReason":"failing","secretHeaders":["x-key"],
            "authentication":{"type":"bearer"},"secrets":[{"version":2},{"version":1}],
            "health":{},"metadata":{"importedFrom":"ep_1","team":"blue"},"version":3,"createdAt":"","updatedAt":"","futureField":7}"#;
        let shown: Fields = serde_json::from_str(shown).unwrap();
        let entry = entry_of(&shown);
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"eventTypes":["*"],"filter":{"n":[1.50]},"futureField":7,"id":"sub_1","#,
                r#""metadata":{"team":"blue"},"#,
                r#""notExported":{"authentication":{"type":"bearer"},"#,
                r#""previousSecrets":[{"version":1}],"secretHeaders":["x-key"]},"#,
                r#""payloadFormat":"standard","status":"paused","url":"https://a.example/"}"#
            )
        );
    }

    fn answered(status: StatusCode, body: &str) -> Answered {
        Answered {
            status,
            headers: http::HeaderMap::new(),
            content_type: "application/json".to_owned(),
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn problem(status: StatusCode, kind: &str, detail: &str) -> Answered {
        let status_number = status.as_u16();
        let body = serde_json::json!({"type": format!("urn:webhooks:problem:{kind}"),
            "title": "Title", "status": status_number, "detail": detail});
        answered(status, &body.to_string())
    }

    fn entry(id: &str) -> Fields {
        Fields::from([("id".to_owned(), raw(&id))])
    }

    #[test]
    fn one_subscription_without_a_readable_secret_does_not_stop_the_others() {
        let secrets = r#"{"secrets":[{"version":2,"kind":"v1","secret":"whsec_new"},
            {"version":1,"kind":"v1","secret":"whsec_old"}]}"#;
        let gone = "customer `a` has no subscription `sub_2`";
        let sealed = "the secret of `sub_3` cannot be decrypted: a new secret repairs it";
        let answers = [
            ("sub_1", answered(StatusCode::OK, secrets)),
            ("sub_2", problem(StatusCode::NOT_FOUND, "not-found", gone)),
            (
                "sub_3",
                problem(StatusCode::CONFLICT, "subscription-broken", sealed),
            ),
            (
                "sub_4",
                problem(StatusCode::CONFLICT, "item-broken", "an item"),
            ),
            ("sub_5", answered(StatusCode::OK, secrets)),
        ];
        let exported = answers
            .into_iter()
            .map(|(id, answer)| with_secret(id.to_owned(), entry(id), answer).unwrap());
        let mut counts = Counts::default();
        let entries = whole("a", exported.collect(), &mut counts);
        let ids: Vec<_> = entries.iter().map(|entry| entry["id"].get()).collect();
        assert_eq!(ids, [r#""sub_1""#, r#""sub_5""#]);
        assert_eq!(entries[0]["secret"].get(), r#""whsec_new""#);
        assert_eq!(counts.left_out, 2);
        assert_eq!(counts.tell(), Outcome::Incomplete);
    }

    #[test]
    fn a_problem_of_the_whole_stack_ends_the_export() {
        let path = "there is nothing at this path";
        for answer in [
            problem(StatusCode::NOT_FOUND, "not-found", path),
            problem(StatusCode::CONFLICT, "customer-being-deleted", "sub_1"),
            problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "sub_1"),
            answered(StatusCode::NOT_FOUND, "{}"),
            answered(StatusCode::FORBIDDEN, ""),
        ] {
            let text = format!("{answer:?}");
            let exported = with_secret("sub_1".to_owned(), entry("sub_1"), answer);
            assert!(exported.is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_is_for_its_owner_only_and_replaces_none() {
        let path = std::env::temp_dir().join(format!("webhooks-export-{}", std::process::id()));
        NewFile::create(&path).unwrap().end().unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let again = NewFile::create(&path);
        fs::remove_file(&path).unwrap();
        assert!(again.is_err());
    }

    #[test]
    fn an_export_that_fails_leaves_no_file() {
        let name = format!("webhooks-export-failed-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut sink = Sink::File(NewFile::create(&path).unwrap());
        sink.write(&Header::new()).unwrap();
        let Sink::File(file) = &sink else {
            panic!("it is a file");
        };
        let partial = file.partial.clone();
        assert!(partial.exists() && !path.exists());
        assert!(NewFile::create(&path).is_err(), "another export writes it");
        assert!(partial.exists(), "the other export has not removed it");
        drop(sink);
        assert!(!partial.exists() && !path.exists());
        let mut sink = Sink::File(NewFile::create(&path).unwrap());
        sink.write(&Header::new()).unwrap();
        sink.end().unwrap();
        assert!(!partial.exists());
        let written = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(written.ends_with("}\n"), "{written}");
    }
}
