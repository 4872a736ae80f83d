//! A form that a browser sends back as it was rendered.

#![allow(clippy::unwrap_used, reason = "tests and their helpers")]

mod samples;

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;
use webhooks_api_types::{AuthenticationType, Subscription, SubscriptionPatch, Transform};
use webhooks_pages::endpoint::{Draft, form_page};
use webhooks_pages::endpoint_form::EndpointForm;

/// The fields that a browser sends, in the order of the page.
fn fields(html: &str) -> Vec<(String, String)> {
    let dom = parse_document(RcDom::default(), ParseOpts::default()).one(html);
    let mut sent = Vec::new();
    collect(&dom.document, &mut sent);
    sent
}

fn collect(node: &Handle, sent: &mut Vec<(String, String)>) {
    if let NodeData::Element { name, .. } = &node.data {
        let of = |key: &str| attribute(node, key);
        let field = of("name").unwrap_or_default();
        match &*name.local {
            "input" => {
                let kind = of("type").unwrap_or_default();
                let is_choice = ["checkbox", "radio"].contains(&&*kind);
                if !is_choice || of("checked").is_some() {
                    sent.push((field, of("value").unwrap_or_default()));
                }
                return;
            }
            "textarea" => {
                sent.push((field, text(node).replace('\n', "\r\n")));
                return;
            }
            "select" => {
                let options = node.children.borrow();
                let mut options = options.iter().filter(|it| attribute(it, "value").is_some());
                let chosen = options
                    .clone()
                    .find(|it| attribute(it, "selected").is_some());
                // A browser chooses the first one.
                let chosen = chosen.or_else(|| options.next());
                sent.push((field, attribute(chosen.unwrap(), "value").unwrap()));
                return;
            }
            _ => {}
        }
    }
    for child in node.children.borrow().iter() {
        collect(child, sent);
    }
}

fn attribute(node: &Handle, key: &str) -> Option<String> {
    let NodeData::Element { attrs, .. } = &node.data else {
        return None;
    };
    let attributes = attrs.borrow();
    let mut attributes = attributes.iter();
    let found = attributes.find(|attribute| &*attribute.name.local == key)?;
    Some(found.value.to_string())
}

fn text(node: &Handle) -> String {
    let children = node.children.borrow();
    let texts = children.iter().map(|child| match &child.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        _ => String::new(),
    });
    texts.collect()
}

fn with(authentication: Option<&Value>) -> Subscription {
    let mut subscription = json!({
        "id": "sub_70e79b2df96dcca5a0a362236c8d86f4", "customerId": "acme",
        "url": "https://example.com/", "eventTypes": ["a"], "payloadFormat": "standard",
        "secrets": [], "status": "active", "version": 3,
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
    });
    if let Some(authentication) = authentication {
        subscription["authentication"] = authentication.clone();
    }
    serde_json::from_value(subscription).unwrap()
}

fn sent_back(before: &Subscription) -> EndpointForm {
    let draft = Draft {
        customer: "acme".to_owned(),
        subscription: Some(before.clone()),
        form: EndpointForm::of(before),
        problem: None,
        tried: None,
        made: None,
    };
    let frame = samples::frame(&str::to_owned, &samples::ALL);
    let sent = fields(&form_page(&frame, &draft));
    assert!(sent.iter().any(|(name, _)| name == "clientAuthentication"));
    let body = Serializer::new(String::new()).extend_pairs(sent).finish();
    EndpointForm::parse(body.as_bytes())
}

/// The shown form of an authentication of each type.
fn shown(kind: AuthenticationType) -> Value {
    match kind {
        AuthenticationType::Basic => json!({"type": "basic", "username": "ann"}),
        AuthenticationType::Bearer => json!({"type": "bearer"}),
        AuthenticationType::ApiKey => json!({"type": "apiKey", "header": "x-key"}),
        AuthenticationType::OAuth2 => json!({
            "type": "oauth2", "tokenUrl": "https://login.example.com/token", "clientId": "acme",
            "scope": "a b", "clientAuthentication": "body",
        }),
        AuthenticationType::Mtls => json!({
            "type": "mtls", "subject": "CN=a", "issuer": "CN=b", "sha256Fingerprint": "00",
            "notBefore": "2026-01-01T00:00:00.000Z", "notAfter": "2027-01-01T00:00:00.000Z",
        }),
    }
}

#[test]
fn a_rendered_form_that_was_not_edited_changes_nothing() {
    let all = AuthenticationType::ALL.map(|kind| Some(shown(kind)));
    for authentication in all.into_iter().chain([None]) {
        let before = with(authentication.as_ref());
        let patch = sent_back(&before).patch(Some(&before)).unwrap();
        assert_eq!(patch, SubscriptionPatch::default(), "{authentication:?}");
    }
}

/// The API accepts each of these ends of lines, and keeps them.
#[test]
fn every_end_of_a_line_survives_a_form_that_was_not_edited() {
    for end in ["\n", "\r\n", "\r"] {
        let mut before = with(None);
        let filter = format!("{end}{{{end}\"total\": [1]}}{end}");
        before.filter = Some(serde_json::from_str(&filter).unwrap());
        before.transform = Some(Transform {
            paths: [("id".to_owned(), "order.id".to_owned())].into(),
            template: format!("Order <id>{end}{end}\tshipped"),
        });
        before.content_type = Some("text/plain".to_owned());
        let patch = sent_back(&before).patch(Some(&before)).unwrap();
        assert_eq!(patch, SubscriptionPatch::default(), "{end:?}");
        let mut form = sent_back(&before);
        form.description = "ours".to_owned();
        let patch = form.patch(Some(&before)).unwrap();
        let patch = serde_json::to_value(patch).unwrap();
        assert_eq!(patch, json!({"description": "ours"}), "{end:?}");
    }
}

/// Another field is changed without the secret, and each type is removed.
#[test]
fn an_edited_form_changes_only_what_was_edited() {
    for kind in AuthenticationType::ALL {
        let before = with(Some(&shown(kind)));
        let mut form = sent_back(&before);
        form.description = "ours".to_owned();
        let patch = form.patch(Some(&before)).unwrap();
        let patch = serde_json::to_value(patch).unwrap();
        assert_eq!(patch, json!({"description": "ours"}), "{kind}");
        form.authentication.kind = String::new();
        let patch = form.patch(Some(&before)).unwrap();
        let patch = serde_json::to_value(patch).unwrap();
        let removed = json!({"description": "ours", "authentication": null});
        assert_eq!(patch, removed, "{kind}");
    }
}
