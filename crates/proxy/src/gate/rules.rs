//! Limits of AWS that no service model contains, written by hand, each with its source.
//!
//! If AWS would refuse one entry of a batch of SQS or `EventBridge`, the gate refuses the whole
//! batch: the client must be corrected in either case.

mod cloudformation;
mod dynamodb;
mod events;
mod kms;
mod lambda;
mod sqs;
mod states;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Row, tables::Table, violation::Violation};

pub(crate) use self::{dynamodb::tables_of, lambda::SYNCHRONOUS_BYTES, states::DATA_BYTES};

/// A rule for requests.
pub(crate) struct Rule {
    /// The limit or property that is checked.
    name: &'static str,
    /// The page of AWS's documentation that states it.
    source: &'static str,
    /// The service's name in its model.
    service: &'static str,
    operations: &'static [&'static str],
    check: fn(&Input) -> Option<Violation>,
}

impl Rule {
    pub(crate) fn row(&self) -> Row {
        Row {
            name: self.name,
            source: self.source,
        }
    }
}

/// The data that the rules examine.
pub(crate) struct Input<'a> {
    pub(crate) operation: &'a str,
    pub(crate) value: &'a Value,
    /// The unchanged body.
    pub(crate) body: &'a Bytes,
    /// The tables that the request names, by the name used in the request.
    pub(crate) tables: HashMap<String, Arc<Table>>,
}

/// Returns the first rule that a request breaks, with the violation.
pub(crate) fn broken(service: &str, input: &Input) -> Option<(&'static Rule, Violation)> {
    all()
        .filter(|rule| rule.service == service && rule.operations.contains(&input.operation))
        .find_map(|rule| Some((rule, (rule.check)(input)?)))
}

fn all() -> impl Iterator<Item = &'static Rule> {
    [
        cloudformation::RULES,
        dynamodb::RULES,
        events::RULES,
        kms::RULES,
        lambda::RULES,
        sqs::RULES,
        states::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Returns true if a text is JSON by its grammar. That includes half of a surrogate pair
/// (`"\ud83d"`) and any depth of nesting; we know of no AWS service that refuses either.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Returns the text of a member.
fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member)?.as_str()
}

/// Returns the elements of a member that is a list.
fn elements<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value
        .get(member)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Returns the entries of a member that is an object.
fn entries<'a>(
    value: &'a Value,
    member: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    value
        .get(member)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests;
