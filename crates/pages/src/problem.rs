//! Problems: of a form, or of a whole page.

use webhooks_api_types::Problem;

/// The problem of a form. The API's own text explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormProblem {
    /// The field of the API that it is about, such as `retryPolicy.schedule`.
    pub field: Option<String>,
    /// The explanation.
    pub text: String,
}

impl FormProblem {
    /// A problem of one field.
    pub(crate) fn of(field: &str, text: impl Into<String>) -> Self {
        Self {
            field: Some(field.to_owned()),
            text: text.into(),
        }
    }

    /// The problem as one of the part of a field, such as `schedule` of `retryPolicy`.
    pub(crate) fn below(&self, name: &str) -> Self {
        let field = self.field.as_deref();
        let part = field.and_then(|field| field.strip_prefix(name)?.strip_prefix('.'));
        Self {
            field: part.map(str::to_owned),
            text: self.text.clone(),
        }
    }

    /// Returns true if it is about this field or a part of it.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        let field = self.field.as_deref().unwrap_or_default();
        let rest = field.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

impl From<Problem> for FormProblem {
    fn from(problem: Problem) -> Self {
        let text = if problem.detail.is_empty() {
            problem.title
        } else {
            problem.detail
        };
        // The API's text begins with the field, which the page shows itself.
        let field = problem.field.as_deref();
        let rest = field.and_then(|field| text.strip_prefix(field)?.strip_prefix(": "));
        Self {
            text: rest.map_or_else(|| text.clone(), str::to_owned),
            field: problem.field,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_named_once() {
        let of = |field: Option<&str>, detail: &str| {
            FormProblem::from(Problem {
                kind: String::new(),
                title: "Invalid field".to_owned(),
                status: 422,
                detail: detail.to_owned(),
                field: field.map(str::to_owned),
            })
            .text
        };
        assert_eq!(of(Some("url"), "url: must be https"), "must be https");
        assert_eq!(of(Some("url"), "must be https"), "must be https");
        assert_eq!(of(None, "url: must be https"), "url: must be https");
        assert_eq!(of(Some("url"), ""), "Invalid field");
    }
}
