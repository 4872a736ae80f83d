//! The rounds of a scenario: ours, the bare client, the bare exchanges and Node.js in turn.

use anyhow::{Context, Result, ensure};

use super::{
    BATCH, SHORT_TIMEOUT_SECONDS, Scenario,
    contender::{Bare, Contender, Deliverer, mebibytes},
    prepare,
};
use crate::{
    exchanges::{self, Webhooks},
    function::Function,
    lockstep::Lockstep,
    receiver::{Behaviour, Receiver, Sample},
    setup::{Programs, Setup},
};

/// The programs of a scenario.
pub(super) struct Compared {
    pub(super) ours: Contender,
    pub(super) bare: Contender,
    /// Only over kept connections to an endpoint that answers at once.
    pub(super) exchanges: Option<Contender>,
    pub(super) node: Contender,
}

/// Runs a scenario.
pub(super) async fn compare(
    programs: &Programs,
    setup: &Setup,
    scenario: &Scenario,
    quick: bool,
) -> Result<Compared> {
    let rounds = if quick { 3 } else { scenario.rounds };
    let receiver =
        Receiver::start(&setup.authority, scenario.behaviour, &Lockstep::default()).await?;
    let (bodies, secret) = prepare(setup, scenario.name, &receiver).await?;

    let (mut ours, mut node) = (setup.measured(&programs.measured), setup.node());
    if matches!(scenario.behaviour, Behaviour::Hangs { .. }) {
        for surroundings in [&mut ours, &mut node] {
            *surroundings = surroundings.with("REQUEST_TIMEOUT_SECONDS", SHORT_TIMEOUT_SECONDS);
        }
    }
    let ours = Function::start(&ours, "deliver-webhook").await?;
    let mut ours = Deliverer::new(ours, &bodies);
    ours.run(scenario.warm_up, &receiver).await?;
    let sample = receiver.sample()?;
    verify(&sample, &secret)?;
    let bare = Bare::start(programs, setup, &receiver, &sample, &secret)?;
    let mut bare = bare;
    bare.run(scenario.warm_up * BATCH).await?;
    let script = programs.scripts.join("deliver.mjs");
    let script = script.to_string_lossy();
    let node = Function::start_program(&programs.node, &[&script], &node.variables).await?;
    let mut node = Deliverer::new(node, &bodies);
    node.run(scenario.warm_up.min(50), &receiver).await?;

    let mut exchanges = match scenario.behaviour {
        Behaviour::Prompt => {
            Some(bare_exchanges(programs, setup, &mut ours, &receiver, &secret).await?)
        }
        _ => None,
    };
    if let Some(exchanges) = &mut exchanges {
        exchanges.run(scenario.warm_up, &receiver).await?;
    }

    let mut all = Compared {
        ours: ours.contender(),
        bare: Contender::empty(),
        exchanges: exchanges.as_ref().map(Deliverer::contender),
        node: node.contender(),
    };
    let _ = setup.aws.take_counts();
    for _ in 0..rounds {
        let before = receiver.handshakes();
        let round = ours.run(scenario.batches, &receiver).await?;
        all.ours.rounds.push(round);
        let after = receiver.handshakes();
        check_handshakes(scenario, before, after)?;
        all.ours.add(setup.aws.take_counts(), scenario.batches);
        let round = bare.run(scenario.batches * BATCH).await?;
        all.bare.rounds.push(round);
        if let (Some(program), Some(contender)) = (&mut exchanges, &mut all.exchanges) {
            let round = program.run(scenario.batches, &receiver).await?;
            contender.rounds.push(round);
            let _ = setup.aws.take_counts();
        }
        let round = node.run(scenario.node_batches, &receiver).await?;
        all.node.rounds.push(round);
        all.node.add(setup.aws.take_counts(), scenario.node_batches);
    }
    for (contender, deliverer) in [(&mut all.ours, &ours), (&mut all.node, &node)] {
        let process = &deliverer.function.process;
        contender.peak_mebibytes = mebibytes(process.peak_resident_bytes()?);
        contender.printed_bytes = process.printed_bytes() - contender.printed_bytes;
        contender.check(scenario)?;
    }
    all.bare.peak_mebibytes = mebibytes(bare.process.peak_resident_bytes()?);
    Ok(all)
}

/// Records the exchanges of all of our batches, and starts the program that repeats them.
async fn bare_exchanges(
    programs: &Programs,
    setup: &Setup,
    ours: &mut Deliverer,
    receiver: &Receiver,
    secret: &str,
) -> Result<Deliverer> {
    let webhooks = Webhooks {
        receiver,
        secret,
        each: BATCH,
    };
    let file = programs.work.join("delivery-exchanges.json");
    let surroundings = exchanges::record(
        &setup.aws,
        &mut ours.function,
        &ours.batches,
        Some(&webhooks),
        &file,
        &setup.measured(&programs.peers),
    )
    .await?;
    Ok(Deliverer {
        function: Function::start(&surroundings, exchanges::PROGRAM).await?,
        batches: ours.batches.clone(),
        next: 0,
    })
}

/// Checks with the official library that the request is valid; otherwise the comparison is
/// meaningless.
fn verify(sample: &Sample, secret: &str) -> Result<()> {
    standardwebhooks::Webhook::new(secret)?
        .verify(&sample.body, &sample.headers)
        .context("the signature of the first request")
}

fn check_handshakes(scenario: &Scenario, before: (u64, u64), after: (u64, u64)) -> Result<()> {
    let requests = (scenario.batches * BATCH) as u64;
    let (full, resumed) = (after.0 - before.0, after.1 - before.1);
    let as_expected = match scenario.behaviour {
        Behaviour::Prompt => full + resumed <= requests / 20,
        Behaviour::NewConnection => (full, resumed) == (requests, 0),
        Behaviour::ResumedConnection => full + resumed == requests && resumed > full,
        Behaviour::Slow(_) | Behaviour::Fails | Behaviour::Hangs { .. } => true,
    };
    ensure!(
        as_expected,
        "{}: {requests} requests, {full} full handshakes, {resumed} resumed",
        scenario.name
    );
    Ok(())
}
