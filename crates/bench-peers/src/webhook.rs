//! A webhook that is sent again and again, each time signed anew.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::Result;

/// The webhook.
pub struct Webhook {
    path: String,
    id: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    key: Key,
}

impl Webhook {
    /// A webhook to a path, with headers that include `webhook-id`, and a `whsec_` secret.
    ///
    /// # Errors
    /// If the secret is not base64, or there is no id.
    pub fn new(
        path: &str,
        secret: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Result<Self> {
        let id = headers.iter().find(|(name, _)| name == "webhook-id");
        let (_, id) = id.ok_or("no header `webhook-id`")?;
        let secret = secret.strip_prefix("whsec_").unwrap_or(secret);
        Ok(Self {
            path: path.to_owned(),
            id: id.clone(),
            key: Key::new(HMAC_SHA256, &BASE64_STANDARD.decode(secret)?),
            headers,
            body: body.into(),
        })
    }

    /// The request, signed for this moment.
    ///
    /// # Errors
    /// If a header is not valid.
    pub fn request(&self) -> Result<Request<Full<Bytes>>> {
        let now = now()?;
        let mut request = Request::post(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut signed = format!("{}.{now}.", self.id).into_bytes();
        signed.extend_from_slice(&self.body);
        let signature = BASE64_STANDARD.encode(sign(&self.key, &signed));
        let request = request
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", format!("v1,{signature}"));
        Ok(request.body(Full::new(self.body.clone()))?)
    }
}

/// The present time, in seconds since 1970.
///
/// # Errors
/// If the clock is earlier.
#[expect(
    clippy::disallowed_methods,
    reason = "not a function: it has no clock port"
)]
pub fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}
