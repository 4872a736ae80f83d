//! The addresses that may be dialled: only globally routable ones.
//!
//! The policy follows IANA's special-purpose address registries, read strictly
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>), and its address space
//! registries: all IPv6 unicast that IANA has allocated is in `2000::/3`.
//!
//! Where the policy is stricter than the registries, no endpoint can exist. `192.0.0.0/24` and
//! `2001::/23` are refused as a whole, although they hold a few reachable anycast addresses: those
//! are servers of our own network, the nearest port-control or TURN server. The tunnels 6to4 and
//! Teredo are refused too, because their addresses carry an IPv4 address inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::DevelopmentNetworks;

/// Decides which addresses may be dialled.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    development: DevelopmentNetworks,
}

impl AddressPolicy {
    /// A policy that permits globally routable addresses and those in `development`.
    pub const fn new(development: DevelopmentNetworks) -> Self {
        Self { development }
    }

    /// The networks that are permitted although they are not public.
    pub const fn development_networks(&self) -> &DevelopmentNetworks {
        &self.development
    }

    /// Permits or refuses one address.
    ///
    /// # Errors
    /// If the address is neither globally routable nor in a development network.
    pub fn check(&self, address: IpAddr) -> Result<(), BlockedAddress> {
        if self.development.contains(address) {
            return Ok(());
        }
        let reason = match address {
            IpAddr::V4(address) => why_not_global_v4(address),
            IpAddr::V6(address) => why_not_global_v6(address),
        };
        reason.map_or(Ok(()), |reason| Err(BlockedAddress { address, reason }))
    }
}

/// An address that must not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address {address} is not globally routable ({reason})")]
pub struct BlockedAddress {
    address: IpAddr,
    reason: &'static str,
}

impl BlockedAddress {
    /// The address that was refused.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The kind of the address, such as `loopback, RFC 1122`.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 3], prefix: u8) -> Ipv6Net {
    let [a, b, c] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

const BLOCKED_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this network, RFC 791"),
    (v4(10, 0, 0, 0, 8), "private use, RFC 1918"),
    (v4(100, 64, 0, 0, 10), "shared address space, RFC 6598"),
    (v4(127, 0, 0, 0, 8), "loopback, RFC 1122"),
    (v4(169, 254, 0, 0, 16), "link local, RFC 3927"),
    (v4(172, 16, 0, 0, 12), "private use, RFC 1918"),
    (v4(192, 0, 0, 0, 24), "protocol assignments, RFC 6890"),
    (v4(192, 0, 2, 0, 24), "documentation, RFC 5737"),
    (v4(192, 88, 99, 0, 24), "6to4 relay, RFC 7526"),
    (v4(192, 168, 0, 0, 16), "private use, RFC 1918"),
    (v4(198, 18, 0, 0, 15), "benchmarking, RFC 2544"),
    (v4(198, 51, 100, 0, 24), "documentation, RFC 5737"),
    (v4(203, 0, 113, 0, 24), "documentation, RFC 5737"),
    (v4(224, 0, 0, 0, 4), "multicast, RFC 5771"),
    (v4(240, 0, 0, 0, 4), "reserved or broadcast, RFC 1112"),
];

/// Parts of `2000::/3` that are not for endpoints.
const BLOCKED_GLOBAL_UNICAST_V6: &[(Ipv6Net, &str)] = &[
    (v6([0x2001, 0, 0], 32), "Teredo, RFC 4380"),
    (v6([0x2001, 0x10, 0], 28), "ORCHID, RFC 4843"),
    (v6([0x2001, 0x20, 0], 28), "ORCHIDv2, RFC 7343"),
    (v6([0x2001, 0, 0], 23), "protocol assignments, RFC 2928"),
    (v6([0x2001, 0xdb8, 0], 32), "documentation, RFC 3849"),
    (v6([0x2002, 0, 0], 16), "6to4, RFC 7526"),
    (v6([0x3ffe, 0, 0], 16), "6bone, RFC 3701"),
    (v6([0x3fff, 0, 0], 20), "documentation, RFC 9637"),
];

