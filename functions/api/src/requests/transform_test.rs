//! Tests of a transform.

use webhooks_api_types as api;
use webhooks_domain::fields::FieldError;
use webhooks_domain::payload_shape::{ContentType, Transform, TransformTrialError, try_transform};

/// The body that the transform of a request makes of its event.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn transformed(
    request: api::TransformTest,
) -> Result<api::TransformTestResult, FieldError> {
    let content_type = request.content_type.map(|text| ContentType::parse(&text));
    let transform = Transform::new(request.transform.paths, request.transform.template);
    let made = try_transform(transform, content_type.transpose()?, request.event.get());
    let (body, content_type) = made.map_err(|error| match error {
        TransformTrialError::Event => FieldError::new(
            "event",
            "must be an object with a `detail` that is an object",
        ),
        TransformTrialError::Transform(problem) => problem,
    })?;
    Ok(api::TransformTestResult { body, content_type })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    const EVENT: &str = include_str!("../../../../events/order-created.json");

    fn try_it(body: &str) -> Result<api::TransformTestResult, FieldError> {
        transformed(body::read(body.as_bytes())?)
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
