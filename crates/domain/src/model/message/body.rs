//! The body of a message's webhooks, in each payload format.
//!
//! Except for a transform, the producer's text is copied as it is written, so no number changes.

use serde_json::value::RawValue;

use super::{Message, PayloadError, detail};
use crate::members::Members;
use crate::payload_shape::{ApplyError, BodyShape, PayloadShape, percent_encoded};

/// The body cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The stored payload cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The subscription's transform makes a body that is too large.
    #[error("transform: makes a body of more than {max} bytes", max = PayloadShape::MAX_TRANSFORMED_BYTES)]
    TooLarge,
}

impl Message {
    /// The body that is sent and signed. It has the same bytes for every attempt that gets the same
    /// shape and link, which a delivery pins.
    ///
    /// # Errors
    /// If the stored payload cannot be read, or a transform makes a body that is too large.
    pub fn body(&self, shape: &PayloadShape, link: Option<&str>) -> Result<Vec<u8>, BodyError> {
        let event = self.payload.read()?;
        let text = match &shape.body {
            BodyShape::Event => return Ok(event),
            BodyShape::Detail => detail(&event)?.to_owned(),
            BodyShape::Standard => self.standard(detail(&event)?),
            BodyShape::Fields(fields) => self.standard(&fields.of(detail(&event)?)),
            BodyShape::Thin => self.standard(&self.ids(link)),
            BodyShape::CloudEvents => self.cloud_event(&event)?,
            BodyShape::Transform(transform) => {
                let event = str::from_utf8(&event).map_err(|_| PayloadError::NotAnEvent)?;
                let max = PayloadShape::MAX_TRANSFORMED_BYTES;
                let content_type = shape.content_type.as_ref();
                let made = transform.apply(event, content_type, max);
                made.map_err(|error| match error {
                    ApplyError::TooLarge => BodyError::TooLarge,
                    ApplyError::Unreadable => PayloadError::NotAnEvent.into(),
                })?
            }
        };
        Ok(text.into_bytes())
    }

