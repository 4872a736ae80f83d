#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::host_name::INTERNAL_DOMAINS;
use super::*;

fn parse(text: &str) -> Result<EndpointUrl, EndpointUrlError> {
    EndpointUrl::parse(text, &DevelopmentNetworks::none())
}

fn reject(text: &str) -> EndpointUrlError {
    parse(text)
        .map(|url| url.as_str().to_owned())
        .expect_err(text)
}

#[track_caller]
fn assert_canonical(text: &str, canonical: &str) {
    assert_eq!(
        parse(text).map(|url| url.as_str().to_owned()),
        Ok(canonical.to_owned())
    );
}

#[test]
fn the_test_vectors_pass() {
    let vectors = include_str!("../../../../tests-data/url-policy.tsv");
    for line in vectors.lines().skip(1) {
        let mut fields = line.split('\t');
        let (verdict, text) = (fields.next().unwrap(), fields.next().unwrap());
        let note = fields.next().unwrap_or_default();
        match (verdict, parse(text)) {
            ("accept", Ok(url)) => {
                let canonical = if note.starts_with("https://") {
                    note
                } else {
                    text
                };
                assert_eq!(url.as_str(), canonical, "{line}");
            }
            ("reject", Err(error)) => assert_eq!(class(&error), note, "{line}: {error}"),
            (_, result) => panic!("{line}: {result:?}"),
        }
    }
}

/// The reason in the words of the test vectors.
fn class(error: &EndpointUrlError) -> &'static str {
    match error {
        EndpointUrlError::NotAbsolute | EndpointUrlError::Malformed(_) => "parse",
        EndpointUrlError::Scheme { .. } => "scheme",
        EndpointUrlError::UserInfo => "user info",
        EndpointUrlError::Fragment => "fragment",
        EndpointUrlError::Port { .. } => "port",
        EndpointUrlError::Address { .. } => "IP literal",
        EndpointUrlError::SingleLabel { .. } => "single label",
        EndpointUrlError::InternalName { .. } | EndpointUrlError::Name { .. } => "name",
        EndpointUrlError::TooLong { .. } => "length",
        EndpointUrlError::Character { .. } => "character",
        EndpointUrlError::Denied(_) => "denied",
    }
}

#[test]
fn one_endpoint_has_one_canonical_form() {
    assert_canonical("HTTPS://Example.COM", "https://example.com/");
    assert_canonical("https://example.com:0443/a/../b", "https://example.com/b");
    assert_canonical("https://%65xample.com/", "https://example.com/");
    assert_canonical("https://ｅｘａｍｐｌｅ.com/", "https://example.com/");
    assert_canonical("https://example。com/", "https://example.com/");
    assert_canonical(
        "https://example.com/ü?ü",
        "https://example.com/%C3%BC?%C3%BC",
    );
    assert_canonical("https://hooks.example.net./", "https://hooks.example.net/");
    assert_canonical(
        "https://Hooks.Example.NET.:8443/a.?b=.",
        "https://hooks.example.net:8443/a.?b=.",
    );
    assert_canonical("https://hooks.example.net。/", "https://hooks.example.net/");
    assert_canonical("https://a_b.example.com/?", "https://a_b.example.com/?");
}

#[test]
fn a_stored_url_is_read_under_any_current_policy() {
    for text in ["https://example.com/h?x=1", "http://127.0.0.1:8080/"] {
        let url = EndpointUrl::from_stored(text).unwrap();
        assert_eq!(url.as_str(), text);
    }
    for text in ["", "example.com", "ftp://example.com/", "data:text/plain,x"] {
        assert_eq!(EndpointUrl::from_stored(text), None, "{text}");
    }
}

