//! Makes foreign text harmless for a terminal.

use std::fmt::Write;

pub use webhooks_domain::text::is_harmful;

use super::Style;

/// Replaces characters that control a terminal or are invisible by spaces: control characters
/// (C0, C1, DEL), line and paragraph separators, and characters such as direction marks,
/// joiners, tags and variation selectors.
pub fn clean(text: &str) -> String {
    let visible = |letter| if is_harmful(letter) { ' ' } else { letter };
    text.chars().map(visible).collect()
}

/// [Cleans](clean) several lines.
pub fn clean_lines(text: &str) -> String {
    let visible = |letter| match letter {
        '\n' => letter,
        harmful if is_harmful(harmful) => ' ',
        letter => letter,
    };
    text.chars().map(visible).collect()
}

/// Cleans several lines, but keeps the colours of [`Style::paint`].
pub fn clean_styled(text: &str, style: Style) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let colour = Style::codes().find(|code| style == Style::Coloured && rest.starts_with(code));
        let taken = if let Some(code) = colour {
            clean.push_str(&code);
            code.len()
        } else {
            let is_kept = letter == '\n' || !is_harmful(letter);
            clean.push(if is_kept { letter } else { ' ' });
            letter.len_utf8()
        };
        rest = &rest[taken..];
    }
    clean
}

/// Replaces each harmful character in valid JSON by `\uXXXX`, which a parser reads as the same
/// character. White space between values is reduced to line feeds and spaces.
pub fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '\n' => escaped.push(letter),
            // Strings of valid JSON cannot contain them, so they are white space.
            '\r' | '\t' => escaped.push(' '),
            harmful if is_harmful(harmful) => {
                for unit in harmful.encode_utf16(&mut [0; 2]) {
                    write!(escaped, "\\u{unit:04x}").expect("a string takes every text");
                }
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Tone;

    #[test]
    fn controlling_and_invisible_characters_become_spaces() {
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

    /// One harmful character of each kind.
    const HARMFUL: &str = "\u{1b}\u{7}\u{0}\u{7f}\u{9b}\u{85}\u{202e}\u{2066}\u{2028}\u{2029}\u{200b}\u{feff}\u{e0041}";

    #[test]
    fn json_that_is_escaped_reads_as_before_and_holds_nothing_harmful() {
        let text = format!("a{HARMFUL}\n\r\t\"\\ Zoë 😀");
        let value = serde_json::json!({"text": text, HARMFUL: [1.50, "\\u001b"]});
        let pretty = serde_json::to_string_pretty(&value)
            .unwrap()
            .replace('\n', "\r\n\t");
        for json in [value.to_string(), pretty] {
            let escaped = escape_json(&json);
            assert!(
                escaped
                    .chars()
                    .all(|letter| letter == '\n' || !is_harmful(letter)),
                "{escaped:?}"
            );
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&escaped).unwrap(),
                value
            );
        }
        assert_eq!(
            escape_json("\"\u{e0041}\u{9b}\""),
            "\"\\udb40\\udc41\\u009b\""
        );
    }

    #[test]
    fn lines_stay_and_only_our_own_colours_with_them() {
        let ours = Style::Coloured.paint(Tone::Bad, "no");
        let text = format!("{ours}\n\u{1b}[2J\u{1b}]0;x\u{7}\r\u{9b}31m\n");
        let clean = clean_styled(&text, Style::Coloured);
        assert_eq!(clean, format!("{ours}\n [2J ]0;x   31m\n"));
        let plain = clean_styled(&text, Style::Plain);
        assert_eq!(plain, clean_lines(&text));
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
    }

    #[test]
    fn painted_text_is_clean_in_every_style_and_tone() {
        for style in [Style::Coloured, Style::Plain] {
            for tone in [Tone::Plain, Tone::Good] {
                let painted = style.paint(tone, &format!("x{HARMFUL}\n\r\ty\u{1b}[31m"));
                let ours = Style::codes().fold(painted, |text, code| text.replacen(&code, "", 1));
                assert!(!ours.contains(is_harmful), "{ours:?}");
            }
        }
    }
}
