//! Reads `template.yaml`, and creates the copy that is deployed locally: the same text with
//! absolute paths to the functions' code and the state machine's definition. `sam build` does
//! the same, but also builds for AWS.
//!
//! A YAML parser reads the template. Changes are made line by line, because a parser would lose
//! its comments and its layout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use saphyr::{LoadableYamlNode, Scalar, Yaml};

/// The code path of a function in the template before the build.
const UNBUILT: &str = "CodeUri: .";

/// Returns the names of the packages of the functions in the template.
pub(crate) fn function_packages(template: &str) -> Result<Vec<String>> {
    let template = parse(template)?;
    let resources = template.as_mapping_get("Resources");
    let resources = resources.and_then(Yaml::as_mapping).into_iter().flatten();
    let is_built = |resource: &Yaml<'_>| get(resource, "Properties.CodeUri").as_str() == Some(".");
    resources
        .filter(|(_, resource)| is_built(resource))
        .map(|(id, _)| package_name(id.as_str().unwrap_or_default()))
        .collect()
}

/// Returns the security rules that the template suppresses with a reason.
///
/// # Errors
/// If a suppressed rule has no reason.
pub(crate) fn suppressed_rules(template: &str) -> Result<Vec<String>> {
    let template = parse(template)?;
    let rules = get(&template, "Metadata.Checkov").as_mapping();
    let rules = rules.into_iter().flatten();
    rules
        .map(|(rule, reason)| {
            let rule = rule.as_str().context("template.yaml: a rule has no name")?;
            let reason = reason.as_str().unwrap_or_default();
            ensure!(reason.len() > 20, "template.yaml: `{rule}` gives no reason");
            Ok(rule.to_owned())
        })
        .collect()
}

/// Returns the environment variables of a function, each with the default of its parameter, or
/// `None` if its value is not a parameter with a default.
pub(crate) fn variables(
    template: &str,
    function: &str,
) -> Result<BTreeMap<String, Option<String>>> {
    let template = parse(template)?;
    let of_function = format!("Resources.{function}.Properties.Environment.Variables");
    let places = ["Globals.Function.Environment.Variables", &of_function];
    let variables = places.map(|place| get(&template, place).as_mapping());
    let variables = variables.into_iter().flatten().flatten();
    variables
        .map(|(name, value)| {
            let name = name
                .as_str()
                .context("template.yaml: a variable has no name")?;
            let default = match value {
                Yaml::Tagged(tag, parameter) if tag.suffix == "Ref" => parameter.as_str(),
                _ => None,
            };
            let default = default.map(|parameter| format!("Parameters.{parameter}.Default"));
            let default = default.and_then(|path| text(get(&template, &path)));
            Ok((name.to_owned(), default))
        })
        .collect()
}

fn parse(template: &str) -> Result<Yaml<'_>> {
    let mut documents = Yaml::load_from_str(template).context("template.yaml")?;
    documents.pop().context("template.yaml is empty")
}

/// Returns the value at a path of keys, or `BadValue` if there is none.
fn get<'a>(node: &'a Yaml<'a>, path: &str) -> &'a Yaml<'a> {
    path.split('.').fold(node, |node, key| {
        node.as_mapping_get(key).unwrap_or(&Yaml::BadValue)
    })
}

/// A scalar as text.
fn text(node: &Yaml<'_>) -> Option<String> {
    match node {
        Yaml::Value(Scalar::String(text)) => Some(text.to_string()),
        Yaml::Value(Scalar::Integer(number)) => Some(number.to_string()),
        Yaml::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns the archive of a function's package in the folder of all of them.
pub(crate) fn archive(archives: &Path, package: &str) -> PathBuf {
    archives.join(format!("{package}.zip"))
}

/// Replaces each `CodeUri: .` of the template by the archive of that function's package, and each
/// relative `DefinitionUri` by a path below `root`.
pub(crate) fn with_absolute_paths(template: &str, archives: &Path, root: &Path) -> Result<String> {
    let mut rewritten = String::with_capacity(template.len() + 1024);
    for line in lines(template) {
        let trimmed = line.text.trim();
        let indent = &line.text[..line.text.len() - line.text.trim_start().len()];
        let path = if trimmed == UNBUILT {
            Some((
                "CodeUri",
                archive(archives, &package_name(line.logical_id)?),
            ))
        } else {
            trimmed
                .strip_prefix("DefinitionUri: ")
                .map(|definition| ("DefinitionUri", root.join(definition)))
        };
        match path {
            // A JSON string is a valid YAML string for any path.
            Some((key, path)) => {
                let path = serde_json::to_string(&path)?;
                rewritten.extend([indent, key, ": ", &path]);
            }
            None => rewritten.push_str(line.text),
        }
        rewritten.push('\n');
    }
    Ok(rewritten)
}

/// Changes the paths of state machine definitions in a built template, so that they are below
/// the template. Returns the template and these paths. `sam build` leaves the paths of the
/// sources.
pub(crate) fn with_definitions_beside(built: &str) -> Result<(String, Vec<String>)> {
    let mut rewritten = String::with_capacity(built.len());
    let mut definitions = Vec::new();
    for line in built.split_inclusive('\n') {
        let Some((indent, path)) = line.split_once("DefinitionUri: ") else {
            rewritten.push_str(line);
            continue;
        };
        let path = path.trim().trim_start_matches("../");
        ensure!(
            !path.starts_with('/') && !path.contains(['"', '\'']),
            "the built template: `{}` is not a path in the checkout",
            line.trim()
        );
        rewritten.extend([indent, "DefinitionUri: ", path, "\n"]);
        definitions.push(path.to_owned());
    }
    ensure!(
        !definitions.is_empty(),
        "the built template has no state machine"
    );
    Ok((rewritten, definitions))
}

struct Line<'a> {
    text: &'a str,
    /// The resource, parameter or output to which the line belongs.
    logical_id: &'a str,
}

fn lines(template: &str) -> impl Iterator<Item = Line<'_>> {
    let mut logical_id = "";
    template.lines().map(move |text| {
        if let Some(entry) = text.strip_prefix("  ")
            && entry.starts_with(|first: char| first.is_ascii_alphabetic())
            && let Some((name, _)) = entry.split_once(':')
        {
            logical_id = name;
        }
        Line { text, logical_id }
    })
}

