//! A stack without a Function URL, as in Regions without that feature: clients invoke the API
//! function directly.

use std::fs;

use anyhow::{Context, Result};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhooks_cli::Outcome;
use webhooks_client::{Error, Stack};

use crate::command_line::webhooks;
use crate::fixture::Fixture;

/// The stack file of the tests, without the output `ApiUrl`.
fn stack_file(test: &Fixture) -> Result<std::path::PathBuf> {
    let path = std::env::var("WEBHOOKS_STACK")?;
    let mut stack: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let outputs = stack["outputs"].as_object_mut().context("no outputs")?;
    outputs.remove("ApiUrl").context("no ApiUrl to take away")?;
    let path = std::env::temp_dir().join(format!("{}.json", test.customer));
    fs::write(&path, stack.to_string())?;
    Ok(path)
}

#[tokio::test]
async fn the_api_and_the_command_line_work_without_a_function_url() -> Result<()> {
    let test = Fixture::new("without-url").await?;
    let file = stack_file(&test)?;
    let stack = Stack::load(&file).await?;
    let api = stack.api()?;

    let new = json!({"url": test.receiver.url("/here"), "eventTypes": ["order.created"]});
    let created = api.create_subscription(&test.customer, &new).await?;
    // A request with a header and a query, and a changed body.
    let id = &created.subscription.id;
    let path = ["customers", &test.customer, "subscriptions", id];
    let change = json!({"description": "größer"});
    let changed = api
        .request(Method::PATCH, &path, &[], Some(&change))
        .await?;
    assert_eq!(changed.status, StatusCode::OK);
    assert!(changed.text().contains("größer"), "{}", changed.text());
    let stale = api.update_subscription(&test.customer, id, &json!({"description": "x"}));
    let stale = stale.if_match(1).answer().await?;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let none = api.subscription(&test.customer, "sub_0").await.unwrap_err();
    assert!(matches!(none, Error::Problem(_)), "{none}");

    // Both ways manage the same subscriptions.
    assert_eq!(test.api.subscription(&test.customer, id).await?.id, *id);

    let file = file.to_str().context("a path")?;
    let list = [
        "--stack-file",
        file,
        "subscriptions",
        "list",
        &test.customer,
    ];
    let (outcome, listed) = webhooks(&list).await?;
    assert_eq!(outcome, Outcome::Complete);
    assert!(listed.to_string().contains(id), "{listed}");
    fs::remove_file(file)?;
    Ok(())
}
