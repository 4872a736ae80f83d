//! Named texts, such as the parameters of a query, read into a type. An error names the text and
//! what is wrong with it, and never repeats its value.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::vec;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use webhooks_domain::fields::FieldError;

/// Reads a struct from the texts of its fields.
///
/// # Errors
/// The first text that is unknown, if the type takes no unknown field; otherwise the first that is
/// missing or not valid.
pub(crate) fn read<T: DeserializeOwned>(texts: BTreeMap<String, String>) -> Result<T, FieldError> {
    T::deserialize(Texts(texts)).map_err(|TextError(error)| error)
}

struct Texts(BTreeMap<String, String>);

impl<'de> Deserializer<'de> for Texts {
    type Error = TextError;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TextError> {
        let mut texts: Vec<_> = self.0.into_iter().collect();
        // Unknown texts come first.
        texts.sort_by_key(|(name, _)| fields.contains(&name.as_str()));
        visitor.visit_map(Members {
            texts: texts.into_iter(),
            text: None,
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
        self.deserialize_struct("", &[], visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Members {
    texts: vec::IntoIter<(String, String)>,
    text: Option<(String, String)>,
}

impl<'de> MapAccess<'de> for Members {
    type Error = TextError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, TextError> {
        self.text = self.texts.next();
        let Some((name, _)) = &self.text else {
            return Ok(None);
        };
        seed.deserialize(name.as_str().into_deserializer())
            .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, TextError> {
        let (name, text) = self.text.take().expect("serde reads a name first");
        let value = seed.deserialize(Text(text.into_deserializer()));
        value.map_err(|TextError(error)| TextError(FieldError::new(&name, error.problem)))
    }
}

/// A text that is there, so that an optional field has a value.
struct Text(StringDeserializer<TextError>);

impl<'de> Deserializer<'de> for Text {
    type Error = TextError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TextError> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// An error of one of the texts.
#[derive(Debug)]
struct TextError(FieldError);

impl Display for TextError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for TextError {}

impl Error for TextError {
    /// An error of a value, which does not know its name yet.
    fn custom<T: Display>(problem: T) -> Self {
        Self(FieldError::new("", problem))
    }

    fn unknown_variant(_: &str, variants: &'static [&'static str]) -> Self {
        Self::custom(format_args!("must be {}", one_of(variants)))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self(FieldError::new(
            name,
            match known {
                [] => "is unknown; there are no parameters".to_owned(),
                known => format!("is unknown; the parameters are {}", known.join(", ")),
            },
        ))
    }

    fn missing_field(name: &'static str) -> Self {
        Self(FieldError::required(name))
    }
}

/// The words as a choice: `` `a`, `b` or `c` ``.
fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use webhooks_api_types::{
        CustomersQuery, DeliveriesQuery, DeliveryStatus, ListLimit, MessageQuery, MessagesQuery,
        Nothing, UndeliveredQuery, UnhealthyQuery,
    };

    use super::*;

    fn texts(texts: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |&(name, text): &(&str, &str)| (name.to_owned(), text.to_owned());
        texts.iter().map(owned).collect()
    }

    fn refused<T: DeserializeOwned + std::fmt::Debug>(query: &[(&str, &str)]) -> String {
        read::<T>(texts(query)).unwrap_err().to_string()
    }

    #[test]
    fn every_parameter_is_read() {
        let query: DeliveriesQuery = read(texts(&[
            ("status", "held"),
            ("eventType", "order.*"),
            ("since", "2026-01-31T09:30:00Z"),
            ("until", "tomorrow"),
            ("limit", "7"),
            ("cursor", ""),
        ]))
        .unwrap();
        let expected = DeliveriesQuery {
            status: Some(DeliveryStatus::Held),
            event_type: Some("order.*".to_owned()),
            since: Some("2026-01-31T09:30:00Z".to_owned()),
            until: Some("tomorrow".to_owned()),
            limit: Some(ListLimit::up_to(7)),
            cursor: Some(String::new()),
        };
        assert_eq!(query, expected);
        assert_eq!(read(texts(&[])), Ok(DeliveriesQuery::default()));
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_the_known_ones() {
        let unknown = [("limit", "many"), ("nonsense", "1")];
        for (refusal, known) in [
            (
                refused::<DeliveriesQuery>(&unknown),
                "the parameters are status, eventType, since, until, limit, cursor",
            ),
            (
                refused::<MessagesQuery>(&unknown),
                "the parameters are eventType, since, until, limit, cursor",
            ),
            (
                refused::<UnhealthyQuery>(&unknown),
                "the parameters are kind, limit, cursor",
            ),
            (
                refused::<CustomersQuery>(&unknown),
                "the parameters are limit, cursor",
            ),
            (refused::<Nothing>(&unknown[1..]), "there are no parameters"),
        ] {
            assert_eq!(refusal, format!("nonsense: is unknown; {known}"));
        }
        let status = refused::<MessagesQuery>(&[("status", "held")]);
        assert!(status.starts_with("status: is unknown"), "{status}");
    }

    #[test]
    fn a_value_is_refused_with_its_name_and_its_bound() {
        for text in ["", "Held", "failed,held"] {
            assert_eq!(
                refused::<DeliveriesQuery>(&[("status", text)]),
                "status: must be `pending`, `held`, `succeeded`, `failed` or `cancelled`"
            );
            assert_eq!(
                refused::<UnhealthyQuery>(&[("kind", text)]),
                "kind: must be `disabled`, `circuitOpen`, `failing`, `slow` or `holding`"
            );
        }
        for text in ["succeeded", "cancelled"] {
            assert_eq!(
                refused::<UndeliveredQuery>(&[("status", text)]),
                "status: must be `pending`, `held` or `failed`"
            );
        }
        for text in ["", "0", "1001", "many", "1.0"] {
            assert_eq!(
                refused::<CustomersQuery>(&[("limit", text)]),
                "limit: must be 1 to 100"
            );
            assert_eq!(
                refused::<MessageQuery>(&[("limit", text)]),
                "limit: must be 1 to 1000"
            );
        }
    }
}
