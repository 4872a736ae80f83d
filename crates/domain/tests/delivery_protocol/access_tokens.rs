//! Attempts with access tokens.

use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::join_all;

use crate::stage::{NEVER, Stage, deliver, header, now, schedule, stage};
use webhooks_domain::deliver::{DeferReason, DeliverError, Report};
use webhooks_domain::delivery::{Attempt, DeliveryStatus, DeliveryTask, DeliveryTrigger};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::outbound::{
    AttemptOutcome, TokenAnswer, TokenLease, TokenRecord, WebhookRequest, WebhookResponse,
};
use webhooks_domain::ports::Clock;
use webhooks_testkit::{Fault, samples};

const OAUTH2: &str = r#"{"authentication":{"type":"oauth2","tokenUrl":"https://login.example.com/token",
    "clientId":"acme","clientSecret":"s3cret of acme","scope":"orders:write"}}"#;

fn with_tokens(delays: &[u32]) -> Stage {
    let stage = stage(schedule(delays));
    stage.update(OAUTH2);
    stage
}

/// The time limit of an attempt.
const LIMIT: Duration = Duration::from_secs(15);

/// The values of `authorization` that the endpoint has seen.
fn sent(stage: &Stage) -> Vec<String> {
    let requests = stage.backend.requests();
    let requests = requests.iter();
    requests
        .map(|(_, request)| header(request, "authorization").to_owned())
        .collect()
}

/// Delivers another message at once.
fn deliver_another(stage: &Stage, event: &str) -> Report {
    let id = stage.another_delivery(event);
    stage.run(&DeliveryTask::first(id)).unwrap()
}

fn attempt(report: Report) -> Attempt {
    match report {
        Report::Attempted { attempt, .. } => attempt,
        other => panic!("{other:?}"),
    }
}

fn advance(stage: &Stage, by: Duration) {
    stage.backend.set_now(stage.backend.time() + by);
}

fn record(stage: &Stage) -> Option<TokenRecord> {
    let customer = samples::customer("acme");
    let id = stage.ids[0].subscription;
    stage.backend.stored_token_record(&customer, id)
}

/// The other environment that the backend has.
fn run_elsewhere(backend: &webhooks_testkit::InMemoryBackend, id: DeliveryId) -> Report {
    let elsewhere = deliver(backend, schedule(&[0, 5]));
    now(elsewhere.run(&DeliveryTask::first(id), NEVER)).unwrap()
}

#[test]
fn the_token_endpoint_is_asked_as_the_standard_says() {
    let stage = with_tokens(&[0]);
    stage.drain();
    assert_eq!(sent(&stage), ["Bearer t0ken-1"]);
    let asked = stage.backend.token_requests().remove(0);
    assert_eq!(asked.url.as_str(), "https://login.example.com/token");
    assert_eq!(
        String::from_utf8(asked.body.clone()).unwrap(),
        "grant_type=client_credentials&scope=orders%3Awrite"
    );
    // `acme:s3cret+of+acme`: both parts are encoded before they are joined.
    let basic = "Basic YWNtZTpzM2NyZXQrb2YrYWNtZQ==";
    assert_eq!(header(&asked, "authorization"), basic);
    assert_eq!(
        header(&asked, "content-type"),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(header(&asked, "accept"), "application/json");
    assert_eq!(
        stage.delivery().attempts[0].outcome,
        AttemptOutcome::Succeeded
    );
}

/// The costs in the table: a read and two writes for each token, a read for each environment, and
/// nothing for each delivery.
#[test]
fn a_token_serves_many_attempts_and_all_environments() {
    let stage = with_tokens(&[0]);
    stage.run_first();
    assert_eq!(stage.backend.token_store_calls(), (1, 2));
    for event in ["2", "3", "4"] {
        deliver_another(&stage, event);
    }
    assert_eq!(stage.backend.token_store_calls(), (1, 2));
    let id = stage.another_delivery("elsewhere");
    run_elsewhere(&stage.backend, id);
    assert_eq!(stage.backend.token_store_calls(), (2, 2));
    assert_eq!(sent(&stage), ["Bearer t0ken-1"; 5]);
    assert_eq!(stage.backend.token_requests().len(), 1);
}

/// Runs a future to its end, although it waits for others in between.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("it never ends");
}

