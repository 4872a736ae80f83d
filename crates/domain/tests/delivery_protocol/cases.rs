//! The effect of each kind of event on a delivery.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::stage::{
    NEVER, Stage, VISIBILITY_TIMEOUT, deliver, header, now, schedule, stage, stage_with,
    verifies_with,
};
use proptest::prelude::*;
use ring::rand::SystemRandom;
use webhooks_domain::deliver::{DeliverError, Recorded, Report};
use webhooks_domain::delivery::{
    Attempt, CancelReason, DeliveryStatus, DeliveryTask, DiscardReason, FailureReason, Verdict,
};
use webhooks_domain::due::{LongestQueueDelay, NextAttempt, OVERDUE_AFTER, Shard};
use webhooks_domain::filter::Filter;
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::operational::{Kind, OperationalEvent};
use webhooks_domain::outbound::WebhookResponse;
use webhooks_domain::ports::{DeliveryTable, WriteOutcome};
use webhooks_domain::queue::MAX_QUEUE_DELAY;
use webhooks_domain::signing::{Overlap, Secret, SecretKind};
use webhooks_domain::subscription::{Subscription, SubscriptionStatus};
use webhooks_testkit::{Fault, samples};

#[test]
fn a_signature_covers_the_request_that_carries_it() {
    let stage = stage(schedule(&[0]));
    stage.drain();
    let (at, request) = stage.backend.requests().remove(0);
    let id = stage.ids[0].message;
    assert_eq!(header(&request, "content-type"), "application/json");
    assert!(header(&request, "user-agent").starts_with("webhooks/"));
    assert_eq!(header(&request, "webhook-id"), id.to_string());
    assert_eq!(
        header(&request, "webhook-timestamp"),
        at.as_secs().to_string()
    );
    assert!(verifies_with(&request, &stage.secret));
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
}

#[test]
fn an_attempt_is_signed_with_the_secrets_of_its_own_time() {
    let stage = stage(schedule(&[0, 5, 60]));
    stage.backend.answer([500, 500].map(samples::response));
    stage.run_first();
    let current = stage.subscription_of(stage.ids[0]).unwrap();
    let next = Secret::generate(SecretKind::V1, &SystemRandom::new());
    let vault = &stage.deliver.vault;
    let sealed = now(vault.seal(&next, &current.customer_id, &current.id, 2));
    let overlap = Overlap::from_secs(30).unwrap();
    let rotated = current
        .secrets
        .rotate(sealed.unwrap(), overlap, stage.backend.time());
    let changed = Subscription {
        secrets: rotated.unwrap(),
        version: 2,
        ..current
    };
    stage.backend.store_subscription(&changed);
    stage.drain();
    let by = |secret: &Secret| -> Vec<bool> {
        let requests = stage.backend.requests();
        let requests = requests.iter().map(|(_, request)| request);
        requests
            .map(|request| verifies_with(request, secret))
            .collect()
    };
    assert_eq!(by(&stage.secret), [true, true, false]);
    assert_eq!(by(&next), [false, true, true]);
}

/// Gives the subscription of the only delivery a secret header.
fn set_secret_header(stage: &Stage, name: &str, value: &str) {
    stage.change(stage.ids[0], |subscription| {
        let sealed = stage.deliver.vault.seal_header(name, value, subscription);
        subscription.secret_headers.set(name, now(sealed).unwrap());
        subscription.version += 1;
    });
}

#[test]
fn an_attempt_has_the_secret_headers_of_its_own_time() {
    let stage = stage(schedule(&[0, 5]));
    let echo = WebhookResponse {
        body: samples::body("no access for Bearer t0ken-1"),
        ..samples::response(500)
    };
    stage.backend.answer([echo]);
    set_secret_header(&stage, "authorization", "Bearer t0ken-1");
    stage.run_first();
    set_secret_header(&stage, "authorization", "Bearer t0ken-2");
    stage.drain();
    let requests = stage.backend.requests();
    let sent: Vec<_> = requests
        .iter()
        .map(|(_, request)| header(request, "authorization"))
        .collect();
    assert_eq!(sent, ["Bearer t0ken-1", "Bearer t0ken-2"]);
    let attempts = stage.delivery().attempts;
    assert_eq!(
        attempts[0].response_excerpt.as_deref(),
        Some("no access for ***"),
        "an excerpt is stored and shown"
    );
}

