//! The cases: the work of a program while it is counted.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::{batches::batches, run::Bench};
use crate::{
    delivery,
    function::{Function, Surroundings},
    functions::{self, Customer},
    portal::{self, Page},
    receiver::{Behaviour, Receiver},
};

/// The number of steps of the shorter run. After them, connections are open, keys are known and
/// buffers have grown.
pub(super) const FIRST_STEPS: usize = 4;

/// The number of steps by which the longer run of deliveries exceeds the shorter one.
pub(super) const MORE_STEPS: usize = 20;

/// The number of deliveries in a batch. With more of them, a tool would slow them down so much
/// that the endpoint is considered slow, which causes a write.
pub(super) const BATCH: usize = 2;

/// Work that a function repeats.
pub(super) struct Case {
    /// Its name in the figures.
    pub(super) name: String,
    /// The name of its program.
    pub(super) function: String,
    pub(super) surroundings: Surroundings,
    /// The same programs with the system's allocator.
    pub(super) system_allocator: Surroundings,
    /// The inputs of the invocations in each step.
    pub(super) steps: Vec<Vec<String>>,
    /// The number of counted units in a step.
    pub(super) each: usize,
    /// The number of steps of the shorter run. `None` if one run is counted as a whole.
    pub(super) short: Option<usize>,
    /// The number of steps of the longer run.
    pub(super) long: usize,
    /// The receiver of its deliveries.
    pub(super) receiver: Option<Receiver>,
}

impl Case {
    /// Creates a case without steps.
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

    /// Returns true if two runs differed in this count by more than the tolerance:
    /// `prepare-calls` reads a large page in a varying number of pieces, and makes no AWS
    /// calls.
    pub(super) fn differs(&self, what: &str) -> bool {
        let varies = ["system calls", "bytes allocated", "bytes to and from AWS"];
        self.name.starts_with("prepare/") && varies.contains(&what)
    }

    /// Returns true if DHAT cannot see its allocations, because it has its own allocator.
    pub(super) fn hides_allocations(&self) -> bool {
        self.function == "deliver-webhook"
            && self.surroundings.programs == self.system_allocator.programs
    }

    /// Returns the number of units by which the longer run exceeds the shorter one.
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    pub(super) fn counted(&self) -> f64 {
        self.short
            .map_or(1.0, |short| ((self.long - short) * self.each) as f64)
    }
}

impl Bench<'_> {
    /// Returns the case of small batches for an endpoint, and the secret that signs its requests.
    pub(super) async fn delivery(
        &self,
        name: &str,
        behaviour: Behaviour,
    ) -> Result<(Case, String)> {
        let authority = &self.setup.authority;
        let receiver = Receiver::start(authority, behaviour, &self.lockstep).await?;
        let (bodies, secret) = delivery::prepare(&self.setup, name, &receiver).await?;
        let measured = self.delivering(&self.options.measured);
        let steps = batches(&bodies)?.into_iter().map(|batch| vec![batch]);
        let case = Case {
            system_allocator: self.delivering(&self.options.system_allocator),
            steps: steps.collect(),
            each: BATCH,
            short: Some(FIRST_STEPS),
            long: FIRST_STEPS + MORE_STEPS,
            receiver: Some(receiver),
            ..Case::new(&format!("delivery/{name}"), "deliver-webhook", measured)
        };
        Ok((case, secret))
    }

    /// Returns the environment of a `deliver-webhook` in this folder.
    pub(super) fn delivering(&self, folder: &Path) -> Surroundings {
        let found = self.setup.measured(folder);
        found
            // Under a tool the program is slow, but that must not make an endpoint slow.
            .with("REQUEST_TIMEOUT_SECONDS", 30)
            // The stub does not keep writes, so a circuit breaker would open again with every
            // batch.
            .with("CIRCUIT_FAILURE_PERCENT", 0)
            // Otherwise memory is returned to the system after some time.
            .with("MIMALLOC_PURGE_DELAY", -1)
    }

    /// Returns the cases of a customer's events, with all pages, in both functions of the
    /// workflow.
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

    /// Returns the case of views of a page of the portal.
    pub(super) fn view(&self, page: &Page) -> Case {
        Case {
            steps: vec![vec![page.event()]],
            short: Some(FIRST_STEPS),
            long: FIRST_STEPS + 10,
            ..Case::new(
                &format!("portal/{}", page.name),
                portal::FUNCTION,
                self.setup.surroundings.clone(),
            )
        }
    }

    /// Returns the case of sweeps that find nothing, as most sweeps do.
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
