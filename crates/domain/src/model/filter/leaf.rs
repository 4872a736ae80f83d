//! The values that a filter lists for one field, and the comparison of a payload's value with them.

use std::net::{IpAddr, Ipv6Addr};

use super::document::Scalar;
use super::evaluate::is_over;
use super::number::Decimal;
use super::text::TextMatcher;

/// The values that a field may have. One of them must match.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    /// True if any value is enough (`exists: true`).
    pub(super) anything: bool,
    pub(super) null: bool,
    pub(super) booleans: Vec<bool>,
    pub(super) texts: Texts,
    pub(super) numbers: Numbers,
    pub(super) others: Vec<Alternative>,
}

/// An operator that a value may satisfy.
#[derive(Debug)]
pub(super) enum Alternative {
    Text(TextMatcher),
    Range(Range),
    Addresses(Addresses),
    /// `anything-but` with texts.
    NotTexts(Texts),
    /// `anything-but` with numbers.
    NotNumbers(Numbers),
    /// `anything-but` with operators.
    Not(Vec<TextMatcher>),
}

impl Leaf {
    /// The largest number of comparisons with one value.
    pub(super) fn weight(&self) -> usize {
        let others = self.others.iter().map(|alternative| match alternative {
            Alternative::Not(matchers) => matchers.len(),
            _ => 1,
        });
        1 + others.sum::<usize>()
    }

    /// Returns true if one of them matches a value. Each comparison adds a step.
    pub(super) fn matches(&self, value: Scalar, steps: &mut u64) -> bool {
        *steps += 1;
        let is_equal = match value {
            Scalar::Null => self.null,
            Scalar::Boolean(boolean) => self.booleans.contains(&boolean),
            Scalar::Number(number) => self.numbers.contain(number),
            Scalar::Text(text) => self.texts.contain(text),
        };
        self.anything
            || is_equal
            || self
                .others
                .iter()
                .any(|alternative| is_over(*steps) || alternative.matches(value, steps))
    }
}

impl Alternative {
    fn matches(&self, value: Scalar, steps: &mut u64) -> bool {
        *steps += 1;
        match (self, value) {
            (Self::Text(matcher), Scalar::Text(text)) => matcher.matches(text, steps),
            (Self::Range(range), Scalar::Number(number)) => range.contains(number),
            (Self::Addresses(addresses), Scalar::Text(text)) => addresses.contain(text),
            (Self::Text(_) | Self::Range(_) | Self::Addresses(_), _) => false,
            (Self::NotTexts(texts), Scalar::Text(text)) => !texts.contain(text),
            (Self::NotNumbers(numbers), Scalar::Number(number)) => !numbers.contain(number),
            (Self::Not(matchers), Scalar::Text(text)) => !matchers.iter().any(|matcher| {
                *steps += 1;
                is_over(*steps) || matcher.matches(text, steps)
            }),
            // `anything-but` matches a value of any other kind (Event Ruler, `ByteMachine`: a value
            // matches unless it is proved not to).
            (Self::NotTexts(_) | Self::NotNumbers(_) | Self::Not(_), _) => true,
        }
    }
}

/// Sorted texts.
#[derive(Debug, Default)]
pub(super) struct Texts(Vec<String>);

impl Texts {
    pub(super) fn new(mut texts: Vec<String>) -> Self {
        texts.sort_unstable();
        Self(texts)
    }

    fn contain(&self, text: &[u8]) -> bool {
        self.0
            .binary_search_by(|one| one.as_bytes().cmp(text))
            .is_ok()
    }
}

/// Sorted numbers.
#[derive(Debug, Default)]
pub(super) struct Numbers(Vec<String>);

impl Numbers {
    pub(super) fn new(mut numbers: Vec<String>) -> Self {
        numbers.sort_unstable_by(|one, other| Decimal::new(one).cmp(&Decimal::new(other)));
        Self(numbers)
    }

    fn contain(&self, number: &str) -> bool {
        let number = Decimal::new(number);
        self.0
            .binary_search_by(|one| Decimal::new(one).cmp(&number))
            .is_ok()
    }
}

