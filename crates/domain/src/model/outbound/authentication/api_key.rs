//! A key in a header of the receiver's choice.

use serde::{Deserialize, Serialize};

use super::super::custom_headers::{check_name, check_value};
use super::{AuthenticationError, HeaderScheme, Scheme, check_length};

/// The name of a header, whose value is the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    header: String,
}

impl ApiKey {
    /// The longest key.
    pub const MAX_VALUE_BYTES: usize = 2_000;

    /// A key in this header. Its name is kept in lower case.
    pub fn new(header: &str) -> Self {
        Self {
            header: header.to_ascii_lowercase(),
        }
    }

    /// The name of the header, in lower case.
    pub fn header(&self) -> &str {
        &self.header
    }
}

impl Scheme for ApiKey {
    fn size_bytes(&self) -> usize {
        self.header.len()
    }

    fn check(&self) -> Result<(), AuthenticationError> {
        check_name(&self.header).map_err(AuthenticationError::Header)
    }
}

impl HeaderScheme for ApiKey {
    fn secret_name(&self) -> &'static str {
        "value"
    }

    fn check_secret(&self, value: &str) -> Result<(), AuthenticationError> {
        check_length(self.secret_name(), value, Self::MAX_VALUE_BYTES)?;
        check_value(&self.header, value).map_err(AuthenticationError::Header)
    }

    fn header_name(&self) -> &str {
        &self.header
    }

    fn header_value(&self, value: &str) -> Option<String> {
        Some(value.to_owned())
    }
}
