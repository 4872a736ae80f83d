//! The beginning of a response body, made safe to store and to show.

use webhooks_domain::outbound::{ResponseBody, legible_lines};

/// Collects the beginning of a body while the body is read.
pub(crate) struct Excerpt {
    max_bytes: usize,
    head: Vec<u8>,
    read_bytes: usize,
}

impl Excerpt {
    /// Each byte of an excerpt needs at most one byte of the body, since replacing a character
    /// only lengthens it. The last character may need three bytes more.
    const LAST_CHARACTER: usize = 3;

    /// Keeps at most this many bytes.
    pub(crate) fn of(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            head: Vec::new(),
            read_bytes: 0,
        }
    }

    /// The number of bytes that were read.
    pub(crate) fn read_bytes(&self) -> usize {
        self.read_bytes
    }

    /// Takes the part of the next chunk that is still needed.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.read_bytes += bytes.len();
        let needed = self.max_bytes + Self::LAST_CHARACTER;
        let missing = needed.saturating_sub(self.head.len());
        self.head
            .extend_from_slice(&bytes[..missing.min(bytes.len())]);
    }

    /// Returns as much [legible](legible_lines) text as fits. `is_complete` is true if the body was
    /// read to its end.
    pub(crate) fn finish(self, is_complete: bool) -> ResponseBody {
        let text = legible_lines(&self.head, self.max_bytes);
        let is_whole = self.head.len() == self.read_bytes
            && if self.head.is_ascii() {
                text.len() == self.head.len()
            } else {
                text.len() == legible_lines(&self.head, usize::MAX).len()
            };
        ResponseBody {
            text,
            size_bytes: u32::try_from(self.read_bytes).unwrap_or(u32::MAX),
            is_cut: !is_complete || !is_whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(parts: &[&[u8]]) -> ResponseBody {
        let mut excerpt = Excerpt::of(512);
        for part in parts {
            excerpt.push(part);
        }
        excerpt.finish(true)
    }

    fn excerpt(parts: &[&[u8]]) -> String {
        body(parts).text
    }

    #[test]
    fn a_body_is_cut_if_it_is_longer_or_was_not_read_to_its_end() {
        for (length, is_cut) in [
            (0, false),
            (511, false),
            (512, false),
            (513, true),
            (600, true),
        ] {
            let body = body(&[&vec![b'x'; length]]);
            assert_eq!((body.size_bytes as usize, body.is_cut), (length, is_cut));
        }
        // 180 bytes that become 540.
        assert!(body(&[&[0xff; 180]]).is_cut);
        let mut excerpt = Excerpt::of(512);
        excerpt.push(b"half");
        assert!(excerpt.finish(false).is_cut);
        let mut excerpt = Excerpt::of(0);
        excerpt.push(b"nothing");
        let none = excerpt.finish(true);
        assert_eq!((&*none.text, none.size_bytes, none.is_cut), ("", 7, true));
    }

    #[test]
    fn an_empty_body_has_an_empty_excerpt() {
        assert_eq!(excerpt(&[]), "");
        assert_eq!(excerpt(&[b"", b""]), "");
    }

    #[test]
    fn parts_are_joined_before_they_are_decoded() {
        let text = "zażółć".as_bytes();
        for middle in 0..text.len() {
            assert_eq!(excerpt(&[&text[..middle], &text[middle..]]), "zażółć");
        }
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        for shift in 0..4 {
            let body = "x".repeat(shift) + &"🦀".repeat(1_000);
            let text = excerpt(&[body.as_bytes()]);
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
        let text = excerpt(&[&vec![0xff; 100_000]]);
        assert_eq!(text, "\u{fffd}".repeat(170));
    }

    #[test]
    fn control_characters_but_line_breaks_and_tabs_become_spaces() {
        assert_eq!(excerpt(&[b"a\0b\r\n\t\x1b[31mc\x7f"]), "a b\r\n\t [31mc ");
    }
}
