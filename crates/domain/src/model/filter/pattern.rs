//! A pattern as a tree of conditions on an object, field by field.

use std::fmt::Display;
use std::rc::Rc;

use super::FilterError;
use super::leaf::Leaf;
use super::syntax::{self, Alternatives, Fields};

/// The largest number of comparisons with one value of a payload.
pub(super) const MAX_WEIGHT: usize = 256;
/// The largest number of combinations of all `$or` (`EventBridge`'s limit).
const MAX_COMBINATIONS: usize = 1_000;

/// A checked pattern. One of these objects must match.
#[derive(Debug)]
pub(super) struct Pattern(pub(super) Vec<Object>);

/// The conditions on an object. All of them must be satisfied.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) fields: Vec<(String, Node)>,
    /// Of each of these lists, one object must match.
    pub(super) any_of: Vec<Vec<Object>>,
    /// The place of the first field below it that must have a value, counted as for
    /// [`Node::Absent`].
    pub(super) first_present: Option<usize>,
    /// True if a field below it must have no value.
    pub(super) has_absent: bool,
}

/// The condition on a field.
#[derive(Debug)]
pub(super) enum Node {
    /// It must have one of these values.
    Leaf(Rc<Leaf>),
    /// It must have no value. The number is the field's place among all fields of the pattern, by
    /// path.
    Absent(usize),
    /// Conditions on fields below it.
    Object(Object),
}