/// A writer of the table who changes a URL gets no secret either.
#[test]
fn a_secret_header_is_sent_to_no_other_origin() {
    let stage = stage(schedule(&[0]));
    set_secret_header(&stage, "authorization", "Bearer t0ken-1");
    stage.change(stage.ids[0], |subscription| {
        subscription.url = samples::url("https://example.org/hook");
    });
    stage.drain();
    assert!(stage.backend.requests().is_empty());
    let unreadable = DeliveryStatus::Failed(FailureReason::SubscriptionUnreadable);
    assert_eq!(stage.delivery().status, unreadable);
}

#[test]
fn a_paused_subscription_holds_and_a_deleted_one_cancels() {
    for (status, expected) in [
        (Some(SubscriptionStatus::Paused), samples::HELD),
        (Some(SubscriptionStatus::Disabled), samples::HELD),
        (
            None,
            DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted),
        ),
    ] {
        let stage = stage(schedule(&[0, 5]));
        stage.backend.answer([samples::response(500)]);
        stage.run_first();
        stage.set_status(stage.ids[0], status);
        stage.drain();
        assert_eq!(stage.delivery().status, expected);
        assert_eq!(
            stage.backend.requests().len(),
            1,
            "nothing is sent after the change"
        );
    }
}

#[test]
fn an_endpoint_that_is_gone_ends_the_delivery_and_disables_the_subscription() {
    let stage = stage(schedule(&[0, 5]));
    stage.backend.answer([samples::response(410)]);
    stage.drain();
    let gone = DeliveryStatus::Failed(FailureReason::EndpointGone);
    assert_eq!(stage.delivery().status, gone);
    let subscription = stage.subscription_of(stage.ids[0]).unwrap();
    assert_eq!(subscription.status, SubscriptionStatus::Disabled);
}

#[test]
fn a_queue_message_without_a_delivery_makes_no_request() {
    let stage = stage(schedule(&[0]));
    let message = samples::message("acme", "another event");
    let unknown = samples::delivery(&message, samples::subscription_id(1)).id;
    let report = stage.run(&DeliveryTask::first(unknown)).unwrap();
    assert_eq!(report, Report::Discarded(DiscardReason::NoDelivery));
    assert!(stage.backend.requests().is_empty());
}

#[test]
fn the_same_queue_message_twice_makes_one_request() {
    let stage = stage(schedule(&[0, 5]));
    assert!(matches!(stage.run_first(), Report::Attempted { .. }));
    assert_eq!(
        stage.run_first(),
        Report::Discarded(DiscardReason::NotPending)
    );
    assert_eq!(stage.backend.requests().len(), 1);
}

#[test]
fn two_runs_that_overlap_do_not_fork_the_retries() {
    const REQUEST: Duration = Duration::from_secs(2);
    // The jitter of the long wait has 80,000 values. If both runs planned the same time for the
    // second attempt, both tasks would be honoured.
    let policy = schedule(&[0, 800, 5, 5, 5, 5]);
    let stage = stage(policy.clone());
    stage
        .backend
        .answer((0..100).map(|_| samples::response(500)));
    // The first task is queued twice, and a task that becomes due during a request runs
    // concurrently.
    let again = DeliveryTask::first(stage.ids[0]);
    stage.queue(&again, Duration::from_secs(1));
    let beside = deliver(&stage.backend, policy);
    stage.backend.during_requests(move |backend| {
        let end = backend.time() + REQUEST;
        while let Some(message) = backend.receive_before(end) {
            now(beside.run(&message.task, NEVER)).unwrap();
        }
        backend.set_now(backend.time().max(end));
    });
    stage.drain();
    assert_eq!(stage.delivery().attempts.len(), 6);
    assert_eq!(
        stage.backend.requests().len(),
        7,
        "one duplicate costs one more request"
    );
}

#[test]
fn a_table_that_rejects_records_multiplies_no_tasks() {
    let stage = stage(schedule(&[0, 5, 5]));
    stage
        .backend
        .answer((0..100).map(|_| samples::response(500)));
    let mut limit_read_at = None;
    for round in 1..=20 {
        let message = stage.backend.receive().unwrap();
        let now = stage.backend.time();
        // Load, subscription, queue. The limit of the customer is read once a minute, and the data
        // key is read and unwrapped once. The next call is the record.
        let mut before_record = 3;
        if limit_read_at.is_none_or(|at| now.since(at) >= Duration::from_mins(1)) {
            limit_read_at = Some(now);
            before_record += 1;
        }
        if round == 1 {
            before_record += 2;
        }
        let faults = std::iter::repeat_n(Fault::None, before_record).chain([Fault::Before]);
        stage.backend.plant(faults);
        let result = stage.handle(message);
        assert!(!stage.backend.clear_faults(), "the record failed");
        assert!(
            matches!(
                result,
                Ok(Report::Attempted {
                    recorded: Recorded::LeftToNextTask,
                    ..
                })
            ),
            "{result:?}"
        );
        assert_eq!(stage.backend.queue().len(), 1, "one chain, after {round}");
    }
    stage.drain();
    assert_eq!(stage.delivery().attempts.len(), 3);
    assert_eq!(stage.backend.requests().len(), 23);
}

