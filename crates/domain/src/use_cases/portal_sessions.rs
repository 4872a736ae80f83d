//! Sessions of the portal and of the console: create, list, revoke.

use ring::rand::SystemRandom;

use crate::broken::Readable;
use crate::ids::{CustomerId, PortalSessionId};
use crate::paging::EntryPage;
use crate::portal_session::{
    Actor, Audience, Capabilities, Holder, PortalCode, PortalSession, ReturnUrl, SessionDuration,
    whole_seconds,
};
use crate::ports::{Clock, CustomerTable, PortalSessionTable, StoreError};
use crate::timestamp::Timestamp;

/// The reason why a session was not created or revoked.
#[derive(Debug, thiserror::Error)]
pub enum PortalSessionError {
    /// The customer is being deleted.
    #[error("customer `{customer}` is being deleted: try again when it does not exist any more")]
    BeingDeleted {
        /// The customer.
        customer: CustomerId,
    },
    /// There is no such session, or it has ended.
    #[error("{audience} has no session `{session}`")]
    NotFound {
        /// The site.
        audience: Audience,
        /// The session.
        session: PortalSessionId,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The session that a request asks for.
#[derive(Debug, Clone)]
pub struct WantedSession {
    /// The permitted actions.
    pub capabilities: Capabilities,
    /// The duration.
    pub duration: SessionDuration,
    /// The place to which the portal leads after the end.
    pub return_url: Option<ReturnUrl>,
    /// The ARN of the caller, if it is known.
    pub created_by: Option<String>,
}

/// A session, with the code of its link.
#[derive(Debug)]
pub struct CreatedSession {
    /// The session.
    pub session: PortalSession,
    /// The code. Nothing can show it again.
    pub code: PortalCode,
    /// The time until which the code can be used.
    pub code_until: Timestamp,
}

/// The management of sessions, with its ports.
#[derive(Debug)]
pub struct PortalSessions<T, C> {
    /// The sessions, and the customers.
    pub table: T,
    /// Tells the time.
    pub clock: C,
    /// The source of ids and codes.
    pub random: SystemRandom,
}

impl<T: PortalSessionTable + CustomerTable, C: Clock> PortalSessions<T, C> {
    /// Creates a session of a customer, which need not have a subscription yet.
    pub async fn create(
        &self,
        customer: &CustomerId,
        wanted: WantedSession,
    ) -> Result<CreatedSession, PortalSessionError> {
        let stored = self.table.customer(customer).await?;
        if stored.is_some_and(|stored| stored.deletion.is_some()) {
            let customer = customer.clone();
            return Err(PortalSessionError::BeingDeleted { customer });
        }
        Ok(self
            .insert(Holder::Customer(customer.clone()), wanted)
            .await?)
    }
}

impl<T: PortalSessionTable, C: Clock> PortalSessions<T, C> {
    /// Creates a session of the console.
    pub async fn create_for_support(
        &self,
        actor: Actor,
        capabilities: Capabilities,
        duration: SessionDuration,
    ) -> Result<CreatedSession, StoreError> {
        let wanted = WantedSession {
            capabilities,
            duration,
            return_url: None,
            created_by: None,
        };
        self.insert(Holder::Support(actor), wanted).await
    }

    async fn insert(
        &self,
        holder: Holder,
        wanted: WantedSession,
    ) -> Result<CreatedSession, StoreError> {
        let now = self.clock.now();
        let id = PortalSessionId::new(now, &self.random);
        let code = PortalCode::random(&holder.audience(), id, &self.random);
        let session = PortalSession {
            holder,
            id,
            capabilities: wanted.capabilities,
            return_url: wanted.return_url,
            created_by: wanted.created_by,
            created_at: now,
            entered_at: None,
            ends_at: wanted.duration.end(now),
        };
        let code_until = whole_seconds(now + PortalCode::VALID).min(session.ends_at);
        self.table
            .insert_session(&session, &code.digest(), code_until)
            .await?;
        Ok(CreatedSession {
            session,
            code,
            code_until,
        })
    }

    /// Lists the sessions of a site, the newest first. Sessions that have ended, and those whose
    /// link was not used in time, are absent.
    pub async fn list(
        &self,
        audience: &Audience,
        before: Option<&PortalSessionId>,
        limit: u32,
    ) -> Result<EntryPage<Readable<PortalSession, PortalSessionId>>, StoreError> {
        self.table.sessions(audience, before, limit).await
    }

    /// Revokes a session: its link and its cookie work no more.
    pub async fn revoke(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> Result<(), PortalSessionError> {
        if self.table.delete_session(audience, id).await? {
            return Ok(());
        }
        Err(PortalSessionError::NotFound {
            audience: audience.clone(),
            session: *id,
        })
    }

    /// Revokes all sessions of a site.
    pub async fn revoke_all(&self, audience: &Audience) -> Result<(), StoreError> {
        while self.table.delete_sessions(audience).await? > 0 {}
        Ok(())
    }
}