#[test]
fn the_length_is_bounded_before_and_after() {
    let of_length = |length: usize| {
        let start = "https://example.com/";
        start.to_owned() + &"x".repeat(length - start.len())
    };
    assert!(parse(&of_length(2_048)).is_ok());
    assert_eq!(
        reject(&of_length(2_049)),
        EndpointUrlError::TooLong { size_bytes: 2_049 }
    );
    let grows = format!("https://example.com/{}", "ü".repeat(400));
    assert_eq!(
        reject(&grows),
        EndpointUrlError::TooLong {
            size_bytes: 20 + 6 * 400
        }
    );
}

#[test]
fn characters_that_the_parser_would_strip_or_reinterpret_are_refused() {
    for text in [
        " https://example.com/",
        "https://example.com/ ",
        "\u{0}https://example.com/",
        "ht\ntps://example.com/",
        "https://exa\tmple.com/",
        "https://example.com/a\r\nb",
        "https://example.com/a b",
        "https://example.com/\u{7f}",
        "https://example.com/\u{85}",
        "https://example.com/\u{2028}",
        "https:\\\\example.com\\",
        "https://example.com\\@internal.example.net/",
        "https://example.com/?a=\\",
    ] {
        assert_eq!(class(&reject(text)), "character", "{text:?}");
    }
}

#[test]
fn the_text_must_be_absolute_with_two_slashes() {
    for text in [
        "",
        "example.com",
        "/hook",
        "//example.com/",
        "https:example.com",
        "https:/example.com",
        "https:///example.com/",
        "https:////example.com/",
        "://example.com/",
        "mailto:someone@example.com",
        "javascript:alert(1)",
        "data:text/plain,x",
    ] {
        assert_eq!(reject(text), EndpointUrlError::NotAbsolute, "{text:?}");
    }
    for text in [
        "https://",
        "https://?",
        "https://:443/",
        "https://example.com:x/",
    ] {
        assert_eq!(class(&reject(text)), "parse", "{text:?}");
    }
}

#[test]
fn no_other_scheme_is_accepted() {
    for scheme in [
        "http", "ws", "wss", "ftp", "gopher", "blob", "httpsx", "unix", "file",
    ] {
        assert_eq!(
            class(&reject(&format!("{scheme}://example.com/"))),
            "scheme",
            "{scheme}"
        );
    }
}

#[test]
fn user_info_and_fragments_are_refused_even_when_empty() {
    for text in [
        "https://@example.com/",
        "https://:@example.com/",
        "https://user@example.com/",
        "https://a:b@c@example.com/",
        "https://example.com@127.0.0.1/",
    ] {
        assert_eq!(reject(text), EndpointUrlError::UserInfo, "{text}");
    }
    for text in [
        "https://example.com/#",
        "https://example.com#",
        "https://example.com/?a#b",
        "https://example.com#@internal.example.net/",
    ] {
        assert_eq!(reject(text), EndpointUrlError::Fragment, "{text}");
    }
    assert!(parse("https://example.com/@me?to=a@b&c=%23").is_ok());
}

#[test]
fn an_address_is_refused_in_every_form_that_the_parser_reads() {
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "0X7F000001",
        "2130706433",
        "017700000001",
        "0",
        "１２７.０.０.１",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "1.1.1.1",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2606:4700:4700::1111]",
    ] {
        let error = reject(&format!("https://{host}/"));
        assert!(
            matches!(error, EndpointUrlError::Address { .. }),
            "{host}: {error}"
        );
    }
    for host in [
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1",
        "1.2.3.4.5",
        "0x100000000",
        "256.0.0.1",
    ] {
        let error = reject(&format!("https://{host}/"));
        assert!(
            matches!(error, EndpointUrlError::Malformed(_)),
            "{host}: {error}"
        );
    }
}

