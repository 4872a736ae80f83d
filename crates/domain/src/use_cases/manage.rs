//! Managing subscriptions: create, read, change, rotate, list and delete.

mod authentication;
mod bounds;
mod change;
mod create;
mod delete;
mod error;
mod event_types;
mod expected_version;
mod map_change;
mod replace;
mod rotation;
mod secret_headers;
mod update;

use std::time::Duration;

use ring::rand::SystemRandom;

pub use change::{Change, SubscriptionChange};
pub use create::Created;
pub use error::ManageError;
pub use event_types::{
    EventTypeRule, SELF_TEST_CUSTOMER, SELF_TEST_TYPES, UnknownTypes, UnknownTypesError,
};
pub use expected_version::ExpectedVersion;
pub use map_change::MapChange;
pub use rotation::{NewSecret, Rotation};
pub use update::Updated;

use crate::ids::{CustomerId, SubscriptionId};
use crate::outbound::RequestTimeout;
use crate::ports::{Clock, DataKeyStore, KeyService, SubscriptionStore};
use crate::quota::Quota;
use crate::read_subscription::{list_subscriptions, read_subscription};
use crate::signing::Secret;
use crate::subscription::{Subscription, SubscriptionPage};
use crate::timestamp::Timestamp;
use crate::vault::Vault;

/// A signing secret.
#[derive(Debug)]
pub struct ActiveSecret {
    /// The number of the secret within its subscription, from 1.
    pub version: u32,
    /// The secret.
    pub secret: Secret,
    /// The time until which it signs. The current secret has none.
    pub expires_at: Option<Timestamp>,
}

/// The management of subscriptions, with its ports.
pub struct Manage<T, V, C> {
    /// The subscriptions.
    pub table: T,
    /// Encrypts and decrypts the secrets.
    pub vault: V,
    /// Tells the time.
    pub clock: C,
    /// The source of ids and secrets.
    pub random: SystemRandom,
    /// The retention of a delivery.
    pub retention: Duration,
    /// The stack's timeout for requests to endpoints.
    pub request_timeout: RequestTimeout,
    /// The quota of a customer.
    pub quota: Quota,
    /// The rule for event types that are not in the catalogue.
    pub event_types: EventTypeRule,
}

/// The number of tries of a write that conflicts with others.
const MAX_TRIES: u32 = 4;

impl<T: SubscriptionStore, V, C> Manage<T, V, C> {
    /// Reads a subscription. One that cannot be read completely is [`ManageError::Broken`].
    pub async fn show(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Subscription, ManageError> {
        let found = read_subscription(&self.table, customer, id).await?;
        found.ok_or_else(|| ManageError::NotFound {
            customer: customer.clone(),
            subscription: *id,
        })
    }

    /// Reads a subscription that is to be changed, if it has the required version.
    pub(super) async fn show_for_change(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        expected: &ExpectedVersion,
    ) -> Result<Subscription, ManageError> {
        let current = self.show(customer, id).await?;
        check_version(&current, expected)?;
        Ok(current)
    }

    /// Lists a page of the customer's subscriptions.
    pub async fn list(
        &self,
        customer: &CustomerId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<SubscriptionPage, ManageError> {
        Ok(list_subscriptions(&self.table, customer, after, limit).await?)
    }
}

impl<T, S, K, C> Manage<T, Vault<S, K, C>, C>
where
    T: SubscriptionStore,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// The subscription with its signing secrets, the current one first.
    pub async fn secrets(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<(Subscription, Vec<ActiveSecret>), ManageError> {
        let subscription = self.show(customer, id).await?;
        let now = self.clock.now();
        let mut active = Vec::new();
        for (sealed, expires_at) in subscription.secrets.iter() {
            if expires_at.is_none_or(|end| now < end) {
                active.push(ActiveSecret {
                    version: sealed.version,
                    secret: self.vault.open(sealed, customer, id).await?,
                    expires_at,
                });
            }
        }
        Ok((subscription, active))
    }
}

/// Fails if a subscription does not have the required version.
fn check_version(of: &Subscription, expected: &ExpectedVersion) -> Result<(), ManageError> {
    if expected.allows(of.version) {
        Ok(())
    } else {
        Err(ManageError::AnotherVersion {
            subscription: of.id,
        })
    }
}
