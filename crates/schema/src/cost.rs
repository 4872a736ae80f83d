//! Counts the work of a check, and the memory of its report, before they are made.
//!
//! The count follows the plan of the schema through the event. It takes no decision that needs a rule:
//! each alternative is visited, and each member is taken for a match of each pattern. So it is never
//! less than the number of visits that the check itself makes. It stops at the bounds, so it is no more
//! expensive than the check may be.
//!
//! The verdict collects no errors. To find the place of a violation, all errors of all alternatives are
//! collected, and each of them has a copy of its value. Only the errors of one keyword with alternatives
//! are in memory at the same time: the first one that the event breaks.

use serde_json::{Map, Value};
use webhooks_domain::catalogue::{MAX_CHECK_DEPTH, MAX_CHECK_STEPS, MAX_REPORT_BYTES, NotChecked};

use crate::pattern;
use crate::plan::{Id, Plan, Subschema, VALUE_BYTES, memory, memory_of, size};

/// The memory of an error without its value and its places, in bytes, rounded up.
pub(crate) const ERROR_BYTES: u64 = 512;

/// The longest name of a keyword, with which the place of an error ends, and more.
const KEYWORD_BYTES: u64 = 64;

/// The shortest step of a place in the schema: a reference, `/$ref`.
const REFERENCE_BYTES: u64 = 5;

/// The longest step of a place in a list, such as `/131072`.
const INDEX_BYTES: u64 = 7;

/// The steps to find out whether a value is valid.
///
/// # Errors
/// If they exceed a bound.
pub(crate) fn count(plan: &Plan, value: &Value) -> Result<u64, NotChecked> {
    let mut walk = Walk::new(plan);
    match walk.visit(plan.root, Part::Value(value), Purpose::Verdict) {
        Ok(()) => Ok(walk.steps),
        Err(Bound::Depth) => Err(NotChecked::TooDeep),
        Err(Bound::Steps | Bound::Bytes) => Err(NotChecked::TooManySteps),
    }
}

/// The cost of a report: of finding the place of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) steps: u64,
    /// The most memory of errors at the same time.
    pub(crate) bytes: u64,
}

/// The cost of a report about a value. `None` if it exceeds a bound.
pub(crate) fn count_report(plan: &Plan, value: &Value) -> Option<Report> {
    let mut walk = Walk::new(plan);
    let walked = walk.visit(plan.root, Part::Value(value), Purpose::Report);
    walked.is_ok().then_some(Report {
        steps: walk.steps,
        bytes: walk.most_bytes,
    })
}

struct Walk<'p> {
    plan: &'p Plan,
    steps: u64,
    depth: usize,
    /// The memory of the errors that are collected, and the most so far.
    bytes: u64,
    most_bytes: u64,
    /// The lengths of the places of an error here: in the event, in the schema with all references that
    /// were followed, and in the schema itself.
    path_bytes: u64,
    rule_bytes: u64,
    place_bytes: u64,
    /// The memory of the object whose names are visited. Each error of a name also has a copy of it.
    object_bytes: u64,
}

/// The bound that was exceeded.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Steps,
    Depth,
    Bytes,
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
    /// The same, and if not: the place of the first error.
    Report,
    /// All errors, inside of an alternative.
    Collect,
    /// The members and items that are evaluated, for `unevaluatedProperties` and `unevaluatedItems`.
    Evaluated,
}

