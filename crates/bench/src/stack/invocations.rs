//! Reads the functions' invocations and output from their logs.

use std::{
    ops::AddAssign,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Aws, Deployment, Function, Role, Service};

/// The most lines that the emulator returns at once. It has no second page.
const MAX_LINES: usize = 10_000;

/// Lambda's own lines. The template's `SystemLogLevel` suppresses them on AWS, but the emulator
/// writes them.
const OF_LAMBDA: [&str; 3] = ["START RequestId: ", "END RequestId: ", "REPORT RequestId: "];

/// The totals of several invocations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Invocations {
    pub(crate) count: u64,
    /// The billed time. Each invocation is rounded up to a whole millisecond.
    pub(crate) billed_millis: u64,
    /// The billed time multiplied by the memory.
    pub(crate) gibibyte_seconds: f64,
    /// The bytes that the functions themselves wrote.
    pub(crate) log_bytes: u64,
}

impl AddAssign for Invocations {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.billed_millis += other.billed_millis;
        self.gibibyte_seconds += other.gibibyte_seconds;
        self.log_bytes += other.log_bytes;
    }
}

impl Deployment {
    /// Returns the invocations since a moment of the functions with a role, if they have ended.
    pub(crate) async fn invocations(&self, role: Role, since: SystemTime) -> Result<Invocations> {
        let mut all = Invocations::default();
        for function in self.with_role(role) {
            let lines = lines(&self.aws, function, since).await?;
            let lines = lines.iter().map(String::as_str);
            all += Invocations::read(lines, function.memory_mebibytes)?;
        }
        Ok(all)
    }
}

async fn lines(aws: &Aws, function: &Function, since: SystemTime) -> Result<Vec<String>> {
    let since = since.duration_since(UNIX_EPOCH)?.as_millis();
    let query = json!({
        "logGroupName": function.log_group,
        "startTime": u64::try_from(since)?,
        "limit": MAX_LINES,
    });
    let found = aws.call(Service::Logs, "FilterLogEvents", &query).await?;
    let events = found["events"].as_array().context("no log events")?;
    ensure!(events.len() < MAX_LINES, "more lines than can be read");
    let message = |event: &serde_json::Value| event["message"].as_str().map(str::to_owned);
    Ok(events.iter().filter_map(message).collect())
}

impl Invocations {
    fn read<'a>(lines: impl Iterator<Item = &'a str>, memory_mebibytes: u32) -> Result<Self> {
        let mut all = Self::default();
        for line in lines {
            if line.starts_with("REPORT RequestId: ") {
                all.count += 1;
                all.billed_millis += billed_millis(line).with_context(|| line.to_owned())?;
            }
            if !OF_LAMBDA.iter().any(|start| line.starts_with(start)) {
                all.log_bytes += line.len() as u64 + 1;
            }
        }
        all.gibibyte_seconds = seconds(all.billed_millis) * f64::from(memory_mebibytes) / 1_024.0;
        Ok(all)
    }
}

/// Reads the billed time. The emulator rounds down where Lambda rounds up.
fn billed_millis(report: &str) -> Option<u64> {
    let (_, rest) = report.split_once("\tBilled Duration: ")?;
    let (millis, _) = rest.split_once(" ms")?;
    Some(millis.parse::<u64>().ok()? + 1)
}

#[expect(clippy::cast_precision_loss, reason = "far less than 2^53")]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn billed_time_is_in_the_reports_and_lambdas_own_lines_are_no_log() {
        let lines = [
            "START RequestId: 1 Version: $LATEST",
            "{\"Delivered\":1}",
            "END RequestId: 1",
            "REPORT RequestId: 1\tDuration: 499 ms\tBilled Duration: 499 ms\tMemory Size: 256 MB",
            "REPORT RequestId: 2\tDuration: 1499 ms\tBilled Duration: 1499 ms\tMemory Size: 256 MB",
        ];
        let read = Invocations::read(lines.into_iter(), 256).unwrap();
        let expected = Invocations {
            count: 2,
            billed_millis: 2_000,
            gibibyte_seconds: 0.5,
            log_bytes: 16,
        };
        assert_eq!(read, expected);
        assert!(Invocations::read(["REPORT RequestId: 1"].into_iter(), 256).is_err());
    }
}
