//! Generates valid patterns and payloads, in pairs that match about as often as not.

use std::fmt::Write;

use fastrand::Rng;
use serde_json::json;

/// The names of fields, in patterns and payloads alike.
const NAMES: [&str; 7] = ["a", "b", "c", "é", "x y", "\"", ""];

const TEXTS: [&str; 29] = [
    "",
    "a",
    "ab",
    "abc",
    "ba",
    "A",
    "aB",
    "*",
    "a*b",
    "\\",
    "a\\b",
    "\"",
    "a\"b",
    "é",
    "É",
    "straße",
    "日本",
    "日本語",
    "😀",
    "a b",
    "a\nb",
    "\u{1}",
    "null",
    "true",
    "1",
    "10.0.0.1",
    "10.0.1.255",
    "192.168.0.1",
    "::1",
];

/// Numbers for payloads and patterns: at most 15 digits, below 1e15.
const NUMBERS: [&str; 24] = [
    "0",
    "-0",
    "0.0",
    "1",
    "1.0",
    "1e0",
    "10e-1",
    "1E+0",
    "-1",
    "-1.00",
    "0.1",
    "1e-1",
    "0.10",
    "2.5",
    "-2.5",
    "100",
    "1e2",
    "100.001",
    "0.000001",
    "1e-7",
    "4999999999.5",
    "123456789012345",
    "-123456789012345",
    "999999999999999",
];

/// Numbers for payloads only.
const GREAT_NUMBERS: [&str; 4] = [
    "1e15",
    "9007199254740993",
    "12345678901234567890",
    "-1.7976931348623157e308",
];

const CIDRS: [&str; 6] = [
    "10.0.0.0/24",
    "10.0.0.5/24",
    "10.0.0.1/31",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "192.168.0.0/16",
];

/// JSON that is not an array of values.
const NO_VALUES: [&str; 8] = [
    "[]", "{}", "1", "\"a\"", "null", "true", "[1,[2]]", "[1,{}]",
];

/// JSON that is not valid as a value in such an array.
const NO_VALUE: [&str; 39] = [
    r#"{"near":1}"#,
    r#"{"prefix":"a","suffix":"b"}"#,
    r#"{"prefix":1}"#,
    r#"{"prefix":null}"#,
    r#"{"prefix":["a"]}"#,
    r#"{"suffix":true}"#,
    r#"{"suffix":{}}"#,
    r#"{"wildcard":1}"#,
    r#"{"wildcard":"a**"}"#,
    r#"{"wildcard":"**"}"#,
    r#"{"wildcard":"a\\b"}"#,
    r#"{"wildcard":"a\\"}"#,
    r#"{"equals-ignore-case":1}"#,
    r#"{"equals-ignore-case":["a"]}"#,
    r#"{"exists":"true"}"#,
    r#"{"exists":1}"#,
    r#"{"exists":null}"#,
    r#"{"exists":[true]}"#,
    r#"{"anything-but":[]}"#,
    r#"{"anything-but":{}}"#,
    r#"{"anything-but":null}"#,
    r#"{"anything-but":true}"#,
    r#"{"anything-but":["a",1]}"#,
    r#"{"anything-but":["a",null]}"#,
    r#"{"anything-but":[[1]]}"#,
    r#"{"anything-but":{"numeric":["<",1]}}"#,
    r#"{"numeric":1}"#,
    r#"{"numeric":[]}"#,
    r#"{"numeric":["<"]}"#,
    r#"{"numeric":["<","1"]}"#,
    r#"{"numeric":["!=",1]}"#,
    r#"{"numeric":["<",1,">",0]}"#,
    r#"{"numeric":[">",1,"<",1]}"#,
    r#"{"numeric":[">",0,"<",1,"<",2]}"#,
    r#"{"cidr":8}"#,
    r#"{"cidr":"10.0.0.0"}"#,
    r#"{"cidr":"10.0.0/8"}"#,
    r#"{"cidr":"10.0.0.256/8"}"#,
    r#"{"cidr":"10.0.0.0/32"}"#,
];

/// Every kind of value that a pattern's field may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    Text,
    Number,
    Null,
    Boolean,
    Prefix,
    Suffix,
    Wildcard,
    EqualsIgnoreCase,
    AnythingButTexts,
    AnythingButNumbers,
    AnythingButAffix,
    AnythingButIgnoreCase,
    AnythingButWildcard,
    AffixIgnoreCase,
    Numeric,
    NumericRange,
    Cidr,
    Exists,
    DoesNotExist,
    Or,
}

