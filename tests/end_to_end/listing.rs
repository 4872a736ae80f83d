//! Lists of deliveries and of messages, through the API.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::json;
use webhooks_client::{
    Call, CreatedSubscription, DeliveriesQuery, Delivery, DeliveryStatus, ListLimit, MessageEntry,
    MessagesQuery, Page, PayloadFormat, UndeliveredFilter, UndeliveredQuery,
};
use webhooks_receiver::Answer;

use crate::fixture::{ALL_ATTEMPTS, Fixture};

const ORDERS: usize = 5;
const INVOICES: usize = 2;
const EVENTS: usize = ORDERS + INVOICES;

/// A customer with seven messages and three subscriptions: one received the orders, one failed for
/// all events, and one is paused.
struct Stage {
    test: Fixture,
    good: CreatedSubscription,
    bad: CreatedSubscription,
    paused: CreatedSubscription,
}

impl Stage {
    async fn new(topic: &str) -> Result<Self> {
        let test = Fixture::new(topic).await?;
        let good = test.subscribe("/good").await?;
        let failures = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
        test.receiver.script("/bad", vec![failures; EVENTS]);
        let all = json!({"eventTypes": ["*"], "retryPolicy": {"schedule": [0]}});
        let bad = test.subscribe_with("/bad", all).await?;
        let all = json!({"eventTypes": ["*"], "status": "paused"});
        let paused = test.subscribe_with("/paused", all).await?;
        for number in 0..EVENTS {
            let is_order = number % 3 != 2;
            let event_type = if is_order {
                "order.created"
            } else {
                "invoice.paid"
            };
            test.put(event_type, json!({"number": number})).await?;
        }
        for request in test.requests("/bad", EVENTS).await? {
            let is_ready = |message: &webhooks_client::Message| {
                let is_order = message.event_type == "order.created";
                let is_pending = |d: &Delivery| d.status == DeliveryStatus::Pending;
                message.deliveries.len() == if is_order { 3 } else { 2 }
                    && !message.deliveries.iter().any(is_pending)
            };
            let message = test
                .api
                .message_when(request.webhook_id(), ALL_ATTEMPTS, is_ready);
            message.await?;
        }
        Ok(Self {
            test,
            good,
            bad,
            paused,
        })
    }

    fn deliveries(
        &self,
        of: &CreatedSubscription,
        filter: &DeliveriesQuery,
    ) -> Call<'_, Page<Delivery>> {
        let api = &self.test.api;
        api.deliveries(&self.test.customer, &of.subscription.id, filter)
    }

    fn undelivered(
        &self,
        of: &CreatedSubscription,
        query: &DeliveriesQuery,
    ) -> Call<'_, Page<Delivery>> {
        let query = query.clone();
        let query = UndeliveredQuery {
            status: query.status.map(|status| match status {
                DeliveryStatus::Held => UndeliveredFilter::Held,
                other => panic!("no test lists undelivered deliveries that are {other}"),
            }),
            event_type: query.event_type,
            since: query.since,
            until: query.until,
            limit: query.limit,
            cursor: query.cursor,
        };
        let api = &self.test.api;
        api.undelivered(&self.test.customer, &of.subscription.id, &query)
    }

    fn of_customer(&self, filter: &DeliveriesQuery) -> Call<'_, Page<Delivery>> {
        let api = &self.test.api;
        api.deliveries_of_customer(&self.test.customer, filter)
    }

    fn messages(&self, query: &DeliveriesQuery) -> Call<'_, Page<MessageEntry>> {
        let query = messages_query(query.clone());
        self.test.api.messages(&self.test.customer, &query)
    }
}

fn messages_query(query: DeliveriesQuery) -> MessagesQuery {
    assert_eq!(query.status, None, "messages have no status");
    MessagesQuery {
        event_type: query.event_type,
        since: query.since,
        until: query.until,
        limit: query.limit,
        cursor: query.cursor,
    }
}

/// All entries of a list, read page by page.
async fn all_pages<'a, T: DeserializeOwned + 'a>(
    limit: usize,
    list: impl Fn(&DeliveriesQuery) -> Call<'a, Page<T>>,
) -> Result<Vec<T>> {
    let mut found = Vec::new();
    let mut query = pages_of(limit);
    for _ in 0..100 {
        let page = list(&query).await?;
        assert!(page.data.len() <= limit);
        found.extend(page.data);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return Ok(found);
        }
    }
    anyhow::bail!("the list does not end");
}

fn pages_of(limit: usize) -> DeliveriesQuery {
    DeliveriesQuery {
        limit: u32::try_from(limit).ok().map(ListLimit::up_to),
        ..DeliveriesQuery::default()
    }
}

