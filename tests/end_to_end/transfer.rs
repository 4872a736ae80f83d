//! Customers and subscriptions are exported to a file, and imported from one.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use webhooks_cli::Outcome;
use webhooks_client::SubscriptionsQuery;

use crate::command_line::webhooks_text;
use crate::fixture::Fixture;

/// The file of the page docs/moving.md.
const DOCUMENTED: &str = include_str!("../../events/import.jsonl");

/// The name of a file in the temporary folder.
fn path(test: &Fixture, name: &str) -> Result<String> {
    let path: PathBuf = std::env::temp_dir().join(format!("{}-{name}", test.customer));
    Ok(path.to_str().context("a path")?.to_owned())
}

/// Runs `webhooks --json import`, and returns the JSON of each line.
async fn import(file: &str, more: &[&str]) -> Result<(Outcome, Vec<Value>)> {
    let line = [&["--json", "import", file], more].concat();
    let (outcome, out) = webhooks_text(&line).await?;
    let lines = out.lines().map(serde_json::from_str);
    Ok((outcome, lines.collect::<Result<_, _>>()?))
}

async fn subscriptions(test: &Fixture, customer: &str) -> Result<Vec<Value>> {
    let query = SubscriptionsQuery::default();
    let page = test.api.subscriptions(customer, &query).await?;
    page.data
        .iter()
        .map(|found| Ok(serde_json::to_value(found)?))
        .collect()
}

#[tokio::test]
async fn the_documented_file_is_imported_once_however_often_it_is_repeated() -> Result<()> {
    let test = Fixture::new("import").await?;
    let customers = [1, 2].map(|number| format!("{}-{number}", test.customer));
    let content = DOCUMENTED
        .replace("cust_1001", &customers[0])
        .replace("cust_1002", &customers[1]);
    let file = path(&test, "import.jsonl")?;
    std::fs::write(&file, &content)?;

    let (outcome, planned) = import(&file, &["--dry-run"]).await?;
    assert_eq!((outcome, planned.len()), (Outcome::Complete, 2));
    assert_eq!(planned[0]["changes"].as_array().map(Vec::len), Some(3));
    for customer in &customers {
        assert_eq!(subscriptions(&test, customer).await?, [""; 0], "a dry run");
    }
    let (outcome, done) = import(&file, &["--yes"]).await?;
    assert_eq!(outcome, Outcome::Complete, "{done:?}");
    let stored = subscriptions(&test, &customers[0]).await?;
    assert_eq!(stored.len(), 2);
    let kept = stored
        .iter()
        .find(|stored| stored["metadata"]["importedFrom"] == "ep_2b9f")
        .context("it is imported")?;
    let secrets = test
        .api
        .secrets(&customers[0], kept["id"].as_str().context("an id")?);
    let secret = &secrets.await?.secrets[0].secret;
    assert_eq!(secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

    let (outcome, again) = import(&file, &["--yes"]).await?;
    assert_eq!((outcome, again), (Outcome::Complete, vec![]));

    // A change of the file is one change.
    std::fs::write(
        &file,
        content.replace("example.org/hooks", "example.org/in"),
    )?;
    let (_, of_url) = import(&file, &["--yes"]).await?;
    assert_eq!(of_url.len(), 1, "{of_url:?}");
    let changes = &of_url[0]["changes"];
    assert_eq!(changes[0]["fields"], json!(["url"]), "{changes}");
    assert_eq!(subscriptions(&test, &customers[0]).await?.len(), 2);

    // An entry that is wrong does not stop the others.
    let wrong = content
        .replace("https://example.net/in", "http://10.0.0.1/")
        .replace("Example Ltd", "Example Inc");
    std::fs::write(&file, wrong)?;
    let (outcome, partly) = import(&file, &["--yes"]).await?;
    assert_eq!(outcome, Outcome::Incomplete);
    let failed = &partly[1]["failed"][0];
    assert_eq!(failed["id"], "ep_9d05", "{partly:?}");
    let problem = failed["problem"].as_str().context("a problem")?;
    assert!(problem.contains("url"), "{problem}");
    let customer = test.api.customer(&customers[0]).await?;
    assert_eq!(customer.name.as_deref(), Some("Example Inc"));
    std::fs::remove_file(file)?;
    Ok(())
}

#[tokio::test]
async fn an_export_leads_to_the_same_subscriptions_for_another_customer() -> Result<()> {
    let test = Fixture::new("export").await?;
    let fields = json!({"filter": {"total": [{"numeric": [">", 1.5]}]}, "headers": {"X-A": "1"},
        "secretHeaders": {"x-key": "k3y"}, "metadata": {"team": "blue"}, "maxInFlight": 3});
    let created = test.subscribe_with("/a", fields).await?;
    let file = path(&test, "export.jsonl")?;
    let line = ["export", "--customer", &test.customer, "--secrets"];
    let line = [&line[..], &["--output", &file]].concat();
    let (outcome, printed) = webhooks_text(&line).await?;
    assert_eq!((outcome, printed.as_str()), (Outcome::Complete, ""));
    let exported = std::fs::read_to_string(&file)?;
    assert!(exported.contains(&created.secret), "{exported}");
    assert!(!exported.contains("k3y"), "no secret header is exported");
    assert!(exported.contains(r#""notExported":{"secretHeaders":["x-key"]}"#));
    let (_, printed) = webhooks_text(&["export", "--customer", &test.customer]).await?;
    assert!(!printed.contains(&created.secret), "no secret is printed");

    // Imported into its own stack, nothing changes.
    let (outcome, same) = import(&file, &["--yes"]).await?;
    assert_eq!((outcome, same), (Outcome::Complete, vec![]));

    let other = test.another("export-other").await?;
    std::fs::write(&file, exported.replace(&test.customer, &other.customer))?;
    let (outcome, done) = import(&file, &["--yes"]).await?;
    assert_eq!(outcome, Outcome::Complete, "{done:?}");
    let change = &done[0]["changes"];
    let change = change.as_array().and_then(|all| all.last());
    let change = change.context("a subscription")?;
    assert_eq!(change["notExported"], json!(["secretHeaders"]), "{change}");
    let copies = subscriptions(&other, &other.customer).await?;
    let own = subscriptions(&test, &test.customer).await?;
    for field in ["filter", "headers", "eventTypes", "maxInFlight", "status"] {
        assert_eq!(copies[0][field], own[0][field], "{field}");
    }
    let from = json!({"importedFrom": created.subscription.id, "team": "blue"});
    assert_eq!(copies[0]["metadata"], from);
    let id = copies[0]["id"].as_str().context("an id")?;
    let secrets = other.api.secrets(&other.customer, id).await?.secrets;
    assert_eq!(secrets[0].secret, created.secret);
    std::fs::remove_file(file)?;
    Ok(())
}
