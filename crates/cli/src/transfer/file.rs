//! The file: JSON lines. The first line says what it is, and each further line is a customer with its
//! subscriptions. So neither side holds more than some customers at once.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, stdin};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::Fields;

const FORMAT: &str = "webhooks-export";
const VERSION: u32 = 1;

/// The longest line, in bytes. A customer's subscriptions have at most 1 MB, and escapes make a text
/// at most six times as long.
const MAX_LINE: u64 = 8 * 1_048_576;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    format: String,
    version: u32,
}

/// A customer with its subscriptions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// The customer's id, and its fields.
    pub(super) customer: Fields,
    /// Its subscriptions: an id, and the fields of a new subscription.
    #[serde(default)]
    pub(super) subscriptions: Vec<Fields>,
}

impl Header {
    pub(super) fn new() -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
        }
    }
}

/// Reads a file line by line.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    number: u64,
}

impl Lines {
    /// Opens a file, or standard input for `-`, and reads its first line.
    ///
    /// # Errors
    /// If the file is not one that [`Header`] describes.
    pub(super) fn open(file: &Path) -> Result<Self> {
        let input: Box<dyn BufRead + Send> = if file == Path::new("-") {
            Box::new(BufReader::new(stdin()))
        } else {
            Box::new(BufReader::new(File::open(file)?))
        };
        Self::of(input)
    }

    fn of(input: Box<dyn BufRead + Send>) -> Result<Self> {
        let mut lines = Self { input, number: 0 };
        let first = lines.text()?.unwrap_or_default();
        let header: Header = serde_json::from_str(&first).with_context(|| {
            format!("line 1: must be {{\"format\": \"{FORMAT}\", \"version\": {VERSION}}}")
        })?;
        if header.format != FORMAT {
            bail!(
                "line 1: the format must be `{FORMAT}`, is `{}`",
                header.format
            );
        }
        if header.version != VERSION {
            bail!(
                "line 1: the version must be {VERSION}, is {}",
                header.version
            );
        }
        Ok(lines)
    }

    /// The next line that is not empty.
    fn text(&mut self) -> Result<Option<String>> {
        loop {
            self.number += 1;
            let mut line = Vec::new();
            let mut limited = (&mut self.input).take(MAX_LINE + 1);
            let read = limited.read_until(b'\n', &mut line);
            let read = read.with_context(|| format!("line {}", self.number))?;
            if read as u64 > MAX_LINE {
                bail!("line {}: must have at most {MAX_LINE} bytes", self.number);
            }
            if read == 0 {
                return Ok(None);
            }
            let line = String::from_utf8(line).map_err(|error| {
                let error = io::Error::new(io::ErrorKind::InvalidData, error);
                anyhow::Error::new(error).context(format!("line {}", self.number))
            })?;
            if !line.trim().is_empty() {
                return Ok(Some(line));
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Result<Line>> {
        let text = match self.text() {
            Ok(Some(text)) => text,
            Ok(None) => return None,
            Err(error) => return Some(Err(error)),
        };
        let line = serde_json::from_str(&text);
        Some(line.with_context(|| format!("line {}", self.number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"format":"webhooks-export","version":1}"#;

    fn read(text: &str) -> Result<Vec<Line>> {
        Lines::of(Box::new(io::Cursor::new(text.as_bytes().to_vec())))?.collect()
    }

    #[test]
    fn a_file_has_a_line_for_each_customer_and_keeps_their_texts() {
        let customer = r#"{"customer":{"id":"a"},"subscriptions":[{"filter":{"n":[1.50]}}]}"#;
        let lines = read(&format!("{HEADER}\n\n{customer}\n{customer}")).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(serde_json::to_string(&lines[1]).unwrap(), customer);
    }

    #[test]
    fn the_line_that_is_wrong_is_named() {
        for (text, problem) in [
            ("", "line 1: must be"),
            ("[]", "line 1: must be"),
            (r#"{"format":"svix","version":1}"#, "is `svix`"),
            (
                r#"{"format":"webhooks-export","version":2}"#,
                "must be 1, is 2",
            ),
            (&format!("{HEADER}\n{{}}"), "line 2"),
            (
                &format!("{HEADER}\n\n{{\"customer\":{{}},\"x\":1}}"),
                "line 3",
            ),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn a_line_that_never_ends_is_not_read_to_its_end() {
        let endless = io::repeat(b'x');
        let error = Lines::of(Box::new(BufReader::new(endless))).err().unwrap();
        assert!(error.to_string().contains("at most 8388608 bytes"));
    }
}
