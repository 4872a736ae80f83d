//! The part of the form that authenticates requests.

use webhooks_api_types::{
    Authentication, AuthenticationType, ClientAuthentication, NewAuthentication, Nullable,
    Subscription, SubscriptionPatch,
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
    /// The token endpoint, for access tokens.
    pub token_url: String,
    /// The client, for access tokens.
    pub client_id: String,
    /// The scopes, for access tokens.
    pub scope: String,
    /// The audience, for access tokens.
    pub audience: String,
    /// The place of the client's credentials; empty for the default.
    pub client_authentication: String,
    /// The new secret. It is not shown again.
    pub secret: String,
    /// The new client certificate, in PEM.
    pub certificate: String,
    /// Its private key, in PEM. It is not shown again.
    pub private_key: String,
}

/// Leaves the secrets out.
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
            Authentication::Bearer {} | Authentication::Mtls { .. } => form,
            Authentication::ApiKey { header } => Self {
                header: header.clone(),
                ..form
            },
            Authentication::OAuth2 {
                token_url,
                client_id,
                scope,
                audience,
                client_authentication,
            } => Self {
                token_url: token_url.clone(),
                client_id: client_id.clone(),
                scope: scope.clone().unwrap_or_default(),
                audience: audience.clone().unwrap_or_default(),
                client_authentication: client_authentication.to_string(),
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
        if self.of_its_kind() == before.of_its_kind() {
            return Ok(());
        }
        let kind = self.known_kind();
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
            Some(AuthenticationType::OAuth2) => {
                let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
                Nullable::Value(NewAuthentication::OAuth2 {
                    token_url: self.token_url.clone(),
                    client_id: self.client_id.clone(),
                    client_secret: secret,
                    scope: text(&self.scope),
                    audience: text(&self.audience),
                    client_authentication: self.client_authentication()?,
                })
            }
            Some(AuthenticationType::Mtls) => Nullable::Value(NewAuthentication::Mtls {
                certificate: self.certificate.clone(),
                private_key: self.private_key.clone(),
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

    fn known_kind(&self) -> Option<AuthenticationType> {
        let mut kinds = AuthenticationType::ALL.into_iter();
        kinds.find(|kind| kind.to_string() == self.kind)
    }

    /// The fields of its type, and the secrets. A browser sends those of every type, and a choice
    /// always with a value, so the others do not count.
    fn of_its_kind(&self) -> Self {
        let secrets = Self {
            kind: self.kind.clone(),
            secret: self.secret.clone(),
            certificate: self.certificate.clone(),
            private_key: self.private_key.clone(),
            ..Self::default()
        };
        match self.known_kind() {
            Some(AuthenticationType::Basic) => Self {
                username: self.username.clone(),
                ..secrets
            },
            Some(AuthenticationType::ApiKey) => Self {
                header: self.header.clone(),
                ..secrets
            },
            Some(AuthenticationType::OAuth2) => {
                let place = match self.client_authentication.as_str() {
                    "" => ClientAuthentication::Header.to_string(),
                    place => place.to_owned(),
                };
                Self {
                    token_url: self.token_url.clone(),
                    client_id: self.client_id.clone(),
                    scope: self.scope.clone(),
                    audience: self.audience.clone(),
                    client_authentication: place,
                    ..secrets
                }
            }
            Some(AuthenticationType::Bearer | AuthenticationType::Mtls) | None => secrets,
        }
    }

    fn client_authentication(&self) -> Result<Option<ClientAuthentication>, FormProblem> {
        if self.client_authentication.is_empty() {
            return Ok(None);
        }
        let mut places = ClientAuthentication::ALL.into_iter();
        let place = places.find(|place| place.to_string() == self.client_authentication);
        let problem = || FormProblem::of("authentication", "must be one of the choices");
        place.map(Some).ok_or_else(problem)
    }
}
