//! The cases: the work that a program does while it is counted.

use anyhow::Result;
use serde_json::json;

use super::run::Bench;
use crate::{
    delivery,
    function::{Function, Surroundings},
    functions::{self, Customer},
    receiver::{Behaviour, Receiver},
    workload,
};

/// Steps of the shorter run: by then connections are open, keys are known and buffers have
/// grown.
const FIRST_STEPS: usize = 4;

/// Deliveries in a batch. Under a tool, more of them would wait for each other for so long that
/// their endpoint would be taken for a slow one, and that would be written.
const BATCH: usize = 2;

/// One thing that a function does again and again.
pub(super) struct Case {
    /// As its figures are named.
    pub(super) name: String,
    /// Its program.
    pub(super) function: String,
    pub(super) surroundings: Surroundings,
    /// The same with the system's allocator.
    pub(super) system_allocator: Surroundings,
    /// The inputs of its invocations in each step.
    pub(super) steps: Vec<Vec<String>>,
    /// The unit of the counts: the number of units in a step.
    pub(super) each: usize,
    /// Steps of the shorter run. `None` where all of the one run is counted.
    pub(super) short: Option<usize>,
    /// Steps of the longer run.
    pub(super) long: usize,
    /// Where it delivers to.
    pub(super) receiver: Option<Receiver>,
}

impl Case {
    /// Without a step.
    pub(super) fn new(name: &str, function: &str, surroundings: Surroundings) -> Self {
        Self {
            name: name.to_owned(),
            function: function.to_owned(),
            system_allocator: surroundings.clone(),
            surroundings,
            steps: Vec::new(),
            each: 1,
            short: None,
            long: 0,
            receiver: None,
        }
    }

    /// Whether two runs were seen to differ in this by more than is tolerated: `prepare-calls`
    /// reads a large page in as many pieces as come, and calls nothing in AWS.
    pub(super) fn differs(&self, what: &str) -> bool {
        let varies = ["system calls", "bytes allocated", "bytes to and from AWS"];
        self.function == "prepare-calls"
            && !self.name.starts_with("start/")
            && varies.contains(&what)
    }

    /// Whether DHAT would not see what it allocates: it has an allocator of its own.
    pub(super) fn hides_allocations(&self) -> bool {
        self.function == "deliver-webhook"
            && self.surroundings.programs == self.system_allocator.programs
    }

    /// The number of units that the longer run does beyond the short one.
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    pub(super) fn counted(&self) -> f64 {
        self.short
            .map_or(1.0, |short| ((self.long - short) * self.each) as f64)
    }
}

impl Bench<'_> {
    /// Small batches to an endpoint.
    pub(super) async fn delivery(&self, name: &str, behaviour: Behaviour) -> Result<Case> {
        let authority = &self.setup.authority;
        let receiver = Receiver::start(authority, behaviour, &self.lockstep).await?;
        let (bodies, _) = delivery::prepare(&self.setup, name, &receiver).await?;
        let surroundings = |folder| {
            let found = self.setup.measured(folder);
            found
                // A program that is slowed down makes no endpoint slow.
                .with("REQUEST_TIMEOUT_SECONDS", 60)
                // Nothing that is written stays: a circuit would open again with every batch.
                .with("CIRCUIT_FAILURE_PERCENT", 0)
                // Or memory is given back after some time.
                .with("MIMALLOC_PURGE_DELAY", -1)
        };
        let measured = surroundings(&self.options.measured);
        let pairs = bodies.chunks_exact(BATCH);
        let steps = pairs.map(|pair| vec![workload::batch(pair.iter().map(String::as_str))]);
        Ok(Case {
            system_allocator: surroundings(&self.options.system_allocator),
            steps: steps.collect(),
            each: BATCH,
            short: Some(FIRST_STEPS),
            long: FIRST_STEPS + 20,
            receiver: Some(receiver),
            ..Case::new(&format!("delivery/{name}"), "deliver-webhook", measured)
        })
    }

    /// Events of a customer, every page of them, in both functions of the workflow.
    pub(super) async fn event(&self, customer: &Customer) -> Result<[Case; 2]> {
        let events = match customer.subscriptions {
            ..100 => 20,
            100..1_000 => 5,
            _ => 2,
        };
        let mut look_up =
            Function::start(&self.setup.surroundings, "look-up-subscriptions").await?;
        let (mut inputs, mut pages) = (Vec::new(), Vec::new());
        for number in 0..FIRST_STEPS + events {
            let (input, page) = functions::pages(&mut look_up, customer, number).await?;
            inputs.push(input);
            pages.push(page);
        }
        let case = |part: &str, function: &str, steps| Case {
            steps,
            short: Some(FIRST_STEPS),
            long: FIRST_STEPS + events,
            ..Case::new(
                &format!("{part}/{}", customer.title()),
                function,
                self.setup.surroundings.clone(),
            )
        };
        Ok([
            case("look-up", "look-up-subscriptions", inputs),
            case("prepare", "prepare-calls", pages),
        ])
    }

    /// Sweeps that find nothing, as most do.
    pub(super) fn sweep(&self) -> Case {
        let surroundings = self.setup.surroundings.clone();
        Case {
            steps: vec![vec![json!({}).to_string()]],
            short: Some(FIRST_STEPS),
            long: FIRST_STEPS + 20,
            ..Case::new("sweep/nothing due", "requeue-due-deliveries", surroundings)
        }
    }
}
