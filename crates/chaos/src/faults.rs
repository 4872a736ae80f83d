//! Chooses which calls go wrong, and how.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use fastrand::Rng;
use serde_json::Value;

/// A fault that is injected into a call.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Fault {
    /// The proxy answers with a server error, and the service does not receive the call.
    ServerError,
    /// The proxy answers with a throttling error, and the service does not receive the call.
    Throttle,
    /// The call reaches the service late.
    Delay(Duration),
    /// The service receives the call, and its answer is lost.
    DroppedAnswer,
    /// The service receives the call twice.
    Duplicate,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ServerError => "server error",
            Self::Throttle => "throttle",
            Self::Delay(_) => "delay",
            Self::DroppedAnswer => "dropped answer",
            Self::Duplicate => "duplicate",
        })
    }
}

/// Shares of 1,000 calls. The client tries each call three times, so about one call in a
/// thousand fails in the end.
const SERVER_ERRORS: u32 = 40;
const THROTTLES: u32 = 40;
const DROPPED_ANSWERS: u32 = 40;
const DELAYS: u32 = 60;
const DUPLICATES: u32 = 40;
const LONGEST_DELAY_MS: u64 = 300;

/// The operation that sends one queue message.
const SEND_MESSAGE: &str = "SendMessage";

/// The operation that records an attempt.
const RECORD: &str = "UpdateItem";

/// The calls that follow a request: sending the next task and recording the attempt.
const AFTER_THE_REQUEST: [&str; 2] = [SEND_MESSAGE, RECORD];

/// One try of a call. The client tries a call again when it fails.
pub(crate) struct Try<'a> {
    /// `UpdateItem`
    pub(crate) operation: &'a str,
    /// The same for all tries of one call, and different for each call.
    pub(crate) call: &'a str,
    /// The request body.
    pub(crate) body: &'a [u8],
}

/// Counts the calls, decides for each try if it goes wrong, and records the decision.
#[derive(Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` while no faults are injected.
    rng: Option<Rng>,
    /// The number of tries, by operation.
    calls: BTreeMap<String, usize>,
    /// The number of faults, by operation and fault.
    counts: BTreeMap<(String, String), usize>,
    /// The calls that followed a request.
    after_the_request: HashMap<String, Call>,
}

/// A call that followed a request.
struct Call {
    /// The hexadecimal ids in it. A delivery is identified by the ids of its message and its
    /// subscription.
    numbers: Vec<u128>,
    /// The attempt of the task that it sends. `None` if it records an attempt.
    sends: Option<u64>,
    /// The time of its first try.
    began: Instant,
    /// The time of its last answer.
    answered: Option<Instant>,
    /// The number of tries.
    tries: usize,
    /// The number of tasks that it may have queued beyond the intended one.
    tasks: usize,
    /// True if its last try failed because the client gave up or was killed.
    failed: bool,
}

impl Call {
    /// Returns the number of requests that it may repeat. Each superfluous task repeats one. If
    /// the call failed, its attempt is repeated once more: by the task that becomes visible
    /// again, or by the next task if that one is already queued.
    fn repeats(&self) -> usize {
        self.tasks + usize::from(self.failed)
    }
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on calls go wrong, as determined by this seed.
    pub(crate) fn start(&self, seed: u64) {
        self.state().rng = Some(Rng::with_seed(seed));
    }

    /// From now on no call goes wrong.
    pub(crate) fn stop(&self) {
        self.state().rng = None;
    }

    /// Chooses the fault for this try. Also returns a guard if the try follows a request.
    pub(crate) fn next(&self, tried: &Try<'_>) -> (Option<Fault>, Option<Unanswered<'_>>) {
        let operation = tried.operation;
        let mut state = self.state();
        *state.calls.entry(operation.to_owned()).or_default() += 1;
        let fault = state.rng.as_mut().and_then(|rng| draw(rng, operation));
        if let Some(fault) = fault {
            let key = (operation.to_owned(), fault.to_string());
            *state.counts.entry(key).or_default() += 1;
        }
        let unanswered = AFTER_THE_REQUEST.contains(&operation).then(|| Unanswered {
            faults: self,
            call: tried.call.to_owned(),
            number: state.remember(tried, fault, Instant::now()),
            tasks: usize::from(operation == SEND_MESSAGE),
            given_up: true,
        });
        (fault, unanswered)
    }

    /// Notes that a try was answered, or that its answer was dropped.
    fn answer(&self, tried: &Unanswered<'_>, now: Instant) {
        if let Some(call) = self.state().after_the_request.get_mut(&tried.call) {
            call.answered = Some(now);
        }
    }

