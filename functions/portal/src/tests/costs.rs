//! Strangers cost nothing, or a read.

use webhooks_domain::catalogue::Documentation;
use webhooks_domain::portal_session::PortalCode;
use webhooks_testkit::Fault;

use super::tenancy::store;
use super::*;

/// Returns true if an event calls the table. A planted fault stays if nothing does.
fn calls_the_table(stage: &Stage, event: &Value) -> bool {
    stage.backend.plant([Fault::Before]);
    let answer = stage.send(event);
    let is_left = stage.backend.clear_faults();
    let failed = answer.status() == StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(failed, !is_left, "a failure is answered as one");
    !is_left
}

#[test]
fn a_malformed_request_costs_no_read() {
    let stage = Stage::new();
    let own = stage.visitor("acme");
    let good = "/customers/acme/endpoints";
    assert!(calls_the_table(&stage, &get(good, Some(&own))));
    for path in [
        "/",
        "/ended",
        "/brand.css",
        "/.env",
        "/customers",
        "/customers/acme",
        "/customers/a%20b/endpoints",
        "/customers/acme/endpoints/sub_1/deliveries",
        "/customers/acme/deliveries/dlv_1",
        "/customers/acme/event-types/order.*",
        "/assets/portal.css",
        "/console",
        "/console/unhealthy",
        "/console/queues",
        "/console/runbooks/FailedEventsAlarm",
        "/console/messages/msg_00000000000000000000000000000001",
        "/?code=abc",
    ] {
        assert!(!calls_the_table(&stage, &get(path, Some(&own))), "{path}");
    }
    let (_, token) = own.split_once('=').unwrap();
    for cookie in [
        String::new(),
        "a=b".to_owned(),
        format!("webhooks={token}"),
        format!("__Host-webhooks={}", &token[..50]),
        format!("__Host-webhooks={token}="),
        format!("__Host-webhooks={}", "A".repeat(4_000)),
        format!("{own}; {own}"),
        "__Host-webhooks=\u{e9}".to_owned(),
    ] {
        let event = get(good, Some(&cookie).filter(|c| !c.is_empty()).map(|c| &**c));
        assert!(!calls_the_table(&stage, &event), "{cookie}");
    }
}

#[test]
fn a_form_that_is_refused_by_its_form_costs_no_read() {
    let stage = Stage::new();
    let own = stage.visitor("acme");
    let form = format!("csrf={}", csrf(&own));
    let good = post("/session/end", &form, Some(&own));
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut event = good.clone();
        change(&mut event);
        event
    };
    let large = format!("{form}&x={}", "x".repeat(crate::form::MAX_BYTES));
    let fields: Vec<_> = (0..201).map(|n| format!("f{n}=")).collect();
    let many = format!("{form}&{}", fields.join("&"));
    for (event, status) in [
        (
            changed(&|event| event["headers"]["origin"] = json!("https://evil.example")),
            StatusCode::FORBIDDEN,
        ),
        (
            changed(&|event| event["headers"]["content-type"] = json!("text/plain")),
            StatusCode::BAD_REQUEST,
        ),
        (
            changed(&|event| event["body"] = json!(large)),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            changed(&|event| event["body"] = json!(many)),
            StatusCode::BAD_REQUEST,
        ),
        (
            changed(&|event| event["cookies"] = json!([])),
            StatusCode::UNAUTHORIZED,
        ),
        (
            changed(&|event| event["isBase64Encoded"] = json!(true)),
            StatusCode::BAD_REQUEST,
        ),
        (post("/session", "code=abc", Some(&own)), StatusCode::GONE),
        (
            post("/customers/acme/endpoints", &form, Some(&own)),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (
            event("DELETE", "/session/end", "", Some(&own)),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (
            event("PUT", "/customers/acme/endpoints", "", Some(&own)),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
    ] {
        assert!(!calls_the_table(&stage, &event), "{event}");
        assert_eq!(stage.send(&event).status(), status, "{event}");
    }
    assert!(calls_the_table(&stage, &good));
}

#[test]
fn a_guess_costs_one_read() {
    let stage = Stage::new();
    let customer = samples::customer("acme");
    let session = stage.session("acme", &[Capability::View]).session.id;
    let guess = PortalToken::random(&customer.clone().into(), session, &SystemRandom::new());
    let cookie = format!("__Host-webhooks={}", guess.expose());
    stage.backend.plant([Fault::None, Fault::Before]);
    let answer = stage.get("/customers/acme/endpoints", &cookie);
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(stage.backend.clear_faults(), "one call only");
}

#[test]
fn a_forged_code_costs_one_read() {
    let stage = Stage::new();
    let mut created = stage.session("acme", &[Capability::View]);
    let session = created.session.id;
    let own = created.code;
    created.code = PortalCode::random(
        &samples::customer("acme").into(),
        session,
        &SystemRandom::new(),
    );
    stage.backend.plant([Fault::None, Fault::Before]);
    let answer = stage.enter(&created, None);
    assert_eq!(answer.status(), StatusCode::GONE);
    assert!(stage.backend.clear_faults(), "one call only");
    created.code = own;
    assert_eq!(stage.enter(&created, None).status(), StatusCode::SEE_OTHER);
}

/// The session, the delivery with its message, and the subscription.
#[test]
fn the_page_of_a_delivery_reads_each_item_once() {
    let stage = Stage::new();
    let id = store(&stage, "acme");
    let own = stage.visitor("acme");
    let reads = [Fault::None, Fault::None, Fault::None];
    stage
        .backend
        .plant(reads.into_iter().chain([Fault::Before]));
    let page = stage.get(&format!("/customers/acme/deliveries/{id}"), &own);
    assert_eq!(page.status(), StatusCode::OK);
    assert!(stage.backend.clear_faults(), "three calls only");
}

/// The session, and the index of the catalogue or the type.
#[test]
fn a_page_of_the_catalogue_costs_one_read() {
    let stage = Stage::new();
    for number in 0..200 {
        catalogue::put(&stage, &format!("order.{number}"), Documentation::default());
    }
    let own = stage.visitor("acme");
    for path in [
        "event-types",
        "event-types?q=7&page=2",
        "event-types/order.1",
    ] {
        stage
            .backend
            .plant([Fault::None, Fault::None, Fault::Before]);
        let page = stage.get(&format!("/customers/acme/{path}"), &own);
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        assert!(stage.backend.clear_faults(), "{path}: two calls only");
    }
}

#[test]
fn a_failure_of_the_table_shows_nothing_of_it_and_ends_no_session() {
    let stage = Stage::new();
    let own = stage.visitor("acme");
    for before in 0..2 {
        let calls = std::iter::repeat_n(Fault::None, before);
        stage.backend.plant(calls.chain([Fault::Before]));
        let answer = stage.get("/customers/acme/endpoints", &own);
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(!text(&answer).contains("table"), "{}", text(&answer));
        assert!(set_cookies(&answer).is_empty());
    }
    assert!(stage.is_open(&own));
}
