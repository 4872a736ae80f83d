//! Event types of subscriptions that are not in the catalogue.

#![allow(clippy::unwrap_used)]

use futures_util::FutureExt;
use webhooks_domain::catalogue::Documentation;
use webhooks_domain::idempotency::Once;
use webhooks_domain::manage::{
    EventTypeRule, ExpectedVersion, ManageError, SELF_TEST_CUSTOMER, SELF_TEST_TYPES, UnknownTypes,
};
use webhooks_domain::manage_catalogue::ManageCatalogue;
use webhooks_testkit::changes::change;
use webhooks_testkit::{Fault, InMemoryBackend, InMemoryManage, ManagedSubscription, samples};

/// Puts types into the catalogue.
fn describe(backend: &InMemoryBackend, names: &[&str]) {
    let catalogue = ManageCatalogue {
        table: backend.clone(),
        clock: backend.clone(),
    };
    for name in names {
        let name = name.parse().unwrap();
        let put = catalogue.replace(&name, &ExpectedVersion::Any, Documentation::default());
        put.now_or_never().unwrap().unwrap();
    }
}

fn with_types(types: &str) -> String {
    format!(r#"{{"url":"https://example.com/","eventTypes":{types}}}"#)
}

#[test]
fn unknown_event_types_are_refused_if_the_stack_says_so() {
    let backend = InMemoryBackend::default();
    let manage = InMemoryManage {
        event_types: EventTypeRule {
            unknown: UnknownTypes::Refused,
            operator: Some(samples::customer("operator")),
        },
        ..backend.manage()
    };
    let acme = samples::customer("acme");
    let create = |types: &str| {
        let created = manage.create(&acme, change(&with_types(types)), None);
        created.now_or_never().unwrap()
    };
    assert!(create(r#"["*"]"#).is_ok());
    assert!(
        create(r#"["order.created"]"#).is_err(),
        "the catalogue is empty"
    );
    describe(&backend, &["order.created", "order.paid"]);
    let created = create(r#"["order.*", "order.created", "*"]"#).unwrap();
    assert_eq!(created.unknown_types, []);
    let refused = create(r#"["order.paid", "order.creatd", "x", "ordr.*"]"#).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "eventTypes: `order.creatd` is not in the event catalogue; the nearest is `order.created`; \
         `x` is not in the event catalogue; \
         `ordr.*` matches no type of the event catalogue; the nearest is `order.*`"
    );
    let many: Vec<_> = (0..50).map(|number| format!("unknown.{number}")).collect();
    let refused = create(&serde_json::to_string(&many).unwrap()).unwrap_err();
    assert!(refused.to_string().ends_with("; and 45 more"), "{refused}");

    // A type that was deleted from the catalogue blocks no other change.
    let id = &created.subscription.id;
    let update = |body: &str| {
        let updated = manage.update(&acme, id, &ExpectedVersion::Any, change(body));
        updated.now_or_never().unwrap()
    };
    let catalogue = ManageCatalogue {
        table: backend.clone(),
        clock: backend.clone(),
    };
    let name = "order.created".parse().unwrap();
    let deleted = catalogue.delete(&name, &ExpectedVersion::Any);
    deleted.now_or_never().unwrap().unwrap();
    assert!(update(r#"{"status":"paused"}"#).is_ok());
    assert!(update(r#"{"eventTypes":["order.created","order.paid"]}"#).is_ok());
    assert!(update(r#"{"eventTypes":["order.created","order.new"]}"#).is_err());

    // The operator's customer gets operational events, which are in no catalogue.
    let operational = change(&with_types(r#"["delivery.failed", "subscription.*"]"#));
    let operator = samples::customer("operator");
    let created = manage.create(&operator, operational, None);
    assert_eq!(created.now_or_never().unwrap().unwrap().unknown_types, []);
    assert!(create(r#"["delivery.failed"]"#).is_err());
}

/// A stack with the parameter `EventTypesMustBeKnown=true`.
fn refusing(backend: &InMemoryBackend) -> InMemoryManage {
    InMemoryManage {
        event_types: EventTypeRule {
            unknown: UnknownTypes::Refused,
            operator: None,
        },
        ..backend.manage()
    }
}

#[test]
fn the_self_test_needs_no_catalogue() {
    let backend = InMemoryBackend::default();
    let manage = refusing(&backend);
    let create = |customer: &str, event_type: &str| {
        let wanted = change(&with_types(&format!(r#"["{event_type}"]"#)));
        let customer = samples::customer(customer);
        let created = manage.create(&customer, wanted, None);
        created.now_or_never().unwrap()
    };
    let of_step = format!("{SELF_TEST_TYPES}a1b2.webhook");
    let created = create(SELF_TEST_CUSTOMER, &of_step).unwrap();
    assert_eq!(created.unknown_types, []);
    assert!(create(SELF_TEST_CUSTOMER, "order.created").is_err());
    assert!(create("acme", &of_step).is_err());
}

/// The types that can be read are still those of the subscription.
#[test]
fn a_repair_compares_only_types_that_the_subscription_has_not() {
    let backend = InMemoryBackend::default();
    let created = backend.manage();
    let acme = samples::customer("acme");
    let created = created.create(&acme, change(&with_types(r#"["order.old"]"#)), None);
    let created = created.now_or_never().unwrap().unwrap().subscription;
    let manage = refusing(&backend);
    let repair = |body: &str| {
        let repaired = manage.update(&acme, &created.id, &ExpectedVersion::Any, change(body));
        repaired.now_or_never().unwrap()
    };
    backend.break_subscription(&acme, created.id, "url");
    let refused = repair(&with_types(r#"["order.old", "order.new"]"#)).unwrap_err();
    assert!(refused.to_string().contains("`order.new`"), "{refused}");
    assert!(!refused.to_string().contains("`order.old`"), "{refused}");
    repair(&with_types(r#"["order.old"]"#)).unwrap();
    // Those that cannot be read are unknown, so all are compared.
    backend.break_subscription(&acme, created.id, "eventTypes");
    assert!(repair(&with_types(r#"["order.old"]"#)).is_err());
}

#[test]
fn a_repeated_creation_is_answered_although_the_catalogue_has_changed() {
    let backend = InMemoryBackend::default();
    let manage = refusing(&backend);
    describe(&backend, &["order.created"]);
    let acme = samples::customer("acme");
    let body = with_types(r#"["order.created"]"#);
    let create = |key: &str, body: &str| {
        let once = Once {
            key: key.parse().unwrap(),
            content: body.as_bytes(),
        };
        let created = manage.create(&acme, change(body), Some(&once));
        created.now_or_never().unwrap()
    };
    let first = create("k1", &body).unwrap();
    let catalogue = ManageCatalogue {
        table: backend.clone(),
        clock: backend.clone(),
    };
    let name = "order.created".parse().unwrap();
    let deleted = catalogue.delete(&name, &ExpectedVersion::Any);
    deleted.now_or_never().unwrap().unwrap();

    let again = create("k1", &body).unwrap();
    assert!(!again.is_new);
    assert_eq!(again.subscription, first.subscription);
    assert_eq!(again.secret, first.secret);
    let conflict = create("k1", &with_types(r#"["order.other"]"#)).unwrap_err();
    assert!(
        matches!(conflict, ManageError::KeyReused { .. }),
        "{conflict}"
    );
    let refused = create("k2", &body).unwrap_err();
    assert!(matches!(refused, ManageError::Field(_)), "{refused}");
    let gone = manage.delete(&acme, &first.subscription.id, &ExpectedVersion::Any);
    gone.now_or_never().unwrap().unwrap();
    let refused = create("k1", &body).unwrap_err();
    assert!(matches!(refused, ManageError::Field(_)), "{refused}");
}

#[test]
fn unknown_event_types_are_named_unless_the_catalogue_is_empty() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    let acme = samples::customer("acme");
    let create = || {
        let created = manage.create(&acme, change(&with_types(r#"["order.creatd"]"#)), None);
        created.now_or_never().unwrap().unwrap()
    };
    assert_eq!(create().unknown_types, []);
    describe(&backend, &["order.created"]);
    let created = create();
    let [unknown] = &created.unknown_types[..] else {
        panic!("{:?}", created.unknown_types);
    };
    assert_eq!(unknown.nearest.as_deref(), Some("order.created"));
    let id = &created.subscription.id;
    let update = |body: &str| {
        let updated = manage.update(&acme, id, &ExpectedVersion::Any, change(body));
        updated.now_or_never().unwrap().unwrap().unknown_types.len()
    };
    assert_eq!(
        update(r#"{"eventTypes":["order.creatd","order.created"]}"#),
        0
    );
    assert_eq!(update(r#"{"eventTypes":["order.creatd","a.*"]}"#), 1);
}

/// Whoever has lost the first answer must not miss them.
#[test]
fn a_repeated_creation_names_the_unknown_event_types_too() {
    let backend = InMemoryBackend::default();
    let manage = backend.manage();
    describe(&backend, &["order.created"]);
    let acme = samples::customer("acme");
    let body = with_types(r#"["order.creatd"]"#);
    let create = || {
        let once = Once {
            key: "k1".parse().unwrap(),
            content: body.as_bytes(),
        };
        let created = manage.create(&acme, change(&body), Some(&once));
        created.now_or_never().unwrap().unwrap()
    };
    let (first, again) = (create(), create());
    assert!(first.is_new && !again.is_new);
    assert_eq!(first.unknown_types.len(), 1);
    assert_eq!(again.unknown_types, first.unknown_types);
}

/// The index is read only if a request adds a type that is not `*`.
#[test]
fn a_change_that_adds_no_type_reads_no_catalogue() {
    let stage = ManagedSubscription::create(&with_types(r#"["order.*"]"#));
    let reads = |body: &str| {
        stage
            .backend
            .plant([Fault::None, Fault::None, Fault::Before]);
        let is_refused = stage.update(body).is_err();
        stage.backend.clear_faults();
        is_refused
    };
    // The read and the write of the subscription.
    assert!(!reads(r#"{"description":"new"}"#));
    assert!(!reads(r#"{"eventTypes":["*"]}"#));
    assert!(reads(r#"{"eventTypes":["order.new"]}"#));
}
