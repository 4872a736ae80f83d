//! Tests each Retry and each Catch of both definitions: every state fails with every error that its
//! definition names, and with each other kind of error that AWS reports.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use webhooks_client::ExecutionStatus;

use crate::failed_events::failed_event;
use crate::fixture::Fixture;
use crate::machine::{CONDITION_FAILED, Machine, Run, Task, by_second_interpreter};

/// The state that only a duplicate event reaches.
const COMPARISON: &str = "CompareDuplicate";
/// A higher concurrency would only wait for the same functions.
const RUNS_AT_ONCE: usize = 8;

/// An error that no definition names.
const UNNAMED: &str = "Unnamed";

static EVENTS: AtomicU32 = AtomicU32::new(0);

fn new_event(test: &Fixture) -> Value {
    let number = EVENTS.fetch_add(1, Ordering::Relaxed).to_string();
    test.envelope(&number, "order.created", json!({"number": number}))
}

/// Runs `judge` for each error of each chosen Task, concurrently.
async fn for_each_error(
    machine: &Machine,
    after_failure: bool,
    judge: impl AsyncFn(&Task, &str) -> Result<()>,
) -> Result<()> {
    let tasks: Vec<Task> = machine.tasks();
    let cases = tasks
        .iter()
        .filter(|task| task.after_failure == after_failure);
    let cases: Vec<_> = cases
        .flat_map(|task| task.errors().into_iter().map(move |error| (task, error)))
        .collect();
    assert!(!cases.is_empty());
    stream::iter(&cases)
        .map(|(task, error)| judge(task, error))
        .buffer_unordered(RUNS_AT_ONCE)
        .try_collect()
        .await
}

/// Runs without a failure, with an event and with its duplicate.
struct Usual {
    first: Run,
    duplicate: Run,
}

impl Usual {
    async fn run(machine: &Machine, test: &Fixture) -> Result<Self> {
        let event = new_event(test);
        Ok(Self {
            first: machine.run(test, &event, "").await?,
            duplicate: machine.run(test, &event, "").await?,
        })
    }

    /// The states that an event enters on a path through this task.
    fn past(&self, task: &Task, error: &str) -> &[String] {
        // If the message already exists, it is compared.
        let is_there = task.name == "RecordMessage" && error == CONDITION_FAILED;
        if is_there || task.name == COMPARISON {
            &self.duplicate.entered
        } else {
            &self.first.entered
        }
    }
}

/// An event whose execution enters this task.
async fn event_for(machine: &Machine, test: &Fixture, task: &Task) -> Result<Value> {
    let event = new_event(test);
    if task.name == COMPARISON {
        machine.run(test, &event, "").await?;
        // Two tasks that are processed at the same moment may both send.
        test.settled(&test.message_of(&event).to_string()).await?;
    }
    Ok(event)
}

/// Asserts that the state was retried as often as its Retry says, and never waited longer.
fn assert_waits(run: &Run, task: &Task, error: &str) {
    if !by_second_interpreter() {
        return;
    }
    let longest = task.longest_waits(error);
    assert_eq!(run.waits.len(), longest.len(), "{error}: {run:#?}");
    for (wait, longest) in run.waits.iter().zip(longest) {
        assert!(
            *wait <= longest,
            "{error}: {wait:?} of {longest:?}, {run:#?}"
        );
    }
    // A random wait is shorter than a millisecond only by chance, so not all of them are.
    let waited = run.waits.iter().any(|wait| !wait.is_zero());
    assert!(waited || run.waits.is_empty(), "{run:#?}");
}

/// The states after the last occurrence of a state.
fn after<'a>(run: &'a Run, state: &str) -> &'a [String] {
    let last = run.entered.iter().rposition(|name| name == state);
    last.map_or(&[], |last| &run.entered[last + 1..])
}

/// A plan with one failure more than the retries, so that the state fails.
fn until_given_up(task: &Task, error: &str) -> String {
    let attempts = task.longest_waits(error).len() + 1;
    format!("{}={error}*{attempts}", task.name)
}

/// Returns true if the Catch of a Task leads to another state than its success does.
fn leads_elsewhere(task: &Task) -> bool {
    task.after(UNNAMED)
        .is_some_and(|next| task.state["Next"] != next)
}

/// A plan that makes a Task fail that every event enters, so that the failure states are entered.
fn to_the_failure_states(machine: &Machine) -> String {
    let tasks = machine.tasks();
    let usual = tasks
        .iter()
        .find(|task| !task.after_failure && task.name != COMPARISON && leads_elsewhere(task));
    until_given_up(usual.unwrap(), UNNAMED)
}

