//! `webhooks doctor --send` and `--test-states`, and the self test's own receiver.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use webhooks_client::{Stack, SubscriptionsQuery};
use webhooks_domain::timestamp::Timestamp;
use webhooks_self_test::{
    Answer, MAX_REQUEST_BYTES, Run, RunId, Runs, Script, SelfTestTable, Step,
};

use crate::command_line::webhooks;
use crate::fixture::Fixture;

/// The customer that every run uses.
const CUSTOMER: &str = "webhooks-doctor-self-test";

/// A minute, in milliseconds.
const MINUTE: i64 = 60_000;

fn now() -> Timestamp {
    std::time::SystemTime::now().into()
}

/// The names and outcomes of a group's checks, in order.
fn outcomes<'a>(report: &'a Value, group: &str) -> Vec<(&'a str, &'a str)> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["group"] == group)
        .map(|check| {
            let text = |name: &str| check[name].as_str().unwrap();
            (text("name"), text("outcome"))
        })
        .collect()
}

/// Asserts that every check of a run has passed, and that no step is missing.
fn assert_all_green(report: &Value) {
    let shown = || serde_json::to_string_pretty(report).unwrap();
    let made = outcomes(report, "send");
    for (name, outcome) in &made {
        assert_eq!(*outcome, "passed", "{name}: {}", shown());
    }
    let names: Vec<_> = made.iter().map(|(name, _)| *name).collect();
    for expected in [
        "receiver",
        "left by earlier runs",
        "PutEvents",
        "signature",
        "payload",
        "numbers through the bus",
        "StartExecution",
        "payload formats",
        "the whole event",
        "numbers through StartExecution",
        "duplicate event",
        "payload of 200 KB",
        "payload of 245 KB",
        "retries",
        "attempts of one message",
        "attempts recorded",
        "Retry-After",
        "410",
        "recover",
        "pause and resume",
        "replay",
        "resend",
        "rotation with overlap",
        "limit of a subscription",
        "failed events",
        "latency",
        "long wait",
        "how often each arrived",
        "cost",
        "clean-up",
    ] {
        assert!(
            names.contains(&expected),
            "no check `{expected}`: {}",
            shown()
        );
    }
}

/// A subscription of a run that ends at this time.
async fn left_behind(test: &Fixture, ends: Timestamp) -> Result<String> {
    let fields = json!({
        "url": test.receiver.url("/left"), "eventTypes": ["left.behind"],
        "metadata": {"doctorRun": test.customer, "doctorRunEnds": ends.to_string()},
    });
    let created = test.api.create_subscription(CUSTOMER, &fields).await?;
    Ok(created.subscription.id)
}

async fn subscriptions(test: &Fixture) -> Result<Vec<webhooks_client::Subscription>> {
    Ok(test
        .api
        .subscriptions(CUSTOMER, &SubscriptionsQuery::default())
        .await?
        .data)
}

