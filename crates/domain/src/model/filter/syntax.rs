//! The syntax of filters, and the error messages for other text.

use std::fmt::Display;
use std::rc::Rc;

use serde_json::value::RawValue;

use super::FilterError;
use super::leaf::{Addresses, Alternative, Bound, Leaf, Numbers, Range, Texts};
use super::number::{Decimal, MAX_EXPONENT, has_a_moderate_exponent};
use super::text::{TextMatcher, Wildcard, WildcardError};
use crate::members::Members;

/// The largest depth of a pattern.
const MAX_DEPTH: usize = 16;
/// The largest number of fields in a pattern.
const MAX_FIELDS: usize = 64;

/// Names that cannot be fields within `$or` (Event Ruler,
/// `RESERVED_FIELD_NAMES_IN_OR_RELATIONSHIP`).
const RESERVED: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// The fields of an object, as they are written.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) fields: Vec<(String, Field)>,
    pub(super) any_of: Option<Alternatives>,
}

/// The objects of an `$or`.
#[derive(Debug)]
pub(super) struct Alternatives(pub(super) Vec<Fields>);

/// The value of a field in a pattern.
#[derive(Debug)]
pub(super) enum Field {
    Leaf {
        /// The values; `None` if `{"exists": false}` is the only one.
        leaf: Option<Rc<Leaf>>,
        /// True if the field may also have no value.
        or_absent: bool,
    },
    Object(Fields),
}

impl Fields {
    fn any(&self, of_field: &impl Fn(&Field) -> bool, of_fields: &impl Fn(&Self) -> bool) -> bool {
        let below = |(_, field): &(String, Field)| {
            of_field(field)
                || matches!(field, Field::Object(fields) if fields.any(of_field, of_fields))
        };
        let mut alternatives = self.any_of.iter().flat_map(|Alternatives(fields)| fields);
        of_fields(self)
            || self.fields.iter().any(below)
            || alternatives.any(|fields| fields.any(of_field, of_fields))
    }

    /// Returns true if there is an `$or`.
    pub(super) fn has_alternatives(&self) -> bool {
        self.any(&|_| false, &|fields| fields.any_of.is_some())
    }

    /// Returns true if a field may or must have no value.
    pub(super) fn has_absent(&self) -> bool {
        let is_absent = |field: &Field| {
            matches!(
                field,
                Field::Leaf {
                    or_absent: true,
                    ..
                }
            )
        };
        self.any(&is_absent, &|_| false)
    }

    /// Returns true if an object names a field both beside an `$or` and in it.
    pub(super) fn shares_a_field(&self) -> bool {
        self.any(&|_| false, &|fields| {
            let Some(Alternatives(alternatives)) = &fields.any_of else {
                return false;
            };
            let beside = &fields.fields;
            let is_beside = |name: &str| beside.iter().any(|(other, _)| other == name);
            alternatives
                .iter()
                .any(|fields| fields.has_name(&is_beside))
        })
    }

    /// Returns true if these fields, or alternatives on the same object, include such a name.
    fn has_name(&self, is_it: &impl Fn(&str) -> bool) -> bool {
        let mut alternatives = self.any_of.iter().flat_map(|Alternatives(fields)| fields);
        self.fields.iter().any(|(name, _)| is_it(name))
            || alternatives.any(|fields| fields.has_name(is_it))
    }
}

/// Reads a pattern.
pub(super) fn read(json: &str) -> Result<Fields, FilterError> {
    Reader::default().object(json)
}

/// Walks a pattern.
#[derive(Default)]
struct Reader {
    /// The path of the current field.
    path: Vec<String>,
    /// The number of `$or` in the path.
    alternatives: usize,
    /// The number of fields so far.
    fields: usize,
}

impl Reader {
    fn error(&self, problem: impl Display) -> FilterError {
        FilterError::at(&self.path.join("."), problem)
    }

