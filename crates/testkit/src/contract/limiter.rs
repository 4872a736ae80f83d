//! Limiters.

use std::time::Duration;

use webhooks_domain::limiter;
use webhooks_domain::limits::{
    CustomerLimit, EndpointLimiter, Lease, LimiterDecision, LimiterId, Limits, LimitsInForce,
    Requirement,
};
use webhooks_domain::ports::LimiterStore;
use webhooks_domain::timestamp::Timestamp;

use crate::samples;

const SECOND: Duration = Duration::from_secs(1);

fn seconds(seconds: u32) -> Timestamp {
    samples::NOW + SECOND * seconds
}

/// Asks one limiter.
struct Asking<'a, L> {
    store: &'a L,
    of: LimitsInForce,
    id: LimiterId,
}

impl<'a, L: LimiterStore> Asking<'a, L> {
    fn new(store: &'a L, subscription: u128, rate: Option<u64>, in_flight: Option<u64>) -> Self {
        let bound = "within bounds";
        let limits = Limits {
            rate: rate.map(|rate| rate.try_into().expect(bound)),
            in_flight: in_flight.map(|most| most.try_into().expect(bound)),
        };
        Self {
            store,
            of: LimitsInForce::of_subscription(limits, 1),
            id: LimiterId::Subscription(samples::subscription_id(subscription)),
        }
    }

    /// Asks the limiter of all subscriptions of a customer.
    fn of_customer(store: &'a L, salt: &str, rate: u64) -> Self {
        let rate = rate.try_into().expect("within bounds");
        Self {
            store,
            of: CustomerLimit { rate, version: 1 }.into(),
            id: LimiterId::Customer(samples::customer(salt)),
        }
    }

    async fn admit(&self, random: u32, has_waited: bool, now: Timestamp) -> LimiterDecision {
        let until = now + 5 * SECOND;
        let request = self.of.admission(random, has_waited, now, until);
        let decision = limiter::admit(self.store, &self.id, &request);
        decision.await.expect("answers")
    }

    async fn lease(&self, random: u32, now: Timestamp) -> Lease {
        match self.admit(random, false, now).await {
            LimiterDecision::Admitted(Some(slot)) => slot,
            other => panic!("expected a lease, got {other:?}"),
        }
    }

    async fn refused(&self, random: u32, has_waited: bool, now: Timestamp) -> EndpointLimiter {
        match self.admit(random, has_waited, now).await {
            LimiterDecision::Refused(limiter) => limiter,
            decision @ LimiterDecision::Admitted(_) => panic!("admitted: {decision:?}"),
        }
    }

    async fn reservation(&self, refused_by: &EndpointLimiter, now: Timestamp) -> Timestamp {
        let request = self.of.reservation(refused_by, now);
        let reserved = limiter::reserve(self.store, &self.id, &request, refused_by);
        reserved.await.expect("answers")
    }

    async fn release(&self, lease: Lease, held: Option<Duration>) {
        let released = limiter::release(self.store, &self.id, lease, held);
        released.await.expect("answers");
    }
}

/// Admissions stay within the limits, and a new delivery waits behind the backlog.
pub async fn limiters(store: &impl LimiterStore) {
    rate(store).await;
    concurrency(store).await;
    both(store).await;
    customers(store).await;
}

/// The limiter of a customer is not that of another, nor that of a subscription.
async fn customers(store: &impl LimiterStore) {
    let [first, second] =
        ["limited-a", "limited-b"].map(|salt| Asking::of_customer(store, salt, 1));
    for asking in [&first, &second] {
        for number in 0..2 {
            let decision = asking.admit(number, false, seconds(0)).await;
            assert_eq!(decision, LimiterDecision::Admitted(None), "the burst");
        }
    }
    let limiter = first.refused(3, false, seconds(0)).await;
    assert_eq!(first.reservation(&limiter, seconds(0)).await, seconds(1));
    let limiter = second.refused(3, false, seconds(0)).await;
    assert_eq!(limiter.next_reservation_at, None, "no delivery waits");
}

