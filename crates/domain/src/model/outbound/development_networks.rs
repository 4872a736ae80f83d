//! The networks that a development stack may reach although they are not public.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Networks that may also be reached over `http`, and by address.
///
/// It is empty by default in the template, and a test checks that.
///
/// ```
/// # use webhooks_domain::outbound::DevelopmentNetworks;
/// let networks: DevelopmentNetworks = "127.0.0.0/8, ::1/128".parse().unwrap();
/// assert!(networks.contains("127.0.0.1".parse().unwrap()));
/// assert!("".parse::<DevelopmentNetworks>().unwrap().is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DevelopmentNetworks {
    networks: Vec<IpNet>,
}

impl DevelopmentNetworks {
    /// No exception, as in a deployed stack.
    pub const fn none() -> Self {
        Self {
            networks: Vec::new(),
        }
    }

    /// Returns true if there is no exception.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// Returns true if `address` is in one of the networks.
    ///
    /// An IPv4-mapped IPv6 address counts as the IPv4 address that it reaches.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

impl FromStr for DevelopmentNetworks {
    type Err = DevelopmentNetworksError;

    /// Parses a comma-separated list of CIDRs. Blank text is the empty list.
    ///
    /// # Errors
    /// If an item is not a CIDR, or is empty.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self::none());
        }
        let networks = text
            .split(',')
            .map(|item| {
                let item = item.trim();
                parse_network(item).ok_or_else(|| DevelopmentNetworksError {
                    item: item.to_owned(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { networks })
    }
}

/// Parses the address with the standard library, which refuses `010.0.0.0` because some parsers
/// read it as octal. `ipnet` does not refuse it.
fn parse_network(item: &str) -> Option<IpNet> {
    let (address, prefix) = item.split_once('/')?;
    IpNet::new(address.parse().ok()?, prefix.parse().ok()?).ok()
}

/// An item of the list is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("development network `{item}`: must be a CIDR such as `127.0.0.0/8`")]
pub struct DevelopmentNetworksError {
    item: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn networks(text: &str) -> DevelopmentNetworks {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn blank_text_permits_nothing() {
        for text in ["", "  "] {
            assert!(networks(text).is_empty());
            assert!(!networks(text).contains(address("127.0.0.1")));
        }
    }

    #[test]
    fn an_address_is_inside_any_of_the_listed_networks() {
        let networks = networks("127.0.0.0/8, 10.1.2.3/32,fd00::/8");
        assert!(!networks.is_empty());
        for inside in ["127.255.255.255", "10.1.2.3", "fd00::1"] {
            assert!(networks.contains(address(inside)), "{inside}");
        }
        for outside in ["128.0.0.0", "10.1.2.4", "fe80::1", "::1"] {
            assert!(!networks.contains(address(outside)), "{outside}");
        }
    }

    #[test]
    fn a_mapped_address_is_inside_if_its_ipv4_address_is() {
        assert!(networks("127.0.0.0/8").contains(address("::ffff:127.0.0.1")));
        assert!(!networks("::/0").contains(address("::ffff:127.0.0.1")));
    }

    #[test]
    fn an_item_that_is_not_a_cidr_is_refused_by_name() {
        for text in [
            "127.0.0.1",
            "127.0.0.0/33",
            "010.0.0.0/8",
            "localhost/8",
            "127.0.0.0/8,,::1/128",
            ",",
        ] {
            assert!(text.parse::<DevelopmentNetworks>().is_err(), "{text}");
        }
        let error = "127.0.0.0/8, nonsense"
            .parse::<DevelopmentNetworks>()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "development network `nonsense`: must be a CIDR such as `127.0.0.0/8`"
        );
    }
}