/// Asserts that there are this many deliveries, each once, the newest first.
fn each_once_and_newest_first(deliveries: &[Delivery], count: usize) {
    let ids: BTreeSet<_> = deliveries.iter().map(|delivery| &delivery.id).collect();
    assert_eq!(
        (ids.len(), deliveries.len()),
        (count, count),
        "{deliveries:#?}"
    );
    assert!(
        deliveries.is_sorted_by(|one, next| one.created_at >= next.created_at),
        "{deliveries:#?}"
    );
}

fn statuses(deliveries: &[Delivery]) -> BTreeSet<String> {
    let statuses = deliveries
        .iter()
        .map(|delivery| delivery.status.to_string());
    statuses.collect()
}

#[tokio::test]
async fn every_list_shows_each_matching_entry_once() -> Result<()> {
    let stage = Stage::new("lists").await?;
    pages(&stage).await?;
    filters(&stage).await?;
    times(&stage).await?;
    body(&stage).await?;
    strangers(&stage).await
}

async fn pages(stage: &Stage) -> Result<()> {
    let good = all_pages(2, |page| stage.deliveries(&stage.good, page)).await?;
    each_once_and_newest_first(&good, ORDERS);
    assert_eq!(good[0].attempts.len(), 1, "attempts are shown");
    let page = stage.deliveries(&stage.good, &pages_of(2)).answer().await?;
    let page: serde_json::Value = page.read()?;
    assert_eq!(page["data"][0].get("body"), None, "bodies are not");
    let bad = all_pages(3, |page| stage.deliveries(&stage.bad, page)).await?;
    each_once_and_newest_first(&bad, EVENTS);

    let owed = all_pages(2, |page| stage.undelivered(&stage.good, page)).await?;
    each_once_and_newest_first(&owed, 0);
    for subscription in [&stage.bad, &stage.paused] {
        let owed = all_pages(2, |page| stage.undelivered(subscription, page)).await?;
        each_once_and_newest_first(&owed, EVENTS);
    }

    let all = all_pages(4, |page| stage.of_customer(page)).await?;
    let ids: BTreeSet<_> = all.iter().map(|delivery| &delivery.id).collect();
    assert_eq!(
        (ids.len(), all.len()),
        (ORDERS + 2 * EVENTS, ORDERS + 2 * EVENTS)
    );

    let messages = all_pages(2, |page| stage.messages(page)).await?;
    let ids: BTreeSet<_> = messages.iter().map(|message| &message.id).collect();
    assert_eq!(
        (ids.len(), messages.len()),
        (EVENTS, EVENTS),
        "{messages:#?}"
    );
    assert!(messages.is_sorted_by(|one, next| one.received_at >= next.received_at));
    // The list is grouped by message, in the same order.
    let mut of_messages: Vec<_> = all.iter().map(|delivery| &delivery.message_id).collect();
    of_messages.dedup();
    let listed: Vec<_> = messages.iter().map(|message| &message.id).collect();
    assert_eq!(of_messages, listed);
    for listed in &messages {
        let shown = stage.test.api.message(&listed.id).await?;
        assert_eq!(
            (&listed.time, &listed.event_type),
            (&shown.time, &shown.event_type)
        );
        assert_eq!(shown.received_at, listed.received_at);
        assert_eq!(listed.customer_id, stage.test.customer);
    }
    Ok(())
}

async fn filters(stage: &Stage) -> Result<()> {
    let only = |status, event_type: Option<&str>| DeliveriesQuery {
        status,
        event_type: event_type.map(str::to_owned),
        ..DeliveriesQuery::default()
    };
    let count = async |call: Call<'_, Page<Delivery>>| anyhow::Ok(call.await?.data.len());
    for (subscription, status, event_type, expected) in [
        (&stage.good, Some(DeliveryStatus::Succeeded), None, ORDERS),
        (&stage.good, Some(DeliveryStatus::Failed), None, 0),
        (&stage.bad, Some(DeliveryStatus::Failed), None, EVENTS),
        (&stage.bad, Some(DeliveryStatus::Held), None, 0),
        (&stage.bad, None, Some("invoice.paid"), INVOICES),
        (
            &stage.bad,
            Some(DeliveryStatus::Failed),
            Some("order.*"),
            ORDERS,
        ),
        (&stage.paused, Some(DeliveryStatus::Held), None, EVENTS),
        (&stage.paused, Some(DeliveryStatus::Pending), None, 0),
    ] {
        let filter = only(status, event_type);
        let listed = count(stage.deliveries(subscription, &filter)).await?;
        assert_eq!(listed, expected, "{filter:?}");
    }
    let held_invoices = only(Some(DeliveryStatus::Held), Some("invoice.*"));
    assert_eq!(
        count(stage.undelivered(&stage.paused, &held_invoices)).await?,
        INVOICES
    );
    let failed = stage
        .of_customer(&only(Some(DeliveryStatus::Failed), None))
        .await?;
    assert_eq!(failed.data.len(), EVENTS);
    assert_eq!(
        statuses(&failed.data),
        BTreeSet::from(["failed".to_owned()])
    );
    let invoices = stage.messages(&only(None, Some("invoice.paid"))).await?;
    assert_eq!(invoices.data.len(), INVOICES);
    Ok(())
}

