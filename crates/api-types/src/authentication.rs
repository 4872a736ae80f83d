//! Authentication to an endpoint.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The authentication of each request to an endpoint, with its secret, which is encrypted and never
/// shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", try_from = "Fields")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"type": "basic", "username": "webhooks", "password": "…"})))]
pub enum NewAuthentication {
    /// HTTP Basic (RFC 7617).
    Basic {
        /// Without a colon and control characters.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 256))]
        username: String,
        /// Without control characters.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1024))]
        password: String,
    },
    /// A bearer token (RFC 6750).
    Bearer {
        /// Printable ASCII without a space.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000))]
        token: String,
    },
    /// A key in a header.
    ApiKey {
        /// The name of the header.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 64))]
        header: String,
        /// Printable ASCII.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000))]
        value: String,
    },
}

/// Shows the type only.
impl fmt::Debug for NewAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer { .. } => "Bearer(…)",
            Self::ApiKey { .. } => "ApiKey(…)",
        })
    }
}

/// The authentication of each request to an endpoint, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"type": "basic", "username": "webhooks"})))]
pub enum Authentication {
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user name.
        username: String,
    },
    /// A bearer token (RFC 6750).
    Bearer {},
    /// A key in a header.
    ApiKey {
        /// The name of the header, in lower case.
        header: String,
    },
}

/// The type of an authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AuthenticationType {
    /// HTTP Basic (RFC 7617).
    Basic,
    /// A bearer token (RFC 6750).
    Bearer,
    /// A key in a header.
    ApiKey,
}

impl AuthenticationType {
    /// All types.
    pub const ALL: [Self; 3] = [Self::Basic, Self::Bearer, Self::ApiKey];
}

impl Authentication {
    /// The type.
    pub fn kind(&self) -> AuthenticationType {
        match self {
            Self::Basic { .. } => AuthenticationType::Basic,
            Self::Bearer {} => AuthenticationType::Bearer,
            Self::ApiKey { .. } => AuthenticationType::ApiKey,
        }
    }
}

/// The fields of all types, so that an error names the one that is wrong, and repeats no value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    r#type: AuthenticationType,
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
    header: Option<String>,
    value: Option<String>,
}

impl TryFrom<Fields> for NewAuthentication {
    type Error = String;

    fn try_from(mut fields: Fields) -> Result<Self, String> {
        let kind = fields.r#type;
        let required = |name: &str, value: &mut Option<String>| {
            let missing = || format!("{name}: is required with the type `{kind}`");
            value.take().ok_or_else(missing)
        };
        let authentication = match kind {
            AuthenticationType::Basic => Self::Basic {
                username: required("username", &mut fields.username)?,
                password: required("password", &mut fields.password)?,
            },
            AuthenticationType::Bearer => Self::Bearer {
                token: required("token", &mut fields.token)?,
            },
            AuthenticationType::ApiKey => Self::ApiKey {
                header: required("header", &mut fields.header)?,
                value: required("value", &mut fields.value)?,
            },
        };
        let others = [
            ("username", fields.username),
            ("password", fields.password),
            ("token", fields.token),
            ("header", fields.header),
            ("value", fields.value),
        ];
        match others.into_iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(format!("{name}: is not a field of the type `{kind}`")),
            None => Ok(authentication),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_and_written() {
        for json in [
            r#"{"type":"basic","username":"ann","password":"s3cret"}"#,
            r#"{"type":"bearer","token":"s3cret"}"#,
            r#"{"type":"apiKey","header":"x-key","value":"s3cret"}"#,
        ] {
            let given: NewAuthentication = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&given).unwrap(), json);
            assert!(!format!("{given:?}").contains("s3cret"));
        }
        for json in [
            r#"{"type":"basic","username":"ann"}"#,
            r#"{"type":"bearer"}"#,
            r#"{"type":"apiKey","header":"x-key"}"#,
        ] {
            let shown: Authentication = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&shown).unwrap(), json);
            assert!(json.contains(&format!("\"{}\"", shown.kind())));
            // So an answer that is sent back does not take the secret away.
            let refused = serde_json::from_str::<NewAuthentication>(json).unwrap_err();
            assert!(refused.to_string().contains("is required"), "{refused}");
        }
    }

    #[test]
    fn a_refused_field_is_named_and_its_value_is_not() {
        for (json, words) in [
            ("{}", "missing field `type`"),
            (
                r#"{"type":"basic"}"#,
                "username: is required with the type `basic`",
            ),
            (
                r#"{"type":"basic","username":"ann","password":"s3cret","token":"s3cret"}"#,
                "token: is not a field of the type `basic`",
            ),
            (
                r#"{"type":"bearer","username":"s3cret","token":"s3cret"}"#,
                "username: is not a field of the type `bearer`",
            ),
            (
                r#"{"type":"bearer","secret":"s3cret"}"#,
                "unknown field `secret`",
            ),
        ] {
            let refused = serde_json::from_str::<NewAuthentication>(json).unwrap_err();
            let refused = refused.to_string();
            assert!(refused.contains(words), "{json}: {refused}");
            assert!(!refused.contains("s3cret"), "{json}: {refused}");
        }
    }
}
