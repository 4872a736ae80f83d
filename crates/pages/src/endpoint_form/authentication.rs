//! The part of the form that authenticates requests.

use webhooks_api_types::{
    Authentication, AuthenticationType, NewAuthentication, Nullable, Subscription,
    SubscriptionPatch,
};

use crate::problem::FormProblem;

/// The fields, as they were entered.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AuthenticationForm {
    /// The type; empty for none.
    pub kind: String,
    /// The user name, for HTTP Basic.
    pub username: String,
    /// The name of the header, for a key.
    pub header: String,
    /// The new secret. It is not shown again.
    pub secret: String,
}

/// Leaves the secret out.
impl std::fmt::Debug for AuthenticationForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthenticationForm")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl AuthenticationForm {
    pub(super) fn of(subscription: &Subscription) -> Self {
        let Some(authentication) = &subscription.authentication else {
            return Self::default();
        };
        let form = Self {
            kind: authentication.kind().to_string(),
            ..Self::default()
        };
        match authentication {
            Authentication::Basic { username } => Self {
                username: username.clone(),
                ..form
            },
            Authentication::Bearer {} => form,
            Authentication::ApiKey { header } => Self {
                header: header.clone(),
                ..form
            },
        }
    }

    /// Adds the authentication, if something was entered.
    pub(super) fn add_to(
        &self,
        patch: &mut SubscriptionPatch,
        before: Option<&Self>,
    ) -> Result<(), FormProblem> {
        let none = Self::default();
        let before = before.unwrap_or(&none);
        if self == before {
            return Ok(());
        }
        let mut kinds = AuthenticationType::ALL.into_iter();
        let kind = kinds.find(|kind| kind.to_string() == self.kind);
        let secret = self.secret.clone();
        patch.authentication = match kind {
            Some(AuthenticationType::Basic) => Nullable::Value(NewAuthentication::Basic {
                username: self.username.clone(),
                password: secret,
            }),
            Some(AuthenticationType::Bearer) => {
                Nullable::Value(NewAuthentication::Bearer { token: secret })
            }
            Some(AuthenticationType::ApiKey) => Nullable::Value(NewAuthentication::ApiKey {
                header: self.header.clone(),
                value: secret,
            }),
            None if self.kind.is_empty() && before.kind.is_empty() => Nullable::Absent,
            None if self.kind.is_empty() => Nullable::Null,
            None => {
                return Err(FormProblem::of(
                    "authentication",
                    "must be one of the choices",
                ));
            }
        };
        Ok(())
    }
}
