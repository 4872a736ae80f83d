//! `webhooks event-types`: the event catalogue.

mod export;
mod file;
mod import;
mod openapi;
mod yaml;

use anyhow::Result;
use clap::{Args, Subcommand};
use webhooks_client::{Api, EventType, EventTypeSummary, EventTypesQuery, NewEventType, Page};

use crate::Outcome;
use crate::answer::{Listed, Paging, send, show};
use crate::ask::Yes;
use crate::print::{Facts, Printer, Report};
use crate::subscriptions::IfVersion;
use crate::terminal::{Cell, Style, Table, Tone};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the event types of the catalogue, in the order of their names.
    #[command(after_help = "\
Examples:
  webhooks event-types list
  webhooks --json event-types list --all | jq -r '.data[].name'")]
    List(List),
    /// Show an event type, with its schema and examples.
    #[command(after_help = "\
Example:
  webhooks event-types show order.created")]
    Show(Named),
    /// Delete an event type from the catalogue. Subscriptions and events are not affected.
    #[command(after_help = "\
Examples:
  webhooks event-types delete order.placed
  webhooks event-types delete order.placed --yes --if-version 3")]
    Delete(Delete),
    /// Show the difference between a file and the catalogue, and write it to the catalogue. Types that
    /// are not in the file stay.
    #[command(after_help = import::HELP)]
    Import(import::Import),
    /// Print the catalogue as a file for `event-types import`.
    #[command(after_help = export::HELP)]
    Export(export::Export),
}

/// Options of `event-types list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    paging: Paging,
}

/// One event type.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The event type.
    #[arg(value_name = "EVENT_TYPE")]
    name: String,
}

/// Options of `event-types delete`.
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    if_version: IfVersion,
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        match self {
            Self::List(List { paging }) => {
                let page = |limit, cursor| api.event_types(&EventTypesQuery { limit, cursor });
                printer.print(&paging.collect(page).await?)?;
            }
            Self::Show(Named { name }) => show(api.event_type(name), printer, text).await?,
            Self::Delete(delete) => return delete.run(api, printer).await,
            Self::Import(import) => return import.run(api, printer).await,
            Self::Export(export) => export.run(api, printer).await?,
        }
        Ok(Outcome::Complete)
    }
}

impl Delete {
    async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let name = &self.named.name;
        let question = format!("Delete event type {name} from the catalogue?");
        if !self.yes.confirmed(&question)? {
            printer.note("nothing was deleted")?;
            return Ok(Outcome::Incomplete);
        }
        let call = api.delete_event_type(name);
        send(self.if_version.guard(call)).await?;
        printer.note(&format!("deleted {name}"))?;
        Ok(Outcome::Complete)
    }
}

/// The fields of a type that a request writes.
fn fields(of: EventType) -> NewEventType {
    NewEventType {
        description: of.description,
        group: of.group,
        schema: of.schema,
        validation: (!of.validation.is_off()).then_some(of.validation),
        examples: (!of.examples.is_empty()).then_some(of.examples),
        deprecated: of.deprecated,
    }
}

/// Shows a type in full.
fn text(event_type: &EventType, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("event type", event_type.name.as_str());
    facts.maybe("description", event_type.description.as_deref());
    facts.maybe("group", event_type.group.as_deref());
    if let Some(deprecated) = &event_type.deprecated {
        let text = match &deprecated.replaced_by {
            Some(name) => format!("replaced by {name}"),
            None => "yes".to_owned(),
        };
        facts.add("deprecated", Cell::new(text, Tone::Waiting));
    }
    facts.maybe("schema", event_type.schema.as_ref().map(|json| json.get()));
    if !event_type.validation.is_off() {
        facts.add("validation", event_type.validation.to_string());
    }
    for example in &event_type.examples {
        facts.add("example", example.get());
    }
    facts.add("version", event_type.version.to_string());
    facts.add("created", event_type.created_at.as_str());
    facts.add("updated", event_type.updated_at.as_str());
    facts.text(style)
}

impl Report for Listed<EventTypeSummary> {
    fn text(&self, style: Style) -> String {
        let table = || {
            let mut table = Table::new(["EVENT TYPE", "GROUP", "DEPRECATED", "DESCRIPTION"]);
            for row in &self.rows {
                let deprecated = row.deprecated.as_ref();
                let deprecated = deprecated.map(|by| by.replaced_by.as_deref().unwrap_or("yes"));
                table.push([
                    row.name.as_str().into(),
                    row.group.as_deref().unwrap_or_default().into(),
                    Cell::new(deprecated.unwrap_or_default(), Tone::Waiting),
                    row.description.as_deref().unwrap_or_default().into(),
                ]);
            }
            table
        };
        self.text("no event type", table, style)
    }
}

/// The type of a page, for lists that are read as a whole.
type SummaryPage = Page<EventTypeSummary>;
