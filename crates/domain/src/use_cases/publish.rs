//! Publishes operational events after the change is stored.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::contact::EmailAddress;
use crate::deliver::{DeliverySummary, EndpointWarning, Recorded, Report};
use crate::delivery::{Attempt, DeliveryStatus, DeliveryTrigger, Verdict};
use crate::health::{HealthChange, WarningStep};
use crate::ids::{CustomerId, DeliveryId};
use crate::operational::{About, EndpointInTrouble, Kind, LastAttempt, OperationalEvent};
use crate::ports::{
    CustomerTable, MAX_PUBLISHED, OperationalEventPublisher, PublishError, StoreError,
};

impl OperationalEvent {
    /// The event for a processed queue message, if there is one.
    pub fn of_report(delivery: &DeliveryId, report: &Report) -> Option<Self> {
        match report {
            // Only a recorded attempt has changed the delivery.
            Report::Attempted {
                attempt,
                verdict: Verdict::Ended(status),
                recorded: Recorded::Written,
                summary,
                ..
            } => Self::of_end(delivery, *status, summary, Some(attempt)),
            Report::Settled(status, summary) => Self::of_end(delivery, *status, summary, None),
            _ => None,
        }
    }

    /// The warning to the endpoint's owner after an attempt, without the contacts:
    /// [`add_contacts`] adds them.
    pub fn of_warning(delivery: &DeliveryId, report: &Report) -> Option<Self> {
        let Report::Attempted {
            attempt,
            summary,
            warning: Some(warning),
            ..
        } = report
        else {
            return None;
        };
        let EndpointWarning { warning, endpoint } = &**warning;
        let reason = match warning.step {
            WarningStep::Disabled(reason) => Some(reason.as_str()),
            _ => None,
        };
        Some(Self {
            kind: Kind::SubscriptionWarning,
            customer_id: summary.customer_id.clone(),
            subscription_id: delivery.subscription,
            about: About::Warning(EndpointInTrouble {
                step: warning.step.as_str(),
                reason,
                endpoint: endpoint.clone(),
                failing_since: warning.failing_since.map(|at| at.to_string()),
                disabled_at: warning.disabled_at.map(|at| at.to_string()),
                certificate_not_after: warning.certificate_not_after.map(|at| at.to_string()),
                last_attempt: LastAttempt::from(attempt),
                contacts: Vec::new(),
            }),
        })
    }

    /// The events about the subscription after an attempt.
    pub fn of_changes(delivery: &DeliveryId, report: &Report) -> Vec<Self> {
        let Report::Attempted {
            changes, summary, ..
        } = report
        else {
            return Vec::new();
        };
        let event = |change: &HealthChange| {
            let (kind, about) = match change {
                HealthChange::Failing => (Kind::SubscriptionFailing, About::Nothing {}),
                HealthChange::Disabled(reason) => {
                    let reason = reason.as_str();
                    (Kind::SubscriptionDisabled, About::Reason { reason })
                }
                HealthChange::Recovered => (Kind::SubscriptionRecovered, About::Nothing {}),
                HealthChange::CircuitOpened
                | HealthChange::CircuitClosed
                | HealthChange::Slow
                | HealthChange::Quick => return None,
            };
            Some(Self {
                kind,
                customer_id: summary.customer_id.clone(),
                subscription_id: delivery.subscription,
                about,
            })
        };
        changes.iter().filter_map(event).collect()
    }

    fn of_end(
        delivery: &DeliveryId,
        status: DeliveryStatus,
        summary: &DeliverySummary,
        attempt: Option<&Attempt>,
    ) -> Option<Self> {
        let kind = match status {
            DeliveryStatus::Failed(reason) if reason.is_published() => Kind::DeliveryFailed,
            DeliveryStatus::Succeeded if summary.trigger == DeliveryTrigger::Resend => {
                Kind::DeliveryRecovered
            }
            _ => return None,
        };
        Some(Self {
            kind,
            customer_id: summary.customer_id.clone(),
            subscription_id: delivery.subscription,
            about: About::Delivery {
                delivery_id: *delivery,
                message_id: delivery.message,
                event_type: summary.event_type.clone(),
                reason: status.reason(),
                last_attempt: attempt.map(LastAttempt::from),
            },
        })
    }
}

impl From<&Attempt> for LastAttempt {
    fn from(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at.to_string(),
            outcome: attempt.outcome,
            status: attempt.status,
        }
    }
}