/// A batch has ten deliveries, which an environment makes concurrently. A token endpoint that takes
/// the whole time limit holds one of them, and the queue gives none up.
#[test]
fn a_slow_token_endpoint_holds_one_delivery_of_a_batch_and_defers_the_others() {
    let stage = with_tokens(&[0]);
    let tasks = more_tasks(&stage, 0..10);
    let end = stage.backend.time() + Duration::from_secs(20);
    stage.backend.pause_token_request(50);
    stage.backend.during_token_request(|backend| {
        backend.set_now(backend.time() + LIMIT);
    });
    let slow = TokenAnswer::Failed {
        error: "response: no headers within 15000 ms".to_owned(),
    };
    stage.backend.answer_tokens([slow]);
    let runs = tasks.iter().map(|task| stage.deliver.run(task, end));
    let reports = finish(join_all(runs));
    let reports: Vec<_> = reports.into_iter().map(Result::unwrap).collect();
    let deferred = Report::Deferred(DeferReason::AwaitsToken);
    let deferrals = reports.iter().filter(|report| **report == deferred);
    assert_eq!(deferrals.count(), 9);
    assert_eq!(stage.backend.token_requests().len(), 1);
    assert_eq!(stage.backend.token_store_calls(), (1, 2));
    // A delivery that comes when too little time is left for an attempt shares the failure.
    let late = stage.another_delivery("late");
    let made = now(stage.deliver.run(&DeliveryTask::first(late), end)).unwrap();
    assert_eq!(attempt(made).outcome, AttemptOutcome::NoToken);
    // Those that waited are delivered, by one more request.
    advance(&stage, Duration::from_secs(5));
    stage.drain_queue();
    assert_eq!(stage.backend.token_requests().len(), 2);
    let delivered = tasks.iter().filter(|task| {
        let delivery = stage.delivery_of(task.delivery);
        assert_eq!(delivery.attempts.len(), 1, "a wait is no attempt");
        delivery.status == DeliveryStatus::Succeeded
    });
    assert_eq!(delivered.count(), 9);
}

/// A read of the table is short, so all wait for it.
#[test]
fn concurrent_deliveries_of_an_environment_share_one_read() {
    let stage = with_tokens(&[0]);
    run_elsewhere(&stage.backend, stage.another_delivery("elsewhere"));
    let calls = stage.backend.token_store_calls();
    let tasks = more_tasks(&stage, 0..10);
    let runs = tasks.iter().map(|task| stage.deliver.run(task, NEVER));
    for report in finish(join_all(runs)) {
        let made = attempt(report.unwrap());
        assert_eq!(made.outcome, AttemptOutcome::Succeeded);
    }
    let (reads, writes) = calls;
    assert_eq!(stage.backend.token_store_calls(), (reads + 1, writes));
}

/// A 401 to all of them at once is one renewal. Each has been sent already, so each waits for it.
#[test]
fn a_401_to_many_concurrent_deliveries_is_one_renewal() {
    let stage = with_tokens(&[0]);
    stage.run_first();
    stage
        .backend
        .answer((0..10).map(|_| samples::response(401)));
    let tasks = more_tasks(&stage, 0..10);
    stage.backend.pause_requests();
    stage.backend.pause_token_request(5);
    let runs = tasks.iter().map(|task| stage.deliver.run(task, NEVER));
    for report in finish(join_all(runs)) {
        let made = attempt(report.unwrap());
        assert_eq!(made.outcome, AttemptOutcome::Succeeded);
    }
    assert_eq!(stage.backend.token_requests().len(), 2);
}

/// A test and a probe have no time to be deferred, and wait for nobody.
#[test]
fn a_test_requests_a_token_of_its_own_beside_its_environment() {
    let stage = with_tokens(&[0]);
    let message = samples::message("acme", "test");
    let mut test = samples::delivery(&message, stage.ids[0].subscription);
    test.trigger = DeliveryTrigger::Test;
    let tasks = [stage.ids[0], test.id].map(DeliveryTask::first);
    stage.backend.record_call(message, test);
    stage.backend.pause_token_request(5);
    let runs = tasks.iter().map(|task| stage.deliver.run(task, NEVER));
    for report in finish(join_all(runs)) {
        let made = attempt(report.unwrap());
        assert_eq!(made.outcome, AttemptOutcome::Succeeded);
    }
    assert_eq!(stage.backend.token_requests().len(), 2);
}