/// The numbers between two bounds, or on one side of one bound.
#[derive(Debug, Default)]
pub(super) struct Range {
    pub(super) from: Option<Bound>,
    pub(super) to: Option<Bound>,
}

/// A bound of a range.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) number: String,
    /// True if the bound itself is in the range.
    pub(super) is_in: bool,
}

impl Range {
    fn contains(&self, number: &str) -> bool {
        let number = Decimal::new(number);
        let is_within = |bound: &Bound, beyond: std::cmp::Ordering| {
            let order = number.cmp(&Decimal::new(&bound.number));
            order == beyond || (order.is_eq() && bound.is_in)
        };
        self.from
            .as_ref()
            .is_none_or(|from| is_within(from, std::cmp::Ordering::Greater))
            && self
                .to
                .as_ref()
                .is_none_or(|to| is_within(to, std::cmp::Ordering::Less))
    }
}

/// The addresses with the same leading bits.
#[derive(Debug)]
pub(super) struct Addresses {
    base: IpAddr,
    bits: u8,
}

/// The longest text of an address: `ffff:` eight times.
const MAX_ADDRESS_LEN: usize = 45;

impl Addresses {
    /// Parses a CIDR such as `10.0.0.0/8`. Event Ruler (`CIDR`) accepts at most 31 bits of an IPv4
    /// address and 127 of an IPv6 address, and any address of the block as its base.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (base, bits) = text.split_once('/')?;
        let base = address(base)?;
        let bits = Some(bits).filter(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()))?;
        let bits: u8 = bits.parse().ok()?;
        let max = if base.is_ipv4() { 31 } else { 127 };
        (bits <= max).then_some(Self { base, bits })
    }

    fn contain(&self, text: &[u8]) -> bool {
        if text.len() > MAX_ADDRESS_LEN {
            return false;
        }
        let text = std::str::from_utf8(text).ok();
        match (self.base, text.and_then(address)) {
            (IpAddr::V4(base), Some(IpAddr::V4(other))) => {
                (u32::from(base) ^ u32::from(other)).leading_zeros() >= self.bits.into()
            }
            (IpAddr::V6(base), Some(IpAddr::V6(other))) => {
                (u128::from(base) ^ u128::from(other)).leading_zeros() >= self.bits.into()
            }
            _ => false,
        }
    }
}

/// Parses an address. An IPv4 address in the form of an IPv6 address becomes the IPv4 address, as
/// in Java.
fn address(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    match address {
        IpAddr::V6(address) => Some(v4_in(address).unwrap_or(IpAddr::V6(address))),
        v4 @ IpAddr::V4(_) => Some(v4),
    }
}

fn v4_in(address: Ipv6Addr) -> Option<IpAddr> {
    address.to_ipv4_mapped().map(IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_block_and_in_no_other() {
        for (block, address, is_in) in [
            ("10.0.0.0/24", "10.0.0.255", true),
            ("10.0.0.77/24", "10.0.0.1", true),
            ("10.0.0.0/24", "10.0.1.0", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("1.0.0.0/1", "127.0.0.1", true),
            ("1.0.0.0/1", "128.0.0.1", false),
            ("10.0.0.0/31", "10.0.0.1", true),
            ("10.0.0.0/8", "::1", false),
            ("10.0.0.0/8", "10.0.0", false),
            ("10.0.0.0/8", "10.0.0.01", false),
            ("10.0.0.0/8", "10.0.0.1 ", false),
            ("10.0.0.0/8", "::ffff:a00:1", true),
            ("2001:db8::/32", "2001:DB8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "::1", true),
            ("::/0", "10.0.0.1", false),
            ("::2/127", "::3", true),
        ] {
            let block = Addresses::parse(block).unwrap();
            assert_eq!(
                block.contain(address.as_bytes()),
                is_in,
                "{block:?} {address}"
            );
        }
        for bad in [
            "",
            "/",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/32",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0/8",
            "010.0.0.0/8",
            "10.0.0.256/8",
            "::/128",
            "::/129",
            "a/8",
            "10.0.0.0/8/8",
            "2001:db8::%1/32",
        ] {
            assert!(Addresses::parse(bad).is_none(), "{bad}");
        }
    }
}
