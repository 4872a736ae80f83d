//! The table's sessions of the portal.

use std::future::Future;

use super::{InsertOutcome, StoreError};
use crate::broken::Readable;
use crate::ids::PortalSessionId;
use crate::paging::EntryPage;
use crate::portal_session::{Audience, PortalSession, SecretDigest};
use crate::timestamp::Timestamp;

/// The sessions as [`crate::portal_sessions`] manages them.
pub trait PortalSessionTable {
    /// Inserts a session with the digest of its code. Until it is entered, it expires with its code.
    /// A repetition finds it there.
    fn insert_session(
        &self,
        session: &PortalSession,
        code: &SecretDigest,
        code_until: Timestamp,
    ) -> impl Future<Output = Result<InsertOutcome, StoreError>> + Send;

    /// Lists at most `limit` sessions of a site, the newest first, before the given one. A page
    /// may be short while `has_more` is true, but then has at least one session.
    fn sessions(
        &self,
        audience: &Audience,
        before: Option<&PortalSessionId>,
        limit: u32,
    ) -> impl Future<
        Output = Result<EntryPage<Readable<PortalSession, PortalSessionId>>, StoreError>,
    > + Send;

    /// Deletes a session. Returns false if there is none. A repetition finds none.
    fn delete_session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Deletes some sessions of a site. Returns the number of items that were found: 0 if there
    /// is none. It is safe to repeat at any time.
    fn delete_sessions(
        &self,
        audience: &Audience,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// The sessions as [`crate::portal_access`] uses them.
pub trait PortalAccessTable {
    /// Exchanges a code for a token: the session has this digest of a token from now on, and its
    /// code works no more. Returns the session, or `None` if it has no code with this digest. A
    /// repetition with the same token returns the session again.
    fn enter_session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
        code: &SecretDigest,
        token: &SecretDigest,
        at: Timestamp,
    ) -> impl Future<Output = Result<Option<PortalSession>, StoreError>> + Send;

    /// Reads a session that was entered, with the digest of its token.
    fn entered_session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> impl Future<Output = Result<Option<(PortalSession, SecretDigest)>, StoreError>> + Send;

    /// Deletes a session. It is safe to repeat.
    fn end_session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
