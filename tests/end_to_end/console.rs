//! The console at the Function URL of the portal: from a link of `console-sessions` to a delivery of any
//! customer. These tests use the rights of both roles.

use anyhow::{Context, Result, ensure};
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::{
    ConsoleSession, ConsoleSessionId, ConsoleSessionsPage, ConsoleSessionsRequest,
    CreatedPortalSession, NewConsoleSession, Page, PortalCapability,
};

use crate::command_line::{webhooks, webhooks_text};
use crate::fixture::{ARRIVAL, Fixture, POLL_INTERVAL};
use crate::logs::log_lines;
use crate::portal::{Browser, csrf};

/// A session of the console.
pub(crate) async fn session(
    test: &Fixture,
    actor: &str,
    capabilities: &[PortalCapability],
) -> Result<CreatedPortalSession> {
    let request = ConsoleSessionsRequest::Create(NewConsoleSession {
        actor: actor.to_owned(),
        capabilities: capabilities.to_vec(),
        expires_in_seconds: None,
    });
    Ok(test.stack.console_sessions(&request).await?)
}

fn location<T>(answer: &Response<T>) -> Result<String> {
    let location = answer.headers().get("location").context("no location")?;
    Ok(location.to_str()?.to_owned())
}

#[tokio::test]
async fn support_staff_find_a_delivery_by_its_id_resend_it_and_see_the_secret() -> Result<()> {
    let test = Fixture::new("console").await?;
    let subscription = test.subscribe("/hook").await?.subscription;
    test.put("order.created", json!({"order": "visible"}))
        .await?;
    let request = test.first_request("/hook").await?;
    let message = request.header("webhook-id").to_owned();
    let delivery = test.settled(&message).await?.deliveries[0].id.clone();
    let capabilities = [
        PortalCapability::Payloads,
        PortalCapability::Resend,
        PortalCapability::Secrets,
    ];
    let session = session(&test, &test.customer, &capabilities).await?;
    let mut browser = Browser::new(&test.stack)?;
    let entered = browser.open(&session).await?;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER, "{entered:?}");
    assert_eq!(location(&entered)?, "/console");
    let again = Browser::new(&test.stack)?.open(&session).await?;
    assert_eq!(again.status(), StatusCode::GONE, "a link works once");

    let customer = &test.customer;
    let pages = [
        (customer.clone(), format!("/customers/{customer}/endpoints")),
        (message.clone(), format!("/console/messages/{message}")),
        (
            subscription.id.clone(),
            format!("/customers/{customer}/endpoints/{}", subscription.id),
        ),
        (
            delivery.clone(),
            format!("/customers/{customer}/deliveries/{delivery}"),
        ),
    ];
    for (id, path) in &pages {
        let found = browser.send("GET", &format!("/console?q={id}"), "").await?;
        assert_eq!(found.status(), StatusCode::SEE_OTHER, "{id}: {found:?}");
        assert_eq!(location(&found)?, *path);
        let (status, page) = browser.get(path).await?;
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        assert!(
            page.contains(&subscription.id) || page.contains(&delivery),
            "{page}"
        );
    }
    let path = &pages[3].1;
    let (_, page) = browser.get(path).await?;
    assert!(page.contains("visible"), "{page}");
    let form = format!("csrf={}", csrf(&page)?);
    let again = format!("{path}/resend");
    let resent = browser.send("POST", &again, &form).await?;
    assert_eq!(resent.status(), StatusCode::SEE_OTHER, "{resent:?}");
    let requests = test.requests("/hook", 2).await?;
    assert_eq!(requests[1].header("webhook-id"), message);
    // By the alias of the API, for the customer of the path.
    let secrets = format!("{}/secrets", pages[2].1);
    let shown = browser.send("POST", &secrets, &form).await?;
    assert_eq!(shown.status(), StatusCode::OK, "{shown:?}");
    assert!(String::from_utf8_lossy(shown.body()).contains("whsec_"));

    let (status, page) = browser.get("/console/queues").await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("DeliveryDeadLetterQueue"), "{page}");
    assert!(!page.contains("Unknown"), "every queue is counted: {page}");
    let (status, page) = browser.get("/console/unhealthy").await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    let (status, page) = browser.get("/console").await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    for message in [
        "console session created",
        "portal session entered",
        "delivery resent",
        "secrets shown",
    ] {
        let line = logged(&test, message, &session.id).await?;
        assert_eq!(line["actor"], *customer, "{line}");
    }
    Ok(())
}

