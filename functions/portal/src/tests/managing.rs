//! Changes of endpoints.

use webhooks_domain::ids::SubscriptionId;

use super::api::{SECRET, body_of, request_of, subscription};
use super::*;

/// Stores a subscription of a customer. Returns its id, and the path of its page.
pub(super) fn stored(stage: &Stage, customer: &str) -> (SubscriptionId, String) {
    let subscription = samples::subscription(customer, customer.len() as u128);
    stage.backend.store_subscription(&subscription);
    let path = format!("/customers/{customer}/endpoints/{}", subscription.id);
    (subscription.id, path)
}

fn submit(stage: &Stage, path: &str, form: &str, cookie: &str) -> Answer {
    let form = format!("{form}&csrf={}", csrf(cookie));
    stage.send(&post(path, &form, Some(cookie)))
}

/// The value of a hidden field.
fn hidden(page: &Answer, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let value = text(page).split(&field).nth(1).unwrap();
    value.split('"').next().unwrap().to_owned()
}

const NEW: &str = "/customers/acme/endpoints/new";
const FIELDS: &str = "url=https%3A%2F%2Fa.example%2Fhook&eventTypes=order.*&payloadFormat=standard\
                      &secretHeaders=authorization%3A+Bearer+hidden&button=save";

fn plan_creation(stage: &Stage) -> SubscriptionId {
    let (id, mut created) = subscription("acme", 7);
    created["secret"] = json!(SECRET);
    stage.api.plan(201, &created);
    id
}

#[test]
fn an_endpoint_is_added_for_the_customer_of_the_session() {
    let stage = Stage::new();
    let cookie = stage.visitor_with("acme", &[Capability::Manage, Capability::Secrets]);
    let page = stage.get(NEW, &cookie);
    assert_eq!(page.status(), StatusCode::OK);
    let fields = format!("{FIELDS}&once={}", hidden(&page, "once"));
    let id = plan_creation(&stage);
    let answer = submit(&stage, NEW, &fields, &cookie);
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(text(&answer).contains(SECRET) && text(&answer).contains("was added"));
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(text(&answer).contains(&format!("/endpoints/{id}")));

    let event = stage.api.event();
    assert_eq!(request_of(&event), "POST /customers/acme/subscriptions");
    assert_eq!(
        body_of(&event),
        json!({
            "url": "https://a.example/hook", "eventTypes": ["order.*"],
            "payloadFormat": "standard", "secretHeaders": {"authorization": "Bearer hidden"},
        })
    );
    let scope = &event["requestContext"]["authorizer"]["lambda"]["webhooksPortalSession"];
    assert_eq!(scope["customerId"], "acme");
    assert_eq!(scope["capabilities"], json!(["view", "manage", "secrets"]));
    assert!(scope["sessionId"].as_str().unwrap().starts_with("pse_"));
    // The API needs nothing that opens the session.
    let (_, token) = cookie.split_once('=').unwrap();
    for secret in [token, &csrf(&cookie)] {
        assert!(!event.to_string().contains(secret));
    }
}

#[test]
fn a_form_that_is_sent_twice_is_one_request() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let form = |of: &Answer| format!("{FIELDS}&once={}", hidden(of, "once"));
    let first = form(&stage.get(NEW, &cookie));
    let mut keys = Vec::new();
    for form in [
        first.clone(),
        first.clone(),
        format!("{first}&timeoutSeconds=5"),
        form(&stage.get(NEW, &cookie)),
        FIELDS.to_owned(),
        format!("{FIELDS}&once=shop-42"),
    ] {
        plan_creation(&stage);
        submit(&stage, NEW, &form, &cookie);
        keys.push(stage.api.event()["headers"]["idempotency-key"].clone());
    }
    assert!(keys[0].as_str().unwrap().starts_with("portal-"));
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2], "another request");
    assert_ne!(keys[0], keys[3], "another form");
    assert_eq!(keys[4..], [Value::Null, Value::Null], "not a name of ours");
    // The key is stored. With the name of its form, everybody could guess a weak secret in the fields.
    let (_, name) = first.rsplit_once('=').unwrap();
    assert!(!keys[0].as_str().unwrap().contains(name));
}

#[test]
fn a_secret_is_shown_with_the_capability_only() {
    let stage = Stage::new();
    let cookie = stage.visitor_with("acme", &[Capability::Manage]);
    let id = plan_creation(&stage);
    let answer = submit(&stage, NEW, FIELDS, &cookie);
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let page = format!("/customers/acme/endpoints/{id}");
    assert_eq!(
        (location(&answer), done(&answer)),
        (&*page, "created".to_owned())
    );
    assert!(!text(&answer).contains("whsec_"));
}

