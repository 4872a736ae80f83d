//! How far an exchange has come, so that a failure can say what was waited for.

use std::fmt;

/// What an exchange is waiting for.
#[derive(Clone, Copy)]
pub(crate) enum Phase {
    Dns,
    Connect,
    Response,
    Body,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Response => "response",
            Self::Body => "body",
        })
    }
}
