//! Sending test messages.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::SystemRandom;
use webhooks_domain::delivery::{CancelReason, Delivery, DeliveryStatus, FailureReason};
use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::send_test::{SendTest, SendTestError};
use webhooks_domain::subscription::SubscriptionStatus;
use webhooks_testkit::{Fault, InMemoryBackend, samples};

use crate::stage::{NEVER, Stage, deliver, header, now, schedule, stage, verifies_with};

/// A stage whose one delivery has ended, and the use case that sends test messages.
fn stage_of_tests() -> (
    Stage,
    SendTest<InMemoryBackend, InMemoryBackend, InMemoryBackend, InMemoryBackend>,
) {
    let stage = stage(schedule(&[0, 60]));
    stage.drain();
    let deliver = Arc::new(deliver(&stage.backend, schedule(&[0, 60])));
    // The sender of a test ignores a failed invocation: the table has the result.
    stage
        .backend
        .deliver_with(move |_, task| drop(now(deliver.run(task, NEVER))));
    let backend = &stage.backend;
    let tests = SendTest {
        table: backend.clone(),
        queue: backend.clone(),
        deliverer: backend.clone(),
        clock: backend.clone(),
        random: SystemRandom::new(),
        retention: Duration::from_hours(24),
        links: None,
    };
    (stage, tests)
}

impl Stage {
    fn send_test(
        &self,
        tests: &SendTest<InMemoryBackend, InMemoryBackend, InMemoryBackend, InMemoryBackend>,
    ) -> Result<Delivery, SendTestError> {
        let event_type = "webhook.test".parse().unwrap();
        let subscription = self.ids[0].subscription;
        now(tests.run(&samples::customer("acme"), &subscription, event_type))
    }
}

#[test]
fn a_test_is_attempted_at_once_and_signed_like_any_delivery() {
    let (stage, tests) = stage_of_tests();
    let before = stage.backend.requests().len();
    let tested = stage.send_test(&tests).unwrap();
    assert_eq!(tested.status, DeliveryStatus::Succeeded);
    assert_eq!(tested.attempts.len(), 1);
    let requests = stage.backend.requests();
    let (_, request) = &requests[before];
    assert_eq!(header(request, "webhook-id"), tested.id.message.to_string());
    assert!(verifies_with(request, &stage.secret));
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["type"], "webhook.test");
    stage.drain();
    assert_eq!(
        stage.backend.requests().len(),
        before + 1,
        "the task in the queue finds the attempt recorded"
    );
}

#[test]
fn a_failed_test_is_not_retried_and_not_listed_as_undelivered() {
    for status in [500, 410, 429] {
        let (stage, tests) = stage_of_tests();
        stage.backend.answer([samples::response(status)]);
        let tested = stage.send_test(&tests).unwrap();
        let failed = DeliveryStatus::Failed(FailureReason::TestFailed);
        assert_eq!((tested.status, tested.next_attempt_at), (failed, None));
        let requests = stage.backend.requests().len();
        stage.drain();
        assert_eq!(stage.backend.requests().len(), requests, "{status}");
        let status = stage.subscription_of(stage.ids[0]).unwrap().status;
        assert_eq!(
            status,
            SubscriptionStatus::Active,
            "a test changes no subscription"
        );
    }
}

#[test]
fn a_test_is_sent_to_a_paused_subscription_but_not_to_a_deleted_one() {
    let (stage, tests) = stage_of_tests();
    stage.set_status(stage.ids[0], Some(SubscriptionStatus::Paused));
    let tested = stage.send_test(&tests).unwrap();
    assert_eq!(tested.status, DeliveryStatus::Succeeded);

    // The subscription is deleted while the queue has the only task.
    stage.backend.deliver_with(|_, _| ());
    let pending = stage.send_test(&tests).unwrap();
    assert_eq!(pending.status, DeliveryStatus::Pending);
    stage.set_status(stage.ids[0], None);
    stage.drain();
    let cancelled = DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted);
    assert_eq!(stage.delivery_of(pending.id).status, cancelled);
    let gone = stage.send_test(&tests).unwrap_err();
    assert!(matches!(gone, SendTestError::NotFound { .. }));
}

#[test]
fn a_test_of_another_customers_subscription_is_refused() {
    let (stage, tests) = stage_of_tests();
    let before = stage.backend.requests().len();
    let event_type = "webhook.test".parse().unwrap();
    let subscription: SubscriptionId = stage.ids[0].subscription;
    let refused = now(tests.run(&samples::customer("bolt"), &subscription, event_type));
    assert!(matches!(refused, Err(SendTestError::NotFound { .. })));
    assert_eq!(stage.backend.requests().len(), before);
}

#[test]
fn a_test_interrupted_at_any_call_still_ends() {
    for boundary in 0..20 {
        for fault in [Fault::Before, Fault::After] {
            let (stage, tests) = stage_of_tests();
            let before = stage.backend.requests().len();
            let faults = std::iter::repeat_n(Fault::None, boundary).chain([fault]);
            stage.backend.plant(faults);
            let sent = stage.send_test(&tests);
            let struck = !stage.backend.clear_faults();
            stage.drain();
            for delivery in stage.backend.deliveries() {
                assert_eq!(
                    delivery.status,
                    DeliveryStatus::Succeeded,
                    "{boundary} {fault:?}"
                );
                assert_eq!(delivery.attempts.len(), 1, "{boundary} {fault:?}");
            }
            let requests = stage.backend.requests().len() - before;
            assert!(
                requests <= 2,
                "at most one request more than recorded for one crash: {requests}"
            );
            assert!(struck || sent.is_ok());
        }
    }
}
