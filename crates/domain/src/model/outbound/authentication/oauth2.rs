//! OAuth 2.0 with client credentials (RFC 6749, 4.4): a token endpoint grants an access token, which
//! requests then have as a bearer token.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::super::sent_request::USER_AGENT;
use super::super::{EndpointUrl, Method, RequestTimeout, WebhookRequest};
use super::{AUTHORIZATION, AuthenticationError, HeaderScheme, Scheme, check_length};

/// A client of a token endpoint, whose `clientSecret` is the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2 {
    /// The token endpoint. It obeys the rules for the URL of a subscription.
    #[serde(with = "stored_url")]
    pub token_url: EndpointUrl,
    /// The client.
    pub client_id: String,
    /// The scopes to ask for, separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The audience of the token. Some authorization servers require it, although RFC 6749 does not
    /// have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The place of the client's credentials in the request.
    #[serde(default, skip_serializing_if = "ClientAuthentication::is_header")]
    pub client_authentication: ClientAuthentication,
}

/// The place of the client's credentials in a request for a token (RFC 6749, 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClientAuthentication {
    /// In the header `authorization`, by HTTP Basic. Every authorization server supports it.
    #[default]
    Header,
    /// In the body, as `client_id` and `client_secret`.
    Body,
}

impl ClientAuthentication {
    /// Returns true for the header, which is not stored.
    pub fn is_header(&self) -> bool {
        *self == Self::Header
    }
}

impl OAuth2 {
    /// The longest client id.
    pub const MAX_CLIENT_ID_BYTES: usize = 256;
    /// The longest client secret.
    pub const MAX_CLIENT_SECRET_BYTES: usize = 1_024;
    /// The longest list of scopes.
    pub const MAX_SCOPE_BYTES: usize = 1_024;
    /// The longest audience.
    pub const MAX_AUDIENCE_BYTES: usize = 1_024;

    /// The request for a token, which the sender sends as any other. `spent` is the time that the
    /// attempt has used before.
    pub fn token_request(
        &self,
        client_secret: &str,
        timeout: Option<RequestTimeout>,
        spent: Duration,
    ) -> WebhookRequest {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience)] {
            form.extend_pairs(value.as_ref().map(|value| (name, value)));
        }
        let mut headers = vec![
            header("content-type", "application/x-www-form-urlencoded"),
            header("accept", "application/json"),
            header("user-agent", USER_AGENT),
        ];
        match self.client_authentication {
            ClientAuthentication::Header => {
                let encoded = |text: &str| -> String {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect()
                };
                let pair = format!("{}:{}", encoded(&self.client_id), encoded(client_secret));
                let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
                headers.push(header(AUTHORIZATION, &value));
            }
            ClientAuthentication::Body => {
                form.append_pair("client_id", &self.client_id);
                form.append_pair("client_secret", client_secret);
            }
        }
        WebhookRequest {
            method: Method::Post,
            url: self.token_url.clone(),
            headers,
            body: form.finish().into_bytes(),
            timeout,
            spent,
            identity: None,
        }
    }
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl Scheme for OAuth2 {
    fn size_bytes(&self) -> usize {
        // The names of the members are longer than those of other schemes.
        const NAMES: usize = 64;
        let optional = [&self.scope, &self.audience];
        let optional = optional.map(|text| text.as_ref().map_or(0, String::len));
        NAMES
            + self.token_url.as_str().len()
            + self.client_id.len()
            + optional.iter().sum::<usize>()
    }

    fn check(&self) -> Result<(), AuthenticationError> {
        let texts = [
            ("clientId", Some(&self.client_id), Self::MAX_CLIENT_ID_BYTES),
            ("audience", self.audience.as_ref(), Self::MAX_AUDIENCE_BYTES),
        ];
        for (member, text, max) in texts {
            if let Some(text) = text {
                check_visible(member, text, max)?;
            }
        }
        match &self.scope {
            Some(scope) => check_scope(scope),
            None => Ok(()),
        }
    }
}

impl HeaderScheme for OAuth2 {
    fn secret_name(&self) -> &'static str {
        "clientSecret"
    }

    fn check_secret(&self, secret: &str) -> Result<(), AuthenticationError> {
        check_visible(self.secret_name(), secret, Self::MAX_CLIENT_SECRET_BYTES)
    }

    fn header_name(&self) -> &str {
        AUTHORIZATION
    }

    /// The header has an access token, which the secret only asks for.
    fn header_value(&self, _: &str) -> Option<String> {
        None
    }
}

/// Checks a text of `VSCHAR` (RFC 6749, appendix A).
fn check_visible(member: &'static str, text: &str, max: usize) -> Result<(), AuthenticationError> {
    check_length(member, text, max)?;
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        Ok(())
    } else {
        let allowed = "printable ASCII characters and spaces";
        Err(AuthenticationError::Characters { member, allowed })
    }
}

/// Checks a list of scopes (RFC 6749, 3.3).
fn check_scope(scope: &str) -> Result<(), AuthenticationError> {
    let member = "scope";
    check_length(member, scope, OAuth2::MAX_SCOPE_BYTES)?;
    let is_scope_byte = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let is_scope = |word: &str| !word.is_empty() && word.bytes().all(is_scope_byte);
    if scope.split(' ').all(is_scope) {
        Ok(())
    } else {
        let allowed = "scopes with one space between two of them: printable ASCII characters \
                       other than a quotation mark and a backslash";
        Err(AuthenticationError::Characters { member, allowed })
    }
}

/// The stored form of the URL. The policy for URLs was applied when it was given, and the address
/// policy applies to every request.
mod stored_url {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::EndpointUrl;

    pub(super) fn serialize<S: Serializer>(url: &EndpointUrl, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EndpointUrl, D::Error> {
        let text = String::deserialize(from)?;
        EndpointUrl::from_stored(&text).ok_or_else(|| D::Error::custom("tokenUrl: is not a URL"))
    }
}
