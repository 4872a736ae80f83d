//! `/deliveries/{deliveryId}/resend`: sends one again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tracing::info;
use webhooks_api_types as api;
use webhooks_domain::delivery::ReopenError;
use webhooks_domain::resend::ResendError;

use crate::Api;
use crate::body;
use crate::deliveries::check_customer;
use crate::extract::{Body, NoQuery, Path};
use crate::path::{OfCustomer, OfDelivery};
use crate::problem::Problem;
use webhooks_wire::answers;

/// Send a delivery again
///
/// Of a delivery that has ended or is held: it is pending again, with as many attempts as a
/// new one has. At most 100 attempts in all.
#[utoipa::path(
    post,
    path = "/deliveries/{deliveryId}/resend",
    operation_id = "resendDelivery",
    tag = "deliveries",
    params(OfDelivery),
    request_body = Option<api::Nothing>,
    responses(
        (status = 202, description = "The delivery, pending.", body = api::Delivery),
        (status = 409, description = "It is pending, is expired or has had too many attempts, it or its subscription is broken, or that is not active.",
            body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn resend(
    State(api): State<Arc<Api>>,
    Path(OfDelivery { delivery_id }): Path<OfDelivery>,
    _: NoQuery,
    Body(body): Body,
) -> Result<(StatusCode, Json<api::Delivery>), Problem> {
    let api::Nothing {} = body::read_or_default(&body)?;
    let again = api.resend.run(&delivery_id).await?;
    info!(delivery.id = %delivery_id, attempt = again.next_attempt(), "delivery resent");
    Ok((StatusCode::ACCEPTED, Json(answers::delivery(again))))
}

/// Send a delivery of a customer again
///
/// As the one without a customer. Another customer's delivery is not found.
#[utoipa::path(
    post,
    path = "/customers/{customerId}/deliveries/{deliveryId}/resend",
    operation_id = "resendDeliveryOfCustomer",
    tag = "deliveries",
    params(OfCustomer, OfDelivery),
    request_body = Option<api::Nothing>,
    responses(
        (status = 202, description = "The delivery, pending.", body = api::Delivery),
        (status = 409, description = "It is pending, is expired or has had too many attempts, it or its subscription is broken, or that is not active.",
            body = api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn resend_of_customer(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(delivery): Path<OfDelivery>,
    query: NoQuery,
    body: Body,
) -> Result<(StatusCode, Json<api::Delivery>), Problem> {
    check_customer(&api, &customer_id, &delivery.delivery_id).await?;
    resend(State(api), Path(delivery), query, body).await
}

impl From<ResendError> for Problem {
    fn from(error: ResendError) -> Self {
        let detail = error.to_string();
        match error {
            ResendError::NotFound(_) => Self::not_found(detail),
            ResendError::NotActive(_) => Self::subscription_not_active(detail),
            ResendError::Conflict(_) | ResendError::Reopen(ReopenError::Pending) => {
                Self::conflict("conflict", "Conflict", detail)
            }
            ResendError::Reopen(ReopenError::AttemptsExhausted { .. }) => {
                Self::conflict("too-many-attempts", "Too many attempts", detail)
            }
            ResendError::Reopen(ReopenError::Expired { .. }) => {
                Self::conflict("expired", "Expired", detail)
            }
            ResendError::Broken { .. } => {
                Self::conflict("delivery-broken", "Delivery broken", detail)
            }
            ResendError::Subscription(error) => error.into(),
            ResendError::Store(error) => error.into(),
        }
    }
}
