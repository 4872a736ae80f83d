//! Foreign text, made harmless for a terminal.

/// A text without what moves a terminal or hides: controls (C0, C1, DEL), line and paragraph
/// separators, and characters that are not seen (directions, joiners, tags, variation
/// selectors). Each becomes a space.
pub fn clean(text: &str) -> String {
    let visible = |letter| if is_harmful(letter) { ' ' } else { letter };
    text.chars().map(visible).collect()
}

/// Whether a character would move a terminal, or hide in it.
pub fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_terminal_or_hides_is_a_space() {
        for harmful in [
            "\u{1b}",
            "\r",
            "\n",
            "\t",
            "\u{7}",
            "\u{7f}",
            "\u{9b}",
            "\u{85}",
            "\u{202e}",
            "\u{2066}",
            "\u{2028}",
            "\u{2029}",
            "\u{200b}",
            "\u{200d}",
            "\u{feff}",
            "\u{e0041}",
            "\u{61c}",
        ] {
            assert_eq!(clean(&format!("a{harmful}b")), "a b", "{harmful:?}");
        }
        assert_eq!(clean("Zoë 日本 😀 «x»"), "Zoë 日本 😀 «x»");
    }
}
