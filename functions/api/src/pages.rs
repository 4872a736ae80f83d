//! Pages of lists: where one starts, and where the next one starts.

use std::fmt::Display;
use std::str::FromStr;

use crate::problem::Problem;

/// The place after which a page starts, from the parameter `cursor`.
pub(crate) fn place<C: FromStr<Err: Display>>(cursor: Option<&str>) -> Result<Option<C>, Problem> {
    let place = cursor.map(str::parse).transpose();
    place.map_err(|error| Problem::bad_parameter("cursor", error))
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
