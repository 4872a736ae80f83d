//! Reads the API's answers, and keeps their JSON unchanged for `--json`.

use std::future::Future;

use crate::terminal::{Style, Table};
use anyhow::{Result, anyhow};
use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use webhooks_client::{Answered, Broken, Call, Error, ListLimit, Page};

use crate::advice::advise;
use crate::broken;
use crate::print::{Printer, progress};

/// One answer of the API.
pub(crate) struct Answer<T> {
    /// The value that was read.
    pub(crate) value: T,
    /// The JSON, unchanged.
    pub(crate) json: Bytes,
}

/// Sends a request and reads its answer.
pub(crate) async fn send<T: DeserializeOwned>(call: Call<'_, T>) -> Result<Answer<T>> {
    read(call.answer()).await
}

/// Sends a request for one item and prints it. An unreadable item is printed as far as it can
/// be read.
pub(crate) async fn show<T: DeserializeOwned>(
    call: Call<'_, T>,
    printer: &mut Printer<'_>,
    text: impl FnOnce(&T, Style) -> String,
) -> Result<()> {
    let answered = call.answer().await.and_then(Answered::into_success);
    let answered = answered.map_err(advise)?;
    let json = answered.body.clone();
    match answered.read() {
        Err(Error::Broken(value)) => printer.answer(&Answer { value, json }, broken::text)?,
        value => {
            let value = value.map_err(advise)?;
            printer.answer(&Answer { value, json }, text)?;
        }
    }
    Ok(())
}

/// Waits for an answer and reads it.
pub(crate) async fn read<T: DeserializeOwned>(
    answer: impl Future<Output = Result<Answered, Error>>,
) -> Result<Answer<T>> {
    let answered = answer
        .await
        .and_then(Answered::into_success)
        .map_err(advise)?;
    let json = answered.body.clone();
    let value = answered.read().map_err(advise)?;
    Ok(Answer { value, json })
}

/// Options that limit a list.
#[derive(Args, Debug, Clone)]
pub(crate) struct Paging {
    /// Show at most this many.
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Show all.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Start at the `nextCursor` of an earlier list with the same filters.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// The combined pages of a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed<T> {
    /// The rows as JSON, unchanged.
    data: Vec<Box<RawValue>>,
    /// The cursor of the next page.
    next_cursor: Option<String>,
    /// The rows that can be read only in part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    broken: Vec<Broken>,
    /// The rows as values.
    #[serde(skip)]
    pub(crate) rows: Vec<T>,
}

impl<T> Listed<T> {
    /// Returns true if there are more rows than were requested.
    pub(crate) fn has_more(&self) -> bool {
        self.next_cursor.is_some()
    }

    /// Returns true if there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.broken.is_empty()
    }

    /// Returns the table of readable rows, followed by the unreadable rows and a note if there
    /// are more rows.
    pub(crate) fn text<const COLUMNS: usize>(
        &self,
        nothing: &str,
        table: impl FnOnce() -> Table<COLUMNS>,
        style: Style,
    ) -> String {
        let table = (!self.rows.is_empty()).then(table);
        let mut text = rows(table, &self.broken, nothing, style);
        if self.has_more() {
            let shown = self.rows.len() + self.broken.len();
            let more = format!("\n  only the first {shown}; `--limit N` or `--all` shows more\n");
            text.push_str(&more);
        }
        text
    }
}

/// Returns the table of readable rows, if there are any, followed by the unreadable rows.
pub(crate) fn rows<const COLUMNS: usize>(
    table: Option<Table<COLUMNS>>,
    broken: &[Broken],
    nothing: &str,
    style: Style,
) -> String {
    let readable = match table {
        Some(table) => table.text(style),
        None if broken.is_empty() => format!("  {nothing}\n"),
        None => String::new(),
    };
    readable + &broken::table(broken, style)
}

impl Paging {
    /// Requests pages until there are enough rows. A page may be empty without being the last,
    /// because the API counts rows that a filter removes.
    pub(crate) async fn collect<'a, T: DeserializeOwned>(
        &self,
        page: impl Fn(Option<ListLimit>, Option<String>) -> Call<'a, Page<T>>,
    ) -> Result<Listed<T>> {
        let wanted = if self.all {
            usize::MAX
        } else {
            self.limit as usize
        };
        let mut listed = Listed {
            data: Vec::new(),
            next_cursor: self.cursor.clone(),
            broken: Vec::new(),
            rows: Vec::new(),
        };
        let progress = progress();
        loop {
            let left = u32::try_from(wanted - listed.rows.len()).unwrap_or(u32::MAX);
            let call = page(Some(ListLimit::up_to(left)), listed.next_cursor.take());
            let page: Answer<Page<Box<RawValue>>> = read(call.answer()).await?;
            for raw in page.value.data {
                let row = serde_json::from_str(raw.get());
                listed.rows.push(
                    row.map_err(|error| anyhow!("unexpected answer: {error}: {}", raw.get()))?,
                );
                listed.data.push(raw);
            }
            listed.broken.extend(page.value.broken);
            listed.next_cursor = page.value.next_cursor;
            if listed.next_cursor.is_none() || listed.rows.len() >= wanted {
                progress.finish_and_clear();
                return Ok(listed);
            }
            progress.set_message(format!("{} so far", listed.rows.len()));
        }
    }
}
