//! Name resolution with the address policy inside: what comes out may be dialled.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use reqwest::dns::{Addrs, Resolve, Resolving};
use webhooks_domain::outbound::{AddressPolicy, BlockedAddress};

use crate::dialled;
use crate::phase::Phase;

/// How long a question may stay without an answer until it is asked again.
const TRY_LIMIT: Duration = Duration::from_secs(2);

/// How often a question is asked again. So a lookup ends after [`TRY_LIMIT`] twice, and what is
/// left of the exchange's deadline is for the exchange.
const RETRIES: usize = 1;

/// How many of a name's addresses are dialled at most. All are checked; but a name with hundreds
/// must not turn one attempt into hundreds of connections.
const MAX_DIALLED: usize = 8;

/// A resolver that asks the name servers of the system's configuration, which is read now.
pub(crate) fn system_resolver() -> Result<TokioResolver, NetError> {
    build(TokioResolver::builder_tokio()?)
}

/// A resolver that asks one name server.
#[cfg(feature = "bench")]
pub(crate) fn asking(name_server: SocketAddr) -> Result<TokioResolver, NetError> {
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};

    let mut udp = ConnectionConfig::udp();
    udp.port = name_server.port();
    let server = NameServerConfig::new(name_server.ip(), true, vec![udp]);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    build(TokioResolver::builder_with_config(
        config,
        TokioRuntimeProvider::default(),
    ))
}

/// A resolver with our options in place of the system's.
pub(crate) fn build(
    mut builder: ResolverBuilder<TokioRuntimeProvider>,
) -> Result<TokioResolver, NetError> {
    let options = builder.options_mut();
    // Both families are waited for, so that an address of either can refuse the name. (The
    // strategies that are called `then` would be content with the first.)
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    // Connections are kept, and the name servers have a cache: one more would only be stale.
    options.cache_size = 0;
    options.timeout = TRY_LIMIT;
    options.attempts = RETRIES;
    builder.build()
}

/// Why a name leads nowhere that may be dialled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error(transparent)]
    Blocked(#[from] BlockedAddress),
    #[error("no address")]
    NoAddress,
    #[error(transparent)]
    Failed(#[from] NetError),
}

/// What the HTTP client resolves with: every answer is checked, and one that is refused
/// refuses the name.
#[derive(Clone)]
pub(crate) struct CheckedResolver {
    resolver: TokioResolver,
    policy: AddressPolicy,
}

impl CheckedResolver {
    pub(crate) const fn new(resolver: TokioResolver, policy: AddressPolicy) -> Self {
        Self { resolver, policy }
    }

    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let answers = self.resolver.lookup_ip(absolute(name)?).await?;
        check(answers.iter().collect(), &self.policy)
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            Phase::Dns.enter();
            let addresses = resolver.lookup(name.as_str()).await?;
            dialled::note(&addresses);
            Phase::Connect.enter();
            // The client replaces port 0 by the URL's.
            let addresses = addresses
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// The name from the root, so that no search list of the system leads it elsewhere.
fn absolute(name: &str) -> Result<Name, NetError> {
    let mut name = Name::from_ascii(name)?;
    name.set_fqdn(true);
    Ok(name)
}

fn check(mut addresses: Vec<IpAddr>, policy: &AddressPolicy) -> Result<Vec<IpAddr>, ResolveError> {
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
        let dialled = check(addresses.clone(), &policy).unwrap();
        assert_eq!(dialled, addresses[..MAX_DIALLED]);
        addresses.push("10.0.0.1".parse().unwrap());
        let error = check(addresses, &policy).unwrap_err();
        assert!(matches!(error, ResolveError::Blocked(_)), "{error}");
    }

    #[test]
    fn a_name_is_asked_for_with_one_final_dot() {
        for (name, asked) in [
            ("example.com", "example.com."),
            ("example.com.", "example.com."),
            ("xn--mnchen-3ya.a_b.example", "xn--mnchen-3ya.a_b.example."),
        ] {
            assert_eq!(absolute(name).unwrap().to_ascii(), asked);
        }
    }
}
