//! Name resolution with the address policy included: every returned address may be dialled.

use std::net::IpAddr;
#[cfg(feature = "bench")]
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use webhooks_domain::outbound::{AddressPolicy, BlockedAddress};

use crate::dial;

/// The time after which an unanswered question is repeated.
const TRY_LIMIT: Duration = Duration::from_secs(2);

/// The number of times that a question is repeated. So a lookup ends after twice [`TRY_LIMIT`],
/// and the rest of the exchange's deadline remains for the exchange.
const RETRIES: usize = 1;

/// The longest time for which an answer is cached, including the answer that there is no
/// address; its own time to live applies if that is shorter. So a busy endpoint's name is not
/// looked up for each new connection, and an endpoint that moves is followed within seconds. A
/// cached answer is checked again at every lookup, and only checked addresses are dialled.
pub(crate) const CACHED_FOR: Duration = Duration::from_secs(5);

/// The number of cached answers, two for each name.
const CACHED_ANSWERS: u64 = 512;

/// The number of a name's addresses that are dialled at most. All are checked, but a name with
/// hundreds of addresses must not turn one attempt into hundreds of connections.
const MAX_DIALLED: usize = 8;

/// Returns a resolver that uses the name servers of the system's configuration, which it reads
/// now.
pub(crate) fn system_resolver() -> Result<TokioResolver, NetError> {
    build(TokioResolver::builder_tokio()?)
}

/// Returns a resolver that uses one name server.
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

/// Returns a resolver with our options instead of the system's.
pub(crate) fn build(
    mut builder: ResolverBuilder<TokioRuntimeProvider>,
) -> Result<TokioResolver, NetError> {
    let options = builder.options_mut();
    // We wait for both families, so that an address of either can refuse the name. (The `then`
    // strategies would stop after the first family.)
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    // Without EDNS, an answer over 512 bytes would be repeated over TCP, which Lambda's name
    // server refuses under load.
    options.edns0 = true;
    options.cache_size = CACHED_ANSWERS;
    options.positive_max_ttl = Some(CACHED_FOR);
    options.negative_max_ttl = Some(CACHED_FOR);
    options.timeout = TRY_LIMIT;
    options.attempts = RETRIES;
    builder.build()
}

/// The reason why a name has no address that may be dialled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error(transparent)]
    Blocked(#[from] BlockedAddress),
    #[error("not a host name")]
    NotAName,
    #[error("no address")]
    NoAddress,
    #[error(transparent)]
    Failed(#[from] NetError),
}

/// Resolves names and checks every address. A refused address refuses the whole name.
#[derive(Clone)]
pub(crate) struct CheckedResolver {
    resolver: TokioResolver,
    policy: AddressPolicy,
}

impl CheckedResolver {
    pub(crate) const fn new(resolver: TokioResolver, policy: AddressPolicy) -> Self {
        Self { resolver, policy }
    }

    /// Returns the addresses of a name, all checked, in the order in which to try them.
    pub(crate) async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let answers = self.resolver.lookup_ip(absolute(name)?).await?;
        check(answers.iter().collect(), &self.policy)
    }
}

/// Makes the name absolute, so that no search list of the system applies.
fn absolute(name: &str) -> Result<Name, ResolveError> {
    let mut name = Name::from_ascii(name).map_err(|_| ResolveError::NotAName)?;
    name.set_fqdn(true);
    Ok(name)
}

fn check(addresses: Vec<IpAddr>, policy: &AddressPolicy) -> Result<Vec<IpAddr>, ResolveError> {
    if addresses.is_empty() {
        return Err(ResolveError::NoAddress);
    }
    addresses
        .iter()
        .try_for_each(|&address| policy.check(address))?;
    let mut addresses = dial::interleave_families(addresses);
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
    fn a_name_is_looked_up_with_one_final_dot() {
        for (name, asked) in [
            ("example.com", "example.com."),
            ("example.com.", "example.com."),
            ("xn--mnchen-3ya.a_b.example", "xn--mnchen-3ya.a_b.example."),
        ] {
            assert_eq!(absolute(name).unwrap().to_ascii(), asked);
        }
    }
}
