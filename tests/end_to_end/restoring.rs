//! A table that another stack takes over, as after a restore from a backup: `docs/restore.md`.
//!
//! The emulator cannot restore a table to a point in time. Its items are copied into a new
//! one instead, which comes to the same: the same keys and items under another name.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::Client;
use http::StatusCode;
use serde_json::json;
use tokio::task::spawn_blocking;
use webhooks_client::{Answer, CreatedSubscription, Delivery, DeliveryStatus, Message, Stack};

use crate::command_line::webhooks;
use crate::contract::create_table;
use crate::fixture::{ALL_ATTEMPTS, ARRIVAL, Fixture};
use crate::permissions::assert_a_data_key_decrypts_for_its_purpose_only;

/// The second stack. Its name begins otherwise than that of the first, by which tests find
/// their functions.
const SECOND: &str = "restored";

/// Longer than this stack leaves to the queue, so that the wait is in the table alone.
const LONG_WAIT_SECONDS: u64 = 20;

#[tokio::test]
async fn a_restored_table_goes_on_in_another_stack_with_the_secrets_of_the_first() -> Result<()> {
    let test = Fixture::new("restore").await?;
    let failure = || Answer::status(StatusCode::SERVICE_UNAVAILABLE);
    let wait = |seconds| json!({"retryPolicy": {"schedule": [0, seconds, seconds, seconds, seconds, seconds], "jitter": 0}});
    let well = test.subscribe("/well").await?;
    // Its next attempt is in the first stack's queue, which no backup holds.
    test.receiver.script("/queued", [failure()]);
    let queued = test.subscribe_with("/queued", wait(5)).await?;
    // This one's is in the table.
    test.receiver.script("/due", [failure()]);
    let due = test.subscribe_with("/due", wait(LONG_WAIT_SECONDS)).await?;
    test.put("order.created", json!({"total": 1})).await?;
    let first = test.first_request("/well").await?;
    let message_id = first.webhook_id().to_owned();
    let all_tried = |message: &Message| {
        let tried = |delivery: &Delivery| !delivery.attempts.is_empty();
        message.deliveries.len() == 3 && message.deliveries.iter().all(tried)
    };
    test.api
        .message_when(&message_id, ARRIVAL, all_tried)
        .await?;

    let table = format!("restored-{}", test.customer);
    copy_table(&test, &[&well, &queued, &due], &table).await?;
    // From here on the first stack sends nothing any more.
    for created in [&well, &queued, &due] {
        let id = &created.subscription.id;
        test.api.delete_subscription(&test.customer, id).await?;
    }
    test.receiver.script("/queued", [Answer::ok()]);
    test.receiver.script("/due", [Answer::ok()]);

    let (key, installation) = (
        test.stack.output("SigningKeyArn")?,
        test.stack.output("InstallationId")?,
    );
    let adopt = [
        ("ExistingTableName", table.as_str()),
        ("ExistingKeyArn", key),
        ("InstallationId", installation),
    ];
    let (deployed, file) = deploy(SECOND, &adopt).await?;
    ensure!(deployed.status.success(), "{deployed:?}");
    let second = Stack::load(&file).await?;
    assert_eq!(second.output("TableName")?, table);
    assert_eq!(second.output("SigningKeyArn")?, key);
    assert_eq!(second.output("InstallationId")?, installation);

    // What comes in is signed with the secret that the first stack made.
    second
        .put_events(&[test.event("order.created", json!({"total": 2}))])
        .await?;
    let requests = test.requests("/well", 2).await?;
    requests[1].verify(&well.secret)?;
    assert_ne!(requests[1].webhook_id(), message_id);
    // What waited in the table goes on by itself, and what waited in a queue is asked for.
    let stack = file.to_str().context("a path that is no text")?;
    webhooks(&["--stack-file", stack, "requeue", "--older-than", "1s"]).await?;
    let api = second.api()?;
    let settled = |message: &Message| {
        let succeeded = |delivery: &Delivery| delivery.status == DeliveryStatus::Succeeded;
        message.deliveries.len() == 3 && message.deliveries.iter().all(succeeded)
    };
    api.message_when(&message_id, ALL_ATTEMPTS, settled).await?;
    for (path, created) in [("/queued", &queued), ("/due", &due)] {
        let requests = test.receiver.requests_to(path);
        let mut mine = requests.iter().filter(|one| one.webhook_id() == message_id);
        let last = mine.next_back().context(path)?;
        last.verify(&created.secret)?;
        assert_eq!(last.body, first.body, "{path}");
    }

    // Its roles may use the adopted key as the first stack's do, and no more.
    assert_a_data_key_decrypts_for_its_purpose_only(&second).await
}

#[tokio::test]
async fn a_table_is_not_adopted_without_what_opens_its_secrets() -> Result<()> {
    let test = Fixture::new("restore-half").await?;
    let key = test.stack.output("SigningKeyArn")?;
    for (given, missing) in [
        (vec![("ExistingTableName", "half")], "needs ExistingKeyArn"),
        (
            vec![("ExistingTableName", "half"), ("ExistingKeyArn", key)],
            "needs InstallationId",
        ),
    ] {
        let (refused, _) = deploy("half", &given).await?;
        let printed = String::from_utf8_lossy(&refused.stderr);
        assert!(
            !refused.status.success() && printed.contains(missing),
            "{printed}"
        );
    }
    Ok(())
}

/// Deploys a stack of that name beside the first. Returns its file too.
async fn deploy(name: &str, parameters: &[(&str, &str)]) -> Result<(Output, PathBuf)> {
    let stack = std::env::var_os("WEBHOOKS_STACK").context("WEBHOOKS_STACK")?;
    let folder = PathBuf::from(stack);
    let folder = folder.parent().context("no folder")?.to_owned();
    let xtask = std::env::var_os("WEBHOOKS_XTASK").context("run `cargo xtask test`")?;
    let mut command = Command::new(xtask);
    command
        .args(["deploy-beside", "--stack-name", name, "--folder"])
        .arg(&folder);
    let short_waits = [
        ("RequestTimeoutSeconds", "3"),
        ("LongestQueueDelaySeconds", "5"),
    ];
    for (name, value) in short_waits.iter().chain(parameters) {
        command.arg("--parameter").arg(format!("{name}={value}"));
    }
    let output = spawn_blocking(move || command.output()).await??;
    Ok((output, folder.join(format!("{name}.json"))))
}

/// Copies what this test has in the table, and the data key, into a table of that name.
async fn copy_table(test: &Fixture, to: &[&CreatedSubscription], name: &str) -> Result<()> {
    let client = Client::new(test.stack.sdk_config());
    let table = test.stack.output("TableName")?;
    create_table(&client, name, table).await;
    let items: Vec<_> = client
        .scan()
        .table_name(table)
        .consistent_read(true)
        .into_paginator()
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await?;
    let ids = to.iter().map(|created| created.subscription.id.as_str());
    // The id of a delivery ends with what follows `sub_` in its subscription's.
    let ids = ids.map(|id| id.trim_start_matches("sub_"));
    let mine: Vec<&str> = ids.chain(["DATA_KEY", &test.customer]).collect();
    let mut copied = 0;
    for item in items {
        let shown = format!("{item:?}");
        if mine.iter().any(|id| shown.contains(id)) {
            copied += 1;
            let put = client.put_item().table_name(name).set_item(Some(item));
            put.send().await?;
        }
    }
    ensure!(copied > 6, "{copied} items");
    Ok(())
}