fn more_tasks(stage: &Stage, events: std::ops::Range<u32>) -> Vec<DeliveryTask> {
    events
        .map(|number| DeliveryTask::first(stage.another_delivery(&number.to_string())))
        .collect()
}

/// Lets the next answer of the endpoint be a 401 after this time.
fn refuse_after(stage: &Stage, time: Duration) {
    stage.backend.answer([samples::response(401)]);
    let times = Mutex::new(vec![time]);
    stage.backend.during_requests(move |backend| {
        let time = times.lock().unwrap().pop().unwrap_or_default();
        backend.set_now(backend.time() + time);
    });
}

/// A request for a token after a late 401 would be cut off, and its failure is no failure of the
/// token endpoint.
#[test]
fn a_401_that_arrives_late_requests_nothing_and_the_next_attempt_does() {
    let stage = with_tokens(&[0, 5]);
    stage.run_first();
    refuse_after(
        &stage,
        LIMIT.checked_sub(Duration::from_millis(1_999)).unwrap(),
    );
    let late = attempt(deliver_another(&stage, "2"));
    assert_eq!(late.status, Some(401));
    assert!(late.error.unwrap().contains("too little time"));
    assert_eq!(stage.backend.token_requests().len(), 1);
    assert_eq!(record(&stage).unwrap().lease, None);
    let next = attempt(deliver_another(&stage, "3"));
    assert_eq!(next.status, Some(200));
    assert_eq!(sent(&stage).last().unwrap(), "Bearer t0ken-2");
}

#[test]
fn a_request_after_a_401_has_half_of_the_time_and_its_failure_is_not_shared() {
    for (answered_after, most) in [(5, 5_000), (7, 4_000), (13, 1_000)] {
        let stage = with_tokens(&[0, 5]);
        stage.run_first();
        refuse_after(&stage, Duration::from_secs(answered_after));
        let slow = TokenAnswer::Failed {
            error: "response: no headers within 15000 ms".to_owned(),
        };
        stage.backend.answer_tokens([slow]);
        let made = attempt(deliver_another(&stage, "2"));
        assert_eq!(made.status, Some(401), "the answer of the endpoint stays");
        let left = LIMIT
            .checked_sub(stage.backend.token_requests()[1].spent)
            .unwrap();
        assert_eq!(left, Duration::from_millis(most));
        for next in [
            deliver_another(&stage, "3"),
            run_elsewhere(&stage.backend, stage.another_delivery("4")),
        ] {
            assert_eq!(attempt(next).status, Some(200));
        }
        // The next request had the whole time.
        assert_eq!(stage.backend.token_requests()[2].spent, Duration::ZERO);
        assert_eq!(stage.backend.token_requests().len(), 3);
    }
}

/// An answer is shared however little time the request had.
#[test]
fn a_refusal_of_the_client_after_a_401_is_shared() {
    let stage = with_tokens(&[0, 5]);
    stage.run_first();
    refuse_after(&stage, Duration::from_secs(5));
    let refused = samples::token_refused(401, "invalid_client");
    stage.backend.answer_tokens([refused]);
    deliver_another(&stage, "2");
    let next = attempt(deliver_another(&stage, "3"));
    assert_eq!(next.outcome, AttemptOutcome::NoToken);
    assert_eq!(stage.backend.token_requests().len(), 2);
}

#[test]
fn a_second_request_without_an_answer_keeps_the_401() {
    let stage = with_tokens(&[0, 5]);
    stage.run_first();
    let timed_out = WebhookResponse {
        outcome: AttemptOutcome::TimedOut,
        status: None,
        error: Some("response: no headers within 15000 ms".to_owned()),
        duration_ms: 15_000,
        ..samples::response(200)
    };
    stage.backend.answer([samples::response(401), timed_out]);
    let made = attempt(deliver_another(&stage, "2"));
    assert_eq!(
        (made.outcome, made.status, made.duration_ms),
        (AttemptOutcome::HttpError, Some(401), 15_000)
    );
    let error = made.error.unwrap();
    assert!(error.ends_with("with a new one: response: no headers within 15000 ms"));
}

