//! Reads the headers that describe an AWS client's call.

use bytes::Bytes;
use http::Request;

/// The header that names the operation of a call: `DynamoDB_20120810.UpdateItem`.
const TARGET: &str = "x-amz-target";

/// The header that is the same for all tries of one call.
const CALL: &str = "amz-sdk-invocation-id";

/// Returns the operation, such as `UpdateItem`, for the services with a JSON protocol:
/// DynamoDB, SQS, KMS and `EventBridge`.
pub fn operation(call: &Request<Bytes>) -> Option<&str> {
    header(call, TARGET)?.rsplit('.').next()
}

/// Returns the id that all tries of one call share.
pub fn id(call: &Request<Bytes>) -> Option<&str> {
    header(call, CALL)
}

/// Returns the text of a header; `None` if it is missing or not text.
pub(crate) fn header<'a>(call: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    call.headers().get(name)?.to_str().ok()
}