    /// Notes that the client no longer waits for the answer to a try. Only the last try decides
    /// if the call failed; the client may already have begun another one.
    fn abandon(&self, tried: &Unanswered<'_>) {
        if let Some(call) = self.state().after_the_request.get_mut(&tried.call) {
            call.tasks += tried.tasks;
            call.failed |= call.tries == tried.number;
        }
    }

    /// Returns the number of tries by operation.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        self.state().calls.clone()
    }

    /// Returns the number of faults by operation and fault.
    pub(crate) fn counts(&self) -> BTreeMap<(String, String), usize> {
        self.state().counts.clone()
    }

    /// Returns the number of requests of a delivery that may be repeated because a later call
    /// failed or was slow. `shortest_wait` is the shortest delay of a task for a next attempt.
    pub(crate) fn repeats(&self, delivery_id: &str, shortest_wait: Duration) -> usize {
        let mut numbers = numbers(delivery_id.as_bytes());
        let (Some(message), Some(subscription)) = (numbers.next(), numbers.next()) else {
            return 0;
        };
        let names =
            |call: &&Call| call.numbers.contains(&message) && call.numbers.contains(&subscription);
        let state = self.state();
        let mut calls: Vec<&Call> = state.after_the_request.values().filter(names).collect();
        calls.sort_by_key(|call| call.began);
        let failed: usize = calls.iter().map(|call| call.repeats()).sum();
        failed + late_records(&calls, shortest_wait)
    }
}

/// Counts the attempts that were recorded only after the task for the next attempt had arrived.
/// That task finds no record, so it repeats the attempt.
///
/// A task is sent before its attempt is recorded. Later tasks for the same attempt are deferrals.
fn late_records(calls: &[&Call], shortest_wait: Duration) -> usize {
    let mut first_sent = BTreeMap::new();
    for call in calls {
        if let Some(attempt) = call.sends.filter(|attempt| *attempt > 1) {
            first_sent.entry(attempt).or_insert(call.began);
        }
    }
    let is_late = |sent_at: &&Instant| {
        let mut records = calls.iter().filter(|call| call.sends.is_none());
        let record = records.find(|call| call.began >= **sent_at);
        record
            .and_then(|call| call.answered)
            .is_some_and(|answered| answered.duration_since(**sent_at) >= shortest_wait)
    };
    first_sent.values().filter(is_late).count()
}

/// The attempt of the task in the body of a `SendMessage`.
fn attempt_of_task(body: &[u8]) -> Option<u64> {
    let call: Value = serde_json::from_slice(body).ok()?;
    let task: Value = serde_json::from_str(call["MessageBody"].as_str()?).ok()?;
    task["attempt"].as_u64()
}

/// A try that follows a request, while the client waits for its answer.
///
/// If it is dropped before its [`end`](Self::end), it counts as a try whose answer was lost:
/// the client gave up waiting, which happens on a busy machine.
pub(crate) struct Unanswered<'a> {
    faults: &'a Faults,
    call: String,
    number: usize,
    /// The number of tasks that it may have queued.
    tasks: usize,
    /// True if dropping it now means that the client gave up.
    given_up: bool,
}

impl Unanswered<'_> {
    /// Notes that the try was answered, or that its fault already decides its effect.
    pub(crate) fn end(mut self) {
        self.given_up = false;
        self.faults.answer(&self, Instant::now());
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if self.given_up {
            self.faults.abandon(self);
        }
    }
}

impl State {
    /// Records the effect of a try that follows a request, and returns its number. A later try
    /// of the same call can make up for one that failed; a queued task stays queued.
    fn remember(&mut self, tried: &Try<'_>, fault: Option<Fault>, now: Instant) -> usize {
        let (tasks, failed) = match fault {
            None | Some(Fault::Delay(_)) => (0, false),
            Some(Fault::ServerError | Fault::Throttle) => (0, true),
            Some(Fault::DroppedAnswer) => (1, true),
            Some(Fault::Duplicate) => (1, false),
        };
        let call = self.after_the_request.entry(tried.call.to_owned());
        let call = call.or_insert_with(|| Call {
            numbers: numbers(tried.body).collect(),
            sends: (tried.operation == SEND_MESSAGE)
                .then(|| attempt_of_task(tried.body).unwrap_or(0)),
            began: now,
            answered: None,
            tries: 0,
            tasks: 0,
            failed: false,
        });
        call.tries += 1;
        if tried.operation == SEND_MESSAGE {
            call.tasks += tasks;
        }
        call.failed = failed;
        call.tries
    }
}

