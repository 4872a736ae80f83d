//! In-memory sessions of the portal and of the console.

use webhooks_domain::broken::Readable;
use webhooks_domain::ids::PortalSessionId;
use webhooks_domain::paging::EntryPage;
use webhooks_domain::portal_session::{Audience, PortalSession, SecretDigest, SessionSecret};
use webhooks_domain::ports::{
    InsertOutcome, PortalAccessTable, PortalSessionTable, StoreError, WriteOutcome,
};
use webhooks_domain::timestamp::Timestamp;

use super::{InMemoryBackend, State};

/// A session as it is stored.
pub(super) struct Stored {
    session: PortalSession,
    secret: SessionSecret,
    expires_at: Timestamp,
}

impl State {
    /// A session that has not expired.
    fn portal_session(&mut self, audience: &Audience, id: &PortalSessionId) -> Option<&mut Stored> {
        let now = self.now();
        let stored = self.portal_sessions.get_mut(&(audience.clone(), *id));
        stored.filter(|stored| stored.expires_at > now)
    }
}

impl PortalSessionTable for InMemoryBackend {
    async fn insert_session(
        &self,
        session: &PortalSession,
        code: &SecretDigest,
        code_until: Timestamp,
    ) -> Result<InsertOutcome, StoreError> {
        self.store(|state| {
            let (audience, id) = (session.holder.audience(), session.id);
            if state.portal_session(&audience, &id).is_some() {
                return InsertOutcome::AlreadyThere;
            }
            let stored = Stored {
                session: session.clone(),
                secret: SessionSecret::Code(*code),
                expires_at: code_until,
            };
            state.portal_sessions.insert((audience, id), stored);
            InsertOutcome::Inserted
        })
    }

    async fn sessions(
        &self,
        audience: &Audience,
        before: Option<&PortalSessionId>,
        limit: u32,
    ) -> Result<EntryPage<Readable<PortalSession, PortalSessionId>>, StoreError> {
        self.store(|state| {
            let now = state.now();
            let newest_first = state.portal_sessions.iter().rev();
            let mut found = newest_first
                .filter(|((of, id), _)| of == audience && before.is_none_or(|before| id < before))
                .filter(|(_, stored)| stored.expires_at > now);
            let page = found.by_ref().take(limit as usize);
            EntryPage {
                entries: page.map(|(_, stored)| Ok(stored.session.clone())).collect(),
                has_more: found.next().is_some(),
            }
        })
    }

    async fn delete_session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> Result<bool, StoreError> {
        self.store(|state| {
            let is_there = state.portal_session(audience, id).is_some();
            state.portal_sessions.remove(&(audience.clone(), *id));
            is_there
        })
    }

    async fn delete_sessions(&self, audience: &Audience) -> Result<u64, StoreError> {
        self.store(|state| {
            let before = state.portal_sessions.len();
            state.portal_sessions.retain(|(of, _), _| of != audience);
            (before - state.portal_sessions.len()) as u64
        })
    }
}

impl PortalAccessTable for InMemoryBackend {
    async fn session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> Result<Option<(PortalSession, SessionSecret)>, StoreError> {
        self.store(|state| {
            let stored = state.portal_session(audience, id)?;
            Some((stored.session.clone(), stored.secret))
        })
    }

    async fn enter_session(
        &self,
        session: &PortalSession,
        code: &SecretDigest,
        token: &SecretDigest,
        at: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            let stored = state.portal_session(&session.holder.audience(), &session.id);
            match stored.filter(|stored| stored.secret == SessionSecret::Code(*code)) {
                Some(stored) => {
                    stored.secret = SessionSecret::Token(*token);
                    stored.session.entered_at = Some(at);
                    stored.expires_at = stored.session.ends_at;
                    WriteOutcome::Written
                }
                None => WriteOutcome::Conflict,
            }
        })
    }

    async fn end_session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> Result<(), StoreError> {
        self.store(|state| {
            state.portal_sessions.remove(&(audience.clone(), *id));
        })
    }
}
