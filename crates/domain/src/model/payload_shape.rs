//! The shape of a webhook's body: its format, with everything that decides about its bytes.
//!
//! A subscription has a shape, and a delivery names it: by its format alone, or, if the format does
//! not say everything, by the version of the subscription's requests. So the body of a delivery has
//! the same bytes for every attempt, whatever is edited meanwhile.

mod content_type;
mod event_path;
mod kept_fields;
mod message_link;
mod path_tree;
mod reader;
mod template;
mod transform;
mod trial;

pub use content_type::{ContentType, ContentTypeError};
pub use kept_fields::{KeptFields, KeptFieldsError};
pub use message_link::{MessageLinkTemplate, MessageLinkTemplateError};
pub use template::TemplateError;
pub(crate) use transform::ApplyError;
pub use transform::{Transform, TransformError};
pub use trial::{TransformTrialError, try_transform};

use std::fmt::Write as _;

use crate::fields::FieldError;
use crate::payload_format::PayloadFormat;

/// The version of a delivery's shape that could not be read when the delivery was made. It has the
/// shape that its subscription has at each attempt, once that can be read.
pub const UNKNOWN_SHAPE: u64 = 0;

/// The shape of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayloadShape {
    /// The content.
    pub body: BodyShape,
    /// The content type, if it is not the format's own.
    pub content_type: Option<ContentType>,
}

/// A payload format, with what it needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BodyShape {
    /// [`PayloadFormat::Standard`]
    #[default]
    Standard,
    /// [`PayloadFormat::Detail`]
    Detail,
    /// [`PayloadFormat::Event`]
    Event,
    /// [`PayloadFormat::Thin`]
    Thin,
    /// [`PayloadFormat::CloudEvents`]
    CloudEvents,
    /// [`PayloadFormat::Fields`]
    Fields(KeptFields),
    /// [`PayloadFormat::Transform`]
    Transform(Transform),
}

/// The parts of a shape as they are stored and shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayloadShapeParts {
    /// `payloadFormat`
    pub format: PayloadFormat,
    /// `payloadFields`
    pub fields: Option<KeptFields>,
    /// `transform`
    pub transform: Option<Transform>,
    /// `contentType`
    pub content_type: Option<ContentType>,
}

impl PayloadShape {
    /// The largest body that a template may make: the size of the largest event.
    pub(crate) const MAX_TRANSFORMED_BYTES: usize = 1_048_576;

    /// The shape of these parts.
    ///
    /// # Errors
    /// If a part is missing, or belongs to another format, or if the transform is not valid for the
    /// content type.
    pub fn new(parts: PayloadShapeParts) -> Result<Self, FieldError> {
        let PayloadShapeParts {
            format,
            fields,
            transform,
            content_type,
        } = parts;
        let only_with =
            |name, format| FieldError::new(name, format!("requires `payloadFormat`: `{format}`"));
        if fields.is_some() && format != PayloadFormat::Fields {
            return Err(only_with("payloadFields", "fields"));
        }
        if transform.is_some() && format != PayloadFormat::Transform {
            return Err(only_with("transform", "transform"));
        }
        let required = |name, format| {
            FieldError::new(
                name,
                format!("is required with `payloadFormat`: `{format}`"),
            )
        };
        let body = match format {
            PayloadFormat::Fields => {
                BodyShape::Fields(fields.ok_or_else(|| required("payloadFields", "fields"))?)
            }
            PayloadFormat::Transform => {
                let transform = transform.ok_or_else(|| required("transform", "transform"))?;
                let checked = transform.check(content_type.as_ref());
                checked.map_err(|error| FieldError::new("transform", error))?;
                BodyShape::Transform(transform)
            }
            format => BodyShape::of_format(format).unwrap_or_default(),
        };
        Ok(Self { body, content_type })
    }

    /// Its parts.
    pub fn parts(&self) -> PayloadShapeParts {
        PayloadShapeParts {
            format: self.format(),
            fields: self.fields().cloned(),
            transform: self.transform().cloned(),
            content_type: self.content_type.clone(),
        }
    }

    /// The fields that it keeps, if its format is `fields`.
    pub fn fields(&self) -> Option<&KeptFields> {
        match &self.body {
            BodyShape::Fields(fields) => Some(fields),
            _ => None,
        }
    }

    /// Its transform, if its format is `transform`.
    pub fn transform(&self) -> Option<&Transform> {
        match &self.body {
            BodyShape::Transform(transform) => Some(transform),
            _ => None,
        }
    }

    /// The shape of a format, if the format says everything.
    pub fn of_format(format: PayloadFormat) -> Option<Self> {
        Some(Self {
            body: BodyShape::of_format(format)?,
            content_type: None,
        })
    }

    /// Returns true if its format says everything about it.
    pub fn is_of_format(&self) -> bool {
        self.content_type.is_none() && BodyShape::of_format(self.format()).is_some()
    }

    /// Its format.
    pub fn format(&self) -> PayloadFormat {
        match self.body {
            BodyShape::Standard => PayloadFormat::Standard,
            BodyShape::Detail => PayloadFormat::Detail,
            BodyShape::Event => PayloadFormat::Event,
            BodyShape::Thin => PayloadFormat::Thin,
            BodyShape::CloudEvents => PayloadFormat::CloudEvents,
            BodyShape::Fields(_) => PayloadFormat::Fields,
            BodyShape::Transform(_) => PayloadFormat::Transform,
        }
    }

    /// The value of the `content-type` header.
    pub fn content_type(&self) -> &str {
        match (&self.content_type, &self.body) {
            (Some(own), _) => own.as_str(),
            // CloudEvents 1.0.2, HTTP Protocol Binding, 3.2.1.
            (None, BodyShape::CloudEvents) => "application/cloudevents+json",
            (None, _) => "application/json",
        }
    }

    /// The stored size of what it adds to a subscription, in bytes, at most.
    pub(crate) fn size_bytes(&self) -> usize {
        /// The stored size of an entry of a list or map, without its text.
        const ENTRY_BYTES: usize = 1;
        /// The stored size of an attribute, without its value.
        const ATTRIBUTE_BYTES: usize = 32;
        let own = self.content_type.as_ref();
        let own = own.map_or(0, |own| ATTRIBUTE_BYTES + own.as_str().len());
        own + match &self.body {
            BodyShape::Fields(fields) => {
                let fields = fields.as_slice().iter();
                ATTRIBUTE_BYTES + fields.map(|field| ENTRY_BYTES + field.len()).sum::<usize>()
            }
            BodyShape::Transform(transform) => {
                let paths = transform.paths().iter();
                let paths = paths.map(|(name, path)| ENTRY_BYTES + name.len() + path.len());
                2 * ATTRIBUTE_BYTES + transform.template().len() + paths.sum::<usize>()
            }
            _ => 0,
        }
    }
}

impl BodyShape {
    /// The shape of a format that needs nothing else.
    fn of_format(format: PayloadFormat) -> Option<Self> {
        match format {
            PayloadFormat::Standard => Some(Self::Standard),
            PayloadFormat::Detail => Some(Self::Detail),
            PayloadFormat::Event => Some(Self::Event),
            PayloadFormat::Thin => Some(Self::Thin),
            PayloadFormat::CloudEvents => Some(Self::CloudEvents),
            PayloadFormat::Fields | PayloadFormat::Transform => None,
        }
    }
}

/// A text with everything encoded but unreserved characters (RFC 3986, 2.3) and these.
pub(crate) fn percent_encoded(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
