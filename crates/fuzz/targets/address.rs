//! The addresses that a name resolves to. The operator of its DNS server chooses them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bolero::produce;
use webhooks_domain::outbound::{AddressPolicy, DevelopmentNetworks};

use crate::law::check_law;
use crate::near::near;

const NETWORKS: [&str; 6] = [
    "",
    "127.0.0.0/8",
    "127.0.0.0/8, ::1/128",
    "10.1.2.3/32,fd00::/8",
    "0.0.0.0/0",
    "::ffff:0:0/96",
];
const TOKENS: &[&str] = &[
    ",",
    " ",
    "/",
    "/0",
    "/33",
    "::",
    "127.0.0.1",
    "fd00::",
    "\n",
];

#[test]
fn laws_hold() {
    // Any address, but often one near the networks and tables in question.
    let high_bits = (0..=128_u32, produce::<u128>(), 0..SPECIAL.len());
    check_law!((near(NETWORKS, TOKENS), high_bits), |(
        networks,
        (shift, bits, special),
    )| {
        let address = SPECIAL[*special] ^ bits.checked_shr(*shift).unwrap_or(0);
        let v6 = Ipv6Addr::from(address);
        let v4 = Ipv4Addr::from(u32::try_from(address & 0xffff_ffff).unwrap());

        let public = AddressPolicy::default();
        no_form_hides_an_address(&public, v4);
        for address in [IpAddr::V4(v4), IpAddr::V6(v6)] {
            assert!(
                !is_special(address) || public.check(address).is_err(),
                "{address}"
            );
        }
        if let Ok(development) = networks.parse::<DevelopmentNetworks>() {
            let policy = AddressPolicy::new(development.clone());
            for address in [v4.into(), v6.into(), v4.to_ipv6_mapped().into()] {
                let inside = is_inside(networks, address);
                assert_eq!(development.contains(address), inside, "{address}");
                let permitted = inside || public.check(address).is_ok();
                assert_eq!(policy.check(address).is_ok(), permitted, "{address}");
            }
        }
    });
}

/// The starts of the interesting networks, as IPv6; IPv4 is the last 32 bits.
const SPECIAL: [u128; 14] = [
    0,
    1,
    0x0000_0a00_0001,
    0x0000_7f00_0001,
    0x0000_a9fe_a9fe,
    0x0000_c0a8_0101,
    0x0000_c000_0201,
    0x0000_cb00_7101,
    0xffff_7f00_0001,
    0x0064_ff9b << 96,
    0x2002_7f00_0001 << 80,
    0x2606_4700 << 96,
    0xfd00 << 112,
    0xfe80 << 112,
];

/// Checks that an IPv6 address that contains an IPv4 address permits no more than the IPv4
/// address. NAT64, through which an IPv6-only network reaches it, permits exactly the same.
fn no_form_hides_an_address(policy: &AddressPolicy, v4: Ipv4Addr) {
    let bits = u128::from(u32::from(v4));
    let is_permitted = |bits: u128| policy.check(Ipv6Addr::from(bits).into()).is_ok();
    let v4_is_permitted = policy.check(v4.into()).is_ok();
    assert_eq!(
        is_permitted(0x0064_ff9b << 96 | bits),
        v4_is_permitted,
        "{v4} by NAT64"
    );
    for form in [
        bits,
        0xffff << 32 | bits,
        0x0064_ff9b_0001 << 80 | bits,
        0x2002 << 112 | bits << 80,
        0x2001_0000 << 96 | !bits & 0xffff_ffff,
    ] {
        assert!(v4_is_permitted || !is_permitted(form), "{v4} in {form:x}");
    }
}

/// Returns true for addresses that the standard library calls special. It shares no data with
/// the tables.
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || v4.is_unspecified()
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.to_ipv4().is_some()
        }
    }
}

/// Returns true if one of the networks contains the address, computed arithmetically.
fn is_inside(networks: &str, address: IpAddr) -> bool {
    let bits = |address| match address {
        IpAddr::V4(v4) => (32, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (128, u128::from(v6)),
    };
    let (width, address) = bits(address.to_canonical());
    networks
        .split(',')
        .filter_map(|item| item.trim().split_once('/'))
        .any(|(network, prefix)| {
            let (network_width, network) = bits(network.parse().unwrap());
            let shift = network_width - prefix.parse::<u32>().unwrap();
            let prefix_of = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
            network_width == width && prefix_of(network) == prefix_of(address)
        })
}
