//! The plan of a schema: its subschemas, and which of them meet which part of a value.
//!
//! It has what [`cost`](crate::cost) needs to count the work of a check, and nothing of the rules
//! themselves. It is an upper estimate: for example, it takes each `patternProperties` for a match.

use std::collections::HashMap;

use serde_json::{Map, Value};
use webhooks_domain::catalogue::SchemaError;

use crate::pattern;

/// The only supported draft.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The most visits of subschemas for one value, if each reference is followed. It bounds chains such
/// as `a: allOf[b, b], b: allOf[c, c]`, which double at each step.
pub(crate) const MAX_VISITS: u64 = 1_000;

/// The most subschemas that all `unevaluatedProperties` and `unevaluatedItems` together ask for what
/// they have evaluated. The compiled schema has a copy for each.
const MAX_UNEVALUATED: u64 = 2_000;

/// The most memory of a compiled schema and its plan, in bytes, as far as it is [counted](Plan::bytes).
///
/// It also bounds the time to compile. A schema of the largest text takes about half of it if it has
/// a thousand members with a type, and about 60 ordinary regular expressions fit.
pub(crate) const MAX_COMPILED_BYTES: u64 = 4_194_304;

/// The memory of a compiled schema without its subschemas, in bytes, rounded up. This and the next
/// three were measured, with a margin.
const SCHEMA_BYTES: u64 = 2_048;

/// The memory of a subschema and of its part of the plan, without its places, keywords and members.
const SUBSCHEMA_BYTES: u64 = 768;

/// The same of a keyword.
const KEYWORD_BYTES: u64 = 320;

/// The same of a member of `properties` and the like, in the schema and in its plan.
const MEMBER_BYTES: u64 = 256;

/// The copies of a place or of a value that a compiled keyword may have.
const COPIES: u64 = 4;

/// The longest chain of subschemas inside each other, also by references.
const MAX_CHAIN: usize = 300;

/// The problem of an `$id` below the root.
const ID_BELOW: &str = "is allowed only at the root";

/// The number of a subschema.
pub(crate) type Id = usize;

/// A schema with all of its subschemas.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) root: Id,
    pub(crate) subschemas: Vec<Subschema>,
    /// An upper estimate of the memory of the compiled schema, in bytes: of its subschemas with their
    /// places and values, of its regular expressions with what they keep between searches, and of the
    /// copies for `unevaluatedProperties` and `unevaluatedItems`.
    pub(crate) bytes: u64,
}

/// A subschema: its work for a value, and the subschemas that the value and its parts meet.
#[derive(Debug, Default)]
pub(crate) struct Subschema {
    /// The length of its pointer.
    pub(crate) place_bytes: u64,
    /// The memory that it takes when it is compiled, without that of other subschemas.
    pub(crate) bytes: u64,
    /// The steps for every value.
    pub(crate) own: u64,
    /// The most errors of its own keywords for one value, without those of other subschemas.
    pub(crate) errors: u64,
    /// The bytes of the schema that these errors copy.
    pub(crate) error_bytes: u64,
    /// The steps for eight bytes of a text, for a regular expression, a comparison or a length.
    pub(crate) for_text: u64,
    /// The steps for each value in a list whose items must differ.
    pub(crate) for_items: u64,
    /// The subschemas that the same value meets.
    pub(crate) same: Vec<Id>,
    /// The same of `anyOf`, `oneOf` and `not`, which may be visited again to report an error.
    pub(crate) alternatives: Vec<Id>,
    pub(crate) properties: HashMap<String, Id>,
    /// The subschemas of `patternProperties`, of which each member is matched with each.
    pub(crate) patterns: Vec<Id>,
    /// The subschemas that every member may meet.
    pub(crate) members: Vec<Id>,
    /// The subschema of the members' names.
    pub(crate) names: Option<Id>,
    pub(crate) first_items: Vec<Id>,
    /// The subschemas that every item may meet.
    pub(crate) items: Vec<Id>,
    /// True if it asks which members or items other subschemas have evaluated.
    pub(crate) has_unevaluated: bool,
}

