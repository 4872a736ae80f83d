//! Access to what only the emulator exposes to a test: messages in flight, and processes.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::Stack;

use crate::fixture::{ARRIVAL, POLL_INTERVAL};

/// A message in a queue, as the emulator stores it.
#[derive(Debug)]
pub(crate) struct QueueMessage {
    pub(crate) body: String,
    pub(crate) group_id: Option<String>,
}

/// The bodies of all messages of a queue: waiting, delayed and in flight.
pub(crate) async fn queue_bodies(stack: &Stack, queue_url: &str) -> Result<Vec<String>> {
    let messages = queue_messages(stack, queue_url).await?;
    Ok(messages.into_iter().map(|message| message.body).collect())
}

/// All messages of a queue: waiting, delayed and in flight.
pub(crate) async fn queue_messages(stack: &Stack, queue_url: &str) -> Result<Vec<QueueMessage>> {
    let mut url = stack
        .endpoint()
        .context("a queue's messages can be seen on the emulator only")?
        .join("/_ministack/sqs/messages")?;
    url.query_pairs_mut().append_pair("QueueUrl", queue_url);
    let request = Request::get(url.as_str()).body(Bytes::new())?;
    let response = stack.signed_http().send("sqs", request).await?;
    ensure!(response.status().is_success(), "{response:?}");
    let answer: Value = serde_json::from_slice(response.body())?;
    let mut messages = Vec::new();
    collect_messages(&answer, &mut messages);
    Ok(messages)
}

fn collect_messages(value: &Value, messages: &mut Vec<QueueMessage>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(body)) = members.get("Body") {
                let group_id = members.get("MessageGroupId").and_then(Value::as_str);
                messages.push(QueueMessage {
                    body: body.clone(),
                    group_id: group_id.map(str::to_owned),
                });
            }
            members.values().for_each(|v| collect_messages(v, messages));
        }
        Value::Array(elements) => elements.iter().for_each(|v| collect_messages(v, messages)),
        _ => {}
    }
}

