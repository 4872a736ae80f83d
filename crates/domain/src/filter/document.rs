//! A payload, read once for all filters that are held against it, and JSON texts that are
//! compared by what they say.
//!
//! The reader keeps its own stack, so it takes JSON that nests however deep, and a text
//! with half of a surrogate pair (`"\ud83d"`), which the grammar of JSON allows: such a
//! text is a text like any other, and no text of a filter equals it. `serde_json` takes
//! neither.

use std::cell::OnceCell;

use super::number::Decimal;

/// A JSON text, which is read when the first filter asks for it.
#[derive(Debug)]
pub struct Document<'a> {
    json: &'a str,
    tree: OnceCell<Option<Tree<'a>>>,
}

impl<'a> Document<'a> {
    /// Of JSON text.
    pub fn new(json: &'a str) -> Self {
        Self {
            json,
            tree: OnceCell::new(),
        }
    }

    /// What it says; `None` when it is no JSON.
    pub(super) fn tree(&self) -> Option<&Tree<'a>> {
        self.tree.get_or_init(|| Tree::read(self.json)).as_ref()
    }
}

/// Whether two JSON texts say the same: whatever the order of an object's members, the
/// spelling of a number (`1.0` is `1`) and the escapes of a text. Of a member that is there
/// twice the last counts. What is no JSON is compared as text.
///
/// Takes the time and the memory of reading both.
pub(crate) fn says_the_same(one: &str, other: &str) -> bool {
    let read = |json| Reader::new(json, NestedArrays::Kept).read();
    one == other
        || match (read(one), read(other)) {
            (Some(one), Some(other)) => one.says_the_same(&other),
            _ => false,
        }
}

/// The values of a payload, each in one place.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    json: &'a str,
    /// The texts that have escapes, without them: UTF-8, with half of a surrogate pair as
    /// three bytes that UTF-8 does not have ("WTF-8").
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
    /// A text as it is written, without its quotes.
    Text(Span),
    /// A text among those that have escapes.
    Unescaped(Span),
    /// Its members by name; of several with one name, the last.
    Object(Span),
    /// Its elements. [`NestedArrays`] says what stands in place of an array among them.
    Array(Span),
}

/// What becomes of an array that is an element of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NestedArrays {
    /// Its elements are elements of the outer array, as filters see them.
    Joined,
    /// It is an element.
    Kept,
}

/// A value that has no others in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'t> {
    Null,
    Boolean(bool),
    Number(&'t str),
    Text(&'t [u8]),
}

/// By value: a number may be written in many ways.
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

/// A part of one of the lists of a tree. An event has fewer than 2^32 bytes.
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

    /// Compares by a list of what is left to compare: JSON may nest however deep.
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

    /// The elements of an array, those of arrays in it included.
    pub(super) fn items(&self, array: Span) -> &[Value] {
        array.of(&self.items)
    }

    /// The member of an object that has the name.
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

    /// How many values there are below the root.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.items.len() + self.members.len()
    }

    /// How many bytes it takes beside the JSON text.
    #[cfg(test)]
    fn size(&self) -> usize {
        self.unescaped.capacity()
            + self.items.capacity() * size_of::<Value>()
            + self.members.capacity() * size_of::<Member>()
    }
}

/// An object or an array that is not at its end yet.
enum Open {
    /// The object's first member among those that wait for their object's end.
    Object(usize),
    /// The array's first element likewise, and how many arrays of its own are open.
    Array(usize, usize),
}

/// What ended.
enum Closed {
    Value(Value),
    /// Its elements are those of the array that it is in.
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
    /// Of all objects that are open.
    members: Vec<Member>,
    /// Of all arrays that are open.
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
            // The value goes where it belongs, and so does what ends with it.
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

    /// The next byte that is no white space.
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
                // Stable, so that of one name the last comes last.
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

    /// The name of a member, behind its first quote.
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

    /// A text, behind its first quote.
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

    /// An escape, behind its backslash.
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

