//! The parts of exchanges that are not in the delivery.

use std::collections::HashMap;
use std::future::Future;

use super::StoreError;
use crate::delivery::ExchangeId;
use crate::ids::{CustomerId, SubscriptionId};
use crate::outbound::{RequestShape, ResponseBody};

/// The parts to read, at most [`MAX_EXCHANGE_PARTS`] together.
#[derive(Debug, Clone, Default)]
pub struct ExchangeParts<'a> {
    /// Bodies that are stored beside their attempts.
    pub bodies: Vec<ExchangeId>,
    /// Former requests of a subscription, each by the version since which they were the same.
    pub requests: Vec<(&'a CustomerId, SubscriptionId, u64)>,
}

/// The largest number of parts in one read.
pub const MAX_EXCHANGE_PARTS: usize = 100;

/// The parts that were found. Absent and unreadable ones are left out.
#[derive(Debug, Clone, Default)]
pub struct FoundParts {
    /// The bodies.
    pub bodies: HashMap<ExchangeId, ResponseBody>,
    /// The former requests, by their version.
    pub requests: HashMap<u64, RequestShape>,
}

/// Reads exchanges.
pub trait ExchangeReader {
    /// Reads parts of exchanges, in one call.
    fn exchange_parts(
        &self,
        wanted: &ExchangeParts<'_>,
    ) -> impl Future<Output = Result<FoundParts, StoreError>> + Send;
}
