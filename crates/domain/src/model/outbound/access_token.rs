//! Access tokens, and the answers of token endpoints (RFC 6749, 5).

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// An access token, which a request has as a bearer token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// The longest token. Tokens that list many permissions have some kilobytes.
    pub const MAX_BYTES: usize = 8_192;

    /// A token of printable ASCII without a space. `None` for another text, because it could not be
    /// in a header.
    pub fn new(text: String) -> Option<Self> {
        let is_valid = (1..=Self::MAX_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_valid.then_some(Self(text))
    }

    /// The token itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of the header `authorization` (RFC 6750, 2.1).
    pub fn header_value(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// The answer to a request for a token, as it came. `Debug` does not show the body.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenAnswer {
    /// The token endpoint has answered.
    Answered {
        /// The status.
        status: u16,
        /// The whole body.
        body: Vec<u8>,
    },
    /// There was no answer, or it was too large. The reason has the form of
    /// [`WebhookResponse::error`](super::WebhookResponse::error).
    Failed {
        /// The reason.
        error: String,
    },
}

impl TokenAnswer {
    /// The largest body that is read. A larger one is a failure, because a part of it has no
    /// meaning.
    pub const MAX_BYTES: usize = 64 * 1024;
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, body } => {
                write!(f, "Answered({status}, {} bytes)", body.len())
            }
            Self::Failed { error } => write!(f, "Failed({error})"),
        }
    }
}

/// A token that was granted, and the time for which it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedToken {
    /// The token.
    pub token: AccessToken,
    /// The time for which it is valid, within the bounds of this type.
    pub lifetime: Duration,
}

/// The reason why there is no token. Its text is recorded with the attempt, and is shown. It never
/// contains anything that a token endpoint has written freely.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// An answer with another status than 200 to 299.
    #[error("token endpoint answered {status}{}", code.map(|code| format!(" {code}")).unwrap_or_default())]
    Refused {
        /// The status.
        status: u16,
        /// The error code, if it is a known one.
        code: Option<&'static str>,
    },
    /// An answer without a usable token.
    #[error("token endpoint answered {status}, but {problem}")]
    NotUsable {
        /// The status.
        status: u16,
        /// The problem.
        problem: &'static str,
    },
    /// No answer.
    #[error("token endpoint: {error}")]
    NoAnswer {
        /// The reason.
        error: String,
    },
}

/// The error codes that are shown: those of RFC 6749 (5.2 and 4.1.2.1) and of RFC 8707. Any other
/// text could be a secret that the token endpoint repeats.
const ERROR_CODES: [&str; 10] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
    "invalid_target",
];

/// The members of a successful answer. Others are ignored.
#[derive(Deserialize)]
struct Success {
    access_token: String,
    token_type: String,
    expires_in: Option<Seconds>,
}

/// A number of seconds. Some authorization servers write it as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl GrantedToken {
    /// The lifetime of a token whose answer does not state it. RFC 6749 leaves it to documentation;
    /// this one costs few requests, and hardly any token is shorter.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_mins(5);
    /// The shortest lifetime. A shorter one would let a token endpoint choose the number of our
    /// writes; the token is used for this time anyway.
    pub const SHORTEST_LIFETIME: Duration = Duration::from_secs(10);
    /// The longest lifetime, so that a copy of a token is deleted within days.
    pub const LONGEST_LIFETIME: Duration = Duration::from_hours(24);

    /// Reads an answer. It may be hostile: nothing in it is used but these members, each with a
    /// bound, and the parser skips what is nested without recursion.
    ///
    /// # Errors
    /// If it has no usable token.
    pub fn read(answer: &TokenAnswer) -> Result<Self, TokenError> {
        let (status, body) = match answer {
            TokenAnswer::Answered { status, body } => (*status, body),
            TokenAnswer::Failed { error } => {
                let error = error.clone();
                return Err(TokenError::NoAnswer { error });
            }
        };
        if !(200..300).contains(&status) {
            let refusal = serde_json::from_slice::<Refusal>(body).ok();
            let is_code = |code: &&str| refusal.as_ref().is_some_and(|it| it.error == *code);
            let code = ERROR_CODES.into_iter().find(is_code);
            return Err(TokenError::Refused { status, code });
        }
        let not_usable = |problem| TokenError::NotUsable { status, problem };
        // The parser also reads a list as the members in their order.
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let success = serde_json::from_slice::<Success>(body).ok();
        let success = success.filter(|_| is_object).ok_or(not_usable(
            "not with a JSON object that has access_token and token_type",
        ))?;
        if !success.token_type.eq_ignore_ascii_case("bearer") {
            return Err(not_usable("its token_type is not Bearer"));
        }
        let token = AccessToken::new(success.access_token).ok_or(not_usable(
            "its access_token is not 1 to 8192 printable ASCII characters",
        ))?;
        let lifetime = match success.expires_in {
            None => Self::DEFAULT_LIFETIME,
            Some(seconds) => seconds
                .to_duration()
                .ok_or(not_usable("its expires_in is not a number of seconds"))?,
        };
        Ok(Self {
            token,
            lifetime: lifetime.clamp(Self::SHORTEST_LIFETIME, Self::LONGEST_LIFETIME),
        })
    }
}

