//! The deletion of customers, which runs in the background: everything that the table has about a
//! customer is deleted, in parts.
//!
//! Each run deletes the whole data of each customer whose deletion was requested, and continues
//! where an earlier one stopped. A run may stop between any two writes: the request stays in the
//! table until the last of them. The sessions of the portal are deleted first, so that nobody adds a
//! subscription, and then the subscriptions, so that no later event finds one.
//!
//! Executions and attempts that began before may still write. So a customer is forgotten only by a
//! run that finds nothing left, and that begins when all of those have ended.

use std::time::Duration;

use crate::ids::CustomerId;
use crate::ports::{Clock, CustomerData, CustomerPart, StoreError};
use crate::timestamp::Timestamp;

/// The result of a run.
#[derive(Debug, Default)]
pub struct DeletionReport {
    /// The customers of which nothing is left.
    pub forgotten: u64,
    /// The number of deleted items.
    pub deleted: u64,
    /// True if the time was over before everything was deleted.
    pub unfinished: bool,
    /// The failures. The next run tries again.
    pub failures: Vec<StoreError>,
}

/// The deletion of customers, with its ports.
#[derive(Debug)]
pub struct DeleteCustomers<T, C> {
    /// The data of the customers.
    pub table: T,
    /// Tells the time.
    pub clock: C,
    /// The time after which everything that began before a request has ended.
    pub settle: Duration,
}

impl<T: CustomerData, C: Clock> DeleteCustomers<T, C> {
    /// Deletes the data of all customers whose deletion was requested, and begins no page after
    /// `end`. It is safe to repeat at any time. A customer whose deletion fails does not stop the
    /// others.
    pub async fn run(&self, end: Timestamp) -> DeletionReport {
        let mut report = DeletionReport::default();
        let customers = match self.table.being_deleted().await {
            Ok(customers) => customers,
            Err(failure) => {
                report.failures.push(failure);
                return report;
            }
        };
        for customer in &customers {
            if let Err(failure) = self.delete(customer, end, &mut report).await {
                report.failures.push(failure);
            }
        }
        report
    }

    async fn delete(
        &self,
        customer: &CustomerId,
        end: Timestamp,
        report: &mut DeletionReport,
    ) -> Result<(), StoreError> {
        let began = self.clock.now();
        let before = report.deleted;
        for part in [CustomerPart::PortalSessions, CustomerPart::Subscriptions] {
            self.delete_part(customer, part, end, report).await?;
        }
        let Some((deletion, subscriptions)) = self.table.deletion(customer).await? else {
            return Ok(());
        };
        let parts = subscriptions.into_iter().map(CustomerPart::OfSubscription);
        let parts = parts.chain([
            CustomerPart::Recoveries,
            CustomerPart::IdempotencyKeys,
            CustomerPart::Messages,
            // A request that began before may have made one.
            CustomerPart::PortalSessions,
        ]);
        for part in parts {
            self.delete_part(customer, part, end, report).await?;
        }
        let nothing_was_left = report.deleted == before && !report.unfinished;
        if nothing_was_left && began >= deletion.requested_at + self.settle {
            self.table.forget(customer, &deletion).await?;
            report.forgotten += 1;
        }
        Ok(())
    }

    /// Deletes a part until nothing of it is left, or the time is over.
    async fn delete_part(
        &self,
        customer: &CustomerId,
        part: CustomerPart,
        end: Timestamp,
        report: &mut DeletionReport,
    ) -> Result<(), StoreError> {
        while !report.unfinished {
            if self.clock.now() >= end {
                report.unfinished = true;
                break;
            }
            let deleted = self.table.delete_some(customer, part).await?;
            if deleted == 0 {
                break;
            }
            self.table.count_deleted(customer, deleted).await?;
            report.deleted += deleted;
        }
        Ok(())
    }
}