#[test]
fn a_problem_of_the_api_stands_beside_its_field_and_nothing_is_lost() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let (_, endpoint) = stored(&stage, "acme");
    let edit = format!("{endpoint}/edit");
    for path in [NEW, &edit] {
        let form = format!("{FIELDS}&version=1");
        stage
            .api
            .plan_problem(422, Some("url"), "url: the host <b> is refused");
        let page = submit(&stage, path, &form, &cookie);
        assert_eq!(page.status(), StatusCode::OK);
        let page = text(&page);
        assert!(
            page.contains("id=\"url-error\"><bdi>the host &lt;b&gt; is refused"),
            "{page}"
        );
        assert!(page.contains("value=\"https://a.example/hook\""), "{page}");
        assert!(page.contains("order.*"), "{page}");
        stage.api.event();

        stage
            .api
            .plan_problem(409, None, "the customer has 100 subscriptions");
        let page = submit(&stage, path, &form, &cookie);
        assert!(text(&page).contains("the customer has 100 subscriptions"));
        stage.api.event();

        // What is no number is not asked.
        let page = submit(&stage, path, &format!("{form}&maxInFlight=x"), &cookie);
        assert!(text(&page).contains("id=\"maxInFlight-error\""));
        assert!(stage.api.events().is_empty());
    }
}

#[test]
fn a_filter_is_tried_on_an_event() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let (_, endpoint) = stored(&stage, "acme");
    let form = "filter=%7B%22a%22%3A%5B1%5D%7D&event=%7B%22detail%22%3A%7B%22a%22%3A1.0%7D%7D\
                &url=kept&button=try";
    for path in [NEW.to_owned(), format!("{endpoint}/edit")] {
        for (matches, words) in [(true, "selects this event"), (false, "does not select")] {
            stage.api.plan(200, &json!({"matches": matches}));
            let page = submit(&stage, &path, form, &cookie);
            assert!(text(&page).contains(words), "{}", text(&page));
            assert!(text(&page).contains("value=\"kept\""));
            let event = stage.api.event();
            assert_eq!(request_of(&event), "POST /filters/test");
            assert_eq!(
                event["body"],
                r#"{"filter":{"a":[1]},"event":{"detail":{"a":1.0}}}"#
            );
        }
        stage
            .api
            .plan_problem(422, Some("filter"), "filter: is odd");
        let page = submit(&stage, &path, form, &cookie);
        assert!(text(&page).contains("id=\"filter-error\"><bdi>is odd"));
        stage.api.event();
        let page = submit(&stage, &path, "filter={&button=try", &cookie);
        assert!(text(&page).contains("id=\"filter-error\""));
        assert!(stage.api.events().is_empty());
    }
}

#[test]
fn a_transform_is_tried_on_an_event() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let (_, endpoint) = stored(&stage, "acme");
    let form = "transformPaths=a%3A+%24.detail.a&transform=%5B%3Ca%3E%5D&contentType=text%2Fplain\
                &event=%7B%22detail%22%3A%7B%22a%22%3A1.0%7D%7D&button=tryTransform";
    for path in [NEW.to_owned(), format!("{endpoint}/edit")] {
        let made = json!({"body": "[<1.0>]", "contentType": "text/plain"});
        stage.api.plan(200, &made);
        let page = submit(&stage, &path, form, &cookie);
        assert!(text(&page).contains("[&lt;1.0&gt;]"), "{}", text(&page));
        let event = stage.api.event();
        assert_eq!(request_of(&event), "POST /transforms/test");
        assert_eq!(
            event["body"],
            r#"{"transform":{"paths":{"a":"$.detail.a"},"template":"[<a>]"},"contentType":"text/plain","event":{"detail":{"a":1.0}}}"#
        );
        stage
            .api
            .plan_problem(422, Some("transform"), "transform: is odd");
        let page = submit(&stage, &path, form, &cookie);
        assert!(text(&page).contains("id=\"transform-error\"><bdi>is odd"));
        stage.api.event();
    }
}

