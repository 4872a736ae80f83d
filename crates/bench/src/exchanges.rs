//! The program `bench-bare-exchanges`: it repeats the exchanges of a function, with AWS and with an
//! endpoint, and does nothing else.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    function::{Function, Surroundings, expect_no_failures},
    receiver::Receiver,
    stub_aws::{Recorded, StubAws},
};

/// The name of the program.
pub(crate) const PROGRAM: &str = "bench-bare-exchanges";

/// The endpoint of a function that sends webhooks.
pub(crate) struct Webhooks<'a> {
    pub(crate) receiver: &'a Receiver,
    /// The secret that signs the requests.
    pub(crate) secret: &'a str,
    /// The number of webhooks of an invocation.
    pub(crate) each: usize,
}

/// Invokes a function, and returns the environment of the program that repeats its exchanges. The
/// file is written for the program.
pub(crate) async fn record(
    aws: &StubAws,
    function: &mut Function,
    events: impl IntoIterator<Item = &String>,
    webhooks: Option<&Webhooks<'_>>,
    file: &Path,
    program: &Surroundings,
) -> Result<Surroundings> {
    let mut invocations = Vec::new();
    for event in events {
        aws.record();
        let answer = function.invoke(event.clone()).await?;
        if webhooks.is_some() {
            expect_no_failures(&answer)?;
        }
        let mut invocation = calls(aws.recorded(), webhooks.map_or(0, |to| to.each))?;
        invocation["answer"] = serde_json::from_slice(&answer.body)?;
        invocations.push(invocation);
    }
    let mut exchanges = json!({ "invocations": invocations });
    if let Some(Webhooks {
        receiver, secret, ..
    }) = webhooks
    {
        let sample = receiver.sample()?;
        exchanges["webhook"] = json!({
            "url": receiver.url(),
            "address": receiver.address(),
            "secret": secret,
            "headers": sample.fixed_headers()?,
            "body": String::from_utf8(sample.body.to_vec())?,
        });
    }
    fs::write(file, exchanges.to_string())?;
    Ok(program.with("EXCHANGES_FILE", file.display()))
}

/// Returns the calls of an invocation: before its webhooks, after each of them, and at the end,
/// where statistics are written.
fn calls(recorded: Vec<Recorded>, webhooks: usize) -> Result<Value> {
    let (mut after, mut before) = (Vec::new(), recorded);
    if webhooks > 0 {
        (after, before) = before
            .into_iter()
            .partition(|recorded| recorded.operation == "UpdateItem");
        let updates = after.len();
        ensure!(
            updates >= webhooks,
            "{updates} updates for {webhooks} deliveries"
        );
    }
    let last = after.split_off(webhooks);
    let calls = |recorded: Vec<Recorded>| {
        let calls = recorded.into_iter().map(|recorded| recorded.call);
        calls.collect::<Vec<_>>()
    };
    Ok(json!({ "before": calls(before), "after": calls(after), "last": calls(last) }))
}
