//! The portal in a real browser. `cargo xtask test --only browser` runs these tests.

mod driver;
mod endpoint;

use std::time::{Duration, SystemTime};

use anyhow::Result;
use http::StatusCode;
use serde_json::json;
use webhooks_client::{CreatedPortalSession, DeliveryStatus};
use webhooks_domain::timestamp::Timestamp;
use webhooks_receiver::Answer;

use crate::fixture::Fixture;
use driver::{Browser, Cookie, Page, Visitor};

/// The origin of the operator's application, which is in the stack's `PortalReturnUrls`.
const APPLICATION: &str = "https://app.example.com";

/// A session as the operator's backend makes it.
async fn session(test: &Fixture, capabilities: &[&str]) -> Result<CreatedPortalSession> {
    let wanted = json!({
        "capabilities": capabilities,
        "expiresInSeconds": 900,
        "returnUrl": format!("{APPLICATION}/settings/webhooks"),
    });
    Ok(test
        .api
        .create_portal_session(&test.customer, &wanted)
        .await?)
}

/// A delivery of which nothing more is attempted.
struct Delivered {
    id: String,
    message: String,
}

/// Puts an event, and waits until nothing more is attempted.
async fn delivered(
    test: &Fixture,
    path: &str,
    note: &str,
    expected: DeliveryStatus,
) -> Result<Delivered> {
    let before = test.receiver.requests_to(path).len();
    let detail = json!({"order": {"note": note}});
    test.put("order.created", detail).await?;
    let requests = test.requests(path, before + 1).await?;
    let message = requests[before].webhook_id().to_owned();
    let settled = test.settled(&message).await?;
    let delivery = &settled.deliveries[0];
    assert_eq!(delivery.status, expected, "{delivery:?}");
    let id = delivery.id.clone();
    Ok(Delivered { id, message })
}

/// The moment so long ago, as a person types it into a field for UTC.
fn typed(ago: Duration) -> String {
    let at = (Timestamp::from(SystemTime::now()) - ago).to_string();
    at.chars().take("2026-01-31T09:30:00".len()).collect()
}

/// The answer of the broken endpoint to the last attempt, and a text of the event.
const ANSWER: &str = "<b>the database</b> <script>alert(1)</script>";
const NOTE: &str = "<img src=x onerror=alert(2)>";

#[tokio::test]
async fn a_customer_sees_why_deliveries_fail_mends_the_endpoint_and_recovers() -> Result<()> {
    let test = Fixture::new("browser").await?;
    let other = test.another("browser-other").await?;
    let policy = json!({"retryPolicy": {"schedule": [0, 1]}});
    let subscription = test.subscribe_with("/hook", policy).await?.subscription;
    let url = test.receiver.url("/hook");
    let foreign = other.subscribe("/theirs").await?.subscription;
    let foreign_url = other.receiver.url("/theirs");
    let good = delivered(&test, "/hook", "tea", DeliveryStatus::Succeeded).await?;
    let broken = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
    let down = Answer::status(StatusCode::SERVICE_UNAVAILABLE).with_body(ANSWER);
    test.receiver.script("/hook", [broken, down]);
    let failed = delivered(&test, "/hook", NOTE, DeliveryStatus::Failed).await?;
    let missed = delivered(&test, "/hook", "milk", DeliveryStatus::Failed).await?;

    // The link works once, and the code leaves the address bar.
    let link = session(&test, &["view", "payloads", "resend"]).await?;
    let browser = Browser::start(&test.stack, APPLICATION)?;
    let customer = browser.visitor("customer");
    let list = customer.enter(&link, &test.stack).await?;
    list.shows(&["Endpoints", &url, "order.created", &test.customer]);
    list.has_none_of(&[&foreign.id, &foreign_url, "Add an endpoint"]);
    let is_own = list.url.starts_with(&browser.portal) && !list.url.contains("code");
    assert!(is_own, "{}", list.url);
    let [cookie] = list.session_cookies()[..] else {
        panic!("{:?}", list.cookies);
    };
    assert!(cookie.http_only && cookie.secure, "{cookie:?}");
    assert_eq!(cookie.same_site, "Lax");
    let late = browser.visitor("late").enter(&link, &test.stack).await?;
    assert_eq!(late.status, 410, "{late:?}");
    late.shows(&["This link works no more"]);

    customer.follow(&url).await?;
    sees_failures(&customer, &list.url, &good, &failed).await?;
    test.receiver.script("/hook", [Answer::ok()]);
    resends_and_recovers(&test, &customer, &failed, &missed).await?;

    // The link of somebody else replaces no session unasked.
    let foreign_link = session(&other, &["view"]).await?;
    let asked = customer.enter(&foreign_link, &test.stack).await?;
    asked.shows(&[&format!("Open the portal of {}?", other.customer)]);
    let stayed = customer.follow("Stay").await?;
    assert_eq!(stayed.url, list.url);
    stayed.shows(&[&url]);
    let visitor = browser.visitor("other");
    let theirs = visitor.enter(&foreign_link, &test.stack).await?;
    sees_nothing_of_another_customer(&other, &visitor, &theirs, &list.url, &failed).await?;

    // A session that is over leads back, and says so where it cannot.
    let revoke = test.api.revoke_portal_session(&test.customer, &link.id);
    revoke.await?;
    let back = customer.open(&list.url).await?;
    assert_eq!(back.url, format!("{APPLICATION}/settings/webhooks"));
    assert_eq!(back.session_cookies(), Vec::<&Cookie>::new());
    let stranger = browser.visitor("stranger").open(&list.url).await?;
    assert_eq!(stranger.status, 401, "{stranger:?}");
    stranger.shows(&["Your session has ended"]);
    stranger.has_none_of(&[&subscription.id, &url]);
    Ok(())
}

