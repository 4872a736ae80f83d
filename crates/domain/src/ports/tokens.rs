//! Access tokens: the records that all execution environments share, and token endpoints.

use std::future::Future;

use super::{StoreError, WriteOutcome};
use crate::ids::{CustomerId, SubscriptionId};
use crate::outbound::{TokenAnswer, TokenRecord, WebhookRequest};

/// The records of access tokens, one for each subscription that needs one.
pub trait TokenStore {
    /// Reads the record of a subscription. One that cannot be read is blank, so that a new one can
    /// replace it.
    fn token_record(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
    ) -> impl Future<Output = Result<Option<TokenRecord>, StoreError>> + Send;

    /// Replaces the record if it still has this revision, or is still absent. One that is absent is
    /// written only while its subscription exists, which is deleted together with it. A repetition is
    /// written: the record has the new revision already.
    fn replace_token_record(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        read: Option<u64>,
        record: &TokenRecord,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;
}

/// Asks token endpoints.
///
/// A call follows the rules of [`WebhookSender`](super::WebhookSender): a token endpoint is a URL
/// that a customer chose. It reads the whole body, up to
/// [`TokenAnswer::MAX_BYTES`], and always returns within the deadline.
pub trait TokenEndpoint {
    /// Makes the request and waits for the whole answer, at most until the deadline.
    fn request_token(&self, request: WebhookRequest) -> impl Future<Output = TokenAnswer> + Send;
}
