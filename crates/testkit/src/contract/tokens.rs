//! The contract of the records of access tokens.

use std::time::Duration;

use webhooks_domain::outbound::{SealedToken, TokenLife, TokenRecord};
use webhooks_domain::ports::{
    CustomerData, CustomerPart, CustomerTable, SubscriptionStore, TokenStore, WriteOutcome,
};
use webhooks_domain::subscription::Subscription;

use super::subscriptions::insert;
use crate::samples;

/// A record is replaced only by who has read it last, so that one environment has the lease. It ends
/// with its token, with its subscription and with its customer, and none is made after that.
///
/// The store's clock must show [`samples::NOW`].
pub async fn tokens<S>(store: &S, salt: &str)
where
    S: TokenStore + SubscriptionStore + CustomerTable + CustomerData,
{
    let of_its_own = format!("{salt}-leases");
    replaced_by_who_has_read_it(store, &of_its_own).await;
    absent_after_its_end(store, &of_its_own).await;
    deleted_with_its_subscription(store, salt).await;
    deleted_with_its_customer(store, &format!("{salt}-tokens")).await;
}

fn subscription(salt: &str, number: u128) -> Subscription {
    Subscription {
        authentication: Some(samples::oauth2()),
        ..samples::subscription(salt, number)
    }
}

async fn replace(
    store: &impl TokenStore,
    of: &Subscription,
    read: Option<u64>,
    record: &TokenRecord,
) -> WriteOutcome {
    let written = store.replace_token_record(&of.customer_id, &of.id, read, record);
    written.await.expect("answers")
}

async fn read(store: &impl TokenStore, of: &Subscription) -> Option<TokenRecord> {
    let read = store.token_record(&of.customer_id, &of.id).await;
    read.expect("answers")
}

async fn replaced_by_who_has_read_it<S>(store: &S, salt: &str)
where
    S: TokenStore + SubscriptionStore,
{
    let of = subscription(salt, 8_301);
    insert(store, &of).await;
    assert_eq!(read(store, &of).await, None);
    let whole = samples::token_record(1);
    let least = TokenRecord {
        lease: None,
        failure: None,
        renewed_at: None,
        ..samples::token_record(u64::MAX)
    };
    for (expected, record, outcome) in [
        // There is none to replace.
        (Some(1), &least, WriteOutcome::Conflict),
        (None, &whole, WriteOutcome::Written),
        // The response of the first was lost.
        (None, &whole, WriteOutcome::Written),
        (None, &least, WriteOutcome::Conflict),
        (Some(2), &least, WriteOutcome::Conflict),
        (Some(1), &least, WriteOutcome::Written),
        (Some(1), &least, WriteOutcome::Written),
        (Some(1), &whole, WriteOutcome::Conflict),
    ] {
        let before = read(store, &of).await;
        assert_eq!(replace(store, &of, expected, record).await, outcome);
        let after = match outcome {
            WriteOutcome::Written => Some(record.clone()),
            WriteOutcome::Conflict => before,
        };
        assert_eq!(read(store, &of).await, after);
    }
    for other in [
        subscription(salt, 8_302),
        subscription(&format!("{salt}-other"), 8_301),
    ] {
        assert_eq!(read(store, &other).await, None);
    }
}

async fn absent_after_its_end<S>(store: &S, salt: &str)
where
    S: TokenStore + SubscriptionStore,
{
    let of = subscription(salt, 8_303);
    insert(store, &of).await;
    let end = samples::NOW - Duration::from_secs(1);
    let ended = TokenRecord {
        token: Some(SealedToken {
            number: 1,
            sealed: vec![9; 60],
            life: TokenLife { from: end, end },
        }),
        ..TokenRecord::blank(1)
    };
    assert_eq!(
        replace(store, &of, None, &ended).await,
        WriteOutcome::Written
    );
    assert_eq!(read(store, &of).await, None, "it has expired");
    let next = samples::token_record(2);
    assert_eq!(
        replace(store, &of, None, &next).await,
        WriteOutcome::Written
    );
    assert_eq!(read(store, &of).await, Some(next));
}

async fn deleted_with_its_subscription<S>(store: &S, salt: &str)
where
    S: TokenStore + SubscriptionStore,
{
    let [of, other] = [8_304, 8_305].map(|number| subscription(salt, number));
    for of in [&of, &other] {
        insert(store, of).await;
        replace(store, of, None, &samples::token_record(1)).await;
    }
    let removed = store.remove(&of, None).await.expect("answers");
    assert_eq!(removed, WriteOutcome::Written);
    assert_eq!(read(store, &of).await, None);
    // By an attempt that has read the subscription before.
    for expected in [None, Some(1)] {
        let late = replace(store, &of, expected, &samples::token_record(2)).await;
        assert_eq!(late, WriteOutcome::Conflict);
        assert_eq!(read(store, &of).await, None);
    }
    assert!(read(store, &other).await.is_some());
    // A token is no subscription.
    let page = store.page(&of.customer_id, None, 100).await;
    let page = page.expect("answers");
    assert!(page.broken.is_empty() && page.unnamed.is_empty());
}

async fn deleted_with_its_customer<S>(store: &S, salt: &str)
where
    S: TokenStore + SubscriptionStore + CustomerTable + CustomerData,
{
    let of = subscription(salt, 8_306);
    insert(store, &of).await;
    replace(store, &of, None, &samples::token_record(1)).await;
    let id = &of.customer_id;
    let customer = store.customer(id).await.expect("answers").expect("exists");
    let requested = store.request_deletion(&customer, samples::NOW).await;
    assert_eq!(requested.expect("answers"), WriteOutcome::Written);
    let part = CustomerPart::Subscriptions;
    while store.delete_some(id, part).await.expect("answers") > 0 {}
    let late = replace(store, &of, None, &samples::token_record(2)).await;
    assert_eq!(late, WriteOutcome::Conflict);
    assert_eq!(read(store, &of).await, None);
}
