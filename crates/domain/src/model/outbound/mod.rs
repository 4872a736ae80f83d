//! Outbound safety: customers choose the URLs, so every URL is hostile.
//!
//! - [`EndpointUrl`] decides which URLs a subscription may have.
//! - [`AddressPolicy`] decides which addresses may be dialled, for every name.
//! - [`DevelopmentNetworks`] is the one exception to both, and is empty by default.
//! - [`DeniedHosts`] are refused, because the operator denies them.
//! - [`CustomHeaders`] decides which headers a customer may add to a request.
//! - [`SealedHeaders`] are those of them whose values are stored encrypted.
//! - [`EndpointAuthentication`] decides how a request authenticates to the endpoint.
//! - [`GrantedToken`] reads the answers of token endpoints, and [`TokenRecord`] decides when a new
//!   access token is requested.
//! - [`ResponseHeaders`] decides which headers of a response are kept.
//! - [`KeptResponseBytes`] decides how much of a response body is kept.
//! - [`Method`] and [`QueryParameters`] are the rest of what a customer chooses for a request.
//! - [`RequestTimeout`] limits the time of a request.
//! - [`RequestShape`] is the part of a subscription that its requests show later.
//! - [`WebhookSender`](crate::ports::WebhookSender) is the port that makes the request. A failed
//!   attempt is data, an [`AttemptOutcome`], and never an `Err`.
//!
//! All code here is pure. The adapter that resolves, checks and dials is `webhooks-http`.

mod access_token;
mod address_policy;
pub mod authentication;
mod custom_headers;
mod denied_hosts;
mod development_networks;
mod endpoint_policy;
mod endpoint_url;
mod exchange;
mod kept_response_bytes;
mod method;
mod query_parameters;
mod request_timeout;
mod response_headers;
mod sealed_headers;
mod sent_request;
mod timings;
mod token_record;

pub use access_token::{AccessToken, GrantedToken, TokenAnswer, TokenError};
pub use address_policy::{AddressPolicy, BlockedAddress};
pub use authentication::{
    AuthenticationError, Credential, EndpointAuthentication, OAuth2, SealedCredential,
};
pub use custom_headers::{CustomHeaders, CustomHeadersError};
pub use denied_hosts::{DeniedHost, DeniedHosts, DeniedHostsError};
pub use development_networks::{DevelopmentNetworks, DevelopmentNetworksError};
pub use endpoint_policy::EndpointPolicy;
pub use endpoint_url::{EndpointHost, EndpointUrl, EndpointUrlError};
pub use exchange::{AttemptOutcome, MASK, ResponseBody, WebhookRequest, WebhookResponse};
pub use kept_response_bytes::{KeptResponseBytes, KeptResponseBytesError};
pub use method::Method;
pub use query_parameters::{QueryParameters, QueryParametersError};
pub use request_timeout::{RequestTimeout, RequestTimeoutError};
pub use response_headers::{ResponseHeaders, cut, legible, legible_lines};
pub use sealed_headers::SealedHeaders;
pub use sent_request::{RequestShape, ShownRequest, request_headers};
pub use timings::Timings;
pub use token_record::{
    FailedTokenRequest, SealedToken, TokenGeneration, TokenLease, TokenLife, TokenNeed,
    TokenRecord, TokenStep,
};
