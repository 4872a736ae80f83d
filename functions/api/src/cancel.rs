//! `/customers/{customerId}/messages/{messageId}/cancel`: stops what is still pending of a message.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::cancel::{CancelError, Cancellation};
use webhooks_domain::ids::MessageId;

use crate::Api;
use crate::audit;
use crate::body;
use crate::extract::{Body, Caller, Path, Query};
use crate::pages::place;
use crate::path::{OfCustomer, OfMessage};
use crate::problem::Problem;

/// Cancel a message
///
/// Its deliveries that are pending or held become `cancelled`, reason `requested`: at most `limit` of
/// them in each request, in the order of the subscriptions' ids. From the first request on, nothing
/// more is sent that the event or a replay has made. A delivery that was resent before is stopped by
/// the request whose page has it, so read all pages. A request to an endpoint that is under way is not
/// stopped. It is safe to repeat.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/messages/{messageId}/cancel",
    operation_id = "cancelMessage",
    params(OfCustomer, OfMessage, api::CancelQuery),
    request_body = Option<api::Nothing>,
    responses(
        (status = 200, description = "The deliveries of this page, counted.", body = api::Cancellation),
        (status = 409, description = "A delivery was changed at the same time.",
            body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn cancel(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfMessage { message_id }): Path<OfMessage>,
    Query(query): Query<api::CancelQuery>,
    caller: Caller,
    Body(body): Body,
) -> Result<Json<api::Cancellation>, Problem> {
    let api::Nothing {} = body::read_or_default(&body)?;
    let after = place(query.cursor.as_deref())?;
    let limit = query.limit.unwrap_or_default().get();
    let page = api
        .cancel
        .run(&customer_id, &message_id, after.as_ref(), limit);
    let page = page.await?;
    audit::message_cancelled(&customer_id, &message_id, &page, &caller);
    Ok(Json(shown(&message_id, &page)))
}

fn shown(message: &MessageId, page: &Cancellation) -> api::Cancellation {
    api::Cancellation {
        message_id: message.to_string(),
        cancelled_at: page.cancelled_at.to_string(),
        cancelled: page.cancelled,
        due: page.due,
        ended: page.ended,
        broken: page.broken,
        next_cursor: page.next.map(|last| last.to_string()),
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        let detail = error.to_string();
        match error {
            CancelError::NotFound(_) => Self::not_found(detail),
            CancelError::Conflict(_) => Self::conflict("conflict", "Conflict", detail),
            CancelError::Store(error) => error.into(),
        }
    }
}
