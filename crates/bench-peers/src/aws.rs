//! Calls to AWS that are made again and again, each time signed anew.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{
    Request,
    header::{AUTHORIZATION, HOST},
};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, macros::format_description};

use crate::{Result, now};

/// A recorded call: the headers without those that the signature adds, and the body.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AwsCall {
    /// The service's name in a signature, such as `dynamodb`.
    pub service: String,
    /// The headers in the order of their names, which are in lower case.
    pub headers: Vec<(String, String)>,
    /// The names of the signed headers, in their order.
    pub signed_headers: Vec<String>,
    /// The body.
    pub body: String,
}

/// Signs calls with Signature Version 4
/// ([reference](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)).
/// The key of a day is computed once. The hashes are made by the library that the AWS SDK uses:
/// valgrind does not offer a processor's instructions for them, and without these, libraries differ
/// far more than on a real processor.
pub struct AwsSigner {
    host: String,
    region: String,
    access_key: String,
    secret_key: String,
    /// The last key, with its scope.
    key: Mutex<Option<(String, Hmac<Sha256>)>>,
}

impl AwsSigner {
    /// A signer for calls to one host.
    pub fn new(host: String, region: String, access_key: String, secret_key: String) -> Self {
        Self {
            host,
            region,
            access_key,
            secret_key,
            key: Mutex::default(),
        }
    }

    /// The request, signed for this moment.
    ///
    /// # Errors
    /// If a header is not valid.
    pub fn request(&self, call: &AwsCall) -> Result<Request<Full<Bytes>>> {
        let at = OffsetDateTime::from_unix_timestamp(now()?.cast_signed())?;
        let at = at.format(format_description!(
            "[year][month][day]T[hour][minute][second]Z"
        ))?;
        let date = &at[..8];
        let scope = format!("{date}/{}/{}/aws4_request", self.region, call.service);
        let value = |name: &str| match name {
            "host" => self.host.as_str(),
            "x-amz-date" => &at,
            _ => {
                let mut headers = call.headers.iter();
                let header = headers.find(|(other, _)| other == name);
                header.map_or("", |(_, value)| value)
            }
        };
        let mut canonical = String::from("POST\n/\n\n");
        for name in &call.signed_headers {
            writeln!(canonical, "{name}:{}", value(name))?;
        }
        let signed_headers = call.signed_headers.join(";");
        let body = hex(&Sha256::digest(&call.body));
        write!(canonical, "\n{signed_headers}\n{body}")?;
        let canonical = hex(&Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{canonical}");
        let signature = hex(&sign(self.key(date, &scope, &call.service)?, &text));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed_headers}, \
             Signature={signature}",
            self.access_key
        );
        let mut request = Request::post("/")
            .header(HOST, &self.host)
            .header("x-amz-date", &at)
            .header(AUTHORIZATION, authorization);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(Bytes::from(call.body.clone())))?)
    }

    fn key(&self, date: &str, scope: &str, service: &str) -> Result<Hmac<Sha256>> {
        let mut last = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, key)) = &*last
            && of == scope
        {
            return Ok(key.clone());
        }
        let mut key = Hmac::new_from_slice(format!("AWS4{}", self.secret_key).as_bytes())?;
        let parts = [date, &self.region, service, "aws4_request"];
        for part in parts {
            key = Hmac::new_from_slice(&sign(key, part))?;
        }
        *last = Some((scope.to_owned(), key.clone()));
        Ok(key)
    }
}

fn sign(mut key: Hmac<Sha256>, text: &str) -> [u8; 32] {
    key.update(text.as_bytes());
    key.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}
