//! The portal at its Function URL: from a link to the pages, and until the session is revoked.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::json;
use webhooks_client::{CreatedPortalSession, PortalCapability, PortalSessionsQuery, Stack};

use crate::fixture::Fixture;

/// A browser without scripts.
pub(crate) struct Browser<'a> {
    stack: &'a Stack,
    /// The portal, without a `/` at its end.
    origin: String,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(stack: &'a Stack) -> Result<Self> {
        let origin = stack.output("PortalAddress")?.trim_end_matches('/');
        Ok(Self {
            stack,
            origin: origin.to_owned(),
            cookies: BTreeMap::new(),
        })
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        form: &str,
    ) -> Result<Response<Bytes>> {
        let cookies = self.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin))
            .header("cookie", cookies.join("; "));
        if method == "POST" {
            request = request
                .header("origin", &self.origin)
                .header("content-type", "application/x-www-form-urlencoded");
        }
        let request = request.body(Bytes::from(form.to_owned()))?;
        let http = self.stack.signed_http().unsigned();
        let answer = http.send("lambda", request).await?;
        for set in answer.headers().get_all("set-cookie") {
            let set = set.to_str()?;
            let (pair, attributes) = set.split_once(';').context("attributes")?;
            let (name, value) = pair.split_once('=').context("a pair")?;
            ensure!(
                name.starts_with("__Host-") && attributes.contains("HttpOnly"),
                "{set}"
            );
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok(answer)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<(StatusCode, String)> {
        let answer = self.send("GET", path, "").await?;
        let status = answer.status();
        Ok((status, String::from_utf8(answer.into_body().to_vec())?))
    }

    /// Uses a link as the script of the page does, and continues if the page of the console asks.
    pub(crate) async fn open(&mut self, session: &CreatedPortalSession) -> Result<Response<Bytes>> {
        let (page, code) = session.url.split_once("/#code=").context("a fragment")?;
        ensure!(page == self.origin, "{page}");
        let (status, page) = self.get("/").await?;
        ensure!(status == StatusCode::OK, "{status}: {page}");
        // As if a page of the operator's had the link.
        let form = format!("code={code}&open=yes");
        let answer = self.send("POST", "/session", &form).await?;
        let page = String::from_utf8_lossy(answer.body());
        if !page.contains("Open the console?") {
            return Ok(answer);
        }
        let form = format!("code={code}&open=console");
        self.send("POST", "/session", &form).await
    }
}

async fn session(test: &Fixture, customer: &str) -> Result<CreatedPortalSession> {
    let wanted = json!({"capabilities": ["payloads"], "expiresInSeconds": 600});
    Ok(test.api.create_portal_session(customer, &wanted).await?)
}

#[tokio::test]
async fn a_customer_sees_its_deliveries_and_nobody_elses_until_the_session_is_revoked() -> Result<()>
{
    let test = Fixture::new("portal").await?;
    let other = test.another("portal-other").await?;
    let subscription = test.subscribe("/hook").await?.subscription;
    let foreign = other.subscribe("/hook").await?.subscription;
    test.put("order.created", json!({"order": "visible"}))
        .await?;
    let request = test.first_request("/hook").await?;
    let message = request.header("webhook-id").to_owned();
    let delivery = &test.settled(&message).await?.deliveries[0].id;

    let session = session(&test, &test.customer).await?;
    let mut browser = Browser::new(&test.stack)?;
    let entered = browser.open(&session).await?;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER, "{entered:?}");
    let endpoints = entered.headers()["location"].to_str()?.to_owned();
    let again = Browser::new(&test.stack)?.open(&session).await?;
    assert_eq!(again.status(), StatusCode::GONE, "a link works once");

    let (status, page) = browser.get(&endpoints).await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains(&subscription.id) && !page.contains(&foreign.id));
    let endpoint = format!("{endpoints}/{}", subscription.id);
    let (status, page) = browser.get(&endpoint).await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains(test.receiver.url("/hook").as_str()), "{page}");
    let deliveries = format!("{endpoints}/{}/deliveries", subscription.id);
    let (status, page) = browser.get(&deliveries).await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains(delivery), "{page}");
    let path = endpoints.replace("/endpoints", &format!("/deliveries/{delivery}"));
    let (status, page) = browser.get(&path).await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("visible"), "{page}");

    for path in [
        endpoints.replace(&test.customer, &other.customer),
        format!("{endpoints}/{}/deliveries", foreign.id),
    ] {
        let (status, page) = browser.get(&path).await?;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {page}");
    }

    let query = PortalSessionsQuery::default();
    let listed = test.api.portal_sessions(&test.customer, &query).await?;
    let [only] = &listed.data[..] else {
        panic!("{listed:?}");
    };
    assert_eq!(only.id, session.id);
    // The emulator does not say who has signed a request.
    assert!(only.entered_at.is_some(), "{only:?}");
    let capabilities = [PortalCapability::View, PortalCapability::Payloads];
    assert_eq!(only.capabilities, capabilities);
    let revoke = test.api.revoke_portal_session(&test.customer, &session.id);
    revoke.await?;
    let (status, page) = browser.get(&endpoints).await?;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{page}");
    Ok(())
}

