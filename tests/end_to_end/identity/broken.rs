//! A subscription of which not everything can be read.

use anyhow::Result;
use aws_sdk_dynamodb::types::AttributeValue;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhooks_client::DeliveryStatus;

use super::{ask, overwrite, shown, status, subscription_key};
use crate::fixture::Fixture;

#[tokio::test]
async fn a_subscription_that_cannot_be_read_stops_no_other_and_can_be_repaired() -> Result<()> {
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
    assert!(broken.contains(&one), "as in the list: {one:#}");
    let owed = [&path[..], &["deliveries"]].concat();
    assert_eq!(shown(&test, &owed).await?["data"][0]["id"], failed.id);
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
