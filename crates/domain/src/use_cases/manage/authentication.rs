//! The change of the authentication to a subscription's endpoint.

use super::change::Field as _;
use crate::fields::FieldError;
use crate::manage::{Change, Manage, ManageError};
use crate::outbound::{Credential, SealedCredential};
use crate::ports::{Clock, DataKeyStore, KeyService, SubscriptionStore};
use crate::subscription::Subscription;
use crate::vault::{Vault, VaultError};

const FIELD: &str = "authentication";

impl<T, S, K, C> Manage<T, Vault<S, K, C>, C>
where
    T: SubscriptionStore,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// The authentication after a change. `changed` is the subscription with its other fields
    /// changed, the secret headers included.
    ///
    /// If the origin of the URL has changed, only an authentication that the change gives remains,
    /// for the reason that [secret headers](Self::secret_headers) have. One that is set to its
    /// current value keeps its sealed bytes, so that nothing changes.
    pub(super) async fn authentication(
        &self,
        change: Change<Credential>,
        current: &Subscription,
        changed: &Subscription,
    ) -> Result<Option<SealedCredential>, ManageError> {
        let is_given = change.is_change();
        let stored = current.authentication.as_ref();
        let stored = stored.filter(|_| changed.url.origin() == current.url.origin());
        let authentication = match change {
            Change::Keep => stored.cloned(),
            Change::Remove => None,
            Change::Set(given) if self.is_stored(&given, stored, changed).await? => stored.cloned(),
            Change::Set(given) => {
                let checked = given.check_at(self.clock.now());
                checked.map_err(|error| FieldError::new(FIELD, error))?;
                Some(self.vault.seal_credential(&given, changed).await?)
            }
        };
        if let Some(SealedCredential { authentication, .. }) = &authentication {
            let checked = authentication.check_url(&changed.url);
            checked.map_err(|error| FieldError::new(FIELD, error))?;
            let (headers, secret_headers) = (&changed.headers, &changed.secret_headers);
            let checked = authentication.check_with(headers, secret_headers);
            let name = authentication.header_name();
            let is_secret = || name.is_some_and(|name| secret_headers.get(name).is_some());
            checked.map_err(|error| {
                let field = match is_given {
                    true => FIELD,
                    false if is_secret() => "secretHeaders",
                    false => "headers",
                };
                FieldError::new(field, error)
            })?;
        }
        Ok(authentication)
    }

    /// Returns true if this authentication is stored, with this secret. One that cannot be opened
    /// has no secret.
    async fn is_stored(
        &self,
        given: &Credential,
        stored: Option<&SealedCredential>,
        of: &Subscription,
    ) -> Result<bool, VaultError> {
        let Some(sealed) = stored else {
            return Ok(false);
        };
        match self.vault.open_credential(sealed, of).await {
            Ok(stored) => Ok(stored == *given),
            Err(VaultError::NotOurs { .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
