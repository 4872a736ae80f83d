//! What a filter may say: the part of `EventBridge`'s patterns that the matcher evaluates as
//! `EventBridge` does, in a form in which it does.
//!
//! Every rule here is a case in which they would differ.

use std::fmt::Display;
use std::net::Ipv4Addr;

use serde_json::value::RawValue;

use super::FilterError;
use super::members::Members;

/// How deep a pattern may nest.
const MAX_DEPTH: usize = 16;
/// How many fields a pattern may name.
const MAX_FIELDS: usize = 64;
/// Beyond so many digits a double may stand for two numbers.
const MAX_DIGITS: usize = 15;
/// The first whole number with more digits.
const TOO_GREAT: f64 = 1e15;

/// A checked pattern, taken apart.
#[derive(Debug)]
pub(super) struct Pattern {
    /// What must be there; `None` when nothing must.
    pub(super) present: Option<Present>,
    /// The fields that must be absent. The matcher is wrong about more than one of them.
    pub(super) absent: Vec<Vec<String>>,
}

/// What must be there.
#[derive(Debug)]
pub(super) struct Present {
    /// The pattern for the matcher.
    pub(super) pattern: String,
    /// The fields that it names.
    pub(super) fields: Fields,
}

/// The fields of an object.
pub(super) type Fields = Vec<(String, Node)>;

/// What a pattern has at a field.
#[derive(Debug)]
pub(super) enum Node {
    /// Values.
    Leaf,
    /// Fields below it.
    Fields(Fields),
}

impl Pattern {
    /// Checks a pattern.
    pub(super) fn parse(json: &str) -> Result<Self, FilterError> {
        let mut reader = Reader::default();
        let present = reader.object(json)?;
        Ok(Self {
            present,
            absent: reader.absent,
        })
    }
}

/// Walks a pattern. Each step gives the text for the matcher.
#[derive(Default)]
struct Reader {
    /// Where it is.
    path: Vec<String>,
    /// How many fields it has seen.
    fields: usize,
    absent: Vec<Vec<String>>,
}

/// A value that a field may have, for the matcher.
enum Value {
    Text(String),
    Exists(bool),
}

impl Reader {
    fn error(&self, problem: impl Display) -> FilterError {
        if self.path.is_empty() {
            return FilterError::Pattern(problem.to_string());
        }
        let path = self.path.join(".");
        FilterError::Pattern(format!("`{}`: {problem}", path.escape_debug()))
    }

    /// An object of fields; `None` when all of them must be absent.
    fn object(&mut self, json: &str) -> Result<Option<Present>, FilterError> {
        let Members(members) = serde_json::from_str(json)
            .map_err(|_| self.error("must be a JSON object of fields"))?;
        if members.is_empty() {
            return Err(self.error("must name a field"));
        }
        let (mut patterns, mut fields) = (Vec::new(), Vec::new());
        for (index, (name, value)) in members.iter().enumerate() {
            self.path.push(name.clone());
            self.check_name(name)?;
            if members[..index].iter().any(|(before, _)| before == name) {
                return Err(self.error("is named twice"));
            }
            let present = match value.get().as_bytes().first() {
                Some(b'{') => self
                    .object(value.get())?
                    .map(|below| (below.pattern, Node::Fields(below.fields))),
                Some(b'[') => self.values(value.get())?.map(|values| (values, Node::Leaf)),
                _ => return Err(self.error("must be an array of values or an object of fields")),
            };
            if let Some((pattern, node)) = present {
                patterns.push(format!("{}:{pattern}", matchers_name(name)));
                fields.push((name.clone(), node));
            }
            self.path.pop();
        }
        Ok((!fields.is_empty()).then(|| Present {
            pattern: format!("{{{}}}", patterns.join(",")),
            fields,
        }))
    }

    fn check_name(&self, name: &str) -> Result<(), FilterError> {
        if self.path.len() > MAX_DEPTH {
            return Err(self.error(format!("must be at most {MAX_DEPTH} deep")));
        }
        if name == "$or" {
            return Err(self.error("is not supported: make a subscription for each"));
        }
        // EventBridge takes a dot as a step down, the matcher a line feed.
        if name.contains('.') {
            return Err(self.error("must have no dot in its name: write an object in an object"));
        }
        if name.chars().any(char::is_control) {
            return Err(self.error("must have no control character in its name"));
        }
        Ok(())
    }

