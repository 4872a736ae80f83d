//! Authentication to an endpoint.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The authentication of each request to an endpoint, with its secret, which is encrypted and never
/// shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    try_from = "Fields"
)]
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
    /// An access token that a token endpoint grants for the credentials of a client (RFC 6749, 4.4).
    #[serde(rename = "oauth2", rename_all = "camelCase")]
    OAuth2 {
        /// The token endpoint, with the rules of the subscription's `url`.
        #[cfg_attr(feature = "openapi", schema(max_length = 2048))]
        token_url: String,
        /// Printable ASCII and spaces.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 256))]
        client_id: String,
        /// Printable ASCII and spaces.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1024))]
        client_secret: String,
        /// The scopes to ask for, separated by spaces.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1024))]
        scope: Option<String>,
        /// The audience of the token, if the authorization server requires it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1024))]
        audience: Option<String>,
        /// The place of the client's credentials. The default is `header`.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_authentication: Option<ClientAuthentication>,
    },
    /// A client certificate in the TLS handshake.
    #[serde(rename_all = "camelCase")]
    Mtls {
        /// In PEM: the certificate, then those of its authorities, at most 4 in all.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 12288))]
        certificate: String,
        /// The private key of the certificate, in PEM and not encrypted.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 4096))]
        private_key: String,
    },
}

/// The place of the client's credentials in a request for a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ClientAuthentication {
    /// In the header `authorization`, by HTTP Basic.
    #[default]
    Header,
    /// In the body, as `client_id` and `client_secret`.
    Body,
}

impl ClientAuthentication {
    /// All places.
    pub const ALL: [Self; 2] = [Self::Header, Self::Body];
}

/// Shows the type only.
impl fmt::Debug for NewAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer { .. } => "Bearer(…)",
            Self::ApiKey { .. } => "ApiKey(…)",
            Self::OAuth2 { .. } => "OAuth2(…)",
            Self::Mtls { .. } => "Mtls(…)",
        })
    }
}

/// The authentication of each request to an endpoint, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
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
    /// An access token that a token endpoint grants for the credentials of a client (RFC 6749, 4.4).
    #[serde(rename = "oauth2", rename_all = "camelCase")]
    OAuth2 {
        /// The token endpoint.
        token_url: String,
        /// The client.
        client_id: String,
        /// The scopes to ask for, separated by spaces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
        /// The audience of the token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
        /// The place of the client's credentials.
        client_authentication: ClientAuthentication,
    },
    /// A client certificate in the TLS handshake.
    #[serde(rename_all = "camelCase")]
    Mtls {
        /// The name of its owner, at most the first 256 bytes.
        subject: String,
        /// The name of the authority that issued it, at most the first 256 bytes.
        issuer: String,
        /// The SHA-256 of the certificate in DER, in hexadecimal digits.
        sha256_fingerprint: String,
        /// The time from which it is valid.
        not_before: String,
        /// The time until which it is valid. Replace it before.
        not_after: String,
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
    /// An access token that a token endpoint grants for the credentials of a client (RFC 6749, 4.4).
    #[serde(rename = "oauth2")]
    #[strum(to_string = "oauth2")]
    OAuth2,
    /// A client certificate in the TLS handshake.
    Mtls,
}

impl AuthenticationType {
    /// All types.
    pub const ALL: [Self; 5] = [
        Self::Basic,
        Self::Bearer,
        Self::ApiKey,
        Self::OAuth2,
        Self::Mtls,
    ];
}

impl Authentication {
    /// The type.
    pub fn kind(&self) -> AuthenticationType {
        match self {
            Self::Basic { .. } => AuthenticationType::Basic,
            Self::Bearer {} => AuthenticationType::Bearer,
            Self::ApiKey { .. } => AuthenticationType::ApiKey,
            Self::OAuth2 { .. } => AuthenticationType::OAuth2,
            Self::Mtls { .. } => AuthenticationType::Mtls,
        }
    }
}

/// The fields of all types, so that an error names the one that is wrong, and repeats no value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    r#type: AuthenticationType,
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
    header: Option<String>,
    value: Option<String>,
    token_url: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    scope: Option<String>,
    audience: Option<String>,
    client_authentication: Option<ClientAuthentication>,
    certificate: Option<String>,
    private_key: Option<String>,
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
            AuthenticationType::OAuth2 => Self::OAuth2 {
                token_url: required("tokenUrl", &mut fields.token_url)?,
                client_id: required("clientId", &mut fields.client_id)?,
                client_secret: required("clientSecret", &mut fields.client_secret)?,
                scope: fields.scope.take(),
                audience: fields.audience.take(),
                client_authentication: fields.client_authentication.take(),
            },
            AuthenticationType::Mtls => Self::Mtls {
                certificate: required("certificate", &mut fields.certificate)?,
                private_key: required("privateKey", &mut fields.private_key)?,
            },
        };
        let others = [
            ("username", fields.username.is_some()),
            ("password", fields.password.is_some()),
            ("token", fields.token.is_some()),
            ("header", fields.header.is_some()),
            ("value", fields.value.is_some()),
            ("tokenUrl", fields.token_url.is_some()),
            ("clientId", fields.client_id.is_some()),
            ("clientSecret", fields.client_secret.is_some()),
            ("scope", fields.scope.is_some()),
            ("audience", fields.audience.is_some()),
            (
                "clientAuthentication",
                fields.client_authentication.is_some(),
            ),
            ("certificate", fields.certificate.is_some()),
            ("privateKey", fields.private_key.is_some()),
        ];
        match others.into_iter().find(|(_, is_given)| *is_given) {
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
            r#"{"type":"oauth2","tokenUrl":"https://a.example/","clientId":"acme","clientSecret":"s3cret"}"#,
            r#"{"type":"oauth2","tokenUrl":"https://a.example/","clientId":"acme","clientSecret":"s3cret","scope":"a b","audience":"c","clientAuthentication":"body"}"#,
            r#"{"type":"mtls","certificate":"-----BEGIN","privateKey":"s3cret"}"#,
        ] {
            let given: NewAuthentication = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&given).unwrap(), json);
            assert!(!format!("{given:?}").contains("s3cret"));
        }
        for json in [
            r#"{"type":"basic","username":"ann"}"#,
            r#"{"type":"bearer"}"#,
            r#"{"type":"apiKey","header":"x-key"}"#,
            r#"{"type":"oauth2","tokenUrl":"https://a.example/","clientId":"acme","clientAuthentication":"header"}"#,
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
    fn the_summary_of_a_certificate_is_no_certificate() {
        let json = r#"{"type":"mtls","subject":"CN=a","issuer":"CN=b","sha256Fingerprint":"00","notBefore":"2026-01-01T00:00:00.000Z","notAfter":"2027-01-01T00:00:00.000Z"}"#;
        let shown: Authentication = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&shown).unwrap(), json);
        assert_eq!(shown.kind(), AuthenticationType::Mtls);
        for json in [json, r#"{"type":"mtls","certificate":"-----BEGIN"}"#] {
            assert!(serde_json::from_str::<NewAuthentication>(json).is_err());
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
                r#"{"type":"bearer","token":"s3cret","clientAuthentication":"body"}"#,
                "clientAuthentication: is not a field of the type `bearer`",
            ),
            (
                r#"{"type":"oauth2","tokenUrl":"s3cret","clientId":"s3cret","clientSecret":"s3cret","value":"s3cret"}"#,
                "value: is not a field of the type `oauth2`",
            ),
            (
                r#"{"type":"oauth2","tokenUrl":"s3cret","clientSecret":"s3cret"}"#,
                "clientId: is required with the type `oauth2`",
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
