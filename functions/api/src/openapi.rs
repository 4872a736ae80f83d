//! `/openapi.json`: this API in `OpenAPI` 3.1.
//!
//! The document is made by a test, from what stands beside the handlers and the types, and is
//! checked in as `docs/openapi.json`. The function serves that text: what makes it is a
//! dev-dependency, and costs neither size nor time at a start.

#[cfg(test)]
mod document;
#[cfg(test)]
pub(crate) mod parameters;
#[cfg(test)]
mod problems;
#[cfg(test)]
pub(crate) mod requests;
#[cfg(test)]
mod tidy;

use axum::http::header::{self, HeaderName};

use crate::extract::NoQuery;

const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// Read this document
#[cfg_attr(test, utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "showDocument",
    responses((status = 200, description = "The document.", body = Object)),
))]
pub(crate) async fn show(_: NoQuery) -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
