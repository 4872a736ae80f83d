//! Asking for recoveries, and looking after them.

use std::time::Duration;

use ring::rand::SystemRandom;

use super::Count;
use super::count::count;
use crate::ids::{CustomerId, RecoveryId, SubscriptionId};
use crate::ports::{
    Clock, DeliveryDirectory, MessageDirectory, RecoverySource, RecoveryStore, RecoveryWorkflow,
    StoreError, SubscriptionStore, WorkflowError, WriteOutcome,
};
use crate::read_subscription::{ReadError, read_subscription};
use crate::recovery::{
    Progress, Recovery, RecoveryKey, RecoveryPage, RecoveryRequest, RecoveryStatus,
};
use crate::subscription::{Subscription, SubscriptionStatus};

/// How often a stop is tried while the pages write their progress.
const MAX_STOPS: u32 = 5;

/// Why a recovery could not be managed.
#[derive(Debug, thiserror::Error)]
pub enum RecoveriesError {
    /// The customer has no such subscription.
    #[error("customer `{customer}` has no subscription `{subscription}`")]
    NoSubscription {
        /// Whose it should be.
        customer: CustomerId,
        /// Which one.
        subscription: SubscriptionId,
    },
    /// The subscription has no such recovery, or it has expired.
    #[error("there is no recovery `{0}` of this subscription")]
    NotFound(RecoveryId),
    /// Not everything of it can be read.
    #[error("recovery `{recovery}` is stored in a form that cannot be read: {problem}")]
    Broken {
        /// Which one.
        recovery: RecoveryId,
        /// What cannot be read.
        problem: String,
    },
    /// Its subscription cannot be read.
    #[error(transparent)]
    Subscription(#[from] ReadError),
    /// Nothing is sent to its subscription: it is paused or disabled.
    #[error("subscription `{0}`: must be active")]
    NotActive(SubscriptionId),
    /// It was changed too often at the same time.
    #[error("recovery `{0}` was changed at the same time: try again")]
    Conflict(RecoveryId),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The workflow did not start.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
}

/// The management of recoveries, with its surroundings.
pub struct Recoveries<T, W, C> {
    /// Subscriptions, recoveries, and what they go through.
    pub table: T,
    /// Who runs them.
    pub workflow: W,
    /// Who tells the time.
    pub clock: C,
    /// Where ids come from.
    pub random: SystemRandom,
    /// How long the table keeps a recovery.
    pub retention: Duration,
}

impl<T, W, C> Recoveries<T, W, C>
where
    T: SubscriptionStore + RecoveryStore + RecoverySource + DeliveryDirectory + MessageDirectory,
    W: RecoveryWorkflow,
    C: Clock,
{
    /// Counts what a recovery would send now, for at most this long.
    pub async fn count(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        request: &RecoveryRequest,
        at_most: Duration,
    ) -> Result<Count, RecoveriesError> {
        let subscription = self.subscription(customer, subscription).await?;
        let planned = self.plan(&subscription, request);
        let end = planned.started_at + at_most;
        Ok(count(&self.table, &self.clock, &planned, &subscription, end).await?)
    }

    /// Starts a recovery.
    pub async fn start(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        request: &RecoveryRequest,
    ) -> Result<Recovery, RecoveriesError> {
        let subscription = self.subscription(customer, subscription).await?;
        if subscription.status != SubscriptionStatus::Active {
            return Err(RecoveriesError::NotActive(subscription.id));
        }
        let recovery = self.plan(&subscription, request);
        // The id has 80 random bits: what is there already is this very recovery.
        self.table.insert_recovery(&recovery).await?;
        if let Err(error) = self.workflow.start(&recovery).await {
            let failed = recovery.with_status(RecoveryStatus::Failed, self.clock.now());
            self.table.replace_recovery(&failed).await?;
            return Err(error.into());
        }
        Ok(recovery)
    }

    fn plan(&self, subscription: &Subscription, request: &RecoveryRequest) -> Recovery {
        let now = self.clock.now();
        Recovery {
            id: RecoveryId::new(now, &self.random),
            customer_id: subscription.customer_id.clone(),
            subscription_id: subscription.id,
            kind: request.kind,
            range: request.range,
            per_second: request.per_second,
            status: RecoveryStatus::Running,
            progress: Progress::default(),
            started_at: now,
            updated_at: now,
            expires_at: now + self.retention,
            version: 1,
        }
    }

    /// Reads a recovery, with its status as it is now.
    pub async fn show(&self, key: &RecoveryKey) -> Result<Recovery, RecoveriesError> {
        self.must_exist(&key.customer, &key.subscription).await?;
        match self.table.recovery(key).await {
            Ok(found) => {
                let found = found.ok_or(RecoveriesError::NotFound(key.id))?;
                Ok(self.as_it_is(found))
            }
            Err(StoreError::Corrupt { problem, .. }) => Err(RecoveriesError::Broken {
                recovery: key.id,
                problem,
            }),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Lists a page of a subscription's recoveries, the newest first.
    pub async fn list(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        before: Option<&RecoveryId>,
        limit: u32,
    ) -> Result<RecoveryPage, RecoveriesError> {
        self.must_exist(customer, subscription).await?;
        let page = self
            .table
            .recoveries(customer, subscription, before, limit)
            .await?;
        let recoveries = page.recoveries.into_iter();
        Ok(RecoveryPage {
            recoveries: recoveries
                .map(|found| found.map(|found| self.as_it_is(found)))
                .collect(),
            ..page
        })
    }

    /// Asks a recovery to stop. What it has handed out is still sent; one that has ended
    /// stays as it is.
    pub async fn stop(&self, key: &RecoveryKey) -> Result<Recovery, RecoveriesError> {
        for _ in 0..MAX_STOPS {
            let recovery = self.show(key).await?;
            if recovery.status != RecoveryStatus::Running {
                return Ok(recovery);
            }
            // Not heard of yet: the stop must not make a dead workflow look alive.
            let stopping = Recovery {
                updated_at: recovery.updated_at,
                ..recovery.with_status(RecoveryStatus::Stopping, self.clock.now())
            };
            if self.table.replace_recovery(&stopping).await? == WriteOutcome::Written {
                return Ok(stopping);
            }
        }
        Err(RecoveriesError::Conflict(key.id))
    }

    fn as_it_is(&self, recovery: Recovery) -> Recovery {
        Recovery {
            status: recovery.status_at(self.clock.now()),
            ..recovery
        }
    }

    /// Holds a subscription to be there. What is wrong with it hides no recovery.
    async fn must_exist(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<(), RecoveriesError> {
        match self.subscription(customer, id).await {
            Ok(_) | Err(RecoveriesError::Subscription(ReadError::Broken(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn subscription(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Subscription, RecoveriesError> {
        let found = read_subscription(&self.table, customer, id).await?;
        found.ok_or_else(|| RecoveriesError::NoSubscription {
            customer: customer.clone(),
            subscription: *id,
        })
    }
}
