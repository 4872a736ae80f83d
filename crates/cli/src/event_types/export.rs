//! `webhooks event-types export`

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use webhooks_client::{Api, EventTypesQuery, ListLimit};

use super::file::{Plain, Types};
use super::{SummaryPage, fields, openapi};
use crate::answer::{Answer, read, send};
use crate::print::{Printer, Report};
use crate::terminal::{Style, escape_json};

pub(super) const HELP: &str = "\
Examples:
  webhooks event-types export > event-types.json
  webhooks event-types export --openapi > openapi.json

The OpenAPI document describes webhooks in the payload format `standard`.";

/// Options of `event-types export`.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// Print an `OpenAPI` 3.1 document with a section `webhooks`.
    #[arg(long)]
    openapi: bool,
}

/// A file, in JSON in any case.
#[derive(Serialize)]
#[serde(transparent)]
struct File<T>(T);

impl<T: Serialize> Report for File<T> {
    fn text(&self, _: Style) -> String {
        let json = serde_json::to_string_pretty(self).expect("it has a JSON form");
        format!("{}\n", escape_json(&json))
    }
}

impl Export {
    pub(super) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<()> {
        let event_types = all(api).await?;
        if self.openapi {
            printer.print(&File(openapi::document(&event_types)?))?;
        } else {
            printer.print(&File(Plain { event_types }))?;
        }
        Ok(())
    }
}

/// All types of the catalogue.
async fn all(api: &Api) -> Result<Types> {
    let mut types = Types::new();
    let mut cursor = None;
    loop {
        let limit = Some(ListLimit::up_to(u32::MAX));
        let call = api.event_types(&EventTypesQuery { limit, cursor });
        let page: Answer<SummaryPage> = read(call.answer()).await?;
        for found in page.value.data {
            let shown = send(api.event_type(&found.name)).await?;
            types.insert(found.name, fields(shown.value));
        }
        cursor = page.value.next_cursor;
        if cursor.is_none() {
            return Ok(types);
        }
    }
}
