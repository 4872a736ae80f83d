//! The limiter of an endpoint with limits: one item, which every delivery to it writes.
//!
//! | attribute | of [`EndpointLimiter`] | |
//! |---|---|---|
//! | `limitsVersion` | `version` | |
//! | `nextReservationAt` | `next_reservation_at` | ns since 1970 |
//! | `theoreticalArrivalAt` | `theoretical_arrival_time` | ns since 1970 |
//! | `slot0`, `slot1`, … | `leases`: when each expires | ns since 1970 |
//! | `lastHeldMs` | `last_held` | ms |
//!
//! DynamoDB expressions have no maximum of two numbers. So each write assumes a state of the
//! limiter and is conditional on it. A refused write returns the actual state, and the next one
//! assumes that.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::limits::{
    AdmissionRequest, EndpointLimiter, Grant, Lease, LimiterDecision, Nanos, RateStep,
    ReservationRequest, as_nanos,
};
use webhooks_domain::ports::{LimiterStore, StoreError};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::item::Key;
use crate::store::{AttributeMap, number, to_attributes, unavailable, write_outcome};

const RESERVE: &str = "reserve a time";
const ADMIT: &str = "admit a delivery";
const SLOT_PREFIX: &str = "slot";
/// The number of tries of a write that conflicts with others.
const MAX_TRIES: u32 = 5;
/// The time for which a limiter is kept after its last write. It is longer than a task stays in any
/// queue. By then all its times have passed, so an expired limiter equals a new one.
const KEPT: Duration = Duration::from_hours(15 * 24);

impl LimiterStore for DynamoStore {
    async fn admit(
        &self,
        id: &SubscriptionId,
        request: &AdmissionRequest,
    ) -> Result<LimiterDecision, StoreError> {
        let mut grant = request.optimistic_grant();
        let mut limiter = EndpointLimiter::default();
        for _ in 0..MAX_TRIES {
            limiter = match self.try_grant(id, request, grant).await? {
                None => return Ok(LimiterDecision::Admitted(grant.lease)),
                Some(limiter) => limiter,
            };
            if let Some(lease) = limiter.lease_of(request) {
                return Ok(LimiterDecision::Admitted(Some(lease)));
            }
            match limiter.grant(request) {
                Some(next) => grant = next,
                None => break,
            }
        }
        // If every try has a conflict, the limiter is so busy that it counts as full.
        Ok(LimiterDecision::Refused(limiter))
    }

    async fn reserve(
        &self,
        id: &SubscriptionId,
        request: &ReservationRequest,
    ) -> Result<Timestamp, StoreError> {
        let mut joins = request.joins;
        for _ in 0..MAX_TRIES {
            let reserved = if joins {
                self.join_backlog(id, request).await?
            } else {
                self.begin_backlog(id, request).await?
            };
            match reserved {
                Some(reserved) => return Ok(reserved.into()),
                None => joins = !joins,
            }
        }
        Err(unavailable(
            RESERVE,
            std::io::Error::other("every write conflicted with another"),
        ))
    }

    async fn release(
        &self,
        id: &SubscriptionId,
        lease: Lease,
        held: Duration,
    ) -> Result<(), StoreError> {
        let held = i64::try_from(held.as_millis()).unwrap_or(i64::MAX);
        let update = self
            .update_limiter(id)
            .update_expression("SET lastHeldMs = :held REMOVE #slot")
            .condition_expression("#slot = :expiry")
            .expression_attribute_names("#slot", slot_name(lease.slot))
            .expression_attribute_values(":held", number(held))
            .expression_attribute_values(":expiry", number(lease.expires_at.0));
        write_outcome(update.send().await, "release a lease").map(drop)
    }
}

