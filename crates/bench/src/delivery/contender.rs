//! The programs that are compared, and the figures of their rounds.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::time::sleep;

use super::{BATCH, Scenario, batches};
use crate::{
    function::{Function, expect_no_failures},
    process::Process,
    receiver::{Behaviour, Receiver, Sample},
    setup::{Programs, Setup},
    stats::{Measured, micros, millis},
    stub_aws::Counts,
};

/// One round of one program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) cpu_micros: f64,
    /// The median of its batches.
    pub(super) batch_millis: f64,
}

/// All rounds of one program, with its other figures.
pub(super) struct Contender {
    pub(super) rounds: Vec<Round>,
    pub(super) peak_mebibytes: f64,
    pub(super) counts: Counts,
    pub(super) printed_bytes: u64,
    pub(super) deliveries: u64,
}

impl Contender {
    pub(super) fn of(&self, what: impl Fn(&Round) -> f64) -> Vec<f64> {
        self.rounds.iter().map(what).collect()
    }

    pub(super) fn cpu(&self) -> Vec<f64> {
        self.of(|round| round.cpu_micros)
    }

    pub(super) fn batches(&self) -> Vec<f64> {
        self.of(|round| round.batch_millis)
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    pub(super) fn per_delivery(&self, count: u64) -> f64 {
        count as f64 / self.deliveries as f64
    }

    pub(super) fn empty() -> Self {
        Self {
            rounds: Vec::new(),
            peak_mebibytes: 0.0,
            counts: Counts::default(),
            printed_bytes: 0,
            deliveries: 0,
        }
    }

    pub(super) fn add(&mut self, counts: Counts, batches: usize) {
        for (operation, calls) in counts.calls {
            *self.counts.calls.entry(operation).or_default() += calls;
        }
        for (status, number) in counts.recorded {
            *self.counts.recorded.entry(status).or_default() += number;
        }
        self.deliveries += (batches * BATCH) as u64;
    }

    /// Checks that each delivery was recorded once, with the result of the receiver's
    /// behaviour.
    pub(super) fn check(&self, scenario: &Scenario) -> Result<()> {
        let recorded = &self.counts.recorded;
        let count = |status: &str| recorded.get(status).copied().unwrap_or_default();
        let (succeeded, pending) = (count("succeeded"), count("pending"));
        let hangs = matches!(scenario.behaviour, Behaviour::Hangs { .. });
        ensure!(
            succeeded + pending == self.deliveries && (hangs || pending == 0),
            "{}: {} deliveries recorded as {recorded:?}",
            scenario.name,
            self.deliveries
        );
        Ok(())
    }
}

/// A function that delivers.
pub(super) struct Deliverer {
    pub(super) function: Function,
    pub(super) batches: Vec<String>,
    pub(super) next: usize,
}

impl Deliverer {
    pub(super) fn new(function: Function, bodies: &[String]) -> Self {
        Self {
            function,
            batches: batches(bodies).collect(),
            next: 0,
        }
    }

    pub(super) fn contender(&self) -> Contender {
        Contender {
            printed_bytes: self.function.process.printed_bytes(),
            ..Contender::empty()
        }
    }

    pub(super) async fn run(&mut self, batches: usize, receiver: &Receiver) -> Result<Round> {
        let requests = receiver.requests();
        let cpu = self.function.process.cpu_time()?;
        let mut durations = Vec::with_capacity(batches);
        for _ in 0..batches {
            let batch = self.batches[self.next % self.batches.len()].clone();
            self.next += 1;
            let answer = self.function.invoke(batch).await?;
            expect_no_failures(&answer).with_context(|| self.function.process.last_lines())?;
            durations.push(millis(answer.duration));
        }
        let cpu = self.function.process.cpu_time_since(cpu)?;
        let deliveries = batches * BATCH;
        let made = receiver.requests() - requests;
        ensure!(
            made == deliveries as u64,
            "{made} requests for {deliveries} deliveries:\n{}",
            self.function.process.last_lines()
        );
        Ok(round(cpu, &durations, deliveries))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn round(cpu: Duration, batches: &[f64], deliveries: usize) -> Round {
    Round {
        cpu_micros: micros(cpu) / deliveries as f64,
        batch_millis: Measured::of(batches).median,
    }
}

/// The bare client.
pub(super) struct Bare {
    pub(super) process: Process,
    commands: std::process::ChildStdin,
    done: u64,
}

impl Bare {
    pub(super) fn start(
        programs: &Programs,
        setup: &Setup,
        receiver: &Receiver,
        sample: &Sample,
        secret: &str,
    ) -> Result<Self> {
        let (url, address) = (receiver.url(), receiver.address().to_string());
        let headers = serde_json::to_string(&sample.fixed_headers()?)?;
        let body = programs.work.join("body.json");
        fs::write(&body, &sample.body)?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (authority, body) = (text(&setup.authority.file), text(&body));
        let mut process = Process::start(
            &programs.peers.join("bench-bare-client"),
            &[&url, &address, &authority, secret, &headers, &body],
            &setup.surroundings.variables,
        )?;
        let commands = process.stdin().context("no standard input")?;
        Ok(Self {
            process,
            commands,
            done: 0,
        })
    }

    pub(super) async fn run(&mut self, requests: usize) -> Result<Round> {
        use std::io::Write;

        let cpu = self.process.cpu_time()?;
        let started = Instant::now();
        writeln!(self.commands, "{requests}").context("telling the bare client")?;
        self.done += "done\n".len() as u64;
        while self.process.printed_bytes() < self.done {
            if let Some(status) = self.process.ended() {
                anyhow::bail!("bare client: {status}:\n{}", self.process.last_lines());
            }
            sleep(Duration::from_millis(1)).await;
        }
        let cpu = self.process.cpu_time_since(cpu)?;
        let wall = started.elapsed();
        Ok(round(cpu, &[millis(wall)], requests))
    }
}

#[expect(clippy::cast_precision_loss, reason = "far less than 2^53")]
pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
