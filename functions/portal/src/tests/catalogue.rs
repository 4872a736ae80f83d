//! The pages of the event catalogue.

use webhooks_domain::catalogue::{
    Deprecation, Description, Documentation, Examples, Group, Schema, Validation,
};
use webhooks_domain::manage::ExpectedVersion;
use webhooks_domain::manage_catalogue::ManageCatalogue;

use super::*;

/// Puts a type into the catalogue.
pub(super) fn put(stage: &Stage, name: &str, documentation: Documentation) {
    let manage = ManageCatalogue {
        table: stage.backend.clone(),
        clock: stage.backend.clone(),
    };
    let name = name.parse().unwrap();
    let put = manage.replace(&name, &ExpectedVersion::Any, documentation);
    put.now_or_never().unwrap().unwrap();
}

fn of_group(group: &str) -> Documentation {
    Documentation {
        group: Some(Group::from_stored(group.to_owned())),
        ..Documentation::default()
    }
}

/// The names on a page, in their order.
fn names(stage: &Stage, cookie: &str, query: &str) -> Vec<String> {
    let path = format!("/customers/acme/event-types{query}");
    let answer = stage.get(&path, cookie);
    assert_eq!(answer.status(), StatusCode::OK, "{query}");
    let html = text(&answer);
    let links = html.split("/event-types/").skip(1);
    links
        .map(|link| link.split('"').next().unwrap().to_owned())
        .collect()
}

#[test]
fn types_are_listed_in_groups_and_found_by_a_part_of_their_name_or_group() {
    let stage = Stage::new();
    for (name, documentation) in [
        ("ping", Documentation::default()),
        ("order.created", of_group("Orders")),
        ("order.cancelled", of_group("Orders")),
        ("invoice.paid", of_group("Billing")),
    ] {
        put(&stage, name, documentation);
    }
    let own = stage.visitor("acme");
    let all = ["invoice.paid", "order.cancelled", "order.created", "ping"];
    assert_eq!(names(&stage, &own, ""), all);
    assert_eq!(names(&stage, &own, "?q=CREATED"), ["order.created"]);
    assert_eq!(names(&stage, &own, "?q=billing"), ["invoice.paid"]);
    assert_eq!(names(&stage, &own, "?q=none"), [""; 0]);
    for query in ["?page=x", "?page=-1", &format!("?q={}", "x".repeat(129))] {
        let answer = stage.get(&format!("/customers/acme/event-types{query}"), &own);
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
    }
    assert_eq!(names(&stage, &own, "?page=18446744073709551615"), [""; 0]);
}

#[test]
fn the_pages_of_the_list_have_each_type_once() {
    let stage = Stage::new();
    for number in 0..100 {
        put(&stage, &format!("order.{number:03}"), of_group("Orders"));
    }
    let own = stage.visitor("acme");
    let mut found = names(&stage, &own, "");
    assert!(text(&stage.get("/customers/acme/event-types", &own)).contains("?page=2"));
    found.extend(names(&stage, &own, "?page=2"));
    found.extend(names(&stage, &own, "?page=3"));
    let expected: Vec<_> = (0..100)
        .map(|number| format!("order.{number:03}"))
        .collect();
    assert_eq!(found, expected);
    let last = stage.get("/customers/acme/event-types?page=3", &own);
    assert!(!text(&last).contains("Next page"));
}

#[test]
fn a_type_shows_its_documentation_and_not_how_its_events_are_checked() {
    let stage = Stage::new();
    let documentation = Documentation {
        description: Some(Description::from_stored("<b>An order</b>".to_owned())),
        group: Some(Group::from_stored("Orders".to_owned())),
        schema: Some(Schema::parse(r#"{"properties":{"total":{"maximum":1.50}}}"#).unwrap()),
        validation: Validation::Refuse,
        examples: Examples::from_stored(vec![r#"{"total": 1.20}"#.to_owned()]),
        deprecation: Some(Deprecation {
            replaced_by: Some("order.v2".parse().unwrap()),
        }),
    };
    put(&stage, "Order Created", documentation);
    let own = stage.visitor("acme");
    let answer = stage.get("/customers/acme/event-types/Order%20Created", &own);
    assert_eq!(answer.status(), StatusCode::OK);
    let html = text(&answer);
    for shown in [
        "&lt;b&gt;An order&lt;/b&gt;",
        "Orders",
        "&quot;maximum&quot;: 1.50",
        "&quot;total&quot;: 1.20",
        "/customers/acme/event-types/order.v2",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    assert!(!html.to_lowercase().contains("refuse"), "{html}");
    let absent = stage.get("/customers/acme/event-types/order.v2", &own);
    assert_eq!(absent.status(), StatusCode::NOT_FOUND);
}

#[test]
fn the_catalogue_needs_a_session() {
    let stage = Stage::new();
    put(&stage, "order.created", Documentation::default());
    for path in ["event-types", "event-types/order.created"] {
        let answer = stage.get(&format!("/customers/acme/{path}"), "");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(!text(&answer).contains("order.created"));
    }
}
