//! Customers: list, read and change.

use crate::broken::Readable;
use crate::contact::Contacts;
use crate::customer::{Customer, CustomerName};
use crate::fields::FieldError;
use crate::ids::CustomerId;
use crate::limits::RateLimit;
use crate::manage::{Change, ExpectedVersion, MapChange};
use crate::metadata::Metadata;
use crate::paging::EntryPage;
use crate::ports::{Clock, CustomerTable, StoreError, WriteOutcome};
use crate::quota::MaxSubscriptions;

/// The number of tries of a write that conflicts with others.
const MAX_TRIES: u32 = 4;

/// The reason why a customer could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum CustomerError {
    /// A field of the request is not valid.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// There is no such customer.
    #[error("there is no customer `{customer}`")]
    NotFound {
        /// The customer.
        customer: CustomerId,
    },
    /// It is being deleted.
    #[error("customer `{customer}` is being deleted: try again when it does not exist any more")]
    BeingDeleted {
        /// The customer.
        customer: CustomerId,
    },
    /// There were concurrent changes.
    #[error("customer `{customer}` was changed at the same time: read it and try again")]
    Conflict {
        /// The customer.
        customer: CustomerId,
    },
    /// It does not have the version that the request requires.
    #[error("customer `{customer}` has another version by now: read it and try again")]
    AnotherVersion {
        /// The customer.
        customer: CustomerId,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The changes of a customer's fields. By default all fields stay.
#[derive(Debug, Clone, Default)]
pub struct CustomerChange {
    /// `name`
    pub name: Change<CustomerName>,
    /// `metadata`
    pub metadata: MapChange,
    /// `maxSubscriptions`
    pub max_subscriptions: Change<MaxSubscriptions>,
    /// `rateLimitPerSecond`
    pub rate_limit: Change<RateLimit>,
    /// `contacts`, all of them
    pub contacts: Change<Contacts>,
}

/// The fields of a customer that a request writes as a whole.
#[derive(Debug, Clone, Default)]
pub struct CustomerFields {
    /// `name`
    pub name: Option<CustomerName>,
    /// `metadata`
    pub metadata: Metadata,
    /// `maxSubscriptions`
    pub max_subscriptions: Option<MaxSubscriptions>,
    /// `rateLimitPerSecond`
    pub rate_limit: Option<RateLimit>,
    /// `contacts`
    pub contacts: Contacts,
}

/// The result of a request that writes a customer.
#[derive(Debug)]
pub struct WrittenCustomer {
    /// The customer before. `None` if the request has created it.
    pub before: Option<Customer>,
    /// The customer after the request. If nothing has changed, it has its old version.
    pub customer: Customer,
}

/// The management of customers, with its ports.
#[derive(Debug)]
pub struct Customers<T, C> {
    /// The customers.
    pub table: T,
    /// Tells the time.
    pub clock: C,
}

/// The treatment of a customer that does not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfAbsent {
    Create,
    Refuse,
}

