use http::HeaderMap;
use standardwebhooks::{Webhook, WebhookError};

/// Gives the event, or says why it is not ours. `None`: it is ours, and `serde_json` cannot parse it.
fn verified(secret: &str, body: &[u8], headers: &HeaderMap) -> Result<Option<serde_json::Value>, WebhookError> {
    Webhook::new(secret)?.verify(body, headers)?;
    Ok(serde_json::from_slice(body).ok())
}