/// Returns the package of a function: `LookUpSubscriptionsFunction` has
/// `look-up-subscriptions`.
pub(crate) fn package_name(logical_id: &str) -> Result<String> {
    let Some(name) = logical_id
        .strip_suffix("Function")
        .filter(|name| !name.is_empty())
    else {
        bail!("template.yaml: `{logical_id}`: the name of a function must end in `Function`");
    };
    let mut package = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            package.push('-');
        }
        package.push(letter.to_ascii_lowercase());
    }
    Ok(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Resources:
  LookUpSubscriptionsFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Description: A function.
  # The workflow.
  Workflow:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: statemachine/webhook-delivery.asl.json
  ApiFunction:
    Properties:
      CodeUri: .
";

    #[test]
    fn a_rule_is_suppressed_only_with_a_reason() {
        let template = |line: &str| format!("Metadata:\n  Checkov:\n    {line}\n\nParameters:\n");
        let good = template("CKV_AWS_1: It does not hold for this stack.");
        assert_eq!(suppressed_rules(&good).unwrap(), ["CKV_AWS_1"]);
        for bad in ["CKV_AWS_1:", "CKV_AWS_1: no"] {
            assert!(suppressed_rules(&template(bad)).is_err(), "{bad}");
        }
        assert!(suppressed_rules("Parameters:\n").unwrap().is_empty());
    }

    #[test]
    fn a_variable_has_the_default_of_its_parameter() {
        let template = "\
Parameters:
  Seconds:
    Default: 15
  Name:
    Default: \"\"
Globals:
  Function:
    Environment:
      Variables:
        LEVEL: INFO
Resources:
  ApiFunction:
    Properties:
      Environment:
        Variables:
          SECONDS: !Ref Seconds
          NAME: !Ref Name
          TABLE: !Ref Table
          KEY: !If [A, !Ref B, !Ref C]
";
        let expected = [
            ("KEY", None),
            ("LEVEL", None),
            ("NAME", Some("")),
            ("SECONDS", Some("15")),
            ("TABLE", None),
        ];
        let found = variables(template, "ApiFunction").unwrap();
        let found = found
            .iter()
            .map(|(name, default)| (&**name, default.as_deref()));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_function_is_built_from_the_package_of_its_name() {
        assert_eq!(
            function_packages(TEMPLATE).unwrap(),
            ["look-up-subscriptions", "api"]
        );
    }

    #[test]
    fn only_the_paths_of_code_and_definition_change() {
        let rewritten = with_absolute_paths(
            TEMPLATE,
            Path::new("/out/archives"),
            Path::new("/my checkout"),
        )
        .unwrap();
        let changed: Vec<&str> = rewritten
            .lines()
            .zip(TEMPLATE.lines())
            .filter(|(after, before)| after != before)
            .map(|(after, _)| after)
            .collect();
        assert_eq!(
            changed,
            [
                "      CodeUri: \"/out/archives/look-up-subscriptions.zip\"",
                "      DefinitionUri: \"/my checkout/statemachine/webhook-delivery.asl.json\"",
                "      CodeUri: \"/out/archives/api.zip\"",
            ]
        );
        assert_eq!(rewritten.lines().count(), TEMPLATE.lines().count());
    }

    #[test]
    fn definitions_lie_beside_a_template_that_is_shipped() {
        let built =
            "A:\n  Properties:\n    DefinitionUri: ../../statemachine/a.asl.json\n  Type: B\n";
        let (rewritten, definitions) = with_definitions_beside(built).unwrap();
        assert_eq!(rewritten, built.replace("../", ""));
        assert_eq!(definitions, ["statemachine/a.asl.json"]);
        assert!(with_definitions_beside("    DefinitionUri: /elsewhere/a.json\n").is_err());
        assert!(with_definitions_beside("A:\n").is_err());
    }

    #[test]
    fn a_function_with_another_name_is_refused() {
        let template = "Resources:\n  Api:\n    Properties:\n      CodeUri: .\n";
        let error = function_packages(template).unwrap_err();
        assert_eq!(
            error.to_string(),
            "template.yaml: `Api`: the name of a function must end in `Function`"
        );
    }
}
