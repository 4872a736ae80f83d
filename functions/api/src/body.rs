//! The body of a request, read into its type. An error names the field and what is wrong with
//! it, and never repeats a value, which may be a secret.

use std::fmt::{Display, Formatter};
use std::vec;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Track};
use webhooks_domain::fields::FieldError;

/// Reads a JSON object.
///
/// # Errors
/// The first field that is unknown, missing, named twice or not valid.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, FieldError> {
    let text = str::from_utf8(body)
        .map_err(|error| FieldError::new("body", format!("must be JSON: {error}")))?;
    let Members(members) = serde_json::from_str(text).map_err(|error| not_an_object(&error))?;
    let object = Object {
        members: members.into_iter(),
        member: None,
    };
    T::deserialize(object).map_err(|BodyError(error)| error)
}

/// Reads a JSON object that may be absent.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, FieldError> {
    if body.is_empty() {
        Ok(T::default())
    } else {
        read(body)
    }
}

/// The place where reading stopped. The parser's own message is left out, because it repeats the
/// input.
fn not_an_object(error: &serde_json::Error) -> FieldError {
    let (line, column) = (error.line(), error.column());
    let problem = format!("must be a JSON object, see line {line}, column {column}");
    FieldError::new("body", problem)
}

/// The members of a JSON object, in order; a name may be there twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// An object whose members are read one by one, so that each error belongs to one of them.
struct Object<'a> {
    members: vec::IntoIter<(String, &'a RawValue)>,
    member: Option<(String, &'a RawValue)>,
}

impl<'de> Deserializer<'de> for Object<'de> {
    type Error = BodyError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Object<'de> {
    type Error = BodyError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, BodyError> {
        self.member = self.members.next();
        let Some((name, _)) = &self.member else {
            return Ok(None);
        };
        seed.deserialize(name.as_str().into_deserializer())
            .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, BodyError> {
        let (name, json) = self.member.take().expect("serde reads a name first");
        let mut track = Track::new();
        let value: Result<S::Value, serde_json::Error> = {
            let mut json = serde_json::Deserializer::from_str(json.get());
            seed.deserialize(serde_path_to_error::Deserializer::new(
                &mut json, &mut track,
            ))
        };
        value.map_err(|error| BodyError(invalid(&name, &track.path(), &error)))
    }
}

fn invalid(name: &str, path: &Path, error: &serde_json::Error) -> FieldError {
    let problem = problem(&error.to_string());
    match path.to_string().as_str() {
        "." | "?" => FieldError::new(name, problem),
        path => FieldError::new(name, format!("{path}: {problem}")),
    }
}

/// Returns `serde`'s message about a value without the value and its position.
fn problem(text: &str) -> String {
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    match text.rsplit_once(", expected ") {
        Some((unknown, _)) if unknown.starts_with("unknown field") => text.to_owned(),
        Some((_, "a map")) => "must be an object".to_owned(),
        Some((_, "a sequence")) => "must be a list".to_owned(),
        Some((_, expected)) => format!("must be {expected}"),
        // One of several words is expected, and the value is not a string.
        None if text == "expected value" => "must be a string".to_owned(),
        None => text.to_owned(),
    }
}

/// An error of one of the body's fields.
#[derive(Debug)]
struct BodyError(FieldError);

impl Display for BodyError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for BodyError {}

impl Error for BodyError {
    fn custom<T: Display>(problem: T) -> Self {
        Self(FieldError::new("body", problem))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self(FieldError::new(
            field,
            match expected {
                [] => "is not a field; there are none".to_owned(),
                fields => format!("is not a field; the fields are {}", fields.join(", ")),
            },
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(FieldError::required(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self(FieldError::new(field, "is named twice"))
    }
}

#[cfg(test)]
mod tests {
    use webhooks_api_types::{Nothing, SubscriptionPatch};

    use super::*;

    fn refused(body: &str) -> String {
        let patch = read::<SubscriptionPatch>(body.as_bytes());
        patch.unwrap_err().to_string()
    }

    /// Another parser may use the first of the two values.
    #[test]
    fn a_field_that_is_named_twice_is_refused() {
        let twice = r#"{"url":"https://a.example/","description":"d","url":"https://b.example/"}"#;
        assert_eq!(refused(twice), "url: is named twice");
        let escaped = r#"{"status":"active","st\u0061tus":"paused"}"#;
        assert_eq!(refused(escaped), "status: is named twice");
    }

    #[test]
    fn an_error_names_the_place_and_the_bound() {
        for (body, error) in [
            (
                r#"{"retryPolicy":{"schedule":[0,-1]}}"#,
                "retryPolicy: schedule[1]: must be 0 or more",
            ),
            (
                r#"{"timeoutSeconds":1.5}"#,
                "timeoutSeconds: must be a whole number",
            ),
            (
                r#"{"payloadFormat":"raw"}"#,
                "payloadFormat: must be one of `standard`, `detail`, `event`, `thin`, `cloudEvents`, `fields`, `transform`",
            ),
            (r#"{"headers":{"x-a":7}}"#, "headers: x-a: must be a string"),
            (
                r#"{"secretHeaders":["authorization"]}"#,
                "secretHeaders: must be an object",
            ),
            (
                r#"{"secretHeaders":"s3cret"}"#,
                "secretHeaders: must be an object",
            ),
            (
                r#"{"secretHeaders":{"x-a":["s3cret"]}}"#,
                "secretHeaders: x-a: must be a string",
            ),
            (r#"{"eventTypes":"a"}"#, "eventTypes: must be a list"),
            (r#"{"metadata":[]}"#, "metadata: must be an object"),
            (r#"{"status":true}"#, "status: must be a string"),
        ] {
            assert_eq!(refused(body), error, "{body}");
        }
        assert!(refused(r#"{"urls":"x"}"#).starts_with("urls: is not a field; the fields are url"));
    }

    #[test]
    fn what_is_no_object_is_refused_as_a_whole() {
        for body in ["", "[]", "{", "null", "\"whsec_hunter2\"", "{} and more"] {
            let error = refused(body);
            assert!(error.starts_with("body: must be"), "{body}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_body_that_says_nothing_is_empty_or_an_empty_object() {
        for body in ["", " {} "] {
            let nothing: Nothing = read_or_default(body.as_bytes()).unwrap();
            assert_eq!(nothing, Nothing {});
        }
        for (body, field) in [(r#"{"at":1}"#, "at"), ("[]", "body"), ("null", "body")] {
            let error = read_or_default::<Nothing>(body.as_bytes()).unwrap_err();
            assert_eq!(error.field, field, "{body}");
        }
    }
}
