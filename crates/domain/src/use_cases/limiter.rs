//! Admission by a limiter.
//!
//! [`crate::limits`] has the rules. A change is tried at once, as if the limiter had the most
//! likely state. If that is refused, the store returns the actual state, and the next try uses it.

use std::time::Duration;

use crate::limits::{
    AdmissionRequest, EndpointLimiter, Lease, LimiterDecision, LimiterId, LimiterOutcome,
    ReservationRequest,
};
use crate::ports::{LimiterStore, StoreError};
use crate::timestamp::Timestamp;

/// The number of tries of a change that conflicts with others.
const MAX_TRIES: u32 = 5;

/// Admits a delivery if the limits allow it. Retrying a request whose response was lost is
/// idempotent if concurrency is limited; otherwise it counts once more against the rate.
pub async fn admit(
    store: &impl LimiterStore,
    id: &LimiterId,
    request: &AdmissionRequest,
) -> Result<LimiterDecision, StoreError> {
    let mut grant = request.optimistic_grant();
    let mut limiter = EndpointLimiter::default();
    for _ in 0..MAX_TRIES {
        limiter = match store.change_limiter(id, &request.change(grant)).await? {
            LimiterOutcome::Changed(_) => return Ok(LimiterDecision::Admitted(grant.lease)),
            LimiterOutcome::Refused(limiter) => limiter,
        };
        if let Some(lease) = limiter.lease_of(request) {
            return Ok(LimiterDecision::Admitted(Some(lease)));
        }
        match limiter.grant(request) {
            Some(next) => grant = next,
            None => break,
        }
    }
    // If every try conflicts with another change, the limiter is so busy that it counts as full.
    Ok(LimiterDecision::Refused(limiter))
}

/// Reserves the next free time, after this limiter has refused the delivery. A reservation that is
/// not used is lost.
///
/// # Errors
/// If the table fails, or every try conflicts with another change.
pub async fn reserve(
    store: &impl LimiterStore,
    id: &LimiterId,
    request: &ReservationRequest,
    refused_by: &EndpointLimiter,
) -> Result<Timestamp, StoreError> {
    let mut limiter = refused_by.clone();
    for _ in 0..MAX_TRIES {
        limiter = match store.change_limiter(id, &request.change(&limiter)).await? {
            LimiterOutcome::Changed(before) => return Ok(request.reserved(&before).into()),
            LimiterOutcome::Refused(limiter) => limiter,
        };
    }
    Err(StoreError::Unavailable {
        operation: "reserve a time",
        source: "every change of the limiter conflicted with another".into(),
    })
}

/// Releases a lease that was held for this long, or that was not used. Does nothing if the lease is
/// not held any more.
pub async fn release(
    store: &impl LimiterStore,
    id: &LimiterId,
    lease: Lease,
    held: Option<Duration>,
) -> Result<(), StoreError> {
    let (LimiterOutcome::Changed(_) | LimiterOutcome::Refused(_)) =
        store.change_limiter(id, &lease.release(held)).await?;
    Ok(())
}
