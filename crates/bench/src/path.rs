//! The part `path`: the time from `PutEvents` to the request, through the whole deployed
//! template on the emulator.

mod plan;
mod shown;

use std::time::Duration;

use anyhow::{Result, ensure};

use self::{
    plan::{FAN_OUTS, OTHERS, OWN, Plan},
    shown::Shown,
};
use crate::{
    fill::{Filler, Owner},
    load::Crowd,
    report::{Part, Table},
    stack::{Deployed, Deployment, EMULATOR_WAITS},
};

/// The time limit for filling the table. Items that are not written by then are left out.
const FILL: Duration = Duration::from_secs(75);

/// The number of customers. They take turns, so that no endpoint receives many events.
const CUSTOMERS: usize = 10;

/// Runs the part.
pub(crate) async fn run(deployed: &Deployed, quick: bool) -> Result<Part> {
    let mut part = Part::new("path", "The whole path", quick)?;
    explain(&mut part);
    let deployment = Deployment::load(deployed).await?;
    let rounds = if quick { 1 } else { plan::ROUNDS };
    fan_out(&mut part, &deployment, rounds).await?;
    own_subscriptions(&mut part, &deployment, rounds).await?;
    other_subscriptions(&mut part, &deployment, rounds, quick).await?;
    Ok(part)
}

fn explain(part: &mut Part) {
    part.how(format!(
        "The template with its defaults, except the settings for a laptop in `samconfig.toml` \
         (receivers on loopback over plain HTTP, no archive, a concurrency of 5 for the \
         delivery function), deployed to the emulator with the released functions. Everything \
         runs on this machine: the emulator (Python), the functions, the receivers, and the \
         producer of the events. So the figures show how the time grows, not how fast AWS is: \
         the emulator alone waits {} ms before each execution of the workflow.",
        EMULATOR_WAITS.as_millis()
    ));
    part.how(
        "The estimate is that of [`webhooks estimate`](estimate.md) for the same rate, fan-out \
         and endpoints, and the emulator's wait. It knows the workflow's time from the part \
         `bill`, in steps of 100 ms, as it is billed. At these rates it expects no wait for a \
         poller, so the table checks the workflow's time only.",
    );
    part.how(
        "Latency is the time from just before `PutEvents` to the request's last byte at the \
         receiver. After a warm-up, events come at an even rate: one event in 200 ms for the \
         first line, fewer with a larger fan-out. Events a second are measured with a burst, \
         from the put to the last request. Events have 1 KB of detail. Rounds are interleaved, \
         except that in the last table they follow the growing number of subscriptions.",
    );
}

/// Warms up, and then runs the rounds of all crowds alternately.
async fn rounds(deployment: &Deployment, all: &mut [Shown], rounds: usize) -> Result<()> {
    for round in 0..=rounds {
        eprintln!("path: round {round} of {rounds}");
        for shown in &mut *all {
            shown.round(deployment).await?;
            if round == 0 {
                shown.forget();
            }
        }
    }
    Ok(())
}

async fn fan_out(part: &mut Part, deployment: &Deployment, count: usize) -> Result<()> {
    let mut all = Vec::new();
    for (fan_out, plan) in FAN_OUTS {
        let customers = if fan_out < CUSTOMERS { CUSTOMERS } else { 1 };
        let name = format!("fan-out-{fan_out}");
        let crowd = Crowd::subscribe(&deployment.api, &name, customers, fan_out).await?;
        all.push(Shown::new(fan_out, crowd, plan));
    }
    rounds(deployment, &mut all, count).await?;
    let mut table = shown::table("Subscriptions of an event", "subscriptions");
    let mut estimated = Table::new(
        "Median latency beside `webhooks estimate`",
        &[
            "subscriptions",
            "measured ÷ estimated",
            "measured",
            "estimated",
        ],
    );
    for shown in &all {
        table.row(shown.row(&all[0]));
        estimated.row(shown.beside_estimate(EMULATOR_WAITS)?);
    }
    part.tables.extend([table, estimated]);
    Ok(())
}

async fn own_subscriptions(part: &mut Part, deployment: &Deployment, count: usize) -> Result<()> {
    let mut filler = Filler::start(deployment).await?;
    let mut all = Vec::new();
    for size in OWN {
        let name = format!("own-{size}");
        let crowd = Crowd::subscribe(&deployment.api, &name, 1, 1).await?;
        let customer = format!("{name}-0");
        let written = filler.write(size - 1, Owner::One(&customer), FILL).await?;
        ensure!(
            written == size - 1,
            "{written} of {size} subscriptions in {FILL:?}"
        );
        all.push(Shown::new(size, crowd, Plan::STEADY));
    }
    rounds(deployment, &mut all, count).await?;
    let title = "Subscriptions of the event's customer, of which one matches";
    let mut table = shown::table(title, "subscriptions");
    for shown in &all {
        table.row(shown.row(&all[0]));
    }
    part.tables.push(table);
    Ok(())
}

async fn other_subscriptions(
    part: &mut Part,
    deployment: &Deployment,
    count: usize,
    quick: bool,
) -> Result<()> {
    let mut filler = Filler::start(deployment).await?;
    let mut all: Vec<Shown> = Vec::new();
    let mut there = 0;
    let sizes = if quick { &OTHERS[..2] } else { &OTHERS[..] };
    for size in sizes {
        there += filler.write(size - there, Owner::Others, FILL).await?;
        if there < *size {
            part.how(format!(
                "Of {size} subscriptions of others there were {there} after {FILL:?}: not measured."
            ));
            break;
        }
        let name = format!("others-{size}");
        let crowd = Crowd::subscribe(&deployment.api, &name, CUSTOMERS, 1).await?;
        let mut shown = [Shown::new(there, crowd, FAN_OUTS[0].1)];
        rounds(deployment, &mut shown, count).await?;
        all.extend(shown);
    }
    let title = "Subscriptions of other customers in the table";
    let mut table = shown::table(title, "at least");
    for shown in &all {
        table.row(shown.row(&all[0]));
    }
    part.tables.push(table);
    Ok(())
}