#[test]
fn a_task_that_arrives_before_the_record_of_its_predecessor_is_not_lost() {
    let stage = stage(schedule(&[0, 0, 5]));
    stage
        .backend
        .answer((0..10).map(|_| samples::response(500)));
    // A run has made attempt 1 and queued the next task, but its record is slow. The record is
    // written while the run of the next task makes its request.
    stage.backend.purge_queue();
    let id = stage.ids[0];
    let second = DeliveryTask::new(id, 2, Some(samples::NOW));
    stage.queue(&second, Duration::ZERO);
    let is_late = AtomicBool::new(true);
    stage.backend.during_requests(move |backend| {
        if is_late.swap(false, Ordering::Relaxed) {
            let next = NextAttempt::plan(samples::NOW, samples::NOW, LongestQueueDelay::MAX);
            let first = Attempt {
                duration_ms: 11,
                ..samples::failed_attempt(1)
            };
            let recorded = now(backend.record(&id, None, &first, &Verdict::Retry(next)));
            assert_eq!(recorded.unwrap(), WriteOutcome::Written);
        }
        backend.set_now(backend.time() + Duration::from_secs(1));
    });
    stage.drain();
    let attempts = stage.delivery().attempts;
    assert_eq!(attempts.len(), 3);
    let late = attempts[2].at.since(attempts[0].at);
    assert!(late < Duration::from_mins(1), "{late:?}");
}

/// The client repeats a record whose answer was lost, and the table refuses the repetition.
#[test]
fn a_record_that_the_client_repeats_is_reported_like_any_other() {
    for (duration_ms, is_own) in [(12, true), (13, false)] {
        let stage = stage(schedule(&[0]));
        stage.backend.answer([samples::response(500)]);
        let id = stage.ids[0];
        stage.backend.during_requests(move |backend| {
            let attempt = Attempt {
                at: backend.time(),
                duration_ms,
                ..samples::failed_attempt(1)
            };
            let given_up = Verdict::Ended(DeliveryStatus::Failed(FailureReason::AttemptsExhausted));
            let recorded = now(backend.record(&id, None, &attempt, &given_up));
            assert_eq!(recorded.unwrap(), WriteOutcome::Written);
        });
        let report = stage.run_first();
        let is_reported = matches!(
            report,
            Report::Attempted {
                recorded: Recorded::Written,
                ..
            }
        );
        assert_eq!(is_reported, is_own, "{report:?}");
        assert_eq!(stage.delivery().attempts.len(), 1);
    }
}

#[test]
fn a_subscriptions_own_retry_policy_applies() {
    let stage = stage(schedule(&[0, 5, 5]));
    let current = stage.subscription_of(stage.ids[0]).unwrap();
    let own = Subscription {
        retry_policy: Some(schedule(&[0, 60])),
        version: 2,
        ..current
    };
    stage.backend.store_subscription(&own);
    stage.backend.answer((0..3).map(|_| samples::response(500)));
    stage.drain();
    let attempts = stage.delivery().attempts;
    assert_eq!(attempts.len(), 2);
    assert!(attempts[1].at.since(attempts[0].at) >= Duration::from_mins(1));
}

#[test]
fn no_attempt_begins_after_the_deadline() {
    let deadline = samples::NOW + Duration::from_mins(1);
    let at = |now| {
        let stage = stage_with(schedule(&[0, 60]), &[Some(deadline)]);
        stage.backend.set_now(now);
        stage.drain();
        (stage.delivery().status, stage.backend.requests().len())
    };
    let expired = DeliveryStatus::Failed(FailureReason::Expired);
    assert_eq!(at(deadline), (DeliveryStatus::Succeeded, 1));
    assert_eq!(at(deadline + Duration::from_millis(1)), (expired, 0));
}

