//! The look-up: every subscription that wants the event, each once, page by page.

#![allow(clippy::unwrap_used)]

use futures_util::FutureExt;
use proptest::prelude::*;
use webhooks_domain::event_type::{EventTypePattern, EventTypePatterns};
use webhooks_domain::filter::Filter;
use webhooks_domain::look_up::{LookUp, LookUpError, Page};
use webhooks_domain::message::Payload;
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::subscription::{Subscription, SubscriptionStatus};
use webhooks_testkit::{Fault, InMemoryBackend, samples};

const EVENT: &str = r#"{"id":"e","detail-type":"order.created","time":"2026-01-31T09:30:00Z","detail":{"customerId":"acme","total":12345678901234567890}}"#;

fn look_up(backend: &InMemoryBackend) -> LookUp<InMemoryBackend> {
    LookUp {
        directory: backend.clone(),
        reader: samples::event_reader(),
    }
}

fn insert(backend: &InMemoryBackend, subscription: &Subscription) {
    backend.store_subscription(subscription);
}

fn run(backend: &InMemoryBackend, input: &str) -> Result<Page, LookUpError> {
    look_up(backend).run(input).now_or_never().unwrap()
}

/// What the workflow passes back for the next page.
fn next_input(page: &Page) -> String {
    serde_json::json!({ "payload": page.message.payload, "cursor": page.cursor }).to_string()
}

fn wants(subscription: Subscription, pattern: &str) -> Subscription {
    let pattern = EventTypePattern::try_from(pattern.to_owned()).unwrap();
    let event_types = EventTypePatterns::try_from(vec![pattern]).unwrap();
    Subscription {
        event_types,
        ..subscription
    }
}

#[test]
fn only_what_wants_the_event_is_found() {
    let backend = InMemoryBackend::default();
    insert(
        &backend,
        &wants(samples::subscription("acme", 1), "order.*"),
    );
    insert(
        &backend,
        &wants(samples::subscription("acme", 2), "invoice.*"),
    );
    insert(&backend, &wants(samples::subscription("bolt", 3), "*"));
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
            payload_format: PayloadFormat::Event,
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
fn a_message_is_recorded_when_its_customer_has_any_subscription() {
    let backend = InMemoryBackend::default();
    insert(&backend, &samples::subscription("bolt", 1));
    let stranger = run(&backend, EVENT).unwrap();
    assert!(!stranger.record);

    let paused = Subscription {
        status: SubscriptionStatus::Paused,
        ..samples::subscription("acme", 2)
    };
    insert(&backend, &wants(paused, "invoice.*"));
    let unwanted = run(&backend, EVENT).unwrap();
    assert!(unwanted.record && unwanted.subscriptions.is_empty());
    assert_eq!(unwanted.cursor, None);

    let after_all = Page {
        cursor: Some(samples::subscription_id(0)),
        ..unwanted
    };
    let later = run(&backend, &next_input(&after_all)).unwrap();
    assert!(!later.record, "an earlier page has recorded it");

    insert(&backend, &samples::subscription("acme", 3));
    assert!(run(&backend, EVENT).unwrap().record);
    let later = run(&backend, &next_input(&after_all)).unwrap();
    assert!(later.record, "there is a call to record");
}

#[test]
fn a_failing_table_and_a_bad_event_have_names_of_their_own() {
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
fn a_next_page_that_somebody_makes_up_names_no_message_but_its_events() {
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

    // What it may hold is an event, and its message is the one that the event makes.
    let later = run(&backend, &next(&page.message.payload)).unwrap();
    assert_eq!(later.message, page.message);
    assert_eq!(page.subscriptions.len() + later.subscriptions.len(), 150);
    let other = EVENT.replace("acme", "bolt");
    let others = run(&backend, &next(&Payload::new(&other))).unwrap();
    assert_eq!(others.message.id, run(&backend, &other).unwrap().message.id);

    // Anything else is refused by the rules for events.
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
fn a_page_ends_when_its_filters_have_cost_enough_and_the_next_goes_on() {
    let backend = InMemoryBackend::default();
    let values = vec!["1"; 100_000].join(",");
    let event = EVENT.replace(r#""total""#, &format!(r#""values":[{values}],"total""#));
    // Half of them look at each value: about 200,000 steps.
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

/// The sum over all subscriptions of a customer is bounded: a filter is given up long before its
/// page is too long, and its subscription is sent the event.
#[test]
fn an_event_costs_no_more_than_a_filter_s_bound_for_each_subscription() {
    const SUBSCRIPTIONS: u128 = 12;
    let backend = InMemoryBackend::default();
    let values = vec![r#""zz""#; 50_000].join(",");
    let event = EVENT.replace(r#""total""#, &format!(r#""values":[{values}],"total""#));
    let prefixes: Vec<String> = (0..250).map(|n| format!(r#""{n}""#)).collect();
    let prefixes = prefixes.join(",");
    // Without a bound, 25,000,000 steps each: 12 pages. This way ten of them fill a page.
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
    fn every_page_together_finds_each_wanting_subscription_once(
        wanting in proptest::collection::btree_set(0..2_000_u128, 0..450),
        others in proptest::collection::btree_set(2_000..4_000_u128, 0..450),
    ) {
        let backend = InMemoryBackend::default();
        for &number in &wanting {
            insert(&backend, &samples::subscription("acme", number));
        }
        for &number in &others {
            insert(&backend, &wants(samples::subscription("acme", number), "other"));
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

/// What is wrong with one subscription hides no other, and its own delivery is recorded.
#[test]
fn a_subscription_that_cannot_be_read_stops_no_other() {
    let backend = InMemoryBackend::default();
    let customer = samples::customer("acme");
    for number in 1..=4 {
        let wanted = if number == 3 { "invoice.*" } else { "order.*" };
        insert(
            &backend,
            &wants(samples::subscription("acme", number), wanted),
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
    // What it wants cannot be told: its delivery is recorded, and fails.
    backend.break_subscription(&customer, id(3), "eventTypes");
    assert_eq!(found(&backend), [id(1), id(2), id(3), id(4)]);

    // A filter that was stored under other rules.
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
