//! The lines of the README that contain measurements.

use std::{fmt::Write, fs, path::Path};

use anyhow::{Context, Result};

use crate::bill::month;
use crate::report::{Part, cell};

/// Writes the README's lines on cost and speed from these parts.
pub(crate) fn record(path: &Path, parts: &[Part]) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
    let text = fill(&text, "costs", &costs(parts)?)?;
    let text = fill(&text, "idle", &idle(parts)?)?;
    let text = fill(&text, "cost targets", &cost_targets(parts))?;
    let text = fill(&text, "speed", &speed(parts))?;
    fs::write(path, text).with_context(|| format!("writing `{}`", path.display()))
}

/// Returns the first table of the bill.
fn costs(parts: &[Part]) -> Result<String> {
    let bill = parts.iter().find(|part| part.name == "bill");
    let table = bill.and_then(|part| part.tables.first());
    Ok(table.context("no bill")?.markdown())
}

/// Returns the bill of a month without events.
fn idle(parts: &[Part]) -> Result<String> {
    let mut tables = parts.iter().flat_map(|part| &part.tables);
    let table = tables.find(|table| table.title == month::TITLE);
    Ok(table.context("no bill of a month")?.markdown())
}

/// The figures of the README's section on speed. The page has all of them.
const SPEED: [&str; 8] = [
    "cold-start/api/time",
    "cold-start/deliver-webhook/time",
    "delivery/kept connection/CPU",
    "delivery/kept connection/CPU to bare exchanges",
    "delivery/kept connection/peak memory",
    "delivery/200 ms/batch of ten",
    "patience/first demo",
    "patience/CI",
];

/// Returns the figures of cost that have a target.
fn cost_targets(parts: &[Part]) -> String {
    targets(parts, |name| name.starts_with("bill/"))
}

/// Returns the figures of [`SPEED`].
fn speed(parts: &[Part]) -> String {
    targets(parts, |name| SPEED.contains(&name))
}

fn targets(parts: &[Part], is_shown: impl Fn(&str) -> bool) -> String {
    let mut text = String::from("| what | is | target |\n| --- | ---: | ---: |\n");
    let targets = parts.iter().flat_map(|part| &part.targets);
    for target in targets.filter(|target| is_shown(&target.name)) {
        let missed = if target.is_missed() {
            ", **missed**"
        } else {
            ""
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {}{missed} |",
            target.name,
            cell(target.measured, target.unit),
            target.unit.text(target.at_most),
        );
    }
    text
}

/// Replaces the text between the marks of a section.
pub(crate) fn fill(text: &str, section: &str, generated: &str) -> Result<String> {
    let (start, end) = (
        format!("<!-- bench: {section} -->\n"),
        format!("<!-- end of bench: {section} -->"),
    );
    let missing = || format!("no marks of the section `{section}`");
    let (before, rest) = text.split_once(&start).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!("{before}{start}\n{generated}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let text = "a\n<!-- bench: costs -->\nold\n<!-- end of bench: costs -->\nb\n";
        let once = fill(text, "costs", "new").unwrap();
        let expected = "a\n<!-- bench: costs -->\n\nnew\n<!-- end of bench: costs -->\nb\n";
        assert_eq!(once, expected);
        assert_eq!(fill(&once, "costs", "new").unwrap(), expected);
        assert!(fill(text, "speed", "new").is_err());
    }

    #[test]
    fn the_readme_has_the_marks() {
        let readme = include_str!("../../../README.md");
        for section in ["costs", "idle", "cost targets", "speed"] {
            fill(readme, section, "").unwrap();
        }
    }
}
