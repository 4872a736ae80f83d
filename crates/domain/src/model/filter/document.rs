//! A payload that is parsed once for all filters, and the comparison of JSON texts by their values.
//!
//! The parser keeps its own stack, so it accepts JSON of any depth. It also accepts a text with an
//! unpaired surrogate (`"\ud83d"`), which the grammar of JSON allows: no text of a filter equals
//! it. `serde_json` accepts neither.

use std::cell::OnceCell;

use super::number::Decimal;

/// A JSON text that is parsed when the first filter needs it.
#[derive(Debug)]
pub struct Document<'a> {
    json: &'a str,
    tree: OnceCell<Option<Tree<'a>>>,
}

impl<'a> Document<'a> {
    /// A document of this JSON text.
    pub fn new(json: &'a str) -> Self {
        Self {
            json,
            tree: OnceCell::new(),
        }
    }

    /// The parsed values, or `None` if the text is not JSON.
    pub(super) fn tree(&self) -> Option<&Tree<'a>> {
        self.tree.get_or_init(|| Tree::read(self.json)).as_ref()
    }
}

/// Returns true if two JSON texts have equal values. The order of an object's members, the spelling
/// of a number (`1.0` equals `1`) and the escapes of a text do not count. If an object has a member
/// twice, the last counts. Text that is not JSON is compared as text.
///
/// It takes the time and the memory to parse both.
pub(crate) fn says_the_same(one: &str, other: &str) -> bool {
    let read = |json| Reader::new(json, NestedArrays::Kept).read();
    one == other
        || match (read(one), read(other)) {
            (Some(one), Some(other)) => one.says_the_same(&other),
            _ => false,
        }
}

/// The values of a payload, stored in flat lists.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    json: &'a str,
    /// The texts with escapes, after unescaping: UTF-8, with an unpaired surrogate as three bytes
    /// that are not valid UTF-8 ("WTF-8").
    unescaped: Vec<u8>,
    items: Vec<Value>,
    members: Vec<Member>,
    root: Value,
}

/// A value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Number(Span),
    /// A text without escapes, without its quotes.
    Text(Span),
    /// A text in the list of unescaped texts.
    Unescaped(Span),
    /// Its members, sorted by name. If a name occurs twice, the last member counts.
    Object(Span),
    /// Its elements. [`NestedArrays`] says how an array among them is stored.
    Array(Span),
}

/// The treatment of an array that is an element of another array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NestedArrays {
    /// Its elements become elements of the outer array, as filters see them.
    Joined,
    /// It remains one element.
    Kept,
}

/// A value that contains no other values.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'t> {
    Null,
    Boolean(bool),
    Number(&'t str),
    Text(&'t [u8]),
}

/// Compares by value: one number can be written in many ways.
impl PartialEq for Scalar<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Boolean(one), Self::Boolean(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => Decimal::new(one) == Decimal::new(other),
            (Self::Text(one), Self::Text(other)) => one == other,
            _ => false,
        }
    }
}

/// A range of one of the lists of a tree. An event has fewer than 2^32 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    const NONE: Self = Self { start: 0, end: 0 };

    fn new(start: usize, end: usize) -> Option<Self> {
        Some(Self {
            start: start.try_into().ok()?,
            end: end.try_into().ok()?,
        })
    }

    fn of<T>(self, list: &[T]) -> &[T] {
        &list[self.start as usize..self.end as usize]
    }
}

#[derive(Debug, Clone, Copy)]
struct Member {
    name: Value,
    value: Value,
}

impl<'a> Tree<'a> {
    /// Reads JSON text.
    fn read(json: &'a str) -> Option<Self> {
        Reader::new(json, NestedArrays::Joined).read()
    }

    /// Compares with an explicit list of open comparisons, because JSON may be nested to any depth.
    fn says_the_same(&self, other: &Tree<'_>) -> bool {
        let mut left = vec![(self.root, other.root)];
        while let Some((mine, theirs)) = left.pop() {
            match (mine, theirs) {
                (Value::Array(mine), Value::Array(theirs)) => {
                    let (mine, theirs) = (self.items(mine), other.items(theirs));
                    if mine.len() != theirs.len() {
                        return false;
                    }
                    left.extend(mine.iter().copied().zip(theirs.iter().copied()));
                }
                (Value::Object(mine), Value::Object(theirs)) => {
                    let (mine, theirs) = (mine.of(&self.members), theirs.of(&other.members));
                    if mine.len() != theirs.len() {
                        return false;
                    }
                    // Both are sorted by name.
                    for (mine, theirs) in mine.iter().zip(theirs) {
                        if self.text(mine.name) != other.text(theirs.name) {
                            return false;
                        }
                        left.push((mine.value, theirs.value));
                    }
                }
                (mine, theirs) => {
                    if self.scalar(mine).is_none() || self.scalar(mine) != other.scalar(theirs) {
                        return false;
                    }
                }
            }
        }
        true
    }

