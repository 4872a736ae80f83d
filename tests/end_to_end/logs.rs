//! The functions' log lines, read from CloudWatch Logs.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tokio::time::sleep;
use webhooks_client::Stack;

use crate::fixture::POLL_INTERVAL;

/// Every line of every log group since a time, in milliseconds since 1970.
pub(crate) async fn log_lines(stack: &Stack, since_millis: u64) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let groups = call_logs(stack, "DescribeLogGroups", &json!({})).await?;
    ensure!(groups["nextToken"].is_null(), "more groups than one page");
    for group in items(&groups, "logGroups")? {
        lines.extend(lines_of(stack, &group["logGroupName"], since_millis).await?);
    }
    Ok(lines)
}

/// The lines of a log group since a time. The emulator returns no token after a full page, so the
/// next page begins with the last timestamp of this one.
async fn lines_of(stack: &Stack, group: &Value, since_millis: u64) -> Result<Vec<String>> {
    const FULL_PAGE: usize = 10_000;
    let (mut lines, mut since) = (Vec::new(), since_millis);
    loop {
        let query = json!({"logGroupName": group, "startTime": since});
        let page = call_logs(stack, "FilterLogEvents", &query).await?;
        let events = items(&page, "events")?;
        let at = |event: &Value| event["timestamp"].as_u64().unwrap_or_default();
        let next = match events.last() {
            Some(last) if events.len() >= FULL_PAGE => at(last).max(since + 1),
            _ => u64::MAX,
        };
        let whole = events.iter().filter(|event| at(event) < next);
        let texts = whole.filter_map(|event| event["message"].as_str());
        lines.extend(texts.map(str::to_owned));
        if next == u64::MAX {
            return Ok(lines);
        }
        since = next;
    }
}

fn items<'a>(answer: &'a Value, member: &str) -> Result<&'a Vec<Value>> {
    answer[member]
        .as_array()
        .with_context(|| format!("no {member}"))
}

/// Calls a read operation of CloudWatch Logs. The emulator sometimes fails during a concurrent
/// write, so the call is retried.
async fn call_logs(stack: &Stack, operation: &str, query: &Value) -> Result<Value> {
    const TRIES: u32 = 20;
    let url = format!("https://logs.{}.amazonaws.com/", stack.region());
    let mut tries = 0;
    loop {
        let request = Request::post(&url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Logs_20140328.{operation}"))
            .body(Bytes::from(query.to_string()))?;
        let response = stack.signed_http().send("logs", request).await?;
        tries += 1;
        if response.status().is_server_error() && tries < TRIES {
            sleep(POLL_INTERVAL).await;
            continue;
        }
        ensure!(response.status().is_success(), "{operation}: {response:?}");
        return Ok(serde_json::from_slice(response.body())?);
    }
}
