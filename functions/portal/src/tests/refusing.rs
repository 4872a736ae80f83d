//! Changes that are refused, and secrets.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use super::api::{SECRET, request_of, subscription};
use super::managing::stored;
use super::*;

/// The changes of an endpoint, with the capability that each needs.
const CHANGES: [(&str, Capability); 8] = [
    ("/edit", Capability::Manage),
    ("/pause", Capability::Manage),
    ("/enable", Capability::Manage),
    ("/delete", Capability::Manage),
    ("/test", Capability::Manage),
    ("/secrets", Capability::Secrets),
    ("/secrets/rotate", Capability::Secrets),
    ("/../new", Capability::Manage),
];

const FIELDS: &str = "url=https%3A%2F%2Fa.example%2F&eventTypes=a&payloadFormat=detail&version=1";

fn change(endpoint: &str, path: &str) -> String {
    match path.strip_prefix("/..") {
        Some(path) => format!("{}{path}", endpoint.rsplit_once('/').unwrap().0),
        None => format!("{endpoint}{path}"),
    }
}

/// Another answer than that of the API would be an error: it gives none.
fn assert_refused(stage: &Stage, event: &Value, status: StatusCode) {
    let answer = stage.send(event);
    assert_eq!(answer.status(), status, "{event}");
    assert!(stage.api.events().is_empty(), "{event}");
}

#[test]
fn a_change_is_refused_without_its_capability() {
    let stage = Stage::new();
    let (_, endpoint) = stored(&stage, "acme");
    for (path, needed) in CHANGES {
        let rest = Capability::ALL.into_iter().filter(|one| *one != needed);
        let without = stage.visitor_with("acme", &rest.collect::<Vec<_>>());
        let path = change(&endpoint, path);
        for button in ["save", "try"] {
            let form = format!("{FIELDS}&button={button}&csrf={}", csrf(&without));
            let event = post(&path, &form, Some(&without));
            assert_refused(&stage, &event, StatusCode::FORBIDDEN);
        }
        let only = stage.visitor_with("acme", &[needed]);
        let form = format!("{FIELDS}&csrf={}", csrf(&only));
        let answer = stage.send(&post(&path, &form, Some(&only)));
        // It gets as far as the API, which does not answer.
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(stage.api.events().len(), 1, "{path}");
        let page = stage.get(&path, &without);
        let refused = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
        assert!(refused.contains(&page.status()), "{path}");
    }
    let without = stage.visitor_with("acme", &[Capability::Payloads, Capability::Resend]);
    let page = stage.get(&endpoint, &without);
    for (path, _) in CHANGES {
        let action = format!("{}\"", change(&endpoint, path));
        assert!(!text(&page).contains(&action), "{path}");
    }
}

#[test]
fn a_change_is_refused_from_another_site_or_without_the_token() {
    let stage = Stage::new();
    let (_, endpoint) = stored(&stage, "acme");
    let cookie = stage.visitor("acme");
    let other = csrf(&stage.visitor("acme"));
    for (path, _) in CHANGES {
        let path = change(&endpoint, path);
        let form = format!("{FIELDS}&csrf={}", csrf(&cookie));
        let good = post(&path, &form, Some(&cookie));
        let mut foreign = good.clone();
        foreign["headers"]["origin"] = json!("https://evil.example");
        let mut without = good.clone();
        without["headers"].as_object_mut().unwrap().remove("origin");
        for event in [
            foreign,
            without,
            post(&path, FIELDS, Some(&cookie)),
            post(&path, &format!("{FIELDS}&csrf={other}"), Some(&cookie)),
        ] {
            assert_refused(&stage, &event, StatusCode::FORBIDDEN);
        }
        let ended = post(&path, &form, None);
        assert_refused(&stage, &ended, StatusCode::UNAUTHORIZED);
        let mut by_link = get(&path, Some(&cookie));
        by_link["rawQueryString"] = json!(form);
        let answer = stage.send(&by_link);
        let is_page = ["/edit", "/delete", "/new"]
            .iter()
            .any(|end| path.ends_with(end));
        assert_eq!(answer.status() == StatusCode::OK, is_page, "{path}");
        assert!(stage.api.events().is_empty(), "{path}");
    }
}

#[test]
fn nothing_of_another_customer_is_changed() {
    let stage = Stage::new();
    let (_, own) = stored(&stage, "acme");
    let (foreign, _) = stored(&stage, "strangers");
    let cookie = stage.visitor("acme");
    let form = format!("{FIELDS}&csrf={}", csrf(&cookie));
    for (path, _) in CHANGES {
        let of_theirs = format!("/customers/strangers/endpoints/{foreign}");
        let mixed = format!("/customers/acme/endpoints/{foreign}");
        let own = own.replace("acme", "strangers");
        for endpoint in [of_theirs, mixed, own] {
            let path = change(&endpoint, path);
            if path != "/customers/acme/endpoints/new" {
                let event = post(&path, &form, Some(&cookie));
                assert_refused(&stage, &event, StatusCode::NOT_FOUND);
            }
        }
    }
}

