//! The runbooks of alarms, as `docs/runbooks.md` has them: those of the version that is deployed.

use maud::html;

use crate::frame::Frame;
use crate::layout::{self, Place};
use crate::paths::Route;

const RUNBOOKS: &str = include_str!("../../../../docs/runbooks.md");

/// The runbook of an alarm of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runbook {
    alarm: &'static str,
    text: &'static str,
}

impl Runbook {
    /// The runbook of an alarm. `None` if there is none.
    pub fn of(alarm: &str) -> Option<Self> {
        let mut sections = RUNBOOKS.split("\n### ").skip(1);
        sections.find_map(|section| {
            let (title, text) = section.split_once('\n')?;
            let text = text.split("\n## ").next()?;
            (title == alarm).then_some(Self {
                alarm: title,
                text: text.trim(),
            })
        })
    }

    /// The page of the runbook.
    pub(crate) fn route(self) -> Route {
        Route::Runbook {
            alarm: self.alarm.to_owned(),
        }
    }
}

/// Renders the page. The text is Markdown, and is shown as it is.
pub fn runbook_page(frame: &Frame, runbook: Runbook) -> String {
    let content = html! {
        h1 { (runbook.alarm) }
        p .muted { "This is a section of " code { "docs/runbooks.md" } ", for the version that is deployed." }
        pre tabindex="0" { (runbook.text) }
    };
    layout::page(frame, Place::Queues, runbook.alarm, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runbook_is_one_section() {
        let runbook = Runbook::of("FailedEventsAlarm").unwrap();
        assert!(runbook.text.contains("webhooks dlq redrive events"));
        assert!(!runbook.text.contains("DeliveryDeadLettersAlarm\n"));
        let last = Runbook::of("function throttles").unwrap();
        assert!(!last.text.contains("\n## "), "{}", last.text);
        assert_eq!(Runbook::of("Alarms"), None);
        assert_eq!(Runbook::of(""), None);
    }
}
