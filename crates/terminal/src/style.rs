//! Colours, on a terminal only.

use std::{env, io::IsTerminal};

use crate::clean;

/// The meaning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary text.
    Plain,
    /// A heading.
    Strong,
    /// Less important text.
    Faint,
    /// A good result.
    Good,
    /// An unfinished state.
    Waiting,
    /// A bad result.
    Bad,
}

/// The use of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// With ANSI colours.
    Coloured,
    /// Text only.
    Plain,
}

impl Style {
    /// Uses colours on a terminal, unless `NO_COLOR` is set (no-color.org).
    #[expect(
        clippy::disallowed_methods,
        reason = "the variable speaks to every program on a terminal, not to a function"
    )]
    pub fn of(stream: &impl IsTerminal) -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !unwanted {
            Self::Coloured
        } else {
            Self::Plain
        }
    }

    /// Formats a text in the colour of its tone. The text is [cleaned](crate::clean()), since
    /// it may be foreign.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let text = clean(text);
        match (self, tone.code()) {
            (Self::Coloured, Some(code)) => format!("{}{text}{}", sequence(code), sequence(RESET)),
            _ => text,
        }
    }

    /// Returns the control sequences that [`paint`](Self::paint) writes.
    pub(crate) fn codes() -> impl Iterator<Item = String> {
        let tones = TONES.into_iter().filter_map(Tone::code);
        tones.chain([RESET]).map(sequence)
    }
}

const RESET: u8 = 0;

const TONES: [Tone; 5] = [
    Tone::Strong,
    Tone::Faint,
    Tone::Good,
    Tone::Waiting,
    Tone::Bad,
];

/// Returns the sequence that sets the appearance of the following text (ECMA-48, SGR).
fn sequence(code: u8) -> String {
    format!("\x1b[{code}m")
}

impl Tone {
    fn code(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Strong => Some(1),
            Self::Faint => Some(2),
            Self::Good => Some(32),
            Self::Waiting => Some(33),
            Self::Bad => Some(31),
        }
    }
}
