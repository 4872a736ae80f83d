//! The phases of an exchange, so that a failure can name the one that did not finish.

use std::fmt;

/// The step for which an exchange is waiting.
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
