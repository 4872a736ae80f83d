//! `template.yaml` as JSON, for tests that read it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// The folder that holds `template.yaml`.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Reads `template.yaml` with its short tags in their long form: `!Ref Table`
/// becomes `{"Ref": "Table"}`, and `!GetAtt Table.Arn` becomes
/// `{"Fn::GetAtt": "Table.Arn"}`.
///
/// # Errors
/// If the file is missing, or is not a single YAML document of plain values.
pub fn load() -> anyhow::Result<Value> {
    let path = root().join("template.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("`{}`", path.display()))?;
    let documents = Yaml::load_from_str(&text).context("template.yaml")?;
    let [document] = documents.as_slice() else {
        bail!(
            "template.yaml: {} documents instead of one",
            documents.len()
        );
    };
    to_json(document)
}

fn to_json(node: &Yaml) -> anyhow::Result<Value> {
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Representation(text, _, None) => json!(text),
        Yaml::Representation(text, _, Some(tag)) => {
            json!({ long_form(&tag.suffix): text })
        }
        Yaml::Tagged(tag, inner) => json!({ long_form(&tag.suffix): to_json(inner)? }),
        Yaml::Sequence(items) => Value::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let key = key
                    .as_str()
                    .with_context(|| format!("key {key:?} is not text"))?;
                object.insert(key.to_owned(), to_json(value)?);
            }
            Value::Object(object)
        }
        Yaml::Alias(_) | Yaml::BadValue => bail!("{node:?} is not a plain value"),
    })
}

fn long_form(tag: &str) -> Cow<'_, str> {
    match tag {
        "Ref" | "Condition" => tag.into(),
        _ => format!("Fn::{tag}").into(),
    }
}
