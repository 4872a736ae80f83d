//! Prints results as tables for people or as JSON for scripts. All commands use this module.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use crate::terminal::{Cell, Style, Table, Tone, clean, clean_lines, clean_styled, escape_json};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::answer::Answer;

/// The longest foreign text in a table, in characters.
const TEXT_CHARACTERS: usize = 100;

/// The result of a command.
pub(crate) trait Report: Serialize {
    /// Returns tables for people.
    fn text(&self, style: Style) -> String;
}

/// Prints reports.
pub(crate) struct Printer<'a> {
    out: &'a mut dyn Write,
    style: Style,
    json: bool,
}

impl<'a> Printer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, style: Style, json: bool) -> Self {
        Self { out, style, json }
    }

    /// Returns true if JSON is requested.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints an answer of the API: its unchanged JSON, or a text.
    pub(crate) fn answer<T>(
        &mut self,
        answer: &Answer<T>,
        text: impl FnOnce(&T, Style) -> String,
    ) -> io::Result<()> {
        if self.json {
            self.json(&String::from_utf8_lossy(&answer.json))
        } else {
            self.text(&text(&answer.value, self.style))
        }
    }

    /// Prints a text for people; prints nothing if JSON is requested.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(self.out, "{}", clean_lines(text))
    }

    /// Prints one of several results that follow each other: JSON on its own line, or a text.
    pub(crate) fn next(&mut self, report: &impl Report) -> io::Result<()> {
        if self.json {
            self.json(&serde_json::to_string(report)?)?;
        } else {
            self.text(&report.text(self.style))?;
        }
        self.out.flush()
    }

    /// Prints a report in the requested form.
    pub(crate) fn print(&mut self, report: &impl Report) -> io::Result<()> {
        if self.json {
            self.json(&serde_json::to_string_pretty(report)?)
        } else {
            self.text(&report.text(self.style))
        }
    }

    /// All JSON output passes through here: the output may be a terminal, and the JSON contains
    /// foreign text.
    fn json(&mut self, json: &str) -> io::Result<()> {
        writeln!(self.out, "{}", escape_json(json))
    }

    /// All text output passes through here. Foreign text is already cleaned where its line is
    /// built; this second cleaning protects the terminal if that was forgotten.
    fn text(&mut self, text: &str) -> io::Result<()> {
        write!(self.out, "{}", clean_styled(text, self.style))
    }
}

/// Names and values, with one line for each value that is present.
#[derive(Default)]
pub(crate) struct Facts(Vec<(&'static str, Cell)>);

impl Facts {
    /// Adds a value.
    pub(crate) fn add(&mut self, name: &'static str, value: impl Into<Cell>) {
        self.0.push((name, value.into()));
    }

    /// Adds a value that may be missing.
    pub(crate) fn maybe(&mut self, name: &'static str, value: Option<impl Into<Cell>>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// The lines.
    pub(crate) fn text(self, style: Style) -> String {
        let mut table = Table::untitled();
        for (name, value) in self.0 {
            table.push([Cell::new(name, Tone::Faint), value]);
        }
        table.text(style)
    }
}

/// Formats the last line below a result, which names a possible next step.
pub(crate) fn task(text: impl Display) -> String {
    format!("\n  {}\n", clean(&text.to_string()))
}

/// Formats a heading above a part of a result.
pub(crate) fn heading(text: &str, style: Style) -> String {
    format!("\n  {}\n", style.paint(Tone::Faint, text))
}

/// Prints a message for people on standard error. It may contain foreign text.
pub(crate) fn tell(text: impl Display) {
    eprintln!("{}", clean_lines(&text.to_string()));
}

/// Shows the progress in a line on standard error, on a terminal only.
pub(crate) fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}")
        .expect("the template is a constant");
    let progress = ProgressBar::new_spinner().with_style(style);
    progress.enable_steady_tick(Duration::from_millis(250));
    progress
}

/// The reasons for which work was not done, with counts.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
#[serde(transparent)]
pub(crate) struct Reasons(BTreeMap<String, u64>);

impl Reasons {
    /// Counts one occurrence of a reason.
    pub(crate) fn add(&mut self, reason: String) {
        *self.0.entry(reason).or_default() += 1;
    }

    /// Returns the total count.
    pub(crate) fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// Returns a table under its own heading; empty if there is no reason.
    pub(crate) fn text(&self, style: Style) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["COUNT", "NOT DONE BECAUSE"]);
        for (reason, count) in &self.0 {
            let reason = Cell::new(one_line(reason), Tone::Bad);
            table.push([count.to_string().into(), reason]);
        }
        format!("\n{}", table.text(style))
    }
}

