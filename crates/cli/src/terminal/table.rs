//! Aligned columns.

use std::io::Write;

use tabwriter::TabWriter;

use super::{Style, Tone};

/// A text in a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Creates a cell with a tone. The text may be foreign, because it is
    /// [painted](Style::paint).
    pub fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Rows under a heading, with columns as wide as their widest text.
pub struct Table<const COLUMNS: usize> {
    rows: Vec<[Cell; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Creates a table without rows.
    pub fn new(headings: [&str; COLUMNS]) -> Self {
        Self {
            rows: vec![headings.map(|heading| Cell::new(heading, Tone::Faint))],
        }
    }

    /// Creates a table without a heading.
    pub fn untitled() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: [Cell; COLUMNS]) {
        self.rows.push(row);
    }

    /// Formats the table as lines, each ended by a line feed.
    pub fn text(&self, style: Style) -> String {
        let mut columns = TabWriter::new(Vec::new()).ansi(true).minwidth(0).padding(2);
        for row in &self.rows {
            // A cell holds no tab, because it is cleaned.
            let cells = row
                .each_ref()
                .map(|cell| style.paint(cell.tone, &cell.text));
            writeln!(columns, "  {}", cells.join("\t")).expect("a vector takes every text");
        }
        let bytes = columns.into_inner().expect("a vector takes every text");
        String::from_utf8(bytes).expect("it was text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let mut table = Table::new(["NAME", "N"]);
        table.push(["Zoë".into(), "1".into()]);
        table.push([Cell::new("order.created", Tone::Good), "20".into()]);
        assert_eq!(
            table.text(Style::Plain),
            "  NAME           N\n  Zoë            1\n  order.created  20\n"
        );
    }

    #[test]
    fn an_untitled_table_begins_with_its_first_row() {
        let mut table = Table::untitled();
        table.push(["status".into(), "active".into()]);
        table.push(["url".into(), "https://a.example".into()]);
        assert_eq!(
            table.text(Style::Plain),
            "  status  active\n  url     https://a.example\n"
        );
    }

    #[test]
    fn a_foreign_text_moves_nothing() {
        let mut table = Table::new(["A", "B"]);
        table.push([Cell::new("x\u{9b}31m\r\n", Tone::Good), "\u{1b}]0;y".into()]);
        let text = table.text(Style::Plain);
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains(['\u{9b}', '\u{1b}', '\r']), "{text:?}");
    }

    #[test]
    fn colours_do_not_move_a_column() {
        let mut table = Table::new(["A", "B"]);
        table.push([Cell::new("x", Tone::Good), "y".into()]);
        assert!(table.text(Style::Coloured).contains("\x1b[32mx\x1b[0m  y"));
    }
}
