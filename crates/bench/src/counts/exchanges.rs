//! The case of the program that only makes the exchanges of a batch.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{
    batches::{STEPS_PER_SAMPLE, batches},
    case::{BATCH, Case, FIRST_STEPS, MORE_STEPS},
    run::Bench,
};
use crate::{
    delivery,
    function::{Function, expect_no_failures},
    receiver::{Behaviour, Receiver},
    stub_aws::Recorded,
};

/// The program.
const PROGRAM: &str = "bench-bare-exchanges";

/// The name of the case.
pub(crate) const NAME: &str = "bare exchanges";

impl Bench<'_> {
    /// Lets `deliver-webhook` process batches over kept connections, records the exchanges of the
    /// last ones, and returns the case of the program that makes them again and again.
    pub(super) async fn bare_exchanges(&self) -> Result<Case> {
        let (setup, authority) = (&self.setup, &self.setup.authority);
        let receiver = Receiver::start(authority, Behaviour::Prompt, &self.lockstep).await?;
        let (bodies, secret) = delivery::prepare(setup, NAME, &receiver).await?;
        let ours = self.delivering(&self.options.measured);
        let mut function = Function::start(&ours, "deliver-webhook").await?;
        let mut recorded = Vec::new();
        let batches = batches(&bodies)?;
        for batch in &batches[..FIRST_STEPS + STEPS_PER_SAMPLE] {
            setup.aws.record();
            expect_no_failures(&function.invoke(batch.clone()).await?)?;
            recorded.push(exchanges(setup.aws.recorded())?);
        }
        drop(function);
        let sample = receiver.sample()?;
        let exchanges = json!({
            "batches": recorded[FIRST_STEPS..],
            "url": receiver.url(),
            "address": receiver.address(),
            "secret": secret,
            "headers": sample.fixed_headers()?,
            "body": String::from_utf8(sample.body.to_vec())?,
        });
        let file = self.options.work.join("exchanges.json");
        fs::write(&file, exchanges.to_string())?;
        let surroundings = self.delivering(&self.options.peers);
        let surroundings = surroundings.with("EXCHANGES_FILE", file.display());
        Ok(Case {
            steps: batches.into_iter().map(|batch| vec![batch]).collect(),
            each: BATCH,
            short: Some(FIRST_STEPS),
            long: FIRST_STEPS + MORE_STEPS,
            receiver: Some(receiver),
            ..Case::new(&format!("delivery/{NAME}"), PROGRAM, surroundings)
        })
    }
}

/// Returns the calls of one batch: before its webhooks, after each of them, and at the end, where
/// the batch writes statistics.
fn exchanges(recorded: Vec<Recorded>) -> Result<Value> {
    let (mut after, before): (Vec<_>, Vec<_>) = recorded
        .into_iter()
        .partition(|recorded| recorded.operation == "UpdateItem");
    let updates = after.len();
    ensure!(
        (BATCH..=BATCH + 1).contains(&updates),
        "{updates} updates for {BATCH} deliveries"
    );
    let last = after.split_off(BATCH);
    let calls = |recorded: Vec<Recorded>| {
        let calls = recorded.into_iter().map(|recorded| recorded.call);
        calls.collect::<Vec<_>>()
    };
    Ok(json!({ "before": calls(before), "after": calls(after), "last": calls(last) }))
}
