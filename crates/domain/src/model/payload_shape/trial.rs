//! Tries a transform on an event, without a subscription.

use serde_json::value::RawValue;

use super::{ApplyError, ContentType, PayloadShape, PayloadShapeParts, Transform};
use crate::fields::FieldError;
use crate::members::Members;
use crate::payload_format::PayloadFormat;

/// No body can be made of the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformTrialError {
    /// The text is not an event.
    #[error("must be an object with a `detail` that is an object")]
    Event,
    /// The transform is not valid, or makes a body that is too large.
    #[error(transparent)]
    Transform(#[from] FieldError),
}

/// The body of a webhook that a subscription with this transform sends for an event, and its content
/// type.
///
/// # Errors
/// If the event has no `detail`, the transform is not valid, or the body is too large.
pub fn try_transform(
    transform: Transform,
    content_type: Option<ContentType>,
    event: &str,
) -> Result<(String, String), TransformTrialError> {
    let shape = PayloadShape::new(PayloadShapeParts {
        format: PayloadFormat::Transform,
        transform: Some(transform),
        content_type,
        fields: None,
    })?;
    let members: Option<Members> = serde_json::from_str(event).ok();
    let detail = members.and_then(|event| event.get("detail"));
    let detail = detail.map(RawValue::get);
    let transform = shape.transform();
    let (Some(transform), true) = (transform, detail.is_some_and(|text| text.starts_with('{')))
    else {
        return Err(TransformTrialError::Event);
    };
    let max = PayloadShape::MAX_TRANSFORMED_BYTES;
    let made = transform.apply(event, shape.content_type.as_ref(), max);
    let body = made.map_err(|error| match error {
        ApplyError::Unreadable => TransformTrialError::Event,
        ApplyError::TooLarge => FieldError::new(
            "transform",
            format!("makes a body of more than {max} bytes"),
        )
        .into(),
    })?;
    Ok((body, shape.content_type().to_owned()))
}
