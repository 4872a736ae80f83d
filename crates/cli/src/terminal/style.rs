//! Colours, on a terminal only.

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Reset};

use super::clean;

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
    /// Uses colours on a terminal, unless the environment refuses them, for example by
    /// `NO_COLOR` (no-color.org).
    pub fn of(stream: &impl RawStream) -> Self {
        match AutoStream::choice(stream) {
            ColorChoice::Never => Self::Plain,
            _ => Self::Coloured,
        }
    }

    /// Formats a text in the colour of its tone. The text is [cleaned](clean()), since it may be
    /// foreign.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let text = clean(text);
        let style = tone.style();
        match self {
            Self::Coloured => format!("{style}{text}{style:#}"),
            Self::Plain => text,
        }
    }

    /// Returns the control sequences that [`paint`](Self::paint) writes.
    pub(crate) fn codes() -> impl Iterator<Item = String> {
        let tones = TONES.into_iter().map(|tone| tone.style().to_string());
        tones.chain([Reset.to_string()])
    }
}

const TONES: [Tone; 5] = [
    Tone::Strong,
    Tone::Faint,
    Tone::Good,
    Tone::Waiting,
    Tone::Bad,
];

impl Tone {
    fn style(self) -> anstyle::Style {
        match self {
            Self::Plain => anstyle::Style::new(),
            Self::Strong => anstyle::Style::new().bold(),
            Self::Faint => anstyle::Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Waiting => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
        }
    }
}
