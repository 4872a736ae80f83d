//! The attributes of everything that decides about requests, but for URL and headers. A subscription
//! has them, and so have its former requests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use webhooks_domain::fields::FieldError;
use webhooks_domain::outbound::{Method, QueryParameters};
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::payload_shape::{
    ContentType, KeptFields, PayloadShape, PayloadShapeParts, Transform,
};

/// Absent attributes have the values of a new subscription, so they cost nothing.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShapeAttributes {
    #[serde(default, skip_serializing_if = "PayloadFormat::is_standard")]
    pub(crate) payload_format: PayloadFormat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload_fields: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transform: Option<TransformItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Method::is_post")]
    pub(crate) method: Method,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) query_parameters: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TransformItem {
    paths: BTreeMap<String, String>,
    template: String,
}

impl ShapeAttributes {
    pub(crate) fn new(payload: &PayloadShape, method: Method, query: &QueryParameters) -> Self {
        let parts = payload.parts();
        Self {
            payload_format: parts.format,
            payload_fields: parts.fields.map(|fields| fields.as_slice().to_vec()),
            transform: parts.transform.map(|transform| TransformItem {
                paths: transform.paths().clone(),
                template: transform.template().to_owned(),
            }),
            content_type: parts.content_type.map(|own| own.as_str().to_owned()),
            method,
            query_parameters: query.clone().into(),
        }
    }

    /// The shape of the payload.
    ///
    /// # Errors
    /// If a part cannot be read, or does not belong to the format.
    pub(crate) fn payload(&self) -> Result<PayloadShape, FieldError> {
        let fields = self.payload_fields.clone().map(KeptFields::new).transpose();
        let own = self.content_type.as_deref().map(ContentType::from_stored);
        PayloadShape::new(PayloadShapeParts {
            format: self.payload_format,
            fields: fields.map_err(|error| FieldError::new("payloadFields", error))?,
            transform: self.transform.as_ref().map(|transform| {
                Transform::new(transform.paths.clone(), transform.template.clone())
            }),
            content_type: own.transpose()?,
        })
    }

    /// The query parameters.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn query(&self) -> Result<QueryParameters, FieldError> {
        let query = QueryParameters::new(self.query_parameters.clone());
        query.map_err(|error| FieldError::new("queryParameters", error))
    }
}
