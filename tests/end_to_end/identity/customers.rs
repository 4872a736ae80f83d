//! The customer to whom a message and a delivery belong.

use anyhow::Result;
use http::{Method, StatusCode};
use serde_json::json;

use super::{shown, status};
use crate::fixture::Fixture;

#[tokio::test]
async fn a_customer_sees_and_resends_only_its_own_deliveries() -> Result<()> {
    let test = Fixture::new("owner").await?;
    let created = test.subscribe("/a").await?;
    test.put("order.created", json!({"n": 1})).await?;
    let request = test.first_request("/a").await?;
    let message = request.webhook_id();
    let delivery = test.settled_delivery(message, &created).await?.id;

    let stranger = test.another("stranger").await?;
    stranger.subscribe("/b").await?;
    for customer in [&stranger.customer, "nobody"] {
        for (method, what) in [
            (Method::GET, vec!["messages", message]),
            (Method::GET, vec!["deliveries", &delivery]),
            (Method::POST, vec!["deliveries", &delivery, "resend"]),
        ] {
            let path = [&["customers", customer], &what[..]].concat();
            let answered = status(&test, method, &path).await?;
            assert_eq!(answered, StatusCode::NOT_FOUND, "{path:?}");
        }
    }
    assert_eq!(test.receiver.requests().len(), 1, "nothing was resent");

    let own = ["customers", test.customer.as_str()];
    for what in [["messages", message], ["deliveries", &delivery]] {
        let path = [&own[..], &what].concat();
        assert_eq!(shown(&test, &path).await?, shown(&test, &what).await?);
    }
    let resend = [&own[..], &["deliveries", &delivery, "resend"]].concat();
    let answered = status(&test, Method::POST, &resend).await?;
    assert_eq!(answered, StatusCode::ACCEPTED);
    let requests = test.requests("/a", 2).await?;
    assert_eq!(requests[1].webhook_id(), message);
    Ok(())
}