impl Subschema {
    /// Adds the work of a keyword that leads to no other subschema.
    fn add_assertion(&mut self, keyword: &str, value: &Value) {
        self.errors += match (keyword, value) {
            ("required", Value::Array(names)) => names.len() as u64,
            ("dependentRequired" | "dependencies", value) => size(value),
            // Its error also names the members or items.
            ("additionalProperties" | "unevaluatedProperties" | "unevaluatedItems", _) => 2,
            // Those of `$ref` and of the keywords after it are the errors of their subschemas.
            (
                "$schema" | "$id" | "$anchor" | "$comment" | "$defs" | "definitions" | "title"
                | "description" | "default" | "examples" | "format" | "$ref" | "allOf" | "if"
                | "then" | "else" | "dependentSchemas" | "properties" | "patternProperties",
                _,
            ) => 0,
            _ => 1,
        };
        match keyword {
            "not" | "pattern" | "required" => self.error_bytes += memory(value),
            // The place of each error has the name of a member.
            "dependentRequired" | "dependencies" => {
                self.error_bytes += size(value).saturating_mul(memory(value));
            }
            _ => {}
        }
        match (keyword, value) {
            ("pattern", _) => self.for_text += pattern::STEPS_FOR_EIGHT_BYTES,
            ("minLength" | "maxLength", _) => self.for_text += 1,
            ("enum" | "const", value) => {
                self.for_text += 1;
                self.own += size(value);
            }
            // Short lists are compared in pairs, longer ones hashed.
            ("uniqueItems", Value::Bool(true)) => self.for_items = 8,
            ("required", Value::Array(names)) => self.own += names.len() as u64,
            ("dependentRequired", value) => self.own += size(value),
            // A decimal division.
            ("multipleOf", _) => self.own += 50,
            _ => {}
        }
    }
}

impl Plan {
    /// The plan of a schema.
    ///
    /// # Errors
    /// If it is no schema of the supported draft, refers to something else, or exceeds a bound.
    pub(crate) fn of(schema: &Value) -> Result<Self, SchemaError> {
        let mut reader = Reader {
            document: schema,
            anchors: HashMap::new(),
            found: HashMap::new(),
            subschemas: Vec::new(),
            bytes: SCHEMA_BYTES,
        };
        reader.find_anchors(schema, "")?;
        let root = reader.read(schema, "", 0)?;
        let Reader {
            subschemas,
            found,
            bytes,
            ..
        } = reader;
        let mut plan = Self {
            root,
            subschemas,
            bytes,
        };
        let places = found.iter();
        let places: HashMap<Id, &str> = places.map(|(place, id)| (*id, place.as_str())).collect();
        let at = |id: Id, problem: String| SchemaError::at(places[&id], problem);
        let mut known = vec![Visits::Unknown; plan.subschemas.len()];
        let (mut unevaluated, mut bytes) = (0_u64, plan.bytes);
        for (id, subschema) in plan.subschemas.iter().enumerate() {
            let around = |id| {
                at(
                    id,
                    "leads to itself without a step into the event".to_owned(),
                )
            };
            let Met { visits, bytes: met } = plan.met(id, &mut known).map_err(around)?;
            if visits > MAX_VISITS {
                let problem = format!(
                    "one value would meet more than {MAX_VISITS} subschemas, if each reference is followed"
                );
                return Err(at(id, problem));
            }
            if subschema.has_unevaluated {
                unevaluated += visits;
                bytes = bytes.saturating_add(met);
            }
            if unevaluated > MAX_UNEVALUATED {
                let problem = format!(
                    "`unevaluatedProperties` and `unevaluatedItems` would ask more than {MAX_UNEVALUATED} subschemas"
                );
                return Err(at(id, problem));
            }
            if bytes > MAX_COMPILED_BYTES {
                return Err(at(id, too_large()));
            }
        }
        plan.bytes = bytes;
        Ok(plan)
    }

