//! The contract of the usage of the portal.

use std::time::Duration;

use webhooks_domain::portal_session::{LimitedAction, UtcDay};
use webhooks_domain::ports::{PortalSessionTable, PortalUsageTable, TakeOutcome, Taking};

use crate::samples;

/// An action is counted for its customer, day and kind up to the largest number. An exclusive action
/// is the only one of its kind until it is released, or its time is over. The sessions of the
/// customer are not concerned: neither are they listed with the usage, nor does their deletion
/// reset it.
///
/// The store's clock must show [`samples::NOW`].
pub async fn portal_usage<S>(store: &S, salt: &str)
where
    S: PortalUsageTable + PortalSessionTable,
{
    let [customer, stranger] =
        ["", "-stranger"].map(|name| samples::customer(&format!("{salt}-usage{name}")));
    let day = UtcDay::of(samples::NOW);
    let next_day = UtcDay::of(day.end());
    let count = Taking {
        day,
        action: LimitedAction::Count,
        max: 2,
        now: samples::NOW,
        exclusive_until: None,
    };
    let take = async |customer, taking: &Taking| {
        let taken = store.take(customer, taking).await;
        taken.expect("answers")
    };
    for expected in [TakeOutcome::Taken, TakeOutcome::Taken, TakeOutcome::UsedUp] {
        assert_eq!(take(&customer, &count).await, expected);
    }
    while store
        .delete_sessions(&customer.clone().into())
        .await
        .expect("answers")
        > 0
    {}
    assert_eq!(take(&customer, &count).await, TakeOutcome::UsedUp);
    assert_eq!(take(&stranger, &count).await, TakeOutcome::Taken);
    let tomorrow = Taking {
        day: next_day,
        ..count
    };
    assert_eq!(take(&customer, &tomorrow).await, TakeOutcome::Taken);
    let more = Taking { max: 3, ..count };
    assert_eq!(take(&customer, &more).await, TakeOutcome::Taken);

    let until = samples::NOW + Duration::from_secs(30);
    let test = Taking {
        action: LimitedAction::Test,
        max: 3,
        exclusive_until: Some(until),
        ..count
    };
    let busy = TakeOutcome::Busy { until };
    assert_eq!(take(&customer, &test).await, TakeOutcome::Taken);
    assert_eq!(take(&customer, &test).await, busy);
    assert_eq!(take(&stranger, &test).await, TakeOutcome::Taken);
    let release = async |until| {
        let released = store.release(&customer, day, LimitedAction::Test, until);
        released.await.expect("answers");
    };
    release(samples::NOW).await;
    assert_eq!(take(&customer, &test).await, busy, "it is another's");
    for _ in 0..2 {
        release(until).await;
    }
    assert_eq!(take(&customer, &test).await, TakeOutcome::Taken);
    let later = Taking {
        now: until,
        exclusive_until: Some(until + Duration::from_secs(30)),
        ..test
    };
    assert_eq!(
        take(&customer, &later).await,
        TakeOutcome::Taken,
        "it is over"
    );
    assert_eq!(take(&customer, &later).await, TakeOutcome::UsedUp);
    let sessions = store.sessions(&customer.clone().into(), None, 10).await;
    assert_eq!(sessions.expect("answers").entries.len(), 0);
}
