//! The form of a recovery or a replay, and the requests that it becomes.

use webhooks_api_types::{Recover, Replay, UndeliveredStatus, WholeNumber};

use crate::problem::FormProblem;
use crate::time::moment;

/// The fields of the form, as they were entered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryForm {
    /// The deliveries or messages to send.
    pub what: Work,
    /// The start of the range.
    pub since: String,
    /// The end of the range. Empty for now.
    pub until: String,
    /// The number of attempts to queue per second.
    pub per_second: String,
}

/// The deliveries or messages to send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Work {
    /// Failed and held deliveries.
    #[default]
    Undelivered,
    /// Failed deliveries.
    Failed,
    /// Held deliveries.
    Held,
    /// Messages that the endpoint never got.
    Messages,
}

/// The request of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryRequest {
    /// Resend deliveries.
    Recover(Recover),
    /// Send messages for the first time.
    Replay(Replay),
}

impl Work {
    pub(crate) const ALL: [Self; 4] = [Self::Undelivered, Self::Failed, Self::Held, Self::Messages];

    /// The value of the field `what`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Messages => "messages",
        }
    }
}

impl RecoveryForm {
    /// Reads the body of a request, `application/x-www-form-urlencoded`. Unknown fields, such as
    /// the token, are left out.
    pub fn parse(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(body) {
            let value = value.trim().to_owned();
            match &*name {
                "what" => {
                    let found = Work::ALL.into_iter().find(|work| work.name() == value);
                    form.what = found.unwrap_or_default();
                }
                "since" => form.since = value,
                "until" => form.until = value,
                "perSecond" => form.per_second = value,
                _ => {}
            }
        }
        form
    }

    /// The request that this form stands for. `dry_run` only counts.
    ///
    /// # Errors
    /// If a field cannot be read.
    pub fn request(&self, dry_run: bool) -> Result<RecoveryRequest, FormProblem> {
        let since = moment("since", &self.since)?;
        let until = match self.until.as_str() {
            "" => None,
            text => Some(moment("until", text)?),
        };
        let per_second = match self.per_second.as_str() {
            "" => None,
            text => {
                let number = text.parse().map(WholeNumber);
                let problem = |_| FormProblem::of("perSecond", "must be a whole number");
                Some(number.map_err(problem)?)
            }
        };
        let statuses = match self.what {
            Work::Messages => {
                return Ok(RecoveryRequest::Replay(Replay {
                    since,
                    until,
                    per_second,
                    dry_run,
                }));
            }
            Work::Undelivered => None,
            Work::Failed => Some(vec![UndeliveredStatus::Failed]),
            Work::Held => Some(vec![UndeliveredStatus::Held]),
        };
        Ok(RecoveryRequest::Recover(Recover {
            since,
            until,
            statuses,
            per_second,
            dry_run,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_a_request() {
        let form = RecoveryForm::parse(b"csrf=x&what=held&since=2026-01-31T09%3A30&perSecond=5");
        let RecoveryRequest::Recover(request) = form.request(true).unwrap() else {
            panic!("another request");
        };
        assert_eq!(request.since, "2026-01-31T09:30:00.000Z");
        assert_eq!(request.statuses, Some(vec![UndeliveredStatus::Held]));
        assert_eq!(request.per_second, Some(WholeNumber(5)));
        assert!(request.dry_run && request.until.is_none());
        let form =
            RecoveryForm::parse(b"what=messages&since=2026-01-31T09:30:01&until=2026-02-01T00:00");
        let RecoveryRequest::Replay(request) = form.request(false).unwrap() else {
            panic!("another request");
        };
        assert_eq!(request.until.as_deref(), Some("2026-02-01T00:00:00.000Z"));
        assert!(!request.dry_run);
    }

    #[test]
    fn a_problem_names_its_field() {
        for (body, field) in [
            ("", "since"),
            ("since=2026-01-31T09:30&until=x", "until"),
            ("since=2026-01-31T09:30&perSecond=many", "perSecond"),
        ] {
            let problem = RecoveryForm::parse(body.as_bytes())
                .request(false)
                .unwrap_err();
            assert_eq!(problem.field.as_deref(), Some(field));
        }
    }
}
