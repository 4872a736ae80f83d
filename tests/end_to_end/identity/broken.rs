//! Items of which some attributes cannot be read.

use anyhow::Result;
use aws_sdk_dynamodb::types::AttributeValue;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhooks_client::{
    DeliveryStatus, Error, ListLimit, Recover, RecoveryKind, SubscriptionsQuery,
};
use webhooks_receiver::Answer;

use super::{ask, delivery_key, message_key, overwrite, shown, status, subscription_key};
use crate::command_line::webhooks;
use crate::fixture::Fixture;

#[tokio::test]
async fn an_unreadable_subscription_blocks_no_other_and_can_be_repaired() -> Result<()> {
    let test = Fixture::new("broken").await?;
    let good = test.subscribe("/good").await?;
    let bad = test.subscribe("/bad").await?;
    let gone = test.subscribe("/gone").await?;
    let customer = test.customer.as_str();
    let (bad_id, gone_id) = (&bad.subscription.id, &gone.subscription.id);
    for id in [bad_id, gone_id] {
        let no_url = AttributeValue::S("not a url".to_owned());
        overwrite(&test, subscription_key(&test, id), "url", no_url).await?;
    }

    test.put("order.created", json!({"n": 1})).await?;
    let request = test.first_request("/good").await?;
    let message = request.webhook_id();
    let delivery = test.settled_delivery(message, &good).await?;
    assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
    let failed = test.settled_delivery(message, &bad).await?;
    assert_eq!(failed.status, DeliveryStatus::Failed, "{failed:#?}");
    assert!(failed.reason.is_some(), "{failed:#?}");

    let list = shown(&test, &["customers", customer, "subscriptions"]).await?;
    assert_eq!(list["data"][0]["id"], good.subscription.id, "{list:#}");
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "{list:#}");
    let broken = list["broken"].as_array().unwrap();
    assert_eq!(broken.len(), 2, "{list:#}");
    for shown in broken {
        let problem = shown["problem"].as_str().unwrap();
        assert!(problem.contains("url"), "{list:#}");
        assert!(shown.get("url").is_none(), "{list:#}");
    }

    let path = ["customers", customer, "subscriptions", bad_id];
    let one = shown(&test, &path).await?;
    assert!(broken.contains(&one), "same as in the list: {one:#}");
    let page = test
        .api
        .subscriptions(customer, &SubscriptionsQuery::default())
        .await?;
    assert_eq!((page.data.len(), page.broken.len()), (1, 2));
    let Err(Error::Broken(read)) = test.api.subscription(customer, bad_id).await else {
        panic!("a subscription that cannot be read: {one:#}");
    };
    assert!(page.broken.contains(&read), "{read:?}");
    let (_, by_command) = webhooks(&["subscriptions", "show", customer, bad_id]).await?;
    assert_eq!(by_command, one);
    let (_, by_command) = webhooks(&["subscriptions", "list", customer]).await?;
    assert_eq!(by_command["broken"], list["broken"]);
    let owed = [&path[..], &["deliveries"]].concat();
    assert_eq!(shown(&test, &owed).await?["data"][0]["id"], failed.id);
    // Operations that would send to it are refused with the reason; its past deliveries are shown.
    let since = json!({"since": "2026-01-01T00:00:00Z"});
    let count = json!({"since": "2026-01-01T00:00:00Z", "dryRun": true});
    for (path, body) in [
        ([&path[..], &["recover"]].concat(), Some(&since)),
        ([&path[..], &["recover"]].concat(), Some(&count)),
        ([&path[..], &["replay"]].concat(), Some(&since)),
        ([&path[..], &["test"]].concat(), None),
        (vec!["deliveries", &failed.id, "resend"], None),
    ] {
        let refused = test.api.request(Method::POST, &path, &[], body).await?;
        let words = refused.text();
        assert_eq!(refused.status, StatusCode::CONFLICT, "{path:?}: {words}");
        assert!(words.contains("subscription-broken"), "{path:?}: {words}");
        assert!(words.contains(bad_id), "{path:?}: {words}");
        assert!(words.contains("url: is not a URL"), "{path:?}: {words}");
    }
    let recoveries = [&path[..], &["recoveries"]].concat();
    assert_eq!(shown(&test, &recoveries).await?["data"], json!([]));
    let secret = [&path[..], &["secret"]].concat();
    let answered = status(&test, Method::GET, &secret).await?;
    assert_eq!(answered, StatusCode::CONFLICT);
    let silent = json!({"description": "no url"});
    let refused = test
        .api
        .request(Method::PATCH, &path, &[], Some(&silent))
        .await?;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text()
    );
    let change = json!({"url": test.receiver.url("/repaired")});
    test.api
        .update_subscription(customer, bad_id, &change)
        .await?;
    assert_eq!(shown(&test, &path).await?["url"], change["url"]);
    let gone_path = ["customers", customer, "subscriptions", gone_id];
    let deleted = ask(&test, Method::DELETE, &gone_path).await?;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{}", deleted.text());
    assert_eq!(
        status(&test, Method::GET, &gone_path).await?,
        StatusCode::NOT_FOUND
    );

    test.put("order.created", json!({"n": 2})).await?;
    let repaired = test.first_request("/repaired").await?;
    repaired.verify(&bad.secret)?;
    let list = shown(&test, &["customers", customer, "subscriptions"]).await?;
    assert_eq!(
        list.get("broken").unwrap_or(&Value::Null),
        &Value::Null,
        "{list:#}"
    );
    Ok(())
}

