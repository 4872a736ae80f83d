//! The pages of the documentation: each link, file, test and heading that they name exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, bail};

use crate::files::{self, File};
use crate::workspace::Workspace;

/// The largest number of lines of a page. Split a longer page into two.
const MOST_LINES: usize = 300;
/// A text that is in each page that a program writes. Such a page may be longer.
const WRITTEN_BY_A_PROGRAM: &str = "This page is written by";

const OWN: [&str; 2] = ["crates/xtask/src/pages.rs", "crates/xtask/src/words.rs"];

/// The targets that pages may refer to.
struct Known<'a> {
    root: &'a Path,
    /// The anchors and the headings of each page.
    pages: BTreeMap<&'a str, Vec<(String, String)>>,
    /// The names of all functions, which include all tests.
    functions: BTreeSet<&'a str>,
    /// The paths of all other files.
    paths: Vec<&'a str>,
}

/// Fails if a page names a file, a test or a heading that does not exist, or if a file names a page
/// that does not exist.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let root = workspace.root();
    let pages = files::with_extensions(root, &["md"])?;
    let mut others = files::with_extensions(root, &["rs", "yaml", "toml", "json"])?;
    // The tests of these files name pages that do not exist.
    others.retain(|file| !OWN.contains(&&*file.path));
    let known = Known::new(root, &pages, &others);
    let mut wrong = Vec::new();
    for page in &pages {
        wrong.extend(known.wrong_in_page(page));
    }
    for file in pages.iter().chain(&others) {
        wrong.extend(known.wrong_references(file));
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

impl<'a> Known<'a> {
    fn new(root: &'a Path, pages: &'a [File], others: &'a [File]) -> Self {
        let headings = |page: &'a File| (&*page.path, headings(&page.text));
        let words = others.iter().flat_map(|file| {
            let after = file.text.split("fn ").skip(1);
            after.filter_map(|after| after.split(|c: char| !is_of_name(c)).next())
        });
        Self {
            root,
            pages: pages.iter().map(headings).collect(),
            functions: words.collect(),
            paths: others.iter().map(|file| &*file.path).collect(),
        }
    }

    fn wrong_in_page(&self, page: &File) -> Vec<String> {
        let mut wrong = Vec::new();
        let count = page.text.lines().count();
        if count > MOST_LINES && !page.text.contains(WRITTEN_BY_A_PROGRAM) {
            wrong.push(format!(
                "{}: {count} lines: a page has at most {MOST_LINES}",
                page.path
            ));
        }
        for (number, line) in page.text.lines().enumerate() {
            let at = format!("{}:{}", page.path, number + 1);
            for link in links(line) {
                if let Some(problem) = self.problem_of_link(&page.path, link) {
                    wrong.push(format!("{at}: link `{link}`: {problem}"));
                }
            }
            for code in line.split('`').skip(1).step_by(2) {
                for word in code.split_whitespace() {
                    if let Some(problem) = self.problem_of_name(word) {
                        wrong.push(format!("{at}: `{word}`: {problem}"));
                    }
                }
            }
        }
        wrong
    }

    fn problem_of_link(&self, page: &str, link: &str) -> Option<&'static str> {
        if link.contains("://") {
            return None;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let folder = Path::new(page).parent()?;
        let path = if file.is_empty() {
            page.to_owned()
        } else {
            resolve(&folder.join(file).to_string_lossy())
        };
        let Some(headings) = self.pages.get(&*path) else {
            let is_there = self.root.join(&path).exists();
            return match (is_there, anchor) {
                (false, _) => Some("there is no such file"),
                (true, "") => None,
                (true, _) => Some("only pages have headings"),
            };
        };
        let is_there = anchor.is_empty() || headings.iter().any(|(own, _)| own == anchor);
        (!is_there).then_some("there is no such heading")
    }

    /// Checks a name that looks like a path below one of the checkout's folders, or like a test: a
    /// name of four words or more.
    fn problem_of_name(&self, name: &str) -> Option<&'static str> {
        let name = name.strip_prefix("file://").unwrap_or(name);
        let name = name.trim_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
        let is_exact = name.chars().all(|c| is_of_name(c) || "/.-".contains(c));
        // In a placeholder, such as `events/NAME.json`, a part is in capitals.
        if !is_exact || name.contains("NAME") {
            return None;
        }
        if Path::new(name).extension() == Some("rs".as_ref()) {
            // A page may leave out the first folders.
            let is_there = self.paths.iter().any(|path| is_end_of(name, path));
            return (!is_there).then_some("there is no such file");
        }
        if let Some((folder, _)) = name.split_once('/') {
            let is_ours = folder != "target" && self.root.join(folder).is_dir();
            let is_there = self.root.join(name).exists();
            return (is_ours && !is_there).then_some("there is no such file");
        }
        let is_test = name.matches('_').count() >= 3
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| is_of_name(c) && !c.is_uppercase());
        // A part of a name is enough, as for cargo.
        let is_there = || self.functions.iter().any(|own| own.contains(name));
        (is_test && !is_there()).then_some("there is no such test")
    }

    /// References in texts, such as `docs/api.md, Access`.
    fn wrong_references(&self, file: &File) -> Vec<String> {
        let mut wrong = Vec::new();
        for (start, _) in file.text.match_indices("docs/") {
            let line = file.text[..start].matches('\n').count() + 1;
            let rest = &file.text[start..];
            let Some((page, after)) = rest.split_once(".md") else {
                continue;
            };
            let page = format!("{page}.md");
            let is_name = |c: char| is_of_name(c) || "/.-".contains(c);
            if !page.chars().all(is_name) || file.text[..start].ends_with('/') {
                continue;
            }
            let Some(headings) = self.pages.get(&*page) else {
                wrong.push(format!("{}:{line}: there is no `{page}`", file.path));
                continue;
            };
            // A text may continue in the next line of the source.
            let after = after.get(..200).unwrap_or(after);
            let after: String = after.split_whitespace().fold(String::new(), |text, word| {
                let word = word.trim_start_matches("///").trim_end_matches('\\');
                text + word + " "
            });
            let Some(heading) = after.strip_prefix(", ") else {
                continue;
            };
            let heading = heading.trim_start_matches(['\\', '"', ' ']);
            let names = heading.starts_with(|c: char| c.is_uppercase());
            if names && !headings.iter().any(|(_, own)| heading.starts_with(own)) {
                let heading: String = heading.chars().take(40).collect();
                wrong.push(format!(
                    "{}:{line}: `{page}` has no heading `{heading}`",
                    file.path
                ));
            }
        }
        wrong
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns true if these are the last parts of a path.
fn is_end_of(end: &str, path: &str) -> bool {
    let before = path.strip_suffix(end);
    before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// The targets of the links of a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let after = line.split("](").skip(1);
    after.filter_map(|after| Some(after.split_once(')')?.0))
}

/// The anchor and the text of each heading.
fn headings(text: &str) -> Vec<(String, String)> {
    let mut headings = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#');
        if is_code || heading.len() == line.len() {
            continue;
        }
        let text = heading.trim().replace('`', "");
        let kept = text.to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        headings.push((kept.collect::<String>().replace(' ', "-"), text));
    }
    headings
}

