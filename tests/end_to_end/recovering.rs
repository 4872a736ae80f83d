//! Recoveries: background jobs that resend missed deliveries, or send messages that were never
//! delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::{
    CreatedSubscription, DeliveriesQuery, Delivery, DeliveryReason, DeliveryStatus,
    DeliveryTrigger, HeldFate, ListLimit, MessagesQuery, Recover, RecoveriesQuery, Recovery,
    RecoveryKind, RecoveryStatus, UndeliveredStatus, WholeNumber,
};
use webhooks_domain::timestamp::Timestamp;
use webhooks_dynamodb::key::recovery_key;
use webhooks_receiver::Answer;
use webhooks_testkit::samples;

use crate::command_line::webhooks;
use crate::fixture::{ALL_ATTEMPTS, ARRIVAL, Fixture, POLL_INTERVAL};

fn server_error() -> Answer {
    Answer::status(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A request for the deliveries of the last ten minutes, sent at this rate.
fn last_ten_minutes(per_second: u32) -> Recover {
    let now = Timestamp::from(SystemTime::now());
    Recover {
        since: (now - Duration::from_mins(10)).to_string(),
        per_second: Some(WholeNumber(per_second)),
        ..Recover::default()
    }
}

/// A subscription whose deliveries fail at their only attempt.
async fn broken(test: &Fixture, path: &str) -> Result<CreatedSubscription> {
    test.receiver.script(path, [server_error()]);
    let policy = json!({"retryPolicy": {"schedule": [0]}});
    test.subscribe_with(path, policy).await
}

/// A subscription with this many undelivered messages: it was paused when the events came, and is
/// active now. (With a failing endpoint its circuit breaker would open.)
async fn with_undelivered(test: &Fixture, path: &str, count: usize) -> Result<CreatedSubscription> {
    let created = test
        .subscribe_with(path, json!({"status": "paused"}))
        .await?;
    put(test, "order.created", count).await?;
    deliveries(test, &created, DeliveryStatus::Held, count).await?;
    test.api
        .enable_subscription(
            &test.customer,
            &created.subscription.id,
            Some(HeldFate::Keep),
        )
        .await?;
    Ok(created)
}

/// Puts this many events, each with its number.
async fn put(test: &Fixture, event_type: &str, count: usize) -> Result<()> {
    let numbers: Vec<_> = (0..count).collect();
    for numbers in numbers.chunks(10) {
        let events = numbers.iter();
        let events = events.map(|n| test.event(event_type, json!({"order": n})));
        let events: Vec<_> = events.collect();
        test.stack.put_events(&events).await?;
    }
    Ok(())
}

/// Waits until this many deliveries of the subscription have this status, and returns them.
async fn deliveries(
    test: &Fixture,
    to: &CreatedSubscription,
    status: DeliveryStatus,
    count: usize,
) -> Result<Vec<Delivery>> {
    let deadline = Instant::now() + ALL_ATTEMPTS;
    let mut query = DeliveriesQuery {
        status: Some(status),
        limit: Some(ListLimit::LARGEST),
        ..DeliveriesQuery::default()
    };
    loop {
        let mut found = Vec::new();
        loop {
            let (customer, subscription) = (&test.customer, &to.subscription.id);
            let page = test.api.deliveries(customer, subscription, &query).await?;
            found.extend(page.data);
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        if found.len() >= count {
            return Ok(found);
        }
        let found = found.len();
        ensure!(Instant::now() < deadline, "{found} of {count} are {status}");
        sleep(POLL_INTERVAL).await;
    }
}

async fn start(
    test: &Fixture,
    kind: RecoveryKind,
    to: &CreatedSubscription,
    request: &Recover,
) -> Result<Recovery> {
    let (customer, subscription) = (&test.customer, &to.subscription.id);
    let recovery = test
        .api
        .start_recovery(kind, customer, subscription, request);
    Ok(recovery.await?)
}

/// Waits until a recovery has ended.
async fn ended(test: &Fixture, to: &CreatedSubscription, id: &str) -> Result<Recovery> {
    let deadline = Instant::now() + ALL_ATTEMPTS;
    loop {
        let recovery = test
            .api
            .recovery(&test.customer, &to.subscription.id, id)
            .await?;
        if recovery.status.is_terminal() {
            return Ok(recovery);
        }
        ensure!(Instant::now() < deadline, "goes on: {recovery:#?}");
        sleep(POLL_INTERVAL).await;
    }
}

fn counts(recovery: &Recovery) -> (u64, u64, u64) {
    (recovery.examined, recovery.queued, recovery.skipped)
}

/// The bodies of the requests to an endpoint after the first `skip`, by webhook id.
fn bodies_after(test: &Fixture, path: &str, skip: usize) -> BTreeMap<String, Bytes> {
    let requests = test.receiver.requests_to(path);
    let after = requests.iter().skip(skip);
    after
        .map(|request| (request.webhook_id().to_owned(), request.body.clone()))
        .collect()
}

#[tokio::test]
async fn deliveries_that_failed_in_an_outage_arrive_once_with_the_same_id_and_body() -> Result<()> {
    const COUNT: usize = 5;
    let test = Fixture::new("recover").await?;
    let created = broken(&test, "/a").await?;
    put(&test, "order.created", COUNT).await?;
    test.requests("/a", COUNT).await?;
    deliveries(&test, &created, DeliveryStatus::Failed, COUNT).await?;
    let before = bodies_after(&test, "/a", 0);
    assert_eq!(before.len(), COUNT);

    test.receiver.script("/a", [Answer::ok()]);
    let subscription = &created.subscription.id;
    let request = last_ten_minutes(10);
    let count = test
        .api
        .count_recovery(
            RecoveryKind::Recover,
            &test.customer,
            subscription,
            &request,
        )
        .await?;
    assert_eq!((count.count, count.complete), (COUNT as u64, true));
    assert_eq!(test.receiver.requests_to("/a").len(), COUNT);

    let recovery = start(&test, RecoveryKind::Recover, &created, &request).await?;
    assert_eq!(recovery.status, RecoveryStatus::Running, "{recovery:#?}");
    test.requests("/a", 2 * COUNT).await?;
    assert_eq!(bodies_after(&test, "/a", COUNT), before);
    let ended = ended(&test, &created, &recovery.id).await?;
    assert_eq!(ended.status, RecoveryStatus::Succeeded, "{ended:#?}");
    assert_eq!(counts(&ended), (5, 5, 0), "{ended:#?}");
    let sent = deliveries(&test, &created, DeliveryStatus::Succeeded, COUNT).await?;
    assert!(sent.iter().all(|delivery| delivery.attempts.len() == 2));
    assert_eq!(test.receiver.requests_to("/a").len(), 2 * COUNT);

    let again = start(
        &test,
        RecoveryKind::Recover,
        &created,
        &last_ten_minutes(10),
    )
    .await?;
    let again = self::ended(&test, &created, &again.id).await?;
    assert_eq!(counts(&again), (0, 0, 0), "no delivery is left to recover");
    let list = test
        .api
        .recoveries(&test.customer, subscription, &RecoveriesQuery::default())
        .await?;
    let ids: Vec<_> = list.data.iter().map(|recovery| &recovery.id).collect();
    assert_eq!(ids, [&again.id, &recovery.id], "newest first");
    Ok(())
}

#[tokio::test]
async fn held_deliveries_are_sent_after_enable_and_recover() -> Result<()> {
    let test = Fixture::new("recover-held").await?;
    let created = test.subscribe("/a").await?;
    let subscription = &created.subscription.id;
    let pause = json!({"status": "paused"});
    test.api
        .update_subscription(&test.customer, subscription, &pause)
        .await?;
    put(&test, "order.created", 3).await?;
    deliveries(&test, &created, DeliveryStatus::Held, 3).await?;
    let refused = test
        .api
        .start_recovery(
            RecoveryKind::Recover,
            &test.customer,
            subscription,
            &last_ten_minutes(10),
        )
        .answer()
        .await?;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text());
    let kind = refused.problem().map(|problem| problem.kind);
    let not_active = "urn:webhooks:problem:subscription-not-active";
    assert_eq!(kind.as_deref(), Some(not_active));

    test.api
        .enable_subscription(&test.customer, subscription, Some(HeldFate::Keep))
        .await?;
    let held = Recover {
        statuses: Some(vec![UndeliveredStatus::Held]),
        ..last_ten_minutes(10)
    };
    let recovery = start(&test, RecoveryKind::Recover, &created, &held).await?;
    let requests = test.requests("/a", 3).await?;
    let ids: BTreeSet<_> = requests.iter().map(|r| r.webhook_id()).collect();
    assert_eq!(ids.len(), 3);
    let ended = ended(&test, &created, &recovery.id).await?;
    assert_eq!(ended.status, RecoveryStatus::Succeeded, "{ended:#?}");
    deliveries(&test, &created, DeliveryStatus::Succeeded, 3).await?;
    Ok(())
}

#[tokio::test]
async fn what_was_held_is_sent_by_itself_when_the_subscription_is_enabled() -> Result<()> {
    let test = Fixture::new("release").await?;
    let paused = json!({"status": "paused"});
    let created = test.subscribe_with("/a", paused).await?;
    let subscription = &created.subscription.id;
    put(&test, "order.created", 3).await?;
    deliveries(&test, &created, DeliveryStatus::Held, 3).await?;
    let enable = async || {
        let enabled = test
            .api
            .enable_subscription(&test.customer, subscription, None)
            .await?;
        enabled.recovery.context("a recovery")
    };
    let recovery = enable().await?;
    assert_eq!(recovery.kind, RecoveryKind::Recover);
    assert_eq!(recovery.statuses, Some(vec![UndeliveredStatus::Held]));
    assert_eq!(enable().await?.id, recovery.id, "a repeated request");
    let ended = ended(&test, &created, &recovery.id).await?;
    assert_eq!(ended.status, RecoveryStatus::Succeeded, "{ended:#?}");
    deliveries(&test, &created, DeliveryStatus::Succeeded, 3).await?;
    assert_eq!(test.receiver.requests_to("/a").len(), 3);
    assert_eq!(enable().await?.id, recovery.id, "after its end");
    let all = test
        .api
        .recoveries(&test.customer, subscription, &RecoveriesQuery::default())
        .await?;
    assert_eq!(all.data.len(), 1, "{all:#?}");
    let shown = test.api.subscription(&test.customer, subscription).await?;
    assert_eq!(shown.recovery, None, "only requests that activate name it");
    Ok(())
}

#[tokio::test]
async fn what_was_held_can_be_kept_or_discarded() -> Result<()> {
    let test = Fixture::new("discard").await?;
    let paused = json!({"status": "paused"});
    let created = test.subscribe_with("/a", paused.clone()).await?;
    let subscription = created.subscription.id.as_str();
    put(&test, "order.created", 3).await?;
    deliveries(&test, &created, DeliveryStatus::Held, 3).await?;
    let change = async |change: &Value| {
        let changed = test
            .api
            .update_subscription(&test.customer, subscription, change);
        Ok::<_, anyhow::Error>(changed.await?)
    };
    let keep = json!({"status": "active", "held": "keep"});
    assert_eq!(change(&keep).await?.recovery, None);
    deliveries(&test, &created, DeliveryStatus::Held, 3).await?;
    change(&paused).await?;
    let discard = [
        "subscriptions",
        "enable",
        &test.customer,
        subscription,
        "--held",
        "discard",
    ];
    let (_, enabled) = webhooks(&discard).await?;
    assert_eq!(enabled["recovery"]["kind"], "discard", "{enabled:#}");
    let id = enabled["recovery"]["id"].as_str().context("an id")?;
    let ended = ended(&test, &created, id).await?;
    assert_eq!(ended.status, RecoveryStatus::Succeeded, "{ended:#?}");
    assert_eq!(counts(&ended), (3, 3, 0), "{ended:#?}");
    let cancelled = deliveries(&test, &created, DeliveryStatus::Cancelled, 3).await?;
    for delivery in cancelled {
        assert_eq!(delivery.reason, Some(DeliveryReason::Discarded));
    }
    assert!(test.receiver.requests_to("/a").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_replay_after_a_change_sends_exactly_what_is_missing() -> Result<()> {
    let test = Fixture::new("replay").await?;
    let created = test
        .subscribe_with("/a", json!({"filter": {"country": ["CH"]}}))
        .await?;
    for country in ["CH", "AT", "AT", "DE"] {
        test.put("order.created", json!({"country": country}))
            .await?;
    }
    test.put("invoice.paid", json!({"country": "AT"})).await?;
    test.first_request("/a").await?;
    let stored = async || {
        let messages = test
            .api
            .messages(&test.customer, &MessagesQuery::default())
            .await?;
        Ok::<_, anyhow::Error>(messages.data.len())
    };
    let deadline = Instant::now() + ARRIVAL;
    while stored().await? < 5 {
        ensure!(Instant::now() < deadline, "five messages are stored");
        sleep(POLL_INTERVAL).await;
    }
    assert_eq!(test.receiver.requests_to("/a").len(), 1);

    let subscription = &created.subscription.id;
    let wider = json!({"filter": {"country": ["CH", "AT"]}});
    test.api
        .update_subscription(&test.customer, subscription, &wider)
        .await?;
    let count = test
        .api
        .count_recovery(
            RecoveryKind::Replay,
            &test.customer,
            subscription,
            &last_ten_minutes(10),
        )
        .await?;
    assert_eq!((count.count, count.complete), (2, true));
    let replay = start(&test, RecoveryKind::Replay, &created, &last_ten_minutes(10)).await?;
    let ended = ended(&test, &created, &replay.id).await?;
    assert_eq!(ended.status, RecoveryStatus::Succeeded, "{ended:#?}");
    assert_eq!(counts(&ended), (5, 2, 3), "{ended:#?}");
    let requests = test.requests("/a", 3).await?;
    for request in &requests[1..] {
        let body: Value = serde_json::from_slice(&request.body)?;
        assert_eq!(body["data"]["country"], "AT", "{body}");
        request.verify(&created.secret)?;
    }
    assert_ne!(requests[1].webhook_id(), requests[2].webhook_id());
    let replayed = test.settled_delivery(requests[1].webhook_id(), &created);
    assert_eq!(replayed.await?.trigger, DeliveryTrigger::Replay);
    deliveries(&test, &created, DeliveryStatus::Succeeded, 3).await?;
    assert_eq!(test.receiver.requests_to("/a").len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_stopped_recovery_sends_only_the_page_that_it_has_handed_out() -> Result<()> {
    const COUNT: usize = 40;
    let test = Fixture::new("stop").await?;
    let created = with_undelivered(&test, "/a", COUNT).await?;
    let subscription = &created.subscription.id;
    let recovery = start(&test, RecoveryKind::Recover, &created, &last_ten_minutes(1)).await?;
    test.first_request("/a").await?;
    let stopping = test
        .api
        .stop_recovery(&test.customer, subscription, &recovery.id)
        .await?;
    assert_eq!(stopping.status, RecoveryStatus::Stopping, "{stopping:#?}");
    let stopped = ended(&test, &created, &recovery.id).await?;
    assert_eq!(stopped.status, RecoveryStatus::Stopped, "{stopped:#?}");
    // The number of webhooks in half a minute at one a second: a page that was already handed out.
    assert_eq!(counts(&stopped), (30, 30, 0), "{stopped:#?}");
    deliveries(&test, &created, DeliveryStatus::Succeeded, 30).await?;
    let left = deliveries(&test, &created, DeliveryStatus::Held, COUNT - 30).await?;
    assert_eq!(left.len(), COUNT - 30);
    assert_eq!(test.receiver.requests_to("/a").len(), 30);
    Ok(())
}

#[tokio::test]
async fn a_recovery_sends_at_the_requested_rate() -> Result<()> {
    const COUNT: usize = 200;
    const PER_SECOND: u32 = 20;
    let test = Fixture::new("rate").await?;
    let created = with_undelivered(&test, "/a", COUNT).await?;
    let recovery = start(
        &test,
        RecoveryKind::Recover,
        &created,
        &last_ten_minutes(PER_SECOND),
    )
    .await?;
    let requests = test.requests("/a", COUNT).await?;
    let first = requests[0].received_at;
    // The queue delays by whole seconds, so no request comes before its second.
    for (sent, request) in (0_u32..).zip(&requests) {
        let passed = request.received_at.duration_since(first)?;
        let at_least = Duration::from_secs(1) * (sent / PER_SECOND);
        assert!(
            passed + Duration::from_secs(2) > at_least,
            "{sent} within {passed:?}"
        );
    }
    let ended = ended(&test, &created, &recovery.id).await?;
    assert_eq!(counts(&ended), (200, 200, 0), "{ended:#?}");
    let ids: BTreeSet<_> = requests.iter().map(|r| r.webhook_id()).collect();
    assert_eq!(ids.len(), COUNT, "each once");
    Ok(())
}

#[tokio::test]
async fn a_recovery_whose_page_fails_on_every_attempt_is_shown_as_failed() -> Result<()> {
    let test = Fixture::new("recover-dies").await?;
    let created = test.subscribe("/a").await?;
    let [sample, _] = samples::recoveries(&test.customer);
    let recovery = webhooks_domain::recovery::Recovery {
        subscription_id: created.subscription.id.parse()?,
        ..sample
    };
    let input = json!({
        "customerId": test.customer,
        "subscriptionId": created.subscription.id,
        "recoveryId": recovery.id,
    });
    // An item that no function can read.
    let table = test.stack.output("TableName")?;
    let dynamodb = aws_sdk_dynamodb::Client::new(test.stack.sdk_config());
    let string = |text: &str| AttributeValue::S(text.to_owned());
    let (pk, sk) = recovery_key(&recovery.key());
    let key = |name: &str| string(if name == "pk" { &pk } else { &sk });
    dynamodb
        .put_item()
        .table_name(table)
        .item("pk", key("pk"))
        .item("sk", key("sk"))
        .item("status", string("running"))
        .item("version", AttributeValue::N("1".to_owned()))
        .send()
        .await?;
    let workflow = aws_sdk_sfn::Client::new(test.stack.sdk_config());
    let execution = workflow
        .start_execution()
        .state_machine_arn(test.stack.output("RecoveryStateMachineArn")?)
        .input(input.to_string())
        .send()
        .await?
        .execution_arn;
    let ended = test.execution_end(&execution).await?;
    // Its failure is recorded, so the execution itself succeeds.
    assert_eq!(ended.status, webhooks_client::ExecutionStatus::Succeeded);
    let item = dynamodb
        .get_item()
        .table_name(table)
        .key("pk", key("pk"))
        .key("sk", key("sk"))
        .consistent_read(true)
        .send()
        .await?
        .item
        .context("it is there")?;
    assert_eq!(item["status"], string("failed"));
    assert_eq!(item["version"], AttributeValue::N("2".to_owned()));
    Ok(())
}

#[tokio::test]
async fn an_unknown_recovery_or_a_bad_request_is_refused() -> Result<()> {
    let test = Fixture::new("recover-bad").await?;
    let created = test.subscribe("/a").await?;
    let id = created.subscription.id.as_str();
    let recovery = "rec_00000000000000000000000000000001";
    let of = |customer: &str, rest: &[&str]| -> Vec<String> {
        let path = ["customers", customer, "subscriptions", id];
        let path = path.iter().chain(rest);
        path.map(|segment| (*segment).to_owned()).collect()
    };
    let mine = test.customer.as_str();
    let since = "2026-01-01T00:00:00Z";
    for (method, path, body, status, field) in [
        (
            "POST",
            of(mine, &["recover"]),
            json!({}),
            422,
            Some("since"),
        ),
        ("POST", of(mine, &["recover"]), json!([]), 422, Some("body")),
        (
            "POST",
            of(mine, &["replay"]),
            json!({"since": since, "statuses": ["held"]}),
            422,
            Some("statuses"),
        ),
        (
            "POST",
            of(mine, &["recover"]),
            json!({"since": since, "perSecond": 101}),
            422,
            Some("perSecond"),
        ),
        (
            "POST",
            of("nobody", &["recover"]),
            json!({"since": since}),
            404,
            None,
        ),
        ("GET", of("nobody", &["recoveries"]), Value::Null, 404, None),
        (
            "GET",
            of(mine, &["recoveries", recovery]),
            Value::Null,
            404,
            None,
        ),
        (
            "GET",
            of(mine, &["recoveries", "rec_1"]),
            Value::Null,
            400,
            Some("recoveryId"),
        ),
        (
            "POST",
            of(mine, &["recoveries", recovery, "stop"]),
            Value::Null,
            404,
            None,
        ),
    ] {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let body = Some(&body).filter(|body| !body.is_null());
        let answer = test.api.request(method.parse()?, &path, &[], body).await?;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{path:?}: {}",
            answer.text()
        );
        let problem = answer.problem().context("it is a problem")?;
        assert_eq!(problem.field.as_deref(), field, "{path:?}");
    }
    Ok(())
}