#[test]
fn no_attempt_begins_without_enough_time_to_finish() {
    let stage = stage(schedule(&[0]));
    let deliver = deliver(&stage.backend, schedule(&[0]));
    let task = DeliveryTask::first(stage.ids[0]);
    let end = samples::NOW + deliver.time_for_attempt;
    let late = now(deliver.run(&task, end - Duration::from_millis(1)));
    assert!(matches!(late, Err(DeliverError::OutOfTime)), "{late:?}");
    assert!(stage.backend.requests().is_empty());
    assert!(now(deliver.run(&task, end)).is_ok());
}

#[test]
fn the_sweep_sends_a_lost_task_again() {
    for delay in [5, 3_600] {
        let stage = stage(schedule(&[0, delay]));
        stage.backend.answer([samples::response(500)]);
        stage.run_first();
        let due_at = stage.delivery().next_attempt_at.unwrap();
        // The sweep queues the task after the long wait. Then the queue loses all messages.
        stage.backend.set_now(due_at - Duration::from_secs(1));
        stage.sweep();
        stage.backend.purge_queue();
        stage
            .backend
            .set_now(due_at + OVERDUE_AFTER - Duration::from_mins(1));
        assert_eq!(
            stage.sweep().queued,
            0,
            "the task may still be in the queue"
        );
        let late = Duration::from_secs(7);
        stage.backend.set_now(due_at + OVERDUE_AFTER + late);
        let report = stage.sweep();
        assert_eq!((report.queued, report.overdue), (1, 1));
        assert_eq!(report.lag, Some(late));
        stage.drain();
        assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
    }
}

#[test]
fn no_crash_delays_an_attempt_by_more_than_the_visibility_timeout_and_a_sweep() {
    const BOUNDARIES: usize = 9;
    let mut struck = 0;
    for delay in [5, 3_600] {
        for (boundary, fault) in
            (0..BOUNDARIES).flat_map(|n| [(n, Fault::Before), (n, Fault::After)])
        {
            let stage = stage(schedule(&[0, delay]));
            stage
                .backend
                .answer([samples::response(500), samples::response(500)]);
            stage
                .backend
                .plant(std::iter::repeat_n(Fault::None, boundary).chain([fault]));
            stage.drain();
            struck += usize::from(!stage.backend.clear_faults());
            let attempts = stage.delivery().attempts;
            let gap = attempts[1].at.since(attempts[0].at);
            let bound = Duration::from_secs(delay.into()).mul_f64(1.1)
                + Duration::from_secs(1)
                + VISIBILITY_TIMEOUT
                + Duration::from_mins(1);
            assert!(
                gap <= bound,
                "{fault:?} at {boundary}: {gap:?} instead of {delay} s"
            );
        }
    }
    assert_eq!(struck, 2 * 2 * BOUNDARIES, "every boundary was reached");
}

#[test]
fn a_sweep_sends_a_task_once_for_each_due_time() {
    let stage = stage(schedule(&[0, 3_600]));
    stage.backend.answer([samples::response(500)]);
    stage.drain_queue();
    let due_at = stage.delivery().next_attempt_at.unwrap();
    stage
        .backend
        .set_now(due_at - MAX_QUEUE_DELAY - Duration::from_secs(1));
    assert_eq!(stage.sweep().queued, 0);
    stage.backend.set_now(due_at - MAX_QUEUE_DELAY);
    assert_eq!(stage.sweep().queued, 1);
    assert_eq!(stage.sweep().queued, 0);
    let [queued] = stage.backend.queue()[..] else {
        panic!("one task, {:?}", stage.backend.queue())
    };
    assert_eq!(queued.visible_at, due_at.max(queued.visible_at));
    assert!(queued.visible_at.since(due_at) < Duration::from_secs(1));
}

#[test]
fn a_backlog_larger_than_one_sweep_is_left_to_the_next() {
    let deadlines = vec![None; 2_500];
    let stage = stage_with(schedule(&[0, 3_600]), &deadlines);
    stage
        .backend
        .answer(deadlines.iter().map(|_| samples::response(500)));
    stage.drain_queue();
    let report = stage.sweep_until(stage.backend.time());
    assert_eq!(report.queued, 0);
    stage
        .backend
        .set_now(stage.backend.time() + Duration::from_hours(2));
    let report = stage.sweep_until(stage.backend.time());
    assert!(report.unfinished, "the sweep ran out of time");
    assert_eq!(report.queued, 0);
    let report = stage.sweep();
    assert_eq!((report.queued, report.unfinished), (2_500, false));
    assert_eq!(stage.sweep().queued, 0);
}