/// `since` is inclusive and `until` is exclusive: the two parts make up the whole list.
async fn times(stage: &Stage) -> Result<()> {
    let since = |at: &str| DeliveriesQuery {
        since: Some(at.to_owned()),
        ..DeliveriesQuery::default()
    };
    let until = |at: &str| DeliveriesQuery {
        until: Some(at.to_owned()),
        ..DeliveriesQuery::default()
    };
    let all = stage
        .deliveries(&stage.bad, &DeliveriesQuery::default())
        .await?
        .data;
    let at = &all[EVENTS / 2].created_at;
    let later = stage.deliveries(&stage.bad, &since(at)).await?.data;
    let earlier = stage.deliveries(&stage.bad, &until(at)).await?.data;
    assert!(later.iter().all(|delivery| delivery.created_at >= *at) && !later.is_empty());
    assert!(earlier.iter().all(|delivery| delivery.created_at < *at) && !earlier.is_empty());
    assert_eq!(later.len() + earlier.len(), EVENTS);

    let all = stage.messages(&DeliveriesQuery::default()).await?.data;
    let at = &all[EVENTS / 2].received_at;
    let later = stage.messages(&since(at)).await?.data;
    let earlier = stage.messages(&until(at)).await?.data;
    assert!(later.iter().all(|message| message.received_at >= *at) && !later.is_empty());
    assert_eq!(later.len() + earlier.len(), EVENTS);
    let all = stage
        .of_customer(&DeliveriesQuery::default())
        .await?
        .data
        .len();
    let later = stage.of_customer(&since(at)).await?.data.len();
    let earlier = stage.of_customer(&until(at)).await?.data.len();
    assert_eq!(later + earlier, all);

    // A cursor from a page without the time range.
    let page = stage.deliveries(&stage.bad, &pages_of(EVENTS - 1)).await?;
    let cursor = page.next_cursor.context("one is left")?;
    let newest = &page.data[0].created_at;
    let query = DeliveriesQuery {
        cursor: Some(cursor),
        ..since(newest)
    };
    let rest = stage.deliveries(&stage.bad, &query);
    assert_eq!(
        rest.await?.data.len(),
        0,
        "the cursor is beyond the time range"
    );
    Ok(())
}

async fn body(stage: &Stage) -> Result<()> {
    let request = stage.test.first_request("/good").await?;
    let message = stage.test.api.message(request.webhook_id()).await?;
    let id = &message
        .delivery_to(&stage.good.subscription.id)
        .context("none")?
        .id;
    let shown = stage.test.api.delivery(id).await?;
    let body = shown.body.context("no body")?;
    assert_eq!(body.as_bytes(), &request.body[..]);
    assert_eq!(shown.delivery.payload_format, PayloadFormat::Standard);
    Ok(())
}

/// Another customer cannot read any of it, whichever ids and cursors it has.
async fn strangers(stage: &Stage) -> Result<()> {
    let api = &stage.test.api;
    let stranger = stage.test.another("stranger").await?;
    let stranger_subscription = stranger.subscribe("/its").await?;
    for subscription in [&stage.good, &stage.bad, &stage.paused] {
        let id = &subscription.subscription.id;
        for list in ["deliveries", "undelivered"] {
            let path = ["customers", &stranger.customer, "subscriptions", id, list];
            let answer = api.request(Method::GET, &path, &[], None).await?;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
        }
    }
    let from = |cursor: Option<String>| DeliveriesQuery {
        cursor,
        ..pages_of(2)
    };
    let theirs = stage.deliveries(&stage.bad, &pages_of(2)).await?;
    let listed = api.deliveries(
        &stranger.customer,
        &stranger_subscription.subscription.id,
        &from(theirs.next_cursor),
    );
    assert_eq!(listed.await?.data.len(), 0);
    let theirs = stage.messages(&pages_of(2)).await?;
    let query = messages_query(from(theirs.next_cursor));
    let listed = api.messages(&stranger.customer, &query);
    assert_eq!(listed.await?.data.len(), 0);
    // This cursor is between two deliveries of one message.
    let theirs = stage.of_customer(&pages_of(1)).await?;
    let listed = api.deliveries_of_customer(&stranger.customer, &from(theirs.next_cursor));
    assert_eq!(listed.await?.data.len(), 0);
    Ok(())
}
