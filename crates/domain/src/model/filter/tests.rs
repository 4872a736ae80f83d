use super::*;
use proptest::prelude::*;

fn matches(pattern: &str, payload: &str) -> bool {
    Filter::parse(pattern).unwrap().matches(payload).unwrap()
}

#[test]
fn a_filter_matches_as_eventbridge_does() {
    let payload = r#"{"total":120.5,"currency":"EUR","tags":["a","b"],"buyer":{"country":"DE"}}"#;
    assert!(matches(r#"{"currency":["EUR","USD"]}"#, payload));
    assert!(matches(
        r#"{"total":[{"numeric":[">",100,"<=",200]}]}"#,
        payload
    ));
    assert!(matches(
        r#"{"tags":["b"],"buyer":{"country":[{"prefix":"D"}]}}"#,
        payload
    ));
    assert!(matches(r#"{"coupon":[{"exists":false}]}"#, payload));
    assert!(!matches(
        r#"{"currency":[{"anything-but":["EUR"]}]}"#,
        payload
    ));
    assert!(!matches(r#"{"currency":["EUR"],"total":[1]}"#, payload));
}

#[test]
fn an_invalid_pattern_is_refused() {
    for bad in [
        "",
        "7",
        "[]",
        "{}",
        r#"{"a":{}}"#,
        r#"{"a":[]}"#,
        r#"{"a":"b"}"#,
        r#"{"a":[["b"]]}"#,
        r#"{"a":[{}]}"#,
        r#"{"a":[{"nonsense":1}]}"#,
        r#"{"a":[{"prefix":"x","suffix":"y"}]}"#,
        r#"{"a":[{"prefix":1}]}"#,
        r#"{"a":[{"wildcard":"x**"}]}"#,
        r#"{"a":[{"wildcard":"x\\y"}]}"#,
        r#"{"a":[{"exists":"true"}]}"#,
        r#"{"a":[{"anything-but":[]}]}"#,
        r#"{"a":[{"anything-but":["x",1]}]}"#,
        r#"{"a":[{"anything-but":["x",null]}]}"#,
        r#"{"a":[{"anything-but":true}]}"#,
        r#"{"a":[{"numeric":[]}]}"#,
        r#"{"a":[{"numeric":[">"]}]}"#,
        r#"{"a":[{"numeric":["!=",1]}]}"#,
        r#"{"a":[{"numeric":["=","1"]}]}"#,
        r#"{"a":[{"numeric":["<",5,">",1]}]}"#,
        r#"{"a":[{"numeric":[">",5,"<",1]}]}"#,
        r#"{"a":[{"numeric":["=",1,"=",2]}]}"#,
        r#"{"a":[{"cidr":"10.0.0.0"}]}"#,
        r#"{"a":[{"cidr":"10.0.0.1/32"}]}"#,
        r#"{"a":[{"cidr":"10.0.0.0/+8"}]}"#,
        r#"{"a":["#,
        r#"{"a":[1]} and more"#,
    ] {
        assert!(Filter::parse(bad).is_err(), "{bad}");
    }
    let long = format!(r#"{{"a":["{}"]}}"#, "x".repeat(2_048));
    assert!(matches!(
        Filter::parse(&long),
        Err(FilterError::Length { .. })
    ));
    let nested = |depth: usize| format!("{}[1]{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    assert!(Filter::parse(&nested(16)).is_ok());
    assert!(Filter::parse(&nested(17)).is_err());
    let wide = |fields: u32| {
        let fields = (0..fields).map(|n| format!(r#""f{n}":[1]"#));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    };
    assert!(Filter::parse(&wide(64)).is_ok());
    assert!(Filter::parse(&wide(65)).is_err());
    // Kinds of values and fields do not multiply, so they may be mixed.
    let mixed = wide(10).replace("[1]", r#"[{"prefix":"x"},{"suffix":"x"}]"#);
    assert!(Filter::parse(&mixed).is_ok());
}

#[test]
fn a_pattern_that_eventbridge_evaluates_differently_is_refused_with_its_path() {
    for (pattern, path) in [
        (r#"{"a":{"b":[{"regexp":"x"}]}}"#, "`a.b`"),
        (r#"{"a":[{"shellstyle":"x*"}]}"#, "`a`"),
        (r#"{"a":[{"exactly":"x"}]}"#, "`a`"),
        (r#"{"a.b":["x"]}"#, "`a.b`"),
        (r#"{"a\nb":["x"]}"#, r"`a\nb`"),
        (r#"{"a":["x"],"a":["y"]}"#, "`a`"),
        (r#"{"a":["x"],"$or":[{"a":["y"]},{"b":[1]}]}"#, "`a`"),
        (
            r#"{"a":["x"],"$or":[{"a":{"c":["y"]}},{"b":[1]}]}"#,
            "`a.c`",
        ),
        (r#"{"$or":[{"a":["x"]}]}"#, "`$or`"),
        (r#"{"$or":{"a":["x"]}}"#, "`$or`"),
        (r#"{"$or":["a","b"]}"#, "`$or`"),
        (r#"{"$or":[{"a":["x"]},{}]}"#, "`$or`"),
        (
            r#"{"$or":[{"a":["x"]},{"b":{"prefix":["y"]}}]}"#,
            "`$or.b.prefix`",
        ),
        (r#"{"a":[{"numeric":["<",1e1000001]}]}"#, "`a`"),
        (r#"{"a":[{"anything-but":{"prefix":""}}]}"#, "`a`"),
        (r#"{"a":[{"anything-but":{"prefix":[]}}]}"#, "`a`"),
        (
            r#"{"a":[{"anything-but":{"prefix":"x","suffix":"y"}}]}"#,
            "`a`",
        ),
        (r#"{"a":[{"anything-but":{"numeric":["=",1]}}]}"#, "`a`"),
        (r#"{"a":[{"prefix":{"suffix":"x"}}]}"#, "`a`"),
        (r#"{"a":["\ud83d"]}"#, "`a`"),
        (r#"{"\ud83d":["x"]}"#, "`"),
    ] {
        let error = Filter::parse(pattern).unwrap_err().to_string();
        assert!(error.starts_with(path), "{pattern}: {error}");
    }
}

#[test]
fn the_problem_with_a_number_is_named() {
    let problem = |pattern: &str| Filter::parse(pattern).unwrap_err().to_string();
    for fine in ["1e300", "9007199254740993", "1e15", "0.1234567890123456789"] {
        assert!(
            Filter::parse(&format!(r#"{{"a":[{fine}]}}"#)).is_ok(),
            "{fine}"
        );
    }
    assert_eq!(
        problem(r#"{"a":[1e1000001]}"#),
        "`a`: a number's exponent must be at most 1000000, positive or negative"
    );
}

#[test]
fn alternatives_and_fields_beside_them_must_match_in_one_element() {
    for (pattern, payload, wanted) in [
        (r#"{"$or":[{"a":[1]},{"b":[2]}]}"#, r#"{"b":2}"#, true),
        (r#"{"$or":[{"a":[1]},{"b":[2]}]}"#, r#"{"b":1}"#, false),
        (
            r#"{"c":[3],"$or":[{"a":[1]},{"b":[2]}]}"#,
            r#"{"b":2}"#,
            false,
        ),
        (
            r#"{"x":{"c":[3],"$or":[{"a":[1]},{"b":[2]}]}}"#,
            r#"{"x":[{"c":3},{"b":2}]}"#,
            false,
        ),
        (
            r#"{"x":{"c":[3],"$or":[{"a":[1]},{"b":[2]}]}}"#,
            r#"{"x":[{"c":3,"b":2},{"a":1}]}"#,
            true,
        ),
        // A field named both beside `$or` and in it refers to one array.
        (
            r#"{"x":{"c":[3]},"$or":[{"x":{"a":[1]}},{"b":[2]}]}"#,
            r#"{"x":[{"c":3},{"a":1}]}"#,
            false,
        ),
        (
            r#"{"x":{"c":[3]},"$or":[{"x":{"a":[1]}},{"b":[2]}]}"#,
            r#"{"x":[{"c":3},{"a":1}],"b":2}"#,
            true,
        ),
        (
            r#"{"$or":[{"a":[{"exists":false}]},{"b":[2]}]}"#,
            r#"{"a":1,"b":2}"#,
            true,
        ),
        (r#"{"a":[1,{"exists":false}]}"#, r#"{"b":1}"#, true),
        (r#"{"a":[1,{"exists":false}]}"#, r#"{"a":1}"#, true),
        (r#"{"a":[1,{"exists":false}]}"#, r#"{"a":2}"#, false),
    ] {
        assert_eq!(matches(pattern, payload), wanted, "{pattern} {payload}");
    }
}

#[test]
fn an_absent_field_is_absent_in_every_element_or_in_the_element_chosen_before() {
    // Each answer is Event Ruler's.
    for (pattern, payload, wanted) in [
        (
            r#"{"a":{"b":[{"exists":false}]}}"#,
            r#"{"a":[{"b":1},{"c":1}]}"#,
            false,
        ),
        (
            r#"{"a":{"b":[1],"c":[{"exists":false}]}}"#,
            r#"{"a":[{"b":1},{"c":2}]}"#,
            true,
        ),
        (
            r#"{"a":{"c":[1],"b":[{"exists":false}]}}"#,
            r#"{"a":[{"c":1},{"b":2}]}"#,
            false,
        ),
        (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":[]}"#, true),
        (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":1}"#, true),
        (
            r#"{"a":{"b":[{"exists":false}]}}"#,
            r#"{"a":{"b":[]}}"#,
            true,
        ),
        (
            r#"{"a":{"b":[{"exists":false}]}}"#,
            r#"{"a":{"b":{}}}"#,
            true,
        ),
        (
            r#"{"a":{"b":[{"exists":false}]}}"#,
            r#"{"a":{"b":null}}"#,
            false,
        ),
        (
            r#"{"a":{"b":[{"exists":false}]}}"#,
            r#"{"a":[[{"b":[[],[7]]}]]}"#,
            false,
        ),
    ] {
        assert_eq!(matches(pattern, payload), wanted, "{pattern} {payload}");
    }
}

#[test]
fn anything_but_matches_values_of_every_other_kind() {
    for (pattern, payload, wanted) in [
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":5}"#, true),
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":null}"#, true),
        (r#"{"a":[{"anything-but":5}]}"#, r#"{"a":"x"}"#, true),
        (r#"{"a":[{"anything-but":5}]}"#, r#"{"a":[5.0]}"#, false),
        (r#"{"a":[{"anything-but":5}]}"#, r#"{"a":[5,6]}"#, true),
        (r#"{"a":[{"anything-but":5}]}"#, r#"{"a":[]}"#, false),
        (r#"{"a":[{"anything-but":5}]}"#, "{}", false),
        (
            r#"{"a":[{"anything-but":{"prefix":["x","y"]}}]}"#,
            r#"{"a":"yz"}"#,
            false,
        ),
        (
            r#"{"a":[{"anything-but":{"suffix":"z"}}]}"#,
            r#"{"a":"yz"}"#,
            false,
        ),
        (
            r#"{"a":[{"anything-but":{"suffix":"z"}}]}"#,
            r#"{"a":5}"#,
            true,
        ),
        (
            r#"{"a":[{"anything-but":{"equals-ignore-case":"YZ"}}]}"#,
            r#"{"a":"yz"}"#,
            false,
        ),
        (
            r#"{"a":[{"anything-but":{"wildcard":["x*","*y*"]}}]}"#,
            r#"{"a":"zyz"}"#,
            false,
        ),
        (
            r#"{"a":[{"anything-but":{"wildcard":"x*"}}]}"#,
            r#"{"a":"zyz"}"#,
            true,
        ),
        (
            r#"{"a":[{"prefix":{"equals-ignore-case":"STRASSE"}}]}"#,
            r#"{"a":"strasse 1"}"#,
            true,
        ),
        (
            r#"{"a":[{"suffix":{"equals-ignore-case":"É"}}]}"#,
            r#"{"a":"abcé"}"#,
            true,
        ),
        (
            r#"{"a":[{"cidr":"2001:db8::/32"}]}"#,
            r#"{"a":"2001:db8::1"}"#,
            true,
        ),
        (r#"{"a":[{"numeric":[">",100]}]}"#, r#"{"a":1e400}"#, true),
        (
            r#"{"a":[9007199254740993]}"#,
            r#"{"a":9007199254740992}"#,
            false,
        ),
    ] {
        assert_eq!(matches(pattern, payload), wanted, "{pattern} {payload}");
    }
}

#[test]
fn an_unpaired_surrogate_hides_no_other_value() {
    let payload = r#"{"tags":{"\ud83d":1,"vip":true,"odd":"a\ud83d"}}"#;
    for (pattern, wanted) in [
        (r#"{"tags":{"vip":[true]}}"#, true),
        (r#"{"tags":{"vip":[{"exists":false}]}}"#, false),
        (r#"{"tags":{"odd":[{"exists":true}]}}"#, true),
        (r#"{"tags":{"odd":[{"prefix":"a"}]}}"#, true),
        (r#"{"tags":{"odd":["a"]}}"#, false),
        (r#"{"tags":{"odd":[{"anything-but":"a"}]}}"#, true),
        (r#"{"tags":{"odd":[{"wildcard":"a*"}]}}"#, true),
    ] {
        assert_eq!(matches(pattern, payload), wanted, "{pattern}");
    }
}

#[test]
fn cases_that_simple_matchers_get_wrong_are_right() {
    let below = r#"{"a":[{"numeric":["<",5]}]}"#;
    for (pattern, payload, wanted) in [
        (below, r#"{"a":4.9}"#, true),
        (below, r#"{"a":5}"#, false),
        (below, r#"{"a":"x"}"#, false),
        (below, r#"{"a":null}"#, false),
        (r#"{"a":[{"numeric":[">",0,"<",5]}]}"#, r#"{"a":0}"#, false),
        (r#"{"a":[{"numeric":[">=",0]}]}"#, r#"{"a":-0.0}"#, true),
        // A value of an array and an object in the same array are different elements.
        (r#"{"a":["x"]}"#, r#"{"a":[{"a":"x"}]}"#, false),
        (r#"{"a":[1],"b":[2]}"#, r#"{"a":[[],{"a":1,"b":2}]}"#, false),
        // Both fields must be in one element.
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"{"a":[{"b":1},{"c":2}]}"#,
            false,
        ),
        (
            r#"{"a":{"b":[1],"c":[2]}}"#,
            r#"{"a":[{},{"b":1,"c":2}]}"#,
            true,
        ),
        (
            r#"{"a":[{"exists":false}],"b":[{"exists":false}]}"#,
            r#"{"c":1}"#,
            true,
        ),
        (
            r#"{"a":[{"exists":false}],"b":["x"]}"#,
            r#"{"a":[{"b":"x"}]}"#,
            false,
        ),
        (
            r#"{"a":[{"exists":false}],"b":["x"]}"#,
            r#"{"a":{"c":1},"b":"x"}"#,
            true,
        ),
        // -0 equals 0.
        (r#"{"a":[0]}"#, r#"{"a":-0}"#, true),
        (r#"{"a":[-0.0]}"#, r#"{"a":0}"#, true),
        (r#"{"a":[{"numeric":["=",0]}]}"#, r#"{"a":-0.0}"#, true),
        (r#"{"a":[{"anything-but":[-0,1]}]}"#, r#"{"a":0}"#, false),
        (r#"{"a":[{"anything-but":0}]}"#, r#"{"a":-0e1}"#, false),
        // The quotes around a text are not part of it.
        (r#"{"a":[{"prefix":"x\""}]}"#, r#"{"a":"x"}"#, false),
        (r#"{"a":[{"prefix":"x\""}]}"#, r#"{"a":"x\"y"}"#, true),
        (r#"{"a":[{"suffix":"\"x"}]}"#, r#"{"a":"x"}"#, false),
        (r#"{"a":[{"suffix":"\"x"}]}"#, r#"{"a":"y\"x"}"#, true),
        (r#"{"a":[{"prefix":"\""}]}"#, r#"{"a":""}"#, false),
        (r#"{"a":[{"suffix":"\""}]}"#, r#"{"a":"\""}"#, true),
        (r#"{"a":[{"suffix":"\"*\\"}]}"#, r#"{"a":"\"*\\"}"#, true),
        (r#"{"a":[{"suffix":"\"*\\"}]}"#, r#"{"a":"\"x\\"}"#, false),
        // A name may be empty.
        (r#"{"":{"a":["x"]}}"#, r#"{"":{"a":"x"}}"#, true),
        (
            r#"{"":{"":[{"exists":true}]}}"#,
            r#"{"":[{"":null}]}"#,
            true,
        ),
        (r#"{"":["x"]}"#, r#"{"":"x"}"#, true),
    ] {
        assert_eq!(matches(pattern, payload), wanted, "{pattern} {payload}");
    }
}

#[test]
fn a_payload_is_evaluated_at_any_depth() {
    let brackets = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches(r#"{"a":[1]}"#, &brackets));
    assert!(matches(r#"{"b":[{"exists":false}]}"#, &brackets));
    let objects = format!(
        r#"{{"b":1,"a":{}1{}}}"#,
        r#"{"a":"#.repeat(50_000),
        "}".repeat(50_000)
    );
    assert!(matches(r#"{"b":[1]}"#, &objects));
}

fn number() -> impl Strategy<Value = f64> {
    let small = -20..20_i32;
    prop_oneof![small.prop_map(|n| f64::from(n) / 4.0), -1e9..1e9_f64].prop_map(|number| {
        // As people write numbers: at most 15 digits.
        format!("{number:.3}").parse().unwrap()
    })
}

proptest! {
    #[test]
    fn a_numeric_match_compares_numbers(bound in number(), value in number()) {
        let holds = |operator: &str| {
            matches(
                &format!(r#"{{"a":[{{"numeric":["{operator}",{bound:?}]}}]}}"#),
                &format!(r#"{{"a":{value:?}}}"#),
            )
        };
        prop_assert_eq!(holds("<"), value < bound);
        prop_assert_eq!(holds("<="), value <= bound);
        prop_assert_eq!(holds(">"), value > bound);
        prop_assert_eq!(holds(">="), value >= bound);
        #[expect(clippy::float_cmp, reason = "the very numbers")]
        let same = value == bound;
        prop_assert_eq!(holds("="), same);
    }

    #[test]
    fn a_range_contains_the_numbers_that_satisfy_both_ends(ends in (number(), number()), value in number()) {
        let (least, greatest) = (ends.0.min(ends.1), ends.0.max(ends.1));
        prop_assume!(least < greatest);
        let pattern = format!(r#"{{"a":[{{"numeric":[">",{least:?},"<=",{greatest:?}]}}]}}"#);
        let holds = matches(&pattern, &format!(r#"{{"a":{value:?}}}"#));
        prop_assert_eq!(holds, value > least && value <= greatest);
    }
}
