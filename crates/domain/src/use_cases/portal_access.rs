//! The access of a browser to the portal and to the console: exchange a code for a token, and check
//! the token.
//!
//! A [`CustomerScope`] can be obtained from a checked session only. Everything that the portal reads
//! or changes for a customer requires one, and uses its customer instead of a customer of the request.
//! A customer's session gives the scope of this customer. A session of the console gives that of any
//! customer, and the [`ConsoleScope`], which everything about all customers requires.

use ring::rand::SystemRandom;

use crate::ids::CustomerId;
use crate::portal_session::{
    Actor, Audience, Capabilities, Capability, CsrfToken, Holder, PortalCode, PortalSession,
    PortalToken, SessionSecret,
};
use crate::ports::{Clock, PortalAccessTable, StoreError, WriteOutcome};

/// The checked access to one customer's data.
#[derive(Debug, Clone)]
pub struct CustomerScope {
    customer: CustomerId,
    session: PortalSession,
}

/// The checked access of support staff to what concerns all customers.
#[derive(Debug, Clone)]
pub struct ConsoleScope(PortalSession);

/// The session has not the capability that an action requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this session does not have the capability `{0}`")]
pub struct MissingCapability(pub Capability);

impl CustomerScope {
    /// The customer.
    pub fn customer(&self) -> &CustomerId {
        &self.customer
    }

    /// The session.
    pub fn session(&self) -> &PortalSession {
        &self.session
    }

    /// The name under which changes are logged, if the session is one of the console.
    pub fn actor(&self) -> Option<&Actor> {
        self.session.holder.actor()
    }

    /// The capabilities of the session.
    pub fn capabilities(&self) -> &Capabilities {
        &self.session.capabilities
    }

    /// Returns true if the session has this capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.session.capabilities.has(capability)
    }

    /// Refuses an action if the session has not its capability.
    pub fn require(&self, capability: Capability) -> Result<(), MissingCapability> {
        require(&self.session, capability)
    }
}

impl ConsoleScope {
    /// Refuses an action if the session has not its capability.
    pub fn require(&self, capability: Capability) -> Result<(), MissingCapability> {
        require(&self.0, capability)
    }
}

fn require(session: &PortalSession, capability: Capability) -> Result<(), MissingCapability> {
    if session.capabilities.has(capability) {
        Ok(())
    } else {
        Err(MissingCapability(capability))
    }
}

/// A session that was checked.
#[derive(Debug)]
pub struct CheckedSession {
    session: PortalSession,
    token: PortalToken,
}

impl CheckedSession {
    /// The session.
    pub fn session(&self) -> &PortalSession {
        &self.session
    }

    /// The token for the forms of this session's pages.
    pub fn csrf(&self) -> CsrfToken {
        self.token.csrf()
    }

    /// Returns true if a form came from a page of this session.
    pub fn accepts_csrf(&self, text: &str) -> bool {
        self.token.accepts_csrf(text)
    }

    /// The access to a customer's data. `None` if the session is of another customer.
    pub fn of_customer(self, customer: &CustomerId) -> Option<Access> {
        let may_open = match &self.session.holder {
            Holder::Customer(own) => own == customer,
            Holder::Support(_) => true,
        };
        may_open.then(|| Access {
            scope: CustomerScope {
                customer: customer.clone(),
                session: self.session,
            },
            csrf: self.token.csrf(),
        })
    }

    /// The access to what concerns all customers. `None` for a customer's session.
    pub fn of_console(&self) -> Option<ConsoleScope> {
        match self.session.holder {
            Holder::Customer(_) => None,
            Holder::Support(_) => Some(ConsoleScope(self.session.clone())),
        }
    }
}

/// The access of a checked session to one customer's data.
#[derive(Debug)]
pub struct Access {
    /// The scope of all reads and changes.
    pub scope: CustomerScope,
    /// The token for the forms of this session's pages.
    pub csrf: CsrfToken,
}

/// A link that was checked. Its code is that of a session, and was not used yet.
#[derive(Debug)]
pub struct Link {
    session: PortalSession,
    code: PortalCode,
}

impl Link {
    /// The site that it opens.
    pub fn audience(&self) -> &Audience {
        self.code.audience()
    }

    /// The code.
    pub fn code(&self) -> &PortalCode {
        &self.code
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
    /// Finds the session of a code. `None` if the code is forged, was used, or has expired, or the
    /// session was revoked. It only reads, so a forged code costs no write.
    pub async fn find(&self, code: PortalCode) -> Result<Option<Link>, StoreError> {
        let found = self.table.session(code.audience(), code.session()).await?;
        let now = self.clock.now();
        Ok(found.and_then(|(session, secret)| {
            let is_own = secret == SessionSecret::Code(code.digest());
            (is_own && !session.has_ended(now)).then_some(Link { session, code })
        }))
    }

    /// Exchanges the code of a link for a token. `None` if the code was used meanwhile, or the session
    /// was revoked.
    ///
    /// The token is made here and never comes from the browser, so nobody can know it before.
    pub async fn enter(
        &self,
        link: &Link,
    ) -> Result<Option<(PortalSession, PortalToken)>, StoreError> {
        let Link { session, code } = link;
        let (audience, id, at) = (code.audience(), session.id, self.clock.now());
        let token = PortalToken::random(audience, id, &self.random);
        let digest = token.digest();
        let written = self
            .table
            .enter_session(session, &code.digest(), &digest, at)
            .await?;
        let is_entered = match written {
            WriteOutcome::Written => true,
            // The write may be ours, repeated because its answer was lost.
            WriteOutcome::Conflict => {
                let found = self.table.session(audience, &id).await?;
                found.is_some_and(|(_, secret)| secret == SessionSecret::Token(digest))
            }
        };
        let entered_at = Some(at);
        let session = PortalSession {
            entered_at,
            ..session.clone()
        };
        Ok(is_entered.then_some((session, token)))
    }

    /// Checks a token. `None` if it is forged, or the session has ended or was revoked.
    pub async fn check(&self, token: PortalToken) -> Result<Option<CheckedSession>, StoreError> {
        let now = self.clock.now();
        let found = self.table.session(token.audience(), token.session());
        let Some((session, secret)) = found.await? else {
            return Ok(None);
        };
        if secret != SessionSecret::Token(token.digest()) || session.has_ended(now) {
            return Ok(None);
        }
        Ok(Some(CheckedSession { session, token }))
    }

    /// Ends a session that was checked.
    pub async fn leave(&self, checked: &CheckedSession) -> Result<(), StoreError> {
        let session = &checked.session;
        self.table
            .end_session(&session.holder.audience(), &session.id)
            .await
    }
}