#[tokio::test]
async fn a_run_of_the_self_test_is_all_green_and_leaves_nothing() -> Result<()> {
    let test = Fixture::new("self-test").await?;
    let killed = left_behind(&test, Timestamp::from_millis(now().as_millis() - MINUTE)).await?;
    let at_work = left_behind(
        &test,
        Timestamp::from_millis(now().as_millis() + MINUTE * 60),
    )
    .await?;

    let (_, report) = webhooks(&["doctor", "--send", "--failed-events"]).await?;
    assert_all_green(&report);

    let left = subscriptions(&test).await?;
    let has = |id: &str| left.iter().any(|subscription| subscription.id == id);
    assert!(
        !has(&killed),
        "the subscription of a killed run is left: {left:#?}"
    );
    assert!(
        has(&at_work),
        "the subscription of a running run is gone: {left:#?}"
    );
    test.api.delete_subscription(CUSTOMER, &at_work).await?;
    // Any other subscription belongs to a run that goes on beside this test, and says so.
    for subscription in left.iter().filter(|one| one.id != at_work) {
        let ends = &subscription.metadata["doctorRunEnds"];
        let ends = Timestamp::parse_rfc3339(ends).context("no end")?;
        assert!(ends > now(), "{subscription:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_run_through_the_stacks_own_receiver_is_all_green() -> Result<()> {
    let _test = Fixture::new("echo").await?;
    let command = ["doctor", "--send", "--failed-events", "--receiver", "stack"];
    let (_, report) = webhooks(&command).await?;
    assert_all_green(&report);
    Ok(())
}

#[tokio::test]
async fn every_state_that_the_emulator_can_test_passes_its_cases() -> Result<()> {
    let _test = Fixture::new("states").await?;
    let (_, report) = webhooks(&["doctor", "--test-states"]).await?;
    let tried = outcomes(&report, "states");
    let with = |outcome: &str| {
        let found = tried.iter().filter(|(_, one)| *one == outcome);
        found.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    assert_eq!(with("failed"), Vec::<&str>::new(), "{report:#}");
    assert!(with("passed").len() > 30, "{tried:?}");
    let skipped = with("skipped");
    assert!(
        skipped.iter().all(|name| name.contains(": ")),
        "{skipped:?}"
    );
    Ok(())
}

/// A client of the stack's receiver, without credentials for it.
struct Echo {
    table: SelfTestTable,
    url: String,
    stack: Stack,
}

impl Echo {
    fn new(stack: &Stack) -> Result<Self> {
        let client = aws_sdk_dynamodb::Client::new(stack.sdk_config());
        Ok(Self {
            table: SelfTestTable::new(client, stack.output("SelfTestTableName")?),
            url: stack
                .output("EchoReceiverUrl")?
                .trim_end_matches('/')
                .to_owned(),
            stack: stack.clone(),
        })
    }

    /// Registers a run that ends this many milliseconds from now.
    async fn register(&self, millis: i64) -> Result<RunId> {
        let run = RunId::random(&ring::rand::SystemRandom::new())?;
        let script = Script::default().with(step(), vec![Answer::status(503), Answer::ok()]);
        let ends_at = Timestamp::from_millis(now().as_millis() + millis);
        self.table.register(&run, &Run { script, ends_at }).await?;
        Ok(run)
    }

    async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<u16> {
        let request = Request::post(format!("{}{path}", self.url))
            .header("webhook-id", "msg_1")
            .header("content-type", "application/octet-stream")
            .body(body.into())?;
        let http = self.stack.signed_http().unsigned();
        Ok(http.send("lambda", request).await?.status().as_u16())
    }
}

fn step() -> Step {
    "step".parse().unwrap()
}

#[tokio::test]
async fn the_receiver_answers_a_registered_run_and_keeps_its_bytes() -> Result<()> {
    let test = Fixture::new("receiver").await?;
    let echo = Echo::new(&test.stack)?;
    let run = echo.register(MINUTE).await?;
    let path = format!("/{}/step", run.as_str());
    let bytes = [0x00, 0xff, b'{'].as_slice();
    assert_eq!(echo.post(&path, bytes).await?, 503);
    let large = vec![b'x'; 245_760];
    assert_eq!(echo.post(&path, large.clone()).await?, 200);
    let recorded = echo.table.requests(&run, &step(), 0).await?;
    let bodies: Vec<_> = recorded.iter().map(|one| one.body.as_slice()).collect();
    assert_eq!(bodies, [bytes, &large]);
    assert_eq!(recorded[0].headers["webhook-id"], "msg_1");
    assert_eq!(echo.table.requests(&run, &step(), 1).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_receiver_answers_404_without_the_id_of_a_registered_run() -> Result<()> {
    let test = Fixture::new("guess").await?;
    let echo = Echo::new(&test.stack)?;
    let (run, over) = (echo.register(MINUTE).await?, echo.register(-1).await?);
    let guess = RunId::random(&ring::rand::SystemRandom::new())?;
    let too_large = vec![b'x'; MAX_REQUEST_BYTES + 1];
    for path in [
        "/".to_owned(),
        "/.env".to_owned(),
        format!("/{}/step", guess.as_str()),
        format!("/{}/step", over.as_str()),
        format!("/{}/step", run.as_str().to_uppercase()),
        format!("/{}/other", run.as_str()),
        format!("/{}/step/", run.as_str()),
        format!("/{}/step?a=b", run.as_str()),
        format!("/{}/st%C3%A9p", run.as_str()),
    ] {
        assert_eq!(echo.post(&path, "{}").await?, 404, "{path}");
    }
    let path = format!("/{}/step", run.as_str());
    assert_eq!(echo.post(&path, too_large).await?, 404);
    for id in [&run, &over, &guess] {
        assert_eq!(echo.table.counts(id).await?.len(), 0, "{id:?}");
        assert!(echo.table.requests(id, &step(), 0).await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn the_table_never_counts_beyond_its_limit() -> Result<()> {
    let test = Fixture::new("bound").await?;
    let echo = Echo::new(&test.stack)?;
    let run = echo.register(MINUTE).await?;
    let mut counted = 0;
    while echo
        .table
        .count(&run, &step(), MAX_REQUEST_BYTES)
        .await?
        .is_some()
    {
        counted += 1;
        assert!(counted < 100);
    }
    let most = webhooks_self_test::MAX_RUN_BYTES / MAX_REQUEST_BYTES;
    assert_eq!(counted, most);
    let path = format!("/{}/step", run.as_str());
    let rest = vec![b'x'; MAX_REQUEST_BYTES - 1_000];
    assert_eq!(echo.post(&path, rest).await?, 404);
    Ok(())
}

/// The receiver's role can reach the receiver's own table only, and no table of the product.
#[tokio::test]
async fn the_receivers_role_reaches_its_own_table_only() -> Result<()> {
    use aws_sdk_dynamodb::types::AttributeValue;

    let test = Fixture::new("echo-role").await?;
    let roles = crate::permissions::roles(&test.stack).await?;
    let receivers = roles.iter().find(|role| role.is_of("EchoReceiver"));
    let receiver = receivers.context("no role of EchoReceiver")?;
    let table = aws_sdk_dynamodb::Client::new(&receiver.sdk);
    let string = |value: &str| AttributeValue::S(value.to_owned());
    let own = table
        .get_item()
        .table_name(test.stack.output("SelfTestTableName")?)
        .key("run", string("none"))
        .key("item", string("none"));
    own.send().await?;
    let name = test.stack.output("TableName")?;
    for pk in ["CUSTOMER#nobody", "MESSAGE#none", "DATA_KEY"] {
        let get = table.get_item().table_name(name);
        let get = get
            .key("pk", string(pk))
            .key("sk", string("none"))
            .send()
            .await;
        let denied = &crate::permissions::DENIED;
        crate::permissions::is_refused(get, denied, receiver, &format!("GetItem {pk}"));
    }
    Ok(())
}
