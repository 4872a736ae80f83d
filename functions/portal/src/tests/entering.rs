//! The link of a session, and the end of a session.

use webhooks_testkit::Fault;

use super::*;

#[test]
fn a_link_opens_the_pages_of_its_customer() {
    let stage = Stage::new();
    let created = stage.session_with("acme", &[Capability::View], Some(RETURN));
    let page = stage.send(&get("/", None));
    assert_eq!(page.status(), StatusCode::OK);
    assert!(set_cookies(&page).is_empty());
    assert!(text(&page).contains(r#"id="enter""#), "{}", text(&page));

    let answer = stage.enter(&created, None);
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/customers/acme/endpoints");
    let [session, back] = &set_cookies(&answer)[..] else {
        panic!("two cookies");
    };
    let (token, attributes) = session.split_once("; ").unwrap();
    assert_eq!(
        attributes,
        "Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax"
    );
    assert!(token.starts_with("__Host-webhooks="), "{token}");
    assert!(back.starts_with("__Host-webhooks-return="), "{back}");
    assert!(back.contains("Max-Age=87000; Secure; HttpOnly;"), "{back}");
    let page = stage.get("/customers/acme/endpoints", token);
    assert_eq!(page.status(), StatusCode::OK);
}

#[test]
fn a_link_works_once_and_not_for_long() {
    let stage = Stage::new();
    let used = stage.session("acme", &[Capability::View]);
    assert_eq!(stage.enter(&used, None).status(), StatusCode::SEE_OTHER);
    let late = stage.session("acme", &[Capability::View]);
    let revoked = stage.session("acme", &[Capability::View]);
    let audience = samples::customer("acme").into();
    let sessions = stage.sessions();
    let gone = sessions.revoke(&audience, &revoked.session.id);
    gone.now_or_never().unwrap().unwrap();
    for (created, later) in [(&used, 0), (&revoked, 0), (&late, 300)] {
        stage.later(Duration::from_secs(later));
        let answer = stage.enter(created, None);
        assert_eq!(answer.status(), StatusCode::GONE);
        assert!(set_cookies(&answer).is_empty());
    }
    for code in ["", "code=", "code=abc", "other=1"] {
        let answer = stage.send(&post("/session", code, None));
        assert_eq!(answer.status(), StatusCode::GONE, "{code}");
    }
}

/// Session fixation: whatever cookie the browser sends, the session has a new token.
#[test]
fn a_token_that_somebody_prepared_is_never_used() {
    let stage = Stage::new();
    let (customer, random) = (samples::customer("acme"), SystemRandom::new());
    let created = stage.session("acme", &[Capability::View]);
    let prepared = PortalToken::random(&customer.into(), created.session.id, &random);
    let prepared = format!("__Host-webhooks={}", prepared.expose());
    let answer = stage.enter(&created, Some(&prepared));
    let own = cookie(&answer, "__Host-webhooks").unwrap();
    assert_ne!(own, prepared);
    assert!(stage.is_open(&own) && !stage.is_open(&prepared));
}

#[test]
fn a_session_that_has_ended_leads_back_or_says_so() {
    let stage = Stage::new();
    let path = "/customers/acme/endpoints";
    let with_return = |url| {
        let created = stage.session_with("acme", &[Capability::View], url);
        let answer = stage.enter(&created, None);
        let cookies = ["__Host-webhooks", "__Host-webhooks-return"];
        let cookies = cookies.iter().filter_map(|name| cookie(&answer, name));
        cookies.collect::<Vec<_>>().join("; ")
    };
    let (leading, plain) = (with_return(Some(RETURN)), with_return(None));
    // The operator has removed this origin from the list since.
    let removed = with_return(Some("https://old.example/"));
    stage.later(Duration::from_mins(10));
    let led = stage.get(path, &leading);
    assert_eq!(led.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&led), RETURN);
    for cookie in [&plain, &removed, "__Host-webhooks=forged"] {
        let answer = stage.get(path, cookie);
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{cookie}");
        assert!(text(&answer).contains("session has ended"));
        let [set] = &set_cookies(&answer)[..] else {
            panic!("one cookie");
        };
        assert!(set.starts_with("__Host-webhooks=; Path=/; Max-Age=0;"));
    }
    // A form does not leave the portal by itself.
    let form = format!("csrf={}", csrf(leading.split("; ").next().unwrap()));
    let answer = stage.send(&post("/session/end", &form, Some(&leading)));
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(text(&answer).contains(RETURN), "it has a link");
}

/// An open redirect: nobody but the portal sets the cookie, and still its URL is checked.
#[test]
fn a_url_to_return_to_is_checked_when_it_is_used() {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    let stage = Stage::new();
    for url in [
        "https://evil.example/",
        "https://app.example@evil.example/",
        "https://app.example.evil.example/",
        "http://app.example/",
        "//evil.example",
        "javascript:alert(1)",
        "https://app.example/\r\nset-cookie: a=b",
    ] {
        let cookie = BASE64_URL_SAFE_NO_PAD.encode(url);
        let cookie = format!("__Host-webhooks-return={cookie}");
        for path in ["/customers/acme/endpoints", "/ended"] {
            let answer = stage.get(path, &cookie);
            assert!(!answer.headers().contains_key(LOCATION), "{url}");
            assert!(!text(&answer).contains("evil.example"), "{url}");
            assert!(!text(&answer).contains("javascript:"), "{url}");
        }
    }
}

#[test]
fn a_session_can_be_left() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let form = format!("csrf={}", csrf(&cookie));
    let answer = stage.send(&post("/session/end", &form, Some(&cookie)));
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/ended");
    assert!(!stage.is_open(&cookie));
}

