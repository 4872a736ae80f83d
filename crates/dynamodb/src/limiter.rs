//! The limiter in front of an endpoint with limits: one item, which every delivery to it writes.
//!
//! | attribute | of [`EndpointLimiter`] | |
//! |---|---|---|
//! | `lineOf` | `of` | |
//! | `lineEnd` | `end` | ns since 1970 |
//! | `nextAt` | `theoretical_arrival_time` | ns since 1970 |
//! | `slot0`, `slot1`, … | `slots` | ns since 1970 |
//! | `heldMs` | `held` | ms |
//!
//! DynamoDB has no maximum of two numbers, so each write is made for the limiter as it is thought
//! to be, under the condition that it is so. A write that is refused gives the limiter as it is,
//! and the next one is made for that.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::limits::{
    LimiterDecision, AdmissionRequest, EndpointLimiter, Nanos, RateStep, Lease, ReservationRequest, Grant, as_nanos,
};
use webhooks_domain::ports::{LimiterStore, StoreError};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::item::Key;
use crate::store::{AttributeMap, number, to_attributes, unavailable, write_outcome};

const RESERVE: &str = "take a turn";
const ENTER: &str = "enter a limiter";
const SLOT_PREFIX: &str = "slot";
/// How often a write is tried that others get in the grant of.
const MAX_TRIES: u32 = 5;
/// For how long a limiter is kept that nobody writes: longer than a task waits in any queue. All
/// its times have passed by then, so one that has expired is as good as none.
const KEPT: Duration = Duration::from_hours(15 * 24);

impl LimiterStore for DynamoStore {
    async fn enter(
        &self,
        id: &SubscriptionId,
        request: &AdmissionRequest,
    ) -> Result<LimiterDecision, StoreError> {
        let mut grant = request.optimistic_grant();
        let mut limiter = EndpointLimiter::default();
        for _ in 0..MAX_TRIES {
            limiter = match self.try_grant(id, request, grant).await? {
                None => return Ok(LimiterDecision::Admitted(grant.slot)),
                Some(limiter) => limiter,
            };
            if let Some(slot) = limiter.lease_of(request) {
                return Ok(LimiterDecision::Admitted(Some(slot)));
            }
            match limiter.grant(request) {
                Some(next) => grant = next,
                None => break,
            }
        }
        // Or others were quicker each time: then it is as good as full.
        Ok(LimiterDecision::Refused(limiter))
    }

    async fn reserve(
        &self,
        id: &SubscriptionId,
        request: &ReservationRequest,
    ) -> Result<Timestamp, StoreError> {
        let mut joins = request.joins;
        for _ in 0..MAX_TRIES {
            let turn = if joins {
                self.join_backlog(id, request).await?
            } else {
                self.begin_backlog(id, request).await?
            };
            match turn {
                Some(turn) => return Ok(turn.into()),
                None => joins = !joins,
            }
        }
        Err(unavailable(
            RESERVE,
            std::io::Error::other("others were quicker each time"),
        ))
    }

    async fn leave(
        &self,
        id: &SubscriptionId,
        lease: Lease,
        held: Duration,
    ) -> Result<(), StoreError> {
        let held = i64::try_from(held.as_millis()).unwrap_or(i64::MAX);
        let update = self
            .update_limiter(id)
            .update_expression("SET heldMs = :held REMOVE #slot")
            .condition_expression("#slot = :expiry")
            .expression_attribute_names("#slot", slot_name(lease.slot))
            .expression_attribute_values(":held", number(held))
            .expression_attribute_values(":expiry", number(slot.expires_at.0));
        write_outcome(update.send().await, "leave a slot").map(drop)
    }
}

