//! Customers through the API and the command line.

use anyhow::{Context, Result};
use http::StatusCode;
use serde_json::json;
use webhooks_client::{Call, Customer, CustomersQuery, ListLimit};

use crate::command_line::{webhooks, webhooks_text};
use crate::fixture::Fixture;

async fn status<T>(call: Call<'_, T>) -> Result<StatusCode> {
    Ok(call.answer().await?.status)
}

#[tokio::test]
async fn a_customer_is_known_from_its_first_subscription_on() -> Result<()> {
    let test = Fixture::new("customer").await?;
    let (api, id) = (&test.api, test.customer.as_str());
    assert_eq!(status(api.customer(id)).await?, StatusCode::NOT_FOUND);
    let named = json!({"name": "Müller & Söhne"});
    let patched = status(api.update_customer(id, &named)).await?;
    assert_eq!(patched, StatusCode::NOT_FOUND, "a change creates nothing");

    let subscription = test.subscribe("/a").await?.subscription;
    let new = api.customer(id).answer().await?;
    assert_eq!(new.header("etag"), "\"1\"");
    let new: Customer = new.read()?;
    assert_eq!((new.subscriptions, new.version), (1, 1));
    assert_eq!((&new.name, new.metadata.len()), (&None, 0));
    assert_eq!(new.created_at, new.updated_at);

    let body = json!({"name": "Müller & Söhne", "metadata": {"plan": "gold", "trial": "no"}});
    let stale = status(api.put_customer(id, &body).if_match(2)).await?;
    assert_eq!(stale, StatusCode::PRECONDITION_FAILED);
    let put = api.put_customer(id, &body).if_match(1).answer().await?;
    assert_eq!((put.status, put.header("etag")), (StatusCode::OK, "\"2\""));
    let patch = json!({"metadata": {"trial": null, "plan": "blue"}});
    let changed = api.update_customer(id, &patch).await?;
    assert_eq!(json!(changed.metadata), json!({"plan": "blue"}));
    assert_eq!(changed.name.as_deref(), Some("Müller & Söhne"));
    assert_eq!(changed.version, 3);
    let same = api.update_customer(id, &patch).await?;
    assert_eq!(same, changed, "a change without effect makes no version");

    // A subscription changes the number of subscriptions and nothing else.
    test.subscribe("/b").await?;
    api.delete_subscription(id, &subscription.id).await?;
    assert_eq!(api.customer(id).await?, changed);
    let put = api.put_customer(id, &json!({})).await?;
    assert_eq!((put.name, put.metadata.len()), (None, 0));
    Ok(())
}

#[tokio::test]
async fn customers_that_have_or_had_a_subscription_or_were_put_are_listed() -> Result<()> {
    let test = Fixture::new("customers").await?;
    let early = format!("{}-early", test.customer);
    let put = test.api.put_customer(&early, &json!({})).answer().await?;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.text());
    let subscription = test.subscribe("/a").await?.subscription;
    test.api
        .delete_subscription(&test.customer, &subscription.id)
        .await?;
    let put: Customer = put.read()?;
    let had = test.api.customer(&test.customer).await?;
    assert_eq!((put.subscriptions, had.subscriptions), (0, 0));

    // Other tests have customers in the same stack.
    let mut listed = Vec::new();
    let mut query = CustomersQuery {
        limit: Some(ListLimit::up_to(20)),
        cursor: None,
    };
    loop {
        let page = test.api.customers(&query).await?;
        assert!(page.data.len() <= 20 && page.broken.is_empty());
        listed.extend(page.data);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert!(listed.is_sorted_by(|a, b| a.id < b.id), "by id, each once");
    for expected in [put, had] {
        assert!(listed.contains(&expected), "{expected:?}");
    }

    let (_, shown) = webhooks_text(&["customers", "show", &early]).await?;
    assert!(
        shown.contains(&early) && shown.contains("subscriptions"),
        "{shown}"
    );
    let update = [
        "customers",
        "update",
        &early,
        "--name",
        "Early",
        "--if-version",
        "1",
    ];
    let (_, updated) = webhooks_text(&update).await?;
    assert!(updated.contains("Early"), "{updated}");
    let (_, list) = webhooks(&["customers", "list", "--all"]).await?;
    let rows = list["data"].as_array().context("rows")?;
    let row = rows.iter().find(|row| row["id"] == *early);
    assert_eq!(row.context("is listed")?["name"], "Early");
    Ok(())
}

#[tokio::test]
async fn concurrent_first_subscriptions_and_a_put_make_one_customer() -> Result<()> {
    let test = Fixture::new("customer-race").await?;
    let body = json!({"name": "raced"});
    let put = async {
        let put = test
            .api
            .put_customer(&test.customer, &body)
            .answer()
            .await?;
        anyhow::ensure!(put.status.is_success(), "{}", put.text());
        Ok(())
    };
    let subscribe = async |path| {
        test.subscribe(path).await?;
        Ok(())
    };
    tokio::try_join!(subscribe("/a"), put, subscribe("/b"), subscribe("/c"))?;
    let customer = test.api.customer(&test.customer).await?;
    assert_eq!(customer.subscriptions, 3);
    assert_eq!(customer.name.as_deref(), Some("raced"));
    Ok(())
}