impl Seconds {
    fn to_duration(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.parse().ok()?,
        };
        let is_number = seconds.is_finite() && seconds >= 0.0;
        let longest = GrantedToken::LONGEST_LIFETIME.as_secs_f64();
        is_number.then(|| Duration::from_secs_f64(seconds.min(longest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<GrantedToken, TokenError> {
        let body = body.as_bytes().to_vec();
        GrantedToken::read(&TokenAnswer::Answered { status, body })
    }

    fn lifetime(expires_in: &str) -> Result<u64, String> {
        let body = format!(
            r#"{{"access_token":"t0ken","token_type":"Bearer","expires_in":{expires_in}}}"#
        );
        let granted = read(200, &body).map_err(|error| error.to_string())?;
        Ok(granted.lifetime.as_secs())
    }

    /// The example of RFC 6749 (4.4.3).
    #[test]
    fn the_answer_of_the_standard_is_read() {
        let body = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example",
            "expires_in":3600,"example_parameter":"example_value"}"#;
        let refused = read(200, body).unwrap_err().to_string();
        assert_eq!(
            refused,
            "token endpoint answered 200, but its token_type is not Bearer"
        );
        let granted = read(200, &body.replace("\"example\",", "\"bEARER\",")).unwrap();
        assert_eq!(granted.token.as_str(), "2YotnFZFEjr1zCsicMWpAA");
        assert_eq!(
            granted.token.header_value(),
            "Bearer 2YotnFZFEjr1zCsicMWpAA"
        );
        assert_eq!(granted.lifetime, Duration::from_hours(1));
    }

    #[test]
    fn a_lifetime_has_bounds_and_a_default() {
        for (expires_in, seconds) in [
            ("3600", 3_600),
            ("\"3600\"", 3_600),
            ("3599.9", 3_599),
            ("null", 300),
            ("0", 10),
            ("9", 10),
            ("86401", 86_400),
            ("1e300", 86_400),
            ("18446744073709551616", 86_400),
        ] {
            assert_eq!(lifetime(expires_in), Ok(seconds), "{expires_in}");
        }
        for expires_in in [
            "-1", "\"soon\"", "\"\"", "\"NaN\"", "\"inf\"", "true", "[]", "{}",
        ] {
            assert!(lifetime(expires_in).is_err(), "{expires_in}");
        }
        let absent = read(200, r#"{"access_token":"t","token_type":"bearer"}"#).unwrap();
        assert_eq!(absent.lifetime, GrantedToken::DEFAULT_LIFETIME);
    }

    #[test]
    fn a_hostile_answer_gives_no_token_and_none_of_its_text() {
        let long = "s3cret".repeat(2_000);
        for body in [
            "",
            "s3cret",
            "[]",
            "null",
            "{",
            r#"{"access_token":"s3cret"}"#,
            r#"{"token_type":"Bearer"}"#,
            r#"{"access_token":7,"token_type":"Bearer"}"#,
            r#"{"access_token":["s3cret"],"token_type":"Bearer"}"#,
            r#"{"access_token":"","token_type":"Bearer"}"#,
            r#"{"access_token":"s3cret s3cret","token_type":"Bearer"}"#,
            r#"{"access_token":"s3cret\r\nx-admin: 1","token_type":"Bearer"}"#,
            r#"{"access_token":"s3cret\u0000","token_type":"Bearer"}"#,
            r#"{"access_token":"s3crét","token_type":"Bearer"}"#,
            r#"{"access_token":"a","access_token":"s3cret","token_type":"Bearer"}"#,
            r#"{"access_token":"s3cret","token_type":"mac"}"#,
            &format!(r#"{{"access_token":"{long}","token_type":"Bearer"}}"#),
            &format!(r#"{{"access_token":{}"#, "[".repeat(60_000)),
            r#"["s3cret","Bearer",60]"#,
        ] {
            let refused = read(200, body).unwrap_err();
            let start = body.get(..60).unwrap_or(body);
            assert!(
                matches!(refused, TokenError::NotUsable { status: 200, .. }),
                "{start}"
            );
            assert!(!refused.to_string().contains("s3cr"), "{start}");
        }
        let gzip = TokenAnswer::Answered {
            status: 200,
            body: vec![0x1f, 0x8b, 8, 0, 0xff],
        };
        assert!(GrantedToken::read(&gzip).is_err());
        assert!(!format!("{gzip:?}").contains("31"));
    }

    /// A member that is not used may be nested as deeply as the body is long: it needs no stack.
    #[test]
    fn deep_nesting_is_skipped() {
        let (open, close) = ("[".repeat(30_000), "]".repeat(30_000));
        let deep = format!(r#"{{"access_token":"t","token_type":"Bearer","x":{open}1{close}}}"#);
        assert!(read(200, &deep).is_ok());
        assert!(read(200, &deep[..40_000]).is_err());
    }

    #[test]
    fn only_a_known_error_code_is_shown() {
        for (status, body, text) in [
            (
                401,
                r#"{"error":"invalid_client","error_description":"s3cret"}"#,
                "token endpoint answered 401 invalid_client",
            ),
            (400, r#"{"error":"s3cret"}"#, "token endpoint answered 400"),
            (302, "", "token endpoint answered 302"),
            (500, "<html>s3cret", "token endpoint answered 500"),
            (
                400,
                r#"{"error":{"s3cret":1}}"#,
                "token endpoint answered 400",
            ),
        ] {
            assert_eq!(read(status, body).unwrap_err().to_string(), text);
        }
        let failed = TokenAnswer::Failed {
            error: "connect: connection refused".to_owned(),
        };
        assert_eq!(
            GrantedToken::read(&failed).unwrap_err().to_string(),
            "token endpoint: connect: connection refused"
        );
    }

    #[test]
    fn no_debug_form_shows_a_token() {
        let body = r#"{"access_token":"s3cret","token_type":"Bearer"}"#;
        let granted = read(200, body).unwrap();
        let answer = TokenAnswer::Answered {
            status: 200,
            body: body.as_bytes().to_vec(),
        };
        let text = format!("{granted:?} {answer:?}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}