/// While another environment replaces it, an ending token costs a read in five seconds and not one
/// for each attempt.
#[test]
fn an_ending_token_that_another_environment_replaces_is_left_alone() {
    let stage = with_tokens(&[0]);
    stage.run_first();
    let elsewhere = deliver(&stage.backend, schedule(&[0]));
    let run = |event: &str| {
        let id = stage.another_delivery(event);
        attempt(now(elsewhere.run(&DeliveryTask::first(id), NEVER)).unwrap())
    };
    run("warm");
    advance(&stage, Duration::from_mins(55));
    let lease_until = stage.backend.time() + Duration::from_secs(17);
    let lease = TokenLease {
        since: stage.backend.time(),
        until: lease_until,
    };
    let customer = samples::customer("acme");
    let id = stage.ids[0].subscription;
    stage
        .backend
        .change_token_record(&customer, id, |record| record.lease = Some(lease));
    let reads = || stage.backend.token_store_calls().0;
    let before = reads();
    for event in 0..10 {
        let made = run(&format!("ending {event}"));
        assert_eq!(made.outcome, AttemptOutcome::Succeeded);
    }
    assert_eq!(reads() - before, 1);
    advance(&stage, Duration::from_secs(5));
    run("later");
    assert_eq!(reads() - before, 2);
    assert_eq!(stage.backend.token_requests().len(), 1);
}

