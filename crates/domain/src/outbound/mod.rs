//! Outbound safety: customers choose the URLs, so every URL is hostile.
//!
//! - [`EndpointUrl`] says which URLs a subscription may name.
//! - [`AddressPolicy`] says which addresses may be dialled, whatever name led there.
//! - [`DevelopmentNetworks`] is the one exception to both, and is empty by default.
//! - [`CustomHeaders`] says which headers a customer may add to a request.
//! - [`ResponseHeaders`] says what is kept of an answer's headers.
//! - [`RequestTimeout`] says how long an endpoint may take.
//! - [`WebhookSender`] is the port that makes the request; a failed attempt is data,
//!   an [`AttemptOutcome`], and never an `Err`.
//!
//! Everything here is pure. The adapter that resolves, checks and dials is `webhooks-http`.

mod address_policy;
mod custom_headers;
mod development_networks;
mod endpoint_url;
mod request_timeout;
mod response_headers;
mod sender;

pub use address_policy::{AddressPolicy, BlockedAddress};
pub use custom_headers::{CustomHeaders, CustomHeadersError};
pub use development_networks::{DevelopmentNetworks, DevelopmentNetworksError};
pub use endpoint_url::{EndpointHost, EndpointUrl, EndpointUrlError};
pub use request_timeout::{RequestTimeout, RequestTimeoutError};
pub use response_headers::{ResponseHeaders, legible};
pub use sender::{AttemptOutcome, WebhookRequest, WebhookResponse, WebhookSender};