#[test]
fn internal_names_are_refused_in_every_spelling() {
    for domain in INTERNAL_DOMAINS {
        for name in [
            (*domain).to_owned(),
            format!("{domain}."),
            format!("a.{domain}"),
            format!("a.b.{}.", domain.to_uppercase()),
        ] {
            let error = reject(&format!("https://{name}/"));
            assert!(
                matches!(error, EndpointUrlError::InternalName { .. }),
                "{name}: {error}"
            );
        }
        assert!(parse(&format!("https://{domain}.com/")).is_ok(), "{domain}");
        assert!(parse(&format!("https://a.x{domain}/")).is_ok(), "{domain}");
    }
    for name in [
        "%6c%6fcalhost",
        "ｌｏｃａｌｈｏｓｔ",
        "router.home.arpa",
        "loc\u{ad}alhost",
    ] {
        assert_eq!(
            class(&reject(&format!("https://{name}/"))),
            "name",
            "{name}"
        );
    }
}

#[test]
fn a_name_has_at_least_two_labels_of_a_bounded_length() {
    for name in ["example", "example.", "xn--mnchen-3ya"] {
        assert_eq!(
            class(&reject(&format!("https://{name}/"))),
            "single label",
            "{name}"
        );
    }
    let long_label = "a".repeat(64) + ".com";
    let long_name = "a.".repeat(126) + "com";
    for name in [
        "a..com",
        ".example.com",
        "example.com..",
        "a!b.com",
        "a*.com",
        "a,b.com",
        "..",
        ".",
        "foo-.example.net",
        "-foo.example.net",
        "foo.-example.net",
        "foo.example-.net",
        "foo.example.net-",
        "foo.example.-net.",
        "-.example.net",
        "foo-。example.net",
        &long_label,
        &long_name,
    ] {
        assert_eq!(
            class(&reject(&format!("https://{name}/"))),
            "name",
            "{name}"
        );
    }
    for name in [
        "a-b--c.example.net",
        "_a_.b_.example.net",
        "xn--mnchen-3ya.1a.net",
    ] {
        assert!(parse(&format!("https://{name}/")).is_ok(), "{name}");
    }
    assert!(parse(&format!("https://{}.com/", "a".repeat(63))).is_ok());
    assert!(parse(&format!("https://{}com/", "a.".repeat(125))).is_ok());
}

#[test]
fn ports_of_other_protocols_are_refused() {
    for port in [0, 1, 22, 25, 53, 110, 6000, 6667, 10_080] {
        assert_eq!(
            reject(&format!("https://example.com:{port}/")),
            EndpointUrlError::Port { port }
        );
    }
    for port in [80, 443, 8_080, 8_443, 65_535] {
        assert!(
            parse(&format!("https://example.com:{port}/")).is_ok(),
            "{port}"
        );
    }
}

#[test]
fn a_development_network_permits_only_its_own_literals_also_over_http() {
    let networks = "127.0.0.0/8, fd00::/8".parse().unwrap();
    let parse = |text: &str| EndpointUrl::parse(text, &networks);
    for text in [
        "http://127.0.0.1:8080/hook",
        "https://127.0.0.1/",
        "http://[fd00::1]:3000/",
    ] {
        assert_eq!(parse(text).unwrap().as_str(), text);
    }
    for text in [
        "http://128.0.0.1/",
        "http://example.com/",
        "http://localhost/",
    ] {
        assert_eq!(class(&parse(text).unwrap_err()), "scheme", "{text}");
    }
    assert_eq!(
        class(&parse("https://10.0.0.1/").unwrap_err()),
        "IP literal"
    );
    assert_eq!(class(&parse("https://localhost/").unwrap_err()), "name");
    assert_eq!(class(&parse("ftp://127.0.0.1/").unwrap_err()), "scheme");
    assert_eq!(class(&parse("http://127.0.0.1:22/").unwrap_err()), "port");
    assert_eq!(
        class(&parse("http://u@127.0.0.1/").unwrap_err()),
        "user info"
    );
}

