//! The HTTP method of a subscription's requests.

use serde::{Deserialize, Serialize};

/// The method. Each of them carries a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
}

impl Method {
    /// Its name in a request, in the table and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }

    /// Returns true for the default, which is not written out.
    pub fn is_post(&self) -> bool {
        *self == Self::Post
    }
}
