//! Rules for expressions.

use std::collections::HashSet;

use serde_json::Value;

use super::{Part, entries, text};
use crate::gate::{
    expression::{ExpressionKind, Token, fault, operands_of_in, operators, set_values, tokens},
    rules::Input,
    violation::{Violation, member, over},
};

const EXPRESSIONS: [(&str, ExpressionKind); 5] = [
    ("ConditionExpression", ExpressionKind::Condition),
    ("FilterExpression", ExpressionKind::Condition),
    ("KeyConditionExpression", ExpressionKind::Condition),
    ("ProjectionExpression", ExpressionKind::Projection),
    ("UpdateExpression", ExpressionKind::Update),
];
const NAMES: &str = "ExpressionAttributeNames";
const VALUES: &str = "ExpressionAttributeValues";

const EXPRESSION_BYTES: usize = 4_096;
const OPERATORS: usize = 300;
const OPERANDS_OF_IN: usize = 100;
/// The largest placeholder.
const PLACEHOLDER_BYTES: usize = 255;
/// The largest total of all placeholders, with the names and values that they represent.
const SUBSTITUTION_BYTES: usize = 2 * 1_024 * 1_024;

/// Returns the expressions of a part, each with the name of its member.
fn expressions<'a>(
    part: &'a Part,
) -> impl Iterator<Item = (&'static str, ExpressionKind, &'a str)> + use<'a> {
    let all = EXPRESSIONS.into_iter();
    all.filter_map(|(name, kind)| Some((name, kind, text(part.value, name)?)))
}

pub(super) fn too_long(part: &Part, _: &Input) -> Option<Violation> {
    let mut all = expressions(part);
    all.find_map(|(name, _, expression)| {
        let bytes = expression.len();
        if bytes == 0 {
            return Some(Violation::new(member(&part.path, name), "empty"));
        }
        (bytes > EXPRESSION_BYTES).then(|| {
            let reason = over(bytes, EXPRESSION_BYTES, "bytes");
            Violation::new(member(&part.path, name), reason)
        })
    })
}

pub(super) fn too_many_operators(part: &Part, _: &Input) -> Option<Violation> {
    let mut all = expressions(part);
    all.find_map(|(name, kind, expression)| {
        let tokens = tokens(expression, kind);
        let (count, operands) = (operators(&tokens, kind), operands_of_in(&tokens));
        let reason = if count > OPERATORS {
            over(count, OPERATORS, "operators and functions")
        } else if operands > OPERANDS_OF_IN {
            over(operands, OPERANDS_OF_IN, "values of an IN")
        } else {
            return None;
        };
        Some(Violation::new(member(&part.path, name), reason))
    })
}

/// Finds an update that sets a key attribute of the table, or sets a key attribute of an index
/// to an invalid key value.
pub(super) fn sets_key(part: &Part, input: &Input) -> Option<Violation> {
    let table = input.tables.get(part.table)?;
    let update = text(part.value, "UpdateExpression")?;
    let tokens = tokens(update, ExpressionKind::Update);
    let mut set = set_values(&tokens);
    set.find_map(|(attribute, placeholder)| {
        let stands_for = part
            .value
            .get(NAMES)
            .and_then(|names| text(names, attribute));
        let attribute = stands_for.unwrap_or(attribute);
        let fault = |reason: &str| {
            let path = member(&part.path, "UpdateExpression");
            Some(Violation::new(path, format!("`{attribute}`: {reason}")))
        };
        if table.key.iter().any(|key| key.name == attribute) {
            return fault("is an attribute of the table's key");
        }
        let mut keys = table.indexes.values().flatten();
        let key = keys.find(|key| key.name == attribute)?;
        match part.value.get(VALUES)?.get(placeholder)?.get(&key.kind) {
            Some(Value::String(value)) if !value.is_empty() => None,
            _ => fault("no value for the key of an index"),
        }
    })
}

pub(super) fn words(part: &Part, _: &Input) -> Option<Violation> {
    let mut all = expressions(part);
    all.find_map(|(name, kind, expression)| {
        let reason = tokens(expression, kind).into_iter().find_map(fault)?;
        Some(Violation::new(member(&part.path, name), reason))
    })
}

pub(super) fn substitutions(part: &Part, _: &Input) -> Option<Violation> {
    for (map, first) in [(NAMES, '#'), (VALUES, ':')] {
        let path = member(&part.path, map);
        let Some(all) = part.value.get(map).and_then(Value::as_object) else {
            continue;
        };
        if all.is_empty() {
            return Some(Violation::new(path, "empty"));
        }
        let mut bytes = 0;
        for (placeholder, stands_for) in all {
            let is_one = placeholder.strip_prefix(first).is_some_and(|rest| {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                !rest.is_empty() && rest.chars().all(is_part)
            });
            let path = member(&path, placeholder);
            if !is_one {
                let reason = format!("not `{first}` with letters, digits and underscores");
                return Some(Violation::new(path, reason));
            }
            if placeholder.len() > PLACEHOLDER_BYTES {
                let reason = over(placeholder.len(), PLACEHOLDER_BYTES, "bytes");
                return Some(Violation::new(path, reason));
            }
            bytes += placeholder.len() + stands_for.to_string().len();
        }
        if bytes > SUBSTITUTION_BYTES {
            return Some(Violation::new(
                path,
                over(bytes, SUBSTITUTION_BYTES, "bytes"),
            ));
        }
    }
    None
}

pub(super) fn undefined_or_unused(part: &Part, _: &Input) -> Option<Violation> {
    let mut used = HashSet::new();
    for (name, kind, expression) in expressions(part) {
        for token in tokens(expression, kind) {
            let (map, placeholder) = match token {
                Token::Name(name) => (NAMES, name),
                Token::Value(value) => (VALUES, value),
                _ => continue,
            };
            if part
                .value
                .get(map)
                .is_none_or(|all| all.get(placeholder).is_none())
            {
                let reason = format!("`{placeholder}` is not defined");
                return Some(Violation::new(member(&part.path, name), reason));
            }
            used.insert(placeholder);
        }
    }
    [NAMES, VALUES].into_iter().find_map(|map| {
        let mut all = entries(part.value, map);
        let (unused, _) = all.find(|(placeholder, _)| !used.contains(placeholder.as_str()))?;
        let path = member(&member(&part.path, map), unused);
        Some(Violation::new(path, "not used by any expression"))
    })
}
