//! Secret headers: they are sent to the endpoint for which they were given, and shown to nobody.

use anyhow::Result;
use http::{Method, StatusCode};
use serde_json::json;

use crate::fixture::Fixture;
use crate::managing::problem;

/// A part of every secret value here.
const MARK: &str = "s3cret-header";

#[tokio::test]
async fn a_secret_header_is_sent_and_its_new_value_from_the_next_delivery_on() -> Result<()> {
    let test = Fixture::new("secret-header").await?;
    let headers = json!({"Authorization": format!("Bearer {MARK}-1"), "x-key": MARK});
    let created = test
        .subscribe_with("/a", json!({"secretHeaders": headers}))
        .await?;
    let names = ["authorization", "x-key"];
    assert_eq!(created.subscription.secret_headers, names);
    test.put("order.created", json!({"n": 1})).await?;
    let first = test.first_request("/a").await?;
    assert_eq!(first.header("authorization"), format!("Bearer {MARK}-1"));
    assert_eq!(first.header("x-key"), MARK);
    first.verify(&created.secret)?;

    let id = &created.subscription.id;
    let rotated = json!({"secretHeaders": {"authorization": format!("Bearer {MARK}-2")}});
    let update = || test.api.update_subscription(&test.customer, id, &rotated);
    let changed = update().await?;
    assert_eq!(changed.version, 2);
    assert_eq!(update().await?.version, 2, "the same value changes nothing");
    test.put("order.created", json!({"n": 2})).await?;
    let second = test.requests("/a", 2).await?.swap_remove(1);
    assert_eq!(second.header("authorization"), format!("Bearer {MARK}-2"));
    assert_eq!(second.header("x-key"), MARK);
    Ok(())
}

/// Whoever may change the URL cannot carry a secret away with it. The second receiver has another
/// port, so it is another origin.
#[tokio::test]
async fn another_origin_gets_only_the_secret_headers_that_are_given_with_it() -> Result<()> {
    let test = Fixture::new("secret-origin").await?;
    let elsewhere = test.another("secret-origin-2").await?;
    let headers = json!({"authorization": format!("Bearer {MARK}"), "x-key": MARK});
    let created = test
        .subscribe_with("/a", json!({"secretHeaders": headers}))
        .await?;
    let id = &created.subscription.id;
    let update = async |patch| {
        let updated = test.api.update_subscription(&test.customer, id, &patch);
        anyhow::Ok(updated.await?)
    };
    let same = update(json!({"url": test.receiver.url("/b")})).await?;
    assert_eq!(same.cleared_secret_headers, [""; 0]);
    assert_eq!(same.secret_headers.len(), 2);

    let url = elsewhere.receiver.url("/a");
    let moved = update(json!({"url": url, "secretHeaders": {"x-key": MARK}})).await?;
    assert_eq!(moved.cleared_secret_headers, ["authorization"]);
    assert_eq!(moved.secret_headers, ["x-key"]);
    let shown = test.api.subscription(&test.customer, id).await?;
    assert_eq!(shown.secret_headers, ["x-key"]);
    assert_eq!(shown.cleared_secret_headers, [""; 0]);
    test.put("order.created", json!({})).await?;
    let request = elsewhere.first_request("/a").await?;
    assert_eq!(request.header("authorization"), "");
    assert_eq!(request.header("x-key"), MARK);
    request.verify(&created.secret)?;
    assert_eq!(test.receiver.requests().len(), 0);
    Ok(())
}

/// An answer cannot be sent back as a change by mistake, and no problem repeats a value.
#[tokio::test]
async fn a_mask_is_refused_with_words() -> Result<()> {
    let test = Fixture::new("secret-mask").await?;
    let created = test
        .subscribe_with("/a", json!({"secretHeaders": {"x-key": MARK}}))
        .await?;
    let path = ["customers", &test.customer, "subscriptions"];
    let path = [&path[..], &[&created.subscription.id]].concat();
    for (headers, words) in [
        (json!(["x-key"]), "must be an object"),
        (json!({"x-key": "********"}), "must be the secret itself"),
        (json!({"host": MARK}), "must not be `host`"),
        (json!({"x-key": [MARK]}), "must be a string"),
        (json!(MARK), "must be an object"),
    ] {
        let fields = json!({"secretHeaders": headers});
        let request = test.api.request(Method::PATCH, &path, &[], Some(&fields));
        let answer = request.await?;
        let problem = problem(&answer, StatusCode::UNPROCESSABLE_ENTITY)?;
        assert!(problem.to_string().contains(words), "{problem}");
        assert!(!answer.text().contains(MARK), "{}", answer.text());
    }
    Ok(())
}