    pub(super) fn root(&self) -> Value {
        self.root
    }

    /// The elements of an array, including those of the arrays in it.
    pub(super) fn items(&self, array: Span) -> &[Value] {
        array.of(&self.items)
    }

    /// The member of an object with this name.
    pub(super) fn member(&self, object: Span, name: &[u8]) -> Option<Value> {
        let members = object.of(&self.members);
        let found = members.binary_search_by(|member| self.text(member.name).cmp(name));
        found.ok().map(|index| members[index].value)
    }

    pub(super) fn scalar(&self, value: Value) -> Option<Scalar<'_>> {
        match value {
            Value::Null => Some(Scalar::Null),
            Value::Boolean(boolean) => Some(Scalar::Boolean(boolean)),
            Value::Number(span) => Some(Scalar::Number(
                &self.json[span.start as usize..span.end as usize],
            )),
            Value::Text(_) | Value::Unescaped(_) => Some(Scalar::Text(self.text(value))),
            Value::Object(_) | Value::Array(_) => None,
        }
    }

    fn text(&self, text: Value) -> &[u8] {
        match text {
            Value::Text(span) => span.of(self.json.as_bytes()),
            Value::Unescaped(span) => span.of(&self.unescaped),
            _ => &[],
        }
    }

    /// The number of values below the root.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.items.len() + self.members.len()
    }

    /// The number of bytes that it takes in addition to the JSON text.
    #[cfg(test)]
    fn size(&self) -> usize {
        self.unescaped.capacity()
            + self.items.capacity() * size_of::<Value>()
            + self.members.capacity() * size_of::<Member>()
    }
}

/// An object or an array whose end has not been read yet.
enum Open {
    /// The index of the object's first member in the list of members of open objects.
    Object(usize),
    /// The index of the array's first element in the list of elements of open arrays, and the
    /// number of open arrays joined into it.
    Array(usize, usize),
}

/// The value that has just ended.
enum Closed {
    Value(Value),
    /// An array whose elements were added to the outer array.
    ArrayInArray,
}

impl Closed {
    fn value(self) -> Option<Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::ArrayInArray => None,
        }
    }
}

struct Reader<'a> {
    tree: Tree<'a>,
    nested_arrays: NestedArrays,
    at: usize,
    open: Vec<Open>,
    /// The members of all open objects.
    members: Vec<Member>,
    /// The elements of all open arrays.
    items: Vec<Value>,
}

impl<'a> Reader<'a> {
    fn new(json: &'a str, nested_arrays: NestedArrays) -> Self {
        Self {
            nested_arrays,
            tree: Tree {
                json,
                unescaped: Vec::new(),
                items: Vec::new(),
                members: Vec::new(),
                root: Value::Null,
            },
            at: 0,
            open: Vec::new(),
            members: Vec::new(),
            items: Vec::new(),
        }
    }

