//! One run: inject failures, stop them, wait until the stack settles, judge the history.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::Result;
use webhooks_client::{Delivery, Stack};
use webhooks_proxy::{Gate, Proxy};

use crate::{
    Arguments,
    failpoints::{Failpoints, Journal},
    faults::Faults,
    history::{History, Limits},
    report::{Broken, Report},
    scenario::Scenario,
    settle::Settling,
};

/// The longest duration of a delivery function's invocation beyond one request (template.yaml).
const RUN_BEYOND_REQUEST: Duration = Duration::from_secs(8);

/// The number of unrecorded requests that an interrupted run explains: its own, and one
/// more if the task that it had received and the next task that it had already queued are
/// handled at the same time.
const REQUESTS_OF_A_CUT_OFF_RUN: usize = 2;

/// The time limit for half of a seed's deliveries to have their first request.
const FIRST_REQUESTS: Duration = Duration::from_mins(1);

/// The time limit for settling after the failures stop: some time for a task that becomes
/// visible again, and some for each event.
const SETTLES: Duration = Duration::from_mins(3);
const SETTLES_PER_EVENT: Duration = Duration::from_millis(200);

/// Runs all seeds at once, then waits for them to settle and judges them.
pub(crate) async fn run(arguments: &Arguments) -> Result<Report> {
    let stack = Stack::load(&arguments.stack).await?;
    let faults = Arc::new(Faults::default());
    // Calls that AWS would refuse are refused before any fault is injected.
    let interceptors = (Gate::strict(&arguments.refusals)?, Arc::clone(&faults));
    let _proxy = Proxy::start(arguments.proxy_port, &arguments.emulator, interceptors).await?;
    let failpoints = Failpoints::new(arguments.failpoints.clone());

    let mut scenarios = Vec::new();
    for seed in (arguments.seed..).take(usize::try_from(arguments.seeds)?) {
        let api = stack.api()?;
        let prepared =
            Scenario::prepare(&api, seed, arguments.events, arguments.subscriptions).await?;
        scenarios.push(prepared);
    }
    settle_earlier(&stack, &scenarios, arguments.subscriptions).await?;
    for scenario in &mut scenarios {
        scenario.expire_earlier(&stack).await?;
        faults.start(scenario.seed);
        failpoints.start(scenario.seed)?;
        scenario.play(&stack).await?;
        let half = scenario.deliveries() / 2;
        // Being slow is no failure in itself: the end of the run decides if everything arrived.
        scenario.saw_requests(half, FIRST_REQUESTS).await;
        eprintln!("seed {}: {half} requests arrived", scenario.seed);
    }
    faults.stop();
    failpoints.stop()?;

    let messages: Vec<String> = scenarios
        .iter()
        .flat_map(|scenario| &scenario.events)
        .map(|planned| planned.event.message_id.clone())
        .collect();
    eprintln!("healed; waiting for {} messages", messages.len());
    let bound = SETTLES + SETTLES_PER_EVENT * u32::try_from(messages.len())?;
    let mut settling = Settling::new(&stack);
    let mut deliveries = settling
        .wait(&messages, arguments.subscriptions, bound)
        .await?;

    let journal = failpoints.journal()?;
    let mut report = Report {
        failed_events: settling.failed_events,
        dead_letters: settling.dead_letters,
        calls: faults.calls(),
        faults: faults.counts(),
        cut_off: journal.cut_off.values().sum(),
        returned: journal.returned.values().sum(),
        ..Report::default()
    };
    let limits = Limits {
        schedule: arguments
            .schedule
            .iter()
            .map(|seconds| Duration::from_secs(*seconds))
            .collect(),
        request_timeout: Duration::from_secs(arguments.request_timeout),
        run_timeout: Duration::from_secs(arguments.request_timeout) + RUN_BEYOND_REQUEST,
    };
    for scenario in &scenarios {
        let history = history(scenario, &limits, &mut deliveries, &journal, &faults);
        add(&mut report, scenario, &history)?;
    }
    report.crashes = journal.crashes;
    Ok(report)
}

/// Puts the events that are to expire before the run, and waits until all their deliveries have
/// ended.
async fn settle_earlier(stack: &Stack, scenarios: &[Scenario], deliveries: usize) -> Result<()> {
    let mut messages = Vec::new();
    for scenario in scenarios {
        messages.extend(scenario.put_earlier(stack).await?);
    }
    eprintln!("waiting for {} messages that are to expire", messages.len());
    let mut settling = Settling::new(stack);
    settling.wait(&messages, deliveries, SETTLES).await?;
    Ok(())
}

/// Collects the history of one seed's customer.
fn history(
    scenario: &Scenario,
    limits: &Limits,
    deliveries: &mut HashMap<String, Vec<Delivery>>,
    journal: &Journal,
    faults: &Faults,
) -> History {
    let mut all = Vec::with_capacity(scenario.deliveries());
    let mut repeats = HashMap::new();
    let waits = limits.schedule.iter().skip(1).min();
    let shortest_wait = waits.copied().unwrap_or(Duration::MAX);
    for planned in &scenario.events {
        let of_message = deliveries.remove(&planned.event.message_id);
        for delivery in of_message.unwrap_or_default() {
            let runs = |counts: &HashMap<String, usize>| {
                counts.get(&delivery.id).copied().unwrap_or_default()
            };
            let explained = planned.times - 1
                + runs(&journal.cut_off) * REQUESTS_OF_A_CUT_OFF_RUN
                // A run that deferred its delivery sent a task, and its message comes again.
                + runs(&journal.returned)
                + faults.repeats(&delivery.id, shortest_wait);
            repeats.insert(delivery.id.clone(), explained);
            all.push(delivery);
        }
    }
    History {
        limits: limits.clone(),
        events: scenario.events.iter().map(|p| p.event.clone()).collect(),
        endpoints: scenario.endpoints.clone(),
        requests: scenario.requests(),
        deliveries: all,
        repeats,
    }
}

fn add(report: &mut Report, scenario: &Scenario, history: &History) -> Result<()> {
    let judgement = history.judge()?;
    report.events += history.events.len();
    report.doubled += scenario.events.iter().filter(|p| p.times > 1).count();
    report.requests += history.requests.len();
    report.unrecorded += judgement.unrecorded;
    for delivery in &history.deliveries {
        report.attempts += delivery.attempts.len();
        let status = delivery.status.to_string();
        *report.deliveries.entry(status).or_default() += 1;
    }
    let seed = scenario.seed;
    let broken = judgement.violations.into_iter();
    report
        .broken
        .extend(broken.map(|violation| Broken { seed, violation }));
    Ok(())
}
