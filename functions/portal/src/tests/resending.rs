//! Deliveries that are sent again.

use webhooks_domain::delivery::{Delivery, DeliveryStatus};
use webhooks_domain::ids::DeliveryId;

use super::*;

/// Stores a subscription with a delivery that was held.
fn store(stage: &Stage, customer: &str) -> DeliveryId {
    let number = customer.len() as u128;
    let subscription = samples::subscription(customer, number);
    stage.backend.store_subscription(&subscription);
    let message = samples::message(customer, "event-1");
    let delivery = Delivery {
        status: samples::HELD,
        ..samples::delivery(&message, subscription.id)
    };
    let id = delivery.id;
    stage.backend.record_call(message, delivery);
    id
}

fn path(customer: &str, id: &DeliveryId) -> String {
    format!("/customers/{customer}/deliveries/{id}")
}

fn is_pending(stage: &Stage, id: &DeliveryId) -> bool {
    stage.backend.delivery(id).unwrap().status == DeliveryStatus::Pending
}

#[test]
fn a_delivery_is_resent_with_the_capability() {
    let stage = Stage::new();
    let id = store(&stage, "acme");
    let cookie = stage.visitor_with("acme", &[Capability::Resend]);
    let page = path("acme", &id);
    let resend = format!("{page}/resend");
    let shown = stage.get(&page, &cookie);
    assert!(text(&shown).contains(&resend), "{}", text(&shown));
    assert!(text(&shown).contains(&csrf(&cookie)));
    let form = format!("csrf={}", csrf(&cookie));
    let answer = stage.send(&post(&resend, &form, Some(&cookie)));
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        (location(&answer), done(&answer)),
        (&*page, "resent".to_owned())
    );
    assert!(is_pending(&stage, &id));
    assert_eq!(stage.backend.tasks_sent(), 1);
    let with_result = format!("{cookie}; __Host-webhooks-done={}", done(&answer));
    let shown = stage.get(location(&answer), &with_result);
    assert!(text(&shown).contains("sent again"));

    let twice = stage.send(&post(&resend, &form, Some(&cookie)));
    assert_eq!(twice.status(), StatusCode::CONFLICT, "it is pending");
    assert_eq!(stage.backend.tasks_sent(), 1);
}

#[test]
fn nothing_is_resent_without_the_capability_or_for_another_customer() {
    let stage = Stage::new();
    let own = store(&stage, "acme");
    let foreign = store(&stage, "strangers");
    let rest = [
        Capability::View,
        Capability::Payloads,
        Capability::Manage,
        Capability::Secrets,
    ];
    let without = stage.visitor_with("acme", &rest);
    let page = stage.get(&path("acme", &own), &without);
    assert!(!text(&page).contains("/resend"));
    let with = stage.visitor("acme");
    let unknown = samples::delivery(
        &samples::message("acme", "unknown"),
        samples::subscription_id(1),
    );
    for (cookie, customer, id, status) in [
        (&without, "acme", &own, StatusCode::FORBIDDEN),
        (&without, "acme", &foreign, StatusCode::FORBIDDEN),
        (&with, "acme", &foreign, StatusCode::NOT_FOUND),
        (&with, "strangers", &foreign, StatusCode::NOT_FOUND),
        (&with, "strangers", &own, StatusCode::NOT_FOUND),
        (&with, "acme", &unknown.id, StatusCode::NOT_FOUND),
    ] {
        let resend = format!("{}/resend", path(customer, id));
        let form = format!("csrf={}", csrf(cookie));
        let answer = stage.send(&post(&resend, &form, Some(cookie)));
        assert_eq!(answer.status(), status, "{resend}");
    }
    assert!(!is_pending(&stage, &own) && !is_pending(&stage, &foreign));
    assert_eq!(stage.backend.tasks_sent(), 0);
}

#[test]
fn nothing_is_resent_by_a_form_of_another_site() {
    let stage = Stage::new();
    let id = store(&stage, "acme");
    let cookie = stage.visitor("acme");
    let resend = format!("{}/resend", path("acme", &id));
    let form = format!("csrf={}", csrf(&cookie));
    let mut foreign = post(&resend, &form, Some(&cookie));
    foreign["headers"]["origin"] = json!("https://evil.example");
    let other = csrf(&stage.visitor("acme"));
    let without = post(&resend, &format!("csrf={other}"), Some(&cookie));
    for event in [foreign, without] {
        assert_eq!(stage.send(&event).status(), StatusCode::FORBIDDEN);
    }
    let by_link = stage.get(&resend, &cookie);
    assert_eq!(by_link.status(), StatusCode::NOT_FOUND);
    assert!(!is_pending(&stage, &id));
}

