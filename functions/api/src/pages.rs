//! Pages: which part of a list is wanted, and where the next part starts.

use std::fmt::Display;
use std::str::FromStr;

use crate::extract::QueryTexts;
use crate::problem::Problem;

pub(crate) const LIMIT: &str = "limit";
pub(crate) const CURSOR: &str = "cursor";

/// The maximum and the default number of entries of a page.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) default: u32,
    pub(crate) max: u32,
}

/// The bounds of most lists.
pub(crate) const LIMITS: Limits = Limits {
    default: 50,
    max: 100,
};

impl QueryTexts {
    /// The parameters `limit` and `cursor`.
    pub(crate) fn page<C: FromStr<Err: Display>>(
        &self,
        limits: Limits,
    ) -> Result<(u32, Option<C>), Problem> {
        let limit = match self.text(LIMIT).map(str::parse) {
            None => limits.default,
            Some(Ok(limit)) if (1..=limits.max).contains(&limit) => limit,
            Some(_) => {
                let problem = format!("must be 1 to {}", limits.max);
                return Err(Problem::bad_parameter(LIMIT, problem));
            }
        };
        Ok((limit, self.parse(CURSOR)?))
    }
}

/// The cursor of the next page where entries are found by their ids: the last one's.
pub(crate) fn cursor_after<T, I: Display>(
    found: &[T],
    has_more: bool,
    id: impl Fn(&T) -> I,
) -> Option<String> {
    let last = found.last().filter(|_| has_more);
    last.map(|last| id(last).to_string())
}