    /// Standard Webhooks 1.0.0, "Payload structure".
    fn standard(&self, data: &str) -> String {
        let (kind, time) = (json(self.event_type.as_str()), json(&self.time));
        format!(r#"{{"type":{kind},"timestamp":{time},"data":{data}}}"#)
    }

    /// The data of a thin webhook.
    fn ids(&self, link: Option<&str>) -> String {
        let (message, customer) = (json(&self.id.to_string()), json(self.customer_id.as_str()));
        let link = link.map_or(String::new(), |link| format!(r#","link":{}"#, json(link)));
        format!(r#"{{"messageId":{message},"customerId":{customer}{link}}}"#)
    }

    /// `CloudEvents` 1.0.2, JSON Event Format, 2 and 3.
    fn cloud_event(&self, event: &[u8]) -> Result<String, PayloadError> {
        let data = detail(event)?;
        let members: Members =
            serde_json::from_slice(event).map_err(|_| PayloadError::NotAnEvent)?;
        let source = members.get("source").map(RawValue::get).unwrap_or_default();
        let source = serde_json::from_str::<String>(source).unwrap_or_default();
        let (id, source) = (json(&self.id.to_string()), json(&uri_reference(&source)));
        let (kind, time) = (json(self.event_type.as_str()), json(&self.time));
        Ok(format!(
            r#"{{"specversion":"1.0","id":{id},"source":{source},"type":{kind},"time":{time},"datacontenttype":"application/json","data":{data}}}"#
        ))
    }
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

/// The source of an event as a URI reference that is not empty (`CloudEvents` 1.0.2, "source"; RFC
/// 3986, 4.1). Characters that a URI cannot have are encoded. An event without a source, which only
/// somebody who starts the workflow by hand can make, has `/`.
fn uri_reference(source: &str) -> String {
    match percent_encoded(source, b":/?@!$&'()*+,;=") {
        empty if empty.is_empty() => "/".to_owned(),
        reference => reference,
    }
}

#[cfg(test)]
mod tests {
    use cloudevents::AttributesReader as _;

    use super::*;
    use crate::message::tests::message;
    use crate::payload_format::PayloadFormat;
    use crate::payload_shape::{KeptFields, PayloadShapeParts, Transform};

    /// An event with members in an unusual order, with spaces and with numbers that no float can
    /// hold.
    const EVENT: &str = r#"{ "detail" : {"n": 12345678901234567890,"d":0.10,"e":1E-7} ,"x":-0.0,"source":"shop ü","id":"e"}"#;

    fn shape(format: PayloadFormat) -> PayloadShape {
        PayloadShape::new(PayloadShapeParts {
            format,
            fields: (format == PayloadFormat::Fields)
                .then(|| KeptFields::new(vec!["/d".into(), "/none".into()]).unwrap()),
            transform: (format == PayloadFormat::Transform).then(|| {
                let paths = [("n", "$.detail.n"), ("id", "$.id")];
                let paths = paths.map(|(name, path)| (name.to_owned(), path.to_owned()));
                Transform::new(paths.into(), r#"{"text":"<id> is <n>","n":<n>}"#.into())
            }),
            content_type: None,
        })
        .unwrap()
    }

    fn body(format: PayloadFormat, link: Option<&str>) -> String {
        let body = message(EVENT).body(&shape(format), link);
        String::from_utf8(body.unwrap()).unwrap()
    }

    #[test]
    fn each_format_copies_its_part_of_the_event_byte_for_byte() {
        let head = r#"{"type":"order \"created\"","timestamp":"2026-01-31T09:30:00Z","data":"#;
        let id = message(EVENT).id;
        let detail = r#"{"n": 12345678901234567890,"d":0.10,"e":1E-7}"#;
        for (format, expected) in [
            (PayloadFormat::Standard, format!("{head}{detail}}}")),
            (PayloadFormat::Detail, detail.to_owned()),
            (PayloadFormat::Event, EVENT.to_owned()),
            (PayloadFormat::Fields, format!(r#"{head}{{"d":0.10}}}}"#)),
            (
                PayloadFormat::Thin,
                format!(r#"{head}{{"messageId":"{id}","customerId":"acme"}}}}"#),
            ),
            (
                PayloadFormat::CloudEvents,
                format!(
                    r#"{{"specversion":"1.0","id":"{id}","source":"shop%20%C3%BC","type":"order \"created\"","time":"2026-01-31T09:30:00Z","datacontenttype":"application/json","data":{detail}}}"#
                ),
            ),
            (
                PayloadFormat::Transform,
                r#"{"text":"e is 12345678901234567890","n":12345678901234567890}"#.to_owned(),
            ),
        ] {
            assert_eq!(body(format, None), expected, "{format:?}");
        }
        let thin = body(PayloadFormat::Thin, Some("https://a.example/\"1\""));
        assert!(
            thin.ends_with(r#","link":"https://a.example/\"1\""}}"#),
            "{thin}"
        );
    }

    /// Held to the project's own reader of structured mode.
    #[test]
    fn a_cloud_event_is_one_for_the_sdk() {
        let body = body(PayloadFormat::CloudEvents, None);
        let event: cloudevents::Event = serde_json::from_str(&body).unwrap();
        assert_eq!(event.id(), message(EVENT).id.to_string());
        assert_eq!(event.source(), "shop%20%C3%BC");
        assert_eq!(event.ty(), "order \"created\"");
        assert_eq!(event.datacontenttype(), Some("application/json"));
        assert_eq!(
            event.time().unwrap().to_rfc3339(),
            "2026-01-31T09:30:00+00:00"
        );
        assert_eq!(
            shape(PayloadFormat::CloudEvents).content_type(),
            "application/cloudevents+json"
        );
    }

    #[test]
    fn an_event_without_a_source_has_one() {
        assert_eq!(uri_reference(""), "/");
        assert_eq!(
            uri_reference("com.example:shop/eu?x=1#[%"),
            "com.example:shop/eu?x=1%23%5B%25"
        );
    }

    #[test]
    fn a_payload_that_is_not_an_event_has_no_detail() {
        for bad in ["", "7", "{}", "[]"] {
            for format in [
                PayloadFormat::Detail,
                PayloadFormat::CloudEvents,
                PayloadFormat::Fields,
            ] {
                let body = message(bad).body(&shape(format), None);
                let is_no_event = matches!(body, Err(BodyError::Payload(PayloadError::NotAnEvent)));
                assert!(is_no_event, "{bad} {format:?}");
            }
        }
    }

    #[test]
    fn a_part_of_another_format_is_refused() {
        let error = |parts: PayloadShapeParts| PayloadShape::new(parts).unwrap_err().to_string();
        let parts = shape(PayloadFormat::Fields).parts();
        assert_eq!(
            error(PayloadShapeParts {
                format: PayloadFormat::Thin,
                ..parts
            }),
            "payloadFields: requires `payloadFormat`: `fields`"
        );
        let format = PayloadFormat::Transform;
        let missing = PayloadShapeParts {
            format,
            ..PayloadShapeParts::default()
        };
        assert_eq!(
            error(missing),
            "transform: is required with `payloadFormat`: `transform`"
        );
    }
}
