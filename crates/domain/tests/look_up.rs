//! The look-up: every matching subscription once, page by page.

#![allow(clippy::unwrap_used)]

use futures_util::FutureExt;
use proptest::prelude::*;
use webhooks_domain::check_event::NoCheck;
use webhooks_domain::event_type::{EventTypePattern, EventTypePatterns};
use webhooks_domain::filter::Filter;
use webhooks_domain::look_up::{LookUp, LookUpError, Page};
use webhooks_domain::message::Payload;
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::payload_shape::{PayloadShape, UNKNOWN_SHAPE};
use webhooks_domain::subscription::{Subscription, SubscriptionStatus};
use webhooks_testkit::{Fault, InMemoryBackend, samples};

const EVENT: &str = r#"{"id":"e","detail-type":"order.created","time":"2026-01-31T09:30:00Z","detail":{"customerId":"acme","total":12345678901234567890}}"#;

fn look_up(backend: &InMemoryBackend) -> LookUp<InMemoryBackend, NoCheck> {
    LookUp {
        directory: backend.clone(),
        check: NoCheck,
        reader: samples::event_reader(),
    }
}

fn insert(backend: &InMemoryBackend, subscription: &Subscription) {
    backend.store_subscription(subscription);
}

fn run(backend: &InMemoryBackend, input: &str) -> Result<Page, LookUpError> {
    look_up(backend).run(input).now_or_never().unwrap()
}

/// The input of the next page, as the workflow builds it.
fn next_input(page: &Page) -> String {
    serde_json::json!({ "payload": page.message.payload, "cursor": page.cursor }).to_string()
}

fn with_event_type(subscription: Subscription, pattern: &str) -> Subscription {
    let pattern = EventTypePattern::try_from(pattern.to_owned()).unwrap();
    let event_types = EventTypePatterns::try_from(vec![pattern]).unwrap();
    Subscription {
        event_types,
        ..subscription
    }
}

