//! Recorded calls, which the program `bench-bare-exchanges` makes again.

use anyhow::{Context, Result};
use bench_peers::AwsCall;
use http::HeaderMap;

/// A recorded call.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The operation, such as `UpdateItem`.
    pub(crate) operation: String,
    /// The call without its signature.
    pub(crate) call: AwsCall,
}

/// The headers that belong to a signature or to a connection.
const ADDED: [&str; 3] = ["authorization", "host", "x-amz-date"];

impl Recorded {
    /// Reads a call as the stub received it.
    pub(super) fn new(operation: &str, headers: &HeaderMap, body: &[u8]) -> Result<Self> {
        let authorization = headers.get("authorization").context("no signature")?;
        let authorization = authorization.to_str()?;
        let scope = part(authorization, "Credential=")?;
        let service = scope.rsplit('/').nth(1).context("no service")?.to_owned();
        let signed_headers = part(authorization, "SignedHeaders=")?.split(';');
        let added = |name: &str| ADDED.contains(&name);
        let headers = headers.iter().filter(|(name, _)| !added(name.as_str()));
        let headers = headers.map(|(name, value)| {
            let value = value.to_str().context("a header that is not text")?;
            Ok((name.as_str().to_owned(), value.to_owned()))
        });
        Ok(Self {
            operation: operation.to_owned(),
            call: AwsCall {
                service,
                headers: headers.collect::<Result<_>>()?,
                signed_headers: signed_headers.map(str::to_owned).collect(),
                body: String::from_utf8(body.to_vec())?,
            },
        })
    }
}

/// Returns the value of a part of the header `authorization`.
fn part<'a>(authorization: &'a str, name: &str) -> Result<&'a str> {
    let mut parts = authorization.split([' ', ',']);
    let value = parts.find_map(|part| part.strip_prefix(name));
    value.with_context(|| format!("no `{name}` in the signature"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_recorded_without_its_signature() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-amz-date", "20260504T101112Z"),
            ("x-amz-target", "DynamoDB_20120810.UpdateItem"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKID/20260504/us-east-1/dynamodb/aws4_request, \
                 SignedHeaders=host;x-amz-date;x-amz-target, Signature=00",
            ),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let call = Recorded::new("UpdateItem", &headers, b"{}").unwrap().call;
        assert_eq!(call.service, "dynamodb");
        let target = ("x-amz-target", "DynamoDB_20120810.UpdateItem");
        assert_eq!(call.headers, [(target.0.to_owned(), target.1.to_owned())]);
        assert_eq!(call.signed_headers, ["host", "x-amz-date", "x-amz-target"]);
    }
}
