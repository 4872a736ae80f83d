//! Publishes operational events and traces of a batch.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;
use webhooks_domain::deliver::Report;
use webhooks_domain::delivery::DeliveryTask;
use webhooks_domain::ids::CustomerId;
use webhooks_domain::operational::{About, OperationalEvent};
use webhooks_domain::ports::{CustomerTable, OperationalEventPublisher};
use webhooks_domain::publish::{add_contacts, publish};
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{EventBus, Metric, Metrics, TraceHeader, Tracer, with_sources};

/// Collects the operational events of a batch.
pub(crate) struct Publisher {
    pub(crate) bus: EventBus,
    /// Has the contacts of customers, which only warnings need.
    pub(crate) table: DynamoStore,
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
        let warning = OperationalEvent::of_warning(&task.delivery, report);
        self.events().extend(warning);
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

    /// Publishes the batch's events within the time limit. If an event is lost, its change is still
    /// in the table.
    pub(crate) async fn publish(&self, metrics: &Metrics, time_left: Duration) {
        let events = std::mem::take(&mut *self.events());
        if events.is_empty() {
            return;
        }
        let operator = self.operator.as_ref();
        let lost = publish_all(&self.bus, &self.table, operator, events, time_left).await;
        metrics.count(Metric::Unpublished, lost);
    }

    fn events(&self) -> std::sync::MutexGuard<'_, Vec<OperationalEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes events, and returns the number of those that were not. Warnings are published by
/// themselves, because their contacts are read before; the others do not wait for that.
async fn publish_all<A: OperationalEventPublisher, T: CustomerTable>(
    bus: &A,
    table: &T,
    operator: Option<&CustomerId>,
    events: Vec<OperationalEvent>,
    time_left: Duration,
) -> u64 {
    let is_warning = |event: &OperationalEvent| matches!(event.about, About::Warning(_));
    let (mut warnings, others): (Vec<_>, Vec<_>) = events.into_iter().partition(is_warning);
    let counts = (warnings.len() as u64, others.len() as u64);
    let warnings = async {
        read_contacts(table, &mut warnings, time_for_contacts(time_left)).await;
        publish(bus, operator, warnings).await
    };
    let others = publish(bus, operator, others);
    let (warnings, others) = tokio::join!(timeout(time_left, warnings), timeout(time_left, others));
    let lost = [(warnings, counts.0), (others, counts.1)].map(|(published, count)| {
        let problem = match published {
            Ok(Ok(())) => return 0,
            Ok(Err(failure)) => with_sources(&failure),
            Err(_) => "no time was left".to_owned(),
        };
        warn!(
            error = problem,
            count, "operational events were not published"
        );
        count
    });
    lost.iter().sum()
}

/// The longest time for reading contacts: a part of the time that is left, so that the warnings can
/// still be published without them.
fn time_for_contacts(time_left: Duration) -> Duration {
    (time_left / 2).min(Duration::from_secs(1))
}

/// Adds contacts to warnings. Those that cannot be read in time are left out.
async fn read_contacts<T: CustomerTable>(
    table: &T,
    warnings: &mut [OperationalEvent],
    time: Duration,
) {
    if warnings.is_empty() {
        return;
    }
    let problem = match timeout(time, add_contacts(table, warnings)).await {
        Ok(Ok(())) => return,
        Ok(Err(failure)) => with_sources(&failure),
        Err(_) => "the table did not answer in time".to_owned(),
    };
    warn!(error = problem, "warnings are published without contacts");
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use webhooks_domain::broken::Readable;
    use webhooks_domain::customer::Customer;
    use webhooks_domain::operational::{EndpointInTrouble, Kind, LastAttempt};
    use webhooks_domain::paging::EntryPage;
    use webhooks_domain::ports::{PublishError, StoreError, WriteOutcome};
    use webhooks_domain::timestamp::Timestamp;

    use super::*;

    #[derive(Default)]
    struct Bus {
        published: Mutex<Vec<Kind>>,
        refuses: Option<Kind>,
    }

    impl OperationalEventPublisher for Bus {
        async fn publish(&self, events: &[OperationalEvent]) -> Result<(), PublishError> {
            if events.iter().any(|event| Some(event.kind) == self.refuses) {
                return pending().await;
            }
            let kinds = events.iter().map(|event| event.kind);
            self.published.lock().unwrap().extend(kinds);
            Ok(())
        }
    }

    /// It never answers.
    struct Table;

    impl CustomerTable for Table {
        async fn customer(&self, _: &CustomerId) -> Result<Option<Customer>, StoreError> {
            pending().await
        }

        async fn customers(
            &self,
            _: Option<&CustomerId>,
            _: u32,
        ) -> Result<EntryPage<Readable<Customer, CustomerId>>, StoreError> {
            unreachable!("customers are not listed")
        }

        async fn write_customer(
            &self,
            _: Option<&Customer>,
            _: &Customer,
        ) -> Result<WriteOutcome, StoreError> {
            unreachable!("customers are not written")
        }

        async fn request_deletion(
            &self,
            _: &Customer,
            _: Timestamp,
        ) -> Result<WriteOutcome, StoreError> {
            unreachable!("customers are not deleted")
        }
    }

    fn events() -> Vec<OperationalEvent> {
        let event = |kind, about| OperationalEvent {
            kind,
            customer_id: "acme".parse().unwrap(),
            subscription_id: format!("sub_{:032x}", 1).parse().unwrap(),
            about,
        };
        let warning = About::Warning(EndpointInTrouble {
            step: "disabled",
            reason: Some("failing"),
            endpoint: "https://example.com/".to_owned(),
            failing_since: None,
            disabled_at: None,
            certificate_not_after: None,
            last_attempt: LastAttempt {
                number: 1,
                at: "2026-05-07T15:02:44.090Z".to_owned(),
                outcome: webhooks_domain::outbound::AttemptOutcome::TimedOut,
                status: None,
            },
            contacts: Vec::new(),
        });
        vec![
            event(Kind::SubscriptionWarning, warning),
            event(Kind::SubscriptionDisabled, About::Nothing {}),
        ]
    }

    #[tokio::test]
    async fn a_table_that_does_not_answer_costs_the_contacts_and_no_event() {
        let bus = Bus::default();
        let lost = publish_all(&bus, &Table, None, events(), Duration::ZERO).await;
        assert_eq!(lost, 0);
        let mut published = bus.published.into_inner().unwrap();
        published.sort_by_key(|kind| kind.as_str());
        let expected = [Kind::SubscriptionDisabled, Kind::SubscriptionWarning];
        assert_eq!(published, expected);
    }

    #[tokio::test]
    async fn events_that_are_lost_are_counted_and_the_others_are_published() {
        for (refused, published) in [
            (Kind::SubscriptionWarning, Kind::SubscriptionDisabled),
            (Kind::SubscriptionDisabled, Kind::SubscriptionWarning),
        ] {
            let bus = Bus {
                refuses: Some(refused),
                ..Bus::default()
            };
            let lost = publish_all(&bus, &Table, None, events(), Duration::ZERO).await;
            assert_eq!(lost, 1);
            assert_eq!(*bus.published.lock().unwrap(), [published]);
        }
    }

    #[test]
    fn time_is_left_after_the_contacts() {
        let millis = Duration::from_millis;
        for (left, expected) in [(0, 0), (300, 150), (2_000, 1_000), (60_000, 1_000)] {
            assert_eq!(time_for_contacts(millis(left)), millis(expected));
        }
    }
}
