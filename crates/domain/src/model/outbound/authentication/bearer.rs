//! A bearer token (RFC 6750).

use serde::{Deserialize, Serialize};

use super::{AUTHORIZATION, AuthenticationError, HeaderScheme, Scheme, check_length};

/// A token, which is the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bearer {}

impl Bearer {
    /// The longest token. A header's value has at most 2,048 bytes.
    pub const MAX_TOKEN_BYTES: usize = 2_000;
}

impl Scheme for Bearer {
    fn size_bytes(&self) -> usize {
        0
    }

    fn check(&self) -> Result<(), AuthenticationError> {
        Ok(())
    }
}

impl HeaderScheme for Bearer {
    fn secret_name(&self) -> &'static str {
        "token"
    }

    /// Accepts more than RFC 6750 does, because some issuers put other characters into a token,
    /// such as `|`.
    fn check_secret(&self, token: &str) -> Result<(), AuthenticationError> {
        let member = self.secret_name();
        check_length(member, token, Self::MAX_TOKEN_BYTES)?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let allowed = "printable ASCII characters, and no space";
            return Err(AuthenticationError::Characters { member, allowed });
        }
        Ok(())
    }

    fn header_name(&self) -> &str {
        AUTHORIZATION
    }

    fn header_value(&self, token: &str) -> Option<String> {
        Some(format!("Bearer {token}"))
    }
}
