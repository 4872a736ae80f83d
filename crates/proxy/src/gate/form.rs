//! Reads a form, as sent to `CloudFormation`, IAM and STS, into the value that it represents.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    models::{Service, Shape},
    violation::Violation,
};

/// Reads the members of a shape from the names and values of a form.
///
/// # Errors
/// If the form has a name that belongs to no member.
pub(crate) fn read(
    service: &Service,
    input: Option<&str>,
    pairs: Vec<(String, String)>,
) -> Result<Value, Violation> {
    let mut form = Form {
        service,
        pairs: pairs.into_iter().collect(),
    };
    let value = input.and_then(|input| form.take(input, ""));
    match form.pairs.into_keys().next() {
        Some(name) => Err(Violation::new(name, "unknown member")),
        None => Ok(value.unwrap_or_else(|| Value::Object(Map::new()))),
    }
}

/// Converts a text to the number or Boolean that its shape requires; leaves an invalid text as
/// it is.
pub(crate) fn scalar(service: &Service, shape: &str, text: String) -> Value {
    let parsed = match (service.shapes.get(shape), shape) {
        (Some(Shape::Integer { .. }), _) | (None, "integer") => {
            text.parse::<i64>().ok().map(Value::from)
        }
        (Some(Shape::Boolean), _) | (None, "boolean") => text.parse().ok().map(Value::Bool),
        _ => None,
    };
    parsed.unwrap_or(Value::String(text))
}

struct Form<'a> {
    service: &'a Service,
    /// The pairs that have not been read yet.
    pairs: BTreeMap<String, String>,
}

impl Form<'_> {
    /// Takes the value with this name out of the form, if the form contains any part of it.
    fn take(&mut self, shape: &str, name: &str) -> Option<Value> {
        // Stop here if nothing is left: a shape that contains itself would never end.
        if !self.pairs.keys().any(|given| given.starts_with(name)) {
            return None;
        }
        let under = |part: &str| {
            let separator = if name.is_empty() { "" } else { "." };
            format!("{name}{separator}{part}")
        };
        match self.service.shapes.get(shape) {
            Some(Shape::Structure { members, .. }) => {
                let mut found = Map::new();
                for (member, shape) in members {
                    if let Some(value) = self.take(shape, &under(member)) {
                        found.insert(member.clone(), value);
                    }
                }
                (name.is_empty() || !found.is_empty()).then_some(Value::Object(found))
            }
            Some(Shape::List { member, .. }) => {
                let elements = (1..)
                    .map_while(|number| self.take(member, &under(&format!("member.{number}"))))
                    .collect::<Vec<_>>();
                // An empty list is sent as its name without a value: `Tags=`.
                let is_empty = self.pairs.get(name).is_some_and(String::is_empty);
                if is_empty {
                    self.pairs.remove(name);
                }
                (is_empty || !elements.is_empty()).then_some(Value::Array(elements))
            }
            _ => {
                let text = self.pairs.remove(name)?;
                Some(scalar(self.service, shape, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gate::models::Models;

    fn read(form: &[(&str, &str)]) -> Result<Value, Violation> {
        let models = Models::new();
        let (_, service) = models.by_signing_name("cloudformation").unwrap();
        let pairs = form.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        super::read(service, Some("CreateChangeSetInput"), pairs.collect())
    }

    #[test]
    fn a_form_is_the_structure_that_it_stands_for() {
        let value = read(&[
            ("StackName", "webhooks"),
            ("UsePreviousTemplate", "false"),
            ("Capabilities.member.1", "CAPABILITY_IAM"),
            ("Parameters.member.1.ParameterKey", "A"),
            ("Parameters.member.1.ParameterValue", ""),
            ("Parameters.member.2.ParameterKey", "B"),
            ("Tags", ""),
        ]);
        let expected = json!({
            "StackName": "webhooks",
            "UsePreviousTemplate": false,
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [{"ParameterKey": "A", "ParameterValue": ""}, {"ParameterKey": "B"}],
            "Tags": [],
        });
        assert_eq!(value.unwrap(), expected);
    }

    #[test]
    fn a_name_that_no_member_has_is_refused() {
        for name in [
            "Colour",
            "Parameters.member.1.Colour",
            "Parameters.1.ParameterKey",
        ] {
            let violation = read(&[("StackName", "webhooks"), (name, "red")]).unwrap_err();
            assert_eq!(violation, Violation::new(name, "unknown member"));
        }
    }
}
