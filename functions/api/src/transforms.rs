//! `/transforms/test`: tries a transform on an event, without a subscription.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types::{TransformTest, TransformTestResult};
use webhooks_domain::fields::FieldError;

use crate::Api;
use crate::body;
use crate::extract::{Body, NoQuery};
use crate::problem::Problem;
use crate::requests::{self, TrialEvent};

/// Test a transform
///
/// Makes the body of a webhook from an event, as a subscription with this transform does. The event is
/// given, or has the first example of an event type of the catalogue. Nothing is stored and nothing is
/// sent.
#[utoipa::path(
    post,
    path = "/transforms/test",
    operation_id = "testTransform",
    request_body = TransformTest,
    responses((status = 200, description = "The body.", body = TransformTestResult)),
)]
pub(crate) async fn test(
    State(api): State<Arc<Api>>,
    _: NoQuery,
    Body(body): Body,
) -> Result<Json<TransformTestResult>, Problem> {
    let mut request = body::read(&body)?;
    let event = match TrialEvent::of(&mut request)? {
        TrialEvent::Given(event) => event.get().to_owned(),
        TrialEvent::ExampleOf(event_type) => {
            let found = api.tests.example_event(&event_type).await?;
            found.ok_or_else(|| {
                let problem = format!("the event catalogue has no example of `{event_type}`");
                FieldError::new("example", problem)
            })?
        }
    };
    Ok(Json(requests::transformed(request, &event)?))
}