#[test]
fn a_change_has_the_fields_that_differ_and_the_version_of_the_page() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    let (id, endpoint) = stored(&stage, "acme");
    let edit = format!("{endpoint}/edit");
    let page = stage.get(&edit, &cookie);
    let version = hidden(&page, "version");
    let form = format!(
        "{FIELDS}&version={version}&removeSecretHeader=x-a&removeSecretHeader=x-b&description=new"
    );
    let (_, changed) = subscription("acme", 4);
    stage.api.plan(200, &changed);
    let answer = submit(&stage, &edit, &form, &cookie);
    assert_eq!(
        (location(&answer), done(&answer)),
        (&*endpoint, "changed".to_owned())
    );
    let event = stage.api.event();
    let path = format!("PATCH /customers/acme/subscriptions/{id}");
    assert_eq!(request_of(&event), path);
    assert_eq!(event["headers"]["if-match"], format!("\"{version}\""));
    let body = body_of(&event);
    assert_eq!(body["description"], "new");
    let headers = json!({"authorization": "Bearer hidden", "x-a": null, "x-b": null});
    assert_eq!(body["secretHeaders"], headers);
    assert!(body.get("payloadFormat").is_none() && body.get("status").is_none());

    for (field, value) in [
        ("clearedSecretHeaders", json!(["authorization"])),
        ("clearedAuthentication", json!("basic")),
    ] {
        let mut cleared = changed.clone();
        cleared[field] = value;
        stage.api.plan(200, &cleared);
        let answer = submit(&stage, &edit, &form, &cookie);
        assert_eq!(done(&answer), "cleared", "{field}");
        stage.api.event();
    }

    let mut warned = changed.clone();
    warned["warnings"] = json!([{"field": "eventTypes", "value": "a", "detail": "unknown"}]);
    stage.api.plan(200, &warned);
    let answer = submit(&stage, &edit, &form, &cookie);
    assert_eq!(done(&answer), "changed-unknown");
    stage.api.event();

    stage.api.plan_problem(412, None, "the version is 9");
    let page = submit(&stage, &edit, &form, &cookie);
    assert!(text(&page).contains("the version is 9") && text(&page).contains("value=\"new\""));
    stage.api.event();
    for version in ["", "x", "1\r\nx-a: b"] {
        let form = format!("{FIELDS}&version={version}");
        let answer = submit(&stage, &edit, &form, &cookie);
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{version}");
    }
    assert!(stage.api.events().is_empty());
}

#[test]
fn an_endpoint_is_paused_enabled_tested_and_deleted() {
    let stage = Stage::new();
    let cookie = stage.visitor_with("acme", &[Capability::Manage]);
    let (id, endpoint) = stored(&stage, "acme");
    let (_, shown) = subscription("acme", 4);
    let page = stage.get(&endpoint, &cookie);
    for path in ["/pause", "/test", "/delete", "/edit"] {
        assert!(text(&page).contains(&format!("{endpoint}{path}")), "{path}");
    }
    let confirmation = stage.get(&format!("{endpoint}/delete"), &cookie);
    assert!(text(&confirmation).contains("Delete this endpoint?"));
    for (path, form, request, body, expected) in [
        (
            "/pause",
            "",
            "PATCH ",
            json!({"status": "paused"}),
            "paused",
        ),
        (
            "/enable",
            "held=discard",
            "POST /enable",
            json!({"held": "discard"}),
            "enabled",
        ),
        ("/enable", "", "POST /enable", json!({}), "enabled"),
    ] {
        stage.api.plan(200, &shown);
        let answer = submit(&stage, &format!("{endpoint}{path}"), form, &cookie);
        assert_eq!(
            (location(&answer), done(&answer)),
            (&*endpoint, expected.to_owned())
        );
        let event = stage.api.event();
        let (method, tail) = request.split_once(' ').unwrap();
        let expected = format!("{method} /customers/acme/subscriptions/{id}{tail}");
        assert_eq!(request_of(&event), expected);
        assert_eq!(body_of(&event), body);
    }
    let page = stage.get(&endpoint, &format!("{cookie}; __Host-webhooks-done=paused"));
    assert!(text(&page).contains("is paused"));

    let delivery = format!("dlv_{:032x}_{:032x}", 1, 2);
    let tested = json!({
        "id": delivery, "messageId": "m", "customerId": "acme", "subscriptionId": "s",
        "eventType": "order.created", "payloadFormat": "standard", "trigger": "test", "status": "succeeded", "attempts": [],
        "createdAt": "", "updatedAt": "",
    });
    stage.api.plan(200, &tested);
    let answer = submit(
        &stage,
        &format!("{endpoint}/test"),
        "eventType=order.created",
        &cookie,
    );
    assert_eq!(
        location(&answer),
        format!("/customers/acme/deliveries/{delivery}")
    );
    assert_eq!(
        body_of(&stage.api.event()),
        json!({"eventType": "order.created"})
    );
    stage
        .api
        .plan_problem(422, Some("eventType"), "eventType: is too long");
    let page = submit(&stage, &format!("{endpoint}/test"), "eventType=x", &cookie);
    assert!(
        text(&page).contains("id=\"eventType-error\"><bdi>is too long"),
        "{}",
        text(&page)
    );
    stage.api.event();

    stage
        .api
        .plan_result(br#"{"statusCode": 204, "body": null, "cookies": []}"#.to_vec());
    let answer = submit(&stage, &format!("{endpoint}/delete"), "", &cookie);
    assert_eq!(location(&answer), "/customers/acme/endpoints");
    assert_eq!(done(&answer), "deleted");
    let expected = format!("DELETE /customers/acme/subscriptions/{id}");
    assert_eq!(request_of(&stage.api.event()), expected);
}
