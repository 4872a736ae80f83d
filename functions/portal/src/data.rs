//! The data of one customer.
//!
//! Every method requires a [`CustomerScope`], which only a checked session gives, and reads that
//! customer's data. No method takes the id of a customer. Only [`console`](crate::console) has other data
//! of the table, for the scope of the console.

mod allowance;
mod catalogue;
mod recoveries;

use std::time::Duration;

use futures_util::future::try_join_all;
use ring::rand::SystemRandom;
use tracing::warn;
use webhooks_api_types as api;
use webhooks_domain::contact::EmailAddress;
use webhooks_domain::ids::{DeliveryId, SubscriptionId};
use webhooks_domain::lists::{
    DeliveryFilter, Listed, ListedDelivery, Lists, PageOf, ReadBudget, Which,
};
use webhooks_domain::paging::Place;
use webhooks_domain::portal_access::CustomerScope;
use webhooks_domain::portal_allowance::PortalAllowance;
use webhooks_domain::portal_session::{Capability, DailyLimits, LimitedAction};
use webhooks_domain::ports::{
    CatalogueTable, Clock, CustomerTable, DeliveryQueue, DeliveryReader, Directory, ExchangeReader,
    PortalAccessTable, PortalUsageTable, RecoveryTable, RecoveryWorkflow, ResendTable,
    StatisticsTable, StoreError, SubscriptionTable, UnhealthyIndex,
};
use webhooks_domain::read_delivery::{DeliveryWithBody, read_delivery};
use webhooks_domain::read_subscription::{ReadError, list_subscriptions, read_subscription};
use webhooks_domain::recover::Recoveries;
use webhooks_domain::resend::Resend;
use webhooks_domain::show_exchanges::{ShownExchange, show_exchanges_with};
use webhooks_domain::show_statistics::ShowStatistics;
use webhooks_domain::statistics::Summary;
use webhooks_domain::subscription::{Subscription, SubscriptionPage};
use webhooks_lambda::{Switch, with_sources};
use webhooks_wire::answers;

use crate::hidden;
use crate::refusal::Refusal;

pub(crate) use allowance::ScopedAllowance;
pub(crate) use recoveries::ScopedRecoveries;

/// The ports of the table that the portal needs.
pub(crate) trait Table:
    PortalAccessTable
    + PortalUsageTable
    + SubscriptionTable
    + Directory
    + DeliveryReader
    + ExchangeReader
    + ResendTable
    + RecoveryTable
    + StatisticsTable
    + CustomerTable
    + CatalogueTable
    + UnhealthyIndex
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Table for T where
    T: PortalAccessTable
        + PortalUsageTable
        + SubscriptionTable
        + Directory
        + DeliveryReader
        + ExchangeReader
        + ResendTable
        + RecoveryTable
        + StatisticsTable
        + CustomerTable
        + CatalogueTable
        + UnhealthyIndex
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The queue for delivery tasks.
pub(crate) trait Queue: DeliveryQueue + Send + Sync + 'static {}

impl<Q: DeliveryQueue + Send + Sync + 'static> Queue for Q {}

/// The data of the table.
pub(crate) struct Data<T, Q, W, C> {
    table: T,
    lists: Lists<T>,
    pub(crate) recoveries: ScopedRecoveries<T, W, C>,
    pub(crate) allowance: ScopedAllowance<T, C>,
    resend: Resend<T, Q, C>,
    /// `None` if attempts are not counted.
    statistics: Option<ShowStatistics<T, C>>,
}

/// A subscription that was read for a scope. It is that customer's.
pub(crate) struct Owned(Subscription);

impl Owned {
    /// Its id.
    pub(crate) fn id(&self) -> &SubscriptionId {
        &self.0.id
    }

    /// The subscription as the API shows it, without what the session must not see.
    pub(crate) fn shown(&self, scope: &CustomerScope) -> api::Subscription {
        hidden::in_subscription(scope.capabilities(), answers::subscription(self.0.clone()))
    }

    /// The URL of its endpoint.
    pub(crate) fn url(&self) -> &str {
        self.0.url.as_str()
    }
}

/// Runs recoveries.
pub(crate) trait Workflow: RecoveryWorkflow + Send + Sync + 'static {}

impl<W: RecoveryWorkflow + Send + Sync + 'static> Workflow for W {}

