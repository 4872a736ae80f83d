//! Which calls go wrong, and how.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;

/// What is done to a call.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Fault {
    /// It is answered with an error of the service, and does not reach it.
    ServerError,
    /// It is refused because of too many calls, and does not reach the service.
    Throttle,
    /// It reaches the service late.
    Delay(Duration),
    /// It reaches the service, and the answer is lost.
    DroppedAnswer,
    /// It reaches the service twice.
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

/// Of 1,000 calls. The client tries each call three times, so that about one
/// call in a thousand fails in the end.
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

/// What is called when the request is made: the next hint is sent, the attempt recorded.
const AFTER_THE_REQUEST: [&str; 2] = [SEND_MESSAGE, RECORD];

/// Decides for each call whether it goes wrong, and remembers what it decided.
#[derive(Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` while nothing goes wrong.
    rng: Option<Rng>,
    /// By operation and fault.
    counts: BTreeMap<(String, String), usize>,
    /// The faults that may repeat a request, by each number that the call names: all
    /// its numbers. Those of a message and a subscription are those of a delivery.
    repeating: HashMap<String, Vec<HashSet<String>>>,
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on calls go wrong, as this seed has it.
    pub(crate) fn start(&self, seed: u64) {
        self.state().rng = Some(Rng::with_seed(seed));
    }

    /// From now on no call goes wrong.
    pub(crate) fn stop(&self) {
        self.state().rng = None;
    }

    /// What is to happen to this call.
    pub(crate) fn next(&self, operation: &str, body: &[u8]) -> Option<Fault> {
        let mut state = self.state();
        let fault = draw(state.rng.as_mut()?, operation)?;
        let key = (operation.to_owned(), fault.to_string());
        *state.counts.entry(key).or_default() += 1;
        if AFTER_THE_REQUEST.contains(&operation) && !matches!(fault, Fault::Delay(_)) {
            let named: HashSet<String> = numbers(body).map(str::to_owned).collect();
            for number in &named {
                let calls = state.repeating.entry(number.clone()).or_default();
                calls.push(named.clone());
            }
        }
        Some(fault)
    }

    /// How many calls went wrong, by operation and fault.
    pub(crate) fn counts(&self) -> BTreeMap<(String, String), usize> {
        self.state().counts.clone()
    }

    /// How many faults met a delivery after its request: each may be the reason why
    /// that request was not recorded, or why another hint asked for it again.
    pub(crate) fn after_the_request(&self, delivery_id: &str) -> usize {
        let mut numbers = numbers(delivery_id.as_bytes());
        let (Some(message), Some(subscription)) = (numbers.next(), numbers.next()) else {
            return 0;
        };
        let state = self.state();
        let of_message = state.repeating.get(message).into_iter().flatten();
        of_message
            .filter(|named| named.contains(subscription))
            .count()
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

/// The runs of exactly 32 hexadecimal digits in a text.
fn numbers(text: &[u8]) -> impl Iterator<Item = &str> {
    text.split(|byte| !byte.is_ascii_hexdigit())
        .filter(|run| run.len() == 32)
        .filter_map(|run| std::str::from_utf8(run).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "9d621ecde980c9e89ef2b0fa0f4cc7e6";
    const SUBSCRIPTION: &str = "70e79b2df96dcca5a0a362236c8d86f4";

    #[test]
    fn a_seed_decides_what_goes_wrong() {
        let faults = |seed| {
            let faults = Faults::default();
            faults.start(seed);
            let next = |_| faults.next(SEND_MESSAGE, b"");
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
            faults.next(SEND_MESSAGE, b"");
            faults.next("Decrypt", b"");
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
        assert!((0..1_000).all(|_| faults.next(RECORD, b"").is_none()));
        faults.start(1);
        faults.stop();
        assert!((0..1_000).all(|_| faults.next(RECORD, b"").is_none()));
    }

    #[test]
    fn a_fault_is_found_by_the_delivery_that_the_call_names() {
        let faults = Faults::default();
        faults.start(1);
        let key = format!(r#"{{"pk":"MESSAGE#msg_{MESSAGE}","sk":"DELIVERY#sub_{SUBSCRIPTION}"}}"#);
        for _ in 0..1_000 {
            faults.next(RECORD, key.as_bytes());
            faults.next("GetItem", key.as_bytes());
        }
        let counts = faults.counts();
        let expected: usize = counts
            .iter()
            .filter(|((operation, fault), _)| operation == RECORD && fault != "delay")
            .map(|(_, count)| count)
            .sum();
        assert!(expected > 0);
        let delivery = format!("dlv_{MESSAGE}_{SUBSCRIPTION}");
        assert_eq!(faults.after_the_request(&delivery), expected);
        let other = format!("dlv_{MESSAGE}_{}", "0".repeat(32));
        assert_eq!(faults.after_the_request(&other), 0);
    }
}
