//! What a filter sees of a payload.

use serde_json::value::RawValue;

use super::members::Members;
use super::pattern::{Fields, Node, matchers_name};

/// How deep a payload may nest for a filter. The matcher walks arrays by recursion, and
/// brackets alone would end the process.
pub(super) const MAX_DEPTH: usize = 256;

/// Whether JSON text nests deeper than [`MAX_DEPTH`].
pub(super) fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Whether there is a value at a path, in any element of any array on the way. An object or
/// an empty array is none ("only works on the leaf nodes", Event Ruler, "Exists matching").
///
/// What is given is JSON, and not [too deep](is_too_deep).
pub(super) fn has_value(json: &str, path: &[String]) -> bool {
    match (json.as_bytes().first(), path) {
        (Some(b'['), _) => serde_json::from_str::<Vec<&RawValue>>(json).is_ok_and(|elements| {
            elements
                .iter()
                .any(|element| has_value(element.get(), path))
        }),
        (Some(b'{'), [name, rest @ ..]) => {
            serde_json::from_str::<Members>(json).is_ok_and(|Members(members)| {
                let named = members.iter().rfind(|(member, _)| member == name);
                named.is_some_and(|(_, value)| has_value(value.get(), rest))
            })
        }
        (Some(b'{') | None, _) => false,
        (Some(_), path) => path.is_empty(),
    }
}

/// What a payload has at the fields that a pattern names, for the matcher: objects among the
/// values of an array would count for it as if they stood beside the array.
///
/// What is given is a JSON object, and not [too deep](is_too_deep).
pub(super) fn project(json: &str, fields: &Fields) -> String {
    let Members(members) = serde_json::from_str(json).unwrap_or_default();
    let named = fields.iter().filter_map(|(name, node)| {
        let (_, value) = members.iter().rfind(|(member, _)| member == name)?;
        Some(format!(
            "{}:{}",
            matchers_name(name),
            at(value.get(), node)?
        ))
    });
    format!("{{{}}}", named.collect::<Vec<_>>().join(","))
}

fn at(json: &str, node: &Node) -> Option<String> {
    match (json.as_bytes().first()?, node) {
        (b'[', _) => {
            let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            let elements = elements.iter().filter_map(|value| at(value.get(), node));
            Some(format!("[{}]", elements.collect::<Vec<_>>().join(",")))
        }
        (b'{', Node::Fields(fields)) => Some(project(json, fields)),
        (b'{', Node::Leaf) | (_, Node::Fields(_)) => None,
        (_, Node::Leaf) => Some(json.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    #[test]
    fn the_matcher_sees_the_named_fields_and_the_values_of_their_arrays() {
        let pattern = r#"{"a":[1],"b":{"c":[1],"d":[{"exists":false}]}}"#;
        let fields = Pattern::parse(pattern).unwrap().present.unwrap().fields;
        for (payload, seen) in [
            (r#"{"x":1}"#, "{}"),
            (r#"{"a":0.10,"b":{"d":1}}"#, r#"{"_a":0.10,"_b":{}}"#),
            (r#"{"a":{"c":1},"b":1}"#, "{}"),
            (
                r#"{"\u0061":["x",{"a":1},[{"b":1},2]]}"#,
                r#"{"_a":["x",[2]]}"#,
            ),
            (
                r#"{"b":[{"c":1,"x":2},3,{"c":[4,{}]}]}"#,
                r#"{"_b":[{"_c":1},{"_c":[4]}]}"#,
            ),
            (r#"{"a":1,"a":2}"#, r#"{"_a":2}"#),
        ] {
            assert_eq!(project(payload, &fields), seen, "{payload}");
        }
    }

    #[test]
    fn a_value_is_a_leaf_in_any_element() {
        let path = ["a".to_owned(), "b".to_owned()];
        for json in [
            r#"{"a":{"b":null}}"#,
            r#"{"a":[{"c":1},{"b":"x"}]}"#,
            r#"{"a":[[{"b":[[],[7]]}]]}"#,
            r#"{"\u0061":{"b":false}}"#,
        ] {
            assert!(has_value(json, &path), "{json}");
        }
        for json in [
            "{}",
            r#"{"a":{"b":{}}}"#,
            r#"{"a":{"b":[]}}"#,
            r#"{"a":{"b":{"c":1}}}"#,
            r#"{"a":"b"}"#,
            r#"{"b":1}"#,
        ] {
            assert!(!has_value(json, &path), "{json}");
        }
    }

    #[test]
    fn depth_is_of_brackets_outside_of_texts() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(nested(MAX_DEPTH).as_bytes()));
        assert!(is_too_deep(nested(MAX_DEPTH + 1).as_bytes()));
        let flat = format!(r#"["{}\"[",{}1]"#, "[".repeat(1_000), "[],".repeat(1_000));
        assert!(!is_too_deep(flat.as_bytes()));
    }
}
