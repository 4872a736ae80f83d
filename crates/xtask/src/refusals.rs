//! The calls that the gate before an emulator refused, as AWS would have.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Error, Result};
use serde::Deserialize;

/// One refusal, which is a line of the gate's file.
#[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
struct Refusal {
    operation: String,
    member: String,
    reason: String,
    /// The rule in the gate's table.
    rule: String,
    /// The page of AWS's documentation that states it.
    source: String,
}

/// All refusals, with their numbers.
#[derive(Debug, Default)]
pub(crate) struct Refusals(BTreeMap<Refusal, usize>);

impl Refusals {
    /// Reads the gate's file. A missing file means that there was no gate and no refusal.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text =
            fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
        let mut refusals = BTreeMap::new();
        for line in text.lines() {
            let refusal = serde_json::from_str(line)
                .with_context(|| format!("reading `{}`", path.display()))?;
            *refusals.entry(refusal).or_default() += 1;
        }
        Ok(Self(refusals))
    }

    /// Returns the result of a run; it fails if any call was refused.
    pub(crate) fn judge(&self, result: Result<()>) -> Result<()> {
        match (self.text(), result) {
            (None, result) => result,
            (Some(text), Ok(())) => Err(Error::msg(text)),
            (Some(text), Err(error)) => Err(error.context(text)),
        }
    }

    /// Describes the refusals for people. `None` if there are none.
    pub(crate) fn text(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let count = self.0.values().sum::<usize>();
        let mut text = format!("AWS would have refused {count} requests:");
        for (refusal, count) in &self.0 {
            let Refusal {
                operation,
                member,
                reason,
                rule,
                source,
            } = refusal;
            let place = if member.is_empty() { "" } else { ": " };
            let _ = write!(
                text,
                "\n  {count} x {operation}{place}{member}: {reason}\n      {rule}, {source}"
            );
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_run_in_which_aws_would_have_refused_something_fails_by_name() {
        let path = std::env::temp_dir().join(format!("xtask-refusals-{}", std::process::id()));
        let line = r#"{"operation":"sqs SendMessage","member":"DelaySeconds","reason":"901 is not in 0 to 900","rule":"delay","source":"https://docs"}"#;
        fs::write(&path, format!("{line}\n{line}\n")).unwrap();
        let refusals = Refusals::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let expected = "AWS would have refused 2 requests:\n  \
            2 x sqs SendMessage: DelaySeconds: 901 is not in 0 to 900\n      delay, https://docs";
        for result in [Ok(()), Err(anyhow!("a test failed"))] {
            let error = refusals.judge(result).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_run_without_refusals_keeps_its_result() {
        let refusals = Refusals::read(Path::new("not there")).unwrap();
        assert!(refusals.judge(Ok(())).is_ok());
        let error = refusals.judge(Err(anyhow!("a test failed"))).unwrap_err();
        assert_eq!(error.to_string(), "a test failed");
    }
}
