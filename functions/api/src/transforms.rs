//! `/transforms/test`: tries a transform on an event, without a subscription.

use axum::Json;
use webhooks_api_types::{TransformTest, TransformTestResult};

use crate::body;
use crate::extract::{Body, NoQuery};
use crate::problem::Problem;
use crate::requests;

/// Test a transform
///
/// Makes the body of a webhook from an event, as a subscription with this transform does. Nothing is
/// stored and nothing is sent.
#[utoipa::path(
    post,
    path = "/transforms/test",
    operation_id = "testTransform",
    request_body = TransformTest,
    responses((status = 200, description = "The body.", body = TransformTestResult)),
)]
pub(crate) async fn test(
    _: NoQuery,
    Body(body): Body,
) -> Result<Json<TransformTestResult>, Problem> {
    Ok(Json(requests::transformed(body::read(&body)?)?))
}
