//! The console: for support staff only, every customer, and each change under the name of its actor.

use webhooks_domain::customers::{CustomerFields, Customers};
use webhooks_domain::delivery::DeliveryStatus;
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::manage::ExpectedVersion;
use webhooks_pages::paths::Route;

use super::api::{request_of, subscription};
use super::tenancy::{path, store};
use super::*;

/// The pages of the console, for this delivery.
fn pages(delivery: &DeliveryId) -> Vec<String> {
    let patterns = Route::PATTERNS.iter();
    let of_console = patterns.filter(|pattern| pattern.starts_with("/console"));
    let paths = of_console.map(|pattern| {
        let path = path(pattern, "acme", "acme", delivery);
        path.replace("{alarm}", "FailedEventsAlarm")
    });
    paths.collect()
}

#[test]
fn a_customers_session_opens_no_page_of_the_console() {
    let stage = Stage::new();
    let delivery = store(&stage, "acme");
    let paths = pages(&delivery);
    assert_eq!(paths.len(), 5, "{paths:?}");
    let (support, customer) = (stage.support(&[Capability::View]), stage.visitor("acme"));
    for path in &paths {
        assert_eq!(stage.get(path, &support).status(), StatusCode::OK, "{path}");
        let answer = stage.get(path, &customer);
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let answer = stage.send(&get(path, None));
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        let form = format!("csrf={}", csrf(&support));
        let answer = stage.send(&post(path, &form, Some(&support)));
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

/// Another session's id and secret, in the form of a token of the console, open nothing.
#[test]
fn a_customers_token_does_not_become_one_of_the_console() {
    let stage = Stage::new();
    let customer = stage.visitor("acme");
    let (name, token) = customer.split_once('=').unwrap();
    // The first 48 bytes, without the customer's id.
    let forged = format!("{name}={}", &token[..64]);
    assert_eq!(
        stage.get("/console", &forged).status(),
        StatusCode::UNAUTHORIZED
    );
    assert!(stage.is_open(&customer));
}

#[test]
fn support_staff_see_the_pages_of_every_customer() {
    let stage = Stage::new();
    let support = stage.support(&[Capability::View]);
    for customer in ["acme", "strangers"] {
        store(&stage, customer);
        let page = stage.get(&format!("/customers/{customer}/endpoints"), &support);
        assert!(text(&page).contains(&format!("{customer}.example")));
        assert!(text(&page).contains("jo@example.com"), "who is signed in");
        assert!(text(&page).contains("href=\"/console\""), "the way back");
    }
}

#[test]
fn a_session_that_may_only_view_changes_nothing_of_any_customer() {
    let stage = Stage::new();
    let delivery = store(&stage, "acme");
    let support = stage.support(&[Capability::View]);
    let form = format!(
        "csrf={}&kind=recover&since=2020-01-01T00%3A00",
        csrf(&support)
    );
    let mut refused = 0;
    for pattern in Route::PATTERNS {
        if !pattern.starts_with("/customers/") {
            continue;
        }
        let path = path(pattern, "acme", "acme", &delivery);
        let answer = stage.send(&post(&path, &form, Some(&support)));
        let status = answer.status();
        assert!(status.is_client_error(), "{path}: {status}");
        refused += u32::from(status == StatusCode::FORBIDDEN);
    }
    assert_eq!(refused, 13, "every change needs a capability");
    assert!(stage.api.events().is_empty());
    assert_eq!(stage.backend.tasks_sent(), 0);
    let status = stage.backend.delivery(&delivery).unwrap().status;
    assert_eq!(status, DeliveryStatus::Pending);
}

#[test]
fn a_change_is_made_for_the_customer_of_the_path_and_under_the_name_of_the_actor() {
    let stage = Stage::new();
    let support = stage.support(&[Capability::Manage]);
    let (id, _) = subscription("strangers", 9);
    let mut stored = samples::subscription("strangers", 9);
    stored.id = id;
    stage.backend.store_subscription(&stored);
    stage.api.plan(200, &subscription("strangers", 9).1);
    let form = format!("csrf={}", csrf(&support));
    let path = format!("/customers/strangers/endpoints/{id}/pause");
    let answer = stage.send(&post(&path, &form, Some(&support)));
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", text(&answer));
    let event = stage.api.event();
    assert_eq!(
        request_of(&event),
        format!("PATCH /customers/strangers/subscriptions/{id}")
    );
    let scope = &event["requestContext"]["authorizer"]["lambda"]["webhooksPortalSession"];
    assert_eq!(scope["customerId"], "strangers");
    assert_eq!(scope["actor"], "jo@example.com");
    assert_eq!(scope["capabilities"], json!(["view", "manage"]));
}

#[test]
fn a_customers_change_names_no_actor() {
    let stage = Stage::new();
    let customer = stage.visitor("acme");
    let stored = samples::subscription("acme", 4);
    stage.backend.store_subscription(&stored);
    stage.api.plan(200, &subscription("acme", 4).1);
    let form = format!("csrf={}", csrf(&customer));
    let path = format!("/customers/acme/endpoints/{}/pause", stored.id);
    stage.send(&post(&path, &form, Some(&customer)));
    let event = stage.api.event();
    let scope = &event["requestContext"]["authorizer"]["lambda"]["webhooksPortalSession"];
    assert_eq!(scope["actor"], Value::Null);
}

/// Stores the item of a customer, which its first subscription creates.
fn store_customer(stage: &Stage, customer: &str) {
    let customers = Customers {
        table: stage.backend.clone(),
        clock: stage.backend.clone(),
    };
    let (id, any) = (samples::customer(customer), ExpectedVersion::Any);
    let put = customers.replace(&id, &any, CustomerFields::default());
    put.now_or_never().unwrap().unwrap();
}

#[test]
fn an_id_of_any_kind_leads_to_its_page() {
    let stage = Stage::new();
    let delivery = store(&stage, "acme");
    store_customer(&stage, "acme");
    let support = stage.support(&[Capability::View]);
    let find = |id: &str| {
        let answer = stage.get(&format!("/console?q={id}"), &support);
        assert_eq!(
            answer.status(),
            StatusCode::SEE_OTHER,
            "{id}: {}",
            text(&answer)
        );
        let path = location(&answer).to_owned();
        assert_eq!(
            stage.get(&path, &support).status(),
            StatusCode::OK,
            "{path}"
        );
        path
    };
    assert_eq!(find("acme"), "/customers/acme/endpoints");
    assert_eq!(find("+acme%20"), "/customers/acme/endpoints");
    let path = find(&delivery.to_string());
    assert_eq!(path, format!("/customers/acme/deliveries/{delivery}"));
    let path = find(&delivery.message.to_string());
    assert_eq!(path, format!("/console/messages/{}", delivery.message));
    let path = find(&delivery.subscription.to_string());
    assert_eq!(
        path,
        format!("/customers/acme/endpoints/{}", delivery.subscription)
    );
}

#[test]
fn an_id_that_nothing_has_is_explained() {
    let stage = Stage::new();
    let delivery = store(&stage, "acme");
    store_customer(&stage, "acme");
    let support = stage.support(&[Capability::View]);
    let none = "f".repeat(32);
    for (id, said) in [
        ("nobody".to_owned(), "no customer with this id"),
        ("dlv_1".to_owned(), "enter the whole id"),
        (format!("dlv_{none}_{none}"), "no delivery with this id"),
        (format!("msg_{none}"), "no message with this id"),
        (format!("sub_{none}"), "No subscription with this id"),
        ("a/b".to_owned(), "no id of a customer"),
        ("%22%3E%3Cscript%3E".to_owned(), "no id of a customer"),
    ] {
        let answer = stage.get(&format!("/console?q={id}"), &support);
        assert_eq!(answer.status(), StatusCode::OK, "{id}");
        assert!(text(&answer).contains(said), "{id}: {}", text(&answer));
        assert!(!text(&answer).contains("\"><script>"));
    }
    let answer = stage.get("/console", &support);
    assert!(
        text(&answer).contains("/customers/acme/endpoints"),
        "a list"
    );
    assert!(!text(&answer).contains(&delivery.to_string()));
}

#[test]
fn unhealthy_endpoints_are_listed_by_their_problem() {
    let stage = Stage::new();
    let mut paused = samples::subscription("acme", 5);
    paused.url = samples::url("https://healthy.example/hook");
    stage.backend.store_subscription(&paused);
    let support = stage.support(&[Capability::View]);
    for query in [
        "",
        "?kind=",
        "?kind=disabled",
        "?kind=circuitOpen",
        "?kind=slow",
    ] {
        let answer = stage.get(&format!("/console/unhealthy{query}"), &support);
        assert_eq!(answer.status(), StatusCode::OK, "{query}");
        assert!(!text(&answer).contains("healthy.example"), "{query}");
    }
    for query in ["?kind=all", "?cursor=x"] {
        let answer = stage.get(&format!("/console/unhealthy{query}"), &support);
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
    }
}

#[test]
fn queues_have_their_numbers_and_the_runbooks_of_their_alarms() {
    let stage = Stage::new();
    let support = stage.support(&[Capability::View]);
    let page = stage.get("/console/queues", &support);
    for (queue, alarm) in [
        ("RuleDeadLetterQueue", "RuleDeadLettersAlarm"),
        ("FailedEventsQueue", "FailedEventsAlarm"),
        ("DeliveryQueue", "DeliveryQueueAgeAlarm"),
        ("SlowDeliveryQueue", "SlowDeliveryQueueAgeAlarm"),
        ("DeliveryDeadLetterQueue", "DeliveryDeadLettersAlarm"),
    ] {
        assert!(text(&page).contains(queue), "{queue}");
        let runbook = format!("/console/runbooks/{alarm}");
        assert!(text(&page).contains(&runbook), "{runbook}");
        let runbook = stage.get(&runbook, &support);
        assert!(text(&runbook).contains("1. "), "{alarm}");
    }
    assert!(text(&page).contains("Look at it") && text(&page).contains("Unknown"));
    let unknown = stage.get("/console/runbooks/NoAlarm", &support);
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[test]
fn a_message_and_its_deliveries_lead_to_each_other() {
    let stage = Stage::new();
    let delivery = store(&stage, "acme");
    let support = stage.support(&[Capability::View]);
    let page = stage.get(&format!("/console/messages/{}", delivery.message), &support);
    assert!(text(&page).contains(&format!("/customers/acme/deliveries/{delivery}")));
    let of_delivery = stage.get(&format!("/customers/acme/deliveries/{delivery}"), &support);
    let message = format!("/console/messages/{}", delivery.message);
    assert!(text(&of_delivery).contains(&message), "and back");
    assert_eq!(
        stage.backend.delivery(&delivery).unwrap().status,
        DeliveryStatus::Pending
    );
}

#[test]
fn a_link_of_somebody_else_asks_before_it_replaces_a_session_of_the_console() {
    let stage = Stage::new();
    let own = stage.support(&[Capability::View]);
    let other = stage.support_session("mallory@example.com", &[Capability::View]);
    let customers = stage.session("acme", &[Capability::View]);
    for created in [&other, &customers] {
        let asked = stage.enter(created, Some(&own));
        assert_eq!(asked.status(), StatusCode::OK);
        assert!(set_cookies(&asked).is_empty() && stage.is_open(&own));
    }
    let code = other.code.expose();
    let form = format!("code={code}&open=console&csrf={}", csrf(&own));
    let answer = stage.send(&post("/session", &form, Some(&own)));
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(!stage.is_open(&own));
}

/// A page of the operator's may have a link that a stranger has written there.
#[test]
fn only_the_page_that_asks_opens_a_link_of_the_console() {
    let stage = Stage::with([("PORTAL_FRAME_ANCESTORS", "https://app.example")]);
    let created = stage.support_session("mallory@example.com", &[Capability::View]);
    let probe = "__Host-webhooks-probe-framed=1";
    let code = created.code.expose();
    for open in ["", "&open=yes"] {
        let form = format!("code={code}{open}");
        let asked = stage.send(&post("/session", &form, Some(probe)));
        assert_eq!(asked.status(), StatusCode::OK, "{open}");
        assert!(set_cookies(&asked).is_empty(), "{open}");
        assert!(text(&asked).contains("Open the console?"), "{open}");
        assert!(text(&asked).contains(r#"name="open" value="console""#));
        let policy = &asked.headers()["content-security-policy"];
        let policy = policy.to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        // Without cookies the new tab asks too.
        let refused = stage.send(&post("/session", &form, None));
        assert!(!text(&refused).contains("name=\"open\""), "{open}");
    }
    let opened = stage.enter(&created, Some(probe));
    assert_eq!(opened.status(), StatusCode::SEE_OTHER);
    let customers = stage.session("acme", &[Capability::View]);
    let form = format!("code={}&open=console", customers.code.expose());
    let asked = stage.send(&post("/session", &form, Some(probe)));
    assert_eq!(asked.status(), StatusCode::OK, "nor the other way round");
}

#[test]
fn no_site_may_show_the_console_in_a_frame() {
    let stage = Stage::with([("PORTAL_FRAME_ANCESTORS", "https://app.example")]);
    let probe = "__Host-webhooks-probe-framed=1";
    let policy_of = |created: &CreatedSession| {
        let answer = stage.enter(created, Some(probe));
        let cookie = cookie(&answer, "__Host-webhooks-framed").unwrap();
        let page = stage.get(location(&answer), &cookie);
        assert_eq!(page.status(), StatusCode::OK);
        page.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let customer = policy_of(&stage.session("acme", &[Capability::View]));
    assert!(
        customer.contains("frame-ancestors https://app.example"),
        "{customer}"
    );
    let support = policy_of(&stage.support_session("jo", &[Capability::View]));
    assert!(support.contains("frame-ancestors 'none'"), "{support}");
}