impl Pattern {
    /// Checks a pattern.
    pub(super) fn parse(json: &str) -> Result<Self, FilterError> {
        let fields = syntax::read(json)?;
        if combinations(&fields) > MAX_COMBINATIONS {
            return Err(FilterError::Pattern(format!(
                "the alternatives of `$or` must combine in at most {MAX_COMBINATIONS} ways"
            )));
        }
        if fields.has_alternatives() && !fields.has_absent() && !fields.shares_a_field() {
            let object = as_written(fields);
            return check_weight(weight(&object)).map(|()| Self(vec![object]));
        }
        let branches = written_out(&fields, &[])?;
        branches
            .into_iter()
            .map(tree)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
impl Pattern {
    /// The largest number of comparisons with one value.
    pub(super) fn weight(&self) -> usize {
        self.0.iter().map(weight).sum()
    }
}

fn check_weight(weight: usize) -> Result<(), FilterError> {
    if weight > MAX_WEIGHT {
        return Err(FilterError::Pattern(format!(
            "is too complex: it comes to {weight} comparisons, and at most {MAX_WEIGHT} are made; \
             give fewer fields, operators or combinations of `$or` with `exists`"
        )));
    }
    Ok(())
}

/// The number of combinations of the alternatives.
fn combinations(fields: &Fields) -> usize {
    let below = fields.fields.iter().map(|(_, field)| match field {
        syntax::Field::Object(fields) => combinations(fields),
        syntax::Field::Leaf { .. } => 1,
    });
    let of_alternatives = fields.any_of.as_ref().map(|Alternatives(alternatives)| {
        let each = alternatives.iter().map(combinations);
        each.fold(0, usize::saturating_add)
    });
    below.chain(of_alternatives).fold(1, usize::saturating_mul)
}

/// The largest number of comparisons with one value of a payload.
fn weight(object: &Object) -> usize {
    let fields = object.fields.iter().map(|(_, node)| match node {
        Node::Leaf(leaf) => leaf.weight(),
        Node::Absent(_) => 1,
        Node::Object(object) => weight(object),
    });
    let alternatives = object.any_of.iter().flatten().map(weight);
    fields.chain(alternatives).sum()
}

/// The tree of a pattern without absent fields and without fields that an `$or` shares with its
/// object. Each alternative is then compared with the object at hand.
fn as_written(fields: Fields) -> Object {
    let named = fields.fields.into_iter().map(|(name, field)| {
        let node = match field {
            syntax::Field::Leaf { leaf, .. } => Node::Leaf(leaf.unwrap_or_default()),
            syntax::Field::Object(fields) => Node::Object(as_written(fields)),
        };
        (name, node)
    });
    let named = named.collect();
    let any_of = fields
        .any_of
        .map(|Alternatives(alternatives)| alternatives.into_iter().map(as_written).collect());
    Object {
        fields: named,
        any_of: any_of.into_iter().collect(),
        first_present: Some(0),
        has_absent: false,
    }
}

/// The condition on one field, in one combination of alternatives.
#[derive(Debug, Clone)]
struct Condition {
    path: Rc<[String]>,
    /// `None` if the field must have no value.
    leaf: Option<Rc<Leaf>>,
}

impl Condition {
    fn weight(&self) -> usize {
        self.leaf.as_ref().map_or(1, |leaf| leaf.weight())
    }

    /// The sort key by which Event Ruler orders the fields of a rule: the path, in UTF-16.
    fn place(&self) -> Vec<u16> {
        self.path.join(".").encode_utf16().collect()
    }
}

/// Every combination of alternatives, as Event Ruler compiles a rule (`JsonRuleCompiler`).
fn written_out(fields: &Fields, path: &[String]) -> Result<Vec<Vec<Condition>>, FilterError> {
    let mut branches = vec![Vec::new()];
    for (name, field) in &fields.fields {
        let path: Vec<String> = path.iter().chain([name]).cloned().collect();
        let parts = match field {
            syntax::Field::Object(fields) => written_out(fields, &path)?,
            syntax::Field::Leaf { leaf, or_absent } => {
                let path: Rc<[String]> = path.into();
                let present = leaf.clone().map(|leaf| Condition {
                    path: Rc::clone(&path),
                    leaf: Some(leaf),
                });
                let absent = or_absent.then_some(Condition { path, leaf: None });
                present
                    .into_iter()
                    .chain(absent)
                    .map(|one| vec![one])
                    .collect()
            }
        };
        branches = combined(&branches, &parts)?;
    }
    if let Some(Alternatives(alternatives)) = &fields.any_of {
        let mut parts = Vec::new();
        for alternative in alternatives {
            parts.extend(written_out(alternative, path)?);
        }
        branches = combined(&branches, &parts)?;
    }
    Ok(branches)
}

fn combined(
    branches: &[Vec<Condition>],
    parts: &[Vec<Condition>],
) -> Result<Vec<Vec<Condition>>, FilterError> {
    let weight = |branches: &[Vec<Condition>]| -> usize {
        branches.iter().flatten().map(Condition::weight).sum()
    };
    // Each branch is combined with each part.
    check_weight(weight(branches) * parts.len() + weight(parts) * branches.len())?;
    let each = branches.iter().flat_map(|branch| {
        let each = parts.iter();
        each.map(move |part| branch.iter().chain(part).cloned().collect())
    });
    Ok(each.collect())
}

/// The tree of one combination.
fn tree(mut conditions: Vec<Condition>) -> Result<Object, FilterError> {
    conditions.sort_by_cached_key(Condition::place);
    let mut root = Object::default();
    for (place, condition) in conditions.into_iter().enumerate() {
        root.add(condition, place)?;
    }
    Ok(root)
}

impl Object {
    fn add(&mut self, condition: Condition, place: usize) -> Result<(), FilterError> {
        let is_named_twice = |problem: &dyn Display| {
            let path = condition.path.join(".");
            Err(FilterError::at(&path, problem))
        };
        let [before @ .., last] = &*condition.path else {
            return Ok(());
        };
        let mut object = self;
        for name in before {
            object.count(condition.leaf.is_some(), place);
            let at = object.fields.iter().position(|(named, _)| named == name);
            let at = at.unwrap_or_else(|| {
                let below = Node::Object(Self::default());
                object.fields.push((name.clone(), below));
                object.fields.len() - 1
            });
            object = match &mut object.fields[at].1 {
                Node::Object(below) => below,
                Node::Leaf(_) | Node::Absent(_) => {
                    return is_named_twice(&"is below a field that has values");
                }
            };
        }
        object.count(condition.leaf.is_some(), place);
        if object.fields.iter().any(|(named, _)| named == last) {
            return is_named_twice(&"is named twice, beside `$or` and in it");
        }
        let node = condition.leaf.map_or(Node::Absent(place), Node::Leaf);
        object.fields.push((last.clone(), node));
        Ok(())
    }

    fn count(&mut self, is_present: bool, place: usize) {
        if is_present {
            self.first_present.get_or_insert(place);
        } else {
            self.has_absent = true;
        }
    }
}
