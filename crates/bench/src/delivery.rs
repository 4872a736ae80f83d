//! The part `delivery`: CPU, time and memory of a delivery, compared with a bare client and
//! Node.js.

mod compare;
mod contender;

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use self::{
    compare::{Compared, compare},
    contender::Contender,
};
use crate::{
    receiver::{Behaviour, Receiver},
    report::{Part, Table, Unit, cell},
    setup::{Programs, Setup},
    stats::{Measured, ratios},
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

/// Groups these queue messages into full batches.
pub(crate) fn batches(bodies: &[String]) -> impl Iterator<Item = String> {
    let batches = bodies.chunks(BATCH);
    batches.map(|bodies| batch(bodies.iter().map(String::as_str)))
}
