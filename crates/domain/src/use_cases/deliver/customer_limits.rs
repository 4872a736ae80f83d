//! The limits of customers, kept for a minute in an execution environment.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::ids::CustomerId;
use crate::limits::CustomerLimit;
use crate::ports::{Clock, DeliveryTable, StoreError};
use crate::timestamp::Timestamp;

/// The time for which a limit is used before it is read again. A change takes this long to reach
/// every execution environment.
const TIME_TO_LIVE: Duration = Duration::from_mins(1);
/// The largest number of customers in memory. One more empties the memory.
const MAX_CUSTOMERS: usize = 10_000;

/// The limits of customers that were read within the last minute.
///
/// Most customers have no limit, so reading it for each delivery would cost a read unit for
/// nothing.
#[derive(Debug, Default)]
pub struct CustomerLimits(Mutex<HashMap<CustomerId, Read>>);

#[derive(Debug, Clone, Copy)]
struct Read {
    at: Timestamp,
    limit: Option<CustomerLimit>,
}

impl CustomerLimits {
    /// The limit of a customer. If it cannot be read, the one that was read before applies.
    pub(super) async fn of(
        &self,
        table: &impl DeliveryTable,
        clock: &impl Clock,
        customer: &CustomerId,
    ) -> Result<Option<CustomerLimit>, StoreError> {
        let now = clock.now();
        let kept = self.kept(customer);
        if let Some(kept) = kept.filter(|kept| now.since(kept.at) < TIME_TO_LIVE) {
            return Ok(kept.limit);
        }
        match (table.customer_limit(customer).await, kept) {
            (Ok(limit), _) => {
                self.keep(customer, Read { at: now, limit });
                Ok(limit)
            }
            (Err(_), Some(kept)) => Ok(kept.limit),
            (Err(error), None) => Err(error),
        }
    }

    fn kept(&self, customer: &CustomerId) -> Option<Read> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(customer).copied()
    }

    fn keep(&self, customer: &CustomerId, read: Read) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_CUSTOMERS && !kept.contains_key(customer) {
            kept.clear();
        }
        kept.insert(customer.clone(), read);
    }
}
