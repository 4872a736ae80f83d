//! The recent history of endpoints, in the memory of one execution environment.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::ids::SubscriptionId;
use crate::outbound::{CustomHeaders, EndpointUrl, Method, SealedCredential, SealedHeaders};
use crate::timestamp::Timestamp;

use super::circuit::{CircuitPolicy, OpenCircuit};
use super::window::{Observation, Window, WindowSummary};

/// The interval at which an environment releases the deferred deliveries of an endpoint: 10 a
/// second.
const RELEASE_INTERVAL: Duration = Duration::from_millis(100);

/// The endpoint of a subscription. After a change of URL, headers or
/// authentication it is another endpoint, whose history starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    subscription: SubscriptionId,
    /// The hash of its method, URL, headers and authentication.
    hash: u64,
}

impl Endpoint {
    /// The endpoint of a subscription to which requests go with this method, URL, headers and
    /// authentication.
    pub fn new(
        subscription: SubscriptionId,
        method: Method,
        url: &EndpointUrl,
        headers: &CustomHeaders,
        secret_headers: &SealedHeaders,
        authentication: Option<&SealedCredential>,
    ) -> Self {
        let mut hasher = DefaultHasher::new();
        method.hash(&mut hasher);
        url.as_str().hash(&mut hasher);
        for header in headers.iter() {
            header.hash(&mut hasher);
        }
        for header in secret_headers.iter() {
            header.hash(&mut hasher);
        }
        // Bytes that were sealed again differ.
        authentication.map(|it| &it.sealed).hash(&mut hasher);
        Self {
            subscription,
            hash: hasher.finish(),
        }
    }
}

/// Tracks endpoints in memory. Bounded in size, and lost with the execution environment.
#[derive(Debug, Default)]
pub struct HealthTracker(Mutex<HashMap<Endpoint, EndpointHistory>>);

#[derive(Debug, Default)]
struct EndpointHistory {
    window: Window,
    /// The time at which the last deferred delivery is released.
    last_release: Option<Timestamp>,
    /// The time at which the history last changed.
    noted_at: Option<Timestamp>,
}

impl HealthTracker {
    /// The largest number of endpoints that it remembers.
    pub const MAX_SUBSCRIPTIONS: usize = 1_000;

    /// Adds an attempt, and summarises the window.
    ///
    /// The window is cleared when the circuit breaker opens, so that the same failures do not open
    /// it again after it has closed.
    pub fn add(
        &self,
        id: Endpoint,
        observation: Observation,
        circuit: Option<&CircuitPolicy>,
    ) -> WindowSummary {
        self.with(id, observation.at, |history| {
            history.window.add(observation);
            let summary = history.window.summary(circuit);
            if summary.fails_at_rate {
                history.window = Window::default();
            }
            summary
        })
    }

    /// The time at which to release a delivery that is deferred until a circuit breaker may close.
    /// Deliveries get different times, so that they do not return all at once.
    ///
    /// The time is bounded by the longest delay of the queue. So if very many deliveries are
    /// deferred, the last ones return together.
    pub fn release_at(&self, id: Endpoint, open_until: Timestamp, now: Timestamp) -> Timestamp {
        self.with(id, now, |history| {
            history.window = Window::default();
            let next = history.last_release.map(|last| last + RELEASE_INTERVAL);
            let release = next.map_or(open_until, |next| next.max(open_until));
            let release = release.min(now + OpenCircuit::LONGEST);
            history.last_release = Some(release);
            release
        })
    }

    fn with<T>(
        &self,
        id: Endpoint,
        now: Timestamp,
        change: impl FnOnce(&mut EndpointHistory) -> T,
    ) -> T {
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
        // A panic leaves whole observations behind, which are still valid.
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
    fn endpoints_are_tracked_separately_and_start_anew_when_a_circuit_breaker_opens() {
        let policy = CircuitPolicy::new(80, 3, 30).unwrap();
        let tracker = HealthTracker::default();
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
    fn the_history_of_another_url_does_not_count() {
        let policy = CircuitPolicy::new(80, 3, 30).unwrap();
        let tracker = HealthTracker::default();
        let opens = |hash| {
            let endpoint = Endpoint { hash, ..id(1) };
            tracker
                .add(endpoint, failure(NOW), Some(&policy))
                .fails_at_rate
        };
        assert_eq!([opens(1), opens(1), opens(2), opens(2)], [false; 4]);
        assert!(opens(2));
    }

    #[test]
    fn the_oldest_history_is_removed_when_the_tracker_is_full() {
        let tracker = HealthTracker::default();
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
    fn deferred_deliveries_are_released_one_after_another() {
        let tracker = HealthTracker::default();
        let open_until = NOW + Duration::from_secs(30);
        let mut releases: Vec<_> = (0..5)
            .map(|_| tracker.release_at(id(1), open_until, NOW))
            .collect();
        let after = |releases: &[Timestamp]| -> Vec<u128> {
            let waits = releases.iter().map(|at| at.since(open_until).as_millis());
            waits.collect()
        };
        assert_eq!(after(&releases), [0, 100, 200, 300, 400]);
        assert_eq!(tracker.release_at(id(2), open_until, NOW), open_until);
        // A circuit breaker that stays open for longer starts a new sequence of release times.
        let longer = open_until + Duration::from_mins(1);
        releases = (0..2)
            .map(|_| tracker.release_at(id(1), longer, NOW))
            .collect();
        assert_eq!(after(&releases), [60_000, 60_100]);
    }

    #[test]
    fn no_delivery_is_deferred_for_longer_than_the_longest_queue_delay() {
        let tracker = HealthTracker::default();
        let latest = NOW + OpenCircuit::LONGEST;
        let times: Vec<_> = (0..10_000)
            .map(|_| tracker.release_at(id(1), NOW, NOW))
            .collect();
        assert!(times.is_sorted());
        assert_eq!(times.last(), Some(&latest));
        // After some time release times are free again.
        let later = NOW + Duration::from_secs(1);
        let next = tracker.release_at(id(1), NOW, later);
        assert_eq!(next, latest + RELEASE_INTERVAL);
    }
}
