//! The executions of the workflow: their ends, durations and numbers of states.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{Instant, sleep};

use crate::stack::{Aws, Deployment, EMULATOR_WAITS, Service};

/// Longer than any execution takes.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// One successful execution.
#[derive(Clone, Debug)]
pub(super) struct Execution {
    arn: String,
    /// The duration without the emulator's wait.
    pub(super) seconds: f64,
}

/// Waits until this many executions have succeeded that were started since a moment.
pub(super) async fn succeeded(
    deployment: &Deployment,
    since: SystemTime,
    count: usize,
) -> Result<Vec<Execution>> {
    let state_machine = deployment.stack.output("StateMachineArn")?;
    let query = json!({"stateMachineArn": state_machine, "statusFilter": "SUCCEEDED"});
    let since = since.duration_since(UNIX_EPOCH)?.as_secs_f64();
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        let list = &deployment.aws;
        let list = list
            .call(Service::StepFunctions, "ListExecutions", &query)
            .await?;
        let list = list["executions"].as_array().context("no executions")?;
        let mut found = Vec::new();
        for execution in list {
            let (started, stopped) = (seconds(&execution["startDate"])?, &execution["stopDate"]);
            // The emulator rounds the start time, so a millisecond is tolerated.
            if started + 0.001 >= since {
                let took = seconds(stopped)? - started - EMULATOR_WAITS.as_secs_f64();
                found.push(Execution {
                    arn: execution["executionArn"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                    seconds: took.max(0.0),
                });
            }
        }
        if found.len() >= count {
            return Ok(found);
        }
        ensure!(
            Instant::now() < deadline,
            "{} of {count} executions succeeded",
            found.len()
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// Returns the number of states that an execution entered, without those of its Map.
pub(super) async fn transitions(aws: &Aws, execution: &Execution) -> Result<usize> {
    let mut entered = 0;
    let mut query = json!({
        "executionArn": execution.arn,
        "maxResults": 1_000,
        "includeExecutionData": false,
    });
    loop {
        let page = aws
            .call(Service::StepFunctions, "GetExecutionHistory", &query)
            .await?;
        let events = page["events"].as_array().context("no history")?;
        let is_entry = |event: &&Value| {
            let kind = event["type"].as_str();
            kind.is_some_and(|kind| kind.ends_with("StateEntered"))
        };
        entered += events.iter().filter(is_entry).count();
        match &page["nextToken"] {
            Value::Null => return Ok(entered),
            token => query["nextToken"] = token.clone(),
        }
    }
}

/// Parses a time, which is a number or a text.
fn seconds(time: &Value) -> Result<f64> {
    if let Some(seconds) = time.as_f64() {
        return Ok(seconds);
    }
    let Some(text) = time.as_str() else {
        bail!("`{time}` is not a time");
    };
    let time = OffsetDateTime::parse(text, &Rfc3339).with_context(|| text.to_owned())?;
    Ok(Duration::try_from(time - OffsetDateTime::UNIX_EPOCH)?.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_or_text() {
        for time in [json!(1_800_000_000.25), json!("2027-01-15T08:00:00.250Z")] {
            assert!((seconds(&time).unwrap() - 1_800_000_000.25).abs() < 1e-6);
        }
        assert!(seconds(&Value::Null).is_err());
    }
}
