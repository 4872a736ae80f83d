//! What a call of an AWS client says of itself.

use bytes::Bytes;
use http::Request;

/// The header that names the operation of a call: `DynamoDB_20120810.UpdateItem`.
const TARGET: &str = "x-amz-target";

/// The header that is the same for every try of a call.
const CALL: &str = "amz-sdk-invocation-id";

/// The operation, such as `UpdateItem`, of the services that speak JSON: DynamoDB, SQS, KMS
/// and `EventBridge`.
pub fn operation(call: &Request<Bytes>) -> Option<&str> {
    header(call, TARGET)?.rsplit('.').next()
}

/// What is the same for every try of a call, and for no other call.
pub fn id(call: &Request<Bytes>) -> Option<&str> {
    header(call, CALL)
}

/// The text of a header; `None` when it is not there, or no text.
pub(crate) fn header<'a>(call: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    call.headers().get(name)?.to_str().ok()
}
