//! Name resolution with the address policy inside: what comes out may be dialled.

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

/// How long a question may stay without an answer until it is asked again.
const TRY_LIMIT: Duration = Duration::from_secs(2);

/// How often a question is asked again. So a lookup ends after [`TRY_LIMIT`] twice, and what is
/// left of the exchange's deadline is for the exchange.
const RETRIES: usize = 1;

/// How long an answer is kept at most, also that there is no address; its own time to live when
/// that is shorter. So a busy endpoint's name is not asked for with each new connection, and an
/// endpoint that moves is followed within seconds. What is kept is checked again at every
/// look-up, and only what was checked is dialled.
pub(crate) const CACHED_FOR: Duration = Duration::from_secs(5);

/// How many questions' answers are kept at most, two for each name.
const CACHED_ANSWERS: u64 = 512;

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
    // Or an answer over 512 bytes comes again over TCP, which Lambda's name server refuses under
    // load.
    options.edns0 = true;
    options.cache_size = CACHED_ANSWERS;
    options.positive_max_ttl = Some(CACHED_FOR);
    options.negative_max_ttl = Some(CACHED_FOR);
    options.timeout = TRY_LIMIT;
    options.attempts = RETRIES;
    builder.build()
}

/// Why a name leads nowhere that may be dialled.
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

/// What a name is resolved with: every answer is checked, and one that is refused
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

    /// The addresses of a name, all checked, in the order in which they are to be tried.
    pub(crate) async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let answers = self.resolver.lookup_ip(absolute(name)?).await?;
        check(answers.iter().collect(), &self.policy)
    }
}

/// The name from the root, so that no search list of the system leads it elsewhere.
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
