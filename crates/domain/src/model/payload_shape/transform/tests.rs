use proptest::prelude::*;
use serde_json::json;

use super::*;

const EVENT_TEXT: &str = r#"{"version":"0","detail-type":"order.created","source":"s","time":"2026-01-31T09:30:00Z",
 "detail":{"total":0.10,"big":1e400,"id":12345678901234567890,"name":"Zoë \"the\" <total>\n","tags":["a","b"],
  "address":{"city":"Köln","n\\o":null},"yes":true,"none":null,"total":0.20}}"#;

fn transform(paths: &[(&str, &str)], template: &str) -> Transform {
    let paths = paths.iter();
    let paths = paths.map(|&(name, path)| (name.to_owned(), path.to_owned()));
    Transform::new(paths.collect(), template.to_owned())
}

/// The paths of most tests.
fn with(template: &str) -> Transform {
    let fields = [
        "total", "big", "id", "name", "tags", "address", "yes", "none", "lost",
    ];
    let paths: Vec<_> = fields
        .map(|field| (field, format!("$.detail.{field}")))
        .into();
    let paths: Vec<_> = paths
        .iter()
        .map(|(name, path)| (*name, path.as_str()))
        .collect();
    transform(&paths, template)
}

fn apply(transform: &Transform, content_type: Option<&str>) -> String {
    let content_type = content_type.map(|text| ContentType::parse(text).unwrap());
    transform.check(content_type.as_ref()).unwrap();
    let body = transform.apply(EVENT_TEXT, content_type.as_ref(), 1_000_000);
    body.unwrap()
}

fn problem(transform: &Transform, content_type: Option<&str>) -> String {
    let content_type = content_type.map(|text| ContentType::parse(text).unwrap());
    transform
        .check(content_type.as_ref())
        .unwrap_err()
        .to_string()
}