/// The adapters and the settings of the data.
pub(crate) struct Services<T, Q, W, C> {
    pub(crate) table: T,
    pub(crate) queue: Q,
    pub(crate) workflow: W,
    pub(crate) clock: C,
    /// Enabled if attempts are counted.
    pub(crate) statistics: Switch,
    /// The time for which the table keeps a recovery.
    pub(crate) retention: Duration,
    /// The actions that a customer's sessions can cause on one day.
    pub(crate) daily_limits: DailyLimits,
    /// The longest time that a test takes.
    pub(crate) time_of_test: Duration,
}

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync + Clone> Data<T, Q, W, C> {
    pub(crate) fn new(services: Services<T, Q, W, C>) -> Self {
        let Services {
            table,
            queue,
            workflow,
            clock,
            statistics,
            retention,
            daily_limits,
            time_of_test,
        } = services;
        let statistics = (statistics == Switch::Enabled).then(|| clock.clone());
        Self {
            recoveries: ScopedRecoveries(Recoveries {
                table: table.clone(),
                workflow,
                clock: clock.clone(),
                random: SystemRandom::new(),
                retention,
            }),
            allowance: ScopedAllowance(PortalAllowance {
                table: table.clone(),
                clock: clock.clone(),
                limits: daily_limits,
                time_of_test,
            }),
            resend: Resend {
                table: table.clone(),
                queue,
                clock: clock.clone(),
            },
            lists: Lists {
                table: table.clone(),
                budget: ReadBudget::SMALL,
            },
            statistics: statistics.map(|clock| ShowStatistics {
                table: table.clone(),
                clock,
            }),
            table,
        }
    }
}

impl<T: Table, Q: Queue, W: Workflow, C: Clock + Sync> Data<T, Q, W, C> {
    /// A page of subscriptions, with the statistics of the last day of each that can be read.
    pub(crate) async fn subscriptions(
        &self,
        scope: &CustomerScope,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<(SubscriptionPage, Vec<Option<Summary>>), StoreError> {
        let page = list_subscriptions(&self.table, scope.customer(), after, limit).await?;
        let days = page.subscriptions.iter().map(|one| self.last_day(one.id));
        let days = try_join_all(days).await?;
        Ok((page, days))
    }

    /// The addresses that are told when an endpoint fails. None if they cannot be read: the endpoints
    /// are shown all the same.
    pub(crate) async fn contacts(&self, scope: &CustomerScope) -> Vec<String> {
        let customer = match self.table.customer(scope.customer()).await {
            Ok(customer) => customer,
            Err(failure) => {
                let error = with_sources(&failure);
                warn!(customer.id = %scope.customer(), error, "contacts are not shown");
                return Vec::new();
            }
        };
        let contacts = customer.map(|customer| customer.contacts);
        let contacts = contacts.unwrap_or_default();
        let addresses = contacts.confirmed().map(EmailAddress::as_str);
        addresses.map(str::to_owned).collect()
    }

    async fn last_day(&self, id: SubscriptionId) -> Result<Option<Summary>, StoreError> {
        match &self.statistics {
            Some(statistics) => statistics.last_day(&id).await.map(Some),
            None => Ok(None),
        }
    }

    /// A subscription.
    pub(crate) async fn subscription(
        &self,
        scope: &CustomerScope,
        id: &SubscriptionId,
    ) -> Result<Option<Owned>, ReadError> {
        let found = read_subscription(&self.table, scope.customer(), id).await?;
        Ok(found.map(Owned))
    }

    /// The statistics of a subscription. `None` if attempts are not counted.
    pub(crate) async fn statistics(&self, of: &Owned) -> Result<Option<Summary>, StoreError> {
        match &self.statistics {
            Some(statistics) => statistics.of_subscription(&of.0.id).await.map(Some),
            None => Ok(None),
        }
    }

    /// A page of the deliveries of a subscription.
    pub(crate) async fn deliveries(
        &self,
        of: &Owned,
        filter: &DeliveryFilter,
        page: &PageOf<Place>,
    ) -> Result<Listed<ListedDelivery, Place>, StoreError> {
        let lists = &self.lists;
        lists.deliveries(&of.0.id, Which::All, filter, page).await
    }

    /// A delivery with its body.
    pub(crate) async fn delivery(
        &self,
        scope: &CustomerScope,
        id: &DeliveryId,
    ) -> Result<Option<DeliveryWithBody>, StoreError> {
        read_delivery(&self.table, Some(scope.customer()), id).await
    }

    /// The exchanges of a delivery that [`delivery`](Self::delivery) has read, and the URL of its
    /// endpoint if that can be read. The exchanges are not read for a session that must not see them.
    pub(crate) async fn exchanges(
        &self,
        scope: &CustomerScope,
        found: &DeliveryWithBody,
        id: &DeliveryId,
    ) -> Result<(Vec<ShownExchange>, Option<String>), StoreError> {
        let customer = scope.customer();
        let subscription = read_subscription(&self.table, customer, &id.subscription).await;
        let url = subscription.as_ref().ok().and_then(Option::as_ref);
        let url = url.map(|found| found.url.as_str().to_owned());
        let exchanges = match found {
            Ok((delivery, _)) if scope.has(Capability::Payloads) => {
                show_exchanges_with(&self.table, delivery, subscription).await?
            }
            _ => Vec::new(),
        };
        Ok((exchanges, url))
    }

    /// Sends a delivery again.
    pub(crate) async fn resend(
        &self,
        scope: &CustomerScope,
        id: &DeliveryId,
    ) -> Result<(), Refusal> {
        scope.require(Capability::Resend)?;
        // The use case takes a delivery of any customer.
        if self.delivery(scope, id).await?.is_none() {
            return Err(Refusal::NotFound);
        }
        let _ = self.allowance.take(scope, LimitedAction::Resend).await?;
        self.resend.run(id).await?;
        Ok(())
    }
}
