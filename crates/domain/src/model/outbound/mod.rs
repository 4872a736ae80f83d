//! Outbound safety: customers choose the URLs, so every URL is hostile.
//!
//! - [`EndpointUrl`] decides which URLs a subscription may have.
//! - [`AddressPolicy`] decides which addresses may be dialled, for every name.
//! - [`DevelopmentNetworks`] is the one exception to both, and is empty by default.
//! - [`CustomHeaders`] decides which headers a customer may add to a request.
//! - [`SealedHeaders`] are those of them whose values are stored encrypted.
//! - [`ResponseHeaders`] decides which headers of a response are kept.
//! - [`RequestTimeout`] limits the time of a request.
//! - [`WebhookSender`](crate::ports::WebhookSender) is the port that makes the request. A failed
//!   attempt is data, an [`AttemptOutcome`], and never an `Err`.
//!
//! All code here is pure. The adapter that resolves, checks and dials is `webhooks-http`.

mod address_policy;
mod custom_headers;
mod development_networks;
mod endpoint_url;
mod exchange;
mod request_timeout;
mod response_headers;
mod sealed_headers;

pub use address_policy::{AddressPolicy, BlockedAddress};
pub use custom_headers::{CustomHeaders, CustomHeadersError};
pub use development_networks::{DevelopmentNetworks, DevelopmentNetworksError};
pub use endpoint_url::{EndpointHost, EndpointUrl, EndpointUrlError};
pub use exchange::{AttemptOutcome, WebhookRequest, WebhookResponse};
pub use request_timeout::{RequestTimeout, RequestTimeoutError};
pub use response_headers::{ResponseHeaders, legible};
pub use sealed_headers::SealedHeaders;