impl Operator {
    pub(crate) const ALL: [Self; 20] = [
        Self::Text,
        Self::Number,
        Self::Null,
        Self::Boolean,
        Self::Prefix,
        Self::Suffix,
        Self::Wildcard,
        Self::EqualsIgnoreCase,
        Self::AnythingButTexts,
        Self::AnythingButNumbers,
        Self::AnythingButAffix,
        Self::AnythingButIgnoreCase,
        Self::AnythingButWildcard,
        Self::AffixIgnoreCase,
        Self::Numeric,
        Self::NumericRange,
        Self::Cidr,
        Self::Exists,
        Self::DoesNotExist,
        Self::Or,
    ];

    /// The number of operators, counted from the first, that may be combined with others.
    const COMBINED: usize = 17;
}

/// A pattern and a payload.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) pattern: String,
    pub(crate) payload: String,
    /// The operators of the pattern.
    pub(crate) operators: Vec<Operator>,
}

/// The part of a pattern at one field.
enum Node {
    /// Values, as JSON.
    Values(String),
    Fields(Vec<(&'static str, Node)>),
    /// `$or`: objects of which at least one must match.
    AnyOf(Vec<Vec<(&'static str, Node)>>),
}

/// Generates pairs. One seed always gives the same pairs.
pub(crate) struct Generator {
    random: Rng,
    operators: Vec<Operator>,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            operators: Vec::new(),
        }
    }

    pub(crate) fn pair(&mut self) -> Pair {
        self.operators.clear();
        let fields = self.fields(3);
        let pattern = self.object(&fields, |_, node| Some(pattern_text(node)));
        Pair {
            pattern,
            payload: self.payload(&fields, 3),
            operators: self.operators.clone(),
        }
    }

    /// A pattern in which one field has something that is neither values nor fields.
    pub(crate) fn damaged_pattern(&mut self) -> String {
        let mut fields = self.fields(3);
        let damage = if self.one_in(3) {
            self.pick(&NO_VALUES).to_owned()
        } else {
            format!("[{}]", self.pick(&NO_VALUE))
        };
        self.damage(&mut fields, damage);
        self.object(&fields, |_, node| Some(pattern_text(node)))
    }

    fn damage(&mut self, fields: &mut [(&'static str, Node)], damage: String) {
        let index = self.random.usize(0..fields.len());
        match &mut fields[index].1 {
            Node::Fields(fields) => self.damage(fields, damage),
            Node::AnyOf(alternatives) => self.damage(&mut alternatives[0], damage),
            node @ Node::Values(_) => *node = Node::Values(damage),
        }
    }

    fn one_in(&mut self, number: u32) -> bool {
        self.random.u32(0..number) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.usize(0..of.len())]
    }

    fn text(&mut self) -> &'static str {
        self.pick(&TEXTS)
    }

    fn number(&mut self) -> &'static str {
        self.pick(&NUMBERS)
    }

    /// The fields of a pattern.
    fn fields(&mut self, depth: u32) -> Vec<(&'static str, Node)> {
        let mut names = NAMES;
        self.random.shuffle(&mut names);
        let count = self.pick(&[1, 1, 2, 2, 3]);
        let mut fields = self.named(&names[..count], depth);
        if self.one_in(6) {
            // Uses names that are not beside `$or`: a name that is both beside it and in it is
            // refused.
            self.operators.push(Operator::Or);
            let others = &names[count..];
            let alternatives = (0..self.pick(&[2, 2, 3])).map(|_| {
                let first = self.random.usize(0..others.len() - 1);
                let count = self.pick(&[1, 1, 2]);
                self.named(&others[first..first + count], depth)
            });
            let alternatives = alternatives.collect();
            fields.push(("$or", Node::AnyOf(alternatives)));
        }
        fields
    }

    fn named(&mut self, names: &[&'static str], depth: u32) -> Vec<(&'static str, Node)> {
        let mut fields = Vec::new();
        for name in names {
            let node = if depth > 1 && self.one_in(4) {
                Node::Fields(self.fields(depth - 1))
            } else {
                Node::Values(self.values())
            };
            fields.push((*name, node));
        }
        fields
    }

    fn values(&mut self) -> String {
        if self.one_in(6) {
            let (operator, values) = self.pick(&[
                (Operator::Exists, r#"[{"exists":true}]"#),
                (Operator::DoesNotExist, r#"[{"exists":false}]"#),
            ]);
            self.operators.push(operator);
            return values.to_owned();
        }
        let count = self.pick(&[1, 1, 2, 3]);
        let values = (0..count).map(|_| {
            let operator = self.pick(&Operator::ALL[..Operator::COMBINED]);
            self.operators.push(operator);
            self.value(operator)
        });
        let values: Vec<_> = values.collect();
        format!("[{}]", values.join(","))
    }

    fn value(&mut self, operator: Operator) -> String {
        match operator {
            Operator::Text => json!(self.text()).to_string(),
            Operator::Number => self.number().to_owned(),
            Operator::Null => "null".to_owned(),
            Operator::Boolean => self.pick(&["true", "false"]).to_owned(),
            Operator::Prefix => json!({"prefix": self.part()}).to_string(),
            Operator::Suffix => json!({"suffix": self.part()}).to_string(),
            Operator::Wildcard => json!({"wildcard": self.wildcard()}).to_string(),
            Operator::EqualsIgnoreCase => self.equals_ignore_case(),
            Operator::AnythingButTexts => {
                let texts: Vec<_> = (0..self.pick(&[1, 1, 3])).map(|_| self.text()).collect();
                match texts[..] {
                    [only] if self.one_in(2) => json!({"anything-but": only}).to_string(),
                    _ => json!({"anything-but": texts}).to_string(),
                }
            }
            Operator::AnythingButNumbers => {
                let numbers: Vec<_> = (0..self.pick(&[1, 1, 3])).map(|_| self.number()).collect();
                match numbers[..] {
                    [only] if self.one_in(2) => format!(r#"{{"anything-but":{only}}}"#),
                    _ => format!(r#"{{"anything-but":[{}]}}"#, numbers.join(",")),
                }
            }
            Operator::AnythingButAffix => {
                let operator = self.pick(&["prefix", "suffix"]);
                let part = loop {
                    let part = self.part();
                    if !part.is_empty() {
                        break part;
                    }
                };
                if self.one_in(2) {
                    json!({"anything-but": {operator: [part, "x"]}}).to_string()
                } else {
                    json!({"anything-but": {operator: part}}).to_string()
                }
            }
            Operator::AnythingButIgnoreCase => {
                format!(r#"{{"anything-but":{}}}"#, self.equals_ignore_case())
            }
            Operator::AnythingButWildcard => {
                json!({"anything-but": {"wildcard": self.wildcard()}}).to_string()
            }
            Operator::AffixIgnoreCase => {
                let operator = self.pick(&["prefix", "suffix"]);
                format!(r#"{{"{operator}":{}}}"#, self.equals_ignore_case())
            }
            Operator::Numeric => {
                let (operator, number) = (self.pick(&["=", "<", "<=", ">", ">="]), self.number());
                format!(r#"{{"numeric":["{operator}",{number}]}}"#)
            }
            Operator::NumericRange => self.range(),
            Operator::Cidr => json!({"cidr": self.pick(&CIDRS)}).to_string(),
            Operator::Exists | Operator::DoesNotExist | Operator::Or => {
                unreachable!("they stand alone")
            }
        }
    }

    /// A prefix or a suffix of a text.
    fn part(&mut self) -> String {
        let text: Vec<char> = self.text().chars().collect();
        let cut = self.random.usize(0..=text.len());
        self.pick(&[&text[..cut], &text[cut..]]).iter().collect()
    }

    /// A text with some of its characters replaced by wildcards.
    fn wildcard(&mut self) -> String {
        let mut pattern = String::new();
        let mut is_open = false;
        for letter in self.text().chars() {
            if self.one_in(3) {
                // Two wildcards in a row are refused.
                if !is_open {
                    pattern.push('*');
                }
                is_open = true;
            } else {
                if matches!(letter, '*' | '\\') {
                    pattern.push('\\');
                }
                pattern.push(letter);
                is_open = false;
            }
        }
        if !is_open && self.one_in(3) {
            pattern.push('*');
        }
        pattern
    }

    /// Letters without exactly one other case are refused.
    fn equals_ignore_case(&mut self) -> String {
        let text = self.text().replace('ß', "s");
        let text: String = text
            .chars()
            .map(|letter| {
                let capital = letter.to_uppercase().next().unwrap_or(letter);
                self.pick(&[letter, capital])
            })
            .collect();
        json!({"equals-ignore-case": text}).to_string()
    }

    fn range(&mut self) -> String {
        loop {
            let (least, greatest) = (self.number(), self.number());
            let value = |number: &str| number.parse::<f64>().unwrap();
            if value(least) < value(greatest) {
                let (from, to) = (self.pick(&[">", ">="]), self.pick(&["<", "<="]));
                return format!(r#"{{"numeric":["{from}",{least},"{to}",{greatest}]}}"#);
            }
        }
    }

    /// A payload for a pattern: it has the pattern's fields, mostly with values that the pattern
    /// may name, and some other fields.
    fn payload(&mut self, fields: &[(&'static str, Node)], depth: u32) -> String {
        let mut members = Vec::new();
        let chosen = fields.iter().flat_map(|(name, node)| match node {
            Node::AnyOf(alternatives) => {
                let chosen = self.random.usize(0..alternatives.len());
                alternatives[chosen]
                    .iter()
                    .map(|(name, node)| (*name, node))
                    .collect()
            }
            node => vec![(*name, node)],
        });
        let chosen: Vec<_> = chosen.collect();
        for (name, node) in &chosen {
            let is_left_out = match node {
                Node::Values(values) if values.contains("false}") => self.one_in(2),
                _ => self.one_in(10),
            };
            if is_left_out {
                continue;
            }
            let value = match node {
                Node::Fields(fields) if !self.one_in(8) => self.objects(fields, depth),
                Node::Values(values) if !self.one_in(8) => self.wanted(values),
                Node::Fields(_) | Node::Values(_) | Node::AnyOf(_) => self.any(depth),
            };
            members.push((*name, value));
        }
        if self.one_in(3) {
            let name = self.pick(&NAMES);
            if members.iter().all(|(before, _)| *before != name) {
                members.push((name, self.any(depth)));
            }
        }
        self.random.shuffle(&mut members);
        self.object(&members, |_, value| Some(value.clone()))
    }

    /// An object, or an array that holds some objects.
    fn objects(&mut self, fields: &[(&'static str, Node)], depth: u32) -> String {
        if !self.one_in(3) {
            return self.payload(fields, depth - 1);
        }
        let elements = (0..self.random.u32(0..4)).map(|_| match self.random.u32(0..8) {
            0 => self.any(depth - 1),
            1 => format!("[{}]", self.payload(fields, depth - 1)),
            _ => self.payload(fields, depth - 1),
        });
        let elements: Vec<_> = elements.collect();
        format!("[{}]", elements.join(","))
    }

    /// A value that a pattern's field names or nearly names, or an array with such a value.
    fn wanted(&mut self, values: &str) -> String {
        let near = if self.one_in(3) {
            self.scalar()
        } else if values.contains("numeric") || values.contains(|c: char| c.is_ascii_digit()) {
            self.number().to_owned()
        } else {
            let named = TEXTS.into_iter().filter(|text| {
                let text = json!(text).to_string();
                values.contains(text.trim_matches('"'))
            });
            let named: Vec<_> = named.collect();
            let text = self.pick(&named);
            self.written(text)
        };
        if !self.one_in(4) {
            return near;
        }
        let mut elements = vec![near];
        for _ in 0..self.random.u32(0..3) {
            elements.push(self.any(1));
        }
        self.random.shuffle(&mut elements);
        format!("[{}]", elements.join(","))
    }

    fn scalar(&mut self) -> String {
        match self.random.u32(0..10) {
            0 => "null".to_owned(),
            1 => "true".to_owned(),
            2 => "false".to_owned(),
            3 => self.pick(&GREAT_NUMBERS).to_owned(),
            4..7 => self.number().to_owned(),
            _ => {
                let text = self.text();
                self.written(text)
            }
        }
    }

    /// Any value, nested at most this deep.
    fn any(&mut self, depth: u32) -> String {
        match self.random.u32(0..6) {
            0 if depth > 0 => {
                let elements = (0..self.random.u32(0..4)).map(|_| self.any(depth - 1));
                let elements: Vec<_> = elements.collect();
                format!("[{}]", elements.join(","))
            }
            1 if depth > 0 => self.payload(&[], depth - 1),
            _ => self.scalar(),
        }
    }

    /// A text as JSON, with some of its characters escaped.
    fn written(&mut self, text: &str) -> String {
        let mut json = String::from("\"");
        for letter in text.chars() {
            if self.one_in(6) {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    write!(json, "\\u{unit:04x}").expect("a string takes all");
                }
            } else {
                let letter = json!(letter).to_string();
                json.push_str(&letter[1..letter.len() - 1]);
            }
        }
        json + "\""
    }

    /// An object as JSON, with white space at random places.
    fn object<T>(
        &mut self,
        members: &[(&'static str, T)],
        text: impl Fn(&'static str, &T) -> Option<String>,
    ) -> String {
        let members = members.iter().filter_map(|(name, value)| {
            let space = self.pick(&["", "", "", " ", "\n "]);
            let name_text = json!(name).to_string();
            Some(format!("{name_text}:{space}{}", text(name, value)?))
        });
        let members: Vec<_> = members.collect();
        format!("{{{}}}", members.join(","))
    }
}

fn pattern_text(node: &Node) -> String {
    let object = |fields: &[(&'static str, Node)]| {
        let fields = fields
            .iter()
            .map(|(name, node)| format!("{}:{}", json!(name), pattern_text(node)));
        let fields: Vec<_> = fields.collect();
        format!("{{{}}}", fields.join(","))
    };
    match node {
        Node::Values(values) => values.clone(),
        Node::Fields(fields) => object(fields),
        Node::AnyOf(alternatives) => {
            let alternatives = alternatives.iter().map(|fields| object(fields));
            format!("[{}]", alternatives.collect::<Vec<_>>().join(","))
        }
    }
}
