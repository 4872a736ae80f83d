//! The pages, and what a session may see of them.

use webhooks_domain::contact::Contacts;
use webhooks_domain::customer::Customer;
use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::ports::CustomerTable;
use webhooks_testkit::Fault;

use super::tenancy::store;
use super::*;

/// The endpoints matter more than the contacts.
#[test]
fn the_contacts_are_shown_and_hide_no_endpoint_if_they_cannot_be_read() {
    let stage = Stage::new();
    store(&stage, "acme");
    let acme = samples::customer("acme");
    let read = stage.backend.customer(&acme).now_or_never();
    let read = read.unwrap().unwrap();
    let changed = Customer {
        contacts: Contacts::of_operator(vec!["ops@example.com".to_owned()]).unwrap(),
        ..read
            .clone()
            .unwrap_or_else(|| Customer::unwritten(&acme, samples::NOW))
    };
    let written = stage.backend.write_customer(read.as_ref(), &changed);
    written.now_or_never().unwrap().unwrap();
    let cookie = stage.visitor("acme");
    let list = stage.get("/customers/acme/endpoints", &cookie);
    assert!(text(&list).contains("ops@example.com"), "{}", text(&list));
    let other = stage.visitor("other");
    let list = stage.get("/customers/other/endpoints", &other);
    assert!(!text(&list).contains("ops@example.com"), "{}", text(&list));
    // The session, the subscriptions, their statistics, then the customer.
    let calls = [Fault::None, Fault::None, Fault::None, Fault::Before];
    stage.backend.plant(calls);
    let list = stage.get("/customers/acme/endpoints", &cookie);
    stage.backend.clear_faults();
    assert_eq!(list.status(), StatusCode::OK);
    assert!(!text(&list).contains("ops@example.com"), "{}", text(&list));
    assert!(text(&list).contains("https://acme.example/hook"));
}

#[test]
fn a_session_sees_its_deliveries_from_the_list_to_the_attempt() {
    let stage = Stage::new();
    let delivery = store(&stage, "acme");
    let cookie = stage.visitor("acme");
    let list = stage.get("/customers/acme/endpoints", &cookie);
    assert!(text(&list).contains("https://acme.example/hook"));
    let path = format!("/customers/acme/endpoints/{}", delivery.subscription);
    let endpoint = stage.get(&path, &cookie);
    assert_eq!(endpoint.status(), StatusCode::OK);
    assert!(text(&endpoint).contains("https://acme.example/hook"));
    assert!(!text(&endpoint).contains("whsec_"));
    let of = |id: SubscriptionId| format!("/customers/acme/endpoints/{id}/deliveries");
    let path = of(delivery.subscription);
    let page = stage.get(&path, &cookie);
    assert_eq!(page.status(), StatusCode::OK);
    let link = format!("/customers/acme/deliveries/{delivery}");
    assert!(text(&page).contains(&link), "{}", text(&page));
    let page = stage.get(&link, &cookie);
    assert_eq!(page.status(), StatusCode::OK);
    assert!(text(&page).contains("192.0.2.1"));

    let failed = stage.get(&format!("{path}?status=failed"), &cookie);
    assert_eq!(failed.status(), StatusCode::OK);
    assert!(!text(&failed).contains(&link), "it is pending");
    // As a browser sends the form.
    for (form, has) in [
        (
            "status=pending&eventType=&since=2023-11-14T00:00&until=",
            true,
        ),
        (
            "status=&eventType=&since=2023-11-14T00:00:00&until=2023-11-14T00:00:01",
            false,
        ),
    ] {
        let answer = stage.get(&format!("{path}?{form}"), &cookie);
        let page = text(&answer);
        assert_eq!(page.contains(&link), has, "{form}: {page}");
        assert!(!page.contains("role=\"alert\""), "{form}: {page}");
    }
    for bad in ["status=gone", "since=x", "cursor=x", "eventType=*.*"] {
        let page = stage.get(&format!("{path}?{bad}"), &cookie);
        assert_eq!(page.status(), StatusCode::OK, "{bad}");
        assert!(
            !text(&page).contains(&link),
            "{bad}: a problem, and no list"
        );
        let (field, value) = bad.split_once('=').unwrap();
        assert!(!text(&page).contains(&format!("{field}: ")), "named once");
        let keeps = field == "status" || text(&page).contains(&format!("value=\"{value}\""));
        assert!(keeps || field == "cursor", "{bad}: {}", text(&page));
    }
    let unknown = of(samples::subscription_id(99));
    assert_eq!(stage.get(&unknown, &cookie).status(), StatusCode::NOT_FOUND);
}

/// A session without payloads shows no answers either.
#[test]
fn payloads_and_answers_are_shown_with_the_capability_only() {
    let stage = Stage::new();
    let delivery = store(&stage, "acme");
    let path = format!("/customers/acme/deliveries/{delivery}");
    for (capabilities, sees) in [
        (&[Capability::View][..], false),
        (
            &[Capability::Manage, Capability::Secrets, Capability::Resend],
            false,
        ),
        (&[Capability::Payloads], true),
    ] {
        let cookie = stage.visitor_with("acme", capabilities);
        let page = stage.get(&path, &cookie);
        assert_eq!(page.status(), StatusCode::OK);
        let list = format!(
            "/customers/acme/endpoints/{}/deliveries",
            delivery.subscription
        );
        let list = stage.get(&list, &cookie);
        assert!(sees || !text(&list).contains("try later"), "in the list");
        for secret in ["try later", "text/plain", "&quot;order&quot;"] {
            assert_eq!(text(&page).contains(secret), sees, "{secret}");
        }
    }
}

#[test]
fn a_subscription_that_cannot_be_read_is_named_and_hides_no_other() {
    let stage = Stage::new();
    let delivery = store(&stage, "acme");
    let customer = samples::customer("acme");
    let broken = samples::subscription_id(77);
    stage
        .backend
        .store_subscription(&samples::subscription("acme", 77));
    stage.backend.break_subscription(&customer, broken, "url");
    let cookie = stage.visitor("acme");
    let list = stage.get("/customers/acme/endpoints", &cookie);
    assert!(text(&list).contains("https://acme.example/hook"));
    let path = format!("/customers/acme/endpoints/{broken}/deliveries");
    assert_eq!(stage.get(&path, &cookie).status(), StatusCode::CONFLICT);
    let page = stage.get(&format!("/customers/acme/deliveries/{delivery}"), &cookie);
    assert_eq!(page.status(), StatusCode::OK);
}
