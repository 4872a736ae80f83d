//! The limits of a customer's sessions on one day.

use lambda_http::http::header::RETRY_AFTER;
use webhooks_domain::portal_session::LimitedAction;
use webhooks_domain::recovery::RecoveryStatus;
use webhooks_testkit::Fault;

use super::api::subscription;
use super::tenancy::store;
use super::*;

const NONE: &str = "tests=0,endpoints=0,resends=0,recoveries=0,counts=0";
const RECOVERY: &str = "what=messages&since=2023-11-14T00:00&until=&perSecond=5";

fn limited(answer: &Answer, words: &str) -> u64 {
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "{words}");
    assert!(text(answer).contains(words), "{}", text(answer));
    let seconds = answer.headers()[RETRY_AFTER].to_str().unwrap();
    seconds.parse().unwrap()
}

#[test]
fn every_limited_action_is_refused_before_it_is_done() {
    let stage = Stage::with([("PORTAL_DAILY_LIMITS", NONE)]);
    let id = store(&stage, "acme");
    let cookie = stage.visitor("acme");
    let form = |fields: &str| format!("{fields}&csrf={}", csrf(&cookie));
    let endpoint = format!("/customers/acme/endpoints/{}", id.subscription);
    for (path, fields, action) in [
        (format!("{endpoint}/test"), "", "tests"),
        (
            "/customers/acme/endpoints/new".to_owned(),
            "url=https://example.com/&eventTypes=*&payloadFormat=standard",
            "endpoints",
        ),
        (
            format!("/customers/acme/deliveries/{id}/resend"),
            "",
            "resends",
        ),
        (format!("{endpoint}/recoveries"), RECOVERY, "recoveries"),
        // They start a recovery of what was held.
        (format!("{endpoint}/enable"), "", "recoveries"),
        (format!("{endpoint}/enable"), "held=send", "recoveries"),
        (format!("{endpoint}/enable"), "held=discard", "recoveries"),
        (format!("{endpoint}/recoveries/count"), RECOVERY, "counts"),
    ] {
        let answer = stage.send(&post(&path, &form(fields), Some(&cookie)));
        let words = format!("{action}: at most 0 for each customer and day");
        assert!(limited(&answer, &words) <= 86_400);
    }
    assert!(stage.api.events().is_empty());
    assert!(stage.backend.queue().is_empty());
    assert!(stage.backend.started_recoveries().is_empty());
    stage.api.plan(200, &subscription("acme", 4).1);
    let kept = post(
        &format!("{endpoint}/enable"),
        &form("held=keep"),
        Some(&cookie),
    );
    assert_eq!(stage.send(&kept).status(), StatusCode::SEE_OTHER);
}

#[test]
fn all_sessions_of_a_customer_share_the_limit_of_a_day() {
    let limits = "tests=3,endpoints=0,resends=0,recoveries=0,counts=0";
    let stage = Stage::with([("PORTAL_DAILY_LIMITS", limits)]);
    let test = format!(
        "/customers/acme/endpoints/{}/test",
        store(&stage, "acme").subscription
    );
    let send = |cookie: &str| {
        stage.api.plan_problem(409, None, "the API was asked");
        let form = format!("csrf={}", csrf(cookie));
        let answer = stage.send(&post(&test, &form, Some(cookie)));
        (answer, stage.api.events().len())
    };
    let [one, other] = [1, 2].map(|_| stage.visitor("acme"));
    for cookie in [&one, &other, &one] {
        let (answer, requests) = send(cookie);
        assert_eq!((answer.status(), requests), (StatusCode::OK, 1));
    }
    let (refused, requests) = send(&other);
    assert_eq!(requests, 0);
    let seconds = limited(&refused, "tests: at most 3");
    // A new session gives no more, and the next day does.
    let (refused, _) = send(&stage.visitor("acme"));
    limited(&refused, "tests: at most 3");
    stage.later(Duration::from_secs(seconds));
    let (answer, requests) = send(&stage.visitor("acme"));
    assert_eq!((answer.status(), requests), (StatusCode::OK, 1));
}

/// Tests to an endpoint that hangs must not use up the concurrency of the account.
#[test]
fn a_customer_sends_one_test_at_a_time() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let test = format!(
        "/customers/acme/endpoints/{}/test",
        store(&stage, "acme").subscription
    );
    let form = format!("csrf={}", csrf(&cookie));
    let event = post(&test, &form, Some(&cookie));
    let (_, token) = cookie.split_once('=').unwrap();
    let access = stage.portal.access.check(token.parse().unwrap());
    let checked = access.now_or_never().unwrap().unwrap().unwrap();
    let scope = checked
        .of_customer(&samples::customer("acme"))
        .unwrap()
        .scope;
    let allowance = &stage.portal.data.allowance;
    let running = allowance.take(&scope, LimitedAction::Test).now_or_never();
    let running = running.unwrap().unwrap();
    let seconds = limited(&stage.send(&event), "tests: at most one at the same time");
    assert!(seconds <= 29, "{seconds}");
    assert!(stage.api.events().is_empty());
    allowance.finish(&scope, &running).now_or_never().unwrap();
    stage.api.plan_problem(409, None, "the API was asked");
    assert_eq!(stage.send(&event).status(), StatusCode::OK);
}

/// An execution environment may end during a test.
#[test]
fn a_test_that_was_lost_blocks_the_next_for_as_long_as_a_test_can_take() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let test = format!(
        "/customers/acme/endpoints/{}/test",
        store(&stage, "acme").subscription
    );
    let event = post(&test, &format!("csrf={}", csrf(&cookie)), Some(&cookie));
    // The session, the subscription, the allowance, and then the release of it.
    let faults = [Fault::None, Fault::None, Fault::None, Fault::Before];
    stage.backend.plant(faults);
    stage.api.plan_problem(409, None, "the API was asked");
    let lost = stage.send(&event);
    assert!(text(&lost).contains("the API was asked"), "{}", text(&lost));
    let seconds = limited(&stage.send(&event), "one runs");
    stage.later(Duration::from_secs(seconds));
    stage.api.plan_problem(409, None, "the API was asked");
    assert_eq!(stage.send(&event).status(), StatusCode::OK);
}

#[test]
fn a_subscription_has_one_running_recovery_from_the_portal() {
    let limits = "tests=0,endpoints=0,resends=0,recoveries=2,counts=0";
    let stage = Stage::with([("PORTAL_DAILY_LIMITS", limits)]);
    let subscription = store(&stage, "acme").subscription;
    let cookie = stage.visitor("acme");
    let form = format!("{RECOVERY}&csrf={}", csrf(&cookie));
    let base = format!("/customers/acme/endpoints/{subscription}/recoveries");
    let start = || stage.send(&post(&base, &form, Some(&cookie)));
    assert_eq!(start().status(), StatusCode::SEE_OTHER);
    for _ in 0..2 {
        let again = start();
        assert_eq!(again.status(), StatusCode::CONFLICT, "it is not counted");
        let page = text(&again);
        assert!(page.contains("stop it, or wait"), "{page}");
    }
    let keys: Vec<_> = stage.backend.started_recoveries().into_iter().collect();
    assert_eq!(keys.len(), 1);
    let stored = stage.backend.stored_recovery(&keys[0]).unwrap();
    assert_eq!(stored.status, RecoveryStatus::Running);
    // Without a subscription neither.
    let unknown = samples::subscription("acme", 99).id;
    let path = format!("/customers/acme/endpoints/{unknown}/recoveries");
    for _ in 0..2 {
        let answer = stage.send(&post(&path, &form, Some(&cookie)));
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
}
