//! Tests of the limits and their limiter, by simulation.

use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn limits(rate: Option<u64>, in_flight: Option<u64>) -> LimitsInForce {
    let limits = Limits {
        rate: rate.map(|rate| rate.try_into().unwrap()),
        in_flight: in_flight.map(|most| most.try_into().unwrap()),
    };
    LimitsInForce::of_subscription(limits, 1)
}

fn admission_request(
    of: LimitsInForce,
    random: u32,
    has_waited: bool,
    now: Timestamp,
) -> AdmissionRequest {
    of.admission(random, has_waited, now, now + SECOND)
}

/// Admits a delivery by the change that every store makes.
fn admit(limiter: &mut EndpointLimiter, request: &AdmissionRequest) -> Option<Grant> {
    let grant = limiter.grant(request)?;
    let outcome = limiter.change(&request.change(grant));
    assert!(matches!(outcome, LimiterOutcome::Changed(_)), "{outcome:?}");
    Some(grant)
}

/// Reserves the next free time, in the same way.
fn reserve(limiter: &mut EndpointLimiter, of: LimitsInForce, now: Timestamp) -> Nanos {
    let request = of.reservation(limiter, now);
    let change = request.change(limiter);
    match limiter.change(&change) {
        LimiterOutcome::Changed(before) => request.reserved(&before),
        refused @ LimiterOutcome::Refused(_) => panic!("{refused:?}"),
    }
}

#[test]
fn limits_are_bounded() {
    for (given, valid) in [(0, false), (1, true), (200, true), (201, false)] {
        assert_eq!(RateLimit::try_from(given).is_ok(), valid, "{given}");
    }
    for (given, valid) in [(0, false), (50, true), (51, false), (u64::MAX, false)] {
        assert_eq!(MaxInFlight::try_from(given).is_ok(), valid, "{given}");
    }
    let error = RateLimit::try_from(201).unwrap_err();
    assert_eq!(error.to_string(), "must be 1 to 200, is 201");
}

#[test]
fn a_new_delivery_waits_behind_the_backlog_of_the_same_version() {
    let one = limits(Some(1), None);
    let two = LimitsInForce { version: 2, ..one };
    let mut limiter = EndpointLimiter::default();
    let reserved_at = reserve(&mut limiter, one, NOW);
    assert_eq!(reserved_at, Nanos::from(NOW + SECOND));
    assert_eq!(
        limiter.grant(&admission_request(one, 1, false, NOW)),
        None,
        "other deliveries wait"
    );
    assert!(
        limiter
            .grant(&admission_request(one, 1, true, NOW))
            .is_some()
    );
    assert!(
        limiter
            .grant(&admission_request(two, 1, false, NOW))
            .is_some()
    );
    let behind = reserve(&mut limiter, one, NOW);
    assert_eq!(behind, Nanos::from(NOW + SECOND + SECOND * 4 / 5));
    let end = SECOND + 2 * (SECOND * 4 / 5);
    assert_eq!(
        (limiter.wait(one, NOW), limiter.wait(two, NOW)),
        (end, Duration::ZERO)
    );
    assert_eq!(
        limiter.grant(&admission_request(one, 1, false, NOW + end)),
        None,
        "the last delivery may still arrive"
    );
    assert!(
        limiter
            .grant(&admission_request(one, 1, false, NOW + end + SECOND))
            .is_some()
    );
}

#[test]
fn reservations_are_closer_together_than_the_limit_allows() {
    let held = |millis| Some(Duration::from_millis(millis));
    let interval = |rate, most, held| {
        let limits = limits(rate, most).limits;
        limits.reservation_interval(held).as_millis()
    };
    assert_eq!(interval(Some(10), None, None), 80);
    assert_eq!(interval(None, Some(5), None), 50);
    assert_eq!(interval(None, Some(4), held(400)), 25);
    assert_eq!(interval(Some(10), Some(4), held(400)), 80);
    assert_eq!(interval(None, Some(1), held(0)), 12);
    assert_eq!(interval(None, Some(1), held(30_000)), 500);
}

#[test]
fn a_slot_is_free_without_a_lease_or_after_its_expiry() {
    let request = admission_request(limits(None, Some(3)), 1, false, NOW);
    assert_eq!(request.first_slot, 1);
    let now = request.now;
    let later = Nanos(now.0 + 1);
    for (taken, free) in [
        ([None, None, None], Some(1)),
        ([None, Some(later), None], Some(2)),
        ([Some(now), Some(later), Some(later)], Some(0)),
        ([Some(later); 3], None),
    ] {
        let taken = (0..).zip(taken).filter_map(|(n, until)| Some((n, until?)));
        let limiter = EndpointLimiter {
            leases: taken.collect(),
            ..EndpointLimiter::default()
        };
        let grant = limiter.grant(&request);
        let slot = grant.map(|grant| grant.lease.unwrap().slot);
        assert_eq!(slot, free, "{limiter:?}");
    }
}