    /// The subschemas that one value meets, from this one on.
    ///
    /// # Errors
    /// If they are infinite: the subschema that leads back.
    fn met(&self, id: Id, known: &mut [Visits]) -> Result<Met, Id> {
        known[id] = Visits::Open;
        let subschema = &self.subschemas[id];
        let mut met = Met {
            visits: 1,
            bytes: subschema.bytes,
        };
        for next in subschema.same.iter().chain(&subschema.alternatives) {
            let more = match known[*next] {
                Visits::Known(met) => met,
                Visits::Open => return Err(id),
                Visits::Unknown => self.met(*next, known)?,
            };
            met.visits = met.visits.saturating_add(more.visits);
            met.bytes = met.bytes.saturating_add(more.bytes);
        }
        known[id] = Visits::Known(met);
        Ok(met)
    }
}

/// The visits of subschemas for one value, and the memory of these subschemas, each time it is visited.
#[derive(Debug, Clone, Copy)]
struct Met {
    visits: u64,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
enum Visits {
    Unknown,
    Open,
    Known(Met),
}

/// The problem of a schema that takes too much memory.
fn too_large() -> String {
    format!("up to here, the compiled schema would take more than {MAX_COMPILED_BYTES} bytes")
}

struct Reader<'s> {
    document: &'s Value,
    /// The pointer of each anchor.
    anchors: HashMap<&'s str, String>,
    /// The subschemas by their pointers.
    found: HashMap<String, Id>,
    subschemas: Vec<Subschema>,
    /// The memory of the subschemas so far, when they are compiled.
    bytes: u64,
}

