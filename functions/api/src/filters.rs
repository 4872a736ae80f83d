//! `/filters/test`: tries a filter on an event, without a subscription.

use axum::Json;
use serde::Serialize;
use webhooks_domain::filter::try_filter;

use crate::extract::{Body, NoQuery};
#[cfg(test)]
use crate::openapi::requests;
use crate::problem::Problem;

/// What a filter makes of an event.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = FilterTestResult))]
pub(crate) struct ResultView {
    /// Whether a subscription with this filter wants it, if it is of one of its types.
    matches: bool,
}

/// Test a filter
///
/// Tries a subscription's filter on an event. Nothing is stored and nothing is sent.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/filters/test",
    operation_id = "testFilter",
    request_body = requests::FilterTest,
    responses((status = 200, description = "Whether it matches.", body = ResultView)),
))]
pub(crate) async fn test(_: NoQuery, Body(body): Body) -> Result<Json<ResultView>, Problem> {
    let matches = try_filter(&body)?;
    Ok(Json(ResultView { matches }))
}
