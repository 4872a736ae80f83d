//! `/customers/{customerId}/statistics` and the same of a subscription

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::show_statistics::{ShowStatistics, StatisticsError};
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::SystemClock;

use crate::Api;
use crate::extract::{NoQuery, Path};
use crate::path::{OfCustomer, OfSubscription};
use crate::problem::Problem;
use crate::subscriptions::must_exist;

impl From<StatisticsError> for Problem {
    fn from(error: StatisticsError) -> Self {
        match error {
            StatisticsError::TooManySubscriptions { .. } => Self::conflict(
                "too-many-subscriptions",
                "Too many subscriptions",
                error.to_string(),
            ),
            StatisticsError::Store(error) => error.into(),
        }
    }
}

impl Api {
    /// Refuses the request if attempts are not counted.
    fn statistics(&self) -> Result<&ShowStatistics<DynamoStore, SystemClock>, Problem> {
        self.statistics.as_ref().ok_or_else(|| {
            let detail = "attempts are not counted: the stack has the parameter \
                          `Statistics=Disabled`";
            Problem::conflict(
                "statistics-disabled",
                "Statistics disabled",
                detail.to_owned(),
            )
        })
    }
}

/// Read the statistics of a subscription
///
/// The numbers of attempts over the last hour, day and 7 days, by outcome, with the times of the
/// answers.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/statistics",
    operation_id = "showStatistics",
    tag = "subscriptions",
    params(OfCustomer, OfSubscription),
    responses((status = 200, description = "The statistics.", body = api::Statistics)),
)]
pub(crate) async fn of_subscription(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    Path(OfSubscription { subscription_id }): Path<OfSubscription>,
    _: NoQuery,
) -> Result<Json<api::Statistics>, Problem> {
    let statistics = api.statistics()?;
    must_exist(&api, &customer_id, &subscription_id).await?;
    let summary = statistics.of_subscription(&subscription_id).await?;
    Ok(Json(webhooks_wire::statistics::answer(&summary)))
}

/// Read the statistics of a customer
///
/// The sum of the statistics of its subscriptions. A customer with more than 100 of them gets 409.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/statistics",
    operation_id = "showStatisticsOfCustomer",
    tag = "customers",
    params(OfCustomer),
    responses((status = 200, description = "The statistics.", body = api::Statistics)),
)]
pub(crate) async fn of_customer(
    State(api): State<Arc<Api>>,
    Path(OfCustomer { customer_id }): Path<OfCustomer>,
    _: NoQuery,
) -> Result<Json<api::Statistics>, Problem> {
    let summary = api.statistics()?.of_customer(&customer_id).await?;
    Ok(Json(webhooks_wire::statistics::answer(&summary)))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;
    use crate::operations::router;

    #[tokio::test]
    async fn a_stack_that_counts_nothing_has_no_statistics() {
        let mut api = Api::unconnected().await;
        api.statistics = None;
        let router = router(Arc::new(api));
        let subscription = format!("sub_{:032x}", 1);
        for path in [String::new(), format!("/subscriptions/{subscription}")] {
            let request = Request::get(format!("/customers/acme{path}/statistics"));
            let request = request.body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::CONFLICT, "{path}");
        }
    }
}