/// An item in the subscriptions' partition that does not say which subscription it is.
#[tokio::test]
async fn an_item_without_an_id_blocks_no_subscription() -> Result<()> {
    let test = Fixture::new("unnamed").await?;
    let created = test.subscribe("/good").await?;
    // One item before all others and one after them.
    for place in ["SUBSCRIPTION#!", "SUBSCRIPTION#which"] {
        let key = (format!("CUSTOMER#{}", test.customer), place.to_owned());
        put(&test, key).await?;
    }
    test.put("order.created", json!({})).await?;
    let request = test.first_request("/good").await?;
    request.verify(&created.secret)?;

    let path = ["customers", &test.customer, "subscriptions"];
    let list = shown(&test, &path).await?;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "{list:#}");
    assert_eq!(list["broken"][0]["id"], "!", "{list:#}");
    assert_eq!(list["broken"][1]["id"], "which", "{list:#}");
    // The same with pages of one, and the quota is counted without them.
    let query = SubscriptionsQuery {
        limit: Some(ListLimit::up_to(1)),
        cursor: None,
    };
    let page = test.api.subscriptions(&test.customer, &query);
    assert_eq!(page.await?.data[0].id, created.subscription.id);
    test.subscribe("/another").await?;
    Ok(())
}

async fn put(test: &Fixture, key: (String, String)) -> Result<()> {
    aws_sdk_dynamodb::Client::new(test.stack.sdk_config())
        .put_item()
        .table_name(test.stack.output("TableName")?)
        .item("pk", AttributeValue::S(key.0))
        .item("sk", AttributeValue::S(key.1))
        .send()
        .await?;
    Ok(())
}

/// Asserts that a request is refused with 409, and that the text names what cannot be read.
async fn refused(test: &Fixture, path: &[&str], named: &str) -> Result<()> {
    let refused = ask(test, Method::POST, path).await?;
    let words = refused.text();
    assert_eq!(refused.status, StatusCode::CONFLICT, "{path:?}: {words}");
    assert!(words.contains(named), "{path:?}: {words}");
    Ok(())
}

