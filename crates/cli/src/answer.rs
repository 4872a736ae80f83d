//! What the API answers: read, and kept as it came for `--json`.

use std::future::Future;

use anyhow::{Result, anyhow};
use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use webhooks_client::{Answered, Broken, Call, Error, Page};
use webhooks_terminal::{Style, Table};

use crate::advice::advise;
use crate::broken;
use crate::print::{Printer, progress};

/// The most that the API gives in one page.
const PAGE: u32 = 100;

/// One answer of the API.
pub(crate) struct Answer<T> {
    /// As read.
    pub(crate) value: T,
    /// As it came.
    pub(crate) json: Bytes,
}

/// Sends a request and reads its answer.
pub(crate) async fn send<T: DeserializeOwned>(call: Call<'_, T>) -> Result<Answer<T>> {
    read(call.answer()).await
}

/// Sends a request for one thing and prints it, or what can be read of it.
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

/// How much of a list to show.
#[derive(Args, Debug, Clone)]
pub(crate) struct Paging {
    /// Show at most so many.
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Show all, however many there are.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Begin where an earlier list with the same filters ended: its `nextCursor`.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// The pages of a list, put together.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed<T> {
    /// As they came.
    data: Vec<Box<RawValue>>,
    /// Where the list goes on.
    next_cursor: Option<String>,
    /// Those of which not everything can be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    broken: Vec<Broken>,
    /// As read.
    #[serde(skip)]
    pub(crate) rows: Vec<T>,
}

impl<T> Listed<T> {
    /// Whether there is more than was asked for.
    pub(crate) fn has_more(&self) -> bool {
        self.next_cursor.is_some()
    }

    /// Whether there is nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.broken.is_empty()
    }

    /// The table of what can be read, if there is any, with what comes below it: what cannot be
    /// read, and whether the list goes on.
    pub(crate) fn text<const COLUMNS: usize>(
        &self,
        nothing: &str,
        table: impl FnOnce() -> Table<COLUMNS>,
        style: Style,
    ) -> String {
        let mut text = match self.rows.is_empty() {
            true if self.broken.is_empty() => format!("  {nothing}\n"),
            true => String::new(),
            false => table().text(style),
        };
        text.push_str(&broken::table(&self.broken, style));
        if self.has_more() {
            let shown = self.rows.len() + self.broken.len();
            let more = format!("\n  the first {shown}; `--limit N` or `--all` shows more\n");
            text.push_str(&more);
        }
        text
    }
}

impl Paging {
    /// Asks for one page after the other until there is enough. A page may be empty and
    /// yet not the last one: what a filter leaves out counts for the API.
    pub(crate) async fn collect<'a, T: DeserializeOwned>(
        &self,
        page: impl Fn() -> Call<'a, Page<T>>,
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
            let left = u32::try_from(wanted - listed.rows.len()).unwrap_or(PAGE);
            let call = page().query("limit", left.min(PAGE).to_string());
            let call = call.cursor(listed.next_cursor.as_deref());
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
