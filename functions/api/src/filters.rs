//! `/filters/test`: tries a filter on an event, without a subscription.

use axum::Json;
use webhooks_api_types::{FilterTest, FilterTestResult};

use crate::body;
use crate::extract::{Body, NoQuery};
use crate::problem::Problem;
use crate::requests;

/// Test a filter
///
/// Tries a subscription's filter on an event. Nothing is stored and nothing is sent.
#[utoipa::path(
    post,
    path = "/filters/test",
    operation_id = "testFilter",
    request_body = FilterTest,
    responses((status = 200, description = "Whether it matches.", body = FilterTestResult)),
)]
pub(crate) async fn test(_: NoQuery, Body(body): Body) -> Result<Json<FilterTestResult>, Problem> {
    let matches = requests::filter_matches(&body::read(&body)?)?;
    Ok(Json(FilterTestResult { matches }))
}
