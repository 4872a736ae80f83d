//! `/filters/test`: tries a filter on an event, without a subscription.

use axum::Json;
use webhooks_api_types::FilterTestResult;
use webhooks_domain::filter::try_filter;

use crate::extract::{Body, NoQuery};
#[cfg(test)]
use crate::openapi::requests;
use crate::problem::Problem;

/// Test a filter
///
/// Tries a subscription's filter on an event. Nothing is stored and nothing is sent.
#[cfg_attr(test, utoipa::path(
    post,
    path = "/filters/test",
    operation_id = "testFilter",
    request_body = requests::FilterTest,
    responses((status = 200, description = "Whether it matches.", body = FilterTestResult)),
))]
pub(crate) async fn test(_: NoQuery, Body(body): Body) -> Result<Json<FilterTestResult>, Problem> {
    let matches = try_filter(&body)?;
    Ok(Json(FilterTestResult { matches }))
}