impl<'s> Reader<'s> {
    /// Finds the anchors. Anything in the document may be a subschema, because a reference may lead to
    /// it.
    fn find_anchors(&mut self, value: &'s Value, place: &str) -> Result<(), SchemaError> {
        match value {
            Value::Object(members) => {
                // It would change what references below it mean.
                if !place.is_empty() && members.get("$id").is_some_and(Value::is_string) {
                    return Err(SchemaError::at(&format!("{place}/$id"), ID_BELOW));
                }
                if let Some(Value::String(name)) = members.get("$anchor") {
                    let known = self.anchors.insert(name, place.to_owned());
                    if known.is_some() {
                        let place = format!("{place}/$anchor");
                        return Err(SchemaError::at(&place, "is used twice"));
                    }
                }
                for (name, value) in members {
                    self.find_anchors(value, &below(place, name))?;
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    self.find_anchors(value, &format!("{place}/{index}"))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads the subschema at a pointer, with all that it leads to.
    fn read(&mut self, schema: &'s Value, place: &str, chain: usize) -> Result<Id, SchemaError> {
        if let Some(id) = self.found.get(place) {
            return Ok(*id);
        }
        if chain > MAX_CHAIN {
            let problem = format!("more than {MAX_CHAIN} subschemas lead to each other in a chain");
            return Err(SchemaError::at(place, problem));
        }
        let id = self.subschemas.len();
        self.found.insert(place.to_owned(), id);
        self.subschemas.push(Subschema::default());
        let mut subschema = match schema {
            Value::Object(keywords) => self.keywords(keywords, place, chain + 1)?,
            Value::Bool(is_any) => Subschema {
                own: 1,
                errors: u64::from(!is_any),
                ..Subschema::default()
            },
            _ => return Err(SchemaError::at(place, "must be an object or a boolean")),
        };
        subschema.place_bytes = place.len() as u64;
        let own = SUBSCHEMA_BYTES + COPIES * place.len() as u64;
        subschema.bytes += own;
        self.take(own, place)?;
        self.subschemas[id] = subschema;
        Ok(id)
    }

    /// Adds memory of the compiled schema.
    fn take(&mut self, bytes: u64, at: &str) -> Result<(), SchemaError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_COMPILED_BYTES {
            return Err(SchemaError::at(at, too_large()));
        }
        Ok(())
    }

    /// Adds the memory of a compiled keyword, without its subschemas. Returns it.
    fn take_keyword(&mut self, keyword: &str, value: &Value, at: &str) -> Result<u64, SchemaError> {
        let before = self.bytes;
        self.take(KEYWORD_BYTES + COPIES / 2 * at.len() as u64, at)?;
        match (keyword, value) {
            ("pattern", Value::String(pattern)) => self.take_pattern(pattern, at)?,
            ("patternProperties", Value::Object(named)) => {
                self.take(members(named), at)?;
                // One after the other, so that no more are compiled than fit.
                for pattern in named.keys() {
                    self.take_pattern(pattern, &below(at, pattern))?;
                }
            }
            ("properties" | "dependentSchemas" | "dependencies", Value::Object(named)) => {
                self.take(members(named) + COPIES * lists(named), at)?;
            }
            // A subschema counts where it is read.
            (
                "$defs"
                | "definitions"
                | "allOf"
                | "anyOf"
                | "oneOf"
                | "not"
                | "if"
                | "then"
                | "else"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "propertyNames"
                | "prefixItems"
                | "items"
                | "contains"
                | "unevaluatedItems",
                _,
            ) => {}
            (_, value) => self.take(COPIES.saturating_mul(memory(value)), at)?,
        }
        Ok(self.bytes - before)
    }

    fn take_pattern(&mut self, pattern: &str, at: &str) -> Result<(), SchemaError> {
        let bytes = pattern::memory(pattern).ok_or_else(|| {
            let problem = format!(
                "is no regular expression without look-around and back-references of at most {} \
                 bytes when it is compiled",
                pattern::MAX_BYTES
            );
            SchemaError::at(at, problem)
        })?;
        self.take(bytes, at)
    }

    fn keywords(
        &mut self,
        keywords: &'s Map<String, Value>,
        place: &str,
        chain: usize,
    ) -> Result<Subschema, SchemaError> {
        let mut made = Subschema {
            own: 1,
            ..Subschema::default()
        };
        for (keyword, value) in keywords {
            let at = below(place, keyword);
            made.own += 1;
            match (keyword.as_str(), value) {
                ("$schema", Value::String(draft)) if draft.trim_end_matches('#') != DRAFT => {
                    return Err(SchemaError::at(&at, format!("must be {DRAFT}")));
                }
                ("$dynamicRef" | "$dynamicAnchor" | "$recursiveRef" | "$vocabulary", _) => {
                    return Err(SchemaError::at(&at, "is not supported"));
                }
                _ => {}
            }
            // Before the subschemas below, so that little is read of a schema that is too large.
            made.bytes += self.take_keyword(keyword, value, &at)?;
            self.same_value(&mut made, keyword, value, &at, chain)?;
            self.parts(&mut made, keyword, value, &at, chain)?;
            made.add_assertion(keyword, value);
        }
        Ok(made)
    }

    /// Adds the subschemas that the same value meets.
    fn same_value(
        &mut self,
        made: &mut Subschema,
        keyword: &str,
        value: &'s Value,
        at: &str,
        chain: usize,
    ) -> Result<(), SchemaError> {
        match (keyword, value) {
            ("$ref", Value::String(reference)) => {
                made.same.push(self.reference(reference, at, chain)?);
            }
            ("allOf", Value::Array(list)) => made.same.extend(self.list(list, at, chain)?),
            ("if" | "then" | "else", value) => made.same.push(self.read(value, at, chain)?),
            ("anyOf" | "oneOf", Value::Array(list)) => {
                made.alternatives.extend(self.list(list, at, chain)?);
            }
            ("not", value) => made.alternatives.push(self.read(value, at, chain)?),
            ("dependentSchemas", Value::Object(named)) => {
                made.same
                    .extend(self.named(named, at, chain)?.into_values());
            }
            // Of a former draft, and still understood.
            ("dependencies", Value::Object(named)) => {
                for (name, value) in named {
                    match value {
                        Value::Array(required) => made.own += required.len() as u64,
                        value => made.same.push(self.read(value, &below(at, name), chain)?),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds the subschemas that members and items meet.
    fn parts(
        &mut self,
        made: &mut Subschema,
        keyword: &str,
        value: &'s Value,
        at: &str,
        chain: usize,
    ) -> Result<(), SchemaError> {
        match (keyword, value) {
            ("properties", Value::Object(named)) => {
                made.own += named.len() as u64;
                made.properties = self.named(named, at, chain)?;
            }
            ("patternProperties", Value::Object(named)) => {
                let patterns = self.named(named, at, chain)?;
                made.patterns.extend(patterns.into_values());
            }
            ("additionalProperties" | "unevaluatedProperties", value) => {
                made.members.push(self.read(value, at, chain)?);
            }
            ("propertyNames", value) => made.names = Some(self.read(value, at, chain)?),
            ("prefixItems", Value::Array(list)) => {
                made.first_items = self.list(list, at, chain)?;
            }
            ("items" | "contains" | "unevaluatedItems", value) => {
                made.items.push(self.read(value, at, chain)?);
            }
            _ => {}
        }
        made.has_unevaluated |= keyword.starts_with("unevaluated");
        Ok(())
    }

    fn list(
        &mut self,
        list: &'s [Value],
        place: &str,
        chain: usize,
    ) -> Result<Vec<Id>, SchemaError> {
        let read = list.iter().enumerate();
        read.map(|(index, value)| self.read(value, &format!("{place}/{index}"), chain))
            .collect()
    }

    fn named(
        &mut self,
        named: &'s Map<String, Value>,
        place: &str,
        chain: usize,
    ) -> Result<HashMap<String, Id>, SchemaError> {
        let read = named.iter();
        read.map(|(name, value)| {
            let id = self.read(value, &below(place, name), chain)?;
            Ok((name.clone(), id))
        })
        .collect()
    }

    /// The subschema to which a reference leads.
    fn reference(&mut self, reference: &str, at: &str, chain: usize) -> Result<Id, SchemaError> {
        let Some(fragment) = reference.strip_prefix('#') else {
            let problem = "must begin with `#`: a schema refers only to itself";
            return Err(SchemaError::at(at, problem));
        };
        let none = || SchemaError::at(at, "leads to no schema");
        let pointer = match self.anchors.get(fragment) {
            Some(pointer) => pointer.clone(),
            None => decoded(fragment).ok_or_else(none)?,
        };
        let document = self.document;
        let target = document.pointer(&pointer).ok_or_else(none)?;
        // One pointer for each place: `~1` and `%2F` may be written in several ways.
        self.read(target, &pointer, chain)
    }
}

/// The memory of the names of members in a compiled schema.
fn members(named: &Map<String, Value>) -> u64 {
    let all = named.keys();
    all.map(|name| MEMBER_BYTES + COPIES * name.len() as u64)
        .sum()
}

/// The memory of the lists in an object.
fn lists(named: &Map<String, Value>) -> u64 {
    let lists = named.values().filter(|value| value.is_array());
    lists.map(memory).sum()
}

/// A fragment without its percent-encoding.
fn decoded(fragment: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The pointer of a member.
fn below(place: &str, name: &str) -> String {
    format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The number of values in a value, and of their texts in parts of eight bytes.
pub(crate) fn size(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() as u64 / 8,
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(members) => {
            let members = members.iter();
            1 + members
                .map(|(name, value)| 1 + name.len() as u64 / 8 + size(value))
                .sum::<u64>()
        }
    }
}

/// The memory of a value without its parts, in bytes.
pub(crate) const VALUE_BYTES: u64 = 32;

/// The memory of a value, in bytes, rounded up.
pub(crate) fn memory(value: &Value) -> u64 {
    VALUE_BYTES
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len() as u64,
            Value::Array(items) => items.iter().map(memory).sum(),
            Value::Object(members) => memory_of(members),
        }
}

/// The memory of an object's members. A small object has room for several.
pub(crate) fn memory_of(members: &Map<String, Value>) -> u64 {
    const OBJECT: u64 = 640;
    const MEMBER: u64 = 128;
    if members.is_empty() {
        return 0;
    }
    let members = members.iter();
    let members = members.map(|(name, value)| MEMBER + name.len() as u64 + memory(value));
    OBJECT + members.sum::<u64>()
}
