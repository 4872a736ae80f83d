//! The table's sessions of the portal.

use std::future::Future;

use super::{InsertOutcome, StoreError, WriteOutcome};
use crate::broken::Readable;
use crate::ids::CustomerId;
use crate::ids::PortalSessionId;
use crate::paging::EntryPage;
use crate::portal_session::{
    Audience, LimitedAction, PortalSession, SecretDigest, SessionSecret, UtcDay,
};
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
    /// Reads a session, with the digest by which it is opened.
    fn session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> impl Future<Output = Result<Option<(PortalSession, SessionSecret)>, StoreError>> + Send;

    /// Exchanges a code for a token: the session has this digest of a token from now on, and its
    /// code works no more. It is a conflict if the session has no code with this digest, so also if
    /// the exchange is repeated.
    fn enter_session(
        &self,
        session: &PortalSession,
        code: &SecretDigest,
        token: &SecretDigest,
        at: Timestamp,
    ) -> impl Future<Output = Result<WriteOutcome, StoreError>> + Send;

    /// Deletes a session. It is safe to repeat.
    fn end_session(
        &self,
        audience: &Audience,
        id: &PortalSessionId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// An action that is taken from the allowance of a customer.
#[derive(Debug, Clone, Copy)]
pub struct Taking {
    /// The day of which it is taken.
    pub day: UtcDay,
    /// The action.
    pub action: LimitedAction,
    /// The largest number on this day, at least 1.
    pub max: u32,
    /// The current time.
    pub now: Timestamp,
    /// The time until which no other action of this kind is permitted, if it must be the only one.
    pub exclusive_until: Option<Timestamp>,
}

/// The result of taking an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeOutcome {
    /// It was counted.
    Taken,
    /// The largest number of the day is reached.
    UsedUp,
    /// Another action must be the only one until then.
    Busy {
        /// Its end at the latest.
        until: Timestamp,
    },
}

/// The usage of the portal by customers, as [`crate::portal_allowance`] counts it.
pub trait PortalUsageTable {
    /// Counts an action. A repetition counts it again.
    fn take(
        &self,
        customer: &CustomerId,
        taking: &Taking,
    ) -> impl Future<Output = Result<TakeOutcome, StoreError>> + Send;

    /// Permits the next action of this kind, if the current one is exclusive until this time. It is
    /// safe to repeat.
    fn release(
        &self,
        customer: &CustomerId,
        day: UtcDay,
        action: LimitedAction,
        exclusive_until: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
