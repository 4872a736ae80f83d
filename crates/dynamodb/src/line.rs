//! The line in front of an endpoint with limits: one item, which every delivery to it writes.
//!
//! | attribute | what |
//! |---|---|
//! | `lineEnd` | the next turn, in microseconds since 1970: a thousand turns fit into a second |
//! | `turnInterval` | from one turn to the next, in microseconds |
//! | `slot0`, `slot1`, … | until when a slot is taken, in milliseconds |
//!
//! A line is forgotten when nobody has stood in it for a day.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::limits::{Slot, SlotRequest, TurnRequest};
use webhooks_domain::ports::{LineStore, StoreError};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::item::Key;
use crate::store::{AttributeMap, number, to_attributes, unavailable, write_outcome};

const TAKE_TURN: &str = "take a turn";
const TAKE_SLOT: &str = "take a slot";
/// How often a write is tried that others get in the way of.
const MAX_TRIES: u32 = 4;
/// For how long a line is kept that nobody stands in.
const KEPT: Duration = Duration::from_hours(24);

impl LineStore for DynamoStore {
    async fn take_turn(
        &self,
        id: &SubscriptionId,
        request: TurnRequest,
    ) -> Result<Timestamp, StoreError> {
        // One of the two conditions holds, unless the line changes in between; and its end only
        // moves on, unless the item expires or the interval changes.
        for _ in 0..MAX_TRIES {
            if let Some(turn) = self.join_line(id, request).await? {
                return Ok(turn);
            }
            if self.begin_line(id, request).await? {
                return Ok(request.earliest);
            }
        }
        Err(overtaken(TAKE_TURN))
    }

    async fn take_slot(
        &self,
        id: &SubscriptionId,
        request: SlotRequest,
    ) -> Result<Option<Slot>, StoreError> {
        let mut slot = request.slot(request.first);
        for _ in 0..MAX_TRIES {
            let Some(taken) = self.take(id, slot, request.now).await? else {
                return Ok(Some(slot));
            };
            let until = |number| millis(&taken, &slot_name(number));
            match request.free(until) {
                Some(free) => slot = free,
                None => return Ok(None),
            }
        }
        // Others were quicker each time: there is hardly a free one.
        Ok(None)
    }

    async fn leave_slot(&self, id: &SubscriptionId, slot: Slot) -> Result<(), StoreError> {
        let result = self
            .update_line(id)
            .update_expression("REMOVE #slot")
            .condition_expression("#slot = :until")
            .expression_attribute_names("#slot", slot_name(slot.number))
            .expression_attribute_values(":until", number(slot.until.as_millis()))
            .send()
            .await;
        write_outcome(result, "leave a slot").map(drop)
    }
}

impl DynamoStore {
    /// Takes the turn at the end of a line, if it is not before the earliest.
    async fn join_line(
        &self,
        id: &SubscriptionId,
        request: TurnRequest,
    ) -> Result<Option<Timestamp>, StoreError> {
        let result = self
            .update_line(id)
            .update_expression("SET lineEnd = lineEnd + :interval, expiresAt = :expires")
            .condition_expression("lineEnd >= :earliest AND turnInterval = :interval")
            .expression_attribute_values(":interval", number(interval_micros(request)))
            .expression_attribute_values(":earliest", number(micros(request.earliest)))
            .expression_attribute_values(":expires", expires(request.earliest))
            .return_values(ReturnValue::UpdatedOld)
            .send()
            .await;
        match result {
            Ok(output) => output
                .attributes
                .as_ref()
                .and_then(|old| integer(old, "lineEnd"))
                // Rounded up: a turn is never too early.
                .map(|micros| Timestamp::from_millis((micros + 999).div_euclid(1_000)))
                .map(Some)
                .ok_or_else(|| overtaken(TAKE_TURN)),
            Err(error) => refused(error, TAKE_TURN).map(|_| None),
        }
    }

    /// Begins a line with the earliest turn, if the one before has ended by then.
    async fn begin_line(
        &self,
        id: &SubscriptionId,
        request: TurnRequest,
    ) -> Result<bool, StoreError> {
        let (earliest, interval) = (micros(request.earliest), interval_micros(request));
        let result = self
            .update_line(id)
            .update_expression("SET lineEnd = :end, turnInterval = :interval, expiresAt = :expires")
            .condition_expression(
                "attribute_not_exists(lineEnd) OR lineEnd < :earliest OR turnInterval <> :interval",
            )
            .expression_attribute_values(":end", number(earliest.saturating_add(interval)))
            .expression_attribute_values(":interval", number(interval))
            .expression_attribute_values(":earliest", number(earliest))
            .expression_attribute_values(":expires", expires(request.earliest))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error) => refused(error, TAKE_TURN).map(|_| false),
        }
    }

    /// Takes a slot if it is free now. Else gives the line as it is.
    async fn take(
        &self,
        id: &SubscriptionId,
        slot: Slot,
        now: Timestamp,
    ) -> Result<Option<AttributeMap>, StoreError> {
        let result = self
            .update_line(id)
            .update_expression("SET #slot = :until, expiresAt = :expires")
            .condition_expression("attribute_not_exists(#slot) OR #slot <= :now")
            .expression_attribute_names("#slot", slot_name(slot.number))
            .expression_attribute_values(":until", number(slot.until.as_millis()))
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":expires", expires(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(_) => Ok(None),
            Err(error) => refused(error, TAKE_SLOT).map(Some),
        }
    }

    fn update_line(&self, id: &SubscriptionId) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::line(id))))
    }
}

/// The item whose condition did not hold; any other error stays one.
fn refused(
    error: SdkError<UpdateItemError>,
    operation: &'static str,
) -> Result<AttributeMap, StoreError> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
            Ok(failed.item.clone().unwrap_or_else(HashMap::new))
        }
        _ => Err(unavailable(operation, error)),
    }
}

fn overtaken(operation: &'static str) -> StoreError {
    unavailable(operation, std::io::Error::other("others were quicker"))
}

fn slot_name(number: u16) -> String {
    format!("slot{number}")
}

fn integer(item: &AttributeMap, attribute: &str) -> Option<i64> {
    item.get(attribute)?.as_n().ok()?.parse().ok()
}

fn millis(item: &AttributeMap, attribute: &str) -> Option<Timestamp> {
    integer(item, attribute).map(Timestamp::from_millis)
}

fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1_000)
}

fn interval_micros(request: TurnRequest) -> i64 {
    i64::try_from(request.interval.as_micros()).unwrap_or(i64::MAX)
}

/// When a line that is written now is forgotten, in seconds since 1970.
fn expires(now: Timestamp) -> AttributeValue {
    number((now + KEPT).as_secs())
}
