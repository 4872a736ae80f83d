//! Colours, on a terminal only.

use std::{env, io::IsTerminal};

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

    /// A text in the colour of its tone.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Strong => 1,
            Tone::Faint => 2,
            Tone::Good => 32,
            Tone::Waiting => 33,
            Tone::Bad => 31,
        };
        match self {
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}