/// The path without `..`.
fn resolve(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(page: &str, other: &str) -> Vec<String> {
        let workspace = Workspace::find().unwrap();
        let file = |path: &str, text: &str| File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let pages = [
            file("docs/limits.md", "# Limits\n\n## `a` and B\n"),
            file("docs/x.md", page),
        ];
        let others = [file("crates/x.rs", other)];
        let known = Known::new(workspace.root(), &pages, &others);
        let mut wrong = known.wrong_in_page(&pages[1]);
        wrong.extend(known.wrong_references(&others[0]));
        wrong
    }

    #[test]
    fn what_is_there_is_right() {
        let page = "[a](limits.md#a-and-b) [b](#x) [c](https://a.b/c) [d](../README.md)\n\n# X\n\
            `docs/limits.md` `x.rs` `aws x file://events/order-created.json` `POST /a` `a_b_c_d`\n";
        let other = "fn a_b_c_d() {}\n// docs/limits.md, Limits, says; docs/limits.md, too";
        assert_eq!(wrong(page, other), [""; 0]);
    }

    #[test]
    fn what_is_gone_is_found_with_its_place() {
        for (page, place) in [
            ("\n[a](gone.md)", "docs/x.md:2: link `gone.md`"),
            ("[a](limits.md#gone)", "docs/x.md:1: link `limits.md#gone`"),
            ("[a](#gone)", "docs/x.md:1: link `#gone`"),
            ("`crates/gone.rs`", "docs/x.md:1: `crates/gone.rs`"),
            ("`s/x.rs`", "docs/x.md:1: `s/x.rs`"),
            ("`tests/gone`", "docs/x.md:1: `tests/gone`"),
            ("`a_test_is_gone`", "docs/x.md:1: `a_test_is_gone`"),
        ] {
            let found = wrong(page, "");
            assert!(found.len() == 1 && found[0].starts_with(place), "{found:?}");
        }
        assert_eq!(wrong(&"a\n".repeat(301), "").len(), 1);
    }

    #[test]
    fn a_reference_to_a_page_or_heading_that_is_gone_is_found() {
        for other in [
            "// docs/gone.md says",
            "\"docs/limits.md, Gone\"",
            "\"docs/limits.md, \\\n    Gone\"",
            "\"docs/limits.md, \\\"Gone\\\"\"",
        ] {
            assert_eq!(wrong("", other).len(), 1, "{other}");
        }
    }
}