#[tokio::test]
async fn an_event_is_delivered_after_any_number_of_retries() -> Result<()> {
    let test = Fixture::new("retried").await?;
    let created = test.subscribe("/a").await?;
    let machine = Machine::load(&test.stack, "StateMachineArn").await?;
    let usual = Usual::run(&machine, &test).await?;
    for_each_error(&machine, false, async |task, error| {
        let attempts = task.longest_waits(error).len();
        if attempts == 0 {
            return Ok(());
        }
        let event = event_for(&machine, &test, task).await?;
        let plan = format!("{}={error}*{attempts}", task.name);
        let run = machine.run(&test, &event, &plan).await?;
        assert_eq!(run.status, ExecutionStatus::Succeeded, "{plan}: {run:#?}");
        assert_eq!(run.entered, usual.past(task, error), "{plan}");
        assert_waits(&run, task, error);
        let message = test.message_of(&event).to_string();
        test.settled_delivery(&message, &created).await?;
        let requests = test.receiver.requests_to("/a");
        let made = requests
            .iter()
            .filter(|request| request.webhook_id() == message);
        assert_eq!(made.count(), 1, "{plan}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_error_whose_retries_are_exhausted_follows_its_catch() -> Result<()> {
    let test = Fixture::new("caught").await?;
    test.subscribe("/a").await?;
    let machine = Machine::load(&test.stack, "StateMachineArn").await?;
    let usual = Usual::run(&machine, &test).await?;
    for_each_error(&machine, false, async |task, error| {
        let event = event_for(&machine, &test, task).await?;
        let plan = until_given_up(task, error);
        let run = machine.run(&test, &event, &plan).await?;
        assert_waits(&run, task, error);
        assert_eq!(run.status, ExecutionStatus::Succeeded, "{plan}: {run:#?}");
        let next = task
            .after(error)
            .unwrap_or_else(|| panic!("{plan}: not caught"));
        if next != "SendToFailedEvents" {
            // The execution continues: the item is there.
            assert_eq!(run.entered, usual.past(task, error), "{plan}");
            return Ok(());
        }
        if by_second_interpreter() {
            assert_eq!(after(&run, &task.name)[0], next, "{plan}: {run:#?}");
        }
        assert!(run.entered.contains(&next), "{plan}: {run:#?}");
        let kept = failed_event(&test.stack, |kept| {
            kept.attributes.get("execution") == Some(&run.arn)
        });
        let kept = kept.await?;
        assert_eq!(kept.attributes["error"], error, "{plan}: {kept:?}");
        assert!(!kept.attributes["cause"].is_empty(), "{plan}: {kept:?}");
        assert_eq!(serde_json::from_str::<Value>(&kept.body)?, event, "{plan}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_failed_event_is_kept_after_retries_or_else_the_execution_fails() -> Result<()> {
    let test = Fixture::new("kept").await?;
    let machine = Machine::load(&test.stack, "StateMachineArn").await?;
    let first = to_the_failure_states(&machine);
    let first_waits = machine.tasks()[0].longest_waits(UNNAMED).len();
    for_each_error(&machine, true, async |task, error| {
        let longest = task.longest_waits(error);
        let retried = format!("{first},{}={error}*{}", task.name, longest.len());
        let run = machine.run(&test, &new_event(&test), &retried).await?;
        assert_eq!(
            run.status,
            ExecutionStatus::Succeeded,
            "{retried}: {run:#?}"
        );
        if by_second_interpreter() {
            assert!(run.waits.len() >= longest.len(), "{retried}: {run:#?}");
            let last = run.waits.len() - longest.len();
            for (wait, longest) in run.waits[last..].iter().zip(&longest) {
                assert!(wait <= longest, "{retried}: {run:#?}");
            }
        }
        failed_event(&test.stack, |kept| {
            kept.attributes.get("execution") == Some(&run.arn)
        })
        .await?;

        let given_up = format!("{first},{}", until_given_up(task, error));
        let run = machine.run(&test, &new_event(&test), &given_up).await?;
        assert_eq!(run.status, ExecutionStatus::Failed, "{given_up}: {run:#?}");
        let next = task.after(error);
        let states = after(&run, &task.name);
        assert_eq!(states.first(), next.as_ref(), "{given_up}: {run:#?}");
        Ok(())
    })
    .await?;
    assert!(first_waits > 0, "{first}");
    Ok(())
}

#[tokio::test]
async fn a_page_of_a_recovery_is_retried_and_its_failure_is_recorded() -> Result<()> {
    let test = Fixture::new("recovery-states").await?;
    let created = test.subscribe("/a").await?;
    let machine = Machine::load(&test.stack, "RecoveryStateMachineArn").await?;
    let subscription = created.subscription.id.as_str();
    let request = json!({"since": "2026-01-01T00:00:00Z"});
    let path = [
        "customers",
        &test.customer,
        "subscriptions",
        subscription,
        "recover",
    ];
    let started = test
        .api
        .request(http::Method::POST, &path, &[], Some(&request))
        .await?;
    let started: Value = serde_json::from_str(&started.text())?;
    let input = json!({
        "customerId": test.customer,
        "subscriptionId": subscription,
        "recoveryId": started["id"],
    });
    let usual = machine.run(&test, &input, "").await?;
    assert_eq!(usual.status, ExecutionStatus::Succeeded, "{usual:#?}");
    for_each_error(&machine, false, async |task, error| {
        let attempts = task.longest_waits(error).len();
        let plan = format!("{}={error}*{attempts}", task.name);
        let run = machine.run(&test, &input, &plan).await?;
        assert_eq!(run.status, ExecutionStatus::Succeeded, "{plan}: {run:#?}");
        // The number of pages depends on what is left to hand out, so only the last state is
        // compared.
        assert_eq!(run.entered.last(), usual.entered.last(), "{plan}");
        assert_waits(&run, task, error);

        let plan = until_given_up(task, error);
        let run = machine.run(&test, &input, &plan).await?;
        let next = task.after(error);
        assert_eq!(
            after(&run, &task.name).first(),
            next.as_ref(),
            "{plan}: {run:#?}"
        );
        assert_waits(&run, task, error);
        Ok(())
    })
    .await?;
    let first = to_the_failure_states(&machine);
    for_each_error(&machine, true, async |task, error| {
        let plan = format!("{first},{}", until_given_up(task, error));
        let run = machine.run(&test, &input, &plan).await?;
        let next = task.after(error);
        assert_eq!(
            after(&run, &task.name).first(),
            next.as_ref(),
            "{plan}: {run:#?}"
        );
        Ok(())
    })
    .await
}
