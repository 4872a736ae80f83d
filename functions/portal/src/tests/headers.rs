//! The headers of every answer.

use super::*;

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let mut values = answer.headers().get_all(name).iter();
    let value = values.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(values.next().is_none(), "{name} twice");
    value.to_str().unwrap()
}

#[test]
fn every_answer_has_the_headers_that_protect_it() {
    let stage = Stage::new();
    let own = stage.visitor("acme");
    let created = stage.session("acme", &[Capability::View]);
    let page = stage.get("/customers/acme/endpoints", &own);
    let script = text(&page).split("src=\"").nth(1).unwrap();
    let script = script.split('"').next().unwrap().to_owned();
    let mut answers = vec![page, stage.enter(&created, None)];
    for path in ["/", "/ended", "/brand.css", "/nothing", script.as_str()] {
        answers.push(stage.send(&get(path, None)));
    }
    answers.push(stage.send(&get("/customers/acme/endpoints", None)));
    answers.push(stage.send(&get("/a?b\nc", None)));
    answers.push(stage.send(&post("/session", "code=x", None)));
    let mut statuses = Vec::new();
    for answer in &answers {
        statuses.push(answer.status().as_u16());
        let policy = header(answer, "content-security-policy");
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(
                policy.split("; ").any(|found| found == directive),
                "{policy}"
            );
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header(answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(answer, "referrer-policy"), "same-origin");
        header(answer, "strict-transport-security");
        assert_eq!(header(answer, "cross-origin-opener-policy"), "same-origin");
    }
    assert_eq!(statuses, [200, 303, 200, 200, 200, 404, 200, 401, 400, 410]);
    let script = answers.remove(6);
    assert!(header(&script, "content-type").starts_with("text/javascript"));
    assert!(header(&script, "cache-control").contains("immutable"));
    for answer in &answers {
        assert_eq!(header(answer, "cache-control"), "no-store");
    }
}

#[test]
fn no_page_has_a_secret_of_its_session() {
    let stage = Stage::new();
    super::tenancy::store(&stage, "acme");
    let own = stage.visitor("acme");
    let (_, token) = own.split_once('=').unwrap();
    let page = stage.get("/customers/acme/endpoints", &own);
    assert!(!text(&page).contains(token));
    assert!(text(&page).contains(&csrf(&own)), "its forms have one");
}
