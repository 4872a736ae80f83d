//! The beginning of a response body, made safe to store and to show.

use webhooks_domain::outbound::{WebhookResponse, legible};

/// Collects the beginning of a body while the body is read.
#[derive(Default)]
pub(crate) struct Excerpt {
    head: Vec<u8>,
}

impl Excerpt {
    /// Each byte of an excerpt needs at most one byte of the body, since replacing a character
    /// only lengthens it. The last character may need three bytes more.
    const HEAD_BYTES: usize = WebhookResponse::MAX_DETAIL_BYTES + 3;

    /// Takes the part of the next chunk that is still needed.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let missing = Self::HEAD_BYTES - self.head.len();
        self.head
            .extend_from_slice(&bytes[..missing.min(bytes.len())]);
    }

    /// Returns as much [legible] text as fits; `None` if that is empty.
    pub(crate) fn finish(self, room_bytes: usize) -> Option<String> {
        let text = legible(
            &self.head,
            room_bytes.min(WebhookResponse::MAX_DETAIL_BYTES),
        );
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(parts: &[&[u8]]) -> Option<String> {
        let mut excerpt = Excerpt::default();
        for part in parts {
            excerpt.push(part);
        }
        excerpt.finish(512)
    }

    #[test]
    fn an_empty_body_has_no_excerpt() {
        assert_eq!(excerpt(&[]), None);
        assert_eq!(excerpt(&[b"", b""]), None);
    }

    #[test]
    fn parts_are_joined_before_they_are_decoded() {
        let text = "zażółć".as_bytes();
        for middle in 0..text.len() {
            assert_eq!(
                excerpt(&[&text[..middle], &text[middle..]]).as_deref(),
                Some("zażółć")
            );
        }
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        for shift in 0..4 {
            let body = "x".repeat(shift) + &"🦀".repeat(1_000);
            let text = excerpt(&[body.as_bytes()]).unwrap_or_default();
            assert!(body.starts_with(&text), "{shift}");
            assert!(
                (509..=512).contains(&text.len()),
                "{shift}: {} bytes",
                text.len()
            );
        }
    }

    #[test]
    fn bytes_that_are_not_text_stay_within_the_bound() {
        let text = excerpt(&[&vec![0xff; 100_000]]).unwrap_or_default();
        assert_eq!(text, "\u{fffd}".repeat(170));
    }

    #[test]
    fn control_characters_become_spaces() {
        assert_eq!(
            excerpt(&[b"a\0b\r\n\x1b[31mc\x7f"]).as_deref(),
            Some("a b   [31mc ")
        );
    }
}
