//! The headers of a subscription, chosen by a customer.

use std::collections::BTreeMap;

use bolero::{Driver, ValueGenerator};
use http::{HeaderMap, HeaderName, HeaderValue};
use webhooks_domain::outbound::{CustomHeaders, CustomHeadersError, SealedHeaders};

use crate::law::check_law;
use crate::near::{Near, near};

const NAMES: [&str; 10] = [
    "X-Api-Key",
    "authorization",
    "x-a",
    "Host",
    "content-type",
    "transfer-encoding",
    "webhook-id",
    "proxy-authorization",
    "x-amz-date",
    "user-agent",
];
const VALUES: [&str; 4] = ["", "Bearer x", "a, b; c=\"d\"", "key with spaces"];
const TOKENS: &[&str] = &[
    "\r\n", "\n", "\0", ":", " ", "\t", "-", "_", "İ", "K", "é", "\u{7f}", "x-",
];

/// The headers that no customer may set, from the design.
const FORBIDDEN: [&str; 5] = [
    "host",
    "connection",
    "transfer-encoding",
    "user-agent",
    "te",
];
const FORBIDDEN_PREFIXES: [&str; 4] = ["content-", "webhook-", "proxy-", "x-amz-"];

/// The bytes that encryption adds to a value.
const SEAL: usize = 28;

const MARK: &str = "s3cret";

/// Plain headers up to the limit and one more, and a few special ones, with a mark in each
/// value.
struct Headers {
    names: Near,
    values: Near,
}

impl ValueGenerator for Headers {
    type Output = BTreeMap<String, String>;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Self::Output> {
        let plain = (0..=CustomHeaders::MAX_COUNT + 1).generate(driver)?;
        let mut headers: Self::Output = (0..plain)
            .map(|number| (format!("plain-{number}"), MARK.to_owned()))
            .collect();
        for _ in 0..(0..=2).generate(driver)? {
            let value = self.values.generate(driver)? + MARK;
            headers.insert(self.names.generate(driver)?, value);
        }
        Some(headers)
    }
}

#[test]
fn laws_hold() {
    let headers = Headers {
        names: near(NAMES, TOKENS),
        values: near(VALUES, TOKENS),
    };
    check_law!(headers, |given| match CustomHeaders::new(given.clone()) {
        Ok(headers) => {
            assert_eq!(headers.len(), given.len());
            can_be_sent(&headers);
            half_can_be_secret(&headers);
            assert_eq!(CustomHeaders::new(headers.clone().into()), Ok(headers));
        }
        Err(error) => shows_no_value(&error),
    });
}

fn shows_no_value(error: &CustomHeadersError) {
    assert!(!error.to_string().contains(MARK), "{error}");
    assert!(error.to_string().len() < 900, "{error}");
}

/// The limits of both kinds together are those of one kind, and no name can be of both.
fn half_can_be_secret(headers: &CustomHeaders) {
    let all = BTreeMap::from(headers.clone());
    let (secret, plain): (BTreeMap<_, _>, BTreeMap<_, _>) = all
        .into_iter()
        .enumerate()
        .partition(|(index, _)| index % 2 == 0);
    let [secret, plain] =
        [secret, plain].map(|half| half.into_values().collect::<BTreeMap<_, _>>());
    let sealed = |(name, value): (&String, &String)| (name.clone(), vec![0; value.len() + SEAL]);
    let sealed = SealedHeaders::from_stored(secret.iter().map(sealed));
    assert_eq!(sealed.names().count(), secret.len());
    let plain = CustomHeaders::new(plain).unwrap();
    assert_eq!(sealed.check_with(&plain), Ok(()));
    if !sealed.is_empty() {
        shows_no_value(&sealed.check_with(headers).unwrap_err());
    }
    if let Err(error) = CustomHeaders::new_secret(secret) {
        panic!("{error}: each value has a mark");
    }
}

fn can_be_sent(headers: &CustomHeaders) {
    let mut map = HeaderMap::new();
    let mut size_bytes = 0;
    for (name, value) in headers.iter() {
        assert!(!FORBIDDEN.contains(&name), "{name}");
        assert!(
            !FORBIDDEN_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix)),
            "{name}"
        );
        assert!(!value.chars().any(char::is_control), "{name}");
        let header = HeaderName::from_lowercase(name.as_bytes()).unwrap();
        let previous = map.insert(header, HeaderValue::from_str(value).unwrap());
        assert_eq!(previous, None, "{name} twice");
        assert_eq!(map[name].as_bytes(), value.as_bytes());
        size_bytes += name.len() + value.len();
    }
    assert!(map.len() <= 20 && size_bytes <= 4_096);
}
