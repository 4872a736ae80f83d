//! Deletes the subscriptions of this run, and those of earlier runs that were killed.

use std::time::Duration;

use tokio::time::sleep;
use webhooks_client::{Api, Error, ListLimit, Subscription, SubscriptionsQuery};
use webhooks_domain::timestamp::Timestamp;

use super::judge::{Judgement, fault};
use super::stage::{CUSTOMER, ENDS, RUN, refused};
use crate::clock::now;
use crate::doctor::context::Described;

/// The number of times that the subscriptions are listed. A request that was in progress at the
/// interruption may create one while others are deleted.
const ROUNDS: usize = 3;

/// The wait between two rounds.
const PAUSE: Duration = Duration::from_secs(1);

/// The run to which a subscription of the self test's customer belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// This run.
    Ours,
    /// A run that must have ended by now, or an unknown one.
    Nobody,
    /// Another run, which may still be active.
    Another,
}

fn owner(subscription: &Subscription, run: &str, now: Timestamp) -> Owner {
    let entry = |name| subscription.metadata.get(name);
    if entry(RUN).is_some_and(|of| of == run) {
        return Owner::Ours;
    }
    let ends = entry(ENDS).and_then(|text| Timestamp::parse_rfc3339(text));
    if ends.is_some_and(|ends| ends > now) {
        Owner::Another
    } else {
        Owner::Nobody
    }
}

/// Lists all subscriptions of the self test's customer.
async fn list(api: &Api) -> Result<Vec<Subscription>, Error> {
    let mut all = Vec::new();
    let mut query = SubscriptionsQuery {
        limit: Some(ListLimit::LARGEST),
        cursor: None,
    };
    loop {
        let page = api.subscriptions(CUSTOMER, &query).await?;
        all.extend(page.data);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return Ok(all);
        }
    }
}

/// Deletes the subscriptions of an owner and returns their number.
async fn delete(api: &Api, run: &str, of: Owner) -> Described<usize> {
    let listed = list(api).await;
    let listed = listed.map_err(|error| refused("listing subscriptions", error))?;
    let mut deleted = 0;
    for subscription in listed {
        if owner(&subscription, run, now()) != of {
            continue;
        }
        match api.delete_subscription(CUSTOMER, &subscription.id).await {
            Ok(()) => deleted += 1,
            // Another run has already deleted it.
            Err(Error::Problem(problem)) if problem.status == 404 => {}
            Err(error) => return Err(refused("deleting a subscription", error)),
        }
    }
    Ok(deleted)
}

/// Deletes the subscriptions that killed runs left behind.
pub(super) async fn of_earlier_runs(api: &Api, run: &str) -> Judgement {
    let deleted = delete(api, run, Owner::Nobody).await?;
    Ok(match deleted {
        0 => "nothing".to_owned(),
        many => format!("{many} subscriptions of a killed run, deleted"),
    })
}

/// Deletes this run's subscriptions, and checks that none are left.
pub(super) async fn of_this_run(api: &Api, run: &str) -> Judgement {
    let mut deleted = 0;
    for round in 0..ROUNDS {
        if round > 0 {
            sleep(PAUSE).await;
        }
        let now = delete(api, run, Owner::Ours).await?;
        deleted += now;
        if round > 0 && now == 0 {
            return Ok(format!("{deleted} subscriptions deleted, none left"));
        }
    }
    fault(
        "subscriptions of this run may be left",
        format!("`webhooks subscriptions list {CUSTOMER}` shows them; the next run deletes them"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn subscription(metadata: &serde_json::Value) -> Subscription {
        serde_json::from_value(json!({
            "id": "sub_1", "customerId": CUSTOMER, "url": "https://example.com/", "eventTypes": ["a"],
            "payloadFormat": "standard", "secrets": [], "status": "active", "version": 1, "metadata": metadata,
            "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
        }))
        .unwrap()
    }

    #[test]
    fn only_subscriptions_of_ended_runs_are_deleted_by_others() {
        let now = Timestamp::parse_rfc3339("2026-01-01T00:10:00Z").unwrap();
        let of = |metadata| owner(&subscription(&metadata), "one", now);
        let (past, future) = ("2026-01-01T00:09:59Z", "2026-01-01T00:10:01Z");
        assert_eq!(of(json!({RUN: "one", ENDS: past})), Owner::Ours);
        assert_eq!(of(json!({RUN: "two", ENDS: future})), Owner::Another);
        assert_eq!(of(json!({RUN: "two", ENDS: past})), Owner::Nobody);
        assert_eq!(of(json!({RUN: "two"})), Owner::Nobody);
        assert_eq!(of(json!({})), Owner::Nobody);
    }
}