impl DynamoStore {
    /// Tries to admit a delivery by this grant. `None` if it is admitted, else the actual limiter.
    async fn try_grant(
        &self,
        id: &SubscriptionId,
        request: &AdmissionRequest,
        grant: Grant,
    ) -> Result<Option<EndpointLimiter>, StoreError> {
        let mut update = self
            .update_limiter(id)
            .expression_attribute_values(":expires", expires(request.now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut set = vec!["expiresAt = :expires"];
        let mut conditions = Vec::new();
        if !request.has_waited {
            conditions.push("(attribute_not_exists(nextReservationAt) OR nextReservationAt <= :past OR limitsVersion <> :of)");
            update = update
                .expression_attribute_values(":past", number(request.backlog_drained_at().0))
                .expression_attribute_values(":of", number(request.of.version));
        }
        match grant.rate_step {
            None => {}
            Some(RateStep::Advance { from, by }) => {
                set.push("theoreticalArrivalAt = theoreticalArrivalAt + :by");
                conditions.push("theoreticalArrivalAt BETWEEN :from AND :now");
                update = update
                    .expression_attribute_values(":by", number(as_nanos(by)))
                    .expression_attribute_values(":from", number(from.0));
            }
            Some(RateStep::Restart { from, by }) => {
                set.push("theoreticalArrivalAt = :next");
                conditions.push(
                    "(attribute_not_exists(theoreticalArrivalAt) OR theoreticalArrivalAt < :from)",
                );
                update = update
                    .expression_attribute_values(":next", number((from + by).0))
                    .expression_attribute_values(":from", number(from.0));
            }
        }
        if let Some(lease) = grant.lease {
            set.push("#slot = :expiry");
            conditions.push("(attribute_not_exists(#slot) OR #slot <= :now)");
            update = update
                .expression_attribute_names("#slot", slot_name(lease.slot))
                .expression_attribute_values(":expiry", number(lease.expires_at.0));
        }
        let condition = conditions.join(" AND ");
        // DynamoDB refuses a value that no expression uses.
        if condition.contains(":now") {
            update = update.expression_attribute_values(":now", number(request.now.0));
        }
        let result = update
            .update_expression(format!("SET {}", set.join(", ")))
            .condition_expression(condition)
            .send()
            .await;
        match result {
            Ok(_) => Ok(None),
            Err(error) => refused(error, ADMIT).map(|item| Some(limiter(&item))),
        }
    }

    /// Reserves the next time of the backlog. `None` if there is no backlog under these limits.
    async fn join_backlog(
        &self,
        id: &SubscriptionId,
        request: &ReservationRequest,
    ) -> Result<Option<Nanos>, StoreError> {
        let result = self
            .update_limiter(id)
            .update_expression(
                "SET nextReservationAt = nextReservationAt + :interval, expiresAt = :expires",
            )
            .condition_expression("nextReservationAt >= :earliest AND limitsVersion = :of")
            .expression_attribute_values(":interval", number(as_nanos(request.interval)))
            .expression_attribute_values(":earliest", number(request.earliest.0))
            .expression_attribute_values(":of", number(request.of.version))
            .expression_attribute_values(":expires", expires(request.earliest))
            .return_values(ReturnValue::UpdatedOld)
            .send()
            .await;
        match result {
            Ok(output) => Ok(output
                .attributes
                .as_ref()
                .and_then(|old| limiter(old).next_reservation_at)),
            Err(error) => refused(error, RESERVE).map(|_| None),
        }
    }

    /// Starts a backlog with the earliest time. `None` if there is one under these limits.
    async fn begin_backlog(
        &self,
        id: &SubscriptionId,
        request: &ReservationRequest,
    ) -> Result<Option<Nanos>, StoreError> {
        let end = request.earliest + request.interval;
        let result = self
            .update_limiter(id)
            .update_expression("SET nextReservationAt = :end, limitsVersion = :of, expiresAt = :expires")
            .condition_expression(
                "attribute_not_exists(nextReservationAt) OR nextReservationAt < :earliest OR limitsVersion <> :of",
            )
            .expression_attribute_values(":end", number(end.0))
            .expression_attribute_values(":earliest", number(request.earliest.0))
            .expression_attribute_values(":of", number(request.of.version))
            .expression_attribute_values(":expires", expires(request.earliest))
            .send()
            .await;
        match result {
            Ok(_) => Ok(Some(request.earliest)),
            Err(error) => refused(error, RESERVE).map(|_| None),
        }
    }

    fn update_limiter(&self, id: &SubscriptionId) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::limiter(id))))
    }
}

/// The item whose condition was false, empty if there is none. Other errors are returned.
fn refused(
    error: SdkError<UpdateItemError>,
    operation: &'static str,
) -> Result<AttributeMap, StoreError> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
            Ok(failed.item.clone().unwrap_or_default())
        }
        _ => Err(unavailable(operation, error)),
    }
}

/// Reads a limiter from its item, or from some of its attributes.
fn limiter(item: &AttributeMap) -> EndpointLimiter {
    let integer =
        |attribute: &str| -> Option<i64> { item.get(attribute)?.as_n().ok()?.parse().ok() };
    let nanos = |attribute: &str| integer(attribute).map(Nanos);
    let slot = |attribute: &String| {
        let slot = attribute.strip_prefix(SLOT_PREFIX)?.parse::<u16>().ok()?;
        Some((slot, nanos(attribute)?))
    };
    let held = integer("lastHeldMs").and_then(|held| u64::try_from(held).ok());
    EndpointLimiter {
        version: integer("limitsVersion").and_then(|of| u64::try_from(of).ok()),
        next_reservation_at: nanos("nextReservationAt"),
        theoretical_arrival_time: nanos("theoreticalArrivalAt"),
        leases: item.keys().filter_map(slot).collect::<BTreeMap<_, _>>(),
        last_held: held.map(Duration::from_millis),
    }
}

fn slot_name(number: u16) -> String {
    format!("{SLOT_PREFIX}{number}")
}

/// The time at which a limiter that is written now expires, in seconds since 1970.
fn expires(now: Nanos) -> AttributeValue {
    number((Timestamp::from(now) + KEPT).as_secs())
}
