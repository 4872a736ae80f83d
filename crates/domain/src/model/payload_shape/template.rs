//! The template of a transform: text with placeholders such as `<total>`.

use super::content_type::Language;
use super::reader::{inner, unescaped};

/// The longest name of a placeholder.
pub(super) const MAX_NAME_BYTES: usize = 256;

/// A template that was read.
#[derive(Debug)]
pub(super) struct Template<'a> {
    parts: Vec<Part<'a>>,
    language: Language,
}

/// A part of a template.
#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Text(&'a str),
    Placeholder(&'a str, Place),
}

/// The place of a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is a JSON value.
    Value,
    /// It is in a JSON string.
    String,
    /// It is in text that is not JSON.
    Text,
}

/// A template is wrong at a character, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`template`, character {at}: {problem}")]
pub struct TemplateError {
    at: usize,
    problem: String,
}

/// The value of a placeholder.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// JSON, as it is written.
    Json(&'a str),
    /// The event does not have it.
    Missing,
}

/// The result is larger than any body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

impl<'a> Template<'a> {
    /// Reads a template.
    ///
    /// `check` says why a name cannot be in this place; `None` means that it can.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub(super) fn read(
        template: &'a str,
        language: Language,
        mut check: impl FnMut(&str, Place) -> Result<Known, String>,
    ) -> Result<Self, TemplateError> {
        let error = |at: usize, problem: String| TemplateError {
            at: template[..at].chars().count() + 1,
            problem,
        };
        let mut parts = Vec::new();
        // The template with values of the same length instead of its placeholders.
        let mut filled = String::with_capacity(template.len());
        let (mut is_in_string, mut is_escaped) = (false, false);
        // The placeholder in the current or the last string, or the last value.
        let mut last_placeholder = None;
        let (mut at, mut text_from) = (0, 0);
        while let Some(next) = template[at..].chars().next() {
            let place = match language {
                Language::Json if is_in_string => Place::String,
                Language::Json => Place::Value,
                Language::Form | Language::Xml | Language::Text => Place::Text,
            };
            if next == '<'
                && !is_escaped
                && let Some(name) = name_at(&template[at..])
                && check(name, place).map_err(|problem| error(at, problem))? == Known::Yes
            {
                parts.push(Part::Text(&template[text_from..at]));
                parts.push(Part::Placeholder(name, place));
                let length = name.len() + 2;
                if place == Place::String {
                    filled.extend(std::iter::repeat_n('x', length));
                } else {
                    filled.push_str(r#""""#);
                    filled.extend(std::iter::repeat_n(' ', length - 2));
                }
                last_placeholder = Some((at, name));
                at += length;
                text_from = at;
                continue;
            }
            let is_control = next.is_control() && !matches!(next, '\t' | '\n' | '\r');
            if is_control {
                let problem = format!(
                    "must not be the control character U+{:04X}",
                    u32::from(next)
                );
                return Err(error(at, problem));
            }
            if language == Language::Json {
                match next {
                    ':' if !is_in_string => {
                        if let Some((at, name)) = last_placeholder {
                            let problem = format!(
                                "placeholder `<{name}>` must not be in the name of a member"
                            );
                            return Err(error(at, problem));
                        }
                    }
                    '"' if !is_escaped => {
                        if !is_in_string {
                            last_placeholder = None;
                        }
                        is_in_string = !is_in_string;
                    }
                    ',' | '{' | '[' if !is_in_string => last_placeholder = None,
                    _ => {}
                }
                is_escaped = is_in_string && next == '\\' && !is_escaped;
            }
            filled.push(next);
            at += next.len_utf8();
        }
        parts.push(Part::Text(&template[text_from..]));
        if language == Language::Json {
            check_json(&filled).map_err(|(at, problem)| error(at, problem))?;
        }
        Ok(Self { parts, language })
    }

    /// The template with these values.
    ///
    /// # Errors
    /// If it is larger than `max_bytes`.
    pub(super) fn fill<'v>(
        &self,
        max_bytes: usize,
        mut value: impl FnMut(&str) -> Value<'v>,
    ) -> Result<String, TooLarge> {
        let mut filled = String::new();
        for part in &self.parts {
            match *part {
                Part::Text(text) => filled.push_str(text),
                Part::Placeholder(name, Place::Value) => match value(name) {
                    Value::Json(json) => filled.push_str(json),
                    Value::Missing => filled.push_str("null"),
                },
                Part::Placeholder(name, Place::String) => match value(name) {
                    Value::Json(json) => push_into_string(&mut filled, json),
                    Value::Missing => {}
                },
                Part::Placeholder(name, Place::Text) => match value(name) {
                    Value::Json(json) => push_into_text(&mut filled, json, self.language),
                    Value::Missing => {}
                },
            }
            if filled.len() > max_bytes {
                return Err(TooLarge);
            }
        }
        Ok(filled)
    }
}