    fn read(mut self) -> Option<Tree<'a>> {
        loop {
            let mut value = match self.next()? {
                b'{' => {
                    self.open.push(Open::Object(self.members.len()));
                    match self.next()? {
                        b'}' => self.close()?.value(),
                        b'"' => {
                            self.name()?;
                            continue;
                        }
                        _ => return None,
                    }
                }
                b'[' => {
                    match self.open.last_mut() {
                        Some(Open::Array(_, inner))
                            if self.nested_arrays == NestedArrays::Joined =>
                        {
                            *inner += 1;
                        }
                        _ => self.open.push(Open::Array(self.items.len(), 0)),
                    }
                    if self.peek()? != b']' {
                        continue;
                    }
                    self.at += 1;
                    self.close()?.value()
                }
                b'"' => Some(self.text()?),
                b't' => Some(self.word("rue", Value::Boolean(true))?),
                b'f' => Some(self.word("alse", Value::Boolean(false))?),
                b'n' => Some(self.word("ull", Value::Null)?),
                b'-' | b'0'..=b'9' => Some(self.number()?),
                _ => return None,
            };
            // Stores the value in the object or array that holds it, and closes those that end with
            // it.
            loop {
                if let Some(value) = value.take() {
                    match self.open.last() {
                        None => {
                            self.tree.root = value;
                            return self.next().is_none().then_some(self.tree);
                        }
                        Some(Open::Object(_)) => self.members.last_mut()?.value = value,
                        Some(Open::Array(..)) => self.items.push(value),
                    }
                }
                let is_object = matches!(self.open.last()?, Open::Object(_));
                match (self.next()?, is_object) {
                    (b',', true) => {
                        if self.next()? != b'"' {
                            return None;
                        }
                        self.name()?;
                        break;
                    }
                    (b',', false) => break,
                    (b'}', true) | (b']', false) => value = self.close()?.value(),
                    _ => return None,
                }
            }
        }
    }

    /// The next byte that is not white space.
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&mut self) -> Option<u8> {
        let bytes = self.tree.json.as_bytes();
        while matches!(bytes.get(self.at)?, b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Ends the innermost object or array.
    fn close(&mut self) -> Option<Closed> {
        match self.open.last_mut()? {
            Open::Array(_, inner) if *inner > 0 => {
                *inner -= 1;
                Some(Closed::ArrayInArray)
            }
            Open::Array(first, _) => {
                let start = self.tree.items.len();
                self.tree.items.extend(self.items.drain(*first..));
                self.open.pop();
                Some(Closed::Value(Value::Array(Span::new(
                    start,
                    self.tree.items.len(),
                )?)))
            }
            Open::Object(first) => {
                let first = *first;
                let tree = &self.tree;
                // The sort is stable, so of several members with one name the last stays last.
                self.members[first..]
                    .sort_by(|one, other| tree.text(one.name).cmp(tree.text(other.name)));
                let start = tree.members.len();
                for index in first..self.members.len() {
                    let name = self.members[index].name;
                    let next = self.members.get(index + 1);
                    let is_last =
                        next.is_none_or(|next| self.tree.text(next.name) != self.tree.text(name));
                    if is_last {
                        self.tree.members.push(self.members[index]);
                    }
                }
                self.members.truncate(first);
                self.open.pop();
                Some(Closed::Value(Value::Object(Span::new(
                    start,
                    self.tree.members.len(),
                )?)))
            }
        }
    }

    /// Reads the name of a member, after its first quote.
    fn name(&mut self) -> Option<()> {
        let name = self.text()?;
        self.members.push(Member {
            name,
            value: Value::Object(Span::NONE),
        });
        (self.next()? == b':').then_some(())
    }

    fn word(&mut self, rest: &str, value: Value) -> Option<Value> {
        let bytes = self.tree.json.as_bytes();
        bytes[self.at..].starts_with(rest.as_bytes()).then(|| {
            self.at += rest.len();
            value
        })
    }

    fn number(&mut self) -> Option<Value> {
        let start = self.at - 1;
        let bytes = &self.tree.json.as_bytes()[self.at..];
        let is_of_a_number =
            |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        self.at += bytes.iter().take_while(|byte| is_of_a_number(byte)).count();
        Some(Value::Number(Span::new(start, self.at)?))
    }

    /// Reads a text, after its first quote.
    fn text(&mut self) -> Option<Value> {
        let bytes = self.tree.json.as_bytes();
        let start = self.at;
        let until = |from: usize| {
            let rest = bytes.get(from..)?;
            memchr::memchr2(b'"', b'\\', rest).map(|length| from + length)
        };
        let mut end = until(start)?;
        if bytes[end] == b'"' {
            self.at = end + 1;
            return Some(Value::Text(Span::new(start, end)?));
        }
        let first = self.tree.unescaped.len();
        let mut from = start;
        loop {
            self.tree.unescaped.extend(&bytes[from..end]);
            if bytes[end] == b'"' {
                break;
            }
            self.at = end + 1;
            self.escape()?;
            from = self.at;
            end = until(from)?;
        }
        self.at = end + 1;
        Some(Value::Unescaped(Span::new(
            first,
            self.tree.unescaped.len(),
        )?))
    }

    /// Reads an escape, after its backslash.
    fn escape(&mut self) -> Option<()> {
        let byte = *self.tree.json.as_bytes().get(self.at)?;
        self.at += 1;
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let unit = self.unit()?;
                let code = self.second_half(unit).unwrap_or(unit.into());
                push_code(&mut self.tree.unescaped, code);
                return Some(());
            }
            _ => return None,
        };
        self.tree.unescaped.push(plain);
        Some(())
    }

    /// The four digits of `\u`.
    fn unit(&mut self) -> Option<u16> {
        let digits = self.tree.json.get(self.at..self.at + 4)?;
        self.at += 4;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    }

    /// The character of a high surrogate and the escape that follows it.
    fn second_half(&mut self, first: u16) -> Option<u32> {
        let rest = self.tree.json.as_bytes().get(self.at..)?;
        if !(0xd800..0xdc00).contains(&first) || !rest.starts_with(b"\\u") {
            return None;
        }
        let before = self.at;
        self.at += 2;
        let second = self.unit().filter(|unit| (0xdc00..0xe000).contains(unit));
        let Some(second) = second else {
            self.at = before;
            return None;
        };
        Some(0x1_0000 + ((u32::from(first) - 0xd800) << 10) + (u32::from(second) - 0xdc00))
    }
}

/// Appends a code point in UTF-8, or an unpaired surrogate in the same scheme.
fn push_code(to: &mut Vec<u8>, code: u32) {
    if let Some(letter) = char::from_u32(code) {
        to.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
        return;
    }
    let bits = |shift: u32| u8::try_from((code >> shift) & 0x3f).expect("six bits");
    to.extend([0xed, 0x80 | bits(6), 0x80 | bits(0)]);
}

#[cfg(test)]
mod tests;
