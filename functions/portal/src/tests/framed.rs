//! A portal that other sites embed.

use super::*;

const APP: &str = "https://app.example";

#[test]
fn an_embedded_portal_keeps_its_session_in_a_partitioned_cookie() {
    let stage = Stage::with([("PORTAL_FRAME_ANCESTORS", APP)]);
    let page = stage.send(&get("/", None));
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.ends_with("frame-ancestors https://app.example"),
        "{policy}"
    );
    let probe = cookie(&page, "__Host-webhooks-probe-framed").unwrap();
    let created = stage.session("acme", &[Capability::View]);
    let answer = stage.enter(&created, Some(&probe));
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let set = set_cookies(&answer);
    assert!(set[0].starts_with("__Host-webhooks-framed="), "{set:?}");
    assert!(set[0].ends_with("; Secure; HttpOnly; SameSite=None; Partitioned"));
    let session = cookie(&answer, "__Host-webhooks-framed").unwrap();
    let page = stage.get("/customers/acme/endpoints", &session);
    assert_eq!(page.status(), StatusCode::OK);
    // A cookie of the time before is another one.
    let unframed = session.replace("-framed", "");
    let page = stage.get("/customers/acme/endpoints", &unframed);
    assert_eq!(page.status(), StatusCode::UNAUTHORIZED);
}

#[test]
fn a_browser_that_refuses_cookies_in_a_frame_gets_a_new_tab_and_the_link_stays_unused() {
    let stage = Stage::with([("PORTAL_FRAME_ANCESTORS", APP)]);
    let created = stage.session("acme", &[Capability::View]);
    let refused = stage.enter(&created, None);
    assert_eq!(refused.status(), StatusCode::OK);
    assert!(set_cookies(&refused).is_empty());
    assert!(text(&refused).contains("target=\"_blank\""));
    assert!(
        text(&refused).contains(r#"name="open" value="yes""#),
        "asked once"
    );
    let form = format!("code={}&tab=yes&open=yes", created.code.expose());
    let answer = stage.send(&post("/session", &form, None));
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}
