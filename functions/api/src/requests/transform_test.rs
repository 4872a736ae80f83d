//! Tests of a transform.

use serde_json::value::RawValue;
use webhooks_api_types as api;
use webhooks_domain::catalogue::TypeName;
use webhooks_domain::event_type::EventType;
use webhooks_domain::fields::FieldError;
use webhooks_domain::payload_shape::{ContentType, Transform, TransformTrialError, try_transform};

/// The largest body in an answer, as JSON text. A body of control characters is six times as long in
/// JSON, and Lambda gives back 6 MB.
const MAX_SHOWN_BYTES: usize = 1_048_576;

/// The event of a request.
#[derive(Debug)]
pub(crate) enum TrialEvent {
    /// The text of the event.
    Given(Box<RawValue>),
    /// The first example of this type in the catalogue.
    ExampleOf(EventType),
}

impl TrialEvent {
    /// Takes the event of a request.
    ///
    /// # Errors
    /// If there is none, or two.
    pub(crate) fn of(request: &mut api::TransformTest) -> Result<Self, FieldError> {
        match (request.event.take(), request.example.take()) {
            (Some(event), None) => Ok(Self::Given(event)),
            (None, Some(name)) => {
                let name = name.parse::<TypeName>();
                let name = name.map_err(|error| FieldError::new("example", error))?;
                Ok(Self::ExampleOf(EventType::from_stored(name.into())))
            }
            (Some(_), Some(_)) => {
                let problem = "must be absent if there is an `event`";
                Err(FieldError::new("example", problem))
            }
            (None, None) => {
                let problem = "is required, unless there is an `example`";
                Err(FieldError::new("event", problem))
            }
        }
    }
}

/// The body that the transform of a request makes of an event.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn transformed(
    request: api::TransformTest,
    event: &str,
) -> Result<api::TransformTestResult, FieldError> {
    let content_type = request.content_type.map(|text| ContentType::parse(&text));
    let transform = Transform::new(request.transform.paths, request.transform.template);
    let made = try_transform(transform, content_type.transpose()?, event);
    let (body, content_type) = made.map_err(|error| match error {
        TransformTrialError::Event => FieldError::new(
            "event",
            "must be an object with a `detail` that is an object",
        ),
        TransformTrialError::Transform(problem) => problem,
    })?;
    let shown = serde_json::to_string(&body).map_or(usize::MAX, |json| json.len());
    if shown > MAX_SHOWN_BYTES {
        let problem = format!(
            "makes a body of {shown} bytes in JSON, and an answer shows at most {MAX_SHOWN_BYTES}: \
             try a smaller event"
        );
        return Err(FieldError::new("transform", problem));
    }
    Ok(api::TransformTestResult { body, content_type })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    const EVENT: &str = include_str!("../../../../events/order-created.json");

    fn try_it(body: &str) -> Result<api::TransformTestResult, FieldError> {
        let mut request = body::read(body.as_bytes())?;
        let event = match TrialEvent::of(&mut request)? {
            TrialEvent::Given(event) => event.get().to_owned(),
            TrialEvent::ExampleOf(name) => panic!("{name}"),
        };
        transformed(request, &event)
    }

    #[test]
    fn a_transform_is_tried_on_a_real_event() {
        let transform =
            r#"{"paths":{"c":"$.detail.customerId"},"template":"{\"text\":\"for <c>\"}"}"#;
        let made = try_it(&format!(r#"{{"transform":{transform},"event":{EVENT}}}"#)).unwrap();
        assert_eq!(made.body, r#"{"text":"for cust_1001"}"#);
        assert_eq!(made.content_type, "application/json");
        let plain = format!(
            r#"{{"transform":{{"template":"a <b>"}},"contentType":"text/plain","event":{EVENT}}}"#
        );
        assert_eq!(try_it(&plain).unwrap().body, "a <b>");
    }

    #[test]
    fn an_answer_is_bounded_also_if_json_makes_its_body_longer() {
        let test = |text: &str| {
            let template = "<t>".repeat(20);
            try_it(&format!(
                r#"{{"transform":{{"paths":{{"t":"$.detail.t"}},"template":"{template}"}},
                "contentType":"text/plain","event":{{"detail":{{"t":"{text}"}}}}}}"#
            ))
        };
        assert_eq!(test(&"a".repeat(10_000)).unwrap().body.len(), 200_000);
        // The same length in the request, and twelve times as long in the answer.
        let refused = test(&"\\u0001".repeat(9_000)).unwrap_err();
        assert_eq!(refused.field, "transform");
        assert!(refused.problem.contains("1048576"), "{refused}");
    }

    #[test]
    fn the_field_that_is_not_valid_is_named() {
        for (body, field) in [
            ("[]", "body"),
            ("{}", "transform"),
            (r#"{"transform":{},"event":{"detail":{}}}"#, "transform"),
            (
                r#"{"transform":{"template":"1","path":{}},"event":{"detail":{}}}"#,
                "transform",
            ),
            (
                r#"{"transform":{"template":"<a>"},"event":{"detail":{}}}"#,
                "transform",
            ),
            (r#"{"transform":{"template":"1"}}"#, "event"),
            (
                r#"{"transform":{"template":"1"},"event":{"detail":{}},"example":"a"}"#,
                "example",
            ),
            (
                r#"{"transform":{"template":"1"},"example":"order.*"}"#,
                "example",
            ),
            (r#"{"transform":{"template":"1"},"event":null}"#, "event"),
            (r#"{"transform":{"template":"1"},"event":{}}"#, "event"),
            (
                r#"{"transform":{"template":"1"},"event":{"detail":[]}}"#,
                "event",
            ),
            (
                r#"{"transform":{"template":"1"},"event":[{"detail":{}}]}"#,
                "event",
            ),
            (
                r#"{"transform":{"template":"1"},"contentType":"text/a\nb: c","event":{"detail":{}}}"#,
                "contentType",
            ),
        ] {
            let refused = try_it(body).unwrap_err();
            assert_eq!(refused.field, field, "{body}: {refused}");
        }
    }
}
