//! `doctor --send`: sends events through the whole stack.
//!
//! A run uses its own customer, and a receiver: the stack's `echo-receiver`, or one in this
//! command if the stack is on the same machine. Its steps run concurrently. Each step has a
//! deadline, and so has the run. At its end, the run always deletes the subscriptions that it
//! created. If a run was killed, the next one deletes its subscriptions.
//!
//! [`judge`] decides which facts the received webhooks prove. No other module judges them.

mod cleanup;
mod cost;
mod endpoint;
mod judge;
mod stage;
mod steps;

use std::cell::RefCell;
use std::time::Duration;

use clap::ValueEnum;
use futures_util::future::{LocalBoxFuture, join_all};
use tokio::signal;
use tokio::time::timeout;

use self::judge::{Judgement, fault, recorded};
use self::stage::Stage;
use self::steps::{Checked, again, basics, failed_events, retries, subscriptions};
use super::context::Context;
use super::report::{Check, Group, Outcome};

const GROUP: Group = Group("send");

/// The time limit of a run. Its receiver stops answering then.
const RUN: Duration = Duration::from_mins(10);

/// The time limit of all steps together. The rest is for the cleanup.
const STEPS: Duration = Duration::from_mins(9);

/// The time limit of one step.
const STEP: Duration = Duration::from_mins(5);

/// The receiver of a run's webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Via {
    /// A receiver in this command, for a stack on this machine.
    Own,
    /// The stack's own receiver, which exists while its parameter `SelfTest` is `Enabled`.
    Stack,
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context, failed_events: bool, via: Option<Via>) -> Vec<Check> {
    let via = via.unwrap_or(if context.is_local() {
        Via::Own
    } else {
        Via::Stack
    });
    let has_receiver = context.stack.output("EchoReceiverUrl").is_ok();
    if via == Via::Stack && !has_receiver {
        return vec![GROUP.check("receiver", without_receiver(context))];
    }
    context.progress.say("starting the self test");
    let stage = match Stage::open(&context.stack, via, steps::script(), RUN).await {
        Ok(stage) => stage,
        Err(error) => {
            let outcome = Outcome::failed(
                format!("{error:#}"),
                "docs/doctor.md lists what a run needs",
            );
            return vec![GROUP.check("receiver", outcome)];
        }
    };
    let run = Run {
        context,
        stage,
        checks: RefCell::default(),
    };
    Box::pin(run.go(failed_events)).await
}

/// The outcome if there is no receiver.
fn without_receiver(context: &Context) -> Outcome {
    let name = context.stack.name().unwrap_or("webhooks");
    Outcome::failed(
        "the stack has no receiver for the self test, because its parameter SelfTest is Disabled",
        format!(
            "`sam deploy --stack-name {name} --parameter-overrides SelfTest=Enabled` adds it, with \
             the stack's present parameters; afterwards deploy with SelfTest=Disabled, \
             which removes it"
        ),
    )
}

struct Run<'a> {
    context: &'a Context,
    stage: Stage<'a>,
    checks: RefCell<Vec<Check>>,
}