/// Waits for a line of the log about a session.
async fn logged(test: &Fixture, message: &str, session: &str) -> Result<Value> {
    let deadline = Instant::now() + ARRIVAL;
    loop {
        for line in log_lines(&test.stack, test.began_at_millis).await? {
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == message && line["session.id"] == session {
                return Ok(line);
            }
        }
        ensure!(
            Instant::now() < deadline,
            "no line `{message}` of {session}"
        );
        sleep(POLL_INTERVAL).await;
    }
}

#[tokio::test]
async fn a_session_that_may_only_view_changes_nothing() -> Result<()> {
    let test = Fixture::new("console-view").await?;
    let subscription = test.subscribe("/hook").await?.subscription;
    let session = session(&test, &test.customer, &[PortalCapability::View]).await?;
    let mut browser = Browser::new(&test.stack)?;
    browser.open(&session).await?;
    let (_, page) = browser.get("/console").await?;
    let form = format!("csrf={}", csrf(&page)?);
    let endpoint = format!("/customers/{}/endpoints/{}", test.customer, subscription.id);
    let (status, page) = browser.get(&endpoint).await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    for change in ["pause", "delete", "test", "secrets", "secrets/rotate"] {
        let path = format!("{endpoint}/{change}");
        let answer = browser.send("POST", &path, &form).await?;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{change}");
    }
    assert!(test.receiver.requests_to("/hook").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_session_is_listed_with_its_actor_and_closed_when_it_is_revoked() -> Result<()> {
    let test = Fixture::new("console-revoke").await?;
    let session = session(&test, &test.customer, &[PortalCapability::View]).await?;
    let mut browser = Browser::new(&test.stack)?;
    browser.open(&session).await?;
    let list = ConsoleSessionsRequest::List(ConsoleSessionsPage::default());
    let listed: Page<ConsoleSession> = test.stack.console_sessions(&list).await?;
    let found = listed.data.iter().find(|listed| listed.id == session.id);
    let found = found.with_context(|| format!("{listed:?}"))?;
    assert_eq!(found.actor, test.customer);
    assert!(found.entered_at.is_some());
    let id = session.id.clone();
    let revoke = ConsoleSessionsRequest::Revoke(ConsoleSessionId { id });
    let () = test.stack.console_sessions(&revoke).await?;
    let (status, page) = browser.get("/console").await?;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{page}");
    Ok(())
}

#[tokio::test]
async fn the_command_line_makes_lists_and_revokes_sessions() -> Result<()> {
    let test = Fixture::new("console-cli").await?;
    let actor = format!("--actor={}", test.customer);
    let (_, created) = webhooks(&["console", "--read-only", &actor]).await?;
    let url = created["url"].as_str().context("no url")?;
    let address = test.stack.link(test.stack.output("PortalAddress")?);
    assert!(url.starts_with(&address) && url.contains("#code="), "{url}");
    let id = created["id"].as_str().context("no id")?;
    let (_, listed) = webhooks_text(&["console", "--list"]).await?;
    let line = listed.lines().find(|line| line.contains(id));
    let line = line.with_context(|| listed.clone())?;
    assert!(line.contains(&test.customer), "{line}");
    let (_, revoked) = webhooks_text(&["console", "--revoke", id]).await?;
    assert!(revoked.contains(id), "{revoked}");
    let again = webhooks_text(&["console", "--revoke", id]).await;
    let refused = format!("{:#}", again.expect_err("it is gone"));
    assert!(refused.contains("the console has no session"), "{refused}");
    let short = webhooks_text(&["console", "--expires-in", "5s", &actor]).await;
    let refused = format!("{:#}", short.expect_err("too short"));
    assert!(
        refused.contains("expiresInSeconds: must be 60 to 86400"),
        "{refused}"
    );
    // By default the actor is the caller.
    let (_, created) = webhooks(&["console"]).await?;
    let id = created["id"].as_str().context("no id")?;
    let (_, listed) = webhooks_text(&["console", "--list"]).await?;
    let line = listed.lines().find(|line| line.contains(id));
    assert!(
        line.is_some_and(|line| line.contains("arn:aws")),
        "{listed}"
    );
    webhooks_text(&["console", "--revoke", id]).await?;
    Ok(())
}
