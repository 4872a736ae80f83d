//! The URL of a subscription, written by a customer.

use std::net::IpAddr;

use webhooks_domain::outbound::{DevelopmentNetworks, EndpointHost, EndpointUrl};

use crate::law::check_law;
use crate::near::{Near, near};

const TOKENS: &[&str] = &[
    "://",
    "//",
    "\\",
    "@",
    "#",
    "?",
    ":",
    ":0",
    ":22",
    ":443",
    ":25",
    "[",
    "]",
    "%",
    "%2e",
    "%00",
    ".",
    "。",
    "．",
    "..",
    "xn--",
    "\t",
    "\n",
    "\u{ad}",
    "\u{200d}",
    "0x",
    "127.0.0.1",
    "１２７",
    "[::1]",
    "[::ffff:10.0.0.1]",
    "2130706433",
    "localhost",
    ".local",
    ".internal",
    "http",
    "ß",
];

fn urls() -> Near {
    let vectors = include_str!("../../domain/tests-data/url-policy.tsv");
    let urls = vectors.lines().filter_map(|line| line.split('\t').nth(1));
    near(urls, TOKENS)
}

#[test]
fn laws_hold() {
    let none = DevelopmentNetworks::none();
    let some: DevelopmentNetworks = "127.0.0.0/8, ::1/128, 10.0.0.0/8".parse().unwrap();
    check_law!(urls(), |text| {
        let accepted = EndpointUrl::parse(text, &none);
        if let Ok(url) = &accepted {
            is_public(text, url.as_str());
            is_canonical(url, &none);
        }
        if let Ok(url) = EndpointUrl::parse(text, &some) {
            is_canonical(&url, &some);
            match url.host() {
                EndpointHost::Address(address) => assert!(some.contains(address)),
                EndpointHost::Name(_) => assert_eq!(accepted.as_ref(), Ok(&url)),
            }
        } else {
            assert!(accepted.is_err(), "refused in development only");
        }
    });
}

/// Checks the rules on the text of the canonical form only.
fn is_public(given: &str, canonical: &str) {
    assert!(given.len() <= 2_048 && canonical.len() <= 2_048);
    assert!(canonical.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!canonical.contains('#') && !given.contains(['\\', '#']));
    assert!(!given.chars().any(|c| c.is_control() || c.is_whitespace()));

    let rest = canonical.strip_prefix("https://").expect("https");
    let authority = rest.split(['/', '?']).next().unwrap();
    assert!(!authority.contains('@'));
    let (name, port) = authority.split_once(':').unwrap_or((authority, "443"));
    assert!(!["0", "22", "25", "53", "6379", "6667"].contains(&port));

    let labels: Vec<&str> = name.split('.').collect();
    assert!(labels.len() > 1, "a single label");
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    assert!(labels.iter().all(is_label), "not a label");
    // A last label that looks like a number makes the whole host an IPv4 address (WHATWG URL, 3.5).
    let last = labels[labels.len() - 1];
    let is_hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(!last.bytes().all(|byte| byte.is_ascii_digit()));
    assert!(!last.strip_prefix("0x").is_some_and(is_hexadecimal));
    assert!(!["localhost", "local", "internal", "arpa", "onion"].contains(&last));
    assert!(name.parse::<IpAddr>().is_err());
}

/// Checks that the canonical form has the same meaning when the policy or the table reads it
/// again.
fn is_canonical(url: &EndpointUrl, development: &DevelopmentNetworks) {
    assert_eq!(
        EndpointUrl::parse(url.as_str(), development).as_ref(),
        Ok(url)
    );
    assert_eq!(EndpointUrl::from_stored(url.as_str()).as_ref(), Some(url));
    assert!(url.as_str().starts_with(&url.origin()));
}
