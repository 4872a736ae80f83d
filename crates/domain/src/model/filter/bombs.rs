//! Filters and payloads that are built to be expensive, and the limits of their cost.

use proptest::prelude::*;

use super::document::{Document, Value};
use super::pattern::Pattern;
use super::text::BYTES_PER_STEP;
use super::{Answer, Filter};

/// The bound that the module's documentation states.
fn bound(pattern: &str, payload: &str) -> u64 {
    let weight = u64::try_from(Pattern::parse(pattern).unwrap().weight()).unwrap();
    let document = Document::new(payload);
    let values = u64::try_from(document.tree().unwrap().len()).unwrap();
    let bytes = u64::try_from(payload.len()).unwrap();
    4 * weight * (values + 1) + weight * bytes / BYTES_PER_STEP
}

/// Evaluates a filter, and asserts that its cost is within the bound.
fn answer(pattern: &str, payload: &str) -> Answer {
    let filter = Filter::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    let answer = filter.answer(&Document::new(payload)).unwrap();
    let bound = bound(pattern, payload);
    assert!(
        answer.steps <= bound,
        "{} steps, at most {bound}: {pattern}",
        answer.steps
    );
    answer
}

fn array(element: &str, count: usize) -> String {
    format!("[{}]", vec![element; count].join(","))
}

/// As many parts as fit into a filter.
fn many(of: impl Fn(usize) -> String, separator: &str) -> String {
    let mut all = String::new();
    for number in 0.. {
        let one = of(number);
        if all.len() + one.len() > 1_990 {
            break;
        }
        all.push_str(if number == 0 { "" } else { separator });
        all.push_str(&one);
    }
    all
}