#[test]
fn a_task_that_the_queue_refuses_is_left_to_the_next_sweep() {
    let stage = stage(schedule(&[0, 3_600]));
    stage.backend.answer([samples::response(500)]);
    stage.run_first();
    stage.backend.purge_queue();
    let due_at = stage.delivery().next_attempt_at.unwrap();
    stage.backend.set_now(due_at - MAX_QUEUE_DELAY);
    stage.backend.refuse_batch();
    assert_eq!((stage.sweep().queued, stage.backend.queue().len()), (0, 0));
    assert_eq!((stage.sweep().queued, stage.backend.queue().len()), (1, 1));
}

#[test]
fn a_sweep_reads_no_extra_page_and_counts_overdue_tasks() {
    let stage = stage(schedule(&[0, 3_600]));
    stage.backend.answer([samples::response(500)]);
    stage.run_first();
    let sweep = |at| {
        stage.backend.set_now(at);
        // A page of each shard, the task, its entry, and then a fault.
        let calls = usize::from(Shard::COUNT) + 2;
        let faults = std::iter::repeat_n(Fault::None, calls);
        stage.backend.plant(faults.chain([Fault::Before]));
        let report = stage.sweep();
        assert!(
            stage.backend.clear_faults(),
            "the sweep made one call too many"
        );
        (report.queued, report.overdue)
    };
    let due_at = stage.delivery().next_attempt_at.unwrap();
    assert_eq!(sweep(due_at - MAX_QUEUE_DELAY), (1, 0));
    assert_eq!(sweep(due_at + OVERDUE_AFTER), (1, 1));
}

proptest! {
    /// Without a fault every attempt is made at the time that the policy sets.
    #[test]
    fn attempts_are_never_early_and_never_later_than_jitter(
        delays in proptest::collection::vec(1..200_000_u32, 1..8),
    ) {
        let delays: Vec<u32> = std::iter::once(0).chain(delays).collect();
        let stage = stage(schedule(&delays));
        stage.backend.answer(delays.iter().map(|_| samples::response(500)));
        stage.drain();
        let attempts = stage.delivery().attempts;
        prop_assert_eq!(attempts.len(), delays.len());
        for (pair, &delay) in attempts.windows(2).zip(&delays[1..]) {
            let gap = pair[1].at.since(pair[0].at);
            let delay = Duration::from_secs(delay.into());
            prop_assert!(gap >= delay, "{gap:?} instead of {delay:?}");
            // The queue delays by whole seconds.
            let bound = delay.mul_f64(1.1) + Duration::from_secs(1);
            prop_assert!(gap <= bound, "{gap:?} instead of {delay:?}");
        }
    }
}

/// The failure belongs to the subscription: it is recorded and published, and not retried.
#[test]
fn a_delivery_to_an_unreadable_subscription_fails_and_is_published() {
    let unreadable = DeliveryStatus::Failed(FailureReason::SubscriptionUnreadable);
    let breaks: [fn(&Stage, DeliveryId); 5] = [
        |stage, id| {
            let customer = samples::customer("acme");
            stage
                .backend
                .break_subscription(&customer, id.subscription, "eventTypes");
        },
        |stage, id| {
            stage.change(id, |subscription| {
                subscription.filter = Some(Filter::from_stored("{".to_owned()));
            });
        },
        |stage, id| {
            stage.change(id, |subscription| {
                subscription.secrets = samples::subscription("acme", 1).secrets;
            });
        },
        |stage, id| {
            stage.change(id, |subscription| {
                subscription.secret_headers = samples::secret_headers();
            });
        },
        |stage, id| {
            stage.change(id, |subscription| {
                subscription.authentication = Some(samples::authentication());
            });
        },
    ];
    for breaks in breaks {
        let stage = stage(schedule(&[0, 5]));
        let id = stage.ids[0];
        breaks(&stage, id);
        let report = stage.run_first();
        assert!(
            matches!(report, Report::Settled(status, _) if status == unreadable),
            "{report:?}"
        );
        assert_eq!(stage.delivery_of(id).status, unreadable);
        let published = OperationalEvent::of_report(&id, &report).unwrap();
        assert_eq!(published.kind, Kind::DeliveryFailed);
        assert!(published.detail().contains("subscriptionUnreadable"));
        assert!(stage.backend.requests().is_empty());
    }
}
