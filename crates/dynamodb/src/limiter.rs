//! A limiter: one item, which every delivery that it limits writes.
//!
//! | attribute | of [`EndpointLimiter`] | |
//! |---|---|---|
//! | `limitsVersion` | `version` | |
//! | `nextReservationAt` | `next_reservation_at` | ns since 1970 |
//! | `theoreticalArrivalAt` | `theoretical_arrival_time` | ns since 1970 |
//! | `slot0`, `slot1`, … | `leases`: when each expires | ns since 1970 |
//! | `lastHeldMs` | `last_held` | ms |
//!
//! A change of the limiter is one conditional update. This module only translates: each
//! [`Requirement`] is a condition, and each [`Update`] an assignment. A refused write returns the
//! actual state.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use webhooks_domain::limits::{
    EndpointLimiter, LimiterChange, LimiterId, LimiterOutcome, Nanos, Requirement, Update, as_nanos,
};
use webhooks_domain::ports::{LimiterStore, StoreError};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::key::Key;
use crate::store::{AttributeMap, integer, number, to_attributes, unavailable};

const CHANGE: &str = "change a limiter";
const SLOT_PREFIX: &str = "slot";
/// The time for which a limiter is kept after its last use: longer than a task stays in any queue.
/// All its times have passed by then, so an expired limiter equals a new one.
const KEPT: Duration = Duration::from_hours(15 * 24);

impl LimiterStore for DynamoStore {
    async fn change_limiter(
        &self,
        id: &LimiterId,
        change: &LimiterChange,
    ) -> Result<LimiterOutcome, StoreError> {
        let result = Expressions::of(change)
            .put_into(self.client.update_item())
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::limiter(id))))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(output) => {
                let before = output.attributes.unwrap_or_default();
                Ok(LimiterOutcome::Changed(limiter(&before)))
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let actual = failed.item.clone().unwrap_or_default();
                    Ok(LimiterOutcome::Refused(limiter(&actual)))
                }
                _ => Err(unavailable(CHANGE, error)),
            },
        }
    }
}

/// The expressions of an update, with the values that they use.
#[derive(Default)]
struct Expressions {
    conditions: Vec<String>,
    set: Vec<String>,
    remove: Vec<String>,
    values: Vec<AttributeValue>,
}

impl Expressions {
    fn of(change: &LimiterChange) -> Self {
        let mut expressions = Self::default();
        for requirement in &change.requires {
            expressions.require(*requirement);
        }
        for update in &change.updates {
            expressions.update(*update);
        }
        if let Some(used_at) = change.used_at {
            let expires_at = (Timestamp::from(used_at) + KEPT).as_secs();
            expressions.assign("expiresAt", expires_at);
        }
        expressions
    }

    fn require(&mut self, requirement: Requirement) {
        let condition = match requirement {
            Requirement::NoBacklogAfter { version, at } => format!(
                "(attribute_not_exists(nextReservationAt) OR nextReservationAt <= {} \
                 OR limitsVersion <> {})",
                self.value(at.0),
                self.value(version)
            ),
            Requirement::BacklogReaches { version, at } => format!(
                "nextReservationAt >= {} AND limitsVersion = {}",
                self.value(at.0),
                self.value(version)
            ),
            Requirement::ArrivalTimeWithin { from, until } => format!(
                "theoreticalArrivalAt BETWEEN {} AND {}",
                self.value(from.0),
                self.value(until.0)
            ),
            Requirement::ArrivalTimeBefore(from) => format!(
                "(attribute_not_exists(theoreticalArrivalAt) OR theoreticalArrivalAt < {})",
                self.value(from.0)
            ),
            Requirement::SlotFree { slot, now } => {
                let (slot, now) = (slot_name(slot), self.value(now.0));
                format!("(attribute_not_exists({slot}) OR {slot} <= {now})")
            }
            Requirement::Holds(lease) => {
                let expires_at = self.value(lease.expires_at.0);
                format!("{} = {expires_at}", slot_name(lease.slot))
            }
        };
        self.conditions.push(condition);
    }

    fn update(&mut self, update: Update) {
        match update {
            Update::AdvanceArrivalTime(by) => self.advance("theoreticalArrivalAt", by),
            Update::SetArrivalTime(next) => self.assign("theoreticalArrivalAt", next.0),
            Update::TakeLease(lease) => self.assign(&slot_name(lease.slot), lease.expires_at.0),
            Update::Release { slot, held } => {
                if let Some(held) = held {
                    let held = i64::try_from(held.as_millis()).unwrap_or(i64::MAX);
                    self.assign("lastHeldMs", held);
                }
                self.remove.push(slot_name(slot));
            }
            Update::AdvanceReservation(by) => self.advance("nextReservationAt", by),
            Update::BeginBacklog { version, next } => {
                self.assign("nextReservationAt", next.0);
                self.assign("limitsVersion", version);
            }
        }
    }

    fn assign(&mut self, attribute: &str, to: impl Into<i128>) {
        let value = self.value(to);
        self.set.push(format!("{attribute} = {value}"));
    }

    fn advance(&mut self, attribute: &str, by: Duration) {
        let value = self.value(as_nanos(by));
        self.set
            .push(format!("{attribute} = {attribute} + {value}"));
    }

    /// Adds a value. Returns its name.
    fn value(&mut self, value: impl Into<i128>) -> String {
        self.values.push(number(value));
        value_name(self.values.len() - 1)
    }

    fn put_into(self, update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        let clauses = [("SET", &self.set), ("REMOVE", &self.remove)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        let clauses = clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", ")));
        let expression = clauses.collect::<Vec<_>>().join(" ");
        let condition = (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "));
        let values = (0..).map(value_name).zip(self.values).collect();
        update
            .update_expression(expression)
            .set_condition_expression(condition)
            .set_expression_attribute_values(Some(values))
    }
}

fn value_name(index: usize) -> String {
    format!(":v{index}")
}

/// Reads a limiter from its item.
fn limiter(item: &AttributeMap) -> EndpointLimiter {
    let nanos = |attribute: &str| integer(item, attribute).map(Nanos);
    let slot = |attribute: &String| {
        let slot = attribute.strip_prefix(SLOT_PREFIX)?.parse::<u16>().ok()?;
        Some((slot, nanos(attribute)?))
    };
    EndpointLimiter {
        version: integer(item, "limitsVersion"),
        next_reservation_at: nanos("nextReservationAt"),
        theoretical_arrival_time: nanos("theoreticalArrivalAt"),
        leases: item.keys().filter_map(slot).collect::<BTreeMap<_, _>>(),
        last_held: integer(item, "lastHeldMs").map(Duration::from_millis),
    }
}

fn slot_name(number: u16) -> String {
    format!("{SLOT_PREFIX}{number}")
}
