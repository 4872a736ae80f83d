//! The results of a part: stored as JSON, shown as tables.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use webhooks_costs::Usage;

use crate::{limits::limit_of, stats::Measured};

/// One part's results.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Part {
    /// Its name in `--only`.
    pub(crate) name: String,
    /// Its heading.
    pub(crate) title: String,
    /// The day, as `2026-11-24`.
    pub(crate) date: String,
    /// The machine on which it ran.
    pub(crate) machine: String,
    /// True if only a few runs were made, to try the part.
    pub(crate) quick: bool,
    /// A description of the comparison, in paragraphs.
    pub(crate) how: Vec<String>,
    /// The tables.
    pub(crate) tables: Vec<Table>,
    /// The figures that have targets.
    pub(crate) targets: Vec<Target>,
    /// The counts that repeat in another run, by name: `delivery/kept connection/instructions`.
    /// Less is better.
    pub(crate) counts: BTreeMap<String, f64>,
    /// The usage of a delivery, by the name of its case.
    pub(crate) usage: BTreeMap<String, Usage>,
    /// The counts that this machine cannot make.
    pub(crate) skipped: Vec<Skipped>,
}

/// A count that was skipped, although another machine could make it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Skipped {
    /// The end of the names of its counts.
    pub(crate) what: String,
    /// The missing requirement.
    pub(crate) why: String,
}

/// A table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Table {
    /// Its title.
    pub(crate) title: String,
    /// The column headings. The first column is text, the others are figures.
    pub(crate) columns: Vec<String>,
    /// The rows, with one cell for each column.
    pub(crate) rows: Vec<Vec<String>>,
}

/// A figure with a target.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Target {
    /// The name, which is the same in every run: `delivery/kept connection/CPU`.
    pub(crate) name: String,
    /// The median, and the spread of the runs.
    pub(crate) measured: Measured,
    /// Its unit.
    pub(crate) unit: Unit,
    /// The upper limit.
    pub(crate) at_most: f64,
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Unit {
    /// The ratio of two measurements. It changes little on a faster machine.
    Ratio,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// Minutes.
    Minutes,
    /// 1,048,576 bytes.
    Mebibytes,
    /// Dollars for a million deliveries.
    Dollars,
    /// A plain number.
    Count,
}

impl Unit {
    /// Formats a figure with its unit.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{} ×", digits(value)),
            Self::Micros => format!("{} µs", digits(value)),
            Self::Millis => format!("{} ms", digits(value)),
            Self::Minutes => {
                let seconds = (value * 60.0).round();
                format!(
                    "{:.0} min {:.0} s",
                    (seconds / 60.0).floor(),
                    seconds % 60.0
                )
            }
            Self::Mebibytes => format!("{} MiB", digits(value)),
            Self::Dollars => format!("${value:.2}"),
            Self::Count => digits(value),
        }
    }
}

/// Arranges counts as tables: one table for each prefix of the names, one column for each
/// suffix.
pub(crate) fn count_tables(counts: &BTreeMap<String, f64>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for (name, count) in counts {
        let (title, rest) = name.split_once('/').unwrap_or(("", name));
        let (row, column) = rest.rsplit_once('/').unwrap_or((rest, ""));
        if tables.last().is_none_or(|table| table.title != title) {
            tables.push(Table::new(title, &[""]));
        }
        if let Some(table) = tables.last_mut() {
            *table.cell(row, column) = exact(*count);
        }
    }
    for table in &mut tables {
        let columns = table.columns.len();
        for row in &mut table.rows {
            row.resize(columns, String::new());
        }
    }
    tables
}

/// Formats a count with thousands separators, or with decimals if it is small.
pub(crate) fn exact(count: f64) -> String {
    let text = if count.abs() < 1_000.0 {
        format!("{count:.3}")
    } else {
        format!("{count:.0}")
    };
    let (whole, decimals) = text.split_at(text.find('.').unwrap_or(text.len()));
    let decimals = decimals.trim_end_matches('0').trim_end_matches('.');
    let mut apart = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart + decimals
}

/// Formats three significant digits.
fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        at_least if at_least >= 99.95 => 0,
        at_least if at_least >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

impl Target {
    /// Returns its row in a table of targets.
    pub(crate) fn row(&self) -> [String; 5] {
        let result = if self.is_missed() {
            "**missed**"
        } else {
            "met"
        };
        [
            self.name.clone(),
            self.unit.text(self.at_most),
            cell(self.measured, self.unit),
            result.to_owned(),
            limit_of(&self.name).to_owned(),
        ]
    }

    /// Returns true if the figure exceeds the limit.
    pub(crate) fn is_missed(&self) -> bool {
        self.measured.median > self.at_most
    }
}

/// Formats the median and the spread as a cell.
pub(crate) fn cell(measured: Measured, unit: Unit) -> String {
    let percent = measured.relative_spread() * 100.0;
    format!("{} ±{percent:.0} %", unit.text(measured.median))
}

