//! What AWS refuses and no service model says: by hand, each row with its source.
//!
//! A batch of SQS or `EventBridge` in which AWS would refuse one entry is refused as a whole
//! here: the client has to be mended either way.

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

/// One row of the table.
pub(crate) struct Rule {
    /// What is held.
    name: &'static str,
    /// AWS's page that says so.
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

/// What the rules look at.
pub(crate) struct Input<'a> {
    pub(crate) operation: &'a str,
    pub(crate) value: &'a Value,
    /// The body as it came.
    pub(crate) body: &'a Bytes,
    /// The tables that the request names, by the name that it uses.
    pub(crate) tables: HashMap<String, Arc<Table>>,
}

/// The first rule that a request breaks, and how.
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

/// Whether a text is JSON by its grammar. Half of a surrogate pair (`"\ud83d"`) is, and so is
/// what nests however deep. Nothing is known of an AWS service that refuses either.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The text of a member.
fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member)?.as_str()
}

/// The elements of a member that is a list.
fn elements<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value
        .get(member)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The entries of a member that is an object.
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
