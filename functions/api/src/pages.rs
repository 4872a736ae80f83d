//! The place in a list at which a page starts.

use std::fmt::Display;
use std::str::FromStr;

use crate::problem::Problem;

/// The place after which a page starts, from the parameter `cursor`.
pub(crate) fn place<C: FromStr<Err: Display>>(cursor: Option<&str>) -> Result<Option<C>, Problem> {
    let place = cursor.map(str::parse).transpose();
    place.map_err(|error| Problem::bad_parameter("cursor", error))
}
