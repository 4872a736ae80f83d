//! Rotations of a subscription's secret.

use crate::fields::FieldError;
use crate::ids::{CustomerId, SubscriptionId};
use crate::manage::{ExpectedVersion, Manage, ManageError};
use crate::ports::{Clock, DataKeyStore, HealthFate, KeyService, SubscriptionStore};
use crate::signing::{Overlap, Secret, SecretKind};
use crate::subscription::Subscription;
use crate::vault::Vault;

/// The content of a request for a rotation.
#[derive(Debug)]
pub struct Rotation {
    /// The time for which the previous secret still signs.
    pub overlap: Overlap,
    /// The new secret.
    pub new_secret: NewSecret,
}

/// The source of the new secret.
#[derive(Debug, PartialEq, Eq)]
pub enum NewSecret {
    /// It is generated, with the current secret's kind.
    GeneratedAsCurrent,
    /// It is generated, with this kind.
    Generated(SecretKind),
    /// It is given in the request.
    Imported(Secret),
}

impl NewSecret {
    /// The new secret that a request asks for. Both of its fields, `kind` and `secret`, may be
    /// absent.
    ///
    /// # Errors
    /// If the kind is not that of the secret.
    pub fn of(kind: Option<SecretKind>, secret: Option<Secret>) -> Result<Self, FieldError> {
        match (kind, secret) {
            (None, None) => Ok(Self::GeneratedAsCurrent),
            (Some(kind), None) => Ok(Self::Generated(kind)),
            (Some(kind), Some(secret)) if kind != secret.kind() => {
                let of_secret = secret.kind().as_str();
                let problem = format!("must be that of the secret, `{of_secret}`, or absent");
                Err(FieldError::new("kind", problem))
            }
            (_, Some(secret)) => Ok(Self::Imported(secret)),
        }
    }
}

impl<T, S, K, C> Manage<T, Vault<S, K, C>, C>
where
    T: SubscriptionStore,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Makes a new secret the current one. The previous one still signs during the overlap. Returns
    /// the new secret too.
    pub async fn rotate(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        expected: &ExpectedVersion,
        rotation: Rotation,
    ) -> Result<(Subscription, Secret), ManageError> {
        let current = self.show_for_change(customer, id, expected).await?;
        let now = self.clock.now();
        let secret = match rotation.new_secret {
            NewSecret::GeneratedAsCurrent => {
                Secret::generate(current.secrets.current().kind(), &self.random)
            }
            NewSecret::Generated(kind) => Secret::generate(kind, &self.random),
            NewSecret::Imported(secret) => {
                if self.vault.open_all(&current, now).await?.contains(&secret) {
                    return Err(FieldError::new("secret", "must be new, signs already").into());
                }
                secret
            }
        };
        let version = current.secrets.next_version();
        let sealed = self.vault.seal(&secret, customer, id, version).await?;
        let secrets = current
            .secrets
            .clone()
            .rotate(sealed, rotation.overlap, now)
            .map_err(|error| FieldError::new("overlapSeconds", error))?;
        let rotated = Subscription {
            secrets,
            updated_at: now,
            version: current.version + 1,
            ..current.clone()
        };
        let rotated = self.replace(&current, rotated, HealthFate::Kept, expected);
        Ok((rotated.await?, secret))
    }
}
