//! The access of a browser to the portal: exchange a code for a token, and check the token.
//!
//! A [`CustomerScope`] can be obtained from a checked session only. Everything that the portal reads
//! or changes requires one, and uses its customer instead of a customer of the request.

use ring::rand::SystemRandom;

use crate::ids::CustomerId;
use crate::portal_session::{Capability, CsrfToken, PortalCode, PortalSession, PortalToken};
use crate::ports::{Clock, PortalAccessTable, StoreError};

/// The checked access to one customer's data.
#[derive(Debug, Clone)]
pub struct CustomerScope(PortalSession);

/// The session has not the capability that an action requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this session does not have the capability `{0}`")]
pub struct MissingCapability(pub Capability);

impl CustomerScope {
    /// The customer.
    pub fn customer(&self) -> &CustomerId {
        &self.0.customer_id
    }

    /// The session.
    pub fn session(&self) -> &PortalSession {
        &self.0
    }

    /// Returns true if the session has this capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.capabilities.has(capability)
    }

    /// Refuses an action if the session has not its capability.
    pub fn require(&self, capability: Capability) -> Result<(), MissingCapability> {
        if self.has(capability) {
            Ok(())
        } else {
            Err(MissingCapability(capability))
        }
    }
}

/// A session that was checked.
#[derive(Debug)]
pub struct Access {
    /// The access to the customer's data.
    pub scope: CustomerScope,
    token: PortalToken,
}

impl Access {
    /// The token for the forms of this session's pages.
    pub fn csrf(&self) -> CsrfToken {
        self.token.csrf()
    }

    /// Returns true if a form came from a page of this session.
    pub fn accepts_csrf(&self, text: &str) -> bool {
        self.token.accepts_csrf(text)
    }
}

/// The access to the portal, with its ports.
#[derive(Debug)]
pub struct PortalAccess<T, C> {
    /// The sessions.
    pub table: T,
    /// Tells the time.
    pub clock: C,
    /// The source of tokens.
    pub random: SystemRandom,
}

impl<T: PortalAccessTable, C: Clock> PortalAccess<T, C> {
    /// Exchanges a code for a token. `None` if the code is unknown, was used, or has expired, or the
    /// session was revoked.
    ///
    /// The token is made here and never comes from the browser, so nobody can know it before.
    pub async fn enter(
        &self,
        code: &PortalCode,
    ) -> Result<Option<(PortalSession, PortalToken)>, StoreError> {
        let now = self.clock.now();
        let token = PortalToken::random(code.customer(), *code.session(), &self.random);
        let (customer, id) = (code.customer(), code.session());
        let entered = self
            .table
            .enter_session(customer, id, &code.digest(), &token.digest(), now)
            .await?;
        let entered = entered.filter(|session| !session.has_ended(now));
        Ok(entered.map(|session| (session, token)))
    }

    /// Checks a token. `None` if it is forged, or the session has ended or was revoked.
    pub async fn check(&self, token: PortalToken) -> Result<Option<Access>, StoreError> {
        let now = self.clock.now();
        let found = self
            .table
            .entered_session(token.customer(), token.session());
        let Some((session, digest)) = found.await? else {
            return Ok(None);
        };
        // The time of a comparison of digests tells nothing about the secret.
        if digest != token.digest() || session.has_ended(now) {
            return Ok(None);
        }
        let scope = CustomerScope(session);
        Ok(Some(Access { scope, token }))
    }

    /// Ends a session that was checked.
    pub async fn leave(&self, scope: &CustomerScope) -> Result<(), StoreError> {
        let session = scope.session();
        self.table
            .end_session(&session.customer_id, &session.id)
            .await
    }
}