    /// An object of fields.
    fn object(&mut self, json: &str) -> Result<Fields, FilterError> {
        let Members(members) = serde_json::from_str(json)
            .map_err(|_| self.error("must be a JSON object of fields"))?;
        if members.is_empty() {
            return Err(self.error("must name a field"));
        }
        let (mut fields, mut any_of) = (Vec::new(), None);
        for (index, (member, value)) in members.iter().enumerate() {
            self.path.push(member.to_string_lossy().into_owned());
            let name = member
                .as_str()
                .ok_or_else(|| self.error(UNPAIRED_SURROGATE))?;
            if members[..index].iter().any(|(before, _)| before == member) {
                return Err(self.error("is named twice"));
            }
            if self.path.len() > MAX_DEPTH {
                return Err(self.error(format!("must be at most {MAX_DEPTH} deep")));
            }
            if name == "$or" {
                any_of = Some(self.alternatives(value.get())?);
            } else {
                self.check_name(name)?;
                fields.push((name.to_owned(), self.field(value.get())?));
            }
            self.path.pop();
        }
        Ok(Fields { fields, any_of })
    }

    fn check_name(&self, name: &str) -> Result<(), FilterError> {
        // For EventBridge a dot is a step down.
        if name.contains('.') {
            return Err(self.error("must have no dot in its name: write an object in an object"));
        }
        if name.chars().any(char::is_control) {
            return Err(self.error("must have no control character in its name"));
        }
        if self.alternatives > 0 && RESERVED.contains(&name) {
            return Err(self.error("is the name of an operator, and cannot be a field in `$or`"));
        }
        Ok(())
    }

    /// Reads the objects of an `$or`.
    fn alternatives(&mut self, json: &str) -> Result<Alternatives, FilterError> {
        let problem = "must be an array of at least two objects of fields";
        let objects: Vec<&RawValue> =
            serde_json::from_str(json).map_err(|_| self.error(problem))?;
        if objects.len() < 2 || objects.iter().any(|object| !object.get().starts_with('{')) {
            return Err(self.error(problem));
        }
        self.alternatives += 1;
        let alternatives: Result<_, _> = objects
            .iter()
            .map(|object| self.object(object.get()))
            .collect();
        self.alternatives -= 1;
        alternatives.map(Alternatives)
    }

    fn field(&mut self, json: &str) -> Result<Field, FilterError> {
        match json.as_bytes().first() {
            Some(b'{') => self.object(json).map(Field::Object),
            Some(b'[') => self.values(json),
            _ => Err(self.error("must be an array of values or an object of fields")),
        }
    }