impl Run<'_> {
    async fn go(self, failed_events: bool) -> Vec<Check> {
        let stage = &self.stage;
        self.note("receiver", Ok(stage.endpoint.name().to_owned()));
        let earlier = cleanup::of_earlier_runs(&stage.api, &stage.name).await;
        self.note("left by earlier runs", earlier);
        tokio::select! {
            done = timeout(STEPS, self.steps(failed_events)) => {
                if done.is_err() {
                    let minutes = STEPS.as_secs() / 60;
                    self.note("time", fault(
                        format!("the run was ended after {minutes} minutes"),
                        "look at the first check that failed, and run it again",
                    ));
                }
            }
            () = interrupted() => {
                self.note("time", fault("interrupted", "run it again"));
            }
        }
        self.context.progress.say("cleaning up");
        let cleaned = cleanup::of_this_run(&stage.api, &stage.name).await;
        self.note("clean-up", cleaned);
        self.checks.into_inner()
    }

    async fn steps(&self, failed_events: bool) {
        let stage = &self.stage;
        let mut steps: Vec<LocalBoxFuture<'_, ()>> = vec![
            Box::pin(self.step("PutEvents", basics::put_events(stage))),
            Box::pin(self.step("StartExecution", basics::start_execution(stage))),
            Box::pin(self.step("duplicate event", basics::duplicate(stage))),
            Box::pin(self.step("payload of 200 KB", basics::large(stage))),
            Box::pin(self.step("retries", retries::retry(stage))),
            Box::pin(self.step("Retry-After", retries::retry_after(stage))),
            Box::pin(self.step("410", retries::gone(stage))),
            Box::pin(self.step("recover", again::recover(stage))),
            Box::pin(self.step("replay", again::replay(stage))),
            Box::pin(self.step("resend", again::resend(stage))),
            Box::pin(self.step("rotation with overlap", subscriptions::rotation(stage))),
            Box::pin(self.step("limit of a subscription", subscriptions::limit(stage))),
        ];
        if failed_events {
            let step = failed_events::failed_event(stage);
            steps.push(Box::pin(self.step("failed events", step)));
        } else {
            let reason = "only with `--failed-events`, since it triggers FailedEventsAlarm";
            self.note("failed events", Err(Outcome::skipped(reason)));
        }
        // The long wait uses almost no capacity, so latency is measured at the same time.
        let others = async {
            join_all(steps).await;
            self.step("latency", basics::latency(stage)).await;
        };
        tokio::join!(others, self.step("long wait", retries::long_wait(stage)));
        self.tally().await;
    }

    /// Runs a step with its time limit.
    async fn step(&self, name: &'static str, step: impl Future<Output = Checked>) {
        let made = timeout(STEP, step).await.unwrap_or_else(|_| {
            let minutes = STEP.as_secs() / 60;
            fault(format!("not done after {minutes} minutes"), "run it again")
        });
        match made {
            Ok(checks) => checks
                .into_iter()
                .for_each(|(name, judgement)| self.note(name, judgement)),
            Err(outcome) => self.note(name, Err(outcome)),
        }
    }

    /// Compares the number of arrivals of each message with its recorded attempts, and adds the
    /// cost.
    async fn tally(&self) {
        let stage = &self.stage;
        let mut used = stage.ledger.used();
        let mut arrived = 0;
        let mut judged: Judgement = Ok(String::new());
        for (step, id) in stage.caused() {
            let found = async {
                let delivery = stage.delivery(&id).await?;
                let arrivals = stage.arrived(step.as_str()).await?;
                Ok((delivery, arrivals))
            };
            let (delivery, arrivals) = match found.await {
                Ok(found) => found,
                Err(outcome) => {
                    judged = judged.and(Err(outcome));
                    continue;
                }
            };
            let message = id.message.to_string();
            let arrivals = arrivals
                .iter()
                .filter(|arrival| arrival.webhook_id() == message)
                .count();
            let attempts = delivery.map_or(0, |delivery| delivery.attempts.len());
            used.deliveries += 1;
            used.attempts += attempts as u64;
            arrived += arrivals;
            judged = judged.and_then(|all| recorded(arrivals, attempts).map(|_| all));
        }
        used.received = stage.endpoint.billed_requests().await;
        let line = format!(
            "{arrived} requests for {} attempts of {} deliveries",
            used.attempts, used.deliveries
        );
        self.note("how often each arrived", judged.map(|_| line));
        self.note("cost", Ok(used.line()));
    }

    fn note(&self, name: &'static str, judgement: Judgement) {
        let outcome = judgement.map_or_else(|outcome| outcome, Outcome::passed);
        let ended = match &outcome {
            Outcome::Passed { .. } => "passed",
            Outcome::Skipped { .. } => "skipped",
            Outcome::Warned { .. } => "warned",
            Outcome::Failed { .. } => "failed",
        };
        self.context.progress.say(&format!("{name}: {ended}"));
        self.checks.borrow_mut().push(GROUP.check(name, outcome));
    }
}

/// Returns when the user or the system asks this program to end.
async fn interrupted() {
    #[cfg(unix)]
    if let Ok(mut terminated) = signal::unix::signal(signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    // If signals cannot be handled, a signal ends the program, and the next run cleans up.
    if signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
