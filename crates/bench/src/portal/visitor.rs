//! A browser with a session, as the function sees it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::{function::Function, stats::millis, stub_aws::StubAws};

const HOST: &str = "bench.lambda-url.us-east-1.on.aws";

/// A browser.
pub(super) struct Visitor {
    function: Function,
}

/// An answer, and what it took.
pub(super) struct View {
    pub(super) duration: Duration,
    pub(super) cpu_millis: f64,
    pub(super) read_units: f64,
    pub(super) aws_calls: f64,
    pub(super) logged_bytes: f64,
    /// The bytes of the body and of the headers.
    pub(super) bytes: f64,
    pub(super) body: String,
}

impl Visitor {
    pub(super) fn new(function: Function) -> Self {
        Self { function }
    }

    /// Requests a page or a file, in the session of a cookie.
    pub(super) async fn view(&mut self, aws: &StubAws, path: &str, cookie: &str) -> Result<View> {
        let _ = aws.take_counts();
        let process = &self.function.process;
        let (cpu, logged) = (process.cpu_time()?, process.printed_bytes());
        let answer = self.function.invoke(event(path, cookie)).await?;
        let process = &self.function.process;
        let cpu_millis = millis(process.cpu_time_since(cpu)?);
        let logged_bytes = process.printed_bytes() - logged;
        let counts = aws.take_counts();
        let (bytes, body) = read(&answer.body).with_context(|| format!("`{path}`"))?;
        Ok(View {
            duration: answer.duration,
            cpu_millis,
            read_units: counts.read_units,
            aws_calls: number(counts.total()),
            logged_bytes: number(logged_bytes),
            bytes: number(bytes as u64),
            body,
        })
    }
}

/// Returns the files in the head of a page.
pub(super) fn files(page: &str) -> Vec<&str> {
    let head = page.split("</head>").next().unwrap_or_default();
    let after = |mark: &'static str| head.split(mark).skip(1);
    let links = after(" href=\"").chain(after(" src=\""));
    links.filter_map(|rest| rest.split('"').next()).collect()
}

/// Builds the event of a request, as a Function URL passes it.
pub(super) fn event(path: &str, cookie: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "cookies": [cookie],
        "headers": {
            "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "accept-encoding": "gzip, deflate, br, zstd",
            "accept-language": "en-GB,en;q=0.9",
            "host": HOST,
            "sec-fetch-site": "same-origin",
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "bench",
            "domainName": HOST,
            "domainPrefix": "bench",
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "bench",
            },
            "requestId": "bench",
            "routeKey": "$default",
            "stage": "$default",
            "time": "24/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1_795_478_400_000_u64,
        },
        "isBase64Encoded": false,
    })
    .to_string()
}

#[expect(clippy::cast_precision_loss, reason = "far less than 2^53")]
fn number(of: u64) -> f64 {
    of as f64
}

/// Reads an answer that must be a page or a file.
fn read(answer: &[u8]) -> Result<(usize, String)> {
    let answer: Value = serde_json::from_slice(answer)?;
    let status = &answer["statusCode"];
    ensure!(*status == 200, "the portal answered {status}");
    let headers = answer["headers"].as_object().context("no headers")?;
    // As HTTP/1.1 sends them: `name: value`, and the end of the line.
    let headers = headers.iter().map(|(name, value)| {
        let value = value.as_str().unwrap_or_default();
        name.len() + value.len() + 4
    });
    let body = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true {
        String::from_utf8(BASE64_STANDARD.decode(body)?)?
    } else {
        body.to_owned()
    };
    Ok((body.len() + headers.sum::<usize>(), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_page_are_those_of_its_head() {
        let page = "<head><meta charset=\"utf-8\"><link rel=\"stylesheet\" href=\"/a.css\">\
            <script src=\"/b.js\" defer></script></head><body><a href=\"/c\">c</a></body>";
        assert_eq!(files(page), ["/a.css", "/b.js"]);
    }

    #[test]
    fn the_bytes_of_an_answer_are_those_of_its_body_and_headers() {
        let answer = |status: u16, body: &str, encoded: bool| {
            let headers = json!({"a": "12"});
            let answer = json!({
                "statusCode": status, "headers": headers, "body": body, "isBase64Encoded": encoded,
            });
            read(answer.to_string().as_bytes())
        };
        assert_eq!(answer(200, "é", false).unwrap(), (2 + 7, "é".to_owned()));
        assert_eq!(answer(200, "YQ==", true).unwrap(), (1 + 7, "a".to_owned()));
        let error = answer(404, "", false).unwrap_err().to_string();
        assert_eq!(error, "the portal answered 404");
    }
}
