//! Name resolution with the address policy inside: what comes out may be dialled.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use webhooks_domain::outbound::{AddressPolicy, BlockedAddress};

use crate::phase::Phase;

/// How many of a name's addresses are dialled at most. All are checked; but a name with hundreds
/// must not turn one attempt into hundreds of connections.
const MAX_DIALLED: usize = 8;

/// The addresses of a name, or why there are none.
pub(crate) type Answers = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Turns a name into all its addresses; tests script it.
pub(crate) trait NameResolver: Send + Sync + 'static {
    /// Asks for the addresses of a host name in ASCII.
    fn resolve(&self, name: &str) -> Answers;
}

/// The system's resolver, `getaddrinfo` on a thread of its own.
pub(crate) struct SystemResolver;

impl NameResolver for SystemResolver {
    fn resolve(&self, name: &str) -> Answers {
        let absolute = absolute(name);
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((absolute, 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

/// The name with its final dot, so that no search list of the system leads it elsewhere.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

/// Why a name leads nowhere that may be dialled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error(transparent)]
    Blocked(#[from] BlockedAddress),
    #[error("no address")]
    NoAddress,
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// What the HTTP client resolves with: every answer is checked, and one that is refused
/// refuses the name.
pub(crate) struct CheckedResolver {
    resolver: Arc<dyn NameResolver>,
    policy: AddressPolicy,
}

impl CheckedResolver {
    pub(crate) fn new(resolver: impl NameResolver, policy: AddressPolicy) -> Self {
        Self {
            resolver: Arc::new(resolver),
            policy,
        }
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let answers = self.resolver.resolve(name.as_str());
        let policy = self.policy.clone();
        Box::pin(async move {
            Phase::Dns.enter();
            let addresses = check(answers.await, &policy)?;
            Phase::Connect.enter();
            // The client replaces port 0 by the URL's.
            let addresses = addresses
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

fn check(
    answers: io::Result<Vec<IpAddr>>,
    policy: &AddressPolicy,
) -> Result<Vec<IpAddr>, ResolveError> {
    let mut addresses = answers?;
    if addresses.is_empty() {
        return Err(ResolveError::NoAddress);
    }
    addresses
        .iter()
        .try_for_each(|&address| policy.check(address))?;
    addresses.truncate(MAX_DIALLED);
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn all_addresses_are_checked_but_only_the_first_few_are_dialled() {
        let policy = AddressPolicy::default();
        let mut addresses: Vec<IpAddr> = (0..100)
            .map(|last| format!("1.1.1.{last}").parse().unwrap())
            .collect();
        let dialled = check(Ok(addresses.clone()), &policy).unwrap();
        assert_eq!(dialled, addresses[..MAX_DIALLED]);
        addresses.push("10.0.0.1".parse().unwrap());
        let error = check(Ok(addresses), &policy).unwrap_err();
        assert!(matches!(error, ResolveError::Blocked(_)), "{error}");
    }

    #[test]
    fn a_name_is_asked_for_with_one_final_dot() {
        assert_eq!(absolute("example.com"), "example.com.");
        assert_eq!(absolute("example.com."), "example.com.");
    }
}