#[test]
fn a_subscription_without_tokens_costs_nothing_more() {
    let stage = stage(schedule(&[0]));
    stage.update(r#"{"authentication":{"type":"bearer","token":"t0ken"}}"#);
    stage.drain();
    assert_eq!(stage.backend.token_store_calls(), (0, 0));
    assert_eq!(stage.backend.token_requests(), []);
    assert_eq!(sent(&stage), ["Bearer t0ken"]);
}

#[test]
fn a_refused_token_is_replaced_once_and_the_same_request_repeated_within_the_attempt() {
    let stage = with_tokens(&[0, 5]);
    stage.run_first();
    stage.backend.answer([samples::response(401)]);
    let id = stage.another_delivery("2");
    let made = attempt(stage.run(&DeliveryTask::first(id)).unwrap());
    assert_eq!((made.number, made.status), (1, Some(200)));
    assert_eq!(stage.delivery_of(id).attempts.len(), 1);
    let tokens = ["Bearer t0ken-1", "Bearer t0ken-1", "Bearer t0ken-2"];
    assert_eq!(sent(&stage), tokens);
    let requests = stage.backend.requests();
    let [(_, first), (_, second)] = &requests[1..] else {
        panic!("{requests:?}")
    };
    let without = |request: &WebhookRequest| {
        let mut request = request.clone();
        request.set_header("authorization", String::new());
        request.spent = Duration::ZERO;
        request
    };
    assert_eq!(without(first), without(second), "id, body and signature");
    // Others use the new one.
    deliver_another(&stage, "3");
    run_elsewhere(&stage.backend, stage.another_delivery("4"));
    assert_eq!(sent(&stage)[3..], ["Bearer t0ken-2", "Bearer t0ken-2"]);
    assert_eq!(stage.backend.token_requests().len(), 2);
}

/// The number of requests for tokens does not grow with the deliveries.
#[test]
fn an_endpoint_that_always_answers_401_causes_one_request_for_a_token_in_a_minute() {
    let stage = with_tokens(&[0]);
    stage.backend.answer_always(samples::response(401));
    // This attempt has just got its token, so another one would be refused too.
    let first = attempt(stage.run_first());
    assert_eq!((first.status, first.error), (Some(401), None));
    assert_eq!(stage.backend.token_requests().len(), 1);

    let second = attempt(deliver_another(&stage, "2"));
    assert_eq!(second.outcome, AttemptOutcome::HttpError);
    let again = "a new access token was refused too";
    assert_eq!(second.error.as_deref(), Some(again));
    assert_eq!(stage.backend.token_requests().len(), 2);

    let calls = stage.backend.token_store_calls();
    for event in 0..20 {
        let other = attempt(deliver_another(&stage, &format!("third {event}")));
        assert!(other.error.unwrap().contains("less than a minute ago"));
    }
    assert_eq!(stage.backend.token_store_calls(), calls, "memory knows it");
    let elsewhere = run_elsewhere(&stage.backend, stage.another_delivery("elsewhere"));
    let elsewhere = attempt(elsewhere).error.unwrap();
    assert!(elsewhere.contains("less than a minute ago"), "{elsewhere}");
    assert_eq!(stage.backend.token_requests().len(), 2);

    advance(&stage, TokenRecord::RENEWAL_INTERVAL);
    deliver_another(&stage, "4");
    deliver_another(&stage, "5");
    assert_eq!(stage.backend.token_requests().len(), 3);
}

#[test]
fn a_token_that_is_not_granted_is_the_failure_of_the_attempt() {
    let stage = with_tokens(&[0, 5]);
    let refused = samples::token_refused(401, "invalid_client");
    stage.backend.answer_tokens([refused]);
    stage.run_first();
    // Others share the failure, without a request.
    let shared = attempt(deliver_another(&stage, "2"));
    let elsewhere = attempt(run_elsewhere(&stage.backend, stage.another_delivery("3")));
    let own = stage.delivery().attempts.remove(0);
    for failed in [own, shared, elsewhere] {
        assert_eq!(
            (failed.outcome, failed.status, failed.error.as_deref()),
            (
                AttemptOutcome::NoToken,
                None,
                Some("token endpoint answered 401 invalid_client")
            )
        );
    }
    assert_eq!(stage.backend.requests(), []);
    assert_eq!(stage.backend.token_requests().len(), 1);
    // The retries come when another request is allowed.
    stage.drain();
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
    assert_eq!(stage.backend.token_requests().len(), 2);
}

/// A status of the token endpoint is not one of the endpoint: a 410 disables no subscription, and
/// `Retry-After` is not asked.
#[test]
fn a_status_of_the_token_endpoint_means_nothing_for_the_endpoint() {
    let stage = with_tokens(&[0, 5]);
    let gone = TokenAnswer::Answered {
        status: 410,
        body: Vec::new(),
    };
    stage.backend.answer_tokens([gone]);
    stage.drain();
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
    assert_eq!(stage.delivery().attempts.len(), 2);
}

#[test]
fn two_environments_ask_once_and_no_delivery_is_lost() {
    let stage = with_tokens(&[0]);
    let other = stage.another_delivery("2");
    stage.queue_first(other);
    stage.backend.during_token_request(move |backend| {
        let message = backend.receive().unwrap();
        let report = run_elsewhere(backend, message.task.delivery);
        assert_eq!(report, Report::Deferred(DeferReason::AwaitsToken));
    });
    let first = stage.backend.receive().unwrap();
    stage.handle(first).unwrap();
    stage.drain();
    for id in [stage.ids[0], other] {
        let delivery = stage.delivery_of(id);
        assert_eq!(delivery.status, DeliveryStatus::Succeeded);
        assert_eq!(delivery.attempts.len(), 1, "a wait is no attempt");
    }
    assert_eq!(stage.backend.token_requests().len(), 1);
}

/// The lease of an environment that has crashed ends, and until then each delivery is checked a few
/// times.
#[test]
fn a_crash_during_a_request_for_a_token_delays_others_until_the_lease_ends() {
    let stage = with_tokens(&[0]);
    let lease_only = stage.another_delivery("crashes");
    // The lease is written. The environment dies, so it runs nothing after that.
    let elsewhere = deliver(&stage.backend, schedule(&[0]));
    let begun = stage.backend.time();
    stage
        .backend
        .during_token_request(|_| panic!("the environment dies"));
    let crashed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        now(elsewhere.run(&DeliveryTask::first(lease_only), NEVER))
    }));
    assert!(crashed.is_err());
    let mut checks = 0;
    while let Some(message) = stage.backend.receive() {
        checks += 1;
        stage.handle(message).unwrap();
    }
    assert_eq!(stage.delivery().status, DeliveryStatus::Succeeded);
    let waited = stage.backend.time().since(begun);
    assert!(waited <= Duration::from_secs(18), "{waited:?}");
    assert_eq!(checks, 7, "waits of 1, 1, 2, 4, 8 and 1 seconds");
}

