//! Fields of forms, with labels, help and problems that assistive technology reads.

use maud::{Markup, html};

use crate::problem::FormProblem;
use crate::text::{editable, foreign};

/// A field of a form.
pub(crate) struct Field<'a> {
    name: &'static str,
    label: &'a str,
    help: Option<Markup>,
    problem: Option<&'a FormProblem>,
    is_required: bool,
}

impl<'a> Field<'a> {
    /// A field that may be empty.
    pub(crate) fn new(name: &'static str, label: &'a str) -> Self {
        Self {
            name,
            label,
            help: None,
            problem: None,
            is_required: false,
        }
    }

    /// Adds a text that explains the field.
    pub(crate) fn help(self, help: Markup) -> Self {
        Self {
            help: Some(help),
            ..self
        }
    }

    /// Requires a value.
    pub(crate) fn required(self) -> Self {
        Self {
            is_required: true,
            ..self
        }
    }

    /// Shows the problem of the form, if it is one of this field.
    pub(crate) fn problem(self, problem: Option<&'a FormProblem>) -> Self {
        let problem = problem.filter(|problem| problem.is_of(self.name));
        Self { problem, ..self }
    }

    /// A field of one line.
    pub(crate) fn text(self, value: &str) -> Markup {
        self.input("text", value)
    }

    /// A field for a secret. What was entered is not shown again.
    pub(crate) fn secret(self) -> Markup {
        self.around(&html! {
            input type="password" autocomplete="new-password" id=(self.name) name=(self.name)
                required[self.is_required] aria-invalid=[self.invalid()]
                aria-describedby=[self.described_by()];
        })
    }

    /// A field for a URL. Its form is checked by the API, so that there is one rule.
    pub(crate) fn url(self, value: &str) -> Markup {
        self.around(&html! {
            input type="text" inputmode="url" autocomplete="off" spellcheck="false" id=(self.name)
                name=(self.name) value=(editable(value)) required[self.is_required]
                aria-invalid=[self.invalid()] aria-describedby=[self.described_by()];
        })
    }

    /// A field for a whole number.
    pub(crate) fn number(self, value: &str) -> Markup {
        self.around(&html! {
            input type="text" inputmode="numeric" autocomplete="off" id=(self.name)
                name=(self.name) value=(editable(value)) required[self.is_required]
                aria-invalid=[self.invalid()] aria-describedby=[self.described_by()];
        })
    }

    /// A field for a time in UTC. `value` is a time of the API.
    pub(crate) fn time(self, value: Option<&str>) -> Markup {
        // The control takes no zone.
        let value = value.unwrap_or_default();
        let value = value.split(['.', 'Z']).next().unwrap_or_default();
        self.input("datetime-local", value)
    }

    /// A field of several lines.
    pub(crate) fn area(self, rows: u8, value: &str) -> Markup {
        self.around(&html! {
            // A browser drops the first line feed.
            textarea id=(self.name) name=(self.name) rows=(rows) spellcheck="false"
                autocomplete="off" required[self.is_required] aria-invalid=[self.invalid()]
                aria-describedby=[self.described_by()] { "\n" (editable(value)) }
        })
    }

    /// A choice.
    pub(crate) fn select(
        self,
        options: impl IntoIterator<Item = (String, &'static str)>,
        chosen: &str,
    ) -> Markup {
        self.around(&html! {
            select id=(self.name) name=(self.name) aria-invalid=[self.invalid()]
                aria-describedby=[self.described_by()] {
                @for (value, label) in options {
                    option value=(value) selected[value == chosen] { (label) }
                }
            }
        })
    }

    fn input(self, kind: &str, value: &str) -> Markup {
        self.around(&html! {
            input type=(kind) autocomplete="off" id=(self.name) name=(self.name)
                value=(editable(value)) required[self.is_required]
                step=[(kind == "datetime-local").then_some("1")]
                aria-invalid=[self.invalid()] aria-describedby=[self.described_by()];
        })
    }

    fn around(&self, control: &Markup) -> Markup {
        html! {
            div .field {
                label for=(self.name) {
                    (self.label)
                    @if self.is_required { span .muted { " (required)" } }
                }
                (control)
                @if let Some(help) = &self.help {
                    p .help id={ (self.name) "-help" } { (help) }
                }
                @if let Some(problem) = self.problem {
                    p .error id={ (self.name) "-error" } { (foreign(&problem.text)) }
                }
            }
        }
    }

    fn invalid(&self) -> Option<&'static str> {
        self.problem.map(|_| "true")
    }

    fn described_by(&self) -> Option<String> {
        let help = self.help.as_ref().map(|_| format!("{}-help", self.name));
        let error = self.problem.map(|_| format!("{}-error", self.name));
        let ids: Vec<_> = error.into_iter().chain(help).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }
}

/// The problem of a form, above it.
pub(crate) fn summary(problem: Option<&FormProblem>) -> Markup {
    html! {
        @if let Some(problem) = problem {
            div .notice.bad role="alert" {
                p {
                    strong { "Not accepted. " }
                    @if let Some(field) = &problem.field { (foreign(field)) ": " }
                    (foreign(&problem.text))
                }
            }
        }
    }
}
