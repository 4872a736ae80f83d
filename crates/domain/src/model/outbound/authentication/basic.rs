//! HTTP Basic (RFC 7617).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use super::{AUTHORIZATION, AuthenticationError, HeaderScheme, Scheme, check_length};

/// A user name, whose password is the secret. Both are sent in UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basic {
    /// The user name.
    pub username: String,
}

impl Basic {
    /// The longest user name.
    pub const MAX_USERNAME_BYTES: usize = 256;
    /// The longest password.
    pub const MAX_PASSWORD_BYTES: usize = 1_024;
}

impl Scheme for Basic {
    fn size_bytes(&self) -> usize {
        self.username.len()
    }

    fn check(&self) -> Result<(), AuthenticationError> {
        let member = "username";
        check_length(member, &self.username, Self::MAX_USERNAME_BYTES)?;
        if self
            .username
            .chars()
            .any(|char| char == ':' || char.is_control())
        {
            let allowed = "characters other than a colon and control characters";
            return Err(AuthenticationError::Characters { member, allowed });
        }
        Ok(())
    }
}

impl HeaderScheme for Basic {
    fn secret_name(&self) -> &'static str {
        "password"
    }

    fn check_secret(&self, password: &str) -> Result<(), AuthenticationError> {
        let member = self.secret_name();
        check_length(member, password, Self::MAX_PASSWORD_BYTES)?;
        if password.chars().any(char::is_control) {
            let allowed = "characters other than control characters";
            return Err(AuthenticationError::Characters { member, allowed });
        }
        Ok(())
    }

    fn header_name(&self) -> &str {
        AUTHORIZATION
    }

    fn header_value(&self, password: &str) -> Option<String> {
        let pair = format!("{}:{password}", self.username);
        Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
    }
}