#[test]
fn only_matching_subscriptions_are_found() {
    let backend = InMemoryBackend::default();
    insert(
        &backend,
        &with_event_type(samples::subscription("acme", 1), "order.*"),
    );
    insert(
        &backend,
        &with_event_type(samples::subscription("acme", 2), "invoice.*"),
    );
    insert(
        &backend,
        &with_event_type(samples::subscription("bolt", 3), "*"),
    );
    let filter = |pattern: &str| Some(Filter::parse(pattern).unwrap());
    let base = samples::subscription("acme", 4);
    insert(
        &backend,
        &Subscription {
            filter: filter(r#"{"total":[{"numeric":[">",5]}]}"#),
            ..base
        },
    );
    let base = samples::subscription("acme", 5);
    insert(
        &backend,
        &Subscription {
            filter: filter(r#"{"total":[{"numeric":["<",5]}]}"#),
            ..base
        },
    );
    let base = samples::subscription("acme", 6);
    insert(
        &backend,
        &Subscription {
            status: SubscriptionStatus::Paused,
            payload: PayloadShape::of_format(PayloadFormat::Event).unwrap(),
            ..base
        },
    );

    let page = run(&backend, EVENT).unwrap();
    let found: Vec<_> = page
        .subscriptions
        .iter()
        .map(|found| (found.id, found.status, found.payload_format))
        .collect();
    let active = SubscriptionStatus::Active;
    let standard = PayloadFormat::Standard;
    let paused = (SubscriptionStatus::Paused, PayloadFormat::Event);
    assert_eq!(
        found,
        [
            (samples::subscription_id(1), active, standard),
            (samples::subscription_id(4), active, standard),
            (samples::subscription_id(6), paused.0, paused.1),
        ]
    );
    assert_eq!(page.cursor, None);
}

#[test]
fn a_message_is_recorded_if_its_customer_has_any_subscription() {
    let backend = InMemoryBackend::default();
    insert(&backend, &samples::subscription("bolt", 1));
    let stranger = run(&backend, EVENT).unwrap();
    assert!(!stranger.record);

    let paused = Subscription {
        status: SubscriptionStatus::Paused,
        ..samples::subscription("acme", 2)
    };
    insert(&backend, &with_event_type(paused, "invoice.*"));
    let unwanted = run(&backend, EVENT).unwrap();
    assert!(unwanted.record && unwanted.subscriptions.is_empty());
    assert_eq!(unwanted.cursor, None);

    let after_all = Page {
        cursor: Some(samples::subscription_id(0)),
        ..unwanted
    };
    let later = run(&backend, &next_input(&after_all)).unwrap();
    assert!(!later.record, "an earlier page has recorded the message");

    insert(&backend, &samples::subscription("acme", 3));
    assert!(run(&backend, EVENT).unwrap().record);
    let later = run(&backend, &next_input(&after_all)).unwrap();
    assert!(later.record, "a call must be recorded");
}

#[test]
fn a_failing_table_and_a_bad_event_have_their_own_error_names() {
    let backend = InMemoryBackend::default();
    backend.plant([Fault::Before]);
    assert_eq!(
        run(&backend, EVENT).unwrap_err().error_type(),
        "StoreUnavailable"
    );
    let without_customer = EVENT.replace("customerId", "customer");
    assert_eq!(
        run(&backend, &without_customer).unwrap_err().error_type(),
        "MissingCustomerId"
    );
    assert_eq!(
        run(&backend, r#"{"payload":{},"cursor":"x"}"#)
            .unwrap_err()
            .error_type(),
        "DetailNotAnObject"
    );
}

#[test]
fn a_forged_next_page_can_name_only_the_message_of_its_event() {
    let backend = InMemoryBackend::default();
    for number in 0..150 {
        insert(&backend, &samples::subscription("acme", number));
    }
    let page = run(&backend, EVENT).unwrap();
    let next = |payload: &Payload| {
        let cursor = page.cursor;
        serde_json::json!({ "payload": payload, "cursor": cursor }).to_string()
    };
    let error_type = |input: &str| run(&backend, input).unwrap_err().error_type();

    // It can only contain an event, and its message is always made from that event.
    let later = run(&backend, &next(&page.message.payload)).unwrap();
    assert_eq!(later.message, page.message);
    assert_eq!(page.subscriptions.len() + later.subscriptions.len(), 150);
    let other = EVENT.replace("acme", "bolt");
    let others = run(&backend, &next(&Payload::new(&other))).unwrap();
    assert_eq!(others.message.id, run(&backend, &other).unwrap().message.id);

    // Any other input is refused by the rules for events.
    let bad = EVENT.replace("customerId", "customer");
    assert_eq!(error_type(&next(&Payload::new(&bad))), "MissingCustomerId");
    for text in ["bm90IGd6aXA=", "not base64"] {
        let payload = Payload::from_text(text.to_owned());
        assert_eq!(error_type(&next(&payload)), "InvalidInput");
    }
    let bomb = Payload::new(&format!("{}{EVENT}", " ".repeat(600_000)));
    assert_eq!(error_type(&next(&bomb)), "EventTooLarge");
    let message = serde_json::json!({ "message": page.message, "cursor": page.cursor });
    assert_eq!(error_type(&message.to_string()), "DetailNotAnObject");
}

#[test]
fn a_page_ends_when_its_filters_reach_their_cost_and_the_next_page_continues() {
    let backend = InMemoryBackend::default();
    let values = vec!["1"; 100_000].join(",");
    let event = EVENT.replace(r#""total""#, &format!(r#""values":[{values}],"total""#));
    // Half of the filters look at each value: about 200,000 steps.
    for number in 0..150 {
        let filter = Filter::parse(&format!(r#"{{"values":[{}]}}"#, number % 2)).unwrap();
        let base = samples::subscription("acme", number);
        insert(
            &backend,
            &Subscription {
                filter: Some(filter),
                ..base
            },
        );
    }
    let (mut found, mut pages, mut input) = (0, 0, event);
    loop {
        let page = run(&backend, &input).unwrap();
        found += page.subscriptions.len();
        pages += 1;
        if page.cursor.is_none() {
            break;
        }
        input = next_input(&page);
    }
    assert_eq!(found, 75);
    assert_eq!(pages, 2);
}

/// The total cost of a customer's subscriptions is bounded. A filter is abandoned long before its
/// page takes too long, and then its subscription gets the event.
#[test]
fn an_event_costs_at_most_the_filter_limit_for_each_subscription() {
    const SUBSCRIPTIONS: u128 = 12;
    let backend = InMemoryBackend::default();
    let values = vec![r#""zz""#; 50_000].join(",");
    let event = EVENT.replace(r#""total""#, &format!(r#""values":[{values}],"total""#));
    let prefixes: Vec<String> = (0..250).map(|n| format!(r#""{n}""#)).collect();
    let prefixes = prefixes.join(",");
    // Without a bound each filter would take 25,000,000 steps: 12 pages. With it, ten of them fill
    // a page.
    let pattern = format!(r#"{{"values":[{{"anything-but":{{"prefix":[{prefixes},"zz"]}}}}]}}"#);
    for number in 0..SUBSCRIPTIONS {
        let base = samples::subscription("acme", number);
        insert(
            &backend,
            &Subscription {
                filter: Some(Filter::parse(&pattern).unwrap()),
                ..base
            },
        );
    }
    let (mut given_up, mut pages, mut input) = (0, 0, event);
    loop {
        let page = run(&backend, &input).unwrap();
        let found: Vec<_> = page.subscriptions.iter().map(|found| found.id).collect();
        assert_eq!(page.given_up, found);
        given_up += found.len();
        pages += 1;
        if page.cursor.is_none() {
            break;
        }
        input = next_input(&page);
    }
    assert_eq!(given_up as u128, SUBSCRIPTIONS);
    assert_eq!(pages, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn all_pages_together_find_each_matching_subscription_once(
        wanting in proptest::collection::btree_set(0..2_000_u128, 0..450),
        others in proptest::collection::btree_set(2_000..4_000_u128, 0..450),
    ) {
        let backend = InMemoryBackend::default();
        for &number in &wanting {
            insert(&backend, &samples::subscription("acme", number));
        }
        for &number in &others {
            insert(&backend, &with_event_type(samples::subscription("acme", number), "other"));
        }
        let mut found = Vec::new();
        let mut input = EVENT.to_owned();
        loop {
            let page = run(&backend, &input).unwrap();
            prop_assert!(page.subscriptions.len() <= 100);
            found.extend(page.subscriptions.iter().map(|found| found.id));
            if page.cursor.is_none() {
                break;
            }
            input = next_input(&page);
        }
        let expected: Vec<_> = wanting.into_iter().map(samples::subscription_id).collect();
        prop_assert_eq!(found, expected);
    }
}

/// An unreadable subscription hides no other, and its own delivery is recorded.
#[test]
fn an_unreadable_subscription_stops_no_other() {
    let backend = InMemoryBackend::default();
    let customer = samples::customer("acme");
    for number in 1..=4 {
        let wanted = if number == 3 { "invoice.*" } else { "order.*" };
        insert(
            &backend,
            &with_event_type(samples::subscription("acme", number), wanted),
        );
    }
    let id = samples::subscription_id;
    backend.break_subscription(&customer, id(1), "url");
    backend.break_subscription(&customer, id(3), "secret");
    let found = |backend: &InMemoryBackend| -> Vec<_> {
        let page = run(backend, EVENT).unwrap();
        page.subscriptions.iter().map(|found| found.id).collect()
    };
    assert_eq!(found(&backend), [id(1), id(2), id(4)]);
    // Its event types cannot be read, so its delivery is recorded, and fails.
    backend.break_subscription(&customer, id(3), "eventTypes");
    assert_eq!(found(&backend), [id(1), id(2), id(3), id(4)]);

    // Nobody knows what of the event it wants, so its delivery must not name the standard format.
    backend.break_subscription(&customer, id(4), "transform");
    let page = run(&backend, EVENT).unwrap();
    let shapes: Vec<_> = page
        .subscriptions
        .iter()
        .map(|found| found.shape_version)
        .collect();
    assert_eq!(shapes, [None, None, None, Some(UNKNOWN_SHAPE)]);

    // A filter that was stored under older rules.
    let filter = Filter::from_stored("{".to_owned());
    insert(
        &backend,
        &Subscription {
            filter: Some(filter),
            ..samples::subscription("acme", 5)
        },
    );
    assert_eq!(found(&backend).last(), Some(&id(5)));
}
