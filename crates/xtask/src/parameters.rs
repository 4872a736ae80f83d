//! The template parameters of a local stack.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Error, Result, ensure};
use serde::Deserialize;

/// One `Name=Value` from the command line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Parameter {
    name: String,
    value: String,
}

impl Parameter {
    pub(crate) fn new(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }
}

impl FromStr for Parameter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, value) = text
            .split_once('=')
            .with_context(|| format!("`{text}` is not of the form Name=Value"))?;
        ensure!(
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric()),
            "`{name}`: the name of a parameter has letters and digits only"
        );
        Ok(Self::new(name, value))
    }
}

/// Returns the arguments for `sam deploy --parameter-overrides`: the parameters of the `local`
/// environment in `samconfig.toml`, overridden by the given ones.
///
/// We pass all of them, because SAM ignores its file's parameters if any are given on the
/// command line.
pub(crate) fn overrides(samconfig: &Path, given: &[Parameter]) -> Result<Vec<String>> {
    let text = fs::read_to_string(samconfig)
        .with_context(|| format!("reading `{}`", samconfig.display()))?;
    let mut merged = BTreeMap::new();
    let configured = configured(&text)
        .with_context(|| format!("reading the parameters in `{}`", samconfig.display()))?;
    for parameter in configured.iter().chain(given) {
        merged.insert(&parameter.name, &parameter.value);
    }
    Ok(merged
        .into_iter()
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect())
}

fn configured(samconfig: &str) -> Result<Vec<Parameter>> {
    #[derive(Deserialize)]
    struct Config {
        local: Environment,
    }
    #[derive(Deserialize)]
    struct Environment {
        deploy: Deploy,
    }
    #[derive(Deserialize)]
    struct Deploy {
        parameters: Parameters,
    }
    #[derive(Deserialize)]
    struct Parameters {
        #[serde(default)]
        parameter_overrides: Overrides,
    }
    /// SAM accepts both forms.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Overrides {
        List(Vec<String>),
        Text(String),
    }
    impl Default for Overrides {
        fn default() -> Self {
            Self::List(Vec::new())
        }
    }

    let config: Config = toml::from_str(samconfig)?;
    match config.local.deploy.parameters.parameter_overrides {
        Overrides::List(list) => list.iter().map(|text| text.parse()).collect(),
        Overrides::Text(text) => text.split_whitespace().map(str::parse).collect(),
    }
}

/// Quotes a value as SAM needs it if the value contains spaces or is empty.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_a_name_and_a_value_that_may_hold_anything() {
        let parameter: Parameter = "CustomerIdPointer=/detail/a=b c".parse().unwrap();
        assert_eq!(
            parameter,
            Parameter::new("CustomerIdPointer", "/detail/a=b c")
        );
        assert_eq!("RetrySchedule=".parse::<Parameter>().unwrap().value, "");
        for text in ["RetrySchedule", "=1", "Retry Schedule=1"] {
            assert!(text.parse::<Parameter>().is_err(), "{text}");
        }
    }

    #[test]
    fn both_forms_of_samconfig_are_read() {
        let expected = [
            Parameter::new("A", "127.0.0.0/8,10.0.0.0/8"),
            Parameter::new("B", "false"),
        ];
        for overrides in [
            r#""A=127.0.0.0/8,10.0.0.0/8 B=false""#,
            r#"["A=127.0.0.0/8,10.0.0.0/8", "B=false"]"#,
        ] {
            let text = format!("[local.deploy.parameters]\nparameter_overrides = {overrides}\n");
            assert_eq!(configured(&text).unwrap(), expected);
        }
        assert_eq!(configured("[local.deploy.parameters]\n").unwrap(), []);
    }

    #[test]
    fn a_given_parameter_wins_over_the_configured_one() {
        let path =
            std::env::temp_dir().join(format!("xtask-samconfig-{}.toml", std::process::id()));
        fs::write(
            &path,
            "[local.deploy.parameters]\nparameter_overrides = \"A=1 B=2\"\n",
        )
        .unwrap();
        let overrides = overrides(
            &path,
            &[Parameter::new("B", ""), Parameter::new("C", "a \"b\"")],
        )
        .unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(overrides, ["A=\"1\"", "B=\"\"", "C=\"a \\\"b\\\"\""]);
    }
}
