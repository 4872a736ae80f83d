//! The headers of a response that are kept, and the conversion of a response's text into a form
//! that is safe to store and to show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The few headers of a response that help to explain it. All others are dropped: we do not keep
/// the endpoint's cookies and tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResponseHeaders(BTreeMap<String, String>);

impl ResponseHeaders {
    /// The names of the kept headers, in lower case. None of them carries a secret.
    pub const KEPT: [&str; 4] = ["content-type", "retry-after", "server", "x-request-id"];

    /// The longest value. The rest is cut off.
    pub const MAX_VALUE_BYTES: usize = 64;

    /// Keeps the headers of a response. `value_of` returns the bytes of a header by its name.
    pub fn keep<'a>(value_of: impl Fn(&str) -> Option<&'a [u8]>) -> Self {
        let kept = Self::KEPT.into_iter().filter_map(|name| {
            let value = legible(value_of(name)?, Self::MAX_VALUE_BYTES);
            (!value.is_empty()).then(|| (name.to_owned(), value))
        });
        Self(kept.collect())
    }

    /// Returns true if no header is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.0.values_mut()
    }

    /// The names in lower case with their values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// At most `max_bytes` of UTF-8, in whole characters. Bytes that are not UTF-8 become `U+FFFD`, and
/// control characters become spaces.
pub fn legible(bytes: &[u8], max_bytes: usize) -> String {
    legible_but(bytes, max_bytes, |_| false)
}

/// Like [`legible`], but line breaks and tabs stay.
pub fn legible_lines(bytes: &[u8], max_bytes: usize) -> String {
    legible_but(bytes, max_bytes, |character| {
        matches!(character, '\n' | '\r' | '\t')
    })
}

fn legible_but(bytes: &[u8], max_bytes: usize, stays: fn(char) -> bool) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(bytes).chars() {
        let character = if character.is_control() && !stays(character) {
            ' '
        } else {
            character
        };
        if text.len() + character.len_utf8() > max_bytes {
            break;
        }
        text.push(character);
    }
    text
}

/// At most `max_bytes` of a text, in whole characters.
pub fn cut(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(headers: &[(&str, &[u8])]) -> Vec<(String, String)> {
        let value_of = |name: &str| {
            let header = headers.iter().find(|(known, _)| *known == name);
            header.map(|(_, value)| *value)
        };
        let kept = ResponseHeaders::keep(value_of);
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        kept.iter().map(owned).collect()
    }

    #[test]
    fn only_headers_that_carry_no_secret_are_kept() {
        let headers: &[(&str, &[u8])] = &[
            ("set-cookie", b"session=s3cret"),
            ("authorization", b"Bearer s3cret"),
            ("www-authenticate", b"Basic realm=s3cret"),
            ("location", b"https://example.com/?token=s3cret"),
            ("x-api-key", b"s3cret"),
            ("server", b"nginx"),
        ];
        assert_eq!(kept(headers), [("server".into(), "nginx".into())]);
    }

    #[test]
    fn a_value_is_cut_and_legible() {
        let long = [b'x'; 1_000];
        let headers: &[(&str, &[u8])] = &[
            ("server", &long),
            ("retry-after", b""),
            ("x-request-id", b"a\x1b[31m\xff"),
        ];
        let cut = "x".repeat(ResponseHeaders::MAX_VALUE_BYTES);
        let id = "a [31m\u{fffd}".to_owned();
        assert_eq!(
            kept(headers),
            [("server".into(), cut), ("x-request-id".into(), id)]
        );
    }
}