/// Login CSRF: somebody leads a browser to the link of a customer of their own, so that what is
/// entered becomes theirs.
#[test]
fn a_link_that_no_page_of_the_operator_has_asks_before_it_opens() {
    let stage = Stage::with([("PORTAL_FRAME_ANCESTORS", "https://frame.example")]);
    let enter = |referer: Option<&str>| {
        let mut event = get("/", None);
        if let Some(referer) = referer {
            event["headers"]["referer"] = json!(referer);
        }
        text(&stage.send(&event)).contains(r#"name="open" value="yes""#)
    };
    for referer in [
        "https://app.example/",
        "https://app.example/a?b=1",
        "https://frame.example",
    ] {
        assert!(enter(Some(referer)), "{referer}");
    }
    assert!(!enter(None));
    for referer in [
        "https://evil.example/",
        "http://app.example/",
        "https://app.example.evil.example/",
        "https://app.example@evil.example/",
        "https://app.example:444/",
        "app.example",
        "",
        ORIGIN,
    ] {
        assert!(!enter(Some(referer)), "{referer}");
    }

    let stage = Stage::new();
    let created = stage.session("acme", &[Capability::View]);
    let code = format!("code={}", created.code.expose());
    for form in [code.clone(), format!("{code}&open=no")] {
        let asked = stage.send(&post("/session", &form, None));
        assert_eq!(asked.status(), StatusCode::OK);
        assert!(set_cookies(&asked).is_empty());
        assert!(asks_about(&asked, "acme"), "{}", text(&asked));
    }
    let opened = stage.send(&post("/session", &format!("{code}&open=yes"), None));
    assert_eq!(opened.status(), StatusCode::SEE_OTHER);
}

fn asks_about(answer: &Answer, customer: &str) -> bool {
    let mut headings = text(answer).split("Open the portal of").skip(1);
    headings.any(|after| after.split("</h1>").next().unwrap().contains(customer))
}

#[test]
fn a_link_of_another_customer_asks_before_it_replaces_a_session() {
    let stage = Stage::new();
    let current = stage.visitor("acme");
    let created = stage.session("bolt", &[Capability::View]);
    // Even if a page of the operator has led here.
    let asked = stage.enter(&created, Some(&current));
    assert_eq!(asked.status(), StatusCode::OK);
    assert!(set_cookies(&asked).is_empty());
    let page = text(&asked);
    assert!(asks_about(&asked, "bolt"), "{page}");
    assert!(page.contains("another customer"), "{page}");

    // A site that cannot read the page cannot answer the question.
    let confirmed = format!("code={}&open=yes", created.code.expose());
    let foreign = csrf(&stage.visitor("acme"));
    let form = format!("{confirmed}&csrf={foreign}");
    let answer = stage.send(&post("/session", &form, Some(&current)));
    assert_eq!(answer.status(), StatusCode::OK, "it asks again");
    assert!(set_cookies(&answer).is_empty());
    assert!(stage.is_open(&current));

    let form = format!("{confirmed}&csrf={}", csrf(&current));
    let answer = stage.send(&post("/session", &form, Some(&current)));
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/customers/bolt/endpoints");
    assert!(stage.is_open(&cookie(&answer, "__Host-webhooks").unwrap()));
    assert!(!stage.is_open(&current), "the old one has ended");
}

/// The link is used up, so its session must reach the browser.
#[test]
fn a_session_that_cannot_be_left_does_not_hinder_the_next() {
    let stage = Stage::new();
    let current = stage.visitor("acme");
    let created = stage.session("acme", &[Capability::View]);
    // The link, the current session, the entering, and then the end of the current one.
    let faults = [Fault::None, Fault::None, Fault::None, Fault::Before];
    stage.backend.plant(faults);
    let answer = stage.enter(&created, Some(&current));
    assert!(!stage.backend.clear_faults(), "the fault happened");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(stage.is_open(&cookie(&answer, "__Host-webhooks").unwrap()));
    assert!(stage.is_open(&current));
}

#[test]
fn a_new_link_of_the_same_customer_does_not_ask_and_ends_the_session_before() {
    let stage = Stage::new();
    let current = stage.visitor("acme");
    let again = stage.session("acme", &[Capability::View]);
    let form = format!("code={}", again.code.expose());
    let answer = stage.send(&post("/session", &form, Some(&current)));
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(stage.is_open(&cookie(&answer, "__Host-webhooks").unwrap()));
    assert!(!stage.is_open(&current));
}