    /// The values that a field may have; `None` when it must have none.
    fn values(&mut self, json: &str) -> Result<Option<String>, FilterError> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(self.error(format!("is more than {MAX_FIELDS} fields")));
        }
        let values: Vec<&RawValue> =
            serde_json::from_str(json).map_err(|_| self.error("must be an array"))?;
        let values = values
            .iter()
            .map(|value| self.value(value.get()))
            .collect::<Result<Vec<_>, _>>()?;
        match &values[..] {
            [] => Err(self.error("must have a value")),
            [Value::Exists(false)] => {
                self.absent.push(self.path.clone());
                Ok(None)
            }
            [Value::Exists(true)] => Ok(Some(r#"[{"exists":true}]"#.to_owned())),
            _ => {
                let texts = values.iter().map(|value| match value {
                    Value::Text(text) => Ok(text.as_str()),
                    Value::Exists(_) => Err(self.error("`exists` must stand alone")),
                });
                let texts: Vec<_> = texts.collect::<Result<_, _>>()?;
                Ok(Some(format!("[{}]", texts.join(","))))
            }
        }
    }

    fn value(&self, json: &str) -> Result<Value, FilterError> {
        match json.as_bytes().first() {
            Some(b'{') => return self.operator(json),
            Some(b'[') => return Err(self.error("must not have an array as a value")),
            Some(b'-' | b'0'..=b'9') => return self.equal_number(json).map(Value::Text),
            _ => {}
        }
        Ok(Value::Text(json.to_owned()))
    }

    /// A number, in each form that the matcher tells from the others: it has two zeros.
    fn equal_number(&self, json: &str) -> Result<String, FilterError> {
        match self.number(json)? {
            0.0 => Ok("0,-0".to_owned()),
            _ => Ok(json.to_owned()),
        }
    }

    /// `{"prefix": …}` and its like.
    fn operator(&self, json: &str) -> Result<Value, FilterError> {
        let Members(members) =
            serde_json::from_str(json).map_err(|_| self.error("must be an operator"))?;
        let [(name, operand)] = &members[..] else {
            return Err(self.error("an object in an array must have exactly one operator"));
        };
        let operand = operand.get();
        match name.as_str() {
            "exists" => {
                return serde_json::from_str(operand)
                    .map(Value::Exists)
                    .map_err(|_| self.error("`exists` must be true or false"));
            }
            "numeric" => return self.numeric(operand).map(Value::Text),
            "prefix" | "suffix" => return self.affix(name, operand).map(Value::Text),
            // The matcher checks its escapes.
            "wildcard" => self.text(name, operand).map(drop)?,
            "equals-ignore-case" => self.any_case(name, operand)?,
            "anything-but" => return self.anything_but(operand).map(Value::Text),
            "cidr" => self.cidr(operand)?,
            _ => {
                let known = "prefix, suffix, wildcard, equals-ignore-case, anything-but, \
                             numeric, cidr and exists";
                let problem = format!("`{name}` is not supported; the operators are {known}");
                return Err(self.error(problem));
            }
        }
        Ok(Value::Text(format!(r#"{{"{name}":{operand}}}"#)))
    }

    fn text(&self, operator: &str, json: &str) -> Result<String, FilterError> {
        serde_json::from_str(json).map_err(|_| self.error(format!("`{operator}` must be a string")))
    }

    /// A beginning or an end. The matcher sees a text with its quotes, and would take a
    /// quotation mark on the other side of it for them: there it is a wildcard.
    fn affix(&self, operator: &str, json: &str) -> Result<String, FilterError> {
        let text = self.text(operator, json)?;
        let escaped = || text.replace('\\', r"\\").replace('*', r"\*");
        let wildcard = match operator {
            "prefix" if text.ends_with('"') => format!("{}*", escaped()),
            "suffix" if text.starts_with('"') => format!("*{}", escaped()),
            _ => return Ok(format!(r#"{{"{operator}":{json}}}"#)),
        };
        Ok(format!(r#"{{"wildcard":{}}}"#, json_text(&wildcard)))
    }

    fn any_case(&self, operator: &str, json: &str) -> Result<(), FilterError> {
        let text = self.text(operator, json)?;
        match text.chars().find(|&letter| !has_a_pair_of_cases(letter)) {
            None => Ok(()),
            Some(letter) => Err(self.error(format!(
                "`{operator}` must not have `{}`, whose cases are not a pair",
                letter.escape_debug()
            ))),
        }
    }

    /// One string or number, or several of one kind.
    fn anything_but(&self, json: &str) -> Result<String, FilterError> {
        let not_supported = || self.error("`anything-but` must be strings or numbers");
        let values: Vec<&RawValue> = if json.starts_with('[') {
            serde_json::from_str(json).map_err(|_| not_supported())?
        } else {
            vec![serde_json::from_str(json).map_err(|_| not_supported())?]
        };
        let is_text = |value: &&RawValue| value.get().starts_with('"');
        let is_number = |value: &&RawValue| {
            value
                .get()
                .starts_with(|c: char| c == '-' || c.is_ascii_digit())
        };
        if values.is_empty() {
            return Err(not_supported());
        }
        if values.iter().all(is_number) {
            let numbers = values.iter().map(|value| self.equal_number(value.get()));
            let numbers: Vec<_> = numbers.collect::<Result<_, _>>()?;
            return Ok(format!(r#"{{"anything-but":[{}]}}"#, numbers.join(",")));
        }
        if values.iter().all(is_text) {
            return Ok(format!(r#"{{"anything-but":{json}}}"#));
        }
        Err(not_supported())
    }

    fn cidr(&self, json: &str) -> Result<(), FilterError> {
        let text = self.text("cidr", json)?;
        let (address, bits) = text.split_once('/').unwrap_or_default();
        let is_range = address.parse::<Ipv4Addr>().is_ok()
            && bits.bytes().all(|byte| byte.is_ascii_digit())
            && bits.parse::<u8>().is_ok_and(|bits| bits < 32);
        if is_range {
            return Ok(());
        }
        Err(self.error("`cidr` must be IPv4 addresses such as 10.0.0.0/8, with 0 to 31 bits"))
    }

    /// `["<", 5]` and its like, as a range that has both its ends: without one the matcher
    /// takes every text for a number, and an open end at 0 takes 0.
    fn numeric(&self, json: &str) -> Result<String, FilterError> {
        let parts: Vec<&RawValue> =
            serde_json::from_str(json).map_err(|_| self.error("`numeric` must be an array"))?;
        let parts: Vec<&str> = parts.iter().map(|part| part.get()).collect();
        let (least, greatest) = match parts[..] {
            [r#""=""#, number] => {
                return self.equal_number(number);
            }
            [from @ (r#"">""# | r#"">=""#), least] => (self.least(from, least)?, f64::MAX),
            [to @ (r#""<""# | r#""<=""#), greatest] => (f64::MIN, self.greatest(to, greatest)?),
            [
                from @ (r#"">""# | r#"">=""#),
                least,
                to @ (r#""<""# | r#""<=""#),
                greatest,
            ] => {
                if self.number(least)? >= self.number(greatest)? {
                    return Err(self.error("`numeric` must go from a number to a greater one"));
                }
                (self.least(from, least)?, self.greatest(to, greatest)?)
            }
            _ => {
                let problem = "`numeric` must be =, <, <=, > or >= and a number, or > or >= and \
                               a number and then < or <= and a number";
                return Err(self.error(problem));
            }
        };
        Ok(format!(
            r#"{{"numeric":[">=",{least:e},"<=",{greatest:e}]}}"#
        ))
    }

    fn least(&self, operator: &str, number: &str) -> Result<f64, FilterError> {
        let least = self.number(number)?;
        Ok(match operator.contains('=') {
            false => least.next_up(),
            // So that -0 is 0.
            true if least == 0.0 => -0.0,
            true => least,
        })
    }

    fn greatest(&self, operator: &str, number: &str) -> Result<f64, FilterError> {
        let greatest = self.number(number)?;
        Ok(if operator.contains('=') {
            greatest
        } else {
            greatest.next_down()
        })
    }

    /// A number that a double tells from all others that are as short.
    fn number(&self, json: &str) -> Result<f64, FilterError> {
        let mantissa = json.split(['e', 'E']).next().unwrap_or_default();
        let digits = mantissa.chars().filter(char::is_ascii_digit);
        let significant = digits.skip_while(|&digit| digit == '0').count();
        match serde_json::from_str::<f64>(json) {
            Ok(number) if significant <= MAX_DIGITS && number.abs() < TOO_GREAT => Ok(number),
            Ok(_) => Err(self.error(format!("a number must have at most {MAX_DIGITS} digits"))),
            Err(_) => Err(self.error("must be a number of at most 15 digits")),
        }
    }
}

/// A field's name for the matcher, which finds nothing below an empty one.
pub(super) fn matchers_name(name: &str) -> String {
    json_text(&format!("_{name}"))
}

/// A string as JSON.
fn json_text(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

/// Small letters with a pair of cases that the matcher mistakes.
const MISTAKEN: [char; 3] = ['ι', 'μ', 'ꙋ'];
/// From here on there are letters whose cases are too new for the matcher.
const NEW_LETTERS: char = '\u{a7c0}';

/// Whether it is in one case, or in two that lead to each other. `EventBridge` takes the
/// lower and the upper case of each letter, the matcher Unicode's simple folding: `ß` is `SS`
/// to one, and `ς` is `σ` to the other.
fn has_a_pair_of_cases(letter: char) -> bool {
    let lower = |letter: char| only(letter.to_lowercase());
    let upper = |letter: char| only(letter.to_uppercase());
    let (Some(small), Some(capital)) = (lower(letter), upper(letter)) else {
        return false;
    };
    if small == capital {
        return true;
    }
    [small, capital].contains(&letter)
        && upper(small) == Some(capital)
        && lower(capital) == Some(small)
        && !MISTAKEN.contains(&small)
        && letter < NEW_LETTERS
}

fn only(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let first = letters.next();
    first.filter(|_| letters.next().is_none())
}