/// From the page of the endpoint to each attempt and why it failed. Texts of others stay texts.
async fn sees_failures(
    customer: &Visitor<'_>,
    endpoints: &str,
    good: &Delivered,
    failed: &Delivered,
) -> Result<()> {
    let endpoint = customer.reload().await?;
    endpoint.shows(&["Every attempt has failed since", "Attempts"]);
    let deliveries = customer.follow("Deliveries").await?;
    deliveries.shows(&["Succeeded", "Failed", "answered 503"]);
    let since = typed(Duration::from_mins(10));
    customer.fill("From (UTC)", &since).await?;
    customer.select("Status", "Succeeded").await?;
    let filtered = customer.press("Show").await?;
    filtered.has_none_of(&[&failed.id, "role=\"alert\""]);
    assert!(filtered.html.contains(&good.id), "{}", filtered.text);
    customer.select("Status", "Failed").await?;
    let filtered = customer.press("Show").await?;
    filtered.has_none_of(&[&good.id, "role=\"alert\""]);
    assert!(filtered.html.contains(&failed.id), "{}", filtered.text);
    let delivery = customer.open(&page_of(endpoints, failed)).await?;
    delivery.shows(&[
        "Given up after 2 attempts, the last answered 503.",
        "Attempt 1",
        "Answered 500 Internal Server Error",
        "Attempt 2",
        "Answered 503 Service Unavailable",
        ANSWER,
        NOTE,
        &failed.message,
    ]);
    Ok(())
}

/// The endpoint works again: from the page of a failed delivery, one by one, and then all that it has
/// missed.
async fn resends_and_recovers(
    test: &Fixture,
    customer: &Visitor<'_>,
    failed: &Delivered,
    missed: &Delivered,
) -> Result<()> {
    let url = test.receiver.url("/hook");
    let resent = customer.press("Resend").await?;
    resent.shows(&["The webhook is sent again."]);
    test.settled(&failed.message).await?;
    let resent = customer.reload().await?;
    resent.shows(&["Succeeded", "Attempt 1"]);
    customer.follow(&url).await?;
    customer.follow("Recover and replay").await?;
    let since = typed(Duration::from_mins(10));
    customer.fill("Created from (UTC)", &since).await?;
    let counted = customer.press("Count first").await?;
    counted.shows(&["1 delivery", "Failed and held deliveries"]);
    let started = customer.press("Start").await?;
    assert!(started.url.ends_with("?of=1"), "{}", started.url);
    let done = customer.wait_for("Done").await?;
    done.shows(&["Recover", "Looked at 1 of 1"]);
    test.settled(&missed.message).await?;
    customer.follow(&url).await?;
    let deliveries = customer.follow("Deliveries").await?;
    deliveries.has_none_of(&["badge bad", "badge waiting"]);
    Ok(())
}

/// The page of a delivery, from that of the endpoints.
fn page_of(endpoints: &str, delivery: &Delivered) -> String {
    endpoints.replace("/endpoints", &format!("/deliveries/{}", delivery.id))
}

/// The session of a second customer, with the page of its endpoints.
async fn sees_nothing_of_another_customer(
    other: &Fixture,
    visitor: &Visitor<'_>,
    endpoints: &Page,
    foreign_endpoints: &str,
    foreign: &Delivered,
) -> Result<()> {
    endpoints.shows(&[&other.customer]);
    let own = delivered(other, "/theirs", "own", DeliveryStatus::Succeeded).await?;
    for url in [
        foreign_endpoints.to_owned(),
        page_of(foreign_endpoints, foreign),
        page_of(&endpoints.url, foreign),
    ] {
        let page = visitor.open(&url).await?;
        assert_eq!(page.status, 404, "{page:?}");
        page.shows(&["Not found"]);
    }
    // Its capabilities show no bodies and no buttons.
    let page = visitor.open(&page_of(&endpoints.url, &own)).await?;
    page.shows(&[
        "Succeeded",
        "This session does not show bodies and answers.",
    ]);
    page.has_none_of(&["Resend", "\"note\""]);
    let ended = visitor.press("End session").await?;
    ended.shows(&["Your session has ended"]);
    let page = visitor.follow("Go back").await?;
    page.shows(&["The operator's application"]);
    Ok(())
}
