//! The size of the API's answers. Lambda gives back 6 MB at most, as a string in JSON.

#![allow(clippy::unwrap_used, reason = "tests and their helpers")]

use futures_util::FutureExt;
use webhooks_api_types as api;
use webhooks_domain::delivery::{Attempt, Delivery, DeliveryStatus, FailureReason};
use webhooks_domain::lists::{DeliveryFilter, Lists, PageOf, ReadBudget, Which};
use webhooks_domain::outbound::{KeptResponseBytes, ResponseHeaders};
use webhooks_domain::paging::{MessagePage, Place};
use webhooks_testkit::{InMemoryBackend, samples};
use webhooks_wire::{answers, lists};

/// The bytes of an answer as a function gives it back.
fn given_back(answer: serde_json::Result<String>) -> usize {
    serde_json::to_string(&answer.unwrap()).unwrap().len()
}

/// A delivery with as many attempts as there can be, each with as much as is kept of an answer.
fn long(number: u128) -> Delivery {
    let excerpt = "\"".repeat(KeptResponseBytes::MAX_OF_SUCCESSES.into());
    let attempt = |number| Attempt {
        response_headers: ResponseHeaders::keep(|_| Some(&[b'"'; 64])),
        response_excerpt: Some(excerpt.clone()),
        addresses: vec!["2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap(); 8],
        error: Some("\\".repeat(200)),
        ..samples::failed_attempt(number)
    };
    let message = samples::message("acme", "long");
    Delivery {
        status: DeliveryStatus::Failed(FailureReason::AttemptsExhausted),
        attempts: (1..=Delivery::MAX_ATTEMPTS).map(attempt).collect(),
        ..samples::delivery(&message, samples::subscription_id(number))
    }
}

#[test]
fn the_bound_of_a_delivery_holds_and_is_not_far_off() {
    let long = long(1);
    let short = Delivery {
        attempts: Vec::new(),
        ..long.clone()
    };
    for delivery in [long, short] {
        let bound = delivery.shown_bytes();
        let taken = given_back(serde_json::to_string(&answers::delivery(delivery)));
        assert!(taken <= bound, "{taken} bytes, {bound} by the bound");
        assert!(bound <= 4 * taken, "{taken} bytes, {bound} by the bound");
    }
}

#[test]
fn a_message_with_many_long_deliveries_is_shown_in_pages() {
    let all: Vec<_> = (1..=20).map(|number| Ok(long(number))).collect();
    let mut shown = 0;
    while shown < all.len() {
        let page = MessagePage {
            message: samples::message("acme", "long"),
            received_at: samples::NOW,
            deliveries: all[shown..].to_vec(),
            has_more: false,
        };
        let page = lists::message(page.within_an_answer());
        assert!(given_back(serde_json::to_string(&page)) < 6_000_000);
        assert!(!page.deliveries.is_empty(), "each page goes on");
        shown += page.deliveries.len();
        assert_eq!(page.next_cursor.is_some(), shown < all.len());
    }
    assert_eq!(shown, all.len());
}

#[test]
fn a_list_of_long_deliveries_is_shown_in_pages() {
    let backend = InMemoryBackend::default();
    for number in 0..20 {
        let message = samples::message("acme", &number.to_string());
        let long = long(1);
        let delivery = Delivery {
            attempts: long.attempts,
            status: long.status,
            ..samples::delivery(&message, samples::subscription_id(1))
        };
        backend.record_call(message, delivery);
    }
    let of_subscription = Lists {
        table: backend,
        budget: ReadBudget::LARGE,
    };
    let (mut after, mut shown, mut pages) = (None::<Place>, 0, 0);
    loop {
        let wanted = PageOf {
            since: None,
            until: None,
            after,
            limit: 100,
        };
        let (to, filter) = (samples::subscription_id(1), DeliveryFilter::default());
        let listed = of_subscription.deliveries(&to, Which::All, &filter, &wanted);
        let listed = listed.now_or_never().unwrap().unwrap();
        after = listed.next;
        let page: api::DeliveryPage = lists::page(listed, answers::delivery);
        assert!(given_back(serde_json::to_string(&page)) < 6_000_000);
        shown += page.data.len();
        pages += 1;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(shown, 20);
    assert!(pages > 1);
}
