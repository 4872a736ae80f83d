//! Texts for people: their bounds, and the characters that are harmful where they are shown.

use std::fmt::{self, Display, Formatter};

/// A text of `MIN` to `MAX` characters, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text<const MIN: usize, const MAX: usize>(String);

/// The text breaks a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextError<const MIN: usize, const MAX: usize> {
    /// Too short or too long.
    Length {
        /// The length, in characters.
        len: usize,
    },
    /// The text has a control character.
    ControlCharacter,
}

impl<const MIN: usize, const MAX: usize> Display for TextError<MIN, MAX> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len } if MIN == 0 => {
                write!(f, "must be at most {MAX} characters, is {len}")
            }
            Self::Length { len } => write!(f, "must be {MIN} to {MAX} characters, is {len}"),
            Self::ControlCharacter => f.write_str("must not contain control characters"),
        }
    }
}

impl<const MIN: usize, const MAX: usize> std::error::Error for TextError<MIN, MAX> {}

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// The largest length, in characters.
    pub const MAX_CHARS: usize = MAX;

    /// A stored text. It was checked when it was stored, and is not checked again.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Text<MIN, MAX> {
    type Error = TextError<MIN, MAX>;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let len = text.chars().count();
        if !(MIN..=MAX).contains(&len) {
            return Err(TextError::Length { len });
        }
        if text.chars().any(char::is_control) {
            return Err(TextError::ControlCharacter);
        }
        Ok(Self(text))
    }
}

impl<const MIN: usize, const MAX: usize> From<Text<MIN, MAX>> for String {
    fn from(text: Text<MIN, MAX>) -> Self {
        text.0
    }
}

/// Returns true if a character is invisible, or controls a terminal or the direction of text:
/// control characters (C0, C1, DEL), line and paragraph separators, and characters such as
/// direction marks, joiners, tags and variation selectors.
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