impl<T: CustomerTable, C: Clock> Customers<T, C> {
    /// Lists a page of the customers, in the order of their ids.
    pub async fn list(
        &self,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<EntryPage<Readable<Customer, CustomerId>>, StoreError> {
        self.table.customers(after, limit).await
    }

    /// Reads a customer.
    pub async fn show(&self, id: &CustomerId) -> Result<Customer, CustomerError> {
        let found = self.table.customer(id).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// Writes the fields of a customer as a whole. It is created if it does not exist, unless the
    /// request expects a version.
    pub async fn replace(
        &self,
        id: &CustomerId,
        expected: &ExpectedVersion,
        fields: CustomerFields,
    ) -> Result<WrittenCustomer, CustomerError> {
        let change = |current| {
            let CustomerFields {
                name,
                metadata,
                max_subscriptions,
                rate_limit,
                contacts,
            } = fields.clone();
            Ok(Customer {
                name,
                metadata,
                max_subscriptions,
                rate_limit,
                contacts,
                ..current
            })
        };
        self.write(id, expected, IfAbsent::Create, change).await
    }

    /// Changes the fields that the change names; the others stay. A change without effect is not
    /// written, and makes no new version.
    pub async fn update(
        &self,
        id: &CustomerId,
        expected: &ExpectedVersion,
        change: CustomerChange,
    ) -> Result<WrittenCustomer, CustomerError> {
        let change = |current: Customer| {
            let CustomerChange {
                name,
                metadata,
                max_subscriptions,
                rate_limit,
                contacts,
            } = change.clone();
            Ok(Customer {
                rate_limit: rate_limit.apply(current.rate_limit),
                max_subscriptions: max_subscriptions.apply(current.max_subscriptions),
                name: name.apply(current.name.clone()),
                metadata: metadata.metadata(current.metadata.clone())?,
                contacts: contacts
                    .apply(Some(current.contacts.clone()))
                    .unwrap_or_default(),
                ..current
            })
        };
        self.write(id, expected, IfAbsent::Refuse, change).await
    }

    /// Requests the deletion of a customer and of all its data. [`crate::delete_customers`] does
    /// it. Returns the customer, and `true` if it was not requested before.
    pub async fn delete(
        &self,
        id: &CustomerId,
        expected: &ExpectedVersion,
    ) -> Result<(Customer, bool), CustomerError> {
        let mut requested = false;
        for _ in 0..MAX_TRIES {
            let customer = self.show(id).await?;
            if customer.deletion.is_some() {
                return Ok((customer, requested));
            }
            if !expected.allows(customer.version) {
                return Err(another_version(id));
            }
            // A conflict may come from this write itself, if it was repeated after its response was
            // lost. So a deletion that is found after a conflict counts as requested here.
            requested = true;
            self.table
                .request_deletion(&customer, self.clock.now())
                .await?;
        }
        let customer = id.clone();
        Err(CustomerError::Conflict { customer })
    }

    /// Reads, changes and writes a customer. After a conflict it starts again, because the first
    /// subscription of the customer may have created it meanwhile.
    async fn write(
        &self,
        id: &CustomerId,
        expected: &ExpectedVersion,
        if_absent: IfAbsent,
        change: impl Fn(Customer) -> Result<Customer, FieldError>,
    ) -> Result<WrittenCustomer, CustomerError> {
        let mut tried: Option<WrittenCustomer> = None;
        for _ in 0..MAX_TRIES {
            let read = self.table.customer(id).await?;
            // The write of the previous round was stored, but its response was lost.
            if let (Some(stored), Some(tried)) = (&read, &mut tried)
                && stored.is_as_written(&tried.customer)
            {
                return Ok(WrittenCustomer {
                    before: tried.before.take(),
                    customer: stored.clone(),
                });
            }
            let now = self.clock.now();
            let current = match &read {
                Some(stored) if stored.deletion.is_some() => return Err(being_deleted(id)),
                Some(stored) if expected.allows(stored.version) => stored.clone(),
                Some(_) => return Err(another_version(id)),
                None if if_absent == IfAbsent::Refuse => return Err(not_found(id)),
                None if *expected != ExpectedVersion::Any => return Err(another_version(id)),
                None => Customer::unwritten(id, now),
            };
            let changed = change(current.clone())?;
            if read.is_some() && changed == current {
                return Ok(WrittenCustomer {
                    before: read,
                    customer: changed,
                });
            }
            let changed = Customer {
                version: current.version + 1,
                updated_at: now,
                ..changed
            };
            let outcome = self.table.write_customer(read.as_ref(), &changed).await?;
            let written = WrittenCustomer {
                before: read,
                customer: changed,
            };
            if outcome == WriteOutcome::Written {
                return Ok(written);
            }
            tried = Some(written);
        }
        let customer = id.clone();
        Err(CustomerError::Conflict { customer })
    }
}

fn being_deleted(id: &CustomerId) -> CustomerError {
    let customer = id.clone();
    CustomerError::BeingDeleted { customer }
}

fn not_found(id: &CustomerId) -> CustomerError {
    let customer = id.clone();
    CustomerError::NotFound { customer }
}

fn another_version(id: &CustomerId) -> CustomerError {
    let customer = id.clone();
    CustomerError::AnotherVersion { customer }
}