#[tokio::test]
async fn a_form_of_another_site_opens_no_session() -> Result<()> {
    let test = Fixture::new("portal-forged").await?;
    let session = session(&test, &test.customer).await?;
    let mut browser = Browser::new(&test.stack)?;
    let (_, code) = session.url.split_once("/#code=").context("a fragment")?;
    let request = Request::post(format!("{}/session", browser.origin))
        .header("origin", "https://evil.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(format!("code={code}")))?;
    let http = test.stack.signed_http().unsigned();
    let answer = http.send("lambda", request).await?;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{answer:?}");
    assert!(!answer.headers().contains_key("set-cookie"));
    let entered = browser.open(&session).await?;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER, "it is unused");
    Ok(())
}

/// The token in the forms of a page.
pub(crate) fn csrf(page: &str) -> Result<&str> {
    let (_, rest) = page
        .split_once("name=\"csrf\" value=\"")
        .context("no form")?;
    let (token, _) = rest.split_once('"').context("no value")?;
    Ok(token)
}

/// Tests the rights that the role of the portal needs for the capability `resend`.
#[tokio::test]
async fn a_customer_resends_a_delivery_and_counts_starts_and_stops_a_recovery() -> Result<()> {
    let test = Fixture::new("portal-resend").await?;
    let subscription = test.subscribe("/hook").await?.subscription;
    test.put("order.created", json!({})).await?;
    let request = test.first_request("/hook").await?;
    let message = request.header("webhook-id").to_owned();
    let delivery = &test.settled(&message).await?.deliveries[0].id;
    let wanted = json!({"capabilities": ["resend"]});
    let session = test.api.create_portal_session(&test.customer, &wanted);
    let session = session.await?;
    let mut browser = Browser::new(&test.stack)?;
    let entered = browser.open(&session).await?;
    let endpoints = entered.headers()["location"].to_str()?.to_owned();

    let path = endpoints.replace("/endpoints", &format!("/deliveries/{delivery}"));
    let (_, page) = browser.get(&path).await?;
    let form = format!("csrf={}", csrf(&page)?);
    let resent = browser
        .send("POST", &format!("{path}/resend"), &form)
        .await?;
    assert_eq!(resent.status(), StatusCode::SEE_OTHER, "{resent:?}");
    let requests = test.requests("/hook", 2).await?;
    assert_eq!(requests[1].header("webhook-id"), message);

    let recoveries = format!("{endpoints}/{}/recoveries", subscription.id);
    let (status, page) = browser.get(&recoveries).await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    for what in ["undelivered", "messages"] {
        let form = format!("{form}&what={what}&since=2026-01-01T00:00");
        let count = format!("{recoveries}/count");
        let counted = browser.send("POST", &count, &form).await?;
        assert_eq!(counted.status(), StatusCode::OK, "{what}: {counted:?}");
        let started = browser.send("POST", &recoveries, &form).await?;
        assert_eq!(
            started.status(),
            StatusCode::SEE_OTHER,
            "{what}: {started:?}"
        );
        let recovery = started.headers()["location"].to_str()?.to_owned();
        let (status, page) = browser.get(&recovery).await?;
        assert_eq!(status, StatusCode::OK, "{page}");
        let stopped = browser
            .send("POST", &format!("{recovery}/stop"), &form)
            .await?;
        assert_eq!(stopped.status(), StatusCode::SEE_OTHER, "{stopped:?}");
    }
    Ok(())
}

