//! Finds names that were replaced. `words.txt` lists them, each with the word to use instead.

use anyhow::{Context, Result, bail};

use crate::files::{self, File};
use crate::workspace::Workspace;

const LIST: &str = "words.txt";
const EXTENSIONS: [&str; 8] = ["rs", "md", "yaml", "json", "toml", "py", "js", "mjs"];
/// Files that are not checked, because their names come from AWS.
const NOT_OURS: [&str; 1] = ["crates/proxy/service_models.json"];

/// A name that was replaced.
#[derive(Debug, PartialEq)]
struct Entry {
    name: Name,
    instead: String,
    /// Only files below these folders are checked; all files if it is empty.
    below: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum Name {
    /// A whole identifier, with its capitals.
    Identifier(String),
    /// Words of an identifier, in lower case.
    Words(Vec<String>),
    /// A word in any place, including comments and texts.
    Anywhere(String),
}

/// An identifier or a word of a text.
#[derive(Debug, PartialEq)]
struct Token<'a> {
    text: &'a str,
    line: usize,
    /// True in a comment, a string or a page. There, a single word is not a name.
    is_prose: bool,
}

/// Fails if a file still has a name that was replaced.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let path = workspace.xtask_file(LIST);
    let list =
        std::fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
    let entries = parse(&list)?;
    let mut found = Vec::new();
    for file in files::with_extensions(workspace.root(), &EXTENSIONS)? {
        if !NOT_OURS.contains(&&*file.path) {
            found.extend(find(&file, &entries));
        }
    }
    if !found.is_empty() {
        bail!(
            "{} names that were replaced (crates/xtask/{LIST}):\n{}",
            found.len(),
            found.join("\n")
        );
    }
    Ok(())
}

fn parse(list: &str) -> Result<Vec<Entry>> {
    let lines = list.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| entry(line).with_context(|| format!("{LIST}: `{line}`: NAME = WORD TO USE")))
        .collect()
}

fn entry(line: &str) -> Option<Entry> {
    let (name, instead) = line.split_once(" = ")?;
    let (instead, below) = instead.split_once("; below ").unwrap_or((instead, ""));
    let name = if let Some(word) = name.strip_prefix('"') {
        Name::Anywhere(word.strip_suffix('"')?.to_owned())
    } else if name.contains(char::is_uppercase) {
        Name::Identifier(name.to_owned())
    } else {
        Name::Words(name.split(' ').map(str::to_owned).collect())
    };
    Some(Entry {
        name,
        instead: instead.trim().to_owned(),
        below: below.split_whitespace().map(str::to_owned).collect(),
    })
}

/// Returns a line for each such name: the file, the line, the name and the word to use.
fn find(file: &File, entries: &[Entry]) -> Vec<String> {
    let applies = |entry: &&Entry| {
        entry.below.is_empty() || entry.below.iter().any(|below| file.path.starts_with(below))
    };
    let entries: Vec<&Entry> = entries.iter().filter(applies).collect();
    let mut found = Vec::new();
    for token in tokens(file) {
        let words = words(token.text);
        for entry in &entries {
            if is_named(&entry.name, &token, &words) {
                let (path, line, text) = (&file.path, token.line, token.text);
                found.push(format!("{path}:{line}: `{text}`: say {}", entry.instead));
            }
        }
    }
    found
}

fn is_named(name: &Name, token: &Token<'_>, words: &[String]) -> bool {
    let is_name = !token.is_prose || words.len() > 1;
    match name {
        Name::Identifier(name) => is_name && token.text == name,
        Name::Words(name) => is_name && words.windows(name.len()).any(|part| part == name),
        Name::Anywhere(name) => words.contains(name),
    }
}

