//! Headers that a customer adds to each request, such as an API key of the receiver.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Checked headers that are added to each request. Names are in lower case and sorted.
///
/// Values may be secrets: `Debug` and every error show names only.
///
/// ```
/// # use std::collections::BTreeMap;
/// # use webhooks_domain::outbound::CustomHeaders;
/// let given = BTreeMap::from([("X-Api-Key".to_owned(), "k3y".to_owned())]);
/// let headers = CustomHeaders::new(given)?;
/// assert_eq!(headers.iter().collect::<Vec<_>>(), [("x-api-key", "k3y")]);
/// # Ok::<(), webhooks_domain::outbound::CustomHeadersError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
pub struct CustomHeaders(BTreeMap<String, String>);

impl CustomHeaders {
    /// The largest number of headers of one subscription.
    pub const MAX_COUNT: usize = 20;
    /// The longest name.
    pub const MAX_NAME_BYTES: usize = 64;
    /// The longest value.
    pub const MAX_VALUE_BYTES: usize = 2_048;
    /// The largest total length of all names and values. Each delivery reads the subscription, and
    /// `DynamoDB` counts reads in units of 4 KB.
    pub const MAX_TOTAL_BYTES: usize = 4_096;

    /// Checks headers and converts their names to lower case.
    ///
    /// # Errors
    /// If a limit is exceeded; if a name is not a token (RFC 9110, 5.6.2), is set by the sender, or
    /// frames the request; if two names differ only in case; or if a value has other characters
    /// than printable ASCII and inner spaces.
    pub fn new(headers: BTreeMap<String, String>) -> Result<Self, CustomHeadersError> {
        if headers.len() > Self::MAX_COUNT {
            return Err(CustomHeadersError::TooMany {
                count: headers.len(),
            });
        }
        let mut checked = BTreeMap::new();
        let mut size_bytes = 0;
        for (name, value) in headers {
            check_name(&name)?;
            let name = name.to_ascii_lowercase();
            check_value(&name, &value)?;
            size_bytes += name.len() + value.len();
            if checked.insert(name.clone(), value).is_some() {
                return Err(CustomHeadersError::Duplicate { name });
            }
        }
        if size_bytes > Self::MAX_TOTAL_BYTES {
            return Err(CustomHeadersError::TooLarge { size_bytes });
        }
        Ok(Self(checked))
    }

    /// Checks headers whose values are to be encrypted: as [`new`](Self::new), and no value is a
    /// mask that was copied from the place where the value is hidden.
    ///
    /// # Errors
    /// As [`new`](Self::new), and if a value consists of asterisks.
    pub fn new_secret(headers: BTreeMap<String, String>) -> Result<Self, CustomHeadersError> {
        let checked = Self::new(headers)?;
        let is_mask = |value: &str| !value.is_empty() && value.bytes().all(|byte| byte == b'*');
        let mask = checked.iter().find(|(_, value)| is_mask(value));
        match mask.map(|(name, _)| name.to_owned()) {
            Some(name) => Err(CustomHeadersError::Mask { name }),
            None => Ok(checked),
        }
    }

    /// Stored headers, which were checked when they were stored. Headers that the current rules
    /// forbid are left out, because a stricter rule must not stop the subscription.
    pub fn from_stored(headers: BTreeMap<String, String>) -> Self {
        let permitted =
            |name: &str, value: &str| check_name(name).is_ok() && check_value(name, value).is_ok();
        let headers = headers.into_iter();
        Self(
            headers
                .filter(|(name, value)| permitted(name, value))
                .collect(),
        )
    }

    /// Returns true if a customer may set a header of this name. All others of a request are ours.
    pub fn may_name(name: &str) -> bool {
        check_name(name).is_ok()
    }

    /// Returns true if there are no headers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of headers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names in lower case with their values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for CustomHeaders {
    type Error = CustomHeadersError;

    fn try_from(headers: BTreeMap<String, String>) -> Result<Self, Self::Error> {
        Self::new(headers)
    }
}

impl From<CustomHeaders> for BTreeMap<String, String> {
    fn from(headers: CustomHeaders) -> Self {
        headers.0
    }
}

