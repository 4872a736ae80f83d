//! HTTP requests signed with Signature Version 4.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, Request, Response,
    header::{HOST, RANGE},
};
use url::Url;

use crate::Error;

/// The longest that one request may take, a cold start of the function included.
const TIMEOUT: Duration = Duration::from_mins(1);

/// An HTTP client that signs what it sends.
#[derive(Clone, Debug)]
pub struct SignedHttp {
    http: reqwest::Client,
    credentials: Option<SharedCredentialsProvider>,
    region: String,
    endpoint: Option<Url>,
}

impl SignedHttp {
    /// A client for one region. With an endpoint, every request goes there
    /// instead of to the host of its URL.
    pub(crate) fn new(
        region: &str,
        endpoint: Option<Url>,
        credentials: SharedCredentialsProvider,
    ) -> Self {
        // A configuration of our own: without it, reqwest would look for a
        // process-wide choice of cryptography.
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default TLS versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            // An answer is what the function gave, also if it leads elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .expect("the client is built from constants");
        Self {
            http,
            credentials: Some(credentials),
            region: region.to_owned(),
            endpoint,
        }
    }

    /// The same client without signatures.
    #[must_use]
    pub fn unsigned(&self) -> Self {
        Self {
            credentials: None,
            ..self.clone()
        }
    }

    /// Signs a request for a service (such as `lambda`) and sends it.
    ///
    /// # Errors
    /// When it cannot be signed, or no answer comes. Any answer is `Ok`.
    pub async fn send(
        &self,
        service: &str,
        mut request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        if let Some(provider) = &self.credentials {
            let credentials = provider
                .provide_credentials()
                .await
                .map_err(Error::Credentials)?;
            let identity = credentials.into();
            let params = SigningParams::builder()
                .identity(&identity)
                .region(&self.region)
                .name(service)
                .time(SystemTime::now())
                .settings(SigningSettings::default())
                .build()
                .map_err(|error| Error::Request(error.into()))?
                .into();
            let headers = request
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
            let signable = SignableRequest::new(
                request.method().as_str(),
                request.uri().to_string(),
                headers,
                SignableBody::Bytes(request.body()),
            )
            .map_err(|error| Error::Request(error.into()))?;
            let (instructions, _) = sign(signable, &params)
                .map_err(|error| Error::Request(error.into()))?
                .into_parts();
            instructions.apply_to_request_http1x(&mut request);
        }
        let (host, answer) = self.dispatch(request).await?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = answer.headers().clone();
        }
        let body = answer.bytes().await;
        response
            .body(body.map_err(|source| Error::NoAnswer { host, source })?)
            .map_err(|error| Error::Request(error.into()))
    }

    /// Reads the first bytes of what an address gives that needs no signature of ours, such as
    /// one that S3 has signed. No more is read, however long it is.
    ///
    /// # Errors
    /// When no answer comes, or not a success.
    pub async fn start_of(&self, url: &str, limit: usize) -> Result<Bytes, Error> {
        let last = limit.saturating_sub(1);
        let request = Request::get(url)
            .header(RANGE, format!("bytes=0-{last}"))
            .body(Bytes::new())
            .map_err(|error| Error::Request(error.into()))?;
        let (host, mut answer) = self.dispatch(request).await?;
        let status = answer.status();
        let mut start = BytesMut::new();
        while start.len() < limit {
            let chunk = answer.chunk().await;
            match chunk.map_err(|source| Error::NoAnswer {
                host: host.clone(),
                source,
            })? {
                Some(chunk) => start.extend_from_slice(&chunk),
                None => break,
            }
        }
        start.truncate(limit);
        if !status.is_success() {
            let body: String = String::from_utf8_lossy(&start).chars().take(1024).collect();
            return Err(Error::UnexpectedAnswer {
                status: status.as_u16(),
                body,
            });
        }
        Ok(start.freeze())
    }

    /// Sends a request. Returns the host that it is for, too.
    async fn dispatch(
        &self,
        request: Request<Bytes>,
    ) -> Result<(String, reqwest::Response), Error> {
        let (parts, body) = request.into_parts();
        let mut url: Url = parts
            .uri
            .to_string()
            .parse()
            .map_err(|error: url::ParseError| Error::Request(error.into()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut headers = parts.headers;
        if let Some(endpoint) = &self.endpoint {
            let value = HeaderValue::from_str(&host).map_err(|e| Error::Request(e.into()))?;
            headers.insert(HOST, value);
            let mut dialled = endpoint.clone();
            dialled.set_path(url.path());
            dialled.set_query(url.query());
            url = dialled;
        }
        let answer = self
            .http
            .request(parts.method, url)
            .headers(headers)
            .body(body)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok((host, answer)),
            Err(source) => Err(Error::NoAnswer { host, source }),
        }
    }
}
