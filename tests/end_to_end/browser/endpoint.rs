//! A customer adds an endpoint, tests it and rotates its secret. Support staff find one of its deliveries
//! in the console.

use anyhow::Result;
use serde_json::json;
use webhooks_client::{DeliveryStatus, PortalCapability};

use super::driver::{Browser, Visitor};
use super::{APPLICATION, session};
use crate::console;
use crate::fixture::Fixture;

/// The filter of the endpoint, and events that it selects or not.
const FILTER: &str = r#"{"order": {"total": [{"numeric": [">", 100]}]}}"#;
const LARGE: &str = r#"{"detail": {"order": {"total": 700}}}"#;
const SMALL: &str = r#"{"detail": {"order": {"total": 7}}}"#;

#[tokio::test]
async fn a_customer_adds_an_endpoint_and_support_staff_resend_its_delivery() -> Result<()> {
    let test = Fixture::new("browser-add").await?;
    let other = test.another("browser-add-other").await?;
    let browser = Browser::start(&test.stack, APPLICATION)?;
    let customer = browser.visitor("owner");
    let capabilities = ["manage", "secrets", "payloads", "resend"];
    let link = session(&test, &capabilities).await?;
    let list = customer.enter(&link, &test.stack).await?;
    adds_an_endpoint(&test, &customer).await?;
    let id = receives_what_the_filter_selects(&test, &customer, &list.url).await?;
    let delivery = list.url.replace("/endpoints", &format!("/deliveries/{id}"));

    // Support staff have only the id.
    let may = [PortalCapability::Payloads, PortalCapability::Resend];
    let link = console::session(&test, "jo@example.com", &may).await?;
    let support = browser.visitor("support");
    let asked = support.enter(&link, &test.stack).await?;
    asked.shows(&["Open the console?"]);
    let search = support.press("Continue").await?;
    search.shows(&["Console", "Signed in as jo@example.com", "Search"]);
    support.fill("Id", "dlv_1").await?;
    let nothing = support.press("Search").await?;
    nothing.shows(&["enter the whole id"]);
    support.fill("Id", &id).await?;
    let found = support.press("Search").await?;
    assert_eq!(found.url, delivery);
    found.shows(&["Succeeded", "700", &test.customer]);
    let before = test.receiver.requests_to("/added").len();
    let resent = support.press("Resend").await?;
    resent.shows(&["The webhook is sent again."]);
    test.requests("/added", before + 1).await?;
    for (entry, heading) in [
        ("Queues", "DeliveryDeadLetterQueue"),
        ("Unhealthy", "Problem"),
    ] {
        support.follow(entry).await?.shows(&[heading]);
    }
    support.follow("Queues").await?;
    support
        .open(&format!(
            "{}console/runbooks/FailedEventsAlarm",
            browser.portal
        ))
        .await?
        .shows(&["webhooks dlq redrive events"]);

    // The session of another customer sees none of it.
    let link = session(&other, &capabilities).await?;
    let stranger = browser.visitor("stranger");
    stranger.enter(&link, &other.stack).await?;
    for page in [
        delivery,
        list.url,
        format!("{}console?q={id}", browser.portal),
    ] {
        let page = stranger.open(&page).await?;
        assert_eq!(page.status, 404, "{page:?}");
        page.shows(&["Not found"]);
    }
    Ok(())
}

/// From the empty list to the secret of a new endpoint, whose filter was tried first.
async fn adds_an_endpoint(test: &Fixture, customer: &Visitor<'_>) -> Result<()> {
    customer.follow("Add an endpoint").await?;
    customer
        .fill("URL (required)", &test.receiver.url("/added"))
        .await?;
    customer.fill("Event types", "order.*").await?;
    customer.fill("Pattern", FILTER).await?;
    for (event, said) in [
        (SMALL, "The filter does not select this event."),
        (LARGE, "The filter selects this event."),
    ] {
        customer.fill("Event", event).await?;
        customer.press("Try the filter").await?.shows(&[said]);
    }
    let added = customer.press("Add the endpoint").await?;
    added.shows(&["The endpoint was added.", "Current secret", "whsec_"]);
    Ok(())
}

/// A test, an event that the filter selects, and a rotation. Returns the delivery of the event.
async fn receives_what_the_filter_selects(
    test: &Fixture,
    customer: &Visitor<'_>,
    endpoints: &str,
) -> Result<String> {
    let endpoint = customer.follow("To the endpoint").await?;
    endpoint.has_none_of(&["whsec_"]);
    let shown = customer.press("Show the secret").await?;
    shown.shows(&["Current secret", "whsec_"]);
    customer.follow("To the endpoint").await?;
    customer.fill("Type of the event", "order.created").await?;
    let tested = customer.press("Send a test").await?;
    tested.shows(&["Succeeded", "order.created"]);
    test.first_request("/added").await?;

    test.put("order.created", json!({"order": {"total": 7}}))
        .await?;
    test.put("order.created", json!({"order": {"total": 700}}))
        .await?;
    let request = test.requests("/added", 2).await?.swap_remove(1);
    let settled = test.settled(request.webhook_id()).await?;
    let [delivery] = &settled.deliveries[..] else {
        panic!("{settled:?}");
    };
    assert_eq!(delivery.status, DeliveryStatus::Succeeded);

    customer.open(endpoints).await?;
    customer.follow(&test.receiver.url("/added")).await?;
    let rotated = customer.press("Rotate").await?;
    rotated.shows(&[
        "A new secret signs from now on.",
        "Previous secret",
        "version 2",
    ]);
    test.put("order.created", json!({"order": {"total": 800}}))
        .await?;
    let request = test.requests("/added", 3).await?.swap_remove(2);
    let signatures = request.header("webhook-signature");
    assert_eq!(
        signatures.split(' ').count(),
        2,
        "both secrets sign: {signatures}"
    );
    Ok(delivery.id.clone())
}