/// The deliveries to an endpoint: first a burst, and then this many a minute.
struct Traffic {
    of: LimitsInForce,
    burst: usize,
    per_minute: u32,
    /// The duration of a lease.
    held: Duration,
    /// The limits that apply from a later time on.
    changed: Option<(Timestamp, LimitsInForce)>,
}

/// The results of a simulation.
struct Outcome {
    /// The waiting time of each delivery.
    waits: Vec<Duration>,
    /// The number of requests to the limiter.
    requests: usize,
    /// The number of receipts from the queue.
    received: usize,
}

impl Traffic {
    /// Simulates an hour, with a queue that counts in seconds and is sometimes late.
    fn simulate_an_hour(&self) -> Outcome {
        let hour = Duration::from_hours(1);
        let mut random = 1_u64;
        let mut up_to = |millis: u64| {
            // Knuth's MMIX generator: the same numbers in every run.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            Duration::from_millis((random >> 33) % millis.max(1))
        };
        let mean = 60_000 / u64::from(self.per_minute.max(1));
        let mut arrivals: Vec<_> = (0..self.burst).map(|_| (NOW, NOW, None)).collect();
        let mut at = NOW;
        while self.per_minute > 0 && at.since(NOW) < hour {
            at = at + up_to(2 * mean);
            arrivals.push((at, at, None));
        }
        let mut heap: std::collections::BinaryHeap<_> =
            arrivals.into_iter().map(std::cmp::Reverse).collect();
        let (mut limiter, mut running) =
            (EndpointLimiter::default(), Vec::<(Timestamp, Lease)>::new());
        let mut outcome = Outcome {
            waits: Vec::new(),
            requests: 0,
            received: 0,
        };
        while let Some(std::cmp::Reverse((now, arrived_at, reserved))) = heap.pop() {
            running.retain(|(end, lease)| {
                if *end <= now {
                    limiter.leases.remove(&lease.slot);
                    limiter.last_held = Some(self.held);
                }
                *end > now
            });
            outcome.received += 1;
            let of = match self.changed {
                Some((at, changed)) if now >= at => changed,
                _ => self.of,
            };
            let reserved: Option<(Timestamp, u64)> = reserved;
            let reserved = reserved.map(|(not_before, version)| Reservation {
                not_before,
                limiter: LimiterKind::Subscription,
                version,
            });
            let mut reservation = reserved.filter(|reserved| reserved.is_ahead(of, now));
            if reservation.is_none() {
                outcome.requests += 1;
                let number = u32::try_from(outcome.requests).unwrap();
                let until = now + Duration::from_secs(30);
                if let Some(grant) = admit(
                    &mut limiter,
                    &of.admission(number, reserved.is_some(), now, until),
                ) {
                    running.extend(grant.lease.map(|slot| (now + self.held, slot)));
                    outcome.waits.push(now.since(arrived_at));
                    continue;
                }
                let not_before = reserve(&mut limiter, of, now).into();
                let version = of.version;
                reservation = Some(Reservation {
                    not_before,
                    limiter: LimiterKind::Subscription,
                    version,
                });
            }
            let reservation = reservation.unwrap();
            let wait = reservation.queue_delay(now).as_millis();
            let seconds = u64::try_from(wait.div_ceil(1_000)).unwrap();
            let back = now + Duration::from_secs(seconds) + up_to(200);
            let reserved = Some((reservation.not_before, reservation.version));
            heap.push(std::cmp::Reverse((back, arrived_at, reserved)));
        }
        outcome
    }
}

