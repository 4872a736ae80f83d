//! The data that a session must not see.

use webhooks_domain::outbound::{CustomHeaders, QueryParameters};

use super::tenancy::{number, store};
use super::*;

/// Values of plain headers and of query parameters may be keys.
#[test]
fn values_of_headers_and_parameters_are_shown_with_manage_only() {
    let stage = Stage::new();
    let id = store(&stage, "acme");
    let mut subscription = samples::subscription("acme", number("acme"));
    let headers = [("x-api-key".to_owned(), "k3y-of-acme".to_owned())];
    subscription.headers = CustomHeaders::new(headers.into()).unwrap();
    let query = [("tenant".to_owned(), "t0ken-of-acme".to_owned())];
    subscription.query = QueryParameters::new(query.into()).unwrap();
    stage.backend.store_subscription(&subscription);
    let pages = [
        format!("/customers/acme/endpoints/{}", id.subscription),
        format!("/customers/acme/deliveries/{id}"),
    ];
    let others = [
        Capability::Payloads,
        Capability::Secrets,
        Capability::Resend,
    ];
    let without = stage.visitor_with("acme", &others);
    let with = stage.visitor_with("acme", &[Capability::Manage, Capability::Payloads]);
    for page in pages {
        let shown = stage.get(&page, &without);
        assert!(text(&shown).contains("x-api-key"), "{}", text(&shown));
        let all = stage.get(&page, &with);
        for value in ["k3y-of-acme", "t0ken-of-acme"] {
            assert!(!text(&shown).contains(value), "{page}: {value}");
            assert!(text(&all).contains(value), "{page}: {value}");
        }
    }
}
