//! The part `memory`: the time and the price of the functions on the path of an event, by their
//! memory.

mod cpu_quota;

use std::path::Path;

use anyhow::{Context, Result};
use webhooks_costs::{Meter, PriceList};

use self::cpu_quota::{CpuQuota, MEGABYTES_OF_A_CPU, PERIOD_MICROS};
use crate::{
    delivery,
    function::{Function, Surroundings, expect_no_failures},
    functions::{self, CUSTOMERS},
    lockstep::Lockstep,
    receiver::{Behaviour, Receiver},
    report::{Part, Table, Unit, cell},
    setup::{Programs, Setup},
    stats::{Measured, millis},
};

/// The measured sizes. 128 is the smallest that Lambda has.
const SIZES: [u32; 6] = [128, 192, 256, 512, 1_024, 1_769];

/// The number of deliveries in a batch, as in the template.
const BATCH: usize = 10;

/// The number of invocations after the first one.
const INVOCATIONS: usize = 15;

/// Runs the part.
pub(crate) async fn run(programs: &Programs, quick: bool) -> Result<Part> {
    let mut part = Part::new("memory", "Memory sizes", quick)?;
    explain(&mut part);
    let setup = Setup::start(programs).await?;
    let lockstep = Lockstep::default();
    let behaviour = Behaviour::Slow(delivery::ANSWER_TIME);
    let receiver = Receiver::start(&setup.authority, behaviour, &lockstep).await?;
    let (bodies, _) = delivery::prepare(&setup, "200 ms", &receiver).await?;
    let batches: Vec<String> = delivery::batches(&bodies).collect();
    functions::subscribe(&setup).await?;
    let mut look_up = Function::start(&setup.surroundings, "look-up-subscriptions").await?;
    let (mut events, mut pages) = (Vec::new(), Vec::new());
    for number in 0..=INVOCATIONS {
        let (event, page) = functions::pages(&mut look_up, &CUSTOMERS[0], number).await?;
        events.extend(event);
        pages.extend(page);
    }
    for (name, surroundings, inputs, each) in [
        (
            "deliver-webhook",
            setup.measured(&programs.measured),
            &batches,
            BATCH,
        ),
        (
            "look-up-subscriptions",
            setup.surroundings.clone(),
            &events,
            1,
        ),
        ("prepare-calls", setup.surroundings.clone(), &pages, 1),
    ] {
        eprintln!("memory: {name}");
        let mut table = Table::new(name, &COLUMNS);
        for megabytes in SIZES {
            let times = invoke(&surroundings, name, inputs, megabytes).await?;
            table.row(times.row(megabytes, each));
        }
        part.tables.push(table);
    }
    Ok(part)
}

const COLUMNS: [&str; 6] = [
    "memory",
    "exec to first poll",
    "first invocation",
    "later invocation",
    "GB-ms of a delivery",
    "dollars per million",
];

/// The times of an execution environment.
struct Times {
    start: f64,
    first: f64,
    later: Vec<f64>,
}

impl Times {
    #[expect(clippy::cast_precision_loss, reason = "at most ten")]
    fn row(&self, megabytes: u32, each: usize) -> [String; 6] {
        let later = Measured::of(&self.later);
        let gigabyte_millis = later.median * f64::from(megabytes) / 1_024.0 / each as f64;
        let million = gigabyte_millis / 1e3 * 1e6;
        let dollars = PriceList::us_east_1().dollars(Meter::LambdaGigabyteSecond, million);
        [
            format!("{megabytes} MB"),
            Unit::Millis.text(self.start),
            Unit::Millis.text(self.first),
            cell(later, Unit::Millis),
            Unit::Count.text(gigabyte_millis),
            Unit::Dollars.text(dollars),
        ]
    }
}

/// Starts a function with the quota of this much memory, and invokes it.
async fn invoke(
    surroundings: &Surroundings,
    name: &str,
    inputs: &[String],
    megabytes: u32,
) -> Result<Times> {
    let quota = CpuQuota::new(megabytes)?;
    let program = surroundings.program(name);
    let (members, program) = (quota.members(), program.to_string_lossy().into_owned());
    let members = members.to_string_lossy();
    // The shell becomes a member before it becomes the function, so the whole start has the quota.
    let script = "echo $$ > \"$1\" && exec \"$2\"";
    let arguments = ["-c", script, "sh", &members, &program];
    let shell = Path::new("/bin/sh");
    let mut function = Function::start_program(shell, &arguments, &surroundings.variables).await?;
    let mut durations = Vec::with_capacity(INVOCATIONS + 1);
    for input in inputs.iter().cycle().take(INVOCATIONS + 1) {
        let answer = function.invoke(input.clone()).await?;
        if name == "deliver-webhook" {
            expect_no_failures(&answer)?;
        }
        durations.push(millis(answer.duration));
    }
    let (first, later) = durations.split_first().context("no invocation")?;
    let times = Times {
        start: millis(function.start_took),
        first: *first,
        later: later.to_vec(),
    };
    drop(function);
    Ok(times)
}

fn explain(part: &mut Part) {
    part.how(format!(
        "Each function runs in a control group of Linux with the CPU quota that Lambda gives for \
         its memory: one vCPU for {MEGABYTES_OF_A_CPU} MB, in periods of {} ms (found by \
         measurements inside of Lambda, and not documented by AWS). Memory itself is not limited. \
         The stubs answer immediately, over TLS, so a call to AWS takes no time of its own: add \
         about 5 ms for each of the two or three that a batch makes one after the other.",
        PERIOD_MICROS / 1_000
    ));
    part.how(format!(
        "`deliver-webhook` sends batches of {BATCH} to a receiver that answers after 200 ms; the \
         first batch opens all connections. The other functions process an event for a customer \
         with one subscription. GB-ms and dollars are of the later invocations, at the price of \
         us-east-1 for arm64, without the price of a request."
    ));
}