/// Answers if a text in angle brackets is a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is one.
    Yes,
    /// It is plain text.
    No,
}

/// The name in `<name>`, at the beginning of the text. It reads no more than the longest name, so a
/// template is read in linear time.
fn name_at(text: &str) -> Option<&str> {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let text = text.strip_prefix('<')?;
    let bytes = text.bytes().take(MAX_NAME_BYTES + 1);
    let len = bytes.take_while(is_of_name).count();
    let is_name = (1..=MAX_NAME_BYTES).contains(&len);
    (is_name && text[len..].starts_with('>')).then(|| &text[..len])
}

/// Checks JSON text. An error has the byte at which it is.
fn check_json(text: &str) -> Result<(), (usize, String)> {
    let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) else {
        return Ok(());
    };
    let lines: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let mut at = (lines + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    Err((
        at,
        format!("must be JSON with a JSON content type: {words}"),
    ))
}

/// Writes a value into a JSON string.
fn push_into_string(to: &mut String, json: &str) {
    match json.as_bytes().first() {
        // It is already escaped as a string needs it.
        Some(b'"') => to.push_str(inner(json)),
        // EventBridge removes the quotes, so that a valid string remains.
        Some(b'{' | b'[') => {
            for character in json.chars().filter(|c| *c != '"') {
                match character {
                    '\\' => to.push_str("\\\\"),
                    '\n' => to.push_str("\\n"),
                    '\r' => to.push_str("\\r"),
                    '\t' => to.push_str("\\t"),
                    other => to.push(other),
                }
            }
        }
        _ => to.push_str(json),
    }
}

/// Writes a value into text that is not JSON: a string without its quotes, anything else as JSON.
fn push_into_text(to: &mut String, json: &str, language: Language) {
    let text = if json.starts_with('"') {
        unescaped(json)
    } else {
        json.into()
    };
    match language {
        Language::Form => to.extend(url::form_urlencoded::byte_serialize(text.as_bytes())),
        Language::Xml => {
            for character in text.chars() {
                match character {
                    '&' => to.push_str("&amp;"),
                    '<' => to.push_str("&lt;"),
                    '>' => to.push_str("&gt;"),
                    '"' => to.push_str("&quot;"),
                    '\'' => to.push_str("&apos;"),
                    // No XML document may have it, in any form (XML 1.0, 2.2).
                    other if other.is_control() && !matches!(other, '\t' | '\n' | '\r') => {
                        to.push('\u{fffd}');
                    }
                    '\u{fffe}' | '\u{ffff}' => to.push('\u{fffd}'),
                    other => to.push(other),
                }
            }
        }
        Language::Json | Language::Text => to.push_str(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_up_to_the_longest() {
        let name = |len| format!("<{}>", "n".repeat(len));
        assert_eq!(name_at(&name(256)).map(str::len), Some(256));
        for text in ["", "<", "<>", "<a b>", "<a<b>", "<ü>", "<a", &name(257)] {
            assert_eq!(name_at(text), None, "{text}");
        }
    }
}
