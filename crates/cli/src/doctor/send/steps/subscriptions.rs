//! Steps for settings of a subscription: its secrets and its limits.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::{Map, json};
use webhooks_client::{Nullable, Rotation, SubscriptionPatch, WholeNumber};

use super::Checked;
use crate::doctor::send::judge::{fault, signed, within_rate};
use crate::doctor::send::stage::{ARRIVAL, CUSTOMER, Stage, refused};

pub(super) const ROTATION: &str = "rotation";
pub(super) const LIMIT: &str = "limit";

/// The limit in webhooks per second.
const RATE: u32 = 1;
/// The number of events put at once.
const BURST: usize = 6;

/// Checks that both secrets sign for the requested time after a rotation.
pub(in crate::doctor::send) async fn rotation(stage: &Stage<'_>) -> Checked {
    let created = stage
        .subscribe(ROTATION, ROTATION, SubscriptionPatch::default())
        .await?;
    stage.ledger.api_call();
    let overlap = Rotation {
        overlap_seconds: Some(WholeNumber(3_600)),
        ..Rotation::default()
    };
    let rotate = stage
        .api
        .rotate_secret(CUSTOMER, &created.subscription.id, &overlap);
    let rotated = rotate.await.map_err(|error| refused("rotating", error))?;
    let detail = stage.detail(Map::new()).to_string();
    let message = stage.put(ROTATION, &detail).await?;
    let id = stage.delivery_id(ROTATION, message, &created)?;
    let arrivals = stage.arrivals(ROTATION, 1, ARRIVAL, &id).await?;
    let judged = if rotated.secret == created.secret {
        fault(
            "the rotation returned the old secret",
            "attach the report to an issue",
        )
    } else {
        signed(&arrivals[0], &[&rotated.secret, &created.secret])
            .map(|_| "both secrets sign during the overlap".to_owned())
    };
    Ok(vec![("rotation with overlap", judged)])
}

/// Checks that all webhooks arrive, and no more per second than the subscription permits.
pub(in crate::doctor::send) async fn limit(stage: &Stage<'_>) -> Checked {
    let fields = SubscriptionPatch {
        rate_limit_per_second: Nullable::Value(WholeNumber(RATE)),
        ..SubscriptionPatch::default()
    };
    let created = stage.subscribe(LIMIT, LIMIT, fields).await?;
    let put = (0..BURST).map(|number| {
        let mut members = Map::new();
        members.insert("number".to_owned(), json!(number));
        let detail = stage.detail(members).to_string();
        async move { stage.put(LIMIT, &detail).await }
    });
    let messages = try_join_all(put).await?;
    let mut ids = Vec::new();
    for message in messages {
        ids.push(stage.delivery_id(LIMIT, message, &created)?);
    }
    let within = ARRIVAL + Duration::from_mins(1);
    let arrivals = stage.arrivals(LIMIT, BURST, within, &ids[0]).await?;
    let at: Vec<_> = arrivals.iter().map(|arrival| arrival.at).collect();
    Ok(vec![(
        "limit of a subscription",
        within_rate(&at, RATE.into()),
    )])
}