async fn rate(store: &impl LimiterStore) {
    let asking = Asking::new(store, 71, Some(2), None);
    for number in 0..4 {
        let decision = asking.admit(number, false, seconds(0)).await;
        assert_eq!(
            decision,
            LimiterDecision::Admitted(None),
            "the burst of two seconds"
        );
    }
    let limiter = asking.refused(4, false, seconds(0)).await;
    assert_eq!(limiter.next_reservation_at, None, "no delivery waits");
    assert_eq!(asking.reservation(&limiter, seconds(0)).await, seconds(1));
    let second = seconds(1) + 2 * SECOND / 5;
    let reserved_at = asking.reservation(&limiter, seconds(0)).await;
    assert_eq!(
        reserved_at, second,
        "the second reservation is after the first, although the caller's copy is stale"
    );
    let limiter = asking.refused(5, false, seconds(2)).await;
    assert_eq!(
        limiter.next_reservation_at,
        Some((second + 2 * SECOND / 5).into()),
        "two deliveries wait"
    );
    assert_eq!(asking.reservation(&limiter, seconds(2)).await, seconds(3));
    for number in 6..10 {
        let decision = asking.admit(number, true, seconds(2)).await;
        assert_eq!(
            decision,
            LimiterDecision::Admitted(None),
            "deliveries that have waited are admitted first"
        );
    }
    asking.refused(10, true, seconds(2)).await;
    let decision = asking.admit(11, false, seconds(9)).await;
    assert_eq!(
        decision,
        LimiterDecision::Admitted(None),
        "the backlog is over"
    );

    let version = LimitsInForce {
        version: 2,
        ..asking.of
    };
    asking
        .reservation(&EndpointLimiter::default(), seconds(9))
        .await;
    asking.refused(12, false, seconds(9)).await;
    let other = Asking {
        of: version,
        ..asking
    };
    let decision = other.admit(13, false, seconds(9)).await;
    assert_eq!(
        decision,
        LimiterDecision::Admitted(None),
        "a backlog of an earlier version does not count"
    );
    let reserved_at = other
        .reservation(&EndpointLimiter::default(), seconds(9))
        .await;
    assert_eq!(
        reserved_at,
        seconds(10),
        "the new version has its own backlog"
    );
}

async fn concurrency(store: &impl LimiterStore) {
    let asking = Asking::new(store, 72, None, Some(2));
    let first = asking.lease(0, seconds(0)).await;
    let second = asking.lease(2, seconds(0)).await;
    assert_ne!(first.slot, second.slot);
    let limiter = asking.refused(4, false, seconds(0)).await;
    assert_eq!(limiter.leases.len(), 2, "both slots are leased");
    asking.release(first, Some(3 * SECOND)).await;
    let third = asking.lease(3, seconds(1)).await;
    assert_eq!(third.slot, first.slot, "the released slot is leased again");
    // The request is repeated, because its response was lost.
    assert_eq!(asking.lease(3, seconds(1)).await, third);
    asking.release(first, Some(SECOND)).await;
    let limiter = asking.refused(5, true, seconds(1)).await;
    assert!(
        limiter.meets(Requirement::Holds(third)),
        "a late release does not end the new lease of the slot"
    );
    assert_eq!(limiter.last_held, Some(3 * SECOND));
    let later = seconds(5) + SECOND / 2;
    let over = asking.lease(6, later).await;
    assert_eq!(over.slot, second.slot, "the lease has expired");
}

async fn both(store: &impl LimiterStore) {
    let asking = Asking::new(store, 73, Some(1), Some(3));
    for number in 0..2 {
        asking.lease(number, seconds(0)).await;
    }
    let limiter = asking.refused(2, false, seconds(0)).await;
    assert_eq!(
        limiter.leases.len(),
        2,
        "a slot is free, but the rate is used up"
    );
    asking.lease(3, seconds(1)).await;
    let limiter = asking.refused(4, true, seconds(3)).await;
    assert_eq!(
        limiter.leases.len(),
        3,
        "the rate allows it, but no slot is free"
    );
    let decision = asking.admit(4, true, seconds(7)).await;
    assert!(
        matches!(decision, LimiterDecision::Admitted(Some(_))),
        "{decision:?}"
    );
}
