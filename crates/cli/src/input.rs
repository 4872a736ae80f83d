//! Reads values that the command line gives as a file, a variable or text.

use std::env;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StringDeserializer};
use serde_json::error::Category;
use webhooks_client::{MapPatch, Nullable};

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
pub(crate) fn json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let from_file;
    let json = match text.strip_prefix('@') {
        Some(file) => {
            from_file = std::fs::read_to_string(file)
                .map_err(|error| format!("cannot read `{file}`: {error}"))?;
            &from_file
        }
        None => text,
    };
    serde_json::from_str(json).map_err(|error| match error.classify() {
        Category::Data => error.to_string(),
        Category::Io | Category::Syntax | Category::Eof => format!("not JSON: {error}"),
    })
}

/// Parses an option that is one of these words of the API.
pub(crate) fn word<T>(words: &[&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words.to_vec())
        .try_map(|word| T::deserialize(StringDeserializer::<Error>::new(word)))
}

/// The change of a map: these names get values, and those are removed.
pub(crate) fn map_patch(set: &[(String, String)], removed: &[String]) -> Nullable<MapPatch> {
    let set = set.iter().cloned();
    let set = set.map(|(name, value)| (name, Some(value)));
    let removed = removed.iter().map(|name| (name.clone(), None));
    let changes: MapPatch = set.chain(removed).collect();
    Some(changes).filter(|changes| !changes.is_empty()).into()
}

/// Reads `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

/// Reads `NAME=VALUE`, whose value is a secret: the value itself, `env:NAME` for a variable,
/// `@FILE`, or `@-` for standard input. A line end after the value is removed.
pub(crate) fn secret_pair(text: &str) -> Result<(String, SecretText), String> {
    let (name, value) = pair(text)?;
    let Some(file) = value.strip_prefix('@') else {
        return Ok((name, value.parse()?));
    };
    let bytes = read(Path::new(file)).map_err(|error| format!("{error:#}"))?;
    let value = String::from_utf8(bytes).map_err(|_| format!("`{file}` is not text"))?;
    match value.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("`{file}` is empty")),
        value => Ok((name, SecretText(value.to_owned()))),
    }
}

/// Reads a file of text, or standard input for `-`.
pub(crate) fn text_file(file: &str) -> Result<String, String> {
    let bytes = read(Path::new(file)).map_err(|error| format!("{error:#}"))?;
    String::from_utf8(bytes).map_err(|_| format!("`{file}` is not text"))
}

/// Reads a file with a secret, or standard input for `-`.
pub(crate) fn secret_file(file: &str) -> Result<SecretText, String> {
    text_file(file).map(SecretText)
}

/// Reads JSON with a secret from `@FILE`, from standard input for `@-`, or from a variable for
/// `env:NAME`. It is never given directly, so that it is not in the history of the shell.
pub(crate) fn secret_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let json = match (text.strip_prefix('@'), text.strip_prefix("env:")) {
        (Some(file), _) => read(Path::new(file)).map_err(|error| format!("{error:#}"))?,
        (None, Some(_)) => text.parse::<SecretText>()?.0.into_bytes(),
        (None, None) => return Err("must be @FILE, @- or env:NAME".to_owned()),
    };
    serde_json::from_slice(&json).map_err(|error| match error.classify() {
        Category::Data => error.to_string(),
        Category::Io | Category::Syntax | Category::Eof => "not JSON".to_owned(),
    })
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
    use serde_json::{Value, json};
    use webhooks_client::RetryPolicy;

    use super::*;

    #[test]
    fn json_is_given_as_text_or_in_a_file() {
        assert_eq!(json::<Value>(r#"{"a": [1]}"#).unwrap(), json!({"a": [1]}));
        assert!(json::<Value>("{").unwrap_err().starts_with("not JSON"));
        let error = json::<RetryPolicy>(r#"{"maxAttempts": 1}"#).unwrap_err();
        assert!(error.starts_with("intervalSeconds: is required"), "{error}");
        let missing = json::<Value>("@/nowhere/filter.json").unwrap_err();
        assert!(missing.contains("`/nowhere/filter.json`"), "{missing}");
    }

    #[test]
    fn a_value_may_hold_equals_signs_and_be_empty() {
        assert_eq!(pair("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
        assert_eq!(pair("a=").unwrap(), ("a".to_owned(), String::new()));
        assert!(pair("a").is_err() && pair("=b").is_err());
    }

    #[test]
    fn the_value_of_a_secret_pair_may_be_in_a_file() {
        let file = env::temp_dir().join(format!("webhooks-key-{}", std::process::id()));
        let from_file = |content: &str| {
            std::fs::write(&file, content).unwrap();
            let pair = secret_pair(&format!("x-key=@{}", file.display()));
            pair.map(|(name, value)| (name, value.expose().to_owned()))
        };
        let pair = |value: &str| Ok(("x-key".to_owned(), value.to_owned()));
        assert_eq!(from_file("Bearer x=1 \r\n"), pair("Bearer x=1 "));
        assert_eq!(from_file("a"), pair("a"));
        assert!(from_file("\n").unwrap_err().ends_with("is empty"));
        std::fs::remove_file(&file).unwrap();
        let (_, given) = secret_pair("x-key=a@b").unwrap();
        assert_eq!(given.expose(), "a@b");
        let missing = secret_pair("x-key=@/nowhere/key").unwrap_err();
        assert!(missing.contains("`/nowhere/key`"), "{missing}");
        assert!(secret_pair("x-key=env:WEBHOOKS_NO_SUCH").is_err());
    }

    #[test]
    fn a_secret_in_json_is_never_an_argument() {
        let read = secret_json::<Value>;
        let refused = read(r#"{"token": "s3cret"}"#).unwrap_err();
        assert_eq!(refused, "must be @FILE, @- or env:NAME");
        let file = env::temp_dir().join(format!("webhooks-token-{}", std::process::id()));
        let from_file = |content: &str| {
            std::fs::write(&file, content).unwrap();
            read(&format!("@{}", file.display()))
        };
        assert_eq!(from_file(r#"{"a": 1}"#), Ok(json!({"a": 1})));
        assert_eq!(from_file("s3cret"), Err("not JSON".to_owned()));
        std::fs::remove_file(&file).unwrap();
        let missing = read("@/nowhere/token").unwrap_err();
        assert!(missing.contains("`/nowhere/token`"), "{missing}");
        assert!(read("env:WEBHOOKS_NO_SUCH").is_err());
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