/// A test has a caller that waits, so it requests a token of its own.
#[test]
fn a_test_does_not_wait_for_another_environment() {
    let stage = with_tokens(&[0]);
    let message = samples::message("acme", "test");
    let mut test = samples::delivery(&message, stage.ids[0].subscription);
    test.trigger = DeliveryTrigger::Test;
    let id = test.id;
    stage.backend.record_call(message, test);
    stage.backend.during_token_request(move |backend| {
        let made = attempt(run_elsewhere(backend, id));
        assert_eq!(made.outcome, AttemptOutcome::Succeeded);
    });
    stage.run_first();
    assert_eq!(stage.backend.token_requests().len(), 2);
}

/// Every call to the table fails once, before or after its effect.
#[test]
fn no_fault_of_the_table_loses_a_delivery_or_costs_an_attempt() {
    for number in 0..14 {
        for fault in [Fault::Before, Fault::After] {
            let stage = with_tokens(&[0, 5]);
            let faults = std::iter::repeat_n(Fault::None, number).chain([fault]);
            stage.backend.plant(faults);
            stage.drain();
            stage.backend.clear_faults();
            let delivery = stage.delivery();
            let at = format!("{fault:?} of call {number}");
            assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{at}");
            assert_eq!(delivery.attempts.len(), 1, "{at}");
            assert!(stage.backend.token_requests().len() <= 2, "{at}");
        }
    }
}

/// Throttling of the write that shares a token costs a request for another, and nothing else.
#[test]
fn a_token_that_cannot_be_shared_is_used_all_the_same() {
    let stage = with_tokens(&[0]);
    stage.backend.during_token_request(|backend| {
        backend.plant([Fault::Before]);
    });
    let made = attempt(stage.run_first());
    assert_eq!(made.outcome, AttemptOutcome::Succeeded);
    assert!(
        record(&stage).unwrap().lease.is_some(),
        "nothing was shared"
    );
    deliver_another(&stage, "2");
    assert_eq!(sent(&stage), ["Bearer t0ken-1"; 2]);
    advance(&stage, Duration::from_mins(1));
    run_elsewhere(&stage.backend, stage.another_delivery("3"));
    assert_eq!(stage.backend.token_requests().len(), 2);
}

#[test]
fn a_token_is_replaced_before_it_ends_and_one_that_has_ended_is_not_sent() {
    let stage = with_tokens(&[0]);
    stage.run_first();
    advance(&stage, Duration::from_secs(3_299));
    deliver_another(&stage, "2");
    assert_eq!(stage.backend.token_requests().len(), 1);
    // The token endpoint fails, and the token is still valid.
    advance(&stage, Duration::from_secs(1));
    stage
        .backend
        .answer_tokens([samples::token_refused(503, "temporarily_unavailable")]);
    for event in ["3", "4", "5"] {
        let made = attempt(deliver_another(&stage, event));
        assert_eq!(made.outcome, AttemptOutcome::Succeeded);
    }
    assert_eq!(stage.backend.token_requests().len(), 2, "and not for each");
    assert_eq!(sent(&stage), ["Bearer t0ken-1"; 5]);
    advance(&stage, Duration::from_secs(30));
    deliver_another(&stage, "6");
    deliver_another(&stage, "7");
    assert_eq!(sent(&stage)[5..], ["Bearer t0ken-1", "Bearer t0ken-2"]);
    // Long after its end.
    advance(&stage, Duration::from_hours(9));
    deliver_another(&stage, "8");
    assert_eq!(sent(&stage)[7], "Bearer t0ken-3");
}

