//! The case of the program that only makes the exchanges of a batch.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    case::{BATCH, Case, FIRST_STEPS},
    run::Bench,
};
use crate::{
    delivery,
    function::{Function, expect_no_failures},
    receiver::{Behaviour, Receiver},
    workload,
};

/// The program.
const PROGRAM: &str = "bench-bare-exchanges";

/// The name of the case.
pub(crate) const NAME: &str = "bare exchanges";

impl Bench<'_> {
    /// Lets `deliver-webhook` process batches over kept connections, records the exchanges of the
    /// last one, and returns the case of the program that makes them again and again.
    pub(super) async fn bare_exchanges(&self) -> Result<Case> {
        let (setup, authority) = (&self.setup, &self.setup.authority);
        let receiver = Receiver::start(authority, Behaviour::Prompt, &self.lockstep).await?;
        let (bodies, secret) = delivery::prepare(setup, NAME, &receiver).await?;
        let batch = workload::batch(bodies.iter().take(BATCH).map(String::as_str));
        let ours = self.delivering(&self.options.measured);
        let mut function = Function::start(&ours, "deliver-webhook").await?;
        for _ in 0..FIRST_STEPS {
            setup.aws.record();
            expect_no_failures(&function.invoke(batch.clone()).await?)?;
        }
        let recorded = setup.aws.recorded();
        drop(function);

        let (after, before): (Vec<_>, Vec<_>) = recorded
            .into_iter()
            .partition(|recorded| recorded.operation == "UpdateItem");
        ensure!(
            after.len() == BATCH,
            "{} updates for {BATCH} deliveries",
            after.len()
        );
        let sample = receiver.sample()?;
        let calls = |recorded: Vec<crate::stub_aws::Recorded>| {
            let calls = recorded.into_iter().map(|recorded| recorded.call);
            calls.collect::<Vec<_>>()
        };
        let exchanges = json!({
            "before": calls(before),
            "after": calls(after),
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
            steps: vec![vec![batch]],
            each: BATCH,
            short: Some(FIRST_STEPS),
            long: FIRST_STEPS + 20,
            receiver: Some(receiver),
            ..Case::new(&format!("delivery/{NAME}"), PROGRAM, surroundings)
        })
    }
}
