//! References (`$ref`) of the schemas in a document. A schema in the catalogue names nothing outside of
//! itself.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value};

const REF: &str = "$ref";
const DEFINITIONS: &str = "$defs";
const COMPONENTS: &str = "#/components/schemas/";

/// The number of references that may follow each other.
const MAX_STEPS: usize = 8;

/// Follows the reference of a part of a document, if it is one.
pub(super) fn resolve<'a>(document: &'a Value, part: &'a Value) -> Result<&'a Value> {
    let mut part = part;
    for _ in 0..MAX_STEPS {
        let Some(reference) = part[REF].as_str() else {
            return Ok(part);
        };
        let found = reference
            .strip_prefix('#')
            .and_then(|pointer| document.pointer(pointer));
        part = found.with_context(|| nowhere(reference))?;
    }
    let reference = &part[REF];
    bail!(
        "{REF} `{}`: leads in a circle",
        reference.as_str().unwrap_or_default()
    )
}

/// Changes the references of a schema so that they hold at its place in a document.
pub(super) fn embed(schema: &mut Value, name: &str) {
    let place = place(name);
    if schema.get("$id").is_none() {
        for reference in references(schema) {
            if let Some(inside) = inside(reference) {
                *reference = format!("{place}{inside}");
            }
        }
    }
}

/// Changes the references of a schema so that they hold without the document, and copies the
/// components that it names.
pub(super) fn take_along(schema: &mut Value, name: &str, document: &Value) -> Result<()> {
    if schema.get("$id").is_some() {
        return Ok(());
    }
    let place = place(name);
    let mut definitions = Map::new();
    let mut named = localize(schema, &place)?;
    while let Some(component) = named.pop() {
        if definitions.contains_key(&component) {
            continue;
        }
        let found = document.pointer(&format!("{}{component}", &COMPONENTS[1..]));
        let found = found.with_context(|| nowhere(&format!("{COMPONENTS}{component}")))?;
        let mut definition = found.clone();
        named.extend(localize(&mut definition, &place)?);
        definitions.insert(component, definition);
    }
    if definitions.is_empty() {
        return Ok(());
    }
    let own = schema
        .as_object_mut()
        .context("a schema must be an object")?;
    let own = own
        .entry(DEFINITIONS)
        .or_insert_with(|| Value::Object(Map::new()));
    let own = own.as_object_mut().context("`$defs` must be an object")?;
    for (component, definition) in definitions {
        ensure!(
            !own.contains_key(&component),
            "`$defs` has a schema `{component}`, and so has the document"
        );
        own.insert(component, definition);
    }
    Ok(())
}

/// Makes references local, and returns the names of components in them.
fn localize(schema: &mut Value, place: &str) -> Result<Vec<String>> {
    let mut named = Vec::new();
    for reference in references(schema) {
        if let Some(rest) = reference.strip_prefix(COMPONENTS) {
            let component = rest.split('/').next().unwrap_or_default();
            named.push(component.to_owned());
            *reference = format!("#/{DEFINITIONS}/{rest}");
        } else if let Some(inside) = reference.strip_prefix(place) {
            *reference = format!("#{inside}");
        } else {
            // An anchor.
            let is_anchor = reference.starts_with('#') && inside(reference).is_none();
            ensure!(is_anchor, nowhere(reference));
        }
    }
    Ok(named)
}

/// The JSON pointer of a reference within a schema.
fn inside(reference: &str) -> Option<&str> {
    let pointer = reference.strip_prefix('#')?;
    (pointer.is_empty() || pointer.starts_with('/')).then_some(pointer)
}

fn nowhere(reference: &str) -> String {
    format!("{REF} `{reference}`: must lead to a schema in `{COMPONENTS}`")
}

/// The reference to the schema of a type's `detail` in a document of ours. Of the characters of a name,
/// only a space and `|` are not allowed in a URL's fragment.
fn place(name: &str) -> String {
    let name = name.replace(' ', "%20").replace('|', "%7C");
    format!("#/webhooks/{name}/post/requestBody/content/application~1json/schema/properties/data")
}

/// All references of a schema, at any depth.
fn references(schema: &mut Value) -> Vec<&mut String> {
    match schema {
        Value::Object(members) => {
            let found = members.iter_mut().map(|(name, value)| match value {
                Value::String(reference) => {
                    let reference = Some(reference).filter(|_| name == REF);
                    reference.into_iter().collect()
                }
                value => references(value),
            });
            found.flatten().collect()
        }
        Value::Array(items) => items.iter_mut().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
