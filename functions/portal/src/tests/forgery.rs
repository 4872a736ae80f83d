//! Requests that another site makes with the browser of a visitor.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::*;

/// Sends the form that ends a session, with a changed event. Returns the status.
fn end(stage: &Stage, cookie: &str, form: &str, change: impl FnOnce(&mut Value)) -> StatusCode {
    let mut event = post("/session/end", form, Some(cookie));
    change(&mut event);
    stage.send(&event).status()
}

#[test]
fn a_form_of_another_site_changes_nothing_even_with_the_token() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let form = format!("csrf={}", csrf(&cookie));
    let upper = ORIGIN.to_uppercase();
    for origin in [
        "https://evil.example",
        "null",
        "",
        &ORIGIN.replace("https", "http"),
        &format!("{ORIGIN}:443"),
        &format!("{ORIGIN}/"),
        &format!("{ORIGIN}.evil.example"),
        &format!("{ORIGIN}, {ORIGIN}"),
        "https://x.abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws",
        "http://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.localhost:4566",
        &upper,
    ] {
        let status = end(&stage, &cookie, &form, |event| {
            event["headers"]["origin"] = json!(origin);
        });
        assert_eq!(status, StatusCode::FORBIDDEN, "{origin}");
    }
    let status = end(&stage, &cookie, &form, |event| {
        event["headers"].as_object_mut().unwrap().remove("origin");
    });
    assert_eq!(status, StatusCode::FORBIDDEN, "without an origin");
    // The host that a client names is not the one that Lambda names.
    let status = end(&stage, &cookie, &form, |event| {
        event["headers"]["origin"] = json!("https://evil.example");
        event["headers"]["host"] = json!("evil.example");
    });
    assert_eq!(status, StatusCode::FORBIDDEN, "a forged host");
    assert!(stage.is_open(&cookie));
    assert_eq!(end(&stage, &cookie, &form, |_| ()), StatusCode::SEE_OTHER);
}

#[test]
fn a_form_without_the_token_of_the_session_changes_nothing() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let right = csrf(&cookie);
    let other = csrf(&stage.visitor("acme"));
    let (_, session) = cookie.split_once('=').unwrap();
    for form in [
        String::new(),
        "csrf=".to_owned(),
        format!("csrf={other}"),
        format!("csrf={session}"),
        format!("csrf={}", &right[1..]),
        format!("CSRF={right}"),
    ] {
        let status = end(&stage, &cookie, &form, |_| ());
        assert_eq!(status, StatusCode::FORBIDDEN, "{form}");
    }
    let twice = format!("csrf={other}&csrf={right}");
    let status = end(&stage, &cookie, &twice, |_| ());
    assert_eq!(status, StatusCode::BAD_REQUEST);
    // In the query it would be in logs.
    let status = end(&stage, &cookie, "", |event| {
        event["rawQueryString"] = json!(format!("csrf={right}"));
    });
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(stage.is_open(&cookie));
}

/// Other types can be sent by scripts of other sites without a question to the portal.
#[test]
fn a_form_has_the_type_of_a_form() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let form = format!("csrf={}", csrf(&cookie));
    for kind in ["text/plain", "application/json", "multipart/form-data", ""] {
        let status = end(&stage, &cookie, &form, |event| {
            event["headers"]["content-type"] = json!(kind);
        });
        assert_eq!(status, StatusCode::BAD_REQUEST, "{kind}");
    }
    assert!(stage.is_open(&cookie));
    let status = end(&stage, &cookie, &form, |event| {
        let kind = "application/x-www-form-urlencoded; charset=UTF-8";
        event["headers"]["content-type"] = json!(kind);
        event["body"] = json!(BASE64_STANDARD.encode(&form));
        event["isBase64Encoded"] = json!(true);
    });
    assert_eq!(status, StatusCode::SEE_OTHER);
}

/// Login forgery: a site opens its own session in the browser of a visitor.
#[test]
fn another_site_cannot_use_a_link() {
    let stage = Stage::new();
    let created = stage.session("evil", &[Capability::View]);
    let mut event = post(
        "/session",
        &format!("code={}&open=yes", created.code.expose()),
        None,
    );
    event["headers"]["origin"] = json!("https://evil.example");
    let answer = stage.send(&event);
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(set_cookies(&answer).is_empty());
    // A link in the query is none.
    let query = format!("/?code={}", created.code.expose());
    let answer = stage.send(&get(&query, None));
    assert!(set_cookies(&answer).is_empty());
    let usual = stage.enter(&created, None);
    assert_eq!(usual.status(), StatusCode::SEE_OTHER, "it was not used up");
}

#[test]
fn a_portal_with_a_domain_of_its_own_takes_forms_of_that_domain_only() {
    let stage = Stage::with([("PORTAL_URL", "https://hooks.example/")]);
    let created = stage.session("acme", &[Capability::View]);
    let form = format!("code={}&open=yes", created.code.expose());
    let with_origin = |origin: &str| {
        let mut event = post("/session", &form, None);
        event["headers"]["origin"] = json!(origin);
        stage.send(&event).status()
    };
    assert_eq!(with_origin(ORIGIN), StatusCode::FORBIDDEN);
    assert_eq!(with_origin("https://hooks.example"), StatusCode::SEE_OTHER);
}

#[test]
fn only_a_developers_stack_takes_forms_from_the_name_of_the_emulator() {
    let origin = "http://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.localhost:4566";
    for (networks, expected) in [
        ("127.0.0.0/8", StatusCode::SEE_OTHER),
        ("", StatusCode::FORBIDDEN),
    ] {
        let stage = Stage::with([("DEVELOPMENT_ALLOWED_CIDRS", networks)]);
        let created = stage.session("acme", &[Capability::View]);
        let form = format!("code={}&open=yes", created.code.expose());
        for (origin, expected) in [
            (origin, expected),
            ("http://other.localhost:4566", StatusCode::FORBIDDEN),
            ("http://evil.example:80", StatusCode::FORBIDDEN),
        ]
        .into_iter()
        .rev()
        {
            let mut event = post("/session", &form, None);
            event["headers"]["origin"] = json!(origin);
            assert_eq!(stage.send(&event).status(), expected, "{origin}");
        }
    }
}
