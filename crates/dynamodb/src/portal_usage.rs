//! The usage of the portal by a customer: one item for each day, beside the customer's sessions.
//!
//! | attribute | |
//! |---|---|
//! | `tests`, `endpoints`, … | the number of these actions on this day |
//! | `testsUntil`, `recoveriesUntil` | the time until which no other action of this kind is permitted, in ms since 1970 |
//!
//! An item has at most a few hundred bytes, so that an action costs one write unit. The role of the
//! portal may write these attributes only: see the template.

use std::time::Duration;

use webhooks_domain::ids::CustomerId;
use webhooks_domain::portal_session::{LimitedAction, UtcDay};
use webhooks_domain::ports::{PortalUsageTable, StoreError, TakeOutcome, Taking, WriteOutcome};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::key::Key;
use crate::store::{AttributeMap, integer, number, to_attributes, write_outcome};

/// The time for which an item is kept after its day. Clocks may differ a little.
const KEPT: Duration = Duration::from_hours(1);

impl PortalUsageTable for DynamoStore {
    async fn take(
        &self,
        customer: &CustomerId,
        taking: &Taking,
    ) -> Result<TakeOutcome, StoreError> {
        let (count, until) = (taking.action.as_str(), until_name(taking.action));
        let is_below = format!("(attribute_not_exists({count}) OR {count} < :max)");
        let is_free = format!("(attribute_not_exists({until}) OR {until} <= :now)");
        let update = self.client.update_item();
        let update = match taking.exclusive_until {
            None => update
                .update_expression(format!("SET expiresAt = :expires ADD {count} :one"))
                .condition_expression(is_below),
            Some(exclusive_until) => update
                .update_expression(format!(
                    "SET expiresAt = :expires, {until} = :until ADD {count} :one"
                ))
                .condition_expression(format!("{is_below} AND {is_free}"))
                .expression_attribute_values(":until", number(exclusive_until.as_millis()))
                .expression_attribute_values(":now", number(taking.now.as_millis())),
        };
        let expires_at = taking.day.end() + KEPT;
        let result = update
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::portal_usage(
                customer, taking.day,
            ))))
            .expression_attribute_values(":expires", number(expires_at.as_secs()))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":max", number(taking.max))
            .send()
            .await;
        match write_outcome(result, "count an action of the portal")? {
            WriteOutcome::Written => Ok(TakeOutcome::Taken),
            WriteOutcome::Conflict => {
                let key = Key::portal_usage(customer, taking.day);
                let actual = self.get_attributes(key, "get usage of the portal").await?;
                Ok(refusal(&actual.unwrap_or_default(), taking))
            }
        }
    }

    async fn release(
        &self,
        customer: &CustomerId,
        day: UtcDay,
        action: LimitedAction,
        exclusive_until: Timestamp,
    ) -> Result<(), StoreError> {
        let until = until_name(action);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::portal_usage(customer, day))))
            .update_expression(format!("REMOVE {until}"))
            .condition_expression(format!("{until} = :until"))
            .expression_attribute_values(":until", number(exclusive_until.as_millis()))
            .send()
            .await;
        write_outcome(result, "end an action of the portal").map(drop)
    }
}

/// The reason why an action was not counted, from the item that has refused it. If it has changed
/// since, the other action is over.
fn refusal(actual: &AttributeMap, taking: &Taking) -> TakeOutcome {
    let used: u32 = integer(actual, taking.action.as_str()).unwrap_or(0);
    let until = integer(actual, &until_name(taking.action)).map(Timestamp::from_millis);
    if used >= taking.max {
        TakeOutcome::UsedUp
    } else {
        TakeOutcome::Busy {
            until: until.unwrap_or(taking.now),
        }
    }
}

fn until_name(action: LimitedAction) -> String {
    format!("{action}Until")
}