    /// Reads the values that a field may have.
    fn values(&mut self, json: &str) -> Result<Field, FilterError> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(self.error(format!("is more than {MAX_FIELDS} fields")));
        }
        let values = self.array(json, "must be an array")?;
        if values.is_empty() {
            return Err(self.error("must have a value"));
        }
        let mut leaf = Leaf::default();
        let (mut texts, mut numbers, mut absences) = (Vec::new(), Vec::new(), 0);
        for value in &values {
            let value = value.get();
            match value.as_bytes().first() {
                Some(b'"') => texts.push(self.text("a value", value)?),
                Some(b'-' | b'0'..=b'9') => numbers.push(self.number(value)?),
                Some(b'n') => leaf.null = true,
                Some(b't') => leaf.booleans.push(true),
                Some(b'f') => leaf.booleans.push(false),
                Some(b'{') => match self.operator(value)? {
                    Operator::Exists(true) => leaf.anything = true,
                    Operator::Exists(false) => absences += 1,
                    Operator::Alternative(alternative) => leaf.others.push(alternative),
                },
                _ => return Err(self.error("must not have an array as a value")),
            }
        }
        leaf.texts = Texts::new(texts);
        leaf.numbers = Numbers::new(numbers);
        Ok(Field::Leaf {
            leaf: (absences < values.len()).then(|| Rc::new(leaf)),
            or_absent: absences > 0,
        })
    }

    /// Reads an operator such as `{"prefix": …}`.
    fn operator(&self, json: &str) -> Result<Operator, FilterError> {
        let problem = "an object in an array must have exactly one operator";
        let (name, operand) = self.only_member(json, problem)?;
        let operand = operand.get();
        let alternative = match name.as_str() {
            "exists" => {
                return serde_json::from_str(operand)
                    .map(Operator::Exists)
                    .map_err(|_| self.error("`exists` must be true or false"));
            }
            "prefix" | "suffix" if operand.starts_with('{') => {
                let problem = format!("`{name}` must be a string or one `equals-ignore-case`");
                let (inner, text) = self.only_member(operand, &problem)?;
                if inner != "equals-ignore-case" {
                    return Err(self.error(problem));
                }
                let text = self.text(&inner, text.get())?;
                Alternative::Text(match name.as_str() {
                    "prefix" => TextMatcher::PrefixIgnoringCase(text),
                    _ => TextMatcher::SuffixIgnoringCase(text),
                })
            }
            "prefix" | "suffix" | "wildcard" | "equals-ignore-case" => {
                Alternative::Text(self.text_matcher(&name, operand)?)
            }
            "anything-but" => self.anything_but(operand)?,
            "numeric" => self.numeric(operand)?,
            "cidr" => {
                let block = Addresses::parse(&self.text(&name, operand)?);
                Alternative::Addresses(block.ok_or_else(|| {
                    self.error(
                        "`cidr` must be addresses such as 10.0.0.0/8 or 2001:db8::/32, \
                         with at most 31 or 127 bits",
                    )
                })?)
            }
            _ => {
                let known = "prefix, suffix, wildcard, equals-ignore-case, anything-but, \
                             numeric, cidr and exists";
                let problem = format!("`{name}` is not supported; the operators are {known}");
                return Err(self.error(problem));
            }
        };
        Ok(Operator::Alternative(alternative))
    }

    fn text_matcher(&self, operator: &str, json: &str) -> Result<TextMatcher, FilterError> {
        let text = self.text(operator, json)?;
        Ok(match operator {
            "prefix" => TextMatcher::Prefix(text),
            "suffix" => TextMatcher::Suffix(text),
            "wildcard" => {
                let wildcard = Wildcard::parse(&text).map_err(|error| {
                    self.error(match error {
                        WildcardError::ConsecutiveGaps => {
                            "`wildcard` must not have two `*` in a row"
                        }
                        WildcardError::Escape => {
                            r"`wildcard` may have a backslash only before `*` or another backslash"
                        }
                    })
                })?;
                TextMatcher::Wildcard(wildcard)
            }
            _ => TextMatcher::IgnoringCase(text),
        })
    }

    /// Reads the operand of `anything-but`: one string or number, several of one kind, or an
    /// operator on one or several strings.
    fn anything_but(&self, json: &str) -> Result<Alternative, FilterError> {
        let problem = "`anything-but` must be strings or numbers, or one of prefix, suffix, \
                       equals-ignore-case and wildcard";
        if json.starts_with('{') {
            let (operator, operands) = self.only_member(json, problem)?;
            let is_affix = matches!(operator.as_str(), "prefix" | "suffix");
            if !is_affix && !matches!(operator.as_str(), "equals-ignore-case" | "wildcard") {
                return Err(self.error(problem));
            }
            let operands = self.one_or_more(operands.get(), problem)?;
            let matchers = operands.iter().map(|operand| {
                if is_affix && operand.get() == r#""""# {
                    let problem = "must not be empty: every string has it";
                    return Err(self.error(format!("`{operator}` in `anything-but` {problem}")));
                }
                self.text_matcher(&operator, operand.get())
            });
            return matchers.collect::<Result<_, _>>().map(Alternative::Not);
        }
        let values = self.one_or_more(json, problem)?;
        let is_text = |value: &&RawValue| value.get().starts_with('"');
        let is_number = |value: &&RawValue| {
            value
                .get()
                .starts_with(|c: char| c == '-' || c.is_ascii_digit())
        };
        if values.iter().all(is_number) {
            let numbers = values.iter().map(|value| self.number(value.get()));
            let numbers = numbers.collect::<Result<_, _>>()?;
            return Ok(Alternative::NotNumbers(Numbers::new(numbers)));
        }
        if values.iter().all(is_text) {
            let texts = values
                .iter()
                .map(|value| self.text("anything-but", value.get()));
            let texts = texts.collect::<Result<_, _>>()?;
            return Ok(Alternative::NotTexts(Texts::new(texts)));
        }
        Err(self.error(problem))
    }

    /// Reads the operand of `numeric`, such as `["<", 5]`.
    fn numeric(&self, json: &str) -> Result<Alternative, FilterError> {
        let parts = self.array(json, "`numeric` must be an array")?;
        let parts: Vec<&str> = parts.iter().map(|part| part.get()).collect();
        let bound = |operator: &str, number: &str| {
            let number = self.number(number)?;
            let is_in = operator.contains('=');
            Ok::<_, FilterError>(Some(Bound { number, is_in }))
        };
        let range = match parts[..] {
            [r#""=""#, number] => Range {
                from: bound("=", number)?,
                to: bound("=", number)?,
            },
            [from @ (r#"">""# | r#"">=""#), least] => Range {
                from: bound(from, least)?,
                to: None,
            },
            [to @ (r#""<""# | r#""<=""#), greatest] => Range {
                from: None,
                to: bound(to, greatest)?,
            },
            [
                from @ (r#"">""# | r#"">=""#),
                least,
                to @ (r#""<""# | r#""<=""#),
                greatest,
            ] => {
                let range = Range {
                    from: bound(from, least)?,
                    to: bound(to, greatest)?,
                };
                if Decimal::new(least) >= Decimal::new(greatest) {
                    return Err(self.error("`numeric` must go from a number to a greater one"));
                }
                range
            }
            _ => {
                let problem = "`numeric` must be =, <, <=, > or >= and a number, or > or >= and \
                               a number and then < or <= and a number";
                return Err(self.error(problem));
            }
        };
        Ok(Alternative::Range(range))
    }

    /// A number as it is written.
    fn number(&self, json: &str) -> Result<String, FilterError> {
        if !json.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Err(self.error("`numeric` must have a number after =, <, <=, > or >="));
        }
        if !has_a_moderate_exponent(json) {
            let problem =
                format!("a number's exponent must be at most {MAX_EXPONENT}, positive or negative");
            return Err(self.error(problem));
        }
        Ok(json.to_owned())
    }

    /// A string.
    fn text(&self, what: &str, json: &str) -> Result<String, FilterError> {
        serde_json::from_str(json).map_err(|_| {
            if json.starts_with('"') {
                self.error(UNPAIRED_SURROGATE)
            } else {
                self.error(format!("`{what}` must be a string"))
            }
        })
    }

    fn array<'a>(&self, json: &'a str, problem: &str) -> Result<Vec<&'a RawValue>, FilterError> {
        serde_json::from_str(json).map_err(|_| self.error(problem))
    }

    /// The values of a non-empty array, or one value.
    fn one_or_more<'a>(
        &self,
        json: &'a str,
        problem: &str,
    ) -> Result<Vec<&'a RawValue>, FilterError> {
        let values = if json.starts_with('[') {
            self.array(json, problem)?
        } else {
            vec![serde_json::from_str(json).map_err(|_| self.error(problem))?]
        };
        if values.is_empty() {
            return Err(self.error(problem));
        }
        Ok(values)
    }

    fn only_member<'a>(
        &self,
        json: &'a str,
        problem: &str,
    ) -> Result<(String, &'a RawValue), FilterError> {
        let Members(members) = serde_json::from_str(json).map_err(|_| self.error(problem))?;
        match &members[..] {
            [(name, value)] => Ok((name.to_string_lossy().into_owned(), value)),
            _ => Err(self.error(problem)),
        }
    }
}

/// The message for a JSON text that a string cannot hold.
const UNPAIRED_SURROGATE: &str = "must be text without an unpaired surrogate such as \\ud83d";

/// An object in the array of values.
enum Operator {
    Exists(bool),
    Alternative(Alternative),
}
