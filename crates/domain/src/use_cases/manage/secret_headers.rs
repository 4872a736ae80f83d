//! The change of a subscription's secret headers.

use std::collections::BTreeMap;

use super::change::Field as _;
use crate::fields::FieldError;
use crate::manage::{Manage, ManageError, MapChange};
use crate::outbound::{CustomHeaders, SealedHeaders};
use crate::ports::{Clock, DataKeyStore, KeyService, SubscriptionStore};
use crate::subscription::Subscription;
use crate::vault::{Vault, VaultError};

const FIELD: &str = "secretHeaders";

impl<T, S, K, C> Manage<T, Vault<S, K, C>, C>
where
    T: SubscriptionStore,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// The secret headers after a change. `changed` is the subscription with its other fields
    /// changed.
    ///
    /// If the origin of the URL has changed, only the headers that the change gives remain.
    /// Otherwise a caller who may change the URL could send a secret, without knowing it, to a
    /// server of the caller's own. A header that is set to its current value keeps its sealed
    /// bytes, so that nothing changes.
    pub(super) async fn secret_headers(
        &self,
        change: MapChange,
        current: &Subscription,
        changed: &Subscription,
    ) -> Result<SealedHeaders, ManageError> {
        let field = if change.is_change() { FIELD } else { "headers" };
        let mut headers = if changed.url.origin() == current.url.origin() {
            current.secret_headers.clone()
        } else {
            SealedHeaders::default()
        };
        for (name, value) in given(change, &mut headers)?.iter() {
            if !self.has_value(&headers, name, value, changed).await? {
                let sealed = self.vault.seal_header(name, value, changed).await?;
                headers.set(name, sealed);
            }
        }
        let checked = headers.check_with(&changed.headers);
        checked.map_err(|error| FieldError::new(field, error))?;
        Ok(headers)
    }

    /// Returns true if a header has this value. A header that cannot be opened has no value.
    async fn has_value(
        &self,
        headers: &SealedHeaders,
        name: &str,
        value: &str,
        of: &Subscription,
    ) -> Result<bool, VaultError> {
        let Some(sealed) = headers.get(name) else {
            return Ok(false);
        };
        match self.vault.open_header(name, sealed, of).await {
            Ok(stored) => Ok(stored == value),
            Err(VaultError::NotOurs { .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}

/// Removes the headers that a change removes, and returns those that it sets.
fn given(change: MapChange, headers: &mut SealedHeaders) -> Result<CustomHeaders, FieldError> {
    let MapChange::Merge(changes) = change else {
        *headers = SealedHeaders::default();
        return Ok(CustomHeaders::default());
    };
    let mut given = BTreeMap::new();
    for (name, value) in changes {
        match value {
            Some(value) => drop(given.insert(name, value)),
            None => headers.remove(&name.to_ascii_lowercase()),
        }
    }
    CustomHeaders::new_secret(given).map_err(|error| FieldError::new(FIELD, error))
}
