//! Parts that several pages have.

use maud::{Markup, html};
use webhooks_api_types::Broken;

use crate::frame::{Frame, Tone};
use crate::href::Href;
use crate::paths::Route;
use crate::text::{code, editable, foreign};

/// The class of a tone in the stylesheet.
pub(crate) fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Waiting => "waiting",
        Tone::Bad => "bad",
        Tone::Neutral => "neutral",
    }
}

/// A state in a word. The sign repeats the colour for whoever does not see colours.
pub(crate) fn badge(tone: Tone, text: &str) -> Markup {
    let sign = match tone {
        Tone::Good => "✓",
        Tone::Waiting => "…",
        Tone::Bad => "!",
        Tone::Neutral => "–",
    };
    html! {
        span .badge.(class(tone)) { span aria-hidden="true" { (sign) } " " (text) }
    }
}

/// A form that changes something.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a call reads as the form that it makes"
)]
pub(crate) fn post(frame: &Frame, route: Route, content: Markup) -> Markup {
    html! {
        form method="post" action=(Href::from(route)) {
            input type="hidden" name="csrf" value=(editable(&frame.csrf));
            (content)
        }
    }
}

/// Names and values.
#[derive(Default)]
pub(crate) struct Facts(Vec<(&'static str, Markup)>);

impl Facts {
    /// Adds a value.
    pub(crate) fn add(&mut self, name: &'static str, value: Markup) {
        self.0.push((name, value));
    }

    /// Adds a value that may be missing.
    pub(crate) fn maybe(&mut self, name: &'static str, value: Option<Markup>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// The list.
    pub(crate) fn markup(self) -> Markup {
        html! {
            dl .facts {
                @for (name, value) in self.0 {
                    div { dt { (name) } dd { (value) } }
                }
            }
        }
    }
}

/// The link to the next page of a list.
pub(crate) fn next_page(next: Option<Href>) -> Markup {
    html! {
        @if let Some(next) = next {
            p .pager { a .button href=(next) rel="next" { "Next page" } }
        }
    }
}

/// The entries of a list that cannot be read.
pub(crate) fn broken(entries: &[Broken]) -> Markup {
    html! {
        @if !entries.is_empty() {
            section .notice.bad aria-labelledby="broken" {
                h2 #broken { "Entries that cannot be read" }
                ul {
                    @for entry in entries {
                        li { (code(&entry.id)) ": " (foreign(&entry.problem)) }
                    }
                }
            }
        }
    }
}

/// A table in a region that scrolls on a narrow screen.
pub(crate) fn table(caption: &str, table: &Markup) -> Markup {
    html! {
        div .scroll role="region" aria-label=(caption) tabindex="0" { (table) }
    }
}

/// Numbers with a noun: `1 attempt`, `2 attempts`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        number => format!("{} {noun}s", grouped(number)),
    }
}

/// A number with commas: `1,234`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(count(1, "attempt"), "1 attempt");
        assert_eq!(count(1_000, "attempt"), "1,000 attempts");
    }
}
