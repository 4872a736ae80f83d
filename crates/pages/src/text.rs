//! Text that customers, producers and receivers wrote.
//!
//! `maud` escapes it. This module makes the characters visible that a browser would not show, or
//! that would change the order of the text around them.

use std::borrow::Cow;
use std::fmt::Write;

use maud::{Markup, html};
use webhooks_domain::text::is_harmful;

/// Replaces each character that is invisible or controls the direction of text by its code point:
/// `⟨U+202E⟩`.
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, is_harmful)
}

/// As [`visible`], for a text of several lines: line feeds and tabs stay.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    replaced(text, |letter| {
        !matches!(letter, '\n' | '\t') && is_harmful(letter)
    })
}

/// The content of a field that a form sends back. Only control characters are replaced, which no
/// field accepts; other characters must come back as they are. The ends of lines do, except that a
/// browser writes all of them in the same way.
pub(crate) fn editable(text: &str) -> Cow<'_, str> {
    replaced(text, |letter| {
        !matches!(letter, '\n' | '\r' | '\t') && letter.is_control()
    })
}

/// A text in a sentence. Its letters do not change the order of the text around it.
pub(crate) fn foreign(text: &str) -> Markup {
    html! { bdi { (visible(text)) } }
}

/// A text that is code: an id, a URL, a pattern.
pub(crate) fn code(text: &str) -> Markup {
    html! { code { (visible(text)) } }
}

/// The beginning of a text that takes at most this many bytes on the page, and whether that is all.
pub(crate) fn beginning(text: &str, bytes: usize) -> (&str, bool) {
    let mut taken = 0;
    for (index, letter) in text.char_indices() {
        taken += match letter {
            // As escaped or replaced.
            '"' | '&' | '<' | '>' => 6,
            '\n' | '\t' => 1,
            harmful if is_harmful(harmful) => 14,
            letter => letter.len_utf8(),
        };
        if taken > bytes {
            return (&text[..index], false);
        }
    }
    (text, true)
}

fn replaced(text: &str, is_replaced: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_replaced) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_replaced(letter) {
            write!(shown, "⟨U+{:04X}⟩", u32::from(letter)).expect("a string takes every text");
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmful_characters_are_shown_as_code_points() {
        assert_eq!(
            visible("a\u{202e}b\n\u{0}\u{e0041}"),
            "a⟨U+202E⟩b⟨U+000A⟩⟨U+0000⟩⟨U+E0041⟩"
        );
        assert_eq!(visible_lines("a\r\n\tb\u{1b}"), "a⟨U+000D⟩\n\tb⟨U+001B⟩");
        assert_eq!(visible("Zoë 日本 😀"), "Zoë 日本 😀");
    }

    #[test]
    fn a_beginning_is_as_long_as_its_html() {
        assert_eq!(beginning("é{}", 4), ("é{}", true));
        assert_eq!(beginning("{}é", 3), ("{}", false));
        let hostile = "\u{e0041}\"<&>\u{202e}\nx".repeat(100);
        let (shown, is_whole) = beginning(&hostile, 1_000);
        let html = html! { (visible_lines(shown)) }.into_string();
        assert!(
            !is_whole && (700..=1_000).contains(&html.len()),
            "{}",
            html.len()
        );
    }

    #[test]
    fn a_form_sends_back_the_text_that_it_got() {
        assert_eq!(editable("a\u{202e}\n\tb"), "a\u{202e}\n\tb");
        assert_eq!(editable("a\r\nb"), "a\r\nb");
        assert_eq!(editable("a\u{1b}"), "a⟨U+001B⟩");
    }
}