/// Waits for a queue message that contains a text. Returns its body; the message stays in the
/// queue.
pub(crate) async fn queue_message_with(
    stack: &Stack,
    queue_url: &str,
    text: &str,
) -> Result<String> {
    let deadline = Instant::now() + ARRIVAL;
    loop {
        let bodies = queue_bodies(stack, queue_url).await?;
        if let Some(body) = bodies.into_iter().find(|body| body.contains(text)) {
            return Ok(body);
        }
        if Instant::now() > deadline {
            bail!("no message with `{text}` in {queue_url} after {ARRIVAL:?}");
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// While this exists, the delivery function reads nothing from a queue, until [`resume_delivery`].
#[must_use]
pub(crate) struct Paused {
    mapping: String,
}

/// Pauses the event source mapping of a queue. `queue` is the output of the stack that holds its
/// URL.
pub(crate) async fn pause_delivery(stack: &Stack, queue: &str) -> Result<Paused> {
    let answer = event_source_mappings(stack, Method::GET, "", Bytes::new()).await?;
    let mappings = answer["EventSourceMappings"].as_array();
    let queue_name = stack.output(queue)?.rsplit('/').next();
    let of_the_queue = |mapping: &&Value| {
        let arn = mapping["EventSourceArn"].as_str().unwrap_or_default();
        arn.rsplit(':').next() == queue_name
    };
    let mapping = mappings.into_iter().flatten().find(of_the_queue);
    let mapping = mapping.and_then(|mapping| mapping["UUID"].as_str());
    let mapping =
        mapping.with_context(|| format!("the queue has no event source mapping: {answer}"))?;
    let paused = Paused {
        mapping: mapping.to_owned(),
    };
    set_mapping(stack, &paused, false).await?;
    Ok(paused)
}

/// Resumes the deliveries of a paused queue.
pub(crate) async fn resume_delivery(stack: &Stack, paused: Paused) -> Result<()> {
    set_mapping(stack, &paused, true).await
}

async fn set_mapping(stack: &Stack, paused: &Paused, enabled: bool) -> Result<()> {
    let body = Bytes::from(json!({"Enabled": enabled}).to_string());
    let answer = event_source_mappings(stack, Method::PUT, &paused.mapping, body).await?;
    ensure!(answer["UUID"] == *paused.mapping, "{answer}");
    Ok(())
}

async fn event_source_mappings(
    stack: &Stack,
    method: Method,
    id: &str,
    body: Bytes,
) -> Result<Value> {
    let host = format!("lambda.{}.amazonaws.com", stack.region());
    let request = Request::builder()
        .method(method)
        .uri(format!(
            "https://{host}/2015-03-31/event-source-mappings/{id}"
        ))
        .body(body)?;
    let response = stack.signed_http().send("lambda", request).await?;
    ensure!(response.status().is_success(), "{response:?}");
    Ok(serde_json::from_slice(response.body())?)
}

/// Waits until no queue message names a delivery any more, so all of them have been acknowledged.
pub(crate) async fn tasks_are_acknowledged(stack: &Stack, delivery_id: &str) -> Result<()> {
    let fast = stack.output("DeliveryQueueUrl")?;
    let slow = stack.output("SlowDeliveryQueueUrl")?;
    let deadline = Instant::now() + ARRIVAL;
    loop {
        // A task may move from the fast queue to the slow queue, so the slow queue is read last.
        let mut bodies = queue_bodies(stack, fast).await?;
        bodies.extend(queue_bodies(stack, slow).await?);
        bodies.retain(|body| body.contains(delivery_id));
        if bodies.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("still in a delivery queue after {ARRIVAL:?}: {bodies:?}");
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// Kills the process that opened a loopback connection from a local port, as the kernel does when
/// memory runs out. Returns the name of its command.
pub(crate) fn kill_owner_of_port(port: u16) -> Result<String> {
    let inode = socket_inode(port)?;
    let pid = process_with_socket(&inode)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm"))?;
    let status = Command::new("kill").args(["-KILL", &pid]).status()?;
    ensure!(status.success(), "kill -KILL {pid}: {status}");
    Ok(name.trim().to_owned())
}

/// The inode of the socket with this local port, from `/proc/net/tcp`.
fn socket_inode(port: u16) -> Result<String> {
    let local_port = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp")?;
    table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|fields| fields[1].ends_with(&local_port) && fields[9] != "0")
        .map(|fields| fields[9].to_owned())
        .with_context(|| format!("no socket has the local port {port}"))
}

/// The id of the process that holds a socket open, from `/proc/*/fd`.
fn process_with_socket(inode: &str) -> Result<String> {
    let link = format!("socket:[{inode}]");
    let holds = |process: &Path| {
        // The files of a process that has ended, or belongs to another user, cannot be read.
        fs::read_dir(process.join("fd")).is_ok_and(|files| {
            files
                .flatten()
                .any(|file| fs::read_link(file.path()).is_ok_and(|to| to == Path::new(&link)))
        })
    };
    fs::read_dir("/proc")?
        .flatten()
        .find(|entry| holds(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .with_context(|| format!("no process holds {link}"))
}

pub(crate) async fn resource(stack: &Stack, logical_id: &str) -> Result<String> {
    let name = stack.name().context("the stack file has a name")?;
    let client = aws_sdk_cloudformation::Client::new(stack.sdk_config());
    let mut pages = client
        .list_stack_resources()
        .stack_name(name)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        for one in page?.stack_resource_summaries() {
            if one.logical_resource_id() == Some(logical_id) {
                return Ok(one.physical_resource_id().unwrap_or_default().to_owned());
            }
        }
    }
    anyhow::bail!("the stack has no {logical_id}")
}

/// Invokes a function with an empty event, and waits for its end.
pub(crate) async fn invoke(stack: &Stack, logical_id: &str) -> Result<()> {
    let function = resource(stack, logical_id).await?;
    let host = format!("lambda.{}.amazonaws.com", stack.region());
    let request = Request::post(format!(
        "https://{host}/2015-03-31/functions/{function}/invocations"
    ))
    .body(Bytes::from_static(b"{}"))?;
    let response = stack.signed_http().send("lambda", request).await?;
    let failed = response.headers().contains_key("x-amz-function-error");
    ensure!(
        response.status().is_success() && !failed,
        "{logical_id}: {:?}",
        response.body()
    );
    Ok(())
}
