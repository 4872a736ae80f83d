//! Publishes operational events and traces of a batch.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;
use webhooks_domain::deliver::Report;
use webhooks_domain::delivery::DeliveryTask;
use webhooks_domain::ids::CustomerId;
use webhooks_domain::operational::OperationalEvent;
use webhooks_domain::publish::publish;
use webhooks_lambda::{EventBus, Metric, Metrics, TraceHeader, Tracer, with_sources};

/// Collects the operational events of a batch.
pub(crate) struct Publisher {
    pub(crate) bus: EventBus,
    pub(crate) operator: Option<CustomerId>,
    pub(crate) tracer: Tracer,
    pub(crate) events: Mutex<Vec<OperationalEvent>>,
}

impl Publisher {
    /// Adds the operational event and the trace of a queue message.
    pub(crate) fn report(
        &self,
        task: &DeliveryTask,
        trace: Option<&TraceHeader<'_>>,
        report: &Report,
    ) {
        let event = OperationalEvent::of_report(&task.delivery, report);
        self.events().extend(event);
        let changes = OperationalEvent::of_changes(&task.delivery, report);
        self.events().extend(changes);
        if let (Some(trace), Report::Attempted { attempt, .. }) = (trace, report) {
            let end = attempt.at + Duration::from_millis(attempt.duration_ms.into());
            let annotations = serde_json::json!({
                "delivery_id": task.delivery.to_string(),
                "attempt": attempt.number,
                "outcome": attempt.outcome.as_str(),
            });
            self.tracer
                .add(trace, "attempt", (attempt.at, end), &annotations);
        }
    }

    /// Publishes the batch's events in one call, within the time limit. If an event is lost,
    /// its change is still in the table.
    pub(crate) async fn publish(&self, metrics: &Metrics, time_left: Duration) {
        let events = std::mem::take(&mut *self.events());
        let count = events.len();
        if count == 0 {
            return;
        }
        let published = timeout(
            time_left,
            publish(&self.bus, self.operator.as_ref(), events),
        );
        let problem = match published.await {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => with_sources(&failure),
            Err(_) => "no time was left".to_owned(),
        };
        warn!(
            error = problem,
            count, "operational events were not published"
        );
        metrics.count(Metric::Unpublished, count as u64);
    }

    fn events(&self) -> std::sync::MutexGuard<'_, Vec<OperationalEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
