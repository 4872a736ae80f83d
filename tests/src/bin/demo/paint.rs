//! Colours and aligned columns. `anstream` removes the colours where there is no terminal.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use tabwriter::TabWriter;

pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const WAITING: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// Formats a text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Formats rows under headings.
pub(crate) fn table<const COLUMNS: usize>(
    headings: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> Result<String> {
    let mut columns = TabWriter::new(Vec::new()).ansi(true).minwidth(0).padding(2);
    let headings = headings.map(|heading| paint(FAINT, heading));
    for row in std::iter::once(headings).chain(rows) {
        writeln!(columns, "  {}", row.join("\t"))?;
    }
    columns.flush()?;
    Ok(String::from_utf8(columns.into_inner()?)?)
}
