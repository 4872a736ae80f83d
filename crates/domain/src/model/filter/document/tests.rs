use super::*;
use proptest::prelude::*;

/// The parsed value, as JSON without white space.
fn read(json: &str) -> Option<String> {
    let tree = Tree::read(json)?;
    Some(written(&tree, tree.root()))
}

fn written(tree: &Tree, value: Value) -> String {
    let text = |value| String::from_utf8_lossy(tree.text(value)).into_owned();
    match value {
        Value::Object(span) => {
            let members = span.of(&tree.members).iter();
            let members = members
                .map(|member| format!("{:?}:{}", text(member.name), written(tree, member.value)));
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
fn values_are_parsed_and_nested_arrays_are_joined() {
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
fn order_and_notation_of_numbers_and_escapes_do_not_affect_equality() {
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
fn an_unpaired_surrogate_is_a_text_that_differs_from_all_others() {
    let tree =
        Tree::read(r#"["\ud83d","\ude00\ud83d\ude00","\ud83d\u0041","\ud83dx","\ud83d\ud83d"]"#)
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
fn text_that_is_not_json_is_refused() {
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
fn the_memory_of_a_payload_depends_on_its_length_and_not_on_its_depth() {
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
        // The worst case is a one-digit element of two bytes; a growing list may be half empty.
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
    fn json_that_serde_json_accepts_is_parsed_alike(json in "[\\[\\]{}:,\"a0-2.eE \\\\u+-]{0,24}") {
        // `serde_json` parses each event first, so text that it refuses never gets here.
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&json) {
            let tree = Tree::read(&json);
            prop_assert!(tree.is_some(), "{}", json);
            let tree = tree.unwrap();
            prop_assert_eq!(value.is_object(), matches!(tree.root(), Value::Object(_)));
            prop_assert_eq!(value.is_array(), matches!(tree.root(), Value::Array(_)));
        }
    }

    #[test]
    fn every_text_is_parsed_as_by_serde_json(text in any::<String>()) {
        let json = serde_json::to_string(&text).unwrap();
        let tree = Tree::read(&json).unwrap();
        prop_assert_eq!(tree.text(tree.root()), text.as_bytes());
    }

    #[test]
    fn no_input_makes_it_panic(json in any::<String>()) {
        let _ = Tree::read(&json);
    }
}
