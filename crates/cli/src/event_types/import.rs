//! `webhooks event-types import`

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use webhooks_client::{Answered, Api, EventType, NewEventType};

use super::{fields, file};
use crate::advice::advise;
use crate::answer::send;
use crate::ask::Yes;
use crate::print::{Printer, Report};
use crate::terminal::{Cell, Style, Table, Tone};
use crate::{Outcome, input};

pub(super) const HELP: &str = "\
Examples:
  webhooks event-types import event-types.json --dry-run
  webhooks event-types import openapi.yaml --yes

FILE is JSON or YAML. It has event types by name, or is an OpenAPI 3.1 document with a section `webhooks`:
  {\"eventTypes\": {\"order.created\": {\"description\": \"…\", \"schema\": {…}, \"examples\": [{…}]}}}";

/// Options of `event-types import`.
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

/// The difference between a file and the catalogue.
#[derive(Debug, Default, Serialize)]
struct Difference {
    /// The types that the catalogue does not have.
    added: Vec<String>,
    /// The types that differ.
    changed: Vec<Changed>,
    /// The types that are the same in both.
    unchanged: Vec<String>,
    #[serde(skip)]
    writes: Vec<Write>,
}

/// A type that differs.
#[derive(Debug, Serialize)]
struct Changed {
    name: String,
    /// The names of the fields that differ.
    fields: Vec<String>,
}

/// A type to write.
#[derive(Debug)]
struct Write {
    name: String,
    event_type: NewEventType,
    /// The version that was compared.
    version: Option<u64>,
}

impl Import {
    pub(super) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let bytes = input::read(&self.file)?;
        let types = file::read(&bytes).with_context(|| format!("`{}`", self.file.display()))?;
        let mut difference = Difference::default();
        for (name, wanted) in types {
            let stored = stored(api, &name).await?;
            difference.add(name, wanted, stored)?;
        }
        printer.print(&difference)?;
        let count = difference.writes.len();
        if self.dry_run || count == 0 {
            return Ok(Outcome::Complete);
        }
        if !self.yes.confirmed(&format!("Write {count} event types?"))? {
            printer.note("nothing was written")?;
            return Ok(Outcome::Incomplete);
        }
        for write in difference.writes {
            let call = api.put_event_type(&write.name, &write.event_type);
            let call = match write.version {
                Some(version) => call.if_match(version),
                None => call,
            };
            let written = send(call).await;
            written.with_context(|| format!("event type `{}`", write.name))?;
        }
        printer.note(&format!("\n  {count} event types written"))?;
        Ok(Outcome::Complete)
    }
}

async fn stored(api: &Api, name: &str) -> Result<Option<EventType>> {
    let answer = api.event_type(name).answer().await.map_err(advise)?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let read = answer.into_success().and_then(Answered::read);
    read.map(Some).map_err(advise)
}

impl Difference {
    fn add(
        &mut self,
        name: String,
        mut event_type: NewEventType,
        stored: Option<EventType>,
    ) -> Result<()> {
        if let Some(stored) = &stored {
            keep_validation(&name, &mut event_type, stored)?;
        }
        let version = stored.as_ref().map(|stored| stored.version);
        match stored {
            None => self.added.push(name.clone()),
            Some(stored) => {
                let fields = differing(&fields(stored), &event_type)?;
                if fields.is_empty() {
                    self.unchanged.push(name);
                    return Ok(());
                }
                self.changed.push(Changed {
                    name: name.clone(),
                    fields,
                });
            }
        }
        self.writes.push(Write {
            name,
            event_type,
            version,
        });
        Ok(())
    }
}

/// Keeps the stored validation if the file says nothing about it. Documents of other programs never do,
/// and an import of such a document must not switch the check of events off.
fn keep_validation(name: &str, wanted: &mut NewEventType, stored: &EventType) -> Result<()> {
    if wanted.validation.is_some() || stored.validation.is_off() {
        return Ok(());
    }
    ensure!(
        wanted.schema.is_some(),
        "event type `{name}`: its validation is {}, and the file has no schema for it: add the schema, \
         or set the validation to off",
        stored.validation
    );
    wanted.validation = Some(stored.validation);
    Ok(())
}

/// The names of the fields that differ as JSON values.
fn differing(stored: &NewEventType, wanted: &NewEventType) -> Result<Vec<String>> {
    let [stored, wanted] = [stored, wanted].map(|event_type| -> Result<Map<String, Value>> {
        let mut fields: Map<_, _> = serde_json::from_value(serde_json::to_value(event_type)?)?;
        // An empty list of examples is stored as none, and so is the default of the validation.
        fields.retain(|name, value| match name.as_str() {
            "examples" => *value != Value::Array(Vec::new()),
            "validation" => value != "off",
            _ => true,
        });
        Ok(fields)
    });
    let (stored, wanted) = (stored?, wanted?);
    let names: BTreeSet<&String> = stored.keys().chain(wanted.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| stored.get(*name) != wanted.get(*name));
    Ok(differ.cloned().collect())
}

