//! Another customer's data cannot be reached.

use webhooks_domain::catalogue::Documentation;
use webhooks_domain::delivery::Delivery;
use webhooks_domain::ids::DeliveryId;
use webhooks_pages::paths::Route;

use super::*;

/// The number of the subscription of a customer.
pub(super) fn number(customer: &str) -> u128 {
    customer.len() as u128
}

/// Stores a subscription with a delivery. Returns the id of the delivery.
pub(super) fn store(stage: &Stage, customer: &str) -> DeliveryId {
    let mut subscription = samples::subscription(customer, number(customer));
    subscription.url = samples::url(&format!("https://{customer}.example/hook"));
    stage.backend.store_subscription(&subscription);
    let message = samples::message(customer, "event-1");
    let delivery = Delivery {
        attempts: vec![samples::failed_attempt(1)],
        ..samples::delivery(&message, subscription.id)
    };
    let id = delivery.id;
    stage.backend.record_call(message, delivery);
    id
}

/// A path of a customer, with the ids of an owner.
pub(super) fn path(pattern: &str, customer: &str, owner: &str, delivery: &DeliveryId) -> String {
    let subscription = samples::subscription_id(number(owner)).to_string();
    pattern
        .replace("{customer}", customer)
        .replace("{subscription}", &subscription)
        .replace("{delivery}", &delivery.to_string())
        .replace("{message}", &delivery.message.to_string())
        .replace("{recovery}", &format!("rec_{:032x}", 1))
        .replace("{event_type}", EVENT_TYPE)
}

/// The event type of the catalogue, which is the same for all customers.
const EVENT_TYPE: &str = "order.created";

/// The patterns whose pages exist.
const PAGES: [&str; 10] = [
    "/customers/{customer}/endpoints",
    "/customers/{customer}/endpoints/{subscription}",
    "/customers/{customer}/endpoints/new",
    "/customers/{customer}/endpoints/{subscription}/edit",
    "/customers/{customer}/endpoints/{subscription}/delete",
    "/customers/{customer}/endpoints/{subscription}/deliveries",
    "/customers/{customer}/endpoints/{subscription}/recoveries",
    "/customers/{customer}/deliveries/{delivery}",
    "/customers/{customer}/event-types",
    "/customers/{customer}/event-types/{event_type}",
];

#[test]
fn no_path_shows_or_changes_anything_of_another_customer() {
    let stage = Stage::new();
    let own = store(&stage, "acme");
    let foreign = store(&stage, "strangers");
    catalogue::put(&stage, EVENT_TYPE, Documentation::default());
    let cookie = stage.visitor("acme");
    let form = format!("csrf={}", csrf(&cookie));
    let mut walked = 0;
    for pattern in Route::PATTERNS {
        if !pattern.starts_with("/customers/") {
            continue;
        }
        walked += 1;
        let all_own = path(pattern, "acme", "acme", &own);
        let is_page = PAGES.contains(pattern);
        let answer = stage.get(&all_own, &cookie);
        assert_eq!(answer.status() == StatusCode::OK, is_page, "{all_own}");
        let has_item = pattern.contains("/{subscription}") || pattern.contains("/{delivery}");
        let foreign_customer = path(pattern, "strangers", "strangers", &foreign);
        let foreign_item = path(pattern, "acme", "strangers", &foreign);
        let own_item = path(pattern, "strangers", "acme", &own);
        for path in [
            Some(foreign_customer),
            has_item.then_some(foreign_item),
            Some(own_item),
        ]
        .into_iter()
        .flatten()
        {
            let answer = stage.get(&path, &cookie);
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(!text(&answer).contains("strangers"), "{path}");
            let answer = stage.send(&post(&path, &form, Some(&cookie)));
            let refused = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
            assert!(refused.contains(&answer.status()), "{path}");
            assert!(!text(&answer).contains("strangers"), "{path}");
        }
    }
    assert!(walked >= 15, "{walked}");
    assert!(stage.api.events().is_empty());
}

#[test]
fn a_list_has_the_customers_own_entries_only() {
    let stage = Stage::new();
    store(&stage, "acme");
    store(&stage, "strangers");
    let cookie = stage.visitor("acme");
    for query in ["", "?customer=strangers", "?customerId=strangers"] {
        let answer = stage.get(&format!("/customers/acme/endpoints{query}"), &cookie);
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(text(&answer).contains("acme.example"));
        assert!(!text(&answer).contains("strangers"), "{query}");
    }
    // The place of another customer's entry is a place of the own list.
    let cursor = samples::subscription_id(0);
    let path = format!("/customers/acme/endpoints?cursor={cursor}");
    assert!(!text(&stage.get(&path, &cookie)).contains("strangers"));
}

#[test]
fn a_path_is_taken_as_it_is_written() {
    let stage = Stage::new();
    store(&stage, "acme");
    store(&stage, "strangers");
    let cookie = stage.visitor("acme");
    for path in [
        "/customers/acme/../strangers/endpoints",
        "/customers/acme/%2e%2e/strangers/endpoints",
        "/customers/acme%2f..%2fstrangers/endpoints",
        "/customers/acme%00/endpoints",
        "/customers/acme%2Fendpoints",
        "/customers/acme\\endpoints",
        "//customers/acme/endpoints",
        "/customers//acme/endpoints",
        "/customers/acme/endpoints/",
        "/customers/acme/endpoints ",
        "/CUSTOMERS/acme/endpoints",
        "/customers/ACME/endpoints",
        "/customers/acme/endpoints;x",
        "/customers/acme,strangers/endpoints",
    ] {
        let answer = stage.get(path, &cookie);
        assert_ne!(answer.status(), StatusCode::OK, "{path}");
        assert!(!text(&answer).contains("strangers.example"), "{path}");
    }
    let twice = "/customers/acme/endpoints?cursor=a&cursor=b";
    assert_eq!(stage.get(twice, &cookie).status(), StatusCode::BAD_REQUEST);
}

/// AWS leaves the path encoded; the local emulator decodes it.
#[test]
fn a_customer_with_special_characters_is_found_encoded_or_not() {
    let stage = Stage::new();
    let customer = "a|b+c@d";
    let mut subscription = samples::subscription(customer, 1);
    subscription.url = samples::url("https://special.example/hook");
    stage.backend.store_subscription(&subscription);
    let created = stage.session(customer, &[Capability::View]);
    let answer = stage.enter(&created, None);
    let encoded = location(&answer).to_owned();
    assert_eq!(encoded, "/customers/a%7Cb%2Bc%40d/endpoints");
    let cookie = cookie(&answer, "__Host-webhooks").unwrap();
    for path in [encoded.as_str(), "/customers/a|b+c@d/endpoints"] {
        let page = stage.get(path, &cookie);
        assert!(text(&page).contains("special.example"), "{path}");
    }
}
