//! Writes that happen together or not at all.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::TransactWriteItem;
use webhooks_domain::ports::StoreError;

use crate::DynamoStore;
use crate::store::{AttributeMap, unavailable};

/// How often a transaction is tried that another one is in the way of.
const MAX_TRIES: u32 = 6;
/// What is waited at most before the second try; then twice as long each time.
const LONGEST_FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The writes whose condition did not hold, by their place, each with its item as far as that
/// was asked for.
pub(crate) type Refusals = HashMap<usize, AttributeMap>;

impl DynamoStore {
    /// Writes all of these, or nothing. `None` when it is done.
    ///
    /// The client sends the same token again when an answer is lost, and `DynamoDB` does not
    /// apply a token twice.
    pub(crate) async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
        operation: &'static str,
    ) -> Result<Option<Refusals>, StoreError> {
        let mut tried = 1;
        loop {
            let call = self.client.transact_write_items();
            let result = call.set_transact_items(Some(writes.clone())).send().await;
            let Err(error) = result else {
                return Ok(None);
            };
            let (refusals, in_the_way) = refusals(&error);
            if !refusals.is_empty() {
                return Ok(Some(refusals));
            }
            if !in_the_way || tried == MAX_TRIES {
                return Err(unavailable(operation, error));
            }
            self.pause(LONGEST_FIRST_PAUSE * 2_u32.pow(tried - 1)).await;
            tried += 1;
        }
    }
}

/// Whose condition did not hold, and whether another transaction was in the way.
fn refusals(error: &SdkError<TransactWriteItemsError>) -> (Refusals, bool) {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return (Refusals::new(), false);
    };
    let (mut refused, mut in_the_way) = (Refusals::new(), false);
    for (place, reason) in cancelled.cancellation_reasons().iter().enumerate() {
        match reason.code() {
            Some("ConditionalCheckFailed") => {
                refused.insert(place, reason.item().cloned().unwrap_or_default());
            }
            Some("TransactionConflict") => in_the_way = true,
            _ => {}
        }
    }
    (refused, in_the_way)
}

/// A part of a transaction, which names its table and its key.
pub(crate) fn built<T>(part: Result<T, BuildError>) -> T {
    part.expect("it names its table and what it is about")
}
