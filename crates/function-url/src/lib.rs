//! The events of Function URLs, before they become requests.
//!
//! Whoever invokes a function without its URL makes up the event. The code that turns an event into
//! a request panics if a part makes no URL, or a body no bytes. This crate checks these parts first.
//!
//! The portal makes such events for the API: see [`Invocation`].
//!
//! It answers nothing, and knows no path of any function.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod invocation;
mod portal_scope;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::http::{Uri, header};
use lambda_http::request::LambdaRequest;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

pub use invocation::{FunctionAnswer, Invocation, UnreadableAnswer};
pub use portal_scope::{MalformedScope, PortalScope};

/// A part of an event of which no request can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPart {
    /// The part, such as `path`.
    pub name: &'static str,
    /// The problem.
    pub problem: &'static str,
}

const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Escapes the path of an event, and refuses an event that no request can be made of.
///
/// # Errors
/// The first part of which no request can be made.
pub fn check(event: &mut LambdaRequest) -> Result<(), BadPart> {
    match event {
        LambdaRequest::ApiGatewayV2(event) => {
            event.raw_path = event.raw_path.as_deref().map(escaped);
            check_parts(event)
        }
        // The build takes in no other kind.
        _ => Ok(()),
    }
}

/// The characters that a URL parser drops at the end of a path, so that it would read
/// `/customers/acme ` as `/customers/acme`. A path with a line end or a tab is refused later.
const DROPPED: &AsciiSet = &CONTROLS.add(b' ').remove(b'\t').remove(b'\n').remove(b'\r');

fn escaped(path: &str) -> String {
    utf8_percent_encode(path, DROPPED).to_string()
}

/// A harmless event, in place of one that was refused.
pub fn harmless() -> LambdaRequest {
    LambdaRequest::ApiGatewayV2(ApiGatewayV2httpRequest::default())
}

fn check_parts(event: &ApiGatewayV2httpRequest) -> Result<(), BadPart> {
    let header = |name| {
        let value = event.headers.get(name);
        value.and_then(|value| value.to_str().ok())
    };
    let scheme = header(FORWARDED_PROTO).unwrap_or("https");
    if !matches!(scheme, "http" | "https") {
        let problem = "must be `http` or `https`";
        return Err(BadPart {
            name: FORWARDED_PROTO,
            problem,
        });
    }
    let host = header(header::HOST.as_str()).or(event.request_context.domain_name.as_deref());
    let host = host.unwrap_or("localhost");
    // With a stage it would be another path than the one that is routed by.
    let stage = event.request_context.stage.as_deref();
    if stage.is_some_and(|stage| stage != "$default") {
        return Err(BadPart {
            name: "stage",
            problem: "must be `$default` or absent",
        });
    }
    let base = format!("{scheme}://{host}");
    if !is_url(&base) || host.contains(['/', '\\', '?', '#', '@']) {
        return Err(BadPart {
            name: "host",
            problem: "must be the name of a host",
        });
    }
    let path = event.raw_path.as_deref().unwrap_or_default();
    let bad_path = |problem| BadPart {
        name: "path",
        problem,
    };
    let has_root = path.is_empty() || path.starts_with('/');
    let whole = format!("{base}{path}");
    if !has_root || path.contains(['?', '#']) || !is_url(&whole) {
        let problem = "must begin with `/`, have no bare `?` and `#`, and make a URL";
        return Err(bad_path(problem));
    }
    if path.split(['/', '\\']).any(is_dots) {
        return Err(bad_path("must have no `.` or `..` alone, encoded or not"));
    }
    let query = event.raw_query_string.as_deref().unwrap_or_default();
    let whole = Url::parse(&whole).map_or(whole, String::from);
    if Uri::try_from(format!("{whole}?{query}")).is_err() {
        let problem = "must be encoded as in a URL, and fit into one";
        return Err(BadPart {
            name: "query",
            problem,
        });
    }
    let body = event.body.as_deref().unwrap_or_default();
    if event.is_base64_encoded && STANDARD.decode(body).is_err() {
        let problem = "must be base64, as the event says that it is";
        return Err(BadPart {
            name: "body",
            problem,
        });
    }
    Ok(())
}

/// Returns true if a URL parser follows this segment of a path to another path, as it does with
/// `..`, also if its dots are encoded. The parser drops line ends and tabs first.
fn is_dots(segment: &str) -> bool {
    let read = segment.to_ascii_lowercase().replace(['\t', '\n', '\r'], "");
    matches!(read.replace("%2e", ".").as_str(), "." | "..")
}

/// Returns true if both kinds of URL that the request passes accept it.
fn is_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| Uri::try_from(url.as_str()).is_ok())
}
