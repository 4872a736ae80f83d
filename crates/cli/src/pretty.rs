//! Formats JSON with line breaks, without changing its values.

use crate::terminal::clean;
use serde_json::value::RawValue;

/// The deepest nesting that is indented. Deeper levels get no further indentation, so that the
/// output of a body that consists of brackets stays in proportion to the body.
const MAX_INDENTED: usize = 40;

/// Returns the lines of a text, each after a margin. JSON is formatted; other text is
/// unchanged.
pub(crate) fn indented(text: &[u8], margin: &str) -> String {
    let text = String::from_utf8_lossy(text);
    let laid_out = match serde_json::from_str::<&RawValue>(&text) {
        Ok(json) => laid_out(json.get()),
        Err(_) => text.into_owned(),
    };
    let mut lines = String::new();
    for line in laid_out.lines() {
        lines.extend([margin, &clean(line), "\n"]);
    }
    lines
}

/// Formats valid JSON with a line for each member. Only white space changes.
fn laid_out(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut characters = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth.min(MAX_INDENTED)));
    };
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                out.push(c);
                while let Some(c) = characters.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(c);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = characters.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// Returns valid JSON without white space between its values; `None` if it is not JSON.
pub(crate) fn compact(json: &[u8]) -> Option<String> {
    let json: &RawValue = serde_json::from_slice(json).ok()?;
    let mut out = String::with_capacity(json.get().len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.get().chars() {
        if in_string || !c.is_ascii_whitespace() {
            out.push(c);
        }
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && c == '\\' && !escaped;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn json_is_laid_out_with_its_numbers_as_they_came() {
        let json =
            br#" {"a" :[1, {"b":1.50}],"e":{ }, "s":"x, \"y\": {", "n":12345678901234567890.10}"#;
        assert_eq!(
            indented(json, "  "),
            "  {\n    \"a\": [\n      1,\n      {\n        \"b\": 1.50\n      }\n    ],\n    \"e\": {},\n    \
             \"s\": \"x, \\\"y\\\": {\",\n    \"n\": 12345678901234567890.10\n  }\n"
        );
    }

    #[test]
    fn other_text_is_shown_without_control_characters() {
        assert_eq!(indented(b"a\x1b[2J\nb", "> "), "> a [2J\n> b\n");
        assert_eq!(indented(b"", "> "), "");
    }

    #[test]
    fn half_a_surrogate_pair_is_laid_out_as_it_came() {
        let json = br#"{"a":"\ud83d","\udc00":[1]}"#;
        let expected = "{\n  \"a\": \"\\ud83d\",\n  \"\\udc00\": [\n    1\n  ]\n}\n";
        assert_eq!(indented(json, ""), expected);
        assert_eq!(compact(json).unwrap().as_bytes(), json);
    }

    #[test]
    fn deep_nesting_is_laid_out_in_proportion_to_its_size() {
        let depth = 100_000;
        let json = "[".repeat(depth) + &"]".repeat(depth);
        let laid_out = indented(json.as_bytes(), "");
        assert!(laid_out.starts_with("[\n  [\n    ["), "it is laid out");
        assert!(laid_out.len() <= json.len() * (2 * MAX_INDENTED + 2));
        assert_eq!(compact(json.as_bytes()).unwrap(), json);
    }

    #[test]
    fn a_body_moves_and_forges_nothing() {
        for body in [
            "{\"a\":\"\u{9b}2J\u{7f}\u{202e}\u{2028}\u{e0041}\"}",
            "x\u{9b}2J\u{202e}\r\n",
        ] {
            let text = indented(body.as_bytes(), "  ");
            let harmful = |letter| letter != '\n' && crate::terminal::is_harmful(letter);
            assert!(!text.contains(harmful), "{text:?}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[ -~\\n]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn only_white_space_changes(value in value()) {
            let spread = serde_json::to_string_pretty(&value).unwrap();
            let tight = value.to_string();
            let back: Value = serde_json::from_str(&laid_out(&tight)).unwrap();
            prop_assert_eq!(&back, &value);
            prop_assert_eq!(compact(spread.as_bytes()).unwrap(), tight);
        }
    }
}
