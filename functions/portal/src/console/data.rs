//! The data of all customers. Every method requires a [`ConsoleScope`], which only a checked session
//! of the console gives.

use webhooks_domain::broken::Readable;
use webhooks_domain::customer::Customer;
use webhooks_domain::delivery::Delivery;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use webhooks_domain::lists::Listed;
use webhooks_domain::paging::{EntryPage, MessagePage, Window};
use webhooks_domain::portal_access::ConsoleScope;
use webhooks_domain::ports::StoreError;
use webhooks_domain::read_subscription::{ReadError, read_subscription};
use webhooks_domain::subscription::{ProblemKind, UnhealthyPlace};
use webhooks_domain::unhealthy::{ListedUnhealthy, UnhealthyLists};
use webhooks_pages::console::Queues as QueuesView;
use webhooks_pages::paths::Route;
use webhooks_wire::answers;
use webhooks_wire::cursor::CustomersPlace;

use super::queues::Queues;
use crate::data::Table;
use crate::refusal::Refusal;

/// The number of undelivered deliveries of an unhealthy subscription that are counted.
const COUNTED: u32 = 4;

/// The data of all customers, and the queues.
pub(crate) struct ConsoleData<T> {
    table: T,
    unhealthy: UnhealthyLists<T>,
    queues: Queues,
}

/// The kinds of things that an entered id may name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Delivery(DeliveryId),
    Message(MessageId),
    Subscription(SubscriptionId),
    Customer(CustomerId),
    Nothing,
}

impl Wanted {
    /// Reads a text. Nearly any text is the id of a customer.
    pub(super) fn parse(text: &str) -> Self {
        if let Ok(id) = text.parse() {
            return Self::Delivery(id);
        }
        if let Ok(id) = text.parse() {
            return Self::Message(id);
        }
        if let Ok(id) = text.parse() {
            return Self::Subscription(id);
        }
        text.parse().map_or(Self::Nothing, Self::Customer)
    }

    /// The problem if nothing has the id.
    pub(super) fn not_found(&self) -> &'static str {
        match self {
            Self::Delivery(_) => "There is no delivery with this id. It may have expired.",
            Self::Message(_) => "There is no message with this id. It may have expired.",
            Self::Subscription(_) => {
                "No subscription with this id has a delivery. Without one, it is found by its customer only."
            }
            Self::Customer(_) => {
                "There is no customer with this id. Of a delivery, a message or a subscription, enter the whole id."
            }
            Self::Nothing => "This is no id of a customer, message, delivery or subscription.",
        }
    }
}

impl<T: Table> ConsoleData<T> {
    pub(crate) fn new(table: T, queues: Queues) -> Self {
        Self {
            unhealthy: UnhealthyLists {
                table: table.clone(),
                counted: COUNTED,
            },
            table,
            queues,
        }
    }

    /// A page of customers.
    pub(super) async fn customers(
        &self,
        _: &ConsoleScope,
        after: Option<CustomersPlace>,
        limit: u32,
    ) -> Result<EntryPage<Readable<Customer, CustomerId>>, StoreError> {
        let after = after.map(|CustomersPlace(id)| id);
        self.table.customers(after.as_ref(), limit).await
    }

    /// A page of unhealthy subscriptions.
    pub(super) async fn unhealthy(
        &self,
        _: &ConsoleScope,
        kind: Option<ProblemKind>,
        after: Option<&UnhealthyPlace>,
        limit: u32,
    ) -> Result<Listed<ListedUnhealthy, UnhealthyPlace>, StoreError> {
        self.unhealthy.all(kind, after, limit).await
    }

    /// The queues, with the numbers of their messages.
    pub(super) async fn queues(&self, _: &ConsoleScope) -> QueuesView {
        self.queues.counted().await
    }

    /// A message with a page of its deliveries.
    pub(super) async fn message(
        &self,
        _: &ConsoleScope,
        id: &MessageId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<MessagePage, Refusal> {
        match self.table.message_page(id, after, limit).await? {
            None => Err(Refusal::NotFound),
            Some(Ok(page)) => Ok(page),
            Some(Err(broken)) => Err(Refusal::Broken(answers::broken(broken).to_string())),
        }
    }

    /// The page of what has an id. `None` if nothing has it.
    pub(super) async fn find(
        &self,
        _: &ConsoleScope,
        wanted: &Wanted,
    ) -> Result<Option<Route>, Refusal> {
        match wanted {
            Wanted::Delivery(id) => {
                let found = self.table.read_deliveries(std::slice::from_ref(id)).await?;
                let customer = found.first().and_then(customer_of);
                Ok(customer.map(|customer| Route::Delivery {
                    customer: customer.to_string(),
                    delivery: id.to_string(),
                }))
            }
            Wanted::Message(id) => {
                let found = self.table.message_page(id, None, 1).await?;
                Ok(found.map(|_| Route::Message {
                    message: id.to_string(),
                }))
            }
            Wanted::Subscription(id) => self.find_subscription(id).await,
            Wanted::Customer(id) => {
                let found = self.table.customer(id).await?;
                Ok(found.map(|customer| Route::Endpoints {
                    customer: customer.id.to_string(),
                }))
            }
            Wanted::Nothing => Ok(None),
        }
    }

    /// The table finds a subscription by its customer only. Its newest delivery names the customer.
    async fn find_subscription(&self, id: &SubscriptionId) -> Result<Option<Route>, Refusal> {
        let newest = self.table.deliveries_of(id, &Window::newest(1)).await?;
        let newest: Vec<_> = newest.entries.iter().map(|entry| entry.id).collect();
        let found = self.table.read_deliveries(&newest).await?;
        let Some(customer) = found.first().and_then(customer_of) else {
            return Ok(None);
        };
        let exists = match read_subscription(&self.table, customer, id).await {
            Ok(found) => found.is_some(),
            // The page says what cannot be read.
            Err(ReadError::Broken(_)) => true,
            Err(ReadError::Store(error)) => return Err(error.into()),
        };
        Ok(exists.then(|| Route::Endpoint {
            customer: customer.to_string(),
            subscription: id.to_string(),
        }))
    }
}

fn customer_of(found: &Readable<Delivery, DeliveryId>) -> Option<&CustomerId> {
    match found {
        Ok(delivery) => Some(&delivery.customer_id),
        Err(broken) => broken.customer_id.as_ref(),
    }
}