impl Report for Difference {
    fn text(&self, style: Style) -> String {
        let mut table = Table::untitled();
        for name in &self.added {
            let name = Cell::new(name, Tone::Plain);
            table.push([
                Cell::new("+", Tone::Good),
                name,
                Cell::new("new", Tone::Faint),
            ]);
        }
        for Changed { name, fields } in &self.changed {
            let fields = Cell::new(fields.join(", "), Tone::Faint);
            table.push([Cell::new("~", Tone::Waiting), name.as_str().into(), fields]);
        }
        format!(
            "{}  {} unchanged\n",
            table.text(style),
            self.unchanged.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use webhooks_client::Validation;

    use super::*;

    fn read(json: &str) -> NewEventType {
        serde_json::from_str(json).unwrap()
    }

    fn stored(json: &str) -> EventType {
        let mut all: Map<_, _> = serde_json::from_str(json).unwrap();
        let at = "2026-01-01T00:00:00.000Z";
        for (name, value) in [("name", "a"), ("createdAt", at), ("updatedAt", at)] {
            all.insert(name.to_owned(), value.into());
        }
        all.insert("version".to_owned(), 7.into());
        serde_json::from_value(Value::Object(all)).unwrap()
    }

    fn fields(wanted: &str, of_stored: &str) -> Result<(Vec<String>, Option<NewEventType>)> {
        let mut difference = Difference::default();
        difference.add("a".to_owned(), read(wanted), Some(stored(of_stored)))?;
        let fields = difference.changed.pop().map(|changed| changed.fields);
        let write = difference.writes.pop().map(|write| write.event_type);
        Ok((fields.unwrap_or_default(), write))
    }

    #[test]
    fn a_file_without_a_validation_keeps_the_stored_one() {
        let stored = r#"{"schema": {"type": "object"}, "validation": "refuse"}"#;
        let (changed, write) = fields(r#"{"schema": {"type": "object"}}"#, stored).unwrap();
        assert!(changed.is_empty() && write.is_none(), "{changed:?}");
        let (changed, write) = fields(r#"{"schema": {"maximum": 1}}"#, stored).unwrap();
        assert_eq!(changed, ["schema"]);
        assert_eq!(write.unwrap().validation, Some(Validation::Refuse));
        let off = r#"{"schema": {"type": "object"}, "validation": "off"}"#;
        let (changed, write) = fields(off, stored).unwrap();
        assert_eq!(changed, ["validation"]);
        assert_eq!(write.unwrap().validation, Some(Validation::Off));
        let refused = fields(r#"{"description": "d"}"#, stored).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "event type `a`: its validation is refuse, and the file has no schema for it: add the \
             schema, or set the validation to off"
        );
    }

    #[test]
    fn a_document_of_others_keeps_the_stored_validation_and_off_removes_it() {
        let document = |extension: &str| {
            let schema = r#"{"requestBody": {"content": {"application/json": {"schema": {}}}}"#;
            let document = format!(r#"{{"webhooks": {{"a": {{"post": {schema}{extension}}}}}}}}}"#);
            file::read(document.as_bytes())
                .unwrap()
                .remove("a")
                .unwrap()
        };
        let stored = || Some(stored(r#"{"schema": {}, "validation": "warn"}"#));
        for (extension, unchanged) in [
            ("", 1),
            (r#", "x-validation": "warn""#, 1),
            (r#", "x-validation": "off""#, 0),
        ] {
            let mut difference = Difference::default();
            let added = difference.add("a".to_owned(), document(extension), stored());
            added.unwrap();
            assert_eq!(difference.unchanged.len(), unchanged, "{extension}");
        }
    }

    #[test]
    fn a_text_that_says_off_is_no_default() {
        for field in ["description", "group"] {
            let (changed, _) = fields(&format!(r#"{{"{field}": "off"}}"#), "{}").unwrap();
            assert_eq!(changed, [field]);
        }
        let (changed, _) = fields(r#"{"validation": "off"}"#, "{}").unwrap();
        assert!(changed.is_empty(), "{changed:?}");
    }

    #[test]
    fn only_types_that_differ_are_written_in_the_version_that_was_compared() {
        let mut difference = Difference::default();
        let schema = r#"{"schema": {"type": "object", "maximum": 1.0}}"#;
        let spaced = r#"{"schema": { "maximum": 1.0, "type": "object" }, "examples": []}"#;
        let same = difference.add("same".to_owned(), read(spaced), Some(stored(schema)));
        same.unwrap();
        let other = read(r#"{"schema": {"type": "object"}, "group": "g", "deprecated": {}}"#);
        let changed = difference.add("changed".to_owned(), other, Some(stored(schema)));
        changed.unwrap();
        difference.add("new".to_owned(), read("{}"), None).unwrap();
        let writes = difference.writes.iter();
        let writes: Vec<_> = writes
            .map(|write| (write.name.as_str(), write.version))
            .collect();
        assert_eq!(writes, [("changed", Some(7)), ("new", None)]);
        assert_text!(difference.text(Style::Plain));
    }
}
