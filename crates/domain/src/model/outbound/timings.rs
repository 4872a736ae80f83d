//! The durations of the parts of an exchange.

/// The durations of the parts of an exchange, in milliseconds. A part that did not take place or
/// did not end is absent: a kept connection needs no name resolution, no connection and no TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// The name resolution.
    pub dns_ms: Option<u32>,
    /// The TCP connection.
    pub connect_ms: Option<u32>,
    /// The TLS handshake.
    pub tls_ms: Option<u32>,
    /// From the start of the request to the first byte of the answer.
    pub first_byte_ms: Option<u32>,
}

impl Timings {
    /// Returns true if no part was measured.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn parts(&self) -> [Option<u32>; 4] {
        [
            self.dns_ms,
            self.connect_ms,
            self.tls_ms,
            self.first_byte_ms,
        ]
    }

    /// The form in the table: four numbers of one or more bytes, each in groups of seven bits, the
    /// lowest first. Every update of a delivery pays for it. An absent part is 0, and another is
    /// greater by one.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8);
        for part in self.parts() {
            let mut number = part.map_or(0, |ms| u64::from(ms) + 1);
            while number > 0x7f {
                bytes.push((number & 0x7f) as u8 | 0x80);
                number >>= 7;
            }
            bytes.push((number & 0x7f) as u8);
        }
        bytes
    }

    /// Reads the form of [`to_bytes`](Self::to_bytes). `None` if it is another.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut parts = [None; 4];
        let mut rest = bytes;
        for part in &mut parts {
            let (number, after) = read_number(rest)?;
            rest = after;
            *part = match number {
                0 => None,
                number => Some(u32::try_from(number - 1).ok()?),
            };
        }
        let [dns_ms, connect_ms, tls_ms, first_byte_ms] = parts;
        rest.is_empty().then_some(Self {
            dns_ms,
            connect_ms,
            tls_ms,
            first_byte_ms,
        })
    }
}

/// Reads a number in the form of [`Timings::to_bytes`], and returns the rest.
fn read_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let (number, rest) = bytes.split_at_checked(length)?;
    // Five bytes hold any part.
    (length <= 5).then(|| {
        let groups = number.iter().rev();
        let number = groups.fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f));
        (number, rest)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_usual_exchange_takes_few_bytes() {
        let new = Timings {
            dns_ms: Some(3),
            connect_ms: Some(12),
            tls_ms: Some(25),
            first_byte_ms: Some(180),
        };
        assert_eq!(new.to_bytes(), [4, 13, 26, 0xb5, 1]);
        let kept = Timings {
            first_byte_ms: Some(0),
            ..Timings::default()
        };
        assert_eq!(kept.to_bytes(), [0, 0, 0, 1]);
    }

    #[test]
    fn other_bytes_are_none() {
        for bytes in [
            &b""[..],
            &[0, 0, 0],
            &[0, 0, 0, 0, 0],
            &[0, 0, 0, 0x80],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0],
            &[0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0],
        ] {
            assert_eq!(Timings::from_bytes(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn the_stored_form_is_read_back(parts in any::<[Option<u32>; 4]>()) {
            let [dns_ms, connect_ms, tls_ms, first_byte_ms] = parts;
            let timings = Timings { dns_ms, connect_ms, tls_ms, first_byte_ms };
            prop_assert_eq!(Timings::from_bytes(&timings.to_bytes()), Some(timings));
        }
    }
}
