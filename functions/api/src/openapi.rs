//! `/openapi.json`: this API in `OpenAPI` 3.1.
//!
//! A test makes the document from the annotations of the handlers and the types, and compares it
//! with `docs/openapi.json`. The function serves that file: it does not make the document, so
//! that this costs neither size nor time at a start.

#[cfg(test)]
mod document;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod tidy;

use axum::http::header::{self, HeaderName};

use crate::extract::NoQuery;

const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// Read this document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "showDocument",
    responses((status = 200, description = "The document.", body = Object)),
)]
pub(crate) async fn show(_: NoQuery) -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
