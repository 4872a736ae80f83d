//! Answers, and the headers that each of them has.

use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY,
    SET_COOKIE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{HeaderValue, StatusCode};
use lambda_http::{Body, Response};
use webhooks_pages::assets::{self, Asset};

/// An answer to a browser.
pub(crate) type Answer = Response<Body>;

fn answer(status: StatusCode, content_type: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Body::Text(text));
    *answer.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

/// A page.
pub(crate) fn page(status: StatusCode, html: String) -> Answer {
    answer(status, "text/html; charset=utf-8", html)
}

/// The stylesheet of the brand.
pub(crate) fn stylesheet(css: String) -> Answer {
    answer(StatusCode::OK, "text/css; charset=utf-8", css)
}

/// A file of the pages, which a browser may keep.
pub(crate) fn asset(asset: &'static Asset) -> Answer {
    let text = String::from_utf8_lossy(asset.bytes).into_owned();
    let mut answer = answer(StatusCode::OK, asset.content_type, text);
    let kept = HeaderValue::from_static(assets::CACHE_CONTROL);
    answer.headers_mut().insert(CACHE_CONTROL, kept);
    answer
}

/// Leads to another page.
pub(crate) fn see_other(location: &str) -> Answer {
    let mut answer = Response::new(Body::Empty);
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let location = HeaderValue::from_str(location).expect("paths and URLs are ASCII");
    answer.headers_mut().insert(LOCATION, location);
    answer
}

/// The same answer, which also sets a cookie.
pub(crate) fn with_cookie(mut answer: Answer, cookie: &str) -> Answer {
    let cookie = HeaderValue::from_str(cookie).expect("cookies are ASCII");
    answer.headers_mut().append(SET_COOKIE, cookie);
    answer
}

/// The same answer with a policy of its own.
pub(crate) fn with_policy(mut answer: Answer, content_security_policy: &str) -> Answer {
    let policy = HeaderValue::from_str(content_security_policy);
    let policy = policy.expect("origins are ASCII");
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    answer
}

/// The headers of every answer, beside the policy and the caching.
const HEADERS: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // `no-referrer` would make the header `Origin` of a form `null`.
    (REFERRER_POLICY, "same-origin"),
    (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The same answer with the headers that every answer has, and this policy if it has none yet.
pub(crate) fn secured(answer: Answer, content_security_policy: &str) -> Answer {
    let mut answer = if answer.headers().contains_key(CONTENT_SECURITY_POLICY) {
        answer
    } else {
        with_policy(answer, content_security_policy)
    };
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(CACHE_CONTROL).or_insert(no_store);
    answer
}