#[test]
fn the_host_is_a_name_or_an_address() {
    let networks = "::/0, 0.0.0.0/0".parse().unwrap();
    let url = |text: &str| EndpointUrl::parse(text, &networks).unwrap();
    let address = |text: &str| EndpointHost::Address(text.parse().unwrap());
    assert_eq!(
        url("https://A.example.com/").host(),
        EndpointHost::Name("a.example.com")
    );
    assert_eq!(url("http://0x7f.1/").host(), address("127.0.0.1"));
    assert_eq!(url("http://[::1]/").host(), address("::1"));
    assert!(url("https://[::1]/").is_https() && !url("http://[::1]/").is_https());
}

#[test]
fn messages_name_the_limit_and_hide_possible_secrets() {
    for (text, message) in [
        (
            "http://h.example.com:81/p4th?s3cret",
            "url `http://…`: scheme must be https",
        ),
        (
            "https://example.com:22/s3cret",
            "url port 22: must not be a port of another protocol (the Fetch standard's list)",
        ),
        (
            "https://u:s3cret@example.com/",
            "url: user name and password are not allowed before the host",
        ),
        (
            "https://example/?s3cret",
            "url host `example`: must have at least two labels",
        ),
        (
            "https://a.local/?s3cret",
            "url host `a.local`: must not be under the internal domain `local`",
        ),
        (
            "https://0x7f.1/?s3cret",
            "url host `127.0.0.1`: must be a name, not an IP address",
        ),
        (
            "https://example.com/\n?s3cret",
            "url: character U+000A at byte 20 must be percent-encoded",
        ),
        ("https://example.com:x/?s3cret", "url: invalid port number"),
        (
            "u:s3cret@example.com",
            "url: must be absolute and begin with `https://`",
        ),
    ] {
        assert_eq!(reject(text).to_string(), message);
    }
    let url = parse("https://example.com/p4th?s3cret").unwrap();
    assert_eq!(format!("{url:?}"), "EndpointUrl(https://example.com/…)");
}

proptest! {
    #[test]
    fn an_accepted_url_is_canonical_and_obeys_the_rules(
        text in "(https://)?[a-zA-Z0-9.:%@\\[\\]#?/\\\\ \t_üß。ｌ１-]{0,40}",
    ) {
        if let Ok(url) = parse(&text) {
            prop_assert_eq!(parse(url.as_str()), Ok(url.clone()));
            prop_assert!(url.as_str().is_ascii() && url.as_str().starts_with("https://"));
            let EndpointHost::Name(name) = url.host() else {
                return Err(TestCaseError::fail("an address"));
            };
            prop_assert!(name.contains('.') && !name.ends_with('.'));
            prop_assert!(name.parse::<IpAddr>().is_err());
            prop_assert!(!text.contains(['@', '#', '\\', ' ', '\t']) || text.contains(['/', '?']));
        }
    }

    #[test]
    fn no_text_makes_it_panic_or_print_a_query(text in "\\PC{0,30}", secret in "[a-z]{12}") {
        let text = format!("https://{text}?{secret}");
        let shown = match parse(&text) {
            Ok(url) => format!("{url:?}"),
            Err(error) => error.to_string(),
        };
        prop_assert!(!shown.contains(&secret), "{}", shown);
    }

    #[test]
    fn an_ipv4_address_is_refused_in_every_notation(bits: u32) {
        let [a, b, c, d] = bits.to_be_bytes();
        let low = bits & 0x00ff_ffff;
        for host in [
            format!("{bits}"),
            format!("{bits:#x}"),
            format!("0{bits:o}"),
            format!("{a}.{b}.{c}.{d}"),
            format!("{a}.{b}.{c}.{d}."),
            format!("{a:#x}.0{b:o}.{c}.{d:#X}"),
            format!("{a}.{low}"),
            format!("[::ffff:{a}.{b}.{c}.{d}]"),
        ] {
            let host = host.replace("0X", "0x");
            let error = parse(&format!("https://{host}/")).unwrap_err();
            prop_assert!(matches!(error, EndpointUrlError::Address { .. }), "{}: {}", host, error);
        }
    }
}
