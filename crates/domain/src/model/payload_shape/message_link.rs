//! The link to a message in the operator's own application.

use std::str::FromStr;

use url::Url;

use super::percent_encoded;
use crate::ids::{CustomerId, MessageId};

const CUSTOMER: &str = "{customerId}";
const MESSAGE: &str = "{messageId}";

/// The URL of a message, with `{customerId}` and `{messageId}` in it, such as
/// `https://app.example.com/messages/{customerId}/{messageId}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageLinkTemplate(String);

/// The text is not a template of a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageLinkTemplateError {
    /// Too long.
    #[error("must be at most {max} bytes, is {len}", max = MessageLinkTemplate::MAX_BYTES)]
    Length {
        /// The length that was given.
        len: usize,
    },
    /// Not a URL.
    #[error(
        "must be an `https` URL with `{{customerId}}` and `{{messageId}}` at most once each, in its path, query or fragment"
    )]
    Url,
}

impl MessageLinkTemplate {
    /// The longest template. Each thin delivery stores its link.
    pub const MAX_BYTES: usize = 256;

    /// The link to a message.
    pub fn link(&self, customer: &CustomerId, message: &MessageId) -> String {
        self.0
            .replace(CUSTOMER, &percent_encoded(customer.as_str(), b""))
            .replace(MESSAGE, &message.to_string())
    }
}

impl FromStr for MessageLinkTemplate {
    type Err = MessageLinkTemplateError;

    fn from_str(text: &str) -> Result<Self, MessageLinkTemplateError> {
        let len = text.len();
        if len > Self::MAX_BYTES {
            return Err(MessageLinkTemplateError::Length { len });
        }
        let filled = text.replace(CUSTOMER, "0").replace(MESSAGE, "0");
        let is_visible = filled
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"{}\"\\<>".contains(&byte));
        let url = Url::parse(&filled)
            .ok()
            .filter(|url| url.scheme() == "https");
        let origin = text.split('/').nth(2).unwrap_or("{");
        let is_repeated = [CUSTOMER, MESSAGE]
            .iter()
            .any(|placeholder| text.matches(placeholder).count() > 1);
        if is_repeated || !is_visible || url.is_none() || origin.contains('{') {
            return Err(MessageLinkTemplateError::Url);
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_encoded() {
        let customer: CustomerId = "a:b@c|d".parse().unwrap();
        let message = MessageId::from_event_id(&customer, "e");
        let template: MessageLinkTemplate = "https://app.example.com/{customerId}?m={messageId}"
            .parse()
            .unwrap();
        let expected = format!("https://app.example.com/a%3Ab%40c%7Cd?m={message}");
        assert_eq!(template.link(&customer, &message), expected);
    }

    #[test]
    fn other_templates_are_refused() {
        let long = format!("https://a.example/{}", "x".repeat(256));
        for text in [
            "",
            "app",
            "http://a.example/",
            "https://",
            "javascript:{messageId}",
            "https://{customerId}.example/",
            "https://a.example/{id}",
            "https://a.example/{customerId}/{customerId}",
            "https://a.example/{messageId}#{messageId}",
            "https://a.example/ x",
            "https://a.example/\"",
            "https://a.example/ü",
            &long,
        ] {
            assert!(text.parse::<MessageLinkTemplate>().is_err(), "{text}");
        }
    }
}