impl Part {
    /// Creates an empty part for today and this machine.
    pub(crate) fn new(name: &str, title: &str, quick: bool) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            title: title.to_owned(),
            date: crate::machine::today()?,
            machine: crate::machine::describe(),
            quick,
            how: Vec::new(),
            tables: Vec::new(),
            targets: Vec::new(),
            counts: BTreeMap::new(),
            usage: BTreeMap::new(),
            skipped: Vec::new(),
        })
    }

    /// Adds a paragraph on the comparison.
    pub(crate) fn how(&mut self, paragraph: impl Into<String>) {
        self.how.push(paragraph.into());
    }

    /// Adds a figure with an upper limit.
    pub(crate) fn target(&mut self, name: &str, measured: Measured, unit: Unit, at_most: f64) {
        self.targets.push(Target {
            name: format!("{}/{name}", self.name),
            measured,
            unit,
            at_most,
        });
    }

    /// Adds a count.
    pub(crate) fn count(&mut self, name: &str, count: f64) {
        self.counts.insert(name.to_owned(), count);
    }

    /// Writes the part into the folder of results.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(format!("{}.json", self.name));
        let text = serde_json::to_string_pretty(self)?;
        fs::write(&path, text).with_context(|| format!("writing `{}`", path.display()))
    }

    /// Reads a part from the folder of results; `None` if it was not measured yet.
    pub(crate) fn load(folder: &Path, name: &str) -> Result<Option<Self>> {
        let path = folder.join(format!("{name}.json"));
        if !path.exists() {
            return Ok(None);
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
        let part = serde_json::from_str(&text);
        part.with_context(|| format!("reading `{}`", path.display()))
            .map(Some)
    }
}

impl Table {
    /// Creates a table without rows.
    pub(crate) fn new(title: &str, columns: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Returns the cell of a row and a column, which are found by their first texts.
    fn cell(&mut self, row: &str, column: &str) -> &mut String {
        let at = |place: Option<usize>, end: usize| place.unwrap_or(end);
        let columns = self.columns.len();
        let column_at = at(self.columns.iter().position(|head| head == column), columns);
        if column_at == columns {
            self.columns.push(column.to_owned());
        }
        let rows = self.rows.len();
        let row_at = at(self.rows.iter().position(|cells| cells[0] == row), rows);
        if row_at == rows {
            self.rows.push(vec![row.to_owned()]);
        }
        let cells = &mut self.rows[row_at];
        if cells.len() <= column_at {
            cells.resize(column_at + 1, String::new());
        }
        &mut cells[column_at]
    }

    /// Formats the table for a terminal, with aligned columns.
    pub(crate) fn plain(&self) -> String {
        let all = || std::iter::once(&self.columns).chain(&self.rows);
        let width = |column: usize| {
            let cells = all().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate();
            let padded = cells.map(|(column, (cell, width))| match column {
                0 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let lines = all().map(line).collect::<Vec<_>>().join("\n");
        format!("{}\n{lines}\n", self.title)
    }

    /// Formats the table for the documentation.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("**{}**\n\n", self.title);
        text.push_str(&line(self.columns.iter().map(String::as_str).collect()));
        let rule = (0..self.columns.len()).map(|column| if column == 0 { "---" } else { "---:" });
        text.push_str(&line(rule.collect()));
        for row in &self.rows {
            text.push_str(&line(row.iter().map(String::as_str).collect()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_their_unit() {
        for (value, unit, text) in [
            (0.5, Unit::Ratio, "0.50 ×"),
            (9.999, Unit::Millis, "10.0 ms"),
            (234.6, Unit::Micros, "235 µs"),
            (5.0, Unit::Dollars, "$5.00"),
            (4.0, Unit::Minutes, "4 min 0 s"),
            (1.9999, Unit::Minutes, "2 min 0 s"),
            (4.41, Unit::Minutes, "4 min 25 s"),
        ] {
            assert_eq!(unit.text(value), text);
        }
        let measured = Measured {
            median: 200.0,
            spread: 6.0,
        };
        assert_eq!(cell(measured, Unit::Micros), "200 µs ±3 %");
    }

    #[test]
    fn a_count_is_exact_where_it_is_small_and_readable_where_it_is_not() {
        for (count, text) in [
            (0.0, "0"),
            (1.2, "1.2"),
            (999.123_4, "999.123"),
            (1_000.4, "1,000"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(exact(count), text);
        }
    }

    #[test]
    fn counts_are_shown_by_what_their_names_begin_and_end_with() {
        let counts = [("a/x/calls", 1.0), ("a/y/bytes", 2.0), ("b/x/calls", 3.0)];
        let counts = counts.map(|(name, count)| (name.to_owned(), count));
        let tables = count_tables(&BTreeMap::from(counts));
        let titles: Vec<_> = tables.iter().map(|table| table.title.as_str()).collect();
        assert_eq!(titles, ["a", "b"]);
        assert_eq!(tables[0].columns, ["", "calls", "bytes"]);
        assert_eq!(tables[0].rows, [vec!["x", "1", ""], vec!["y", "", "2"]]);
    }

    #[test]
    fn a_table_is_aligned_for_a_terminal_and_marked_for_the_docs() {
        let mut table = Table::new("Sizes", &["what", "µs"]);
        table.row(["a".to_owned(), "10".to_owned()]);
        table.row(["bcdef".to_owned(), "1".to_owned()]);
        assert_eq!(table.plain(), "Sizes\nwhat   µs\na      10\nbcdef   1\n");
        let markdown = "**Sizes**\n\n| what | µs |\n| --- | ---: |\n| a | 10 |\n| bcdef | 1 |\n";
        assert_eq!(table.markdown(), markdown);
    }
}