/// The words of an identifier, in lower case: of `dueAt_ms` these are due, at and ms.
fn words(identifier: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in identifier.chars() {
        let begins = c == '_' || c.is_uppercase() && !before.is_uppercase();
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c != '_', words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The identifiers and words of a file.
fn tokens(file: &File) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    if file.is("rs") {
        for (text, line, is_prose) in rust_parts(&file.text) {
            add(&mut tokens, text, line, is_prose);
        }
    } else {
        add(&mut tokens, &file.text, 1, true);
    }
    tokens
}

fn add<'a>(tokens: &mut Vec<Token<'a>>, text: &'a str, first_line: usize, is_prose: bool) {
    for (n, line) in text.split('\n').enumerate() {
        let parts = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let parts = parts.filter(|part| part.starts_with(|c: char| !c.is_ascii_digit()));
        tokens.extend(parts.map(|text| Token {
            text,
            line: first_line + n,
            is_prose,
        }));
    }
}

/// Cuts Rust into code and prose (comments and strings), each with its first line.
fn rust_parts(text: &str) -> Vec<(&str, usize, bool)> {
    let mut parts = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < text.len() {
        let (code, prose) = next_prose(&text[at..]);
        for (length, is_prose) in [(code, false), (prose, true)] {
            let part = &text[at..at + length];
            parts.push((part, line, is_prose));
            line += part.matches('\n').count();
            at += length;
        }
    }
    parts
}

/// Returns the length of the code before the next comment or string, and the length of that.
fn next_prose(text: &str) -> (usize, usize) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text.as_bytes()[at..];
        match rest {
            [b'/', b'/', ..] => return (at, length_until(&text[at..], "\n")),
            [b'"', ..] => return (at, string_length(rest)),
            [b'\'', b'\\', _, ..] => at += 4,
            [b'\'', _, b'\'', ..] => at += 3,
            [b'r', b'#', b'"', ..] => return (at, length_until(&text[at..], "\"#")),
            _ => at += 1,
        }
    }
    (bytes.len(), 0)
}

fn length_until(text: &str, end: &str) -> usize {
    text.find(end).map_or(text.len(), |at| at + end.len())
}

fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: &str = "\
# a comment
\"lanex\" = queue
turnx on = reservation
Linex = EndpointLimiter; below crates/domain functions
zold = published
";

    fn found(path: &str, text: &str) -> Vec<String> {
        let (path, text) = (path.to_owned(), text.to_owned());
        find(&File { path, text }, &parse(ENTRIES).unwrap())
    }

    #[test]
    fn a_planted_name_is_found_with_its_place_and_the_word_to_use() {
        assert_eq!(
            found("crates/domain/a.rs", "struct A;\nlet nextTurnx_on = 1;\n"),
            ["crates/domain/a.rs:2: `nextTurnx_on`: say reservation"]
        );
        assert_eq!(
            found("functions/a/b.rs", "struct Linex;"),
            ["functions/a/b.rs:1: `Linex`: say EndpointLimiter"]
        );
        assert_eq!(
            found("template.yaml", "A: 1\n  # turnxOn\n"),
            ["template.yaml:2: `turnxOn`: say reservation"]
        );
        assert_eq!(
            found("docs/a.md", "## The slow lanex"),
            ["docs/a.md:1: `lanex`: say queue"]
        );
    }

    #[test]
    fn a_word_of_a_sentence_is_no_name() {
        assert!(found("a.rs", "// it zold us\nlet a = \"it zold us\";").is_empty());
        assert_eq!(found("a.rs", "// it zold us\nlet zold = \"a\";").len(), 1);
        assert_eq!(found("a.rs", "let a = \"zoldAt\";").len(), 1);
        assert!(found("tests/a.rs", "struct Linex;").is_empty());
        assert!(found("crates/domain/a.rs", "struct LinexReader;").is_empty());
    }

    #[test]
    fn strings_and_characters_end_where_rust_ends_them() {
        for before in [r#"'"'"#, r#"'\"'"#, r#""\"""#, r##"r#"""#"##, "'a"] {
            let text = format!("f({before});\nzold");
            assert_eq!(found("a.rs", &text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_malformed_entry_is_named() {
        let error = parse("\"a = b\n").unwrap_err();
        assert!(error.to_string().contains("\"a = b"), "{error}");
    }
}