/// A link of somebody else must not show a false result.
#[test]
fn the_result_on_a_page_comes_from_a_cookie_of_ours_and_is_shown_once() {
    let stage = Stage::new();
    let id = store(&stage, "acme");
    let cookie = stage.visitor("acme");
    let page = path("acme", &id);
    let result = "is sent again";
    for query in ["?done=resent", "?done=call+0900-123"] {
        let shown = stage.get(&format!("{page}{query}"), &cookie);
        assert_eq!(shown.status(), StatusCode::OK);
        assert!(!text(&shown).contains(result) && !text(&shown).contains("0900"));
    }
    let unknown = format!("{cookie}; __Host-webhooks-done=call 0900");
    assert!(!text(&stage.get(&page, &unknown)).contains("0900"));
    let shown = stage.get(&page, &format!("{cookie}; __Host-webhooks-done=resent"));
    assert!(text(&shown).contains(result));
    let [removed] = &set_cookies(&shown)[..] else {
        panic!("one cookie");
    };
    assert!(removed.starts_with("__Host-webhooks-done=; Path=/; Max-Age=0;"));
}

/// A page of a cancellation.
fn cancellation(next: Option<&str>) -> serde_json::Value {
    serde_json::json!({
        "messageId": "msg_9d621ecde980c9e89ef2b0fa0f4cc7e6", "cancelledAt": "2026-11-23T19:15:02.114Z",
        "cancelled": 200, "due": 0, "ended": 0, "broken": 0, "nextCursor": next,
    })
}

#[test]
fn all_pages_of_a_cancellation_are_requested_within_a_bound() {
    for (pages, result, requests) in [
        (2, "cancelled", 2),
        (5, "cancelled", 5),
        (6, "cancelled-in-part", 5),
    ] {
        let stage = Stage::new();
        let id = store(&stage, "acme");
        let cookie = stage.visitor_with("acme", &[Capability::Resend]);
        for page in 1..=requests {
            let next = format!("sub_{page:032x}");
            stage
                .api
                .plan(200, &cancellation((page < pages).then_some(&next)));
        }
        let form = format!("csrf={}", csrf(&cookie));
        let cancel = format!("{}/cancel", path("acme", &id));
        let answer = stage.send(&post(&cancel, &form, Some(&cookie)));
        assert_eq!(done(&answer), result);
        let sent: Vec<_> = stage
            .api
            .events()
            .iter()
            .map(|event| event["rawQueryString"].as_str().unwrap().to_owned())
            .collect();
        let wanted = (0..requests).map(|page| match page {
            0 => String::new(),
            _ => format!("cursor=sub_{page:032x}"),
        });
        assert_eq!(sent, wanted.collect::<Vec<_>>());
    }
}

#[test]
fn a_message_is_cancelled_by_the_api_with_the_capability() {
    let stage = Stage::new();
    let id = store(&stage, "acme");
    let cookie = stage.visitor_with("acme", &[Capability::Resend]);
    let page = path("acme", &id);
    let cancel = format!("{page}/cancel");
    let shown = stage.get(&page, &cookie);
    assert!(text(&shown).contains(&cancel), "{}", text(&shown));
    let form = format!("csrf={}", csrf(&cookie));
    stage.api.plan(200, &cancellation(None));
    let answer = stage.send(&post(&cancel, &form, Some(&cookie)));
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        (location(&answer), done(&answer)),
        (&*page, "cancelled".to_owned())
    );
    let message = id.message;
    let expected = format!("POST /customers/acme/messages/{message}/cancel");
    assert_eq!(super::api::request_of(&stage.api.event()), expected);

    let without = stage.visitor_with("acme", &[Capability::View, Capability::Manage]);
    let shown = stage.get(&page, &without);
    assert!(!text(&shown).contains(&cancel));
    let form = format!("csrf={}", csrf(&without));
    let refused = stage.send(&post(&cancel, &form, Some(&without)));
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(stage.api.events().is_empty());
}
