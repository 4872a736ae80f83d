//! Sessions of the portal.

use http::Method;
use serde::Serialize;

use super::{Api, Call};
use crate::{CreatedPortalSession, Page, PortalSession, PortalSessionsQuery};

const SESSIONS: &str = "portal-sessions";

impl Api {
    /// Creates a session of the portal, and a link that opens it once.
    pub fn create_portal_session(
        &self,
        customer_id: &str,
        session: &impl Serialize,
    ) -> Call<'_, CreatedPortalSession> {
        Call::new(self, Method::POST, &["customers", customer_id, SESSIONS]).json(session)
    }

    /// One page of a customer's sessions, the newest first.
    pub fn portal_sessions(
        &self,
        customer_id: &str,
        query: &PortalSessionsQuery,
    ) -> Call<'_, Page<PortalSession>> {
        Call::new(self, Method::GET, &["customers", customer_id, SESSIONS]).query(query)
    }

    /// Revokes a session.
    pub fn revoke_portal_session(&self, customer_id: &str, session_id: &str) -> Call<'_, ()> {
        let path = ["customers", customer_id, SESSIONS, session_id];
        Call::new(self, Method::DELETE, &path)
    }

    /// Revokes all sessions of a customer.
    pub fn revoke_portal_sessions(&self, customer_id: &str) -> Call<'_, ()> {
        Call::new(self, Method::DELETE, &["customers", customer_id, SESSIONS])
    }
}
