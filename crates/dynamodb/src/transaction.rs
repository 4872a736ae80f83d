//! Transactions: writes that are applied all or not at all.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::TransactWriteItem;
use webhooks_domain::ports::StoreError;

use crate::DynamoStore;
use crate::store::{AttributeMap, unavailable};

/// The number of tries of a transaction that conflicts with another one, or is throttled.
const MAX_TRIES: u32 = 6;
/// The longest pause before the second try. It doubles each time.
const LONGEST_FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The writes whose condition was false, by their index, each with its item if that was requested.
pub(crate) type Refusals = HashMap<usize, AttributeMap>;

impl DynamoStore {
    /// Applies all writes, or none. Returns `None` if they were applied.
    ///
    /// If a response is lost, the client repeats the call with the same token, and `DynamoDB`
    /// applies a token only once.
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
            let (refusals, again) = refusals(&error);
            if !refusals.is_empty() {
                return Ok(Some(refusals));
            }
            if !again || tried == MAX_TRIES {
                return Err(unavailable(operation, error));
            }
            self.pause(LONGEST_FIRST_PAUSE * 2_u32.pow(tried - 1)).await;
            tried += 1;
        }
    }
}

/// The writes whose condition was false, and `true` if another try may succeed: another transaction
/// was in the way, or a partition was too busy. The client repeats neither.
fn refusals(error: &SdkError<TransactWriteItemsError>) -> (Refusals, bool) {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return (Refusals::new(), false);
    };
    let (mut refused, mut again) = (Refusals::new(), false);
    for (place, reason) in cancelled.cancellation_reasons().iter().enumerate() {
        match reason.code() {
            Some("ConditionalCheckFailed") => {
                refused.insert(place, reason.item().cloned().unwrap_or_default());
            }
            Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded") => {
                again = true;
            }
            _ => {}
        }
    }
    (refused, again)
}

/// A part of a transaction that has its table and its key.
pub(crate) fn built<T>(part: Result<T, BuildError>) -> T {
    part.expect("it has its table and its key")
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::CancellationReason;
    use aws_sdk_dynamodb::types::error::TransactionCanceledException;
    use aws_smithy_runtime_api::http::{Response, StatusCode};
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn cancelled(codes: &[&str]) -> SdkError<TransactWriteItemsError> {
        let reasons = codes
            .iter()
            .map(|code| CancellationReason::builder().code(*code).build());
        let cancelled = TransactionCanceledException::builder()
            .set_cancellation_reasons(Some(reasons.collect()))
            .build();
        let status = StatusCode::try_from(400).unwrap();
        let answer = Response::new(status, SdkBody::empty());
        SdkError::service_error(
            TransactWriteItemsError::TransactionCanceledException(cancelled),
            answer,
        )
    }

    #[test]
    fn only_what_may_succeed_is_tried_again() {
        for (code, is_tried_again) in [
            ("TransactionConflict", true),
            ("ThrottlingError", true),
            ("ProvisionedThroughputExceeded", true),
            ("ConditionalCheckFailed", false),
            ("ItemCollectionSizeLimitExceeded", false),
            ("ValidationError", false),
            ("None", false),
        ] {
            let (refused, again) = refusals(&cancelled(&["None", code]));
            assert_eq!(again, is_tried_again, "{code}");
            let is_refused = code == "ConditionalCheckFailed";
            assert_eq!(refused.contains_key(&1), is_refused, "{code}");
        }
    }
}
