//! The input transformer of a subscription: values of the event, put into a template.
//!
//! It has the syntax and the bounds of `EventBridge`'s input transformer. "Guide" is its user guide,
//! "Amazon EventBridge input transformation"; "API" is the API Reference, `InputTransformer`.
//!
//! # Same as EventBridge
//!
//! | rule | source |
//! |---|---|
//! | At most 100 paths; names of letters, digits, `_` and `-`, at most 256; paths of at most 256 and a template of at most 8,192 characters | API |
//! | Paths in dot notation | API; Guide |
//! | Array indices in `[…]` | Guide |
//! | No placeholder in the name of a member | API |
//! | `<aws.events.event.json>` is the whole event and `<aws.events.event>` the event without `detail`; each only as a value | Guide, "Predefined variables" |
//! | A string as a value gets quotes; a placeholder in a string does not | Guide, "Common issues" |
//! | An object or array in a string loses its quotes | Guide, "Common issues" |
//! | A path that the event does not have leaves nothing in a string | Guide, "Common issues"; `LocalStack`'s recordings of AWS, `test_put_events_with_input_transformation_to_sqs` |
//!
//! # Different from EventBridge
//!
//! - Numbers stay as they are written (`0.10`, `1e400`). `EventBridge` may write them in another way.
//! - A path that the event does not have is `null` as a value. The guide says only that the variable
//!   "won't appear in the output", which would not be JSON.
//! - A string that is put into a string stays escaped, so the body is always JSON. The guide says that
//!   `EventBridge` does not escape.
//! - Wildcards are refused, and so are the variables of a rule and the ingestion time.
//! - With a content type that is not JSON, the template is plain text, and values are written as the
//!   language needs it. In such a template, `<name>` is text if `paths` does not have the name.

use std::collections::BTreeMap;

use super::content_type::{ContentType, Language};
use super::event_path;
use super::path_tree::PathTree;
use super::reader::{Reader, unescaped};
use super::template::{self, Known, Place, Template, TemplateError, TooLarge, Value};

/// The whole event.
const EVENT: &str = "aws.events.event.json";
/// The event without its detail.
const EVENT_WITHOUT_DETAIL: &str = "aws.events.event";

/// Paths into the event, by name, and the template into which their values are put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transform {
    paths: BTreeMap<String, String>,
    template: String,
}

/// Paths and template are not a transform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// Too many paths.
    #[error("`paths` must have at most {max}, has {count}", max = Transform::MAX_PATHS)]
    TooManyPaths {
        /// The number that was given.
        count: usize,
    },
    /// A name that no placeholder can have.
    #[error("`paths`: name `{}` must be 1 to {max} letters, digits, `_` and `-`", name.escape_debug(), max = Transform::MAX_NAME_BYTES)]
    Name {
        /// The name, cut.
        name: String,
    },
    /// Not a path.
    #[error("`paths`, `{name}`: {problem}")]
    Path {
        /// The name of the path.
        name: String,
        /// The problem.
        problem: String,
    },
    /// An empty or too long template.
    #[error("`template` must be 1 to {max} characters, is {len}", max = Transform::MAX_TEMPLATE_CHARS)]
    TemplateLength {
        /// The length that was given, in characters.
        len: usize,
    },
    /// A problem in the template.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// The body cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApplyError {
    /// The event is not JSON, or the transform breaks a rule that is newer than it.
    Unreadable,
    /// The body would be larger than any event.
    TooLarge,
}

impl From<TooLarge> for ApplyError {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

impl Transform {
    /// The largest number of paths.
    pub const MAX_PATHS: usize = 100;
    /// The longest name of a path.
    pub const MAX_NAME_BYTES: usize = template::MAX_NAME_BYTES;
    /// The longest template.
    pub const MAX_TEMPLATE_CHARS: usize = 8_192;

