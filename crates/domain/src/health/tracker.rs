//! What one execution environment remembers of the endpoints that it has sent to.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::ids::SubscriptionId;
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

use super::circuit::{CircuitPolicy, OpenCircuit};
use super::window::{Observation, WindowSummary, Window};

/// Interceptor two parked deliveries of a subscription that an environment lets go: 10 a second.
const BETWEEN_RELEASES: Duration = Duration::from_millis(100);

/// Where the webhooks of a subscription go. With another URL or other headers it is another
/// endpoint, and starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    subscription: SubscriptionId,
    /// Of its URL and headers.
    hash: u64,
}

impl Endpoint {
    /// The endpoint of a subscription.
    pub fn of(subscription: &Subscription) -> Self {
        let mut hasher = DefaultHasher::new();
        subscription.url.as_str().hash(&mut hasher);
        for header in subscription.headers.iter() {
            header.hash(&mut hasher);
        }
        Self {
            subscription: subscription.id,
            hash: hasher.finish(),
        }
    }
}

/// The memory of an execution environment: bounded, and lost with it.
#[derive(Debug, Default)]
pub struct HealthTracker(Mutex<HashMap<Endpoint, EndpointHistory>>);

#[derive(Debug, Default)]
struct EndpointHistory {
    window: Window,
    /// When the last parked delivery is let go.
    last_release: Option<Timestamp>,
    /// When anything was last noted here.
    noted_at: Option<Timestamp>,
}

impl HealthTracker {
    /// The most endpoints that it remembers.
    pub const MAX_SUBSCRIPTIONS: usize = 1_000;

    /// Takes in an attempt, and gives what it shows with those before it.
    ///
    /// What makes a circuit open is forgotten with it: when it closes, what was seen before
    /// is no reason to open it again.
    pub fn add(&self, id: Endpoint, observation: Observation, circuit: Option<&CircuitPolicy>) -> WindowSummary {
        self.with(id, observation.at, |history| {
            history.window.add(observation);
            let summary = history.window.summary(circuit);
            if summary.fails_at_rate {
                history.window = Window::default();
            }
            summary
        })
    }

    /// When to look again at a delivery that is parked now, because its circuit is open
    /// until then. Each gets a time of its own, so that they do not come all at once.
    ///
    /// Within what the queue can wait: of very many the last ones come together.
    pub fn park(&self, id: Endpoint, open_until: Timestamp, now: Timestamp) -> Timestamp {
        self.with(id, now, |history| {
            history.window = Window::default();
            let next = history.last_release.map(|last| last + BETWEEN_RELEASES);
            let release = next.map_or(open_until, |next| next.max(open_until));
            let release = release.min(now + OpenCircuit::LONGEST);
            history.last_release = Some(release);
            release
        })
    }

    fn with<T>(&self, id: Endpoint, now: Timestamp, change: impl FnOnce(&mut EndpointHistory) -> T) -> T {
        let mut histories = self.histories();
        if histories.len() >= Self::MAX_SUBSCRIPTIONS && !histories.contains_key(&id) {
            let oldest = histories.iter().min_by_key(|(_, history)| history.noted_at);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                histories.remove(&oldest);
            }
        }
        let history = histories.entry(id).or_default();
        history.noted_at = Some(now);
        change(history)
    }

    fn histories(&self) -> MutexGuard<'_, HashMap<Endpoint, EndpointHistory>> {
        // What a panic leaves behind are whole summary, and still true.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn id(number: usize) -> Endpoint {
        Endpoint {
            subscription: format!("sub_{number:032x}").parse().unwrap(),
            hash: 1,
        }
    }

    fn failure(at: Timestamp) -> Observation {
        Observation {
            at,
            failed: true,
            slow: false,
        }
    }

    #[test]
    fn subscriptions_are_watched_each_for_itself_and_begin_anew_when_a_circuit_opens() {
        let policy = CircuitPolicy::new(80, 3, 30).unwrap();
        let watch = HealthTracker::default();
        let opens = |number| {
            let summary = tracker.add(id(number), failure(NOW), Some(&policy));
            summary.fails_at_rate
        };
        assert_eq!([opens(1), opens(1), opens(2)], [false; 3]);
        assert!(opens(1));
        assert_eq!([opens(1), opens(1)], [false; 2]);
        assert!(opens(1));
    }

    #[test]
    fn what_was_seen_of_another_url_counts_no_more() {
        let policy = CircuitPolicy::new(80, 3, 30).unwrap();
        let watch = HealthTracker::default();
        let opens = |hash| {
            let endpoint = Endpoint { hash, ..id(1) };
            watch
                .add(endpoint, failure(NOW), Some(&policy))
                .fails_at_rate
        };
        assert_eq!([opens(1), opens(1), opens(2), opens(2)], [false; 4]);
        assert!(opens(2));
    }

    #[test]
    fn no_more_subscriptions_are_remembered_than_fit_and_the_oldest_goes_first() {
        let watch = HealthTracker::default();
        let millis = |number: usize| Duration::from_millis(number as u64);
        for number in 0..=HealthTracker::MAX_SUBSCRIPTIONS {
            tracker.add(id(number), failure(NOW + millis(number)), None);
        }
        let histories = tracker.histories();
        assert_eq!(histories.len(), HealthTracker::MAX_SUBSCRIPTIONS);
        assert!(!histories.contains_key(&id(0)));
        assert!(histories.contains_key(&id(1)));
    }

    #[test]
    fn parked_deliveries_are_let_go_one_after_another() {
        let watch = HealthTracker::default();
        let open_until = NOW + Duration::from_secs(30);
        let mut releases: Vec<_> = (0..5).map(|_| tracker.park(id(1), open_until, NOW)).collect();
        let after = |releases: &[Timestamp]| -> Vec<u128> {
            let waits = releases.iter().map(|at| at.since(open_until).as_millis());
            waits.collect()
        };
        assert_eq!(after(&releases), [0, 100, 200, 300, 400]);
        assert_eq!(tracker.park(id(2), open_until, NOW), open_until);
        // A circuit that is open for longer begins a new row.
        let longer = open_until + Duration::from_mins(1);
        releases = (0..2).map(|_| tracker.park(id(1), longer, NOW)).collect();
        assert_eq!(after(&releases), [60_000, 60_100]);
    }

    #[test]
    fn nothing_is_parked_for_longer_than_the_queue_can_wait() {
        let watch = HealthTracker::default();
        let latest = NOW + OpenCircuit::LONGEST;
        let times: Vec<_> = (0..10_000).map(|_| tracker.park(id(1), NOW, NOW)).collect();
        assert!(times.is_sorted());
        assert_eq!(times.last(), Some(&latest));
        // A while later there is room again.
        let later = NOW + Duration::from_secs(1);
        let next = tracker.park(id(1), NOW, later);
        assert_eq!(next, latest + BETWEEN_RELEASES);
    }
}
