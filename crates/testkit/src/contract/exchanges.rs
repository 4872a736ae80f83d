//! The contract of the parts of exchanges that are not in the delivery.

use std::time::Duration;

use webhooks_domain::outbound::{CustomHeaders, Method};
use webhooks_domain::ports::{
    DeliveryTable, ExchangeParts, ExchangeReader, FoundParts, HealthFate, Replacement,
    ReplacementOutcome, SubscriptionStore, WriteOutcome,
};
use webhooks_domain::subscription::Subscription;

use super::subscriptions::insert;
use crate::samples;

/// Long answers are stored until a time, and former requests are kept when a subscription is changed
/// or removed.
///
/// The store's clock must show [`samples::NOW`].
pub async fn exchanges<S>(store: &S, salt: &str)
where
    S: SubscriptionStore + DeliveryTable + ExchangeReader,
{
    answers(store, salt).await;
    former_requests(store, salt).await;
}

async fn found(store: &impl ExchangeReader, wanted: &ExchangeParts<'_>) -> FoundParts {
    store.exchange_parts(wanted).await.expect("answers")
}

async fn answers<S: DeliveryTable + ExchangeReader>(store: &S, salt: &str) {
    let [first, expired, absent] = [1, 2, 3].map(|number| samples::exchange_id(salt, number));
    let wanted = ExchangeParts {
        bodies: vec![first, expired, absent],
        requests: Vec::new(),
    };
    assert!(found(store, &wanted).await.bodies.is_empty());
    let mut long = samples::body(&"a\nb\u{fffd}".repeat(9_000));
    long.is_cut = true;
    let later = samples::NOW + Duration::from_secs(1);
    for body in [&samples::body("before"), &long] {
        let stored = store.store_body(&first, body, later);
        stored.await.expect("answers");
    }
    let stored = store.store_body(&expired, &long, samples::NOW);
    stored.await.expect("answers");
    let found = found(store, &wanted).await.bodies;
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [(first, long)]);
}

async fn former_requests<S: SubscriptionStore + ExchangeReader>(store: &S, salt: &str) {
    let headers = [("x-team".to_owned(), "blue".to_owned())].into();
    let first = Subscription {
        headers: CustomHeaders::new(headers).expect("one header"),
        secret_headers: samples::secret_headers(),
        ..samples::subscription(salt, 8_200)
    };
    insert(store, &first).await;
    let second = Subscription {
        url: samples::url("https://example.org/second"),
        payload: samples::transform(),
        method: Method::Put,
        version: 2,
        request_version: 2,
        ..first.clone()
    };
    let later = samples::NOW + Duration::from_secs(1);
    let former = first.former_requests(later);
    let (customer, id) = (&first.customer_id, first.id);
    let wanted = ExchangeParts {
        bodies: Vec::new(),
        requests: vec![(customer, id, 1), (customer, id, 2)],
    };
    let replacement = Replacement {
        read: &first,
        changed: &second,
        former: Some(&former),
        health: HealthFate::Kept,
        quota: samples::QUOTA,
    };
    let third = Subscription {
        version: 3,
        ..second.clone()
    };
    let stale = Replacement {
        read: &second,
        changed: &third,
        ..replacement
    };
    let refused = store.replace(&stale).await.expect("answers");
    assert_eq!(refused, ReplacementOutcome::Conflict);
    let none = found(store, &wanted).await.requests;
    assert!(none.is_empty(), "a refused change keeps nothing");
    let written = store.replace(&replacement).await.expect("answers");
    assert_eq!(written, ReplacementOutcome::Written);
    let one = found(store, &wanted).await.requests;
    assert_eq!(one, [(1, first.request_shape())].into());
    let read = store.get(customer, &id).await.expect("answers");
    assert_eq!(read, Some(second.clone()));
    let page = store.page(customer, None, 9).await.expect("answers");
    let listed = page.subscriptions.iter().filter(|found| found.id == id);
    assert_eq!(listed.count(), 1, "former requests are no subscription");

    let former = second.former_requests(later);
    let stale = store.remove(&first, Some(&former));
    assert_eq!(stale.await.expect("answers"), WriteOutcome::Conflict);
    assert_eq!(found(store, &wanted).await.requests.len(), 1);
    let removed = store.remove(&second, Some(&former));
    assert_eq!(removed.await.expect("answers"), WriteOutcome::Written);
    let both = found(store, &wanted).await.requests;
    let shapes = [(1, first.request_shape()), (2, second.request_shape())];
    assert_eq!(both, shapes.into());
}