/// The value of a hidden field of a page.
fn hidden<'a>(page: &'a str, name: &str) -> Result<&'a str> {
    let field = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&field).context(field)?;
    let (value, _) = rest.split_once('"').context("no end")?;
    Ok(value)
}

/// Tests the rights that the role of the portal needs for the capabilities `manage` and `secrets`: it
/// asks the API.
#[tokio::test]
async fn a_customer_adds_tests_changes_and_deletes_an_endpoint() -> Result<()> {
    let test = Fixture::new("portal-manage").await?;
    let wanted = json!({"capabilities": ["manage", "secrets", "payloads"]});
    let session = test.api.create_portal_session(&test.customer, &wanted);
    let mut browser = Browser::new(&test.stack)?;
    let entered = browser.open(&session.await?).await?;
    let endpoints = entered.headers()["location"].to_str()?.to_owned();

    let new = format!("{endpoints}/new");
    let (status, page) = browser.get(&new).await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    let token = csrf(&page)?.to_owned();
    let form = |fields: &[(&str, &str)]| {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &token).extend_pairs(fields);
        form.finish()
    };
    let url = test.receiver.url("/hook");
    let filter = r#"{"order": ["visible"]}"#;
    let once = hidden(&page, "once")?;
    let mut fields = vec![
        ("url", url.as_str()),
        ("eventTypes", "order.*"),
        ("payloadFormat", "standard"),
        ("filter", filter),
        ("event", r#"{"detail": {"order": "other"}}"#),
        ("once", once),
    ];
    let tried = form(&[&fields[..], &[("button", "try")]].concat());
    let tried = browser.send("POST", &new, &tried).await?;
    let page = String::from_utf8(tried.into_body().to_vec())?;
    assert!(page.contains("does not select this event"), "{page}");
    fields.push(("button", "save"));
    let mut ids = Vec::new();
    for _ in 0..2 {
        let added = browser.send("POST", &new, &form(&fields)).await?;
        assert_eq!(added.status(), StatusCode::OK, "{added:?}");
        let page = String::from_utf8(added.into_body().to_vec())?;
        assert!(page.contains("whsec_"), "{page}");
        let (_, id) = page.split_once("/endpoints/sub_").context("no link")?;
        ids.push(format!("sub_{}", &id[..32]));
    }
    assert_eq!(
        ids[0], ids[1],
        "a form that is sent twice adds one endpoint"
    );
    let endpoint = format!("{endpoints}/{}", ids[0]);

    let sent = form(&[("eventType", "order.created")]);
    let sent = browser
        .send("POST", &format!("{endpoint}/test"), &sent)
        .await?;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER, "{sent:?}");
    test.first_request("/hook").await?;
    let (status, page) = browser.get(sent.headers()["location"].to_str()?).await?;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("order.created"), "{page}");

    let (_, page) = browser.get(&endpoint).await?;
    let rotation = form(&[
        ("overlapSeconds", "3600"),
        ("version", hidden(&page, "version")?),
    ]);
    for (path, form) in [("secrets", form(&[])), ("secrets/rotate", rotation)] {
        let path = format!("{endpoint}/{path}");
        let shown = browser.send("POST", &path, &form).await?;
        assert_eq!(shown.status(), StatusCode::OK, "{path}: {shown:?}");
        let page = String::from_utf8(shown.into_body().to_vec())?;
        assert!(page.contains("whsec_"), "{path}: {page}");
    }

    let edit = format!("{endpoint}/edit");
    let (_, page) = browser.get(&edit).await?;
    let mut changed = fields.clone();
    changed.extend([
        ("version", hidden(&page, "version")?),
        ("description", "changed"),
    ]);
    for (path, form, expected) in [
        (edit, form(&changed), "changed"),
        (format!("{endpoint}/pause"), form(&[]), "paused"),
        (format!("{endpoint}/enable"), form(&[]), "enabled"),
        (format!("{endpoint}/delete"), form(&[]), "deleted"),
    ] {
        let done = browser.send("POST", &path, &form).await?;
        assert_eq!(done.status(), StatusCode::SEE_OTHER, "{path}: {done:?}");
        let mut cookies = done.headers().get_all("set-cookie").iter();
        let result = format!("webhooks-done={expected};");
        let has_result = |set: &str| set.contains(&result);
        assert!(
            cookies.any(|set| set.to_str().is_ok_and(has_result)),
            "{path}: {done:?}"
        );
    }
    let (status, _) = browser.get(&endpoint).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    Ok(())
}