impl fmt::Debug for CustomHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CustomHeaders")?;
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// The reason why custom headers are refused. No message shows a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustomHeadersError {
    /// More than [`CustomHeaders::MAX_COUNT`].
    #[error("{count} headers: must be at most {}", CustomHeaders::MAX_COUNT)]
    TooMany {
        /// The number of headers.
        count: usize,
    },
    /// Larger in total than [`CustomHeaders::MAX_TOTAL_BYTES`].
    #[error(
        "headers of {size_bytes} bytes: must be at most {} bytes together",
        CustomHeaders::MAX_TOTAL_BYTES
    )]
    TooLarge {
        /// The bytes of all names and values.
        size_bytes: usize,
    },
    /// A name that is empty, too long or not a token.
    #[error(
        "header `{}`: name must be 1 to {} letters, digits and ``!#$%&'*+-.^_`|~``",
        shown(name),
        CustomHeaders::MAX_NAME_BYTES
    )]
    Name {
        /// The name as it was given.
        name: String,
    },
    /// A name that the sender sets itself, or that frames the request.
    #[error("header `{name}`: must not be `{rule}`, which the sender controls")]
    Forbidden {
        /// The name in lower case.
        name: String,
        /// The name, or the prefix with a `*`, that forbids it.
        rule: &'static str,
    },
    /// Two names that differ only in case.
    #[error("header `{name}`: must be given once, as case does not matter")]
    Duplicate {
        /// The name in lower case.
        name: String,
    },
    /// A header that is secret and not secret.
    #[error("header `{name}`: must be in one of `headers` and `secretHeaders`, is in both")]
    OfBothKinds {
        /// The name in lower case.
        name: String,
    },
    /// A secret value that consists of asterisks.
    #[error("header `{name}`: value must be the secret itself, is a mask of asterisks")]
    Mask {
        /// The name in lower case.
        name: String,
    },
    /// A value longer than [`CustomHeaders::MAX_VALUE_BYTES`].
    #[error(
        "header `{name}`: value of {size_bytes} bytes must be at most {} bytes",
        CustomHeaders::MAX_VALUE_BYTES
    )]
    ValueTooLong {
        /// The name in lower case.
        name: String,
        /// The value's length.
        size_bytes: usize,
    },
    /// A value with a control character, a non-ASCII character, or a space at either end.
    #[error("header `{name}`: value must be printable ASCII without a space at either end")]
    Value {
        /// The name in lower case.
        name: String,
    },
}

pub(super) fn check_name(name: &str) -> Result<(), CustomHeadersError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > CustomHeaders::MAX_NAME_BYTES || !name.bytes().all(is_token)
    {
        return Err(CustomHeadersError::Name {
            name: name.to_owned(),
        });
    }
    let name = name.to_ascii_lowercase();
    let forbids = |rule: &str| match rule.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == rule,
    };
    match FORBIDDEN.iter().copied().find(|rule| forbids(rule)) {
        Some(rule) => Err(CustomHeadersError::Forbidden { name, rule }),
        None => Ok(()),
    }
}