impl<'p> Walk<'p> {
    fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            steps: 0,
            depth: 0,
            bytes: 0,
            most_bytes: 0,
            path_bytes: 0,
            rule_bytes: 0,
            place_bytes: 0,
            object_bytes: 0,
        }
    }

    fn add(&mut self, steps: u64) -> Result<(), Bound> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_CHECK_STEPS {
            return Err(Bound::Steps);
        }
        Ok(())
    }

    /// Adds the errors of a subschema's own keywords.
    fn collect(&mut self, subschema: &Subschema, part: Part) -> Result<(), Bound> {
        if subschema.errors == 0 {
            return Ok(());
        }
        let places = ERROR_BYTES + KEYWORD_BYTES + self.path_bytes + self.rule_bytes;
        let error = match part {
            Part::Value(value) => {
                self.add(size(value))?;
                places + memory(value)
            }
            // The error of the object has that of the name inside.
            Part::Name(name) => 2 * places + self.object_bytes + VALUE_BYTES + name.len() as u64,
        };
        let errors = subschema.errors.saturating_mul(error);
        self.bytes = self.bytes.saturating_add(errors + subschema.error_bytes);
        self.most_bytes = self.most_bytes.max(self.bytes);
        if self.bytes > MAX_REPORT_BYTES {
            return Err(Bound::Bytes);
        }
        Ok(())
    }

    fn visit(&mut self, id: Id, part: Part, purpose: Purpose) -> Result<(), Bound> {
        if self.depth == MAX_CHECK_DEPTH {
            return Err(Bound::Depth);
        }
        let plan = self.plan;
        let subschema = &plan.subschemas[id];
        let (rule_bytes, place_bytes) = (self.rule_bytes, self.place_bytes);
        let step = subschema.place_bytes.saturating_sub(place_bytes);
        self.rule_bytes += step.max(REFERENCE_BYTES);
        self.place_bytes = subschema.place_bytes;
        self.depth += 1;
        match purpose {
            Purpose::Verdict | Purpose::Report | Purpose::Collect => {
                self.check(id, subschema, part, purpose)?;
            }
            Purpose::Evaluated => self.mark(subschema, part)?,
        }
        self.depth -= 1;
        (self.rule_bytes, self.place_bytes) = (rule_bytes, place_bytes);
        Ok(())
    }

    fn check(
        &mut self,
        id: Id,
        subschema: &Subschema,
        part: Part,
        purpose: Purpose,
    ) -> Result<(), Bound> {
        self.add(subschema.own)?;
        if purpose == Purpose::Collect {
            self.collect(subschema, part)?;
        }
        for next in &subschema.same {
            self.visit(*next, part, purpose)?;
        }
        for next in &subschema.alternatives {
            self.visit(*next, part, Purpose::Verdict)?;
            if purpose != Purpose::Verdict {
                // Once more to find out that there is an error, and then for the errors.
                self.visit(*next, part, Purpose::Verdict)?;
                self.visit(*next, part, Purpose::Collect)?;
            }
        }
        if purpose == Purpose::Report {
            // If there was an error, nothing else is visited. If not, the errors are forgotten.
            self.bytes = 0;
        }
        match part {
            Part::Name(text) => self.text(subschema, text)?,
            Part::Value(Value::String(text)) => self.text(subschema, text)?,
            Part::Value(Value::Array(items)) => self.items(subschema, items, purpose)?,
            Part::Value(Value::Object(members)) => {
                self.add(members.len() as u64)?;
                self.names(subschema, members, purpose)?;
                for (name, value) in members {
                    self.member(subschema, name, value, purpose)?;
                }
            }
            Part::Value(Value::Null | Value::Bool(_) | Value::Number(_)) => {}
        }
        if subschema.has_unevaluated {
            self.visit(id, part, Purpose::Evaluated)?;
            if purpose != Purpose::Verdict {
                self.visit(id, part, Purpose::Evaluated)?;
            }
        }
        Ok(())
    }

    fn text(&mut self, subschema: &Subschema, text: &str) -> Result<(), Bound> {
        self.add(pattern::eighths(text).saturating_mul(subschema.for_text))
    }

    fn items(
        &mut self,
        subschema: &Subschema,
        items: &[Value],
        purpose: Purpose,
    ) -> Result<(), Bound> {
        if subschema.for_items > 0 {
            for item in items {
                self.add(size(item).saturating_mul(subschema.for_items))?;
            }
        }
        let path_bytes = self.path_bytes;
        self.path_bytes += INDEX_BYTES;
        for (next, item) in subschema.first_items.iter().zip(items) {
            self.visit(*next, Part::Value(item), purpose)?;
        }
        for next in &subschema.items {
            for item in items {
                self.visit(*next, Part::Value(item), purpose)?;
            }
        }
        self.path_bytes = path_bytes;
        Ok(())
    }

    /// The names of an object. Their errors are at its place.
    fn names(
        &mut self,
        subschema: &Subschema,
        members: &Map<String, Value>,
        purpose: Purpose,
    ) -> Result<(), Bound> {
        let Some(next) = subschema.names else {
            return Ok(());
        };
        if purpose == Purpose::Collect {
            self.object_bytes = VALUE_BYTES + memory_of(members);
        }
        for name in members.keys() {
            self.visit(next, Part::Name(name), purpose)?;
        }
        Ok(())
    }

    fn member(
        &mut self,
        subschema: &Subschema,
        name: &str,
        value: &Value,
        purpose: Purpose,
    ) -> Result<(), Bound> {
        let path_bytes = self.path_bytes;
        // A character may be escaped.
        self.path_bytes += 1 + 2 * name.len() as u64;
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
        self.path_bytes = path_bytes;
        Ok(())
    }

    /// Finds the evaluated members and items: the subschemas of the same value are checked, and then
    /// asked for those that they have evaluated.
    fn mark(&mut self, subschema: &Subschema, part: Part) -> Result<(), Bound> {
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