#[test]
fn the_cost_does_not_multiply_the_sizes_of_arrays() {
    let pattern = r#"{"a":["x"],"b":["x"],"c":["x"],"d":["y"]}"#;
    let x = array(r#""x""#, 2_400);
    let payload = format!(r#"{{"a":{x},"b":{x},"c":{x},"d":"z"}}"#);
    let cost = answer(pattern, &payload);
    assert!(!cost.is_wanted && cost.steps < 50, "{cost:?}");
    // The last of five arrays of 2,400 elements is searched once.
    let payload = format!(r#"{{"a":{x},"b":{x},"c":{x},"d":{x},"e":{x}}}"#);
    let cost = answer(
        r#"{"a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["y"]}"#,
        &payload,
    );
    assert!(!cost.is_wanted && cost.steps < 3 * 2_400, "{cost:?}");
}

#[test]
fn the_cost_does_not_multiply_kinds_of_values() {
    let affixes = |n: usize| format!(r#""f{n}":[{{"prefix":"x"}},{{"suffix":"y"}}]"#);
    let fields: Vec<_> = (0..6).map(affixes).collect();
    let pattern = format!(r#"{{"ip":[{{"cidr":"1.0.0.0/1"}}],{}}}"#, fields.join(","));
    assert!(answer(&pattern, "{}").steps < 10);
    assert!(answer(&pattern, r#"{"ip":"1.2.3.4","f0":"xy"}"#).steps < 20);
}

#[test]
fn a_wildcard_is_searched_once_from_the_left() {
    let gaps = format!(r#"{{"a":[{{"wildcard":"{}"}}]}}"#, "*a".repeat(900));
    for payload in [
        format!(r#"{{"a":"{}b"}}"#, "a".repeat(240_000)),
        format!(r#"{{"a":"{}"}}"#, "a".repeat(240_000)),
        format!(r#"{{"a":{}}}"#, array(r#""aaaaaaaaab""#, 20_000)),
        r#"{"a":""}"#.to_owned(),
    ] {
        answer(&gaps, &payload);
    }
    let near = format!(r#"{{"a":[{{"wildcard":"*{}b*"}}]}}"#, "a".repeat(1_900));
    let cost = answer(&near, &format!(r#"{{"a":"{}"}}"#, "a".repeat(240_000)));
    assert!(!cost.is_wanted && cost.steps < 10_000, "{cost:?}");
    let several = format!(
        r#"{{"a":[{}]}}"#,
        many(|n| format!(r#"{{"wildcard":"*a{n}*"}}"#), ",")
    );
    answer(&several, &format!(r#"{{"a":"{}"}}"#, "a".repeat(240_000)));
}

#[test]
fn absent_fields_are_searched_once_in_each_element() {
    let leaves: Vec<_> = (0..60)
        .map(|n| format!(r#""f{n}":[{{"exists":false}}]"#))
        .collect();
    let deep = |depth: usize, inner: &str| {
        format!(
            "{}{{{inner}}}{}",
            r#"{"a":"#.repeat(depth),
            "}".repeat(depth)
        )
    };
    let pattern = deep(15, &leaves.join(","));
    assert!(answer(&pattern, &deep(200, r#""x":1"#)).is_wanted);
    assert!(answer(&pattern, &deep(15, r#""f59":1"#)).steps < 300);
    let elements = format!(r#"{{"a":{}}}"#, array(r#"{"a":[{"a":[{"a":1}]}]}"#, 8_000));
    let cost = answer(&deep(4, &leaves.join(",")), &elements);
    assert!(cost.steps < 50 * 8_000, "{cost:?}");
    // Nested arrays, each with a field that must be absent.
    let nested = r#"{"a":{"a":[1],"b":{"a":[1],"b":{"a":[2],"b":[{"exists":false}]}}}}"#;
    let elements = array(r#"{"a":1,"b":[{"a":1,"b":[{"a":3},{"b":1}]}]}"#, 5_000);
    answer(nested, &format!(r#"{{"a":{elements}}}"#));
}

#[test]
fn the_costs_of_alternatives_add_up_and_do_not_multiply() {
    // All alternatives have the same field, so each is compared with one array.
    let alternatives: Vec<_> = (0..60).map(|n| format!(r#"{{"a":["x{n}"]}}"#)).collect();
    let pattern = format!(r#"{{"$or":[{}]}}"#, alternatives.join(","));
    answer(&pattern, &format!(r#"{{"a":{}}}"#, array("1", 120_000)));
    // Nine `$or` with two alternatives each, side by side: 512 combinations.
    let nested = (0..9).fold(r#""z":[1]"#.to_owned(), |inner, n| {
        format!(r#""f{n}":{{"$or":[{{"a":[1]}},{{"b":[1]}}]}},{inner}"#)
    });
    assert!(answer(&format!("{{{nested}}}"), r#"{"f0":{"a":1},"z":1}"#).steps < 100);
    let ten = (0..10).map(|n| format!(r#""f{n}":{{"$or":[{{"a":[1]}},{{"b":[1]}}]}}"#));
    let refused = Filter::parse(&format!("{{{}}}", ten.collect::<Vec<_>>().join(",")));
    assert!(refused.unwrap_err().to_string().contains("1000 ways"));
    // Each `$or` is nested in the one before.
    let deep = (0..15).fold(r#"{"a":[1]}"#.to_owned(), |inner, _| {
        format!(r#"{{"$or":[{inner},{{"b":[1]}}]}}"#)
    });
    answer(&deep, &format!(r#"{{"a":{}}}"#, array("2", 100_000)));
    // Beside a field that may be absent, each combination counts.
    let absent = |count: usize| {
        let fields = (0..count).map(|n| format!(r#""f{n}":[1,{{"exists":false}}]"#));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    };
    answer(&absent(5), &format!(r#"{{"f4":{}}}"#, array("2", 100_000)));
    for count in [6, 20, 64] {
        let refused = Filter::parse(&absent(count)).unwrap_err().to_string();
        assert!(refused.starts_with("is too complex"), "{refused}");
    }
}

#[test]
fn a_list_costs_one_step_and_each_operator_costs_one() {
    let numbers = array("1", 120_000);
    let texts = array(r#""aab""#, 40_000);
    for (value, weight) in [
        (
            format!(r#"{{"anything-but":[{}]}}"#, many(|n| n.to_string(), ",")),
            2,
        ),
        (
            format!(
                r#"{{"anything-but":[{}]}}"#,
                many(|n| format!(r#""a{n}""#), ",")
            ),
            2,
        ),
        (many(|n| n.to_string(), ","), 1),
        (many(|n| format!(r#"{{"numeric":["=",{n}]}}"#), ","), 100),
        (many(|n| format!(r#"{{"prefix":"aa{n}"}}"#), ","), 120),
        (
            many(|n| format!(r#"{{"equals-ignore-case":"ß{n}"}}"#), ","),
            80,
        ),
        (many(|n| format!(r#"{{"cidr":"10.0.{n}.0/24"}}"#), ","), 100),
    ] {
        let pattern = format!(r#"{{"a":[{value}]}}"#);
        assert!(
            Pattern::parse(&pattern).unwrap().weight() <= weight,
            "{pattern}"
        );
        for elements in [&numbers, &texts] {
            answer(&pattern, &format!(r#"{{"a":{elements}}}"#));
        }
    }
    let refused = format!(
        r#"{{"a":[{{"anything-but":{{"suffix":[{}]}}}}]}}"#,
        many(|n| format!(r#""{n}""#), ",")
    );
    assert!(
        Filter::parse(&refused)
            .unwrap_err()
            .to_string()
            .starts_with("is too complex")
    );
}

#[test]
fn letters_with_a_longer_upper_case_cost_no_more() {
    let pattern = format!(
        r#"{{"a":[{{"equals-ignore-case":"{}"}}]}}"#,
        "ΐ".repeat(900)
    );
    let expanded = "\u{399}\u{308}\u{301}".repeat(900);
    assert!(answer(&pattern, &format!(r#"{{"a":"{expanded}"}}"#)).is_wanted);
    assert!(!answer(&pattern, &format!(r#"{{"a":"{expanded}x"}}"#)).is_wanted);
    answer(
        &pattern,
        &format!(
            r#"{{"a":{}}}"#,
            array(&format!("\"{}x\"", "ΐ".repeat(100)), 1_000)
        ),
    );
}

#[test]
fn a_payload_of_any_depth_and_width_is_bounded() {
    let deep = format!("{}1{}", r#"{"a":["#.repeat(30_000), "]}".repeat(30_000));
    let pattern = format!("{}[1]{}", r#"{"a":"#.repeat(16), "}".repeat(16));
    assert!(answer(&pattern, &deep).steps < 200);
    let names = (0..20_000).map(|n| format!(r#""name-{n}":{n}"#));
    let wide = format!("{{{}}}", names.collect::<Vec<_>>().join(","));
    assert!(answer(r#"{"name-19999":[19999]}"#, &wide).steps < 10);
    let huge = format!(r#"{{"a":1{}}}"#, "0".repeat(240_000));
    let range = r#"{"a":[{"numeric":[">",1e239999,"<",1e240001]}]}"#;
    assert!(answer(range, &huge).is_wanted);
}

#[test]
fn a_payload_is_read_once_for_a_thousand_filters() {
    let payload = format!(r#"{{"a":{}}}"#, array("1", 120_000));
    let document = Document::new(&payload);
    let tree: *const _ = document.tree().unwrap();
    for number in 0..1_000 {
        let filter = Filter::parse(&format!(r#"{{"b":[{number}]}}"#)).unwrap();
        assert!(filter.answer(&document).unwrap().steps <= 3);
    }
    assert!(std::ptr::eq(tree, document.tree().unwrap()));
}

fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(r#"[{"exists":false}]"#.to_owned()),
        Just(r#"["x",{"prefix":"y"},{"wildcard":"*z"}]"#.to_owned()),
        Just(r#"[1,{"anything-but":{"suffix":["a","b"]}}]"#.to_owned()),
        Just("[2]".to_owned()),
    ];
    let object = leaf.prop_recursive(4, 24, 3, |inner| {
        proptest::collection::btree_map("[abc]", inner, 1..4).prop_map(|fields| {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{name:?}:{value}"));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        })
    });
    (object.clone(), object)
        .prop_map(|(one, other)| format!(r#"{{"a":{one},"$or":[{{"b":{one}}},{{"c":{other}}}]}}"#))
}

fn payload() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("\"z\"".to_owned()),
        Just("{}".to_owned())
    ];
    let value = value.prop_recursive(6, 64, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::btree_map("[abc]", inner, 0..4).prop_map(|fields| {
                let fields = fields
                    .iter()
                    .map(|(name, value)| format!("{name:?}:{value}"));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }),
        ]
    });
    value.prop_map(|value| format!(r#"{{"a":{value},"b":{value},"c":[{value}]}}"#))
}

proptest! {
    #[test]
    fn nothing_costs_more_than_the_bound(pattern in pattern(), payload in payload()) {
        if let Ok(filter) = Filter::parse(&pattern) {
            let answer = filter.answer(&Document::new(&payload)).unwrap();
            let bound = bound(&pattern, &payload);
            prop_assert!(answer.steps <= bound, "{} {} {}", answer.steps, bound, pattern);
        }
    }
}

/// The most expensive filters, with the largest number of values that an event can hold. Each is
/// abandoned, so the total for a customer is bounded.
#[test]
fn a_filter_that_costs_too_much_is_abandoned_and_counts_as_matched() {
    let texts = many(|n| format!("\"{n}\""), ",");
    let (texts, _) = texts[..1_000].rsplit_once(',').unwrap();
    let but_prefixes = format!(r#"{{"a":[{{"anything-but":{{"prefix":[{texts},"zz"]}}}}]}}"#);
    let wildcards = many(|n| format!(r#"{{"wildcard":"*{n}*z"}}"#), ",");
    let elements = (0..60).map(|n| format!(r#""f{n}":[{{"prefix":"y"}}]"#));
    let elements = elements.collect::<Vec<_>>().join(",");
    let x = array(r#""x""#, 65_000);
    let objects = array(r#"{"f0":"y"}"#, 23_000);
    let zz = array(r#""zz""#, 52_000);
    let long = "x".repeat(262_000);
    let but_gaps = many(|n| format!(r#""*y{n}*z*""#), ",");
    for (pattern, payload, is_given_up) in [
        (but_prefixes, format!(r#"{{"a":{zz}}}"#), true),
        (
            format!(r#"{{"a":[{wildcards}]}}"#),
            format!(r#"{{"a":{x}}}"#),
            true,
        ),
        (
            format!(r#"{{"a":{{{elements}}}}}"#),
            format!(r#"{{"a":{objects}}}"#),
            false,
        ),
        // A single value, but each comparison searches through all of it.
        (
            format!(r#"{{"a":[{{"anything-but":{{"wildcard":[{but_gaps}]}}}}]}}"#),
            format!(r#"{{"a":"{long}"}}"#),
            true,
        ),
    ] {
        assert!(payload.len() <= 262_144, "{}", payload.len());
        let filter = Filter::parse(&pattern).unwrap();
        let answer = filter.answer(&Document::new(&payload)).unwrap();
        // Slightly more is possible: the search in progress is completed.
        let most = Filter::MAX_STEPS + 262_144 / BYTES_PER_STEP + 10;
        assert!(answer.steps <= most, "{} steps: {pattern}", answer.steps);
        assert_eq!(answer.is_given_up, is_given_up, "{pattern}");
        assert_eq!(answer.is_wanted, is_given_up, "{pattern}");
    }
}

/// Checks that the `N` of the bound counts the values that are read.
#[test]
fn a_document_counts_its_values() {
    let document = Document::new(r#"{"a":[1,[2,{"b":3}]],"c":{}}"#);
    let tree = document.tree().unwrap();
    assert!(matches!(tree.root(), Value::Object(_)));
    // 1, 2, the object, 3, and the two members of the root.
    assert_eq!(tree.len(), 6);
}
