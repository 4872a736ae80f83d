//! Starting, showing, listing and stopping recoveries.

use std::time::Duration;

use ring::rand::SystemRandom;

use super::count::{Count, CountBudget, count};
use super::page::PART;
use crate::delivery::DeliveryStatus;
use crate::health::Hold;
use crate::ids::{CustomerId, RecoveryId, SubscriptionId};
use crate::paging::Window;
use crate::ports::{
    Clock, RecoveryTable, RecoveryWorkflow, StoreError, WorkflowError, WriteOutcome,
};
use crate::read_subscription::{ReadError, read_subscription};
use crate::recovery::{
    HeldFate, Progress, Range, Rate, Recovery, RecoveryKey, RecoveryKind, RecoveryPage,
    RecoveryRequest, RecoveryStatus, Requested, UndeliveredStatus, UndeliveredStatuses,
};
use crate::subscription::{Subscription, SubscriptionStatus};

/// The number of tries of a stop, which conflicts with pages that write their progress.
const MAX_TRIES: u32 = 5;
/// The number of recoveries among which one that runs is looked for.
const RECENT: u32 = 20;

/// The reason why a recovery could not be managed.
#[derive(Debug, thiserror::Error)]
pub enum RecoveriesError {
    /// The customer has no such subscription.
    #[error("customer `{customer}` has no subscription `{subscription}`")]
    NoSubscription {
        /// The customer.
        customer: CustomerId,
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// The subscription has no such recovery, or it has expired.
    #[error("there is no recovery `{0}` of this subscription")]
    NotFound(RecoveryId),
    /// It cannot be read completely.
    #[error("recovery `{recovery}` is stored in a form that cannot be read: {problem}")]
    Broken {
        /// The recovery.
        recovery: RecoveryId,
        /// The problem.
        problem: String,
    },
    /// Its subscription cannot be read.
    #[error(transparent)]
    Subscription(#[from] ReadError),
    /// Its subscription is paused or disabled, so nothing may be sent to it.
    #[error("subscription `{0}`: must be active")]
    NotActive(SubscriptionId),
    /// There were too many concurrent changes.
    #[error("recovery `{0}` was changed at the same time: try again")]
    Conflict(RecoveryId),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The workflow did not start.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
}

/// The management of recoveries, with its ports.
pub struct Recoveries<T, W, C> {
    /// Subscriptions, recoveries, and the lists that recoveries read.
    pub table: T,
    /// Runs the recoveries.
    pub workflow: W,
    /// Tells the time.
    pub clock: C,
    /// The source of ids.
    pub random: SystemRandom,
    /// The retention of a recovery.
    pub retention: Duration,
}

impl<T, W, C> Recoveries<T, W, C>
where
    T: RecoveryTable,
    W: RecoveryWorkflow,
    C: Clock,
{
    /// Counts the deliveries that a recovery would send now, with at most this effort.
    pub async fn count(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        request: &RecoveryRequest,
        budget: CountBudget,
    ) -> Result<Count, RecoveriesError> {
        let subscription = self.subscription(customer, subscription).await?;
        let planned = self.plan(&subscription, request);
        Ok(count(&self.table, &self.clock, &planned, &subscription, budget).await?)
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
        self.begin(self.plan(&subscription, request)).await
    }

    /// Sends or discards the deliveries that were held, after a request has made the subscription
    /// active. `is_activated` is false if it was active before: then this is a repeated request.
    ///
    /// Call it after the status is stored. A crash in between leaves the deliveries held, and a
    /// repeated request starts their recovery. If there is one already, the request returns it: its
    /// id follows from the version of the subscription, so two requests do not start two. After its
    /// end a repeated request continues with another, and the next ones return that while it runs.
    pub async fn release(
        &self,
        subscription: &Subscription,
        held: HeldFate,
        is_activated: bool,
    ) -> Result<Option<Recovery>, RecoveriesError> {
        if is_activated {
            self.stop_earlier(subscription).await?;
        }
        let kind = match held {
            HeldFate::Send => {
                RecoveryKind::Recover(UndeliveredStatuses::Only(UndeliveredStatus::Held))
            }
            HeldFate::Discard => RecoveryKind::Discard,
            HeldFate::Keep => return Ok(None),
        };
        let planned = self.plan_release(subscription, kind);
        let planned = Recovery {
            range: Range {
                until: planned.range.until + Hold::SETTLING,
                ..planned.range
            },
            ..planned
        };
        let first = Recovery {
            id: RecoveryId::of_change(
                &subscription.customer_id,
                &subscription.id,
                subscription.version,
                subscription.updated_at,
                kind.as_str(),
            ),
            ..planned.clone()
        };
        if is_activated {
            return self.begin(first).await.map(Some);
        }
        let found = self.table.recovery(&first.key()).await?;
        let found = found.map(|found| self.with_current_status(found));
        match found {
            Some(found) if found.status == RecoveryStatus::Running => {
                // A crash may have prevented the start.
                self.workflow.start(&found).await?;
                Ok(Some(found))
            }
            Some(found) if found.status == RecoveryStatus::Stopping => Ok(Some(found)),
            found if self.may_hold(subscription).await? => {
                if let Some(running) = self.running_like(&planned).await? {
                    return Ok(Some(running));
                }
                let next = if found.is_some() { planned } else { first };
                self.begin(next).await.map(Some)
            }
            found => Ok(found),
        }
    }

    /// Stops the recovery of an earlier activation: from now on this one decides about what is held.
    async fn stop_earlier(&self, subscription: &Subscription) -> Result<(), RecoveriesError> {
        let (customer, id) = (&subscription.customer_id, &subscription.id);
        let earlier = |recovery: &Recovery| {
            recovery.status == RecoveryStatus::Running
                && recovery.is_of_activation()
                && recovery.started_at < subscription.updated_at
        };
        if let Some(recovery) = self.running_if(customer, id, earlier).await? {
            self.stop(&recovery.key()).await?;
        }
        Ok(())
    }

    /// Returns true if a delivery of the subscription is held among the newest undelivered ones, or
    /// may be among the others.
    async fn may_hold(&self, subscription: &Subscription) -> Result<bool, StoreError> {
        let newest = Window::newest(PART);
        let page = self.table.undelivered_of(&subscription.id, &newest).await?;
        if page.has_more {
            return Ok(true);
        }
        let ids: Vec<_> = page.entries.iter().map(|entry| entry.id).collect();
        let read = self.table.read_deliveries(&ids).await?;
        let mut read = read.into_iter().flatten();
        Ok(read.any(|delivery| matches!(delivery.status, DeliveryStatus::Held(_))))
    }

    /// A recovery of all deliveries of the subscription until now, at the rate of its endpoint.
    pub(crate) fn plan_release(&self, subscription: &Subscription, kind: RecoveryKind) -> Recovery {
        let now = self.clock.now();
        let until = now.max(subscription.created_at + Duration::from_millis(1));
        let request = RecoveryRequest {
            kind,
            range: Range {
                since: subscription.created_at,
                until,
            },
            per_second: Rate::of(&subscription.limits),
            requested: Requested::Run,
        };
        self.plan(subscription, &request)
    }

    /// Writes a recovery and starts its workflow.
    pub(crate) async fn begin(&self, recovery: Recovery) -> Result<Recovery, RecoveriesError> {
        // If a recovery with this id exists, it is this one.
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

    /// Reads a recovery, with its current status.
    pub async fn show(&self, key: &RecoveryKey) -> Result<Recovery, RecoveriesError> {
        self.must_exist(&key.customer, &key.subscription).await?;
        match self.table.recovery(key).await {
            Ok(found) => {
                let found = found.ok_or(RecoveriesError::NotFound(key.id))?;
                Ok(self.with_current_status(found))
            }
            Err(StoreError::Corrupt { problem, .. }) => Err(RecoveriesError::Broken {
                recovery: key.id,
                problem,
            }),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Lists a page of a subscription's recoveries, newest first.
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
                .map(|found| found.map(|found| self.with_current_status(found)))
                .collect(),
            ..page
        })
    }

    /// The newest recovery of a subscription that runs, among its last 20.
    pub async fn running(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
    ) -> Result<Option<Recovery>, RecoveriesError> {
        self.must_exist(customer, subscription).await?;
        Ok(self.running_if(customer, subscription, |_| true).await?)
    }

    /// The newest recovery that runs and does the same as another, among the last 20 of its
    /// subscription.
    async fn running_like(&self, other: &Recovery) -> Result<Option<Recovery>, StoreError> {
        let (customer, subscription) = (&other.customer_id, &other.subscription_id);
        self.running_if(customer, subscription, |recovery| {
            recovery.kind == other.kind && recovery.range.since <= other.range.since
        })
        .await
    }

    async fn running_if(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        condition: impl Fn(&Recovery) -> bool,
    ) -> Result<Option<Recovery>, StoreError> {
        let page = self.table.recoveries(customer, subscription, None, RECENT);
        let recoveries = page.await?.recoveries.into_iter().flatten();
        let mut recoveries = recoveries.map(|recovery| self.with_current_status(recovery));
        Ok(recoveries.find(|recovery| recovery.status.is_live() && condition(recovery)))
    }

    /// Requests a recovery to stop. Attempts that were handed out are still made. A recovery that
    /// has ended does not change.
    pub async fn stop(&self, key: &RecoveryKey) -> Result<Recovery, RecoveriesError> {
        for _ in 0..MAX_TRIES {
            let recovery = self.show(key).await?;
            if recovery.status != RecoveryStatus::Running {
                return Ok(recovery);
            }
            // Keeps the time of the workflow's last write: a stop must not make a dead workflow
            // look alive.
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

    fn with_current_status(&self, recovery: Recovery) -> Recovery {
        Recovery {
            status: recovery.status_at(self.clock.now()),
            ..recovery
        }
    }

    /// Fails if the subscription does not exist. An unreadable subscription does not hide its
    /// recoveries.
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