/// Names of networks outside `2000::/3`, for the message only: all such addresses are refused.
const NAMED_V6: &[(Ipv6Net, &str)] = &[
    (
        Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128),
        "unspecified, RFC 4291",
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128),
        "loopback, RFC 4291",
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
        "IPv4-mapped, RFC 4291",
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96),
        "IPv4-compatible, RFC 4291",
    ),
    (v6([0x64, 0xff9b, 1], 48), "local-use NAT64, RFC 8215"),
    (v6([0x100, 0, 0], 64), "discard only, RFC 6666"),
    (v6([0x5f00, 0, 0], 16), "segment routing, RFC 9602"),
    (v6([0xfc00, 0, 0], 7), "unique local, RFC 4193"),
    (v6([0xfe80, 0, 0], 10), "link local, RFC 4291"),
    (v6([0xfec0, 0, 0], 10), "site local, RFC 3879"),
    (v6([0xff00, 0, 0], 8), "multicast, RFC 4291"),
];

const GLOBAL_UNICAST_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// The well-known NAT64 prefix (RFC 6052). A network with IPv6 only, such as a VPC subnet with
/// DNS64, reaches every IPv4 endpoint through it.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0], 96);

fn why_not_global_v4(address: Ipv4Addr) -> Option<&'static str> {
    BLOCKED_V4
        .iter()
        .find(|(network, _)| network.contains(&address))
        .map(|&(_, reason)| reason)
}