#[tokio::test]
async fn an_unreadable_delivery_hides_no_other_and_is_skipped_by_a_recovery() -> Result<()> {
    let test = Fixture::new("broken-delivery").await?;
    let customer = test.customer.as_str();
    let once = json!({"retryPolicy": {"schedule": [0]}});
    let created = test.subscribe_with("/a", once).await?;
    let id = created.subscription.id.as_str();
    let failure = || Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
    test.receiver.script("/a", [failure(), failure()]);
    let mut failed = Vec::new();
    for n in 1..=2 {
        test.put("order.created", json!({"n": n})).await?;
        let request = test.requests("/a", n).await?.swap_remove(n - 1);
        let delivery = test
            .settled_delivery(request.webhook_id(), &created)
            .await?;
        assert_eq!(delivery.status, DeliveryStatus::Failed, "{delivery:#?}");
        failed.push(delivery);
    }
    let [broken, good] = &failed[..] else {
        panic!("{failed:#?}");
    };
    let key = delivery_key(&broken.message_id, id);
    let dancing = AttributeValue::S("dancing".to_owned());
    overwrite(&test, key, "status", dancing).await?;

    let of_subscription = ["customers", customer, "subscriptions", id];
    let expected = json!({"id": broken.id, "customerId": customer});
    let names = |shown: &Value| {
        let problem = shown["problem"].as_str().unwrap_or_default();
        assert!(problem.contains("dancing"), "{shown:#}");
        assert_eq!(shown["id"], expected["id"], "{shown:#}");
        assert_eq!(shown["customerId"], expected["customerId"], "{shown:#}");
    };
    for list in [
        [&of_subscription[..], &["deliveries"]].concat(),
        [&of_subscription[..], &["undelivered"]].concat(),
        vec!["customers", customer, "deliveries"],
    ] {
        let page = shown(&test, &list).await?;
        assert_eq!(page["data"][0]["id"], good.id, "{list:?}: {page:#}");
        assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{list:?}");
        names(&page["broken"][0]);
    }
    let message = shown(&test, &["messages", &broken.message_id]).await?;
    names(&message["broken"][0]);
    names(&shown(&test, &["deliveries", &broken.id]).await?);
    let scoped = |customer_id| ["customers", customer_id, "deliveries", &broken.id];
    names(&shown(&test, &scoped(customer)).await?);
    let others = status(&test, Method::GET, &scoped("somebody")).await?;
    assert_eq!(others, StatusCode::NOT_FOUND);
    let (_, by_command) = webhooks(&["deliveries", "show", customer, &broken.id]).await?;
    names(&by_command);
    refused(&test, &["deliveries", &broken.id, "resend"], &broken.id).await?;
    let resend = [&scoped("somebody")[..], &["resend"]].concat();
    let others = status(&test, Method::POST, &resend).await?;
    assert_eq!(others, StatusCode::NOT_FOUND);

    let request = Recover {
        since: "2026-01-01T00:00:00Z".to_owned(),
        ..Recover::default()
    };
    let started = test
        .api
        .start_recovery(RecoveryKind::Recover, customer, id, &request);
    let recovery = started.await?.id;
    let requests = test.requests("/a", 3).await?;
    assert_eq!(requests[2].webhook_id(), good.message_id);
    let recoveries = [&of_subscription[..], &["recoveries"]].concat();
    let of_it = [&recoveries[..], &[&recovery]].concat();
    let ended = async |one: &[&str]| loop {
        let shown = shown(&test, one).await?;
        if shown["status"] != "running" {
            return anyhow::Ok(shown);
        }
        tokio::time::sleep(crate::fixture::POLL_INTERVAL).await;
    };
    let shown_last = ended(&of_it).await?;
    assert_eq!(shown_last["status"], "succeeded", "{shown_last:#}");
    assert_eq!(shown_last["examined"], 2, "{shown_last:#}");
    assert_eq!(shown_last["queued"], 1, "{shown_last:#}");

    // A recovery with an attribute that cannot be read.
    let key = (format!("RECOVERY#{customer}"), format!("{id}#{recovery}"));
    let none = AttributeValue::N("0".to_owned());
    overwrite(&test, key, "perSecond", none).await?;
    let list = shown(&test, &recoveries).await?;
    assert_eq!(list["data"], json!([]));
    assert_eq!(list["broken"][0]["id"], recovery, "{list:#}");
    let shown_broken = shown(&test, &of_it).await?;
    assert_eq!(shown_broken, list["broken"][0]);
    refused(&test, &[&of_it[..], &["stop"]].concat(), &recovery).await?;
    Ok(())
}

#[tokio::test]
async fn an_unreadable_message_hides_no_other() -> Result<()> {
    let test = Fixture::new("broken-message").await?;
    let customer = test.customer.as_str();
    let created = test.subscribe("/a").await?;
    let mut messages = Vec::new();
    for n in 1..=3 {
        test.put("order.created", json!({"n": n})).await?;
        let request = test.requests("/a", n).await?.swap_remove(n - 1);
        let message = request.webhook_id().to_owned();
        let delivery = test.settled_delivery(&message, &created).await?;
        messages.push((message, delivery.id));
    }
    let number = || AttributeValue::N("7".to_owned());
    let [(untyped, _), (unreadable, its_delivery), (good, _)] = &messages[..] else {
        panic!("{messages:?}");
    };
    overwrite(&test, message_key(untyped), "eventType", number()).await?;
    overwrite(&test, message_key(unreadable), "payload", number()).await?;

    let list = shown(&test, &["customers", customer, "messages"]).await?;
    let listed: Vec<_> = list["data"].as_array().into_iter().flatten().collect();
    let ids: Vec<_> = listed.iter().map(|message| &message["id"]).collect();
    assert_eq!(
        ids,
        [good, unreadable],
        "the payload is not read for a list"
    );
    assert_eq!(list["broken"][0]["id"], json!(untyped), "{list:#}");
    for (message, field) in [(untyped, "eventType"), (unreadable, "payload")] {
        let shown = shown(&test, &["messages", message]).await?;
        assert_eq!(shown["id"], json!(message), "{shown:#}");
        assert!(shown["problem"].is_string(), "{field}: {shown:#}");
    }
    let others = ["customers", "somebody", "messages", unreadable];
    let others = status(&test, Method::GET, &others).await?;
    assert_eq!(others, StatusCode::NOT_FOUND);
    // Its delivery can be read, except for the body.
    let delivery = shown(&test, &["deliveries", its_delivery]).await?;
    assert_eq!(delivery["status"], "succeeded", "{delivery:#}");
    assert!(delivery.get("body").is_none(), "{delivery:#}");
    let problem = delivery["bodyProblem"].as_str().unwrap_or_default();
    assert!(problem.contains(unreadable), "{delivery:#}");
    refused(&test, &["deliveries", its_delivery, "resend"], its_delivery).await?;
    Ok(())
}
