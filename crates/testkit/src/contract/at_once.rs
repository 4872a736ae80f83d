//! Concurrent reads.

use futures_util::future::join_all;
use webhooks_domain::delivery::Delivery;
use webhooks_domain::message::Message;
use webhooks_domain::ports::{DeliveryTable, SubscriptionStore, WriteOutcome};

use crate::samples;

/// Every caller gets its own answer, however many read the same item, and a read that begins after
/// a write sees that write.
pub async fn reads_at_once<S: DeliveryTable + SubscriptionStore>(
    store: &S,
    salt: &str,
    put: impl AsyncFn(Message, Delivery),
) {
    let messages = ["one", "two"].map(|event| samples::message(salt, event));
    let delivery = |message, number| samples::delivery(message, samples::subscription_id(number));
    let mut expected = Vec::new();
    for (message, number) in [(&messages[0], 1), (&messages[0], 2), (&messages[1], 1)] {
        let delivery = delivery(message, number);
        put(message.clone(), delivery.clone()).await;
        expected.push((delivery.id, Some((delivery, message.clone()))));
    }
    expected.push((delivery(&messages[1], 3).id, None));
    expected.push(expected[0].clone());
    let ids = expected.iter().map(|(id, _)| *id);
    let loaded = join_all(ids.map(async |id| store.load(&id).await.expect("answers"))).await;
    let expected: Vec<_> = expected.into_iter().map(|(_, found)| found).collect();
    assert_eq!(loaded, expected);

    let subscriptions = [1, 2].map(|number| samples::subscription(salt, number));
    for subscription in &subscriptions {
        super::subscriptions::insert(store, subscription).await;
    }
    let [first, second] = &subscriptions;
    let absent = samples::subscription(salt, 3);
    let wanted = [first, &absent, second, first];
    let got = wanted.map(async |wanted| {
        let got = store.get(&wanted.customer_id, &wanted.id).await;
        got.expect("answers")
    });
    let expected = [Some(first), None, Some(second), Some(first)];
    assert_eq!(join_all(got).await, expected.map(Option::<&_>::cloned));

    let settle_and_load = [1, 2].map(async |number| {
        let id = delivery(&messages[0], number).id;
        let settled = store.settle(&id, 0, samples::HELD).await;
        assert_eq!(settled.expect("answers"), WriteOutcome::Written);
        let (delivery, _) = store.load(&id).await.expect("answers").expect("is there");
        delivery.status
    });
    assert_eq!(join_all(settle_and_load).await, [samples::HELD; 2]);
}
