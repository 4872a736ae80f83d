//! Recoveries: count, start, watch, stop.

use webhooks_domain::recovery::{RecoveryKey, RecoveryStatus};

use super::tenancy::store;
use super::*;

const FORM: &str = "what=messages&since=2023-11-14T00:00&until=&perSecond=5";

#[test]
fn a_recovery_is_counted_started_watched_and_stopped() {
    let stage = Stage::new();
    let subscription = store(&stage, "acme").subscription;
    let message = samples::message("acme", "missed");
    stage.backend.record_message(message, stage.backend.time());
    stage.later(Duration::from_secs(1));
    let cookie = stage.visitor_with("acme", &[Capability::Resend]);
    let form = format!("{FORM}&csrf={}", csrf(&cookie));
    let base = format!("/customers/acme/endpoints/{subscription}/recoveries");
    let page = stage.get(&base, &cookie);
    assert_eq!(page.status(), StatusCode::OK);
    assert!(text(&page).contains(&format!("{base}/count")));

    let counted = stage.send(&post(&format!("{base}/count"), &form, Some(&cookie)));
    assert_eq!(counted.status(), StatusCode::OK);
    assert!(text(&counted).contains("1 message"), "{}", text(&counted));
    assert!(stage.backend.started_recoveries().is_empty());

    let form = format!("{form}&of=1");
    let started = stage.send(&post(&base, &form, Some(&cookie)));
    assert_eq!(started.status(), StatusCode::SEE_OTHER);
    let (path, query) = location(&started).split_once('?').unwrap();
    assert_eq!(query, "of=1");
    let key: Vec<RecoveryKey> = stage.backend.started_recoveries().into_iter().collect();
    assert_eq!(path, format!("{base}/{}", key[0].id));
    assert_eq!(key[0].customer, samples::customer("acme"));
    let page = stage.get(location(&started), &cookie);
    assert!(text(&page).contains("of 1"), "{}", text(&page));

    let stop = format!("{path}/stop");
    let stopped = stage.send(&post(&stop, &form, Some(&cookie)));
    assert_eq!(stopped.status(), StatusCode::SEE_OTHER);
    let stored = stage.backend.stored_recovery(&key[0]).unwrap();
    assert_eq!(stored.status, RecoveryStatus::Stopping);
    assert!(text(&stage.get(&base, &cookie)).contains(path));
}

#[test]
fn a_field_that_is_not_valid_is_shown_and_starts_nothing() {
    let stage = Stage::new();
    let subscription = store(&stage, "acme").subscription;
    let cookie = stage.visitor("acme");
    let base = format!("/customers/acme/endpoints/{subscription}/recoveries");
    for form in [
        "",
        "since=x",
        "since=2023-11-14T00:00&perSecond=0",
        "since=2999-01-01T00:00",
    ] {
        let form = format!("{form}&csrf={}", csrf(&cookie));
        for path in [format!("{base}/count"), base.clone()] {
            let answer = stage.send(&post(&path, &form, Some(&cookie)));
            assert_eq!(answer.status(), StatusCode::OK, "{form}");
            assert!(text(&answer).contains("Count first"), "{form}");
        }
    }
    assert!(stage.backend.started_recoveries().is_empty());
}

#[test]
fn no_recovery_is_reached_without_the_capability_or_for_another_customer() {
    let stage = Stage::new();
    let own = store(&stage, "acme").subscription;
    let foreign = store(&stage, "strangers").subscription;
    let stranger = stage.visitor("strangers");
    let base = |customer: &str, id| format!("/customers/{customer}/endpoints/{id}/recoveries");
    let form = format!("{FORM}&csrf={}", csrf(&stranger));
    let started = post(&base("strangers", foreign), &form, Some(&stranger));
    let started = stage.send(&started);
    let (of_stranger, _) = location(&started)
        .split_once('?')
        .unwrap_or((location(&started), ""));
    let id = of_stranger.rsplit('/').next().unwrap().to_owned();
    let with = stage.visitor("acme");
    let without = stage.visitor_with("acme", &[Capability::Manage, Capability::Payloads]);
    for (cookie, base, status) in [
        (&without, base("acme", own), StatusCode::FORBIDDEN),
        (&with, base("acme", foreign), StatusCode::NOT_FOUND),
        (&with, base("strangers", foreign), StatusCode::NOT_FOUND),
    ] {
        let form = format!("{FORM}&csrf={}", csrf(cookie));
        for path in ["", "/count"] {
            let path = format!("{base}{path}");
            let answer = stage.send(&post(&path, &form, Some(cookie)));
            assert_eq!(answer.status(), status, "{path}");
        }
        let stop = format!("{base}/{id}/stop");
        assert_eq!(
            stage.send(&post(&stop, &form, Some(cookie))).status(),
            status
        );
        for path in [base.clone(), format!("{base}/{id}")] {
            assert_eq!(stage.get(&path, cookie).status(), status, "{path}");
        }
    }
    let unknown = format!("{}/{id}", base("acme", own));
    assert_eq!(stage.get(&unknown, &with).status(), StatusCode::NOT_FOUND);
    assert_eq!(stage.backend.started_recoveries().len(), 1);
}