/// The attempt that replaces a token ends with the request for the new one, whose limit is short.
/// Its failure fails no attempt, also when the token ends a moment later.
#[test]
fn a_token_endpoint_that_hangs_takes_three_seconds_of_an_attempt_with_a_valid_token() {
    let stage = with_tokens(&[0]);
    stage.run_first();
    advance(&stage, Duration::from_secs(3_569));
    let begun = stage.backend.time();
    stage.backend.during_token_request(|backend| {
        let (_, request) = backend.requests().remove(1);
        assert_eq!(request.spent, Duration::ZERO, "it was sent before");
        // It hangs until its limit.
        let left = LIMIT
            .checked_sub(backend.token_requests()[1].spent)
            .unwrap();
        backend.set_now(backend.time() + left);
    });
    let hangs = TokenAnswer::Failed {
        error: "response: no headers within 15000 ms".to_owned(),
    };
    stage.backend.answer_tokens([hangs]);
    let made = attempt(deliver_another(&stage, "2"));
    assert_eq!(made.outcome, AttemptOutcome::Succeeded);
    assert_eq!(sent(&stage)[1], "Bearer t0ken-1");
    let took = stage.backend.time().since(begun);
    assert_eq!(took, Duration::from_secs(3));
    // The token has ended. The next request has the whole time.
    let next = attempt(deliver_another(&stage, "3"));
    assert_eq!(next.outcome, AttemptOutcome::Succeeded);
    assert_eq!(stage.backend.token_requests()[2].spent, Duration::ZERO);
}

#[test]
fn another_secret_asks_for_a_token_of_its_own_and_leaves_no_gap() {
    let stage = with_tokens(&[0]);
    stage.run_first();
    stage.update(&OAUTH2.replace("s3cret of acme", "s3cret-2"));
    deliver_another(&stage, "2");
    stage.update(&OAUTH2.replace("orders:write", "orders:read"));
    deliver_another(&stage, "3");
    let tokens = ["Bearer t0ken-1", "Bearer t0ken-2", "Bearer t0ken-3"];
    assert_eq!(sent(&stage), tokens);
    let asked = stage.backend.token_requests();
    // `acme:s3cret-2`
    let basic = "Basic YWNtZTpzM2NyZXQtMg==";
    assert_eq!(header(&asked[1], "authorization"), basic);
}

