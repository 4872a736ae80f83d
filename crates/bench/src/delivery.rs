//! The part `delivery`: CPU, time and memory of a delivery, compared with a bare client and
//! Node.js.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    exchanges::{self, Webhooks},
    function::{Function, expect_no_failures},
    lockstep::Lockstep,
    process::Process,
    receiver::{Behaviour, Receiver, Sample},
    report::{Part, Table, Unit, cell},
    setup::{Programs, Setup},
    stats::{Measured, micros, millis, ratios},
    stub_aws::Counts,
    workload::{CUSTOMER, Subscriber, Workflow, batch, event},
};

/// The number of messages in a batch, as in the template.
const BATCH: usize = 10;

/// The number of distinct deliveries of each scenario. They are delivered repeatedly.
const DELIVERIES: usize = 200;

/// The request timeout where some requests are never answered.
const SHORT_TIMEOUT_SECONDS: u64 = 2;

/// The time after which a slow receiver answers.
pub(crate) const ANSWER_TIME: Duration = Duration::from_millis(200);

/// A kind of endpoint, and the number of deliveries to it.
struct Scenario {
    name: &'static str,
    behaviour: Behaviour,
    rounds: usize,
    /// The number of our batches in a round.
    batches: usize,
    /// The number of Node.js batches in a round. It is slower, so there are fewer.
    node_batches: usize,
    /// The number of batches before the first round.
    warm_up: usize,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "kept connection",
        behaviour: Behaviour::Prompt,
        rounds: 11,
        batches: 100,
        node_batches: 20,
        warm_up: 100,
    },
    Scenario {
        name: "new TLS connection",
        behaviour: Behaviour::NewConnection,
        rounds: 11,
        batches: 40,
        node_batches: 10,
        warm_up: 40,
    },
    Scenario {
        name: "resumed TLS session",
        behaviour: Behaviour::ResumedConnection,
        rounds: 7,
        batches: 40,
        node_batches: 10,
        warm_up: 40,
    },
    Scenario {
        name: "200 ms",
        behaviour: Behaviour::Slow(ANSWER_TIME),
        rounds: 5,
        batches: 6,
        node_batches: 1,
        warm_up: 2,
    },
    Scenario {
        name: "1 % hang",
        behaviour: Behaviour::Hangs { one_in: 100 },
        rounds: 2,
        batches: 20,
        node_batches: 10,
        warm_up: 2,
    },
];

/// One round of one program.
#[derive(Clone, Copy, Debug)]
struct Round {
    cpu_micros: f64,
    /// The median of its batches.
    batch_millis: f64,
}

/// All rounds of one program, with its other figures.
struct Contender {
    rounds: Vec<Round>,
    peak_mebibytes: f64,
    counts: Counts,
    printed_bytes: u64,
    deliveries: u64,
}

/// The programs of a scenario.
struct Compared {
    ours: Contender,
    bare: Contender,
    /// Only over kept connections to an endpoint that answers at once.
    exchanges: Option<Contender>,
    node: Contender,
}

impl Contender {
    fn of(&self, what: impl Fn(&Round) -> f64) -> Vec<f64> {
        self.rounds.iter().map(what).collect()
    }

    fn cpu(&self) -> Vec<f64> {
        self.of(|round| round.cpu_micros)
    }