    /// The character that a first half makes with the escape that follows.
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

/// Writes a code point as UTF-8 does, half of a surrogate pair included.
fn push_code(to: &mut Vec<u8>, code: u32) {
    if let Some(letter) = char::from_u32(code) {
        to.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
        return;
    }
    let bits = |shift: u32| u8::try_from((code >> shift) & 0x3f).expect("six bits");
    to.extend([0xed, 0x80 | bits(6), 0x80 | bits(0)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is read, as JSON without white space.
    fn read(json: &str) -> Option<String> {
        let tree = Tree::read(json)?;
        Some(written(&tree, tree.root()))
    }

    fn written(tree: &Tree, value: Value) -> String {
        let text = |value| String::from_utf8_lossy(tree.text(value)).into_owned();
        match value {
            Value::Object(span) => {
                let members = span.of(&tree.members).iter();
                let members = members.map(|member| {
                    format!("{:?}:{}", text(member.name), written(tree, member.value))
                });
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            Value::Array(span) => {
                let items = tree.items(span).iter().map(|item| written(tree, *item));
                format!("[{}]", items.collect::<Vec<_>>().join(","))
            }
            value => match tree.scalar(value).unwrap() {
                Scalar::Null => "null".to_owned(),
                Scalar::Boolean(boolean) => boolean.to_string(),
                Scalar::Number(number) => number.to_owned(),
                Scalar::Text(_) => format!("{:?}", text(value)),
            },
        }
    }

    #[test]
    fn values_are_read_and_arrays_of_arrays_are_one() {
        for (json, seen) in [
            (" { } ", "{}"),
            (r#"{"b":1,"a":[]}"#, r#"{"a":[],"b":1}"#),
            (
                r#"{"a":[[1,[2]],[],[[{"b":[[3]]}]],4]}"#,
                r#"{"a":[1,2,{"b":[3]},4]}"#,
            ),
            (r#"{"a":1,"b":2,"a":{"c":3}}"#, r#"{"a":{"c":3},"b":2}"#),
            (
                r#"{"\u0061":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#,
                "{\"a\":\"\\\"\\\\/\\u{8}\\u{c}\\n\\r\\té😀\"}",
            ),
            (
                " [ true , false,null,-0.0e+1] ",
                "[true,false,null,-0.0e+1]",
            ),
            (
                r#"{"a":{"b":{},"c":[{}]},"d":""}"#,
                r#"{"a":{"b":{},"c":[{}]},"d":""}"#,
            ),
        ] {
            assert_eq!(read(json).unwrap(), seen, "{json}");
        }
    }

    #[test]
    fn texts_say_the_same_whatever_their_order_numbers_and_escapes() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
        for (one, other, is_same) in [
            (
                r#"{"a":1,"b":[true,null]}"#,
                r#" { "b" : [ true , null ] , "a" : 1 } "#,
                true,
            ),
            (r#"{"a":1}"#, r#"{"a":2}"#, false),
            (r#"{"a":1}"#, r#"{"b":1}"#, false),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
            (r#"{"a":1}"#, r#"{"a":0,"a":1}"#, true),
            (r#"{"a":1}"#, r#"{"a":"1"}"#, false),
            (r#"{"a":{}}"#, r#"{"a":[]}"#, false),
            (r#"{"a":null}"#, "{}", false),
            ("[129.90,1e2,-0.0]", "[129.9,100,0]", true),
            ("12345678901234567890", "12345678901234567891", false),
            ("[1,2]", "[2,1]", false),
            ("[[1],[2]]", "[1,2]", false),
            ("[[1],[2]]", "[[1,2]]", false),
            (r#""\u00fc\/\u0000""#, r#""ü/\u0000""#, true),
            (r#""\ud83d\ude00""#, r#""😀""#, true),
            (r#""\ud83d""#, r#""\uD83D""#, true),
            (r#""\ud83d""#, r#""\ud83e""#, false),
            (&deep("1"), &deep("1.0"), true),
            (&deep("1"), &deep("2"), false),
            ("no JSON", "no JSON", true),
            ("no JSON", "no json", false),
        ] {
            assert_eq!(says_the_same(one, other), is_same, "{one:.40} {other:.40}");
            assert_eq!(says_the_same(other, one), is_same, "{other:.40} {one:.40}");
        }
    }

    #[test]
    fn half_of_a_surrogate_pair_is_a_text_of_its_own() {
        let tree = Tree::read(
            r#"["\ud83d","\ude00\ud83d\ude00","\ud83d\u0041","\ud83dx","\ud83d\ud83d"]"#,
        )
        .unwrap();
        let Value::Array(items) = tree.root() else {
            panic!()
        };
        let texts: Vec<&[u8]> = tree
            .items(items)
            .iter()
            .map(|item| tree.text(*item))
            .collect();
        assert_eq!(
            texts,
            [
                &b"\xed\xa0\xbd"[..],
                b"\xed\xb8\x80\xf0\x9f\x98\x80",
                b"\xed\xa0\xbdA",
                b"\xed\xa0\xbdx",
                b"\xed\xa0\xbd\xed\xa0\xbd"
            ]
        );
    }

    #[test]
    fn what_is_no_json_is_not_read() {
        for bad in [
            "",
            "{",
            "[",
            "\"",
            "{\"",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "[1,]",
            "[1",
            "[1 2]",
            "{\"a\" 1}",
            "{1:2}",
            "tru",
            "nul",
            "x",
            "1 2",
            "[]]",
            "{}}",
            "]",
            "}",
            "[}",
            "{]",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\\u12é\"",
            "[[1}",
            "[1]}",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_payload_takes_memory_by_its_length_and_whatever_its_depth() {
        let nested = |open: &str, close: &str, count: usize| {
            format!("{}1{}", open.repeat(count), close.repeat(count))
        };
        for json in [
            nested("[", "]", 120_000),
            nested(r#"{"a":"#, "}", 40_000),
            nested(r#"[{"a":"#, "}]", 30_000),
            format!("[{}1]", "1,".repeat(120_000)),
            format!("[{}1]", "{},".repeat(80_000)),
            format!("[{}1]", r#"{"":1},"#.repeat(35_000)),
            format!(r#"["{}"]"#, r"\u0041".repeat(40_000)),
        ] {
            let tree = Tree::read(&json).unwrap();
            // The greatest is a one-digit element of two bytes; a list that grows may be half empty.
            assert!(
                tree.size() <= 12 * json.len() + 64,
                "{} of {}",
                tree.size(),
                json.len()
            );
        }
    }

    proptest! {
        #[test]
        fn what_serde_json_reads_is_read_alike(json in "[\\[\\]{}:,\"a0-2.eE \\\\u+-]{0,24}") {
            // The parser that reads an event first; what it refuses never comes here.
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&json) {
                let tree = Tree::read(&json);
                prop_assert!(tree.is_some(), "{}", json);
                let tree = tree.unwrap();
                prop_assert_eq!(value.is_object(), matches!(tree.root(), Value::Object(_)));
                prop_assert_eq!(value.is_array(), matches!(tree.root(), Value::Array(_)));
            }
        }

        #[test]
        fn every_text_is_read_as_serde_json_does(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let tree = Tree::read(&json).unwrap();
            prop_assert_eq!(tree.text(tree.root()), text.as_bytes());
        }

        #[test]
        fn no_input_makes_it_panic(json in any::<String>()) {
            let _ = Tree::read(&json);
        }
    }
}
