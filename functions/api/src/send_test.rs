//! `/customers/{customerId}/subscriptions/{subscriptionId}/test`: sends an example event now.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use tracing::warn;
use webhooks_api_types as api;
use webhooks_domain::delivery::{DeliveryStatus, DeliveryTask};
use webhooks_domain::ports::DeliverNow;
use webhooks_domain::send_test::SendTestError;
use webhooks_domain::show_exchanges::show_exchanges;
use webhooks_lambda::{FunctionClient, with_sources};
use webhooks_sqs::encode;

use crate::Api;
use crate::audit;
use crate::body;
use crate::extract::{Body, Caller, NoQuery, Path};
use crate::path::{OfCustomer, OfSubscription};
use crate::problem::Problem;
use crate::requests;
use webhooks_wire::answers;

/// Lets `DeliverWebhook` make the attempt. No other function may reach endpoints.
pub(crate) struct DeliverFunction(pub(crate) FunctionClient);

impl DeliverNow for DeliverFunction {
    async fn deliver_now(&self, task: &DeliveryTask) {
        // The same event as the queue would give it.
        let message = json!({"messageId": task.delivery, "body": encode(task)});
        let batch = json!({ "Records": [message] });
        if let Err(error) = self.0.invoke(batch.to_string().into_bytes()).await {
            let error = with_sources(&error);
            warn!(delivery.id = %task.delivery, error, "test not made at once; its queue message makes it");
        }
    }
}

/// Send a test
///
/// Sends an example event to the endpoint now, once, whatever types and filter the
/// subscription has, and to a paused one too. The delivery is listed like any other.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/test",
    operation_id = "sendTest",
    tag = "subscriptions",
    params(OfCustomer, OfSubscription),
    request_body = Option<api::Test>,
    responses(
        (status = 200, description = "The delivery, after its attempt, with its request and answer.", body = api::Delivery),
        (status = 202, description = "The delivery. Its attempt could not be made at once, and is made within two minutes.", body = api::Delivery),
        (status = 409, description = "The subscription is broken.",
            body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn send_test(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
    caller: Caller,
    Body(body): Body,
) -> Result<(StatusCode, Json<api::Delivery>), Problem> {
    let event_type = requests::test_event_type(body::read_or_default(&body)?)?;
    let tested = api
        .tests
        .run(&customer_id, &subscription_id, event_type)
        .await?;
    audit::test_sent(&customer_id, &tested, &caller);
    let status = if tested.status == DeliveryStatus::Pending {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let exchanges = show_exchanges(&api.table, &tested).await?;
    let shown = answers::delivery_with_exchanges(tested, exchanges);
    Ok((status, Json(shown)))
}

impl From<SendTestError> for Problem {
    fn from(error: SendTestError) -> Self {
        match error {
            SendTestError::NotFound { .. } => Self::not_found(error.to_string()),
            SendTestError::Subscription(error) => error.into(),
            SendTestError::Store(error) => error.into(),
            SendTestError::Queue(_) => Self::unavailable(&error),
        }
    }
}