/// A change of the secret to its current value changes nothing, so the token stays.
#[test]
fn the_same_settings_keep_the_token() {
    let stage = with_tokens(&[0]);
    stage.run_first();
    stage.update(OAUTH2);
    stage.update(r#"{"description":"d"}"#);
    deliver_another(&stage, "2");
    assert_eq!(stage.backend.token_requests().len(), 1);
}

/// A writer of the table cannot give a subscription the token of another.
#[test]
fn a_token_that_was_moved_in_the_table_is_not_sent() {
    let stage = crate::stage::stage_with(schedule(&[0]), &[None, None]);
    stage.update(OAUTH2);
    stage.change(stage.ids[1], |_| {});
    stage.run_first();
    let foreign = {
        let mut foreign = record(&stage).unwrap();
        foreign.revision = 7;
        foreign
    };
    // The other subscription has the same settings, under its own seal.
    let id = stage.ids[1].subscription;
    let customer = samples::customer("acme");
    let manage = stage.backend.manage();
    let any = webhooks_domain::manage::ExpectedVersion::Any;
    let change = webhooks_testkit::changes::change(OAUTH2);
    now(manage.update(&customer, &id, &any, change)).unwrap();
    stage.run(&DeliveryTask::first(stage.ids[1])).unwrap();
    assert_eq!(sent(&stage), ["Bearer t0ken-1", "Bearer t0ken-2"]);
    stage.backend.change_token_record(&customer, id, |record| {
        let generation = record.generation;
        *record = TokenRecord {
            generation,
            ..foreign
        };
    });
    let moved = stage.another_delivery_to(id, "moved");
    run_elsewhere(&stage.backend, moved);
    assert_eq!(sent(&stage)[2], "Bearer t0ken-3");
}

#[test]
fn no_answer_shows_a_token_or_the_secret() {
    let stage = with_tokens(&[0, 5]);
    stage.run_first();
    let echo = "Bearer t0ken-1, t0ken-1, Bearer t0ken-2, s3cret of acme";
    let refused = |status| WebhookResponse {
        body: samples::body(echo),
        ..samples::response(status)
    };
    stage.backend.answer([refused(401), refused(500)]);
    let id = stage.another_delivery("2");
    let made = attempt(stage.run(&DeliveryTask::first(id)).unwrap());
    assert_eq!(made.response_excerpt.as_deref(), Some("***, ***, ***, ***"));
    let shown = format!("{:?} {:?}", stage.shown(), stage.delivery_of(id));
    assert!(shown.contains(r#"("authorization", "***")"#), "{shown}");
    for secret in ["t0ken", "s3cret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// One time limit covers the request for a token and the webhook.
#[test]
fn the_time_of_a_request_for_a_token_is_a_part_of_the_attempt() {
    let stage = with_tokens(&[0]);
    stage.backend.during_token_request(|backend| {
        backend.set_now(backend.time() + Duration::from_secs(3));
    });
    stage.run_first();
    let (_, request) = stage.backend.requests().remove(0);
    assert_eq!(request.spent, Duration::from_secs(3));
    stage.backend.answer([samples::response(401)]);
    stage.backend.during_token_request(|backend| {
        backend.set_now(backend.time() + Duration::from_secs(2));
    });
    deliver_another(&stage, "2");
    let (_, request) = stage.backend.requests().remove(2);
    assert_eq!(request.spent, Duration::from_secs(2));
    // A failure has the time that was spent on it.
    stage.update(&OAUTH2.replace("s3cret of acme", "s3cret-2"));
    stage
        .backend
        .answer_tokens([samples::token_refused(500, "server_error")]);
    stage.backend.during_token_request(|backend| {
        backend.set_now(backend.time() + Duration::from_secs(4));
    });
    let failed = attempt(deliver_another(&stage, "3"));
    assert_eq!(failed.duration_ms, 4_000);
}

#[test]
fn an_attempt_without_time_requests_no_token_and_gives_the_lease_back() {
    let stage = with_tokens(&[0]);
    let end = stage.backend.now() + Duration::from_secs(16);
    let task = DeliveryTask::first(stage.ids[0]);
    let run = now(stage.deliver.run(&task, end));
    assert!(matches!(run, Err(DeliverError::OutOfTime)), "{run:?}");
    assert_eq!(stage.backend.token_requests(), []);
    assert_eq!(record(&stage).unwrap().lease, None);
    let made = attempt(run_elsewhere(&stage.backend, stage.ids[0]));
    assert_eq!(made.outcome, AttemptOutcome::Succeeded);
}

/// The answer of the endpoint is then the result, and the next attempt uses the new token.
#[test]
fn a_401_while_another_environment_replaces_the_token_is_the_result() {
    let stage = with_tokens(&[0, 5]);
    stage.run_first();
    let other = stage.another_delivery("2");
    let elsewhere = deliver(&stage.backend, schedule(&[0, 5]));
    now(elsewhere.run(&DeliveryTask::first(stage.another_delivery("warm")), NEVER)).unwrap();
    stage
        .backend
        .answer([samples::response(401), samples::response(401)]);
    stage.backend.during_token_request(move |_| {
        let report = now(elsewhere.run(&DeliveryTask::first(other), NEVER)).unwrap();
        assert_eq!(attempt(report).status, Some(401));
    });
    let made = attempt(deliver_another(&stage, "3"));
    assert_eq!(made.status, Some(200));
    stage.drain();
    assert_eq!(stage.delivery_of(other).status, DeliveryStatus::Succeeded);
    assert_eq!(stage.backend.token_requests().len(), 2);
}

#[test]
fn another_origin_ends_the_use_of_tokens() {
    let stage = with_tokens(&[0]);
    stage.run_first();
    stage.update(r#"{"url":"https://example.org/hook"}"#);
    deliver_another(&stage, "2");
    let (_, request) = stage.backend.requests().remove(1);
    let mut headers = request.headers.iter();
    assert!(headers.all(|(name, _)| name != "authorization"));
}

#[test]
fn a_deletion_leaves_no_token() {
    let stage = with_tokens(&[0]);
    stage.run_first();
    assert!(record(&stage).is_some());
    stage.delete();
    assert_eq!(record(&stage), None);
}