#[test]
fn values_are_written_as_the_event_has_them() {
    for (template, body) in [
        (
            r#"{"t":<total>,"b":<big>,"i":<id>}"#,
            r#"{"t":0.20,"b":1e400,"i":12345678901234567890}"#,
        ),
        (r#"{"n":<name>}"#, r#"{"n":"Zoë \"the\" <total>\n"}"#),
        (r#"{"n":"<name>!"}"#, r#"{"n":"Zoë \"the\" <total>\n!"}"#),
        (
            r#"{"t":"<total>","y":"<yes>","0":"<none>"}"#,
            r#"{"t":"0.20","y":"true","0":"null"}"#,
        ),
        (
            r"[<tags>,<address>]",
            r#"[["a","b"],{"city":"Köln","n\\o":null}]"#,
        ),
        (
            r#""<tags> <address>""#,
            r#""[a,b] {city:Köln,n\\\\o:null}""#,
        ),
        (
            r#"{"lost":<lost>,"text":"[<lost>]"}"#,
            r#"{"lost":null,"text":"[]"}"#,
        ),
        (
            r#""<<total>> <no name> <https://x.example|y> < total>""#,
            r#""<0.20> <no name> <https://x.example|y> < total>""#,
        ),
        (r#""\"<total>\" \\<total>""#, r#""\"0.20\" \\0.20""#),
        ("\n [ <total> ,\t<total>]", "\n [ 0.20 ,\t0.20]"),
    ] {
        assert_eq!(apply(&with(template), None), body, "{template}");
    }
}

#[test]
fn the_reserved_variables_are_the_event() {
    let body = apply(&with("[<aws.events.event.json>,<aws.events.event>]"), None);
    let event: serde_json::Value = serde_json::from_str(r#"{"version":"0","detail-type":"order.created","source":"s","time":"2026-01-31T09:30:00Z"}"#).unwrap();
    let rest = body.strip_prefix(&format!("[{EVENT_TEXT},")).unwrap();
    let without_detail: serde_json::Value =
        serde_json::from_str(rest.strip_suffix(']').unwrap()).unwrap();
    assert_eq!(without_detail, event);
}

#[test]
fn an_escaped_name_of_the_detail_is_left_out_too() {
    let event = r#"{"version":"0","d\u0065tail":{"secret":1}}"#;
    assert_eq!(without_detail(event).unwrap(), r#"{"version":"0"}"#);
}

#[test]
fn a_value_is_escaped_for_its_language() {
    let template = with("<order><name>|<total>|<tags>|<lost>|</order>");
    for (content_type, body) in [
        (
            "text/plain",
            "<order>Zoë \"the\" <total>\n|0.20|[\"a\",\"b\"]||</order>",
        ),
        (
            "text/xml",
            "<order>Zoë &quot;the&quot; &lt;total&gt;\n|0.20|[&quot;a&quot;,&quot;b&quot;]||</order>",
        ),
        (
            "application/x-www-form-urlencoded",
            "<order>Zo%C3%AB+%22the%22+%3Ctotal%3E%0A|0.20|%5B%22a%22%2C%22b%22%5D||</order>",
        ),
    ] {
        assert_eq!(apply(&template, Some(content_type)), body, "{content_type}");
    }
    let control = Transform::new([("c".into(), "$.c".into())].into(), "<c>".into());
    let xml = ContentType::parse("text/xml").unwrap();
    let body = control.apply(r#"{"c":"\u0000\u0008\ud83d\uffff\n"}"#, Some(&xml), 100);
    assert!(
        body.unwrap()
            .chars()
            .all(|c| matches!(c, '\u{fffd}' | '\n'))
    );
}

#[test]
fn a_problem_names_its_place() {
    for (template, expected) in [
        (
            r#"{"<total>":1}"#,
            "`template`, character 3: placeholder `<total>` must not be in the name of a member",
        ),
        (
            r#"{"a<total>b" : 1}"#,
            "`template`, character 4: placeholder `<total>` must not be in the name of a member",
        ),
        (
            "{<total>: 1}",
            "`template`, character 2: placeholder `<total>` must not be in the name of a member",
        ),
        (
            r#"{"ü":<totl>}"#,
            "`template`, character 6: placeholder `<totl>` must be in `paths`",
        ),
        (
            r#""<aws.events.event.json>""#,
            "`template`, character 2: placeholder `<aws.events.event.json>` must be a value of its own, is in a string",
        ),
        (
            r"[<aws.events.rule-arn>]",
            "`template`, character 2: placeholder `<aws.events.rule-arn>` must be `<aws.events.event.json>`, `<aws.events.event>` or a name in `paths`",
        ),
        (
            "{\"ü\":1,\n\"b\":2,,}",
            "`template`, character 15: must be JSON with a JSON content type: key must be a string",
        ),
        (
            "1<total>",
            "`template`, character 2: must be JSON with a JSON content type: trailing characters",
        ),
        (
            "<total><total>",
            "`template`, character 8: must be JSON with a JSON content type: trailing characters",
        ),
        (
            "\"a\u{0}\"",
            "`template`, character 3: must not be the control character U+0000",
        ),
        (
            "<total> is due",
            "`template`, character 9: must be JSON with a JSON content type: trailing characters",
        ),
        ("", "`template` must be 1 to 8192 characters, is 0"),
    ] {
        assert_eq!(problem(&with(template), None), expected, "{template}");
    }
    assert_eq!(
        problem(&with("<total>\u{7f}"), Some("text/plain")),
        "`template`, character 8: must not be the control character U+007F"
    );
    for (name, path, expected) in [
        (
            "a b",
            "$.a",
            "`paths`: name `a b` must be 1 to 256 letters, digits, `_` and `-`",
        ),
        (
            "",
            "$.a",
            "`paths`: name `` must be 1 to 256 letters, digits, `_` and `-`",
        ),
        (
            "aws.x",
            "$.a",
            "`paths`: name `aws.x` must be 1 to 256 letters, digits, `_` and `-`",
        ),
        (
            "a",
            "$.*",
            "`paths`, `a`: must have a name of letters, digits, `-`, `_` and `/` after each `.`",
        ),
        (
            "a",
            "detail",
            "`paths`, `a`: must begin with `$`, as in `$.detail.total`",
        ),
    ] {
        assert_eq!(problem(&transform(&[(name, path)], "1"), None), expected);
    }
}

#[test]
fn sizes_are_bounded() {
    let paths = |count: usize| {
        let path = |n| (format!("p{n}"), "$.detail".to_owned());
        (0..count).map(path).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(Transform::new(paths(100), "1".into()).check(None), Ok(()));
    let error = Transform::new(paths(101), "1".into())
        .check(None)
        .unwrap_err();
    assert_eq!(error, TransformError::TooManyPaths { count: 101 });
    let long =
        |chars: usize| Transform::new(BTreeMap::new(), format!("\"{}\"", "ü".repeat(chars - 2)));
    assert_eq!(long(8_192).check(None), Ok(()));
    assert_eq!(
        long(8_193).check(None),
        Err(TransformError::TemplateLength { len: 8_193 })
    );
}

/// 2,700 placeholders for a value of a megabyte would make gigabytes.
#[test]
fn a_result_is_never_larger_than_its_bound() {
    let template = format!("[{}1]", "<p>,".repeat(2_000));
    let bomb = transform(&[("p", "$.detail")], &template);
    bomb.check(None).unwrap();
    let event = json!({"detail": {"text": "x".repeat(1_000_000)}}).to_string();
    assert_eq!(
        bomb.apply(&event, None, 1_048_576),
        Err(ApplyError::TooLarge)
    );
    let paths: Vec<_> = (0..100)
        .map(|n| (format!("p{n}"), "$.detail".to_owned()))
        .collect();
    let template: Vec<_> = paths.iter().map(|(name, _)| format!("<{name}>")).collect();
    let bomb = Transform::new(
        paths.into_iter().collect(),
        format!("[{}]", template.join(",")),
    );
    assert_eq!(
        bomb.apply(&event, None, 1_048_576),
        Err(ApplyError::TooLarge)
    );
    assert!(bomb.apply("not JSON", None, 100).is_err());
}

proptest! {
    /// Each accepted template makes JSON, whatever the event has.
    #[test]
    fn an_accepted_template_always_makes_json(
        template in r#"([\[\]{}",: a\\]|<a>|<b>|"a":|"<a>"|<c>){0,12}"#,
        a in r#""([^"\\\x00-\x1f]|\\["\\nu]|\\ud83d){0,6}"|\{"k" : "v\\\\\\"" \}|\[1e400,\n0.10\]|-0.0|null"#,
    ) {
        let transform = transform(&[("a", "$.a"), ("b", "$.b")], &template);
        let event = format!(r#"{{"a":{a}}}"#);
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&event).is_ok();
        if transform.check(None).is_ok() && is_json {
            let body = transform.apply(&event, None, 10_000).unwrap();
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok(), "{template} {event} {body}");
        }
    }
}