/// Returns the start of a foreign text, on one line.
pub(crate) fn one_line(text: &str) -> String {
    let start: String = text.chars().take(TEXT_CHARACTERS).collect();
    clean(&start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Number {
        value: u32,
    }

    impl Report for Number {
        fn text(&self, _: Style) -> String {
            format!("the answer is {}\n", self.value)
        }
    }

    #[test]
    fn a_report_is_a_text_or_json() {
        let printed = |json| {
            let mut out = Vec::new();
            let mut printer = Printer::new(&mut out, Style::Plain, json);
            printer.print(&Number { value: 42 }).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(printed(false), "the answer is 42\n");
        assert_eq!(printed(true), "{\n  \"value\": 42\n}\n");
    }

    #[test]
    fn an_answer_is_printed_as_it_came() {
        let answer = Answer {
            value: 7,
            json: r#"{"new":  1.50, "value":7}"#.into(),
        };
        let printed = |json| {
            let mut out = Vec::new();
            let mut printer = Printer::new(&mut out, Style::Plain, json);
            let text = |value: &u32, _| format!("the value is {value}\n");
            printer.answer(&answer, text).unwrap();
            printer.note("and more").unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(printed(true), "{\"new\":  1.50, \"value\":7}\n");
        assert_eq!(printed(false), "the value is 7\nand more\n");
    }

    /// Characters that control or hide text in a terminal.
    const HARMFUL: &str = "\u{1b}]0;x\u{7}\r\u{9b}2J\u{7f}\u{202e}\u{2028}\u{200b}\u{e0041}";

    #[derive(Serialize)]
    struct Foreign(String);

    impl Report for Foreign {
        fn text(&self, _: Style) -> String {
            format!("a forgotten {}\n", self.0)
        }
    }

    #[test]
    fn nothing_that_is_printed_moves_a_terminal() {
        let foreign = Foreign(HARMFUL.to_owned());
        for (json, style) in [
            (true, Style::Plain),
            (true, Style::Coloured),
            (false, Style::Plain),
            (false, Style::Coloured),
        ] {
            let mut out = Vec::new();
            let mut printer = Printer::new(&mut out, style, json);
            printer.print(&foreign).unwrap();
            printer.next(&foreign).unwrap();
            let answer = Answer {
                value: HARMFUL.to_owned(),
                json: serde_json::to_vec(HARMFUL).unwrap().into(),
            };
            printer
                .answer(&answer, |text, _| format!("{text}\n"))
                .unwrap();
            printer.note(HARMFUL).unwrap();
            let shown = String::from_utf8(out).unwrap();
            let harmful = |letter| letter != '\n' && crate::terminal::is_harmful(letter);
            assert!(!shown.contains(harmful), "{shown:?}");
            if json {
                let values: Vec<String> = serde_json::Deserializer::from_str(&shown)
                    .into_iter()
                    .map(Result::unwrap)
                    .collect();
                assert_eq!(values, [HARMFUL; 3]);
            }
        }
        let task = task(format!("{HARMFUL}\nforged"));
        assert_eq!(task.lines().count(), 2);
    }

    #[test]
    fn equal_reasons_are_counted_together() {
        let mut reasons = Reasons::default();
        assert_eq!(reasons.text(Style::Plain), "");
        for reason in ["full", "late\nand more", "full"] {
            reasons.add(reason.to_owned());
        }
        assert_eq!(reasons.count(), 3);
        assert_eq!(
            reasons.text(Style::Plain),
            "\n  COUNT  NOT DONE BECAUSE\n  2      full\n  1      late and more\n"
        );
    }
}
