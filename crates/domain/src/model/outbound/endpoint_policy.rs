//! The rules of one stack for the URLs of subscriptions.

use super::{DeniedHosts, DevelopmentNetworks, EndpointUrl, EndpointUrlError};

/// The rules that a stack adds to those of [`EndpointUrl`]. The default adds none.
#[derive(Clone, Debug, Default)]
pub struct EndpointPolicy {
    /// Networks that may be reached although they are not public.
    pub development: DevelopmentNetworks,
    /// Hosts that the operator denies.
    pub denied_hosts: DeniedHosts,
}

impl EndpointPolicy {
    /// Parses and checks the URL that a subscription shall have.
    ///
    /// # Errors
    /// As for [`EndpointUrl::parse`], and if the operator denies the host.
    pub fn parse(&self, text: &str) -> Result<EndpointUrl, EndpointUrlError> {
        let url = EndpointUrl::parse(text, &self.development)?;
        self.denied_hosts.check(url.host())?;
        Ok(url)
    }
}
