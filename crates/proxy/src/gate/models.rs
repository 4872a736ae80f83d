//! AWS's published service models, limited to the operations that a local stack uses.
//!
//! `crates/xtask/python/service_models.py` generates the table from the pinned botocore, and
//! `cargo xtask check` compares it with that.

use std::collections::{BTreeMap, HashMap};

use http::Method;
use regex_lite::Regex;
use serde::{Deserialize, Deserializer, de::Error};

/// All services that a local stack calls.
pub(crate) struct Models(BTreeMap<String, Service>);

impl Models {
    /// Returns the committed models.
    pub(crate) fn new() -> Self {
        const TABLE: &str = include_str!("../../service_models.json");
        Self(serde_json::from_str(TABLE).expect("the committed table is read by a test"))
    }

    /// Returns the service whose target header has this prefix.
    pub(crate) fn by_target(&self, prefix: &str) -> Option<(&str, &Service)> {
        self.find(|service| service.target_prefix.as_deref() == Some(prefix))
    }

    /// Returns the service with this name in signatures.
    pub(crate) fn by_signing_name(&self, name: &str) -> Option<(&str, &Service)> {
        self.find(|service| service.signing_name == name)
    }

    fn find(&self, is: impl Fn(&Service) -> bool) -> Option<(&str, &Service)> {
        let mut services = self
            .0
            .iter()
            .map(|(name, service)| (name.as_str(), service));
        services.find(|(_, service)| is(service))
    }
}

/// One service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) protocol: Protocol,
    target_prefix: Option<String>,
    #[serde(rename = "jsonVersion")]
    _json_version: Option<String>,
    signing_name: String,
    #[serde(rename = "apiVersion")]
    _api_version: Option<String>,
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: HashMap<String, Shape>,
}

/// The protocol of a service's requests.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// A JSON body, and a header that names the operation.
    Json,
    /// A form.
    Query,
    /// Path, query, headers, and a JSON body.
    RestJson,
    /// Path, query, headers, and an XML body.
    RestXml,
}

/// One operation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    /// The shape of the input; `None` if the operation takes no input.
    pub(crate) input: Option<String>,
    /// The HTTP method, for REST protocols only.
    #[serde(default, deserialize_with = "method")]
    pub(crate) method: Option<Method>,
    /// The path, for REST protocols only: `/functions/{FunctionName}`.
    #[serde(default)]
    pub(crate) path: String,
}

/// The place of a member that is not in the body, and its name there.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// A label of the path.
    Uri,
    /// A parameter of the query.
    QueryString,
    /// A header.
    Header,
    /// All headers with this prefix.
    Headers,
}

/// The required form of a value.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Shape {
    /// An object with these members, each with the name of its shape.
    Structure {
        members: HashMap<String, String>,
        #[serde(default)]
        required: Vec<String>,
        /// The member that makes up the whole body.
        payload: Option<String>,
        #[serde(default)]
        places: HashMap<String, (Place, String)>,
    },
    /// An array.
    List {
        member: String,
        #[serde(flatten)]
        bounds: Bounds,
    },
    /// An object with any members.
    Map {
        key: String,
        value: String,
        #[serde(flatten)]
        bounds: Bounds,
    },
    /// A text, with limits on its characters.
    String {
        #[serde(flatten)]
        bounds: Bounds,
        #[serde(default, deserialize_with = "pattern")]
        pattern: Option<Regex>,
        #[serde(default, rename = "enum")]
        variants: Vec<String>,
    },
    /// Bytes as base64, with limits on the bytes.
    Blob {
        #[serde(flatten)]
        bounds: Bounds,
    },
    /// A whole number.
    Integer {
        #[serde(flatten)]
        bounds: Bounds,
    },
    /// A number.
    Float,
    /// True or false.
    Boolean,
    /// A number or a text.
    Timestamp,
}

/// The limits of a length or a number.
#[derive(Clone, Copy, Default, Deserialize)]
pub(crate) struct Bounds {
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
}

fn method<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Method>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// Reads a pattern. AWS matches it against the whole text.
fn pattern<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Regex>, D::Error> {
    let text = String::deserialize(from)?;
    let whole = Regex::new(&format!("^(?:{text})$"));
    whole.map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_in_the_table_leads_to_a_shape() {
        const SCALARS: [&str; 6] = ["blob", "boolean", "float", "integer", "string", "timestamp"];
        let models = Models::new();
        for (name, service) in &models.0 {
            let inputs = service.operations.values().filter_map(|o| o.input.as_ref());
            let members = service.shapes.values().flat_map(|shape| match shape {
                Shape::Structure { members, .. } => members.values().collect(),
                Shape::List { member, .. } => vec![member],
                Shape::Map { key, value, .. } => vec![key, value],
                _ => Vec::new(),
            });
            for shape in inputs.chain(members) {
                assert!(
                    SCALARS.contains(&shape.as_str()) || service.shapes.contains_key(shape),
                    "{name}: {shape}"
                );
            }
        }
    }
}