#[test]
fn what_the_api_refuses_is_refused() {
    let stage = Stage::new();
    let (_, endpoint) = stored(&stage, "acme");
    let cookie = stage.visitor("acme");
    let form = format!("{FIELDS}&csrf={}", csrf(&cookie));
    for (path, _) in CHANGES {
        let path = change(&endpoint, path);
        for (status, expected) in [
            (403, StatusCode::FORBIDDEN),
            (404, StatusCode::NOT_FOUND),
            (500, StatusCode::SERVICE_UNAVAILABLE),
            (503, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            stage.api.plan_problem(status, None, "by the API");
            let answer = stage.send(&post(&path, &form, Some(&cookie)));
            assert_eq!(answer.status(), expected, "{path} {status}");
            stage.api.event();
        }
        for result in ["", "null", r#"{"errorMessage": "whsec_x"}"#] {
            stage.api.plan_result(result.as_bytes().to_vec());
            let answer = stage.send(&post(&path, &form, Some(&cookie)));
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
            assert!(!text(&answer).contains("whsec_"));
            stage.api.event();
        }
    }
}

fn secrets() -> Value {
    let previous = json!({
        "version": 1, "kind": "v1", "secret": "whsec_PREVIOUS", "expiresAt": "2026-01-01T00:00:00Z",
    });
    json!({"secrets": [{"version": 2, "kind": "v1", "secret": SECRET}, previous]})
}

#[test]
fn secrets_are_shown_and_rotated_on_request() {
    let stage = Stage::new();
    let cookie = stage.visitor_with("acme", &[Capability::Secrets]);
    let (id, endpoint) = stored(&stage, "acme");
    let page = stage.get(&endpoint, &cookie);
    assert!(!text(&page).contains("whsec_"));
    let form = format!("csrf={}", csrf(&cookie));
    stage.api.plan(200, &secrets());
    let shown = stage.send(&post(&format!("{endpoint}/secrets"), &form, Some(&cookie)));
    assert_eq!(shown.status(), StatusCode::OK);
    assert!(text(&shown).contains(SECRET) && text(&shown).contains("whsec_PREVIOUS"));
    assert_eq!(shown.headers()["cache-control"], "no-store");
    let read = format!("GET /customers/acme/subscriptions/{id}/secret");
    assert_eq!(request_of(&stage.api.event()), read);

    let rotate = format!("{endpoint}/secrets/rotate");
    let form = format!("{form}&overlapSeconds=3600&version=3");
    stage.api.plan(200, &json!({"secret": SECRET}));
    stage.api.plan(200, &secrets());
    let rotated = stage.send(&post(&rotate, &form, Some(&cookie)));
    assert!(text(&rotated).contains(SECRET) && text(&rotated).contains("signs from now on"));
    let events = stage.api.events();
    assert_eq!(
        request_of(&events[0]),
        format!("POST /customers/acme/subscriptions/{id}/secret/rotate")
    );
    assert_eq!(events[0]["headers"]["if-match"], "\"3\"");
    assert_eq!(events[0]["body"], r#"{"overlapSeconds":3600}"#);
    assert_eq!(request_of(&events[1]), read);

    // It was rotated, but cannot be shown now.
    stage.api.plan(200, &json!({"secret": SECRET}));
    let rotated = stage.send(&post(&rotate, &form, Some(&cookie)));
    assert_eq!(
        (location(&rotated), done(&rotated)),
        (&*endpoint, "rotated".to_owned())
    );
    stage.api.events();
    // The form was sent twice.
    stage.api.plan_problem(412, None, "the version is 4");
    let again = stage.send(&post(&rotate, &form, Some(&cookie)));
    assert!(text(&again).contains("the version is 4"));
}

thread_local! {
    /// The lines that this thread has logged.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to the lines of the thread.
struct OfThread;

impl Write for OfThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects what is logged from now on. All threads have the same subscriber: a place in the code that
/// a thread without one reaches first could be silent for all.
fn collect_lines() {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let lines = lines.with_writer(|| OfThread).finish();
        tracing::subscriber::set_global_default(lines).unwrap();
    });
    LINES.with_borrow_mut(Vec::clear);
}

#[test]
fn no_line_of_the_log_has_a_secret() {
    collect_lines();
    let stage = Stage::new();
    let (_, endpoint) = stored(&stage, "acme");
    let cookie = stage.visitor("acme");
    let form = format!(
        "{FIELDS}&secretHeaders=x-key%3A+HIDDEN&authentication=bearer\
         &authenticationSecret=HIDDEN&csrf={}",
        csrf(&cookie)
    );
    let (_, mut created) = subscription("acme", 7);
    created["secret"] = json!(SECRET);
    // As planned, with a part that is missing, and with a secret where a number is expected.
    let mut broken = secrets();
    broken["secrets"][0]["version"] = json!(SECRET);
    for (path, _) in CHANGES {
        for answer in [&created, &secrets(), &broken, &json!(SECRET)] {
            stage.api.plan(200, answer);
            stage.api.plan(200, answer);
            stage.send(&post(&change(&endpoint, path), &form, Some(&cookie)));
        }
    }
    let lines = LINES.with_borrow(|lines| String::from_utf8(lines.clone()));
    let lines = lines.unwrap();
    assert!(lines.contains("unexpected answer of the API"), "{lines}");
    for secret in [SECRET, "whsec_", "HIDDEN"] {
        assert!(!lines.contains(secret), "{lines}");
    }
}
