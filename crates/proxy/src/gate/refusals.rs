//! The record of refused calls.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde_json::json;

use super::{Row, violation::Violation};

/// The record could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("making `{}`", path.display())]
pub struct GateError {
    path: PathBuf,
    source: std::io::Error,
}

/// A file with a line of JSON for each refusal.
pub(super) struct Refusals(Mutex<File>);

impl Refusals {
    /// Opens the file. Another process may write to it, too.
    pub(super) fn to(path: &Path) -> Result<Self, GateError> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(|source| GateError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self(Mutex::new(file)))
    }

    pub(super) fn record(&self, operation: &str, row: Row, violation: &Violation) {
        let mut line = json!({
            "operation": operation,
            "member": violation.member,
            "reason": violation.reason,
            "rule": row.name,
            "source": row.source,
        })
        .to_string();
        line.push('\n');
        // One write for each line, so that lines of several processes do not mix.
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())
            .expect("a refusal that nobody hears of would let a test pass that must fail");
    }
}