/// If the limiter is used below its capacity, the backlog must drain, even if few deliveries
/// arrive.
#[test]
fn a_backlog_drains_if_deliveries_arrive_below_the_limit() {
    let second = Duration::from_secs(1);
    for (rate, most, per_minute, held) in [
        (Some(1), None, 48, second),
        (Some(5), None, 240, second),
        (None, Some(1), 42, second),
        (None, Some(1), 900, Duration::from_millis(30)),
        (None, Some(5), 210, second),
        (Some(2), Some(1), 42, second),
    ] {
        let traffic = Traffic {
            of: limits(rate, most),
            burst: 100,
            per_minute,
            held,
            changed: None,
        };
        let outcome = traffic.simulate_an_hour();
        let last = &outcome.waits[outcome.waits.len() - 20..];
        let longest = last.iter().max().unwrap();
        assert!(
            *longest < Duration::from_mins(1),
            "{rate:?} {most:?}: {longest:?}"
        );
        let (requests, sent) = (outcome.requests, outcome.waits.len());
        assert!(
            requests < 8 * sent,
            "{requests} requests, {sent} sent: {rate:?} {most:?}"
        );
        let received = outcome.received;
        assert!(
            received < 10 * sent,
            "{received} received, {sent} sent: {rate:?} {most:?}"
        );
    }
}

#[test]
fn waiting_deliveries_follow_the_current_limits() {
    let in_force_at = Duration::from_secs(14);
    let changed = |rate, most| LimitsInForce {
        version: 2,
        ..limits(rate, most)
    };
    let last = |before, after| {
        let traffic = Traffic {
            of: before,
            burst: 240,
            per_minute: 0,
            held: Duration::from_secs(1),
            changed: Some((NOW + in_force_at, after)),
        };
        let outcome = traffic.simulate_an_hour();
        assert_eq!(outcome.waits.len(), 240);
        *outcome.waits.iter().max().unwrap()
    };
    let soon = in_force_at + SHORTEST_RECHECK + Duration::from_secs(10);
    let (slow, quick) = (limits(Some(1), None), changed(Some(100), None));
    assert!(last(slow, quick) < soon);
    assert!(last(slow, changed(None, None)) < soon);
    assert!(last(limits(None, Some(1)), changed(None, Some(50))) < soon);
    let (quick, slow) = (limits(Some(10), None), changed(Some(2), None));
    // 140 deliveries are sent at 10 a second, and the others at 2.
    assert!(last(quick, slow) > Duration::from_secs(45));
}

#[test]
fn a_longer_wait_is_checked_less_often() {
    let mut received = Vec::new();
    for minutes in [1, 4, 15, 120, 24 * 60] {
        let (mut now, mut count) = (NOW, 0);
        let reservation = Reservation {
            not_before: NOW + Duration::from_mins(minutes),
            limiter: LimiterKind::Subscription,
            version: 1,
        };
        while reservation.not_before > now {
            now = now + reservation.queue_delay(now);
            count += 1;
        }
        assert_eq!(now, reservation.not_before);
        received.push(count);
    }
    assert_eq!(received, [2, 8, 18, 34, 122]);
}

proptest! {
    /// Deliveries arrive with and without a reservation, at random times.
    #[test]
    fn webhooks_never_exceed_the_rate_and_the_burst_allowance(
        rate in 1..=200_u64,
        arrivals in proptest::collection::vec((0..100_u64, any::<bool>()), 1..200),
    ) {
        let limits = limits(Some(rate), None);
        let (mut now, mut limiter, mut sent) = (NOW, EndpointLimiter::default(), Vec::new());
        for (gap, has_waited) in arrivals {
            now = now + Duration::from_millis(gap);
            if admit(&mut limiter, &admission_request(limits, 1, has_waited, now)).is_some() {

                sent.push(now);
            }
        }
        for (n, first) in sent.iter().enumerate() {
            for (m, last) in sent.iter().enumerate().skip(n) {
                let millis = u64::try_from(last.since(*first).as_millis()).unwrap();
                let count = (m - n + 1) as u64;
                let allowed = (millis + 2_000) * rate / 1_000 + 1;
                prop_assert!(count <= allowed, "{count} in {millis} ms at {rate}");
            }
        }
    }

    #[test]
    fn concurrent_webhooks_never_exceed_the_slots(
        most in 1..=5_u64,
        deliveries in proptest::collection::vec((any::<u32>(), 0..600_u64, any::<bool>()), 1..100),
    ) {
        let limits = limits(None, Some(most));
        let (mut now, mut limiter, mut ends) = (NOW, EndpointLimiter::default(), Vec::new());
        for (random, gap, has_waited) in deliveries {
            now = now + Duration::from_millis(gap);
            if let Some(grant) = admit(&mut limiter, &admission_request(limits, random, has_waited, now)) {

                prop_assert!(limiter.meets(Requirement::Holds(grant.lease.unwrap())));
                ends.push(now + SECOND);
            }
            let in_flight = ends.iter().filter(|end| **end > now).count();
            prop_assert!(in_flight as u64 <= most);
        }
    }
}
