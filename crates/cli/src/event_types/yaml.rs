//! YAML as JSON.
//!
//! The rules are those of YAML 1.2: `no` and `2026-01-31` are texts. A number that is also one in JSON
//! keeps its text, so that it does not change. The parser bounds what aliases may add.

use std::borrow::Cow;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use saphyr::{Scalar, ScalarStyle, Yaml, YamlLoader};
use saphyr_parser::Parser;
use serde_json::value::RawValue;

/// The most levels of objects and lists.
const MAX_DEPTH: usize = 100;

/// The JSON text of a document.
pub(super) fn to_json(yaml: &str) -> Result<String> {
    let mut loader = YamlLoader::<Yaml>::default();
    // Scalars stay texts, because a parsed number may be another one.
    loader.early_parse(false);
    Parser::new_from_str(yaml).load(&mut loader, true)?;
    if let Some(error) = loader.error() {
        bail!("{error}");
    }
    let mut documents = loader.into_documents().into_iter();
    let document = documents.next().context("is empty")?;
    ensure!(documents.next().is_none(), "has more than one document");
    let mut json = String::new();
    write_value(&document, 0, &mut json)?;
    Ok(json)
}

fn write_value(value: &Yaml, depth: usize, json: &mut String) -> Result<()> {
    ensure!(depth <= MAX_DEPTH, "is nested more than {MAX_DEPTH} deep");
    match value {
        Yaml::Sequence(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                json.push_str(if index > 0 { "," } else { "" });
                write_value(item, depth + 1, json)?;
            }
            json.push(']');
        }
        Yaml::Mapping(members) => {
            json.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                json.push_str(if index > 0 { "," } else { "" });
                // `200` is a name too.
                let Yaml::Representation(name, style, None) = name else {
                    bail!("has a name that is not a text");
                };
                if *style == ScalarStyle::Plain && name == "<<" {
                    bail!("has a merge key `<<`, which is not in YAML 1.2");
                }
                write_text(name, json);
                json.push(':');
                write_value(value, depth + 1, json)?;
            }
            json.push('}');
        }
        Yaml::Representation(text, style, tag) => {
            let scalar = Scalar::parse_from_cow_and_metadata(
                Cow::Borrowed(text.as_ref()),
                *style,
                tag.as_ref(),
            );
            if let Some(tag) = tag.as_ref().filter(|tag| !tag.is_yaml_core_schema()) {
                bail!("has the tag `{}`, which is not in JSON", tag.suffix);
            }
            let is_number = *style == ScalarStyle::Plain && is_json_number(text);
            match scalar.with_context(|| format!("has `{text}`, which is not of its type"))? {
                Scalar::Integer(_) | Scalar::FloatingPoint(_) if is_number => json.push_str(text),
                Scalar::Null => json.push_str("null"),
                Scalar::Boolean(is_true) => write!(json, "{is_true}")?,
                Scalar::Integer(number) => write!(json, "{number}")?,
                Scalar::FloatingPoint(number) => {
                    ensure!(
                        number.is_finite(),
                        "has `{text}`, which is no number in JSON"
                    );
                    json.push_str(&serde_json::to_string(&number.into_inner())?);
                }
                Scalar::String(text) => write_text(&text, json),
            }
        }
        Yaml::Tagged(tag, _) => bail!("has the tag `{}`, which is not in JSON", tag.suffix),
        Yaml::Value(_) | Yaml::Alias(_) | Yaml::BadValue => bail!("has an unknown alias"),
    }
    Ok(())
}

fn is_json_number(text: &str) -> bool {
    let parsed: Result<&RawValue, _> = serde_json::from_str(text);
    parsed.is_ok() && text.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
}

fn write_text(text: &str, json: &mut String) {
    let text = serde_json::to_string(text).expect("a text has a JSON form");
    json.push_str(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_type_and_numbers_their_text() {
        let yaml = "\
a: 129.90
b: 12345678901234567890.10
c: 0x10
d: 2026-01-31
e: 2026-01-31T09:30:00Z
f: no
g: 'true'
h: true
i: ~
j:
200: [1e400, -0, .5, \"1\"]
k: |
  two
  lines
l: !!str 7
m: 010
n: 123456789012345678901234567890
";
        let json = r#"{"a":129.90,"b":12345678901234567890.10,"c":16,"d":"2026-01-31","e":"2026-01-31T09:30:00Z","f":"no","g":"true","h":true,"i":null,"j":null,"200":[1e400,-0,0.5,"1"],"k":"two\nlines\n","l":"7","m":10,"n":123456789012345678901234567890}"#;
        assert_eq!(to_json(yaml).unwrap(), json);
    }

    #[test]
    fn aliases_are_followed_within_a_bound() {
        assert_eq!(
            to_json("a: &x [1]\nb: *x\n").unwrap(),
            r#"{"a":[1],"b":[1]}"#
        );
        let mut bomb = "a0: &a0 [x, x]\n".to_owned();
        for level in 1..40 {
            let before = level - 1;
            writeln!(bomb, "a{level}: &a{level} [*a{before}, *a{before}]").unwrap();
        }
        let refused = to_json(&bomb).unwrap_err().to_string();
        assert!(refused.contains("alias expansion"), "{refused}");
    }

    #[test]
    fn what_is_not_in_json_is_refused() {
        for (yaml, error) in [
            ("", "is empty"),
            ("a: 1\n---\nb: 2\n", "has more than one document"),
            ("a: *none\n", "unknown anchor"),
            ("a: .inf\n", "has `.inf`, which is no number in JSON"),
            ("a: !Ref b\n", "has the tag `Ref`"),
            ("a: !Ref [b]\n", "has the tag `Ref`"),
            ("? [a]\n: b\n", "has a name that is not a text"),
            ("<<: {a: 1}\n", "has a merge key"),
            ("a: 1\na: 2\n", "duplicated key"),
            ("a: [1\n", ""),
        ] {
            let refused = to_json(yaml).unwrap_err().to_string();
            assert!(refused.contains(error), "{yaml:?}: {refused}");
        }
        let deep = format!("{}{}", "[".repeat(102), "]".repeat(102));
        let refused = to_json(&deep).unwrap_err().to_string();
        assert!(refused.contains("nested more than 100 deep"), "{refused}");
    }
}
