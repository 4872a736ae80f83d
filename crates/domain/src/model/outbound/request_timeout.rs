//! The request timeout of a subscription.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The time limit of one request, including name resolution and body: 1 to 30 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct RequestTimeout(u8);

/// The number of seconds is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestTimeoutError {
    /// Out of range.
    #[error("must be 1 to {max} seconds, is {seconds}", max = RequestTimeout::MAX_SECONDS)]
    Range {
        /// The number of seconds.
        seconds: u64,
    },
    /// Not a whole number.
    #[error(transparent)]
    Number(#[from] ParseIntError),
}

impl RequestTimeout {
    /// The longest timeout, in seconds.
    pub const MAX_SECONDS: u8 = 30;

    /// The timeout in seconds.
    pub fn as_secs(self) -> u64 {
        self.0.into()
    }
}

impl TryFrom<u64> for RequestTimeout {
    type Error = RequestTimeoutError;

    fn try_from(seconds: u64) -> Result<Self, RequestTimeoutError> {
        u8::try_from(seconds)
            .ok()
            .filter(|seconds| (1..=Self::MAX_SECONDS).contains(seconds))
            .map(Self)
            .ok_or(RequestTimeoutError::Range { seconds })
    }
}

impl FromStr for RequestTimeout {
    type Err = RequestTimeoutError;

    fn from_str(text: &str) -> Result<Self, RequestTimeoutError> {
        text.parse::<u64>()?.try_into()
    }
}

impl fmt::Display for RequestTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<RequestTimeout> for u64 {
    fn from(timeout: RequestTimeout) -> Self {
        timeout.as_secs()
    }
}

impl From<RequestTimeout> for Duration {
    fn from(timeout: RequestTimeout) -> Self {
        Self::from_secs(timeout.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_one_to_thirty_seconds() {
        for (text, valid) in [
            ("1", true),
            ("30", true),
            ("0", false),
            ("31", false),
            ("256", false),
            ("1.5", false),
            ("-1", false),
        ] {
            assert_eq!(text.parse::<RequestTimeout>().is_ok(), valid, "{text}");
            let json = serde_json::from_str::<RequestTimeout>(text);
            assert_eq!(json.is_ok(), valid, "{text}");
        }
    }
}