/// Adds the confirmed contacts of their customers to the warnings among the events. Each customer
/// is read once. Events without a warning cost nothing.
///
/// # Errors
/// If a customer could not be read. Its warnings have no contacts then; all others have theirs.
pub async fn add_contacts<T: CustomerTable>(
    table: &T,
    events: &mut [OperationalEvent],
) -> Result<(), StoreError> {
    let mut warnings: BTreeMap<CustomerId, Vec<&mut EndpointInTrouble>> = BTreeMap::new();
    for event in events {
        if let About::Warning(warning) = &mut event.about {
            let of_customer = warnings.entry(event.customer_id.clone()).or_default();
            of_customer.push(warning);
        }
    }
    let added = warnings.into_iter().map(async |(id, warnings)| {
        let Some(customer) = table.customer(&id).await? else {
            return Ok(());
        };
        let addresses = customer.contacts.confirmed().map(EmailAddress::as_str);
        let addresses: Vec<_> = addresses.map(str::to_owned).collect();
        for warning in warnings {
            warning.contacts.clone_from(&addresses);
        }
        Ok(())
    });
    join_all(added).await.into_iter().collect()
}

/// Publishes events, except those about the operator's own deliveries and subscriptions.
///
/// # Errors
/// If not all could be published. Nothing depends on them.
pub async fn publish<A: OperationalEventPublisher>(
    publisher: &A,
    operator: Option<&CustomerId>,
    mut events: Vec<OperationalEvent>,
) -> Result<(), PublishError> {
    events.retain(|event| Some(&event.customer_id) != operator);
    for chunk in events.chunks(MAX_PUBLISHED) {
        publisher.publish(chunk).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::FutureExt;

    use super::*;
    use crate::delivery::AnswerBody;
    use crate::delivery::FailureReason;
    use crate::delivery::tests::delivery;
    use crate::health::Warning;
    use crate::outbound::{AttemptOutcome, ResponseHeaders, Timings};
    use crate::subscription::DisabledReason;
    use crate::timestamp::Timestamp;

    #[derive(Default)]
    struct RecordingPublisher(Mutex<Vec<(usize, String)>>);

    impl OperationalEventPublisher for RecordingPublisher {
        async fn publish(&self, events: &[OperationalEvent]) -> Result<(), PublishError> {
            let heard = events
                .iter()
                .map(|event| (events.len(), event.customer_id.to_string()));
            self.0.lock().unwrap().extend(heard);
            Ok(())
        }
    }

    fn summary(trigger: DeliveryTrigger) -> DeliverySummary {
        DeliverySummary {
            customer_id: "acme".parse().unwrap(),
            event_type: "order.created".parse().unwrap(),
            trigger,
        }
    }

    fn attempted(status: DeliveryStatus, recorded: Recorded, trigger: DeliveryTrigger) -> Report {
        Report::Attempted {
            attempt: Attempt {
                number: 3,
                at: Timestamp::from_millis(1_700_000_000_000),
                duration_ms: 12,
                outcome: AttemptOutcome::HttpError,
                status: Some(500),
                error: None,
                addresses: Vec::new(),
                request_version: 1,
                timings: Timings::default(),
                response_headers: ResponseHeaders::default(),
                response_excerpt: Some("what the endpoint said".to_owned()),
                answer_body: AnswerBody::default(),
            },
            verdict: Verdict::Ended(status),
            recorded,
            event_at: None,
            summary: summary(trigger),
            changes: Vec::new(),
            warning: None,
            health_failure: None,
        }
    }

    fn published(report: &Report) -> Option<OperationalEvent> {
        OperationalEvent::of_report(&delivery(0).id, report)
    }

    const FAILED: DeliveryStatus = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);

    #[test]
    fn a_failed_delivery_is_published_without_the_endpoints_answer() {
        let event = published(&attempted(
            FAILED,
            Recorded::Written,
            DeliveryTrigger::Event,
        ))
        .unwrap();
        assert_eq!(event.kind.as_str(), "delivery.failed");
        let detail = event.detail();
        assert!(
            detail.contains(r#""reason":"attemptsExhausted""#),
            "{detail}"
        );
        assert!(!detail.contains("what the endpoint said"), "{detail}");
        let expired = DeliveryStatus::Failed(FailureReason::Expired);
        let settled =
            published(&Report::Settled(expired, summary(DeliveryTrigger::Event))).unwrap();
        assert_eq!(settled.kind, Kind::DeliveryFailed);
    }

    #[test]
    fn a_success_is_published_only_for_a_resent_delivery() {
        let succeeded = DeliveryStatus::Succeeded;
        assert_eq!(
            published(&attempted(
                succeeded,
                Recorded::Written,
                DeliveryTrigger::Event
            )),
            None
        );
        let recovered = published(&attempted(
            succeeded,
            Recorded::Written,
            DeliveryTrigger::Resend,
        ))
        .unwrap();
        assert_eq!(recovered.kind, Kind::DeliveryRecovered);
    }

    #[test]
    fn a_failing_or_disabled_subscription_is_published_with_the_reason() {
        let mut report = attempted(FAILED, Recorded::Written, DeliveryTrigger::Event);
        let Report::Attempted { changes, .. } = &mut report else {
            unreachable!()
        };
        *changes = vec![
            HealthChange::Failing,
            HealthChange::Recovered,
            HealthChange::CircuitOpened,
            HealthChange::Disabled(DisabledReason::Failing),
        ];
        let published = OperationalEvent::of_changes(&delivery(0).id, &report);
        let kinds: Vec<_> = published.iter().map(|event| event.kind.as_str()).collect();
        let [failing, recovered, disabled] = &kinds[..] else {
            panic!("{kinds:?}")
        };
        assert_eq!(
            (*failing, *recovered),
            ("subscription.failing", "subscription.recovered")
        );
        assert_eq!(*disabled, "subscription.disabled");
        let detail = published[2].detail();
        assert!(detail.contains(r#""reason":"failing""#), "{detail}");
    }

    fn warned(step: WarningStep) -> Report {
        let mut report = attempted(FAILED, Recorded::Written, DeliveryTrigger::Event);
        let Report::Attempted { warning, .. } = &mut report else {
            unreachable!()
        };
        let since = Timestamp::from_millis(1_699_000_000_000);
        *warning = Some(Box::new(EndpointWarning {
            warning: Warning {
                step,
                failing_since: Some(since),
                disabled_at: None,
                certificate_not_after: None,
            },
            endpoint: "https://example.com/a".to_owned(),
        }));
        report
    }

    #[test]
    fn a_warning_has_all_that_a_message_to_the_owner_needs() {
        let step = WarningStep::Disabled(DisabledReason::Failing);
        let event = OperationalEvent::of_warning(&delivery(0).id, &warned(step)).unwrap();
        assert_eq!(event.kind.as_str(), "subscription.warning");
        let detail: serde_json::Value = serde_json::from_str(&event.detail()).unwrap();
        assert_eq!(detail["step"], "disabled");
        assert_eq!(detail["reason"], "failing");
        assert_eq!(detail["endpoint"], "https://example.com/a");
        assert_eq!(detail["failingSince"], "2023-11-03T08:26:40.000Z");
        assert_eq!(detail["lastAttempt"]["status"], 500);
        assert_eq!(detail["contacts"], serde_json::json!([]));
        let other = attempted(FAILED, Recorded::Written, DeliveryTrigger::Event);
        assert_eq!(OperationalEvent::of_warning(&delivery(0).id, &other), None);
    }

    #[test]
    fn an_attempt_that_is_not_recorded_is_not_published() {
        let lost = attempted(FAILED, Recorded::LeftToNextTask, DeliveryTrigger::Event);
        assert_eq!(published(&lost), None);
    }

    #[test]
    fn nothing_is_published_about_the_operators_own_subscriptions() {
        let event = published(&attempted(
            FAILED,
            Recorded::Written,
            DeliveryTrigger::Event,
        ))
        .unwrap();
        let of = |customer: &str| OperationalEvent {
            customer_id: customer.parse().unwrap(),
            ..event.clone()
        };
        let heard = RecordingPublisher::default();
        let operator: CustomerId = "operator".parse().unwrap();
        let mut events = vec![of("operator"); 3];
        events.extend(vec![of("acme"); MAX_PUBLISHED + 1]);
        publish(&heard, Some(&operator), events)
            .now_or_never()
            .unwrap()
            .unwrap();
        let heard = heard.0.into_inner().unwrap();
        assert_eq!(heard.len(), MAX_PUBLISHED + 1);
        assert!(heard.iter().all(|(_, customer)| customer == "acme"));
        assert!(heard.iter().all(|(together, _)| *together <= MAX_PUBLISHED));
    }
}
