//! The client that a request is made for, as far as connections are concerned.

use ring::digest::{Context, SHA256};

use super::ClientCertificate;
use crate::ids::{CustomerId, SubscriptionId};
use crate::outbound::EndpointUrl;

/// The identity of a client certificate in the hands of one subscription, for one origin.
///
/// Connections and TLS sessions are used again only by requests with an equal id. So two customers
/// never share one, even with the same certificate, and nor do a former and a new certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdentityId([u8; 32]);

/// A client certificate with its id. `Debug` does not show the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    id: IdentityId,
    certificate: ClientCertificate,
}

impl ClientIdentity {
    /// The identity of this subscription for the origin of this URL.
    pub fn new(
        customer: &CustomerId,
        subscription: &SubscriptionId,
        url: &EndpointUrl,
        certificate: ClientCertificate,
    ) -> Self {
        let mut hash = Context::new(&SHA256);
        // No part of it can contain a NUL.
        let owner = format!("{customer}\0{subscription}\0{}\0", url.origin());
        hash.update(owner.as_bytes());
        hash.update(&certificate.to_stored());
        let hash = hash.finish();
        let id = hash.as_ref().first_chunk();
        Self {
            id: IdentityId(*id.expect("SHA-256 is 32 bytes")),
            certificate,
        }
    }

    /// The id.
    pub fn id(&self) -> IdentityId {
        self.id
    }

    /// The certificate.
    pub fn certificate(&self) -> &ClientCertificate {
        &self.certificate
    }
}
