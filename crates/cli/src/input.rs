//! Reads values that the command line gives as a file, a variable or text.

use std::env;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use serde_json::Value;

/// Reads a file, or standard input for `-`.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
        return Ok(bytes);
    }
    std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))
}

/// Reads JSON from the text, or from a file that is named after `@`.
pub(crate) fn json(text: &str) -> Result<Value, String> {
    let from_file;
    let json = match text.strip_prefix('@') {
        Some(file) => {
            from_file = std::fs::read_to_string(file)
                .map_err(|error| format!("cannot read `{file}`: {error}"))?;
            &from_file
        }
        None => text,
    };
    serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))
}

/// Reads `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

/// A secret, given directly or as `env:NAME`. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretText(String);

impl SecretText {
    /// Returns the secret itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the secrets in a variable, separated by white space, if it is set.
    pub(crate) fn of_variable(name: &str) -> Vec<Self> {
        let text = env::var(name).unwrap_or_default();
        text.split_whitespace()
            .map(|text| Self(text.to_owned()))
            .collect()
    }
}

impl FromStr for SecretText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("env:") {
            Some(name) => match env::var(name) {
                Ok(secret) => Ok(Self(secret.trim().to_owned())),
                Err(_) => Err(format!("the variable `{name}` is not set")),
            },
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_given_as_text_or_in_a_file() {
        assert_eq!(json(r#"{"a": [1]}"#).unwrap(), json!({"a": [1]}));
        assert!(json("{").unwrap_err().starts_with("not JSON"));
        let missing = json("@/nowhere/filter.json").unwrap_err();
        assert!(missing.contains("`/nowhere/filter.json`"), "{missing}");
    }

    #[test]
    fn a_value_may_hold_equals_signs_and_be_empty() {
        assert_eq!(pair("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
        assert_eq!(pair("a=").unwrap(), ("a".to_owned(), String::new()));
        assert!(pair("a").is_err() && pair("=b").is_err());
    }

    #[test]
    fn a_secret_comes_from_a_variable_and_hides() {
        let secret: SecretText = "whsec_abc".parse().unwrap();
        assert!(!format!("{secret:?}").contains("abc"));
        let error = "env:WEBHOOKS_NO_SUCH".parse::<SecretText>().unwrap_err();
        assert!(error.contains("WEBHOOKS_NO_SUCH"), "{error}");
        // A variable that always exists.
        let path: SecretText = "env:PATH".parse().unwrap();
        assert_eq!(path.expose(), env::var("PATH").unwrap().trim());
    }
}
