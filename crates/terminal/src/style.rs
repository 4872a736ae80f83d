//! Colours, on a terminal only.

use std::{env, io::IsTerminal};

use crate::clean;

/// What a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As the terminal has it.
    Plain,
    /// A heading.
    Strong,
    /// Of lesser importance.
    Faint,
    /// As it should be.
    Good,
    /// Not there yet.
    Waiting,
    /// Wrong.
    Bad,
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// With ANSI colours.
    Coloured,
    /// Text only.
    Plain,
}

impl Style {
    /// Colours for a terminal, unless `NO_COLOR` is set (no-color.org).
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

    /// A text in the colour of its tone: [cleaned](crate::clean()), since it may be foreign.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let text = clean(text);
        match (self, tone.code()) {
            (Self::Coloured, Some(code)) => format!("{}{text}{}", sequence(code), sequence(RESET)),
            _ => text,
        }
    }

    /// The control sequences that [`paint`](Self::paint) writes.
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

/// Selects how what follows looks (ECMA-48, SGR).
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