fn draw(rng: &mut Rng, operation: &str) -> Option<Fault> {
    let duplicates = if operation == SEND_MESSAGE {
        DUPLICATES
    } else {
        0
    };
    let delay = Fault::Delay(Duration::from_millis(rng.u64(1..=LONGEST_DELAY_MS)));
    let mut place = rng.u32(0..1_000);
    for (share, fault) in [
        (SERVER_ERRORS, Fault::ServerError),
        (THROTTLES, Fault::Throttle),
        (DROPPED_ANSWERS, Fault::DroppedAnswer),
        (DELAYS, delay),
        (duplicates, Fault::Duplicate),
    ] {
        if place < share {
            return Some(fault);
        }
        place -= share;
    }
    None
}

/// Finds the runs of exactly 32 hexadecimal digits in a text.
fn numbers(text: &[u8]) -> impl Iterator<Item = u128> {
    text.split(|byte| !byte.is_ascii_hexdigit())
        .filter(|run| run.len() == 32)
        .filter_map(|run| u128::from_str_radix(str::from_utf8(run).ok()?, 16).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MESSAGE: &str = "9d621ecde980c9e89ef2b0fa0f4cc7e6";
    const SUBSCRIPTION: &str = "70e79b2df96dcca5a0a362236c8d86f4";
    const WAIT: Duration = Duration::from_secs(2);

    /// Returns the fault of a try that is answered.
    fn fault(faults: &Faults, operation: &str) -> Option<Fault> {
        let (fault, unanswered) = faults.next(&Try {
            operation,
            call: "1",
            body: b"",
        });
        unanswered.into_iter().for_each(Unanswered::end);
        fault
    }

    #[test]
    fn a_seed_decides_what_goes_wrong() {
        let faults = |seed| {
            let faults = Faults::default();
            faults.start(seed);
            let next = |_| fault(&faults, SEND_MESSAGE);
            (0..1_000).map(next).collect::<Vec<_>>()
        };
        assert_eq!(faults(1), faults(1));
        assert_ne!(faults(1), faults(2));
    }

    #[test]
    fn every_fault_happens_and_only_messages_come_twice() {
        let faults = Faults::default();
        faults.start(1);
        for _ in 0..1_000 {
            fault(&faults, SEND_MESSAGE);
            fault(&faults, "Decrypt");
        }
        let counts = faults.counts();
        let kinds = |operation: &str| {
            counts
                .keys()
                .filter(|(name, _)| name == operation)
                .map(|(_, fault)| fault.as_str())
                .collect::<Vec<_>>()
        };
        let everywhere = ["delay", "dropped answer", "server error", "throttle"];
        assert_eq!(kinds("Decrypt"), everywhere);
        let also = [
            "delay",
            "dropped answer",
            "duplicate",
            "server error",
            "throttle",
        ];
        assert_eq!(kinds(SEND_MESSAGE), also);
    }

    #[test]
    fn nothing_goes_wrong_unless_it_is_started() {
        let faults = Faults::default();
        assert!((0..1_000).all(|_| fault(&faults, RECORD).is_none()));
        faults.start(1);
        faults.stop();
        assert!((0..1_000).all(|_| fault(&faults, RECORD).is_none()));
        assert_eq!(faults.calls(), BTreeMap::from([(RECORD.to_owned(), 2_000)]));
    }

    /// Returns the number of requests of a delivery that two calls may repeat. The first call
    /// meets these faults, the other one none.
    fn repeats(operation: &str, faults: &[Option<Fault>], delivery: &str) -> usize {
        let all = Faults::default();
        let body = format!("MESSAGE#msg_{MESSAGE} DELIVERY#sub_{SUBSCRIPTION}");
        let tried = |call| Try {
            operation,
            call,
            body: body.as_bytes(),
        };
        for fault in faults {
            all.state().remember(&tried("1"), *fault, Instant::now());
        }
        all.state().remember(&tried("2"), None, Instant::now());
        all.repeats(delivery, WAIT)
    }

    #[test]
    fn a_fault_counts_only_where_it_may_repeat_a_request() {
        let delivery = format!("dlv_{MESSAGE}_{SUBSCRIPTION}");
        let good = None;
        let late = Some(Fault::Delay(Duration::ZERO));
        let error = Some(Fault::ServerError);
        let throttle = Some(Fault::Throttle);
        let dropped = Some(Fault::DroppedAnswer);
        let twice = Some(Fault::Duplicate);
        for (tries, sent, recorded) in [
            (&[good][..], 0, 0),
            (&[late], 0, 0),
            (&[error, throttle, good], 0, 0),
            (&[throttle, late], 0, 0),
            (&[error, throttle, error], 1, 1),
            (&[dropped, good], 1, 0),
            (&[error, dropped, twice], 2, 0),
            (&[dropped, error, throttle], 2, 1),
            (&[dropped, dropped, dropped], 4, 1),
        ] {
            assert_eq!(repeats(SEND_MESSAGE, tries, &delivery), sent, "{tries:?}");
            assert_eq!(repeats(RECORD, tries, &delivery), recorded, "{tries:?}");
        }
    }

    #[test]
    fn a_call_that_nobody_waits_for_has_failed_unless_it_is_tried_again() {
        let delivery = format!("dlv_{MESSAGE}_{SUBSCRIPTION}");
        let body = format!("msg_{MESSAGE} sub_{SUBSCRIPTION}");
        for (operation, given_up, then_answered, too_late) in
            [(SEND_MESSAGE, 2, 1, 1), (RECORD, 1, 0, 0)]
        {
            let faults = Faults::default();
            let next = || {
                let (_, unanswered) = faults.next(&Try {
                    operation,
                    call: "1",
                    body: body.as_bytes(),
                });
                unanswered.unwrap()
            };
            drop(next());
            assert_eq!(faults.repeats(&delivery, WAIT), given_up, "{operation}");
            next().end();
            assert_eq!(
                faults.repeats(&delivery, WAIT),
                then_answered,
                "{operation}"
            );
            // The client's next try may begin before the proxy notices that the previous one
            // was abandoned.
            let (first, second) = (next(), next());
            second.end();
            drop(first);
            let repeats = faults.repeats(&delivery, WAIT);
            assert_eq!(repeats, then_answered + too_late, "{operation}");
        }
    }

    #[test]
    fn a_record_after_the_arrival_of_the_next_task_may_repeat_a_request() {
        let delivery = format!("dlv_{MESSAGE}_{SUBSCRIPTION}");
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let record = |began, answered| (None, began, answered);
        let send = |attempt, at| (Some(attempt), at, at);
        for (calls, late) in [
            (&[send(2, 0), record(0, 1_999)][..], 0),
            (&[send(2, 0), record(500, 2_000)], 1),
            // The overlapping run of the next task sends a task, too.
            (
                &[
                    send(2, 0),
                    record(0, 2_500),
                    send(2, 2_300),
                    record(2_400, 2_600),
                ],
                1,
            ),
            // A deferral comes long before the attempt and its record.
            (
                &[
                    send(1, 0),
                    send(2, 5_000),
                    record(5_000, 5_100),
                    send(2, 7_100),
                    send(3, 9_200),
                    record(9_300, 9_400),
                ],
                0,
            ),
        ] {
            let faults = Faults::default();
            for (index, &(sends, began, answered)) in calls.iter().enumerate() {
                let ids = format!("msg_{MESSAGE} sub_{SUBSCRIPTION}");
                let task = sends.map(|attempt| json!({"id": ids, "attempt": attempt}).to_string());
                let call = index.to_string();
                let tried = Try {
                    operation: task.as_ref().map_or(RECORD, |_| SEND_MESSAGE),
                    call: &call,
                    body: &task.map_or_else(
                        || ids.into_bytes(),
                        |task| json!({"MessageBody": task}).to_string().into_bytes(),
                    ),
                };
                let mut state = faults.state();
                state.remember(&tried, None, at(began));
                let call = state.after_the_request.get_mut(&call).unwrap();
                call.answered = Some(at(answered));
            }
            assert_eq!(faults.repeats(&delivery, WAIT), late, "{calls:?}");
        }
    }

    #[test]
    fn a_fault_is_found_by_the_delivery_that_the_call_names() {
        let failed = [Some(Fault::Throttle)];
        let delivery = format!("dlv_{MESSAGE}_{SUBSCRIPTION}");
        assert_eq!(repeats(RECORD, &failed, &delivery), 1);
        let other = format!("dlv_{MESSAGE}_{}", "0".repeat(32));
        assert_eq!(repeats(RECORD, &failed, &other), 0);
    }

    #[test]
    fn only_calls_after_a_request_repeat_it() {
        let faults = Faults::default();
        faults.start(1);
        let body = format!("msg_{MESSAGE} sub_{SUBSCRIPTION}");
        let delivery = format!("dlv_{MESSAGE}_{SUBSCRIPTION}");
        let thousand = |operation| {
            for call in 0..1_000 {
                let (_, unanswered) = faults.next(&Try {
                    operation,
                    call: &format!("{operation} {call}"),
                    body: body.as_bytes(),
                });
                unanswered.into_iter().for_each(Unanswered::end);
            }
            faults.repeats(&delivery, WAIT)
        };
        assert_eq!(thousand("GetItem"), 0);
        assert!(thousand(RECORD) > 0);
    }
}