fn why_not_global_v6(address: Ipv6Addr) -> Option<&'static str> {
    if NAT64.contains(&address) {
        let [.., a, b, c, d] = address.octets();
        return why_not_global_v4(Ipv4Addr::new(a, b, c, d));
    }
    let find = |table: &[(Ipv6Net, &'static str)]| {
        table
            .iter()
            .find(|(network, _)| network.contains(&address))
            .map(|&(_, reason)| reason)
    };
    if GLOBAL_UNICAST_V6.contains(&address) {
        find(BLOCKED_GLOBAL_UNICAST_V6)
    } else {
        Some(find(NAMED_V6).unwrap_or("not assigned to global unicast"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn is_permitted(address: &str) -> bool {
        AddressPolicy::default()
            .check(address.parse().unwrap())
            .is_ok()
    }

    #[test]
    fn the_test_vectors_pass() {
        let vectors = include_str!("../../../tests-data/addresses.tsv");
        for line in vectors.lines().skip(1) {
            let (verdict, address) = line.split_once('\t').unwrap();
            assert_eq!(is_permitted(address), verdict == "allow", "{line}");
        }
    }

    #[test]
    fn each_refused_network_is_refused_from_its_first_to_its_last_address() {
        let policy = AddressPolicy::default();
        for (network, reason) in BLOCKED_V4 {
            for address in [network.network(), network.broadcast()] {
                let blocked = policy.check(IpAddr::V4(address)).unwrap_err();
                assert_eq!(blocked.reason(), *reason, "{address}");
            }
        }
        for (network, _) in BLOCKED_GLOBAL_UNICAST_V6.iter().chain(NAMED_V6) {
            for address in [network.network(), network.broadcast()] {
                policy.check(IpAddr::V6(address)).unwrap_err();
            }
        }
    }

    #[test]
    fn the_neighbours_of_the_refused_networks_are_permitted() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2001:db7:ffff::1",
            "2001:db9::",
            "2003::",
            "3ffd::1",
            "3fff:1000::",
        ] {
            assert!(is_permitted(address), "{address}");
        }
        assert!(!is_permitted("4000::"));
        assert!(!is_permitted("1fff:ffff::"));
    }

    #[test]
    fn an_ipv6_address_with_an_embedded_ipv4_address_is_refused() {
        for (form, what) in [
            ("::ffff:", "mapped"),
            ("::", "compatible"),
            ("::ffff:0:", "translated"),
            ("64:ff9b:1::", "local NAT64"),
        ] {
            for address in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "1.1.1.1"] {
                assert!(
                    !is_permitted(&format!("{form}{address}")),
                    "{what} {address}"
                );
            }
        }
        assert!(!is_permitted("2002:0101:0101::1"), "6to4");
        assert!(!is_permitted("2001:0:0101:0101::1"), "Teredo");
        assert!(!is_permitted("2001:20::1"), "ORCHIDv2");
    }

    #[test]
    fn a_nat64_address_is_treated_as_the_ipv4_address_inside() {
        assert!(is_permitted("64:ff9b::1.1.1.1"));
        assert!(!is_permitted("64:ff9b::169.254.169.254"));
        assert!(!is_permitted("64:ff9b::10.0.0.1"));
    }

    #[test]
    fn a_development_network_permits_its_addresses_and_no_others() {
        let policy = AddressPolicy::new("127.0.0.0/8".parse().unwrap());
        assert_eq!(policy.check("127.0.0.1".parse().unwrap()), Ok(()));
        for other in ["10.0.0.1", "::1"] {
            assert!(policy.check(other.parse().unwrap()).is_err(), "{other}");
        }
    }

    #[test]
    fn a_refusal_names_the_address_and_the_reason() {
        let blocked = AddressPolicy::default()
            .check("10.1.2.3".parse().unwrap())
            .unwrap_err();
        assert_eq!(
            blocked.to_string(),
            "address 10.1.2.3 is not globally routable (private use, RFC 1918)"
        );
    }

    proptest! {
        /// Compares with the predicates of the standard library, which share nothing with the
        /// tables.
        #[test]
        fn an_address_that_the_standard_library_calls_special_is_refused(bits: u32, bits_v6: u128) {
            let v4 = Ipv4Addr::from(bits);
            let special = v4.is_private() || v4.is_loopback() || v4.is_link_local()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_multicast()
                || v4.is_unspecified();
            prop_assert!(!special || why_not_global_v4(v4).is_some(), "{}", v4);

            // Half of the random addresses are in 2000::/3, and the others anywhere.
            for bits in [bits_v6, bits_v6 >> 3 | 1 << 125] {
                let v6 = Ipv6Addr::from(bits);
                let special = v6.is_loopback() || v6.is_unspecified() || v6.is_multicast()
                    || v6.is_unique_local() || v6.is_unicast_link_local()
                    || v6.to_ipv4().is_some();
                prop_assert!(!special || why_not_global_v6(v6).is_some(), "{}", v6);
                let [first, ..] = v6.octets();
                prop_assert!(why_not_global_v6(v6).is_some() || (0x20..0x40).contains(&first));
            }
        }

        #[test]
        fn no_ipv6_form_of_a_refused_ipv4_address_is_permitted(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let [a, b, c, d] = v4.octets().map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            let policy = AddressPolicy::default();
            if policy.check(IpAddr::V4(v4)).is_err() {
                for v6 in [
                    v4.to_ipv6_mapped(),
                    v4.to_ipv6_compatible(),
                    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                    Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
                    Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                    Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, !high, !low),
                ] {
                    prop_assert!(policy.check(IpAddr::V6(v6)).is_err(), "{} in {}", v4, v6);
                }
            }
        }

        #[test]
        fn a_development_network_refuses_nothing_that_was_permitted(bits: u32, network: u32, prefix in 0_u8..=32) {
            let address = IpAddr::V4(Ipv4Addr::from(bits));
            let networks = format!("{}/{prefix}", Ipv4Addr::from(network)).parse().unwrap();
            let development = AddressPolicy::new(networks);
            if AddressPolicy::default().check(address).is_ok() {
                prop_assert!(development.check(address).is_ok());
            }
        }
    }
}