    /// A transform. [`check`](Self::check) checks it for a content type.
    pub fn new(paths: BTreeMap<String, String>, template: String) -> Self {
        Self { paths, template }
    }

    /// The paths, by name.
    pub fn paths(&self) -> &BTreeMap<String, String> {
        &self.paths
    }

    /// The template.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// Checks paths and template.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn check(&self, content_type: Option<&ContentType>) -> Result<(), TransformError> {
        let count = self.paths.len();
        if count > Self::MAX_PATHS {
            return Err(TransformError::TooManyPaths { count });
        }
        let len = self.template.chars().count();
        if !(1..=Self::MAX_TEMPLATE_CHARS).contains(&len) {
            return Err(TransformError::TemplateLength { len });
        }
        self.tree()?;
        self.read(content_type)?;
        Ok(())
    }

    /// The body that it makes of an event.
    pub(crate) fn apply(
        &self,
        event: &str,
        content_type: Option<&ContentType>,
        max_bytes: usize,
    ) -> Result<String, ApplyError> {
        let tree = self.tree().map_err(|_| ApplyError::Unreadable)?;
        let template = self
            .read(content_type)
            .map_err(|_| ApplyError::Unreadable)?;
        let values = tree.values(event).ok_or(ApplyError::Unreadable)?;
        let by_name: BTreeMap<&str, &str> = self
            .paths
            .keys()
            .zip(values)
            .filter_map(|(name, value)| Some((name.as_str(), value?)))
            .collect();
        let without_detail = without_detail(event).ok_or(ApplyError::Unreadable)?;
        let filled = template.fill(max_bytes, |name| match name {
            EVENT => Value::Json(event.trim()),
            EVENT_WITHOUT_DETAIL => Value::Json(&without_detail),
            name => by_name
                .get(name)
                .copied()
                .map_or(Value::Missing, Value::Json),
        });
        Ok(filled?)
    }

    fn tree(&self) -> Result<PathTree, TransformError> {
        let mut paths = Vec::with_capacity(self.paths.len());
        for (name, path) in &self.paths {
            let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if !(1..=Self::MAX_NAME_BYTES).contains(&name.len()) || !name.bytes().all(is_of_name) {
                let name = name.chars().take(64).collect();
                return Err(TransformError::Name { name });
            }
            let steps = event_path::parse(path).map_err(|problem| TransformError::Path {
                name: name.clone(),
                problem,
            })?;
            paths.push(steps.into_iter().map(Some));
        }
        Ok(PathTree::new(paths))
    }

    fn read(&self, content_type: Option<&ContentType>) -> Result<Template<'_>, TemplateError> {
        let language = content_type.map_or(Language::Json, ContentType::language);
        Template::read(&self.template, language, |name, place| {
            if self.paths.contains_key(name) {
                return Ok(Known::Yes);
            }
            match (name, place) {
                (EVENT | EVENT_WITHOUT_DETAIL, Place::Value | Place::Text) => Ok(Known::Yes),
                (EVENT | EVENT_WITHOUT_DETAIL, Place::String) => Err(format!(
                    "placeholder `<{name}>` must be a value of its own, is in a string"
                )),
                (name, _) if name.starts_with("aws.events.") => Err(format!(
                    "placeholder `<{name}>` must be `<{EVENT}>`, `<{EVENT_WITHOUT_DETAIL}>` or a name in `paths`"
                )),
                (_, Place::Text) => Ok(Known::No),
                (name, _) => Err(format!("placeholder `<{name}>` must be in `paths`")),
            }
        })
    }
}

/// The text of an event without its detail.
fn without_detail(event: &str) -> Option<String> {
    let mut members = Vec::new();
    Reader::new(event).members(|reader, name| {
        let value = reader.value()?;
        if unescaped(name) != "detail" {
            members.push(format!("{name}:{value}"));
        }
        Some(())
    })?;
    Some(format!("{{{}}}", members.join(",")))
}

#[cfg(test)]
mod tests;
