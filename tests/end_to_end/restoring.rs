//! A second stack adopts the table of another one, as after a restore from a backup:
//! `docs/restore.md`.
//!
//! The emulator cannot restore a table to a point in time. So the test copies the items into a new
//! table, which has the same effect: the same keys and items under another name.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::Client;
use http::StatusCode;
use serde_json::json;
use tokio::task::spawn_blocking;
use webhooks_client::{CreatedSubscription, Delivery, DeliveryStatus, Message, Stack};
use webhooks_receiver::Answer;

use crate::command_line::webhooks;
use crate::contract::create_table;
use crate::fixture::{ALL_ATTEMPTS, ARRIVAL, Fixture, until_due};
use crate::permissions::assert_a_data_key_decrypts_for_its_purpose_only;

/// The second stack. Its name has another prefix than the first stack's, because tests find the
/// functions of the first by its prefix.
const SECOND: &str = "restored";

/// Longer than the longest queue delay of this stack, so that only the table holds the wait.
const LONG_WAIT_SECONDS: u64 = 20;

#[tokio::test]
async fn a_second_stack_continues_with_a_restored_table_and_its_secrets() -> Result<()> {
    let test = Fixture::new("restore").await?;
    let failure = || Answer::status(StatusCode::SERVICE_UNAVAILABLE);
    let wait = |seconds| json!({"retryPolicy": {"schedule": [0, seconds, seconds, seconds, seconds, seconds], "jitter": 0}});
    let well = test.subscribe("/well").await?;
    // The next attempt of this delivery is in the first stack's queue, which is in no backup.
    test.receiver.script("/queued", [failure()]);
    let queued = test.subscribe_with("/queued", wait(5)).await?;
    // The next attempt of this delivery is in the table.
    test.receiver.script("/due", [failure()]);
    let due = test.subscribe_with("/due", wait(LONG_WAIT_SECONDS)).await?;
    test.put("order.created", json!({"total": 1})).await?;
    let first = test.first_request("/well").await?;
    let message_id = first.webhook_id().to_owned();
    let all_tried = |message: &Message| {
        let tried = |delivery: &Delivery| !delivery.attempts.is_empty();
        message.deliveries.len() == 3 && message.deliveries.iter().all(tried)
    };
    let message = test
        .api
        .message_when(&message_id, ARRIVAL, all_tried)
        .await?;

    let table = format!("restored-{}", test.customer);
    copy_table(&test, &[&well, &queued, &due], &table).await?;
    // From here on the first stack sends nothing.
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

    // The second stack signs with the secret that the first stack created.
    second
        .put_events(&[test.event("order.created", json!({"total": 2}))])
        .await?;
    let requests = test.requests("/well", 2).await?;
    requests[1].verify(&well.secret)?;
    assert_ne!(requests[1].webhook_id(), message_id);
    // The wait in the table continues by itself. The lost queue message is replaced by `requeue`.
    let waiting = message.delivery_to(&queued.subscription.id);
    until_due(waiting.context("/queued")?).await?;
    let stack = file.to_str().context("a path that is no text")?;
    webhooks(&["--stack-file", stack, "requeue", "--older-than", "0s"]).await?;
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

    // The second stack's roles may use the adopted key as the first stack's roles do, and no more.
    assert_a_data_key_decrypts_for_its_purpose_only(&second).await
}

#[tokio::test]
async fn a_table_cannot_be_adopted_without_its_key_and_installation_id() -> Result<()> {
    let test = Fixture::new("restore-half").await?;
    let key = test.stack.output("SigningKeyArn")?;
    for (given, missing) in [
        (
            vec![("ExistingTableName", "half")],
            "requires ExistingKeyArn",
        ),
        (
            vec![("ExistingTableName", "half"), ("ExistingKeyArn", key)],
            "requires InstallationId",
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

/// Deploys a stack with this name beside the first. Returns the output of the command and the path
/// of the stack file.
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

/// Copies the items of this test, and the data key, into a new table.
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
    // The id of a delivery ends with the part of its subscription's id that follows `sub_`.
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