pub(super) fn check_value(name: &str, value: &str) -> Result<(), CustomHeadersError> {
    if value.len() > CustomHeaders::MAX_VALUE_BYTES {
        return Err(CustomHeadersError::ValueTooLong {
            name: name.to_owned(),
            size_bytes: value.len(),
        });
    }
    let is_printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !is_printable || value.starts_with(' ') || value.ends_with(' ') {
        return Err(CustomHeadersError::Value {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// A refused name in a form that is safe in a message: escaped and cut.
fn shown(name: &str) -> String {
    const MAX_CHARS: usize = 64;
    let escaped: String = name
        .chars()
        .take(MAX_CHARS)
        .flat_map(char::escape_default)
        .collect();
    if name.chars().nth(MAX_CHARS).is_some() {
        escaped + "…"
    } else {
        escaped
    }
}

/// Names, and prefixes with a `*`, that a customer must not set: headers that the sender sets or
/// signs, that frame the message or control the connection (RFC 9110, 7.6.1 and 10.1.1), or that
/// AWS services trust.
const FORBIDDEN: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-*",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-*",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "webhook-*",
    "x-amz-*",
    "x-amzn-*",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Result<CustomHeaders, CustomHeadersError> {
        let pairs = pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        CustomHeaders::new(pairs.collect())
    }

    #[test]
    fn stored_headers_that_the_current_rules_forbid_are_left_out() {
        let stored = [("x-a", "1"), ("x-amzn-oidc-data", "2"), ("x-b", "3\n")];
        let stored = stored.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = CustomHeaders::from_stored(BTreeMap::from(stored));
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("x-a", "1")]);
    }

    #[test]
    fn names_are_kept_in_lower_case_and_in_order() {
        let headers = headers(&[("X-B", "2"), ("Authorization", "Bearer x"), ("x-a", "")]).unwrap();
        let pairs: Vec<_> = headers.iter().collect();
        assert_eq!(
            pairs,
            [("authorization", "Bearer x"), ("x-a", ""), ("x-b", "2")]
        );
        assert_eq!((headers.len(), headers.is_empty()), (3, false));
    }

    #[test]
    fn json_is_checked_and_has_a_stable_order() {
        let headers: CustomHeaders = serde_json::from_str(r#"{"X-B":"2","x-a":"1"}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&headers).unwrap(),
            r#"{"x-a":"1","x-b":"2"}"#
        );
        let error = serde_json::from_str::<CustomHeaders>(r#"{"Host":"x"}"#).unwrap_err();
        assert!(error.to_string().contains("header `host`"), "{error}");
    }

    #[test]
    fn headers_that_the_sender_controls_cannot_be_set() {
        for name in [
            "host",
            "Host",
            "HOST",
            "content-length",
            "Content-Type",
            "content-encoding",
            "connection",
            "transfer-encoding",
            "te",
            "trailer",
            "upgrade",
            "keep-alive",
            "expect",
            "accept-encoding",
            "user-agent",
            "webhook-id",
            "Webhook-Signature",
            "webhook-anything",
            "proxy-authorization",
            "proxy-connection",
            "x-amz-security-token",
            "x-amzn-oidc-identity",
        ] {
            let error = headers(&[(name, "x")]).unwrap_err();
            assert!(
                matches!(error, CustomHeadersError::Forbidden { .. }),
                "{name}: {error}"
            );
        }
        for name in ["x-host", "hosts", "x-webhook-id", "ten", "accept", "cookie"] {
            assert!(headers(&[(name, "x")]).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_is_a_token_of_a_bounded_length() {
        assert!(headers(&[(&"x".repeat(64), "")]).is_ok());
        for name in [
            "",
            " x",
            "x ",
            "a b",
            "a:b",
            "a\nb",
            "a\0",
            "(a)",
            "ü",
            "\"",
            &"x".repeat(65),
        ] {
            let error = headers(&[(name, "x")]).unwrap_err();
            assert!(
                matches!(error, CustomHeadersError::Name { .. }),
                "{name:?}: {error}"
            );
        }
    }

    #[test]
    fn a_value_is_printable_ascii() {
        for value in [
            "a\r\nx-forged: 1",
            "a\n",
            "\t",
            "a\tb",
            "\0",
            "\u{7f}",
            "ü",
            " a",
            "a ",
            " ",
        ] {
            let error = headers(&[("x", value)]).unwrap_err();
            assert_eq!(
                error,
                CustomHeadersError::Value {
                    name: "x".to_owned()
                },
                "{value:?}"
            );
        }
        assert!(headers(&[("x", "!~ \"quoted\", k=v; \\")]).is_ok());
    }

    #[test]
    fn count_value_and_total_are_bounded() {
        let many = |count: usize| {
            CustomHeaders::new(
                (0..count)
                    .map(|number| (format!("x-{number}"), String::new()))
                    .collect(),
            )
        };
        assert!(many(20).is_ok());
        assert_eq!(many(21), Err(CustomHeadersError::TooMany { count: 21 }));

        let value = "v".repeat(2_048);
        assert!(headers(&[("x", &value)]).is_ok());
        let error = headers(&[("x", &(value.clone() + "v"))]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "header `x`: value of 2049 bytes must be at most 2048 bytes"
        );

        assert!(headers(&[("x", &value), ("y", &value[2..])]).is_ok());
        let error = headers(&[("x", &value), ("y", &value[1..])]).unwrap_err();
        assert_eq!(error, CustomHeadersError::TooLarge { size_bytes: 4_097 });
    }

    #[test]
    fn a_name_given_twice_in_different_case_is_refused() {
        let error = headers(&[("X-Key", "1"), ("x-key", "2")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "header `x-key`: must be given once, as case does not matter"
        );
    }

    #[test]
    fn a_mask_is_no_secret() {
        let secret = |value: &str| {
            let pair = ("X-Key".to_owned(), value.to_owned());
            CustomHeaders::new_secret(BTreeMap::from([pair]))
        };
        for mask in ["*", "********"] {
            assert_eq!(
                secret(mask).unwrap_err().to_string(),
                "header `x-key`: value must be the secret itself, is a mask of asterisks"
            );
        }
        assert!(secret("*a*").is_ok() && secret("").is_ok());
        assert!(secret("a\n").is_err());
    }

    #[test]
    fn messages_name_the_header_and_the_limit_but_never_a_value() {
        for (name, value, message) in [
            (
                "X-Amz-Date",
                "s3cret",
                "header `x-amz-date`: must not be `x-amz-*`, which the sender controls",
            ),
            (
                "a\nb",
                "s3cret",
                r"header `a\nb`: name must be 1 to 64 letters, digits and ``!#$%&'*+-.^_`|~``",
            ),
            (
                "x-key",
                "s3cret\n",
                "header `x-key`: value must be printable ASCII without a space at either end",
            ),
        ] {
            assert_eq!(headers(&[(name, value)]).unwrap_err().to_string(), message);
        }
        let long = headers(&[(&"x".repeat(10_000), "")]).unwrap_err();
        assert!(long.to_string().len() < 200);
        let headers = headers(&[("x-key", "s3cret")]).unwrap();
        assert_eq!(format!("{headers:?}"), r#"CustomHeaders{"x-key"}"#);
    }

    proptest! {
        #[test]
        fn an_accepted_header_stays_on_one_line(
            pairs in prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4),
        ) {
            if let Ok(headers) = CustomHeaders::new(pairs.clone()) {
                prop_assert_eq!(headers.len(), pairs.len());
                for (name, value) in headers.iter() {
                    prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'));
                    prop_assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
                }
                let json = serde_json::to_string(&headers).unwrap();
                prop_assert_eq!(serde_json::from_str::<CustomHeaders>(&json).unwrap(), headers);
            }
        }
    }
}
