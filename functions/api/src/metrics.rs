//! The metrics of a request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use webhooks_lambda::{KmsUsage, Metric, Metrics};

/// Counts requests.
#[derive(Clone)]
pub(crate) struct Counters {
    metrics: Arc<Metrics>,
    keys: Arc<KmsUsage>,
}

impl Counters {
    pub(crate) fn new(metrics: Metrics, keys: Arc<KmsUsage>) -> Self {
        Self {
            metrics: Arc::new(metrics),
            keys,
        }
    }

    fn answered(&self, status: StatusCode) {
        let metrics = &self.metrics;
        metrics.count(Metric::ApiRequests, 1);
        metrics.count(Metric::ApiClientErrors, u64::from(status.is_client_error()));
        metrics.count(Metric::ApiServerErrors, u64::from(status.is_server_error()));
        metrics.count(Metric::KmsCalls, self.keys.take_calls());
        metrics.count(Metric::KmsErrors, self.keys.take_errors());
    }
}

/// Counts a request by its answer.
pub(crate) async fn count(
    State(counters): State<Counters>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    counters.answered(response.status());
    counters.metrics.write();
    response
}

#[cfg(test)]
mod tests {
    use webhooks_lambda::Monitoring;

    use webhooks_domain::timestamp::Timestamp;

    use super::*;

    #[test]
    fn an_answer_is_counted_by_whose_fault_it_is() {
        let counters = Counters::new(Metrics::new("api", Monitoring::Full), Arc::default());
        for status in [200, 404, 422, 503] {
            counters.answered(StatusCode::from_u16(status).unwrap());
        }
        let line = counters.metrics.take(Timestamp::from_millis(0)).unwrap();
        let counted = r#""ApiClientErrors":2,"ApiRequests":4,"ApiServerErrors":1"#;
        assert!(line.contains(counted), "{line}");
        assert!(!line.contains("Kms"), "{line}");
    }

    #[test]
    fn calls_of_kms_are_counted_with_the_request() {
        let counters = Counters::new(Metrics::new("api", Monitoring::Full), Arc::default());
        assert!(counters.keys.note(Err::<(), _>("disabled")).is_err());
        counters.answered(StatusCode::SERVICE_UNAVAILABLE);
        let line = counters.metrics.take(Timestamp::from_millis(0)).unwrap();
        assert!(line.contains(r#""KmsCalls":1,"KmsErrors":1"#), "{line}");
    }
}
