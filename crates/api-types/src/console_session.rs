//! Sessions of the console: the inputs and the results of the function `console-sessions`.

use serde::{Deserialize, Serialize};

use crate::nullable::not_null;
use crate::{Nothing, PortalCapability, WholeNumber};

/// The input of the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConsoleSessionsRequest {
    /// Makes a session. The result is a [`CreatedPortalSession`](crate::CreatedPortalSession).
    Create(NewConsoleSession),
    /// Lists the sessions that have not ended, the newest first, at most 100. The result is a
    /// [`Page`](crate::Page) of [`ConsoleSession`].
    List(ConsoleSessionsPage),
    /// Ends a session: its link and its cookie stop working at once. The result is `null`.
    Revoke(ConsoleSessionId),
    /// Ends all sessions. The result is `null`.
    RevokeAll(Nothing),
}

/// A session for a member of the operator's support staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewConsoleSession {
    /// The name under which each change of the session is logged.
    pub actor: String,
    /// The permitted actions, at least one. `view` is always permitted.
    pub capabilities: Vec<PortalCapability>,
    /// The duration of the session, 60 to 86,400. By default an hour.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    pub expires_in_seconds: Option<WholeNumber>,
}

/// A page of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsoleSessionsPage {
    /// The place at which the page begins: `nextCursor` of the page before.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_null"
    )]
    pub cursor: Option<String>,
}

/// The id of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsoleSessionId {
    /// The id.
    pub id: String,
}

/// A session that has not ended, without anything that gives access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsoleSession {
    /// The id of the session.
    pub id: String,
    /// The name under which each change of the session is logged.
    pub actor: String,
    /// The permitted actions.
    pub capabilities: Vec<PortalCapability>,
    /// The time at which it was made.
    pub created_at: String,
    /// The time at which its link was used, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_at: Option<String>,
    /// The end of the session.
    pub expires_at: String,
}