    fn batches(&self) -> Vec<f64> {
        self.of(|round| round.batch_millis)
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    fn per_delivery(&self, count: u64) -> f64 {
        count as f64 / self.deliveries as f64
    }
}

/// Runs the part.
pub(crate) async fn run(programs: &Programs, quick: bool) -> Result<Part> {
    let mut part = Part::new("delivery", "Delivery", quick)?;
    explain(&mut part);
    let setup = Setup::start(programs).await?;
    let mut cpu = Table::new(
        "CPU of one delivery, user and system",
        &[
            "endpoint",
            "÷ bare client",
            "÷ bare exchanges",
            "Node.js ÷ ours",
            "ours",
            "bare client",
            "bare exchanges",
            "Node.js",
            "ours, deliveries per CPU-second",
        ],
    );
    let mut time = Table::new(
        "Time of a batch of ten, and memory",
        &[
            "endpoint",
            "Node.js ÷ ours",
            "ours, median batch",
            "Node.js, median batch",
            "ours, peak memory",
            "bare client",
            "Node.js",
        ],
    );
    let mut calls = Table::new(
        "Calls to AWS and output of one delivery",
        &[
            "endpoint",
            "ours, AWS calls",
            "Node.js, AWS calls",
            "ours, bytes logged",
            "Node.js, bytes logged",
        ],
    );
    for scenario in &SCENARIOS {
        eprintln!("delivery: {}", scenario.name);
        let Compared {
            ours,
            bare,
            exchanges,
            node,
        } = compare(programs, &setup, scenario, quick).await?;
        targets(&mut part, scenario, &ours, &bare, exchanges.as_ref());
        let to_bare = ratios(&ours.cpu(), &bare.cpu());
        let to_node = ratios(&node.cpu(), &ours.cpu());
        let per_delivery = Measured::of(&ours.cpu());
        let per_cpu_second: Vec<f64> = ours.cpu().iter().map(|micros| 1e6 / micros).collect();
        let median = |runs: &[f64], unit| cell(Measured::of(runs), unit);
        let none = || "-".to_owned();
        cpu.row([
            scenario.name.to_owned(),
            cell(to_bare, Unit::Ratio),
            exchanges.as_ref().map_or_else(none, |exchanges| {
                cell(ratios(&ours.cpu(), &exchanges.cpu()), Unit::Ratio)
            }),
            cell(to_node, Unit::Ratio),
            cell(per_delivery, Unit::Micros),
            median(&bare.cpu(), Unit::Micros),
            exchanges
                .as_ref()
                .map_or_else(none, |exchanges| median(&exchanges.cpu(), Unit::Micros)),
            median(&node.cpu(), Unit::Micros),
            median(&per_cpu_second, Unit::Count),
        ]);
        let faster = ratios(&node.batches(), &ours.batches());
        time.row([
            scenario.name.to_owned(),
            cell(faster, Unit::Ratio),
            median(&ours.batches(), Unit::Millis),
            median(&node.batches(), Unit::Millis),
            Unit::Mebibytes.text(ours.peak_mebibytes),
            Unit::Mebibytes.text(bare.peak_mebibytes),
            Unit::Mebibytes.text(node.peak_mebibytes),
        ]);
        calls.row([
            scenario.name.to_owned(),
            Unit::Count.text(ours.per_delivery(ours.counts.total())),
            Unit::Count.text(node.per_delivery(node.counts.total())),
            Unit::Count.text(ours.per_delivery(ours.printed_bytes)),
            Unit::Count.text(node.per_delivery(node.printed_bytes)),
        ]);
    }
    part.tables = vec![cpu, time, calls];
    Ok(part)
}

/// Adds the figures that have targets.
fn targets(
    part: &mut Part,
    scenario: &Scenario,
    ours: &Contender,
    bare: &Contender,
    exchanges: Option<&Contender>,
) {
    let per_delivery = Measured::of(&ours.cpu());
    let name = |what: &str| format!("{}/{what}", scenario.name);
    match scenario.behaviour {
        Behaviour::Prompt => {
            part.target(&name("CPU"), per_delivery, Unit::Micros, 100.0);
            let to_bare = ratios(&ours.cpu(), &bare.cpu());
            let bare_name = name("CPU to bare client");
            part.target(&bare_name, to_bare, Unit::Ratio, 4.0);
            if let Some(exchanges) = exchanges {
                let to_exchanges = ratios(&ours.cpu(), &exchanges.cpu());
                let exchanges_name = name("CPU to bare exchanges");
                part.target(&exchanges_name, to_exchanges, Unit::Ratio, 2.5);
            }
            let peak = Measured::of(&[ours.peak_mebibytes]);
            part.target(&name("peak memory"), peak, Unit::Mebibytes, 30.0);
        }
        Behaviour::NewConnection => {
            part.target(&name("CPU"), per_delivery, Unit::Micros, 700.0);
        }
        Behaviour::Slow(_) => {
            let batch = Measured::of(&ours.batches());
            part.target(&name("batch of ten"), batch, Unit::Millis, 230.0);
        }
        Behaviour::ResumedConnection | Behaviour::Fails | Behaviour::Hangs { .. } => {}
    }
}

fn explain(part: &mut Part) {
    part.how(
        "The real `deliver-webhook` program receives batches of ten from a stub of the Lambda \
         Runtime API. Each message is the delivery of a different event with 1 KB of detail. \
         DynamoDB, SQS and KMS are stubs that answer immediately, over TLS. The real `api`, \
         `look-up-subscriptions` and `prepare-calls` created the items in the table. Receivers \
         use TLS on loopback and are reached by name: a new connection includes DNS (a stub), \
         TCP, and the handshake with a chain of two P-256 certificates.",
    );
    part.how(
        "The program has release optimisation and one feature that a release build refuses: it \
         trusts the certificate authority of these receivers, and uses this run's name server.",
    );
    part.how(
        "Bare client: hyper and rustls send the same bytes with the same kind of signature, \
         ten at once. It reads, decides and records nothing, so it is a lower limit and not a \
         competitor. Bare exchanges: a function that also makes the exchanges with AWS, only over \
         kept connections; see the fair floor above. Node.js: our own function that does the work of `deliver-webhook` in the \
         manner of the AWS sample, one message after the other with `https.request` and a \
         separate SDK call for each step. It is in its best form: it keeps connections, \
         requests the data key once, and is bundled and minified.",
    );
    part.how(
        "Rounds are interleaved: ours, bare client, bare exchanges, Node.js, ours, … after a \
         warm-up of each. A ratio \
         compares figures of the same round. The tables show the median of the rounds and half \
         the distance of the quartiles. CPU is the scheduler's count for the process, user and \
         system. Where 1 % of the requests hang, the request timeout is 2 s instead of 15 s.",
    );
}

async fn compare(
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

/// Subscribes the receiver and records deliveries to it. Returns the bodies of the queue
/// messages, and the secret that signs the requests.
pub(crate) async fn prepare(
    setup: &Setup,
    name: &str,
    receiver: &Receiver,
) -> Result<(Vec<String>, String)> {
    let event_type = name.replace([' ', '%'], "_");
    let subscription = json!({"url": receiver.url(), "eventTypes": [event_type]});
    let created = Subscriber::start(&setup.surroundings)
        .await?
        .create(CUSTOMER, &subscription)
        .await?;
    let mut workflow = Workflow::start(&setup.surroundings).await?;
    let mut bodies = Vec::new();
    for number in 0..DELIVERIES {
        let event = event(CUSTOMER, &event_type, number);
        bodies.extend(workflow.record(&setup.aws, &event).await?);
    }
    ensure!(bodies.len() == DELIVERIES, "{} deliveries", bodies.len());
    Ok((bodies, created.secret))
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

/// Groups these queue messages into full batches.
pub(crate) fn batches(bodies: &[String]) -> impl Iterator<Item = String> {
    let batches = bodies.chunks(BATCH);
    batches.map(|bodies| batch(bodies.iter().map(String::as_str)))
}

/// A function that delivers.
struct Deliverer {
    function: Function,
    batches: Vec<String>,
    next: usize,
}

impl Deliverer {
    fn new(function: Function, bodies: &[String]) -> Self {
        Self {
            function,
            batches: batches(bodies).collect(),
            next: 0,
        }
    }

    fn contender(&self) -> Contender {
        Contender {
            printed_bytes: self.function.process.printed_bytes(),
            ..Contender::empty()
        }
    }

    async fn run(&mut self, batches: usize, receiver: &Receiver) -> Result<Round> {
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

impl Contender {
    fn empty() -> Self {
        Self {
            rounds: Vec::new(),
            peak_mebibytes: 0.0,
            counts: Counts::default(),
            printed_bytes: 0,
            deliveries: 0,
        }
    }

    fn add(&mut self, counts: Counts, batches: usize) {
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
    fn check(&self, scenario: &Scenario) -> Result<()> {
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

/// The bare client.
struct Bare {
    process: Process,
    commands: std::process::ChildStdin,
    done: u64,
}

impl Bare {
    fn start(
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

    async fn run(&mut self, requests: usize) -> Result<Round> {
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
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
