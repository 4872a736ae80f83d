//! The content type of a webhook's body.

use std::fmt;

use crate::fields::FieldError;

/// A media type that a subscription sets, such as `application/json; charset=utf-8`. It is a header
/// value, and its text is in lower case up to its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType(String);

/// The language of a body, which decides how a value is written into a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// JSON.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// XML and HTML.
    Xml,
    /// Anything else, in which a value is written as it is.
    Text,
}

impl ContentType {
    /// The longest content type.
    pub const MAX_BYTES: usize = 128;

    /// Checks a content type: `type/subtype`, and at most the parameter `charset=utf-8`.
    ///
    /// # Errors
    /// If it is another text, or a type with parts of its own (`multipart/*`).
    pub fn parse(text: &str) -> Result<Self, ContentTypeError> {
        let len = text.len();
        if len > Self::MAX_BYTES {
            return Err(ContentTypeError::Length { len });
        }
        let (essence, charset) = text.split_once(';').unwrap_or((text, "charset=utf-8"));
        let essence = essence.trim_end_matches(' ').to_ascii_lowercase();
        let is_token = |part: &str| {
            let is_of_token =
                |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
            !part.is_empty() && part.bytes().all(is_of_token)
        };
        let (kind, subtype) = essence.split_once('/').ok_or(ContentTypeError::Syntax)?;
        if !is_token(kind) || !is_token(subtype) {
            return Err(ContentTypeError::Syntax);
        }
        if kind == "multipart" {
            return Err(ContentTypeError::Multipart);
        }
        if !charset
            .trim_matches(' ')
            .eq_ignore_ascii_case("charset=utf-8")
        {
            return Err(ContentTypeError::Parameter);
        }
        let has_parameter = text.contains(';');
        let parameter = if has_parameter { "; charset=utf-8" } else { "" };
        Ok(Self(format!("{essence}{parameter}")))
    }

    /// A stored content type, from [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// If it is none.
    pub fn from_stored(text: &str) -> Result<Self, ContentTypeError> {
        Self::parse(text)
    }

    /// The value of the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn language(&self) -> Language {
        let essence = self.0.split(';').next().unwrap_or_default();
        let subtype = essence.rsplit('/').next().unwrap_or_default();
        match subtype.rsplit('+').next().unwrap_or_default() {
            "json" => Language::Json,
            "xml" | "html" | "xhtml" => Language::Xml,
            "x-www-form-urlencoded" => Language::Form,
            _ => Language::Text,
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text is not a content type that a subscription may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentTypeError {
    /// Too long.
    #[error("must be at most {max} bytes, is {len}", max = ContentType::MAX_BYTES)]
    Length {
        /// The length that was given.
        len: usize,
    },
    /// Not a media type.
    #[error("must be a media type such as `text/plain`")]
    Syntax,
    /// The body would need a boundary that no value contains.
    #[error("must not be `multipart`, whose boundary a value could contain")]
    Multipart,
    /// Another parameter than the only true one.
    #[error("must have no parameter but `charset=utf-8`")]
    Parameter,
}

impl From<ContentTypeError> for FieldError {
    fn from(error: ContentTypeError) -> Self {
        Self::new("contentType", error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_has_a_language() {
        for (text, stored, language) in [
            ("application/json", "application/json", Language::Json),
            (
                "Application/Vnd.Api+JSON ;charset=UTF-8",
                "application/vnd.api+json; charset=utf-8",
                Language::Json,
            ),
            ("text/xml", "text/xml", Language::Xml),
            (
                "application/soap+xml; charset=utf-8",
                "application/soap+xml; charset=utf-8",
                Language::Xml,
            ),
            ("text/html", "text/html", Language::Xml),
            (
                "application/x-www-form-urlencoded",
                "application/x-www-form-urlencoded",
                Language::Form,
            ),
            ("text/plain", "text/plain", Language::Text),
            ("application/jsonx", "application/jsonx", Language::Text),
        ] {
            let parsed = ContentType::parse(text).unwrap();
            assert_eq!(
                (parsed.as_str(), parsed.language()),
                (stored, language),
                "{text}"
            );
            assert_eq!(ContentType::from_stored(stored), Ok(parsed));
        }
    }

    #[test]
    fn a_header_cannot_be_injected() {
        let long = format!("text/{}", "x".repeat(200));
        for text in [
            "",
            "json",
            "/",
            "text/",
            "/plain",
            "text/plain\r\nx-admin: 1",
            "text/plain\n",
            "text/plain; charset=utf-8\r\nx: y",
            "text/plain; charset=latin1",
            "text/plain;",
            "text/plain; charset=utf-8; a=b",
            "text/plain, text/html",
            "text/pl ain",
            "text/plaïn",
            "text/plain\u{0}",
            " text/plain",
            "multipart/form-data; boundary=x",
            "multipart/mixed",
            &long,
        ] {
            assert!(ContentType::parse(text).is_err(), "{text:?}");
        }
    }
}
