//! Counts the work of a check before it is made.
//!
//! The count follows the plan of the schema through the event. It takes no decision that needs a rule:
//! each alternative is visited, and each member is taken for a match of each pattern. So it is never
//! less than the number of visits that the check itself makes. It stops at the bounds, so it is no more
//! expensive than the check may be.

use serde_json::Value;
use webhooks_domain::catalogue::{MAX_CHECK_DEPTH, MAX_CHECK_STEPS, NotChecked};

use crate::pattern;
use crate::plan::{Id, Plan, Subschema, size};

/// The steps of the check of a value.
///
/// # Errors
/// If the check exceeds a bound.
pub(crate) fn count(plan: &Plan, value: &Value) -> Result<u64, NotChecked> {
    let mut walk = Walk {
        plan,
        steps: 0,
        depth: 0,
    };
    walk.visit(plan.root, Part::Value(value), Purpose::Report)?;
    Ok(walk.steps)
}

struct Walk<'p> {
    plan: &'p Plan,
    steps: u64,
    depth: usize,
}

/// A part of the event that meets a subschema.
#[derive(Debug, Clone, Copy)]
enum Part<'v> {
    Value(&'v Value),
    /// The name of a member, as a text.
    Name(&'v str),
}

/// The reason for a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Is the part valid?
    Verdict,
    /// The same, and if not: the place. The errors of alternatives are collected.
    Report,
    /// The members and items that are evaluated, for `unevaluatedProperties` and `unevaluatedItems`.
    Evaluated,
}

impl Walk<'_> {
    fn add(&mut self, steps: u64) -> Result<(), NotChecked> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_CHECK_STEPS {
            return Err(NotChecked::TooManySteps);
        }
        Ok(())
    }

    fn visit(&mut self, id: Id, part: Part, purpose: Purpose) -> Result<(), NotChecked> {
        if self.depth == MAX_CHECK_DEPTH {
            return Err(NotChecked::TooDeep);
        }
        self.depth += 1;
        let plan = self.plan;
        let subschema = &plan.subschemas[id];
        match purpose {
            Purpose::Verdict | Purpose::Report => self.check(id, subschema, part, purpose)?,
            Purpose::Evaluated => self.mark(subschema, part)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn check(
        &mut self,
        id: Id,
        subschema: &Subschema,
        part: Part,
        purpose: Purpose,
    ) -> Result<(), NotChecked> {
        self.add(subschema.own)?;
        for next in &subschema.same {
            self.visit(*next, part, purpose)?;
        }
        for next in &subschema.alternatives {
            self.visit(*next, part, Purpose::Verdict)?;
            if purpose == Purpose::Report {
                // Once more to find out that there is an error, and then for the errors.
                self.visit(*next, part, Purpose::Verdict)?;
                self.visit(*next, part, Purpose::Report)?;
            }
        }
        match part {
            Part::Name(text) => self.text(subschema, text)?,
            Part::Value(Value::String(text)) => self.text(subschema, text)?,
            Part::Value(Value::Array(items)) => self.items(subschema, items, purpose)?,
            Part::Value(Value::Object(members)) => {
                self.add(members.len() as u64)?;
                for (name, value) in members {
                    self.member(subschema, name, value, purpose)?;
                }
            }
            Part::Value(Value::Null | Value::Bool(_) | Value::Number(_)) => {}
        }
        if subschema.has_unevaluated {
            self.visit(id, part, Purpose::Evaluated)?;
            if purpose == Purpose::Report {
                self.visit(id, part, Purpose::Evaluated)?;
            }
        }
        Ok(())
    }

    fn text(&mut self, subschema: &Subschema, text: &str) -> Result<(), NotChecked> {
        self.add(pattern::eighths(text).saturating_mul(subschema.for_text))
    }

    fn items(
        &mut self,
        subschema: &Subschema,
        items: &[Value],
        purpose: Purpose,
    ) -> Result<(), NotChecked> {
        if subschema.for_items > 0 {
            for item in items {
                self.add(size(item).saturating_mul(subschema.for_items))?;
            }
        }
        for (next, item) in subschema.first_items.iter().zip(items) {
            self.visit(*next, Part::Value(item), purpose)?;
        }
        for next in &subschema.items {
            for item in items {
                self.visit(*next, Part::Value(item), purpose)?;
            }
        }
        Ok(())
    }

    fn member(
        &mut self,
        subschema: &Subschema,
        name: &str,
        value: &Value,
        purpose: Purpose,
    ) -> Result<(), NotChecked> {
        if let Some(next) = subschema.properties.get(name) {
            self.visit(*next, Part::Value(value), purpose)?;
        }
        for next in &subschema.patterns {
            self.add(pattern::steps(name))?;
            self.visit(*next, Part::Value(value), purpose)?;
        }
        for next in &subschema.members {
            self.visit(*next, Part::Value(value), purpose)?;
        }
        if let Some(next) = subschema.names {
            self.visit(next, Part::Name(name), purpose)?;
        }
        Ok(())
    }

    /// Finds the evaluated members and items: the subschemas of the same value are checked, and then
    /// asked for those that they have evaluated.
    fn mark(&mut self, subschema: &Subschema, part: Part) -> Result<(), NotChecked> {
        let parts = match part {
            Part::Value(Value::Array(items)) => items.len() as u64,
            Part::Value(Value::Object(members)) => {
                for name in members.keys() {
                    for _ in &subschema.patterns {
                        self.add(pattern::steps(name))?;
                    }
                }
                members.len() as u64
            }
            _ => 0,
        };
        self.add(1 + parts)?;
        if let Part::Value(Value::Array(items)) = part {
            // `contains` evaluates the items that it accepts.
            for next in &subschema.items {
                for item in items {
                    self.visit(*next, Part::Value(item), Purpose::Verdict)?;
                }
            }
        }
        for next in subschema.same.iter().chain(&subschema.alternatives) {
            self.visit(*next, part, Purpose::Verdict)?;
            self.visit(*next, part, Purpose::Evaluated)?;
        }
        Ok(())
    }
}
