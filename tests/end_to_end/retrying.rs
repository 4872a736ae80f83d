//! Failing endpoints, and the statuses of their deliveries.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::Result;
use http::header::{LOCATION, SERVER, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use webhooks_client::{
    AttemptOutcome, CreatedSubscription, Delivery, DeliveryStatus, SubscriptionStatus,
};
use webhooks_receiver::{Answer, Receiver};

use crate::fixture::{ALL_ATTEMPTS, Fixture};

fn outcomes(delivery: &Delivery) -> Vec<AttemptOutcome> {
    delivery.attempts.iter().map(|a| a.outcome).collect()
}

fn server_error() -> Answer {
    Answer::status(StatusCode::INTERNAL_SERVER_ERROR)
}

#[tokio::test]
async fn an_endpoint_that_fails_twice_gets_its_delivery() -> Result<()> {
    let test = Fixture::new("recovers").await?;
    let failure = server_error()
        .with_body("out of stock")
        .with_header(SERVER, HeaderValue::from_static("shop/1.0"))
        .with_header(SET_COOKIE, HeaderValue::from_static("session=s3cret"));
    test.receiver.script(
        "/a",
        [failure.clone(), failure, Answer::ok().with_body("not json")],
    );
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;

    let requests = test.requests("/a", 3).await?;
    let id = requests[0].webhook_id();
    let delivery = test.settled_delivery(id, &created).await?;
    assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
    let numbers: Vec<_> = delivery.attempts.iter().map(|a| a.number).collect();
    assert_eq!(numbers, [1, 2, 3], "{delivery:#?}");
    let statuses: Vec<_> = delivery.attempts.iter().map(|a| a.status).collect();
    assert_eq!(statuses, [Some(500), Some(500), Some(200)], "{delivery:#?}");
    assert_eq!(
        outcomes(&delivery),
        [
            AttemptOutcome::HttpError,
            AttemptOutcome::HttpError,
            AttemptOutcome::Succeeded
        ],
        "{delivery:#?}"
    );
    let excerpt = delivery.attempts[0].response_excerpt.as_deref();
    assert_eq!(excerpt, Some("out of stock"), "{delivery:#?}");
    assert_eq!(delivery.attempts[0].addresses, ["127.0.0.1"]);
    let headers = json!(delivery.attempts[0].response_headers);
    assert_eq!(headers, json!({"server": "shop/1.0"}));
    assert!(delivery.attempts.is_sorted_by(|one, next| one.at < next.at));
    assert!(delivery.next_attempt_at.is_none(), "{delivery:#?}");
    assert_eq!(test.receiver.requests_to("/a").len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_is_down_gets_its_delivery_when_it_is_back() -> Result<()> {
    let test = Fixture::new("down").await?;
    // Reserves the receiver's port before it listens.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let url = format!("http://127.0.0.1:{port}/a");
    let created = test.subscribe_with("/a", json!({"url": url})).await?;
    // The second endpoint receives the message, so the test learns its id.
    test.subscribe("/up").await?;
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/up").await?;
    let tried_twice = |message: &webhooks_client::Message| {
        message
            .delivery_to(&created.subscription.id)
            .is_some_and(|delivery| delivery.attempts.len() >= 2)
    };
    test.api
        .message_when(request.webhook_id(), ALL_ATTEMPTS, tried_twice)
        .await?;
    let receiver = Receiver::start_on(port).await?;
    let arrived = receiver.received("/a", 1, ALL_ATTEMPTS).await?;
    arrived[0].verify(&created.secret)?;

    let id = request.webhook_id();
    assert_eq!(arrived[0].webhook_id(), id);
    let delivery = test.settled_delivery(id, &created).await?;
    assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
    let (last, before) = delivery.attempts.split_last().unwrap();
    assert_eq!(last.outcome, AttemptOutcome::Succeeded, "{delivery:#?}");
    for attempt in before {
        assert_eq!(
            attempt.outcome,
            AttemptOutcome::Unreachable,
            "{delivery:#?}"
        );
        assert_eq!(attempt.status, None, "{delivery:#?}");
        assert!(attempt.error.is_some(), "{delivery:#?}");
    }
    assert_eq!(receiver.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_delivery_to_an_endpoint_that_never_recovers_fails() -> Result<()> {
    let test = Fixture::new("exhausted").await?;
    test.receiver.script("/a", [server_error()]);
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/a").await?;
    let delivery = test
        .settled_delivery(request.webhook_id(), &created)
        .await?;
    assert_eq!(delivery.status, DeliveryStatus::Failed, "{delivery:#?}");
    assert!(delivery.reason.is_some(), "{delivery:#?}");
    assert!(delivery.attempts.len() >= 3, "{delivery:#?}");
    let sent = test.receiver.requests_to("/a").len();
    assert_eq!(sent, delivery.attempts.len(), "{delivery:#?}");
    let subscription = &created.subscription;
    let after = test
        .api
        .subscription(&test.customer, &subscription.id)
        .await?;
    assert_eq!(after.status, SubscriptionStatus::Active);
    Ok(())
}

#[tokio::test]
async fn only_200_to_299_is_success() -> Result<()> {
    let test = Fixture::new("statuses").await?;
    let failing = [300, 304, 400, 401, 404, 409, 429, 500, 503, 599];
    let succeeding = [200, 201, 202, 204, 299];
    let mut subscriptions = Vec::new();
    for status in failing.into_iter().chain(succeeding) {
        let path = format!("/{status}");
        let answer = Answer::status(StatusCode::from_u16(status)?);
        test.receiver.script(&path, [answer, Answer::ok()]);
        subscriptions.push((status, test.subscribe(&path).await?));
    }
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/200").await?;
    let message = test.settled(request.webhook_id()).await?;
    for (status, created) in subscriptions {
        let delivery = message.delivery_to(&created.subscription.id).unwrap();
        assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
        let recorded: Vec<_> = delivery.attempts.iter().map(|a| a.status).collect();
        if succeeding.contains(&status) {
            assert_eq!(recorded, [Some(status)], "{delivery:#?}");
        } else {
            assert_eq!(recorded, [Some(status), Some(200)], "{delivery:#?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() -> Result<()> {
    let test = Fixture::new("redirect").await?;
    let location = HeaderValue::from_str(&test.receiver.url("/elsewhere"))?;
    let redirect = Answer::status(StatusCode::FOUND).with_header(LOCATION, location);
    test.receiver.script("/a", [redirect, Answer::ok()]);
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;

    let requests = test.requests("/a", 2).await?;
    let id = requests[0].webhook_id();
    let delivery = test.settled_delivery(id, &created).await?;
    assert_eq!(delivery.attempts[0].status, Some(302), "{delivery:#?}");
    assert_eq!(delivery.attempts[0].outcome, AttemptOutcome::HttpError);
    assert!(test.receiver.requests_to("/elsewhere").is_empty());
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_is_gone_ends_the_delivery() -> Result<()> {
    let test = Fixture::new("gone").await?;
    test.receiver
        .script("/a", [Answer::status(StatusCode::GONE)]);
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/a").await?;
    let delivery = test
        .settled_delivery(request.webhook_id(), &created)
        .await?;
    assert_eq!(delivery.status, DeliveryStatus::Failed, "{delivery:#?}");
    assert_eq!(delivery.attempts.len(), 1, "{delivery:#?}");
    assert_eq!(delivery.attempts[0].status, Some(410), "{delivery:#?}");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_is_gone_disables_the_subscription() -> Result<()> {
    let test = Fixture::new("disabled").await?;
    test.receiver
        .script("/a", [Answer::status(StatusCode::GONE)]);
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/a").await?;
    test.settled(request.webhook_id()).await?;
    let id = &created.subscription.id;
    let subscription = test.api.subscription(&test.customer, id).await?;
    assert_eq!(subscription.status, SubscriptionStatus::Disabled);
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_times_out() -> Result<()> {
    let test = Fixture::new("silent").await?;
    test.receiver.script("/a", [Answer::never(), Answer::ok()]);
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;

    let requests = test.requests("/a", 2).await?;
    let id = requests[0].webhook_id();
    let delivery = test.settled_delivery(id, &created).await?;
    assert_eq!(
        outcomes(&delivery),
        [AttemptOutcome::TimedOut, AttemptOutcome::Succeeded],
        "{delivery:#?}"
    );
    assert!(delivery.attempts[0].duration_ms >= 900, "{delivery:#?}");
    Ok(())
}

#[tokio::test]
async fn a_subscriptions_own_timeout_limits_its_attempts() -> Result<()> {
    let test = Fixture::new("own-timeout").await?;
    let slow = || Answer::ok().after(Duration::from_millis(1_900));
    test.receiver.script("/impatient", [slow(), Answer::ok()]);
    test.receiver.script("/patient", [slow()]);
    let impatient = test
        .subscribe_with("/impatient", json!({"timeoutSeconds": 1}))
        .await?;
    let patient = test.subscribe("/patient").await?;
    test.put("order.created", json!({})).await?;

    let requests = test.requests("/impatient", 2).await?;
    let message = test.settled(requests[0].webhook_id()).await?;
    let to = |created: &CreatedSubscription| message.delivery_to(&created.subscription.id).unwrap();
    let cut = to(&impatient);
    assert_eq!(
        outcomes(cut),
        [AttemptOutcome::TimedOut, AttemptOutcome::Succeeded],
        "{cut:#?}"
    );
    let error = cut.attempts[0].error.as_deref();
    assert_eq!(error, Some("response: no headers within 1000 ms"));
    let answered = to(&patient);
    assert_eq!(
        outcomes(answered),
        [AttemptOutcome::Succeeded],
        "{answered:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_subscription_deleted_between_attempts_cancels_the_delivery() -> Result<()> {
    let test = Fixture::new("cancelled").await?;
    test.receiver.script("/a", [server_error().on_release()]);
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/a").await?;
    test.api
        .delete_subscription(&test.customer, &created.subscription.id)
        .await?;
    test.receiver.release();
    let delivery = test
        .settled_delivery(request.webhook_id(), &created)
        .await?;
    assert_eq!(delivery.status, DeliveryStatus::Cancelled, "{delivery:#?}");
    assert_eq!(delivery.attempts.len(), 1, "{delivery:#?}");
    assert_eq!(test.receiver.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_subscription_paused_between_attempts_holds_the_delivery() -> Result<()> {
    let test = Fixture::new("held").await?;
    test.receiver.script("/a", [server_error().on_release()]);
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({})).await?;

    let request = test.first_request("/a").await?;
    let id = &created.subscription.id;
    test.api
        .update_subscription(&test.customer, id, &json!({"status": "paused"}))
        .await?;
    test.receiver.release();
    let delivery = test
        .settled_delivery(request.webhook_id(), &created)
        .await?;
    assert_eq!(delivery.status, DeliveryStatus::Held, "{delivery:#?}");
    assert_eq!(delivery.attempts.len(), 1, "{delivery:#?}");
    assert_eq!(test.receiver.requests().len(), 1);
    Ok(())
}
