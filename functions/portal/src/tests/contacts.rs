//! Contacts: the page of a customer, and the public page that confirms an address.

use futures_util::FutureExt;
use webhooks_domain::contact::Contacts;
use webhooks_domain::customer::Customer;
use webhooks_domain::ports::CustomerTable;

use super::api::{body_of, request_of};
use super::*;

const PATH: &str = "/customers/acme/contacts";

fn submit(stage: &Stage, path: &str, form: &str, cookie: &str) -> Answer {
    let form = format!("{form}&csrf={}", csrf(cookie));
    stage.send(&post(path, &form, Some(cookie)))
}

fn store_contact(stage: &Stage, customer: &str, address: &str) {
    let id = samples::customer(customer);
    let customer = Customer {
        contacts: Contacts::of_operator(vec![address.to_owned()]).unwrap(),
        version: 1,
        ..Customer::unwritten(&id, stage.backend.time())
    };
    let written = stage.backend.write_customer(None, &customer);
    written.now_or_never().unwrap().unwrap();
}

#[test]
fn contacts_are_shown_added_and_removed_with_the_capability_to_manage_only() {
    let stage = Stage::new();
    store_contact(&stage, "acme", "ops@example.com");
    store_contact(&stage, "other", "other@example.com");
    let cookie = stage.visitor_with("acme", &[Capability::Manage]);
    let page = stage.get(PATH, &cookie);
    assert_eq!(page.status(), StatusCode::OK);
    assert!(text(&page).contains("ops@example.com"), "{}", text(&page));
    assert!(!text(&page).contains("other@example.com"));

    stage.api.plan(
        202,
        &json!({"address": "new@example.com", "state": "pending"}),
    );
    let answer = submit(&stage, PATH, "address=+new%40example.com", &cookie);
    assert_eq!(
        (location(&answer), done(&answer)),
        (PATH, "contact-added".to_owned())
    );
    let event = stage.api.event();
    assert_eq!(request_of(&event), "POST /customers/acme/contacts");
    assert_eq!(body_of(&event), json!({"address": "new@example.com"}));

    stage.api.plan(204, &json!(null));
    let remove = format!("{PATH}/remove");
    let answer = submit(&stage, &remove, "address=ops%40example.com", &cookie);
    assert_eq!(
        (location(&answer), done(&answer)),
        (PATH, "contact-removed".to_owned())
    );
    let request = request_of(&stage.api.event());
    assert_eq!(request, "DELETE /customers/acme/contacts/ops%40example.com");

    let viewer = stage.visitor_with("acme", &[Capability::Secrets, Capability::Resend]);
    assert_eq!(stage.get(PATH, &viewer).status(), StatusCode::FORBIDDEN);
    for path in [PATH, &remove] {
        let answer = submit(&stage, path, "address=new%40example.com", &viewer);
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    assert!(stage.api.events().is_empty());
}

#[test]
fn another_customers_contacts_are_not_found() {
    let stage = Stage::new();
    store_contact(&stage, "other", "other@example.com");
    let cookie = stage.visitor("acme");
    let others = "/customers/other/contacts";
    assert_eq!(stage.get(others, &cookie).status(), StatusCode::NOT_FOUND);
    for path in [others, "/customers/other/contacts/remove"] {
        let answer = submit(&stage, path, "address=other%40example.com", &cookie);
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert!(stage.api.events().is_empty());
}

#[test]
fn a_problem_of_an_address_stands_beside_its_field() {
    let stage = Stage::new();
    let cookie = stage.visitor("acme");
    stage
        .api
        .plan_problem(422, Some("address"), "address: must be <b>");
    let page = submit(&stage, PATH, "address=a%40b%0d%0aBcc%3A+x", &cookie);
    assert_eq!(page.status(), StatusCode::OK);
    assert!(text(&page).contains("id=\"address-error\"><bdi>must be &lt;b&gt;"));
    stage.api.event();
    stage
        .api
        .plan_problem(409, None, "the stack sends no messages");
    let page = submit(&stage, PATH, "address=a%40b.example", &cookie);
    assert!(text(&page).contains("the stack sends no messages"));
}

/// Programs that check mail open each link.
#[test]
fn only_a_form_of_the_portals_own_page_confirms_an_address() {
    let stage = Stage::new();
    for method in ["GET", "HEAD"] {
        let page = stage.send(&event(method, "/contact", "code=abc", None));
        assert_eq!(page.status(), StatusCode::OK);
    }
    let page = stage.send(&get("/contact", None));
    assert!(text(&page).contains("id=\"contact\" method=\"post\""));
    let mut foreign = post("/contact", "code=abc", None);
    foreign["headers"]["origin"] = json!("https://evil.example");
    assert_eq!(stage.send(&foreign).status(), StatusCode::FORBIDDEN);
    assert!(
        stage.api.events().is_empty(),
        "nothing was asked of the API"
    );

    stage.api.plan(204, &json!(null));
    let answer = stage.send(&post("/contact", "code=abc", None));
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(text(&answer).contains("Your address is confirmed"));
    let event = stage.api.event();
    assert_eq!(request_of(&event), "POST /contacts/confirm");
    assert_eq!(body_of(&event), json!({"code": "abc"}));
    assert!(
        event["requestContext"]["authorizer"].is_null(),
        "without a scope"
    );

    stage
        .api
        .plan_problem(422, Some("code"), "code: the code was used");
    let answer = stage.send(&post("/contact", "code=abc", None));
    assert_eq!(answer.status(), StatusCode::GONE);
    assert!(text(&answer).contains("does not work any more"));
}
