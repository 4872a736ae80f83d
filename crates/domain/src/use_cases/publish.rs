//! Publishes operational events after the change is stored.

use crate::deliver::{DeliverySummary, Recorded, Report};
use crate::delivery::{Attempt, DeliveryStatus, DeliveryTrigger, FailureReason, Verdict};
use crate::health::HealthChange;
use crate::ids::{CustomerId, DeliveryId};
use crate::operational::{About, Kind, LastAttempt, OperationalEvent};
use crate::ports::{MAX_PUBLISHED, OperationalEventPublisher, PublishError};

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
            DeliveryStatus::Failed(
                FailureReason::AttemptsExhausted
                | FailureReason::EndpointGone
                | FailureReason::Expired
                | FailureReason::SubscriptionUnreadable,
            ) => Kind::DeliveryFailed,
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
                last_attempt: attempt.map(|attempt| LastAttempt {
                    number: attempt.number,
                    at: attempt.at.to_string(),
                    outcome: attempt.outcome,
                    status: attempt.status,
                }),
            },
        })
    }
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
    use crate::delivery::tests::delivery;
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
