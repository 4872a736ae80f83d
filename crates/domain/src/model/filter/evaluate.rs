//! The evaluation of a pattern on a payload.
//!
//! Each value of the payload has one path, and each part of the pattern is compared with the values
//! at its own path: with each of them once, and once more for a field that must have no value in
//! any element of an array. Nothing is copied.

use super::Filter;
use super::document::{Span, Tree, Value};
use super::pattern::{Node, Object, Pattern};

/// Returns true if a filter may not take this many steps.
pub(super) fn is_over(steps: u64) -> bool {
    steps > Filter::MAX_STEPS
}

/// Evaluates patterns on one payload, and counts the cost.
pub(super) struct Evaluation<'t, 'a> {
    tree: &'t Tree<'a>,
    /// One step for each part of a pattern that is compared with a value, and for each comparison.
    pub(super) steps: u64,
}

impl<'t, 'a> Evaluation<'t, 'a> {
    pub(super) fn new(tree: &'t Tree<'a>) -> Self {
        Self { tree, steps: 0 }
    }

    /// Returns true if the payload matches.
    pub(super) fn wants(&mut self, Pattern(objects): &Pattern) -> bool {
        let Value::Object(root) = self.tree.root() else {
            return false;
        };
        objects
            .iter()
            .any(|object| self.is_over() || self.object(object, root, 0))
    }

    /// Returns true if the cost has reached the limit. From then on nothing more is evaluated: each
    /// loop ends, and the result does not count.
    pub(super) fn is_over(&self) -> bool {
        is_over(self.steps)
    }

    /// Returns true if an object satisfies all conditions. The absent fields before `seen` were
    /// already found to be absent in every element of an outer array.
    fn object(&mut self, object: &Object, value: Span, seen: usize) -> bool {
        self.steps += 1;
        object.fields.iter().all(|(name, node)| {
            if self.is_over() {
                return false;
            }
            self.steps += 1;
            let value = self.tree.member(value, name.as_bytes());
            self.field(node, value, seen)
        }) && object.any_of.iter().all(|alternatives| {
            let mut each = alternatives.iter();
            each.any(|alternative| self.is_over() || self.object(alternative, value, seen))
        })
    }

    fn field(&mut self, node: &Node, value: Option<Value>, seen: usize) -> bool {
        match (node, value) {
            (Node::Leaf(_), None) => false,
            (Node::Leaf(leaf), Some(Value::Array(items))) => {
                let mut items = self.tree.items(items).iter();
                items.any(|item| {
                    self.steps += 1;
                    let scalar = self.tree.scalar(*item);
                    self.is_over()
                        || scalar.is_some_and(|scalar| leaf.matches(scalar, &mut self.steps))
                })
            }
            (Node::Leaf(leaf), Some(value)) => {
                let scalar = self.tree.scalar(value);
                scalar.is_some_and(|scalar| leaf.matches(scalar, &mut self.steps))
            }
            (Node::Absent(place), value) => *place < seen || !self.is_there(value),
            (Node::Object(object), Some(Value::Object(value))) => self.object(object, value, seen),
            (Node::Object(object), Some(Value::Array(items))) => {
                // Absent fields that come before all present ones must be absent in every element.
                // Those that come after one must be absent in the same element as that value (Event
                // Ruler, `NameState.getNameTransitions`).
                let first = object.first_present.unwrap_or(usize::MAX);
                let items = self.tree.items(items);
                if object.has_absent && seen < first {
                    let mut objects = items.iter();
                    if objects.any(|item| self.has_one_of(object, *item, seen, first)) {
                        return false;
                    }
                }
                let seen = seen.max(first);
                object.first_present.is_none()
                    || items.iter().any(|item| {
                        self.steps += 1;
                        match item {
                            _ if self.is_over() => true,
                            Value::Object(item) => self.object(object, *item, seen),
                            _ => false,
                        }
                    })
            }
            (Node::Object(object), _) => object.first_present.is_none(),
        }
    }

    /// Returns true if there is a value. An object or an empty array does not count ("only works on
    /// the leaf nodes", Event Ruler, "Exists matching").
    fn is_there(&mut self, value: Option<Value>) -> bool {
        match value {
            None | Some(Value::Object(_)) => false,
            Some(Value::Array(items)) => self.tree.items(items).iter().any(|item| {
                self.steps += 1;
                self.is_over() || !matches!(item, Value::Object(_))
            }),
            Some(_) => true,
        }
    }

    /// Returns true if any absent field whose place is in `from..to` has a value below this value.
    fn has_one_of(&mut self, object: &Object, value: Value, from: usize, to: usize) -> bool {
        self.steps += 1;
        match value {
            Value::Object(value) => object.fields.iter().any(|(name, node)| {
                self.steps += 1;
                match node {
                    _ if self.is_over() => true,
                    Node::Absent(place) if (from..to).contains(place) => {
                        let value = self.tree.member(value, name.as_bytes());
                        self.is_there(value)
                    }
                    Node::Object(below) if below.has_absent => {
                        let value = self.tree.member(value, name.as_bytes());
                        value.is_some_and(|value| self.has_one_of(below, value, from, to))
                    }
                    _ => false,
                }
            }),
            Value::Array(items) => {
                let mut items = self.tree.items(items).iter();
                items.any(|item| self.is_over() || self.has_one_of(object, *item, from, to))
            }
            _ => false,
        }
    }
}