impl DynamoStore {
    /// Lets one in by this grant. `None` when it is in; else the limiter as it is.
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
            conditions.push("(attribute_not_exists(lineEnd) OR lineEnd <= :past OR lineOf <> :of)");
            update = update
                .expression_attribute_values(":past", number(request.past().0))
                .expression_attribute_values(":of", number(request.of.version));
        }
        match grant.rate_step {
            None => {}
            Some(RateStep::Advance { from, by }) => {
                set.push("nextAt = nextAt + :by");
                conditions.push("nextAt BETWEEN :from AND :now");
                update = update
                    .expression_attribute_values(":by", number(as_nanos(by)))
                    .expression_attribute_values(":from", number(from.0));
            }
            Some(RateStep::Restart { from, by }) => {
                set.push("nextAt = :next");
                conditions.push("(attribute_not_exists(nextAt) OR nextAt < :from)");
                update = update
                    .expression_attribute_values(":next", number((from + by).0))
                    .expression_attribute_values(":from", number(from.0));
            }
        }
        if let Some(slot) = grant.slot {
            set.push("#slot = :expiry");
            conditions.push("(attribute_not_exists(#slot) OR #slot <= :now)");
            update = update
                .expression_attribute_names("#slot", slot_name(lease.slot))
                .expression_attribute_values(":expiry", number(slot.expires_at.0));
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
            Err(error) => refused(error, ENTER).map(|item| Some(limiter(&item))),
        }
    }

    /// Takes the turn at the end of a limiter, if there is one for these limits. `None` if not.
    async fn join_backlog(
        &self,
        id: &SubscriptionId,
        request: &ReservationRequest,
    ) -> Result<Option<Nanos>, StoreError> {
        let result = self
            .update_limiter(id)
            .update_expression("SET lineEnd = lineEnd + :interval, expiresAt = :expires")
            .condition_expression("lineEnd >= :earliest AND lineOf = :of")
            .expression_attribute_values(":interval", number(as_nanos(request.interval)))
            .expression_attribute_values(":earliest", number(request.earliest.0))
            .expression_attribute_values(":of", number(request.of.version))
            .expression_attribute_values(":expires", expires(request.earliest))
            .return_values(ReturnValue::UpdatedOld)
            .send()
            .await;
        match result {
            Ok(output) => Ok(output.attributes.as_ref().and_then(|old| limiter(old).end)),
            Err(error) => refused(error, RESERVE).map(|_| None),
        }
    }

    /// Begins a limiter with the earliest turn, if there is none for these limits by then. `None`
    /// if there is.
    async fn begin_backlog(
        &self,
        id: &SubscriptionId,
        request: &ReservationRequest,
    ) -> Result<Option<Nanos>, StoreError> {
        let end = request.earliest + request.interval;
        let result = self
            .update_limiter(id)
            .update_expression("SET lineEnd = :end, lineOf = :of, expiresAt = :expires")
            .condition_expression(
                "attribute_not_exists(lineEnd) OR lineEnd < :earliest OR lineOf <> :of",
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

/// The item whose condition did not hold, empty when there is none; any other error stays one.
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

/// A limiter from its item, or from a part of it.
fn limiter(item: &AttributeMap) -> EndpointLimiter {
    let integer =
        |attribute: &str| -> Option<i64> { item.get(attribute)?.as_n().ok()?.parse().ok() };
    let nanos = |attribute: &str| integer(attribute).map(Nanos);
    let slot = |attribute: &String| {
        let slot = attribute.strip_prefix(SLOT_PREFIX)?.parse::<u16>().ok()?;
        Some((slot, nanos(attribute)?))
    };
    let held = integer("heldMs").and_then(|held| u64::try_from(held).ok());
    EndpointLimiter {
        of: integer("lineOf").and_then(|of| u64::try_from(of).ok()),
        end: nanos("lineEnd"),
        theoretical_arrival_time: nanos("nextAt"),
        slots: item.keys().filter_map(slot).collect::<BTreeMap<_, _>>(),
        held: held.map(Duration::from_millis),
    }
}

fn slot_name(number: u16) -> String {
    format!("{SLOT_PREFIX}{number}")
}

/// When a limiter that is written now is forgotten, in seconds since 1970.
fn expires(now: Nanos) -> AttributeValue {
    number((Timestamp::from(now) + KEPT).as_secs())
}
