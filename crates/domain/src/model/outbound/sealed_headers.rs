//! Secret headers: custom headers whose values are stored encrypted.

use std::collections::BTreeMap;

use ring::aead::{MAX_TAG_LEN, NONCE_LEN};

use super::custom_headers::check_name;
use super::{CustomHeaders, CustomHeadersError};

/// The secret headers of a subscription. Names are in lower case and sorted, and each value is
/// encrypted: the nonce, then the ciphertext with its tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedHeaders(BTreeMap<String, Vec<u8>>);

/// The bytes that encryption adds to a value.
const SEAL_BYTES: usize = NONCE_LEN + MAX_TAG_LEN;

impl SealedHeaders {
    /// Stored headers. Headers whose name the current rules forbid are left out, as
    /// [`CustomHeaders::from_stored`] does.
    pub fn from_stored(headers: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let headers = headers.into_iter();
        Self(
            headers
                .filter(|(name, _)| check_name(name).is_ok())
                .collect(),
        )
    }

    /// Returns true if there are no headers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names in lower case with their encrypted values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let headers = self.0.iter();
        headers.map(|(name, sealed)| (name.as_str(), sealed.as_slice()))
    }

    /// The names in lower case, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The encrypted value of a header.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Sets the encrypted value of a header. The name is in lower case.
    pub fn set(&mut self, name: &str, sealed: Vec<u8>) {
        self.0.insert(name.to_owned(), sealed);
    }

    /// Removes a header. The name is in lower case.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The names whose encrypted value the other headers do not have: they are absent there, or
    /// were sealed again.
    pub fn names_not_in(&self, other: &Self) -> impl Iterator<Item = &str> {
        let headers = self.iter();
        headers
            .filter(|&(name, sealed)| other.get(name) != Some(sealed))
            .map(|(name, _)| name)
    }

    /// Checks the bounds of a subscription's headers over both kinds.
    ///
    /// # Errors
    /// If a name is of both kinds, or if a limit of [`CustomHeaders`] is exceeded by all together.
    pub fn check_with(&self, headers: &CustomHeaders) -> Result<(), CustomHeadersError> {
        if let Some((name, _)) = headers.iter().find(|(name, _)| self.get(name).is_some()) {
            return Err(CustomHeadersError::OfBothKinds {
                name: name.to_owned(),
            });
        }
        let count = self.0.len() + headers.len();
        if count > CustomHeaders::MAX_COUNT {
            return Err(CustomHeadersError::TooMany { count });
        }
        let sealed = self.iter();
        let plain = headers.iter().map(|(name, value)| name.len() + value.len());
        let size_bytes = sealed
            .map(|(name, sealed)| name.len() + sealed.len().saturating_sub(SEAL_BYTES))
            .chain(plain)
            .sum();
        if size_bytes > CustomHeaders::MAX_TOTAL_BYTES {
            return Err(CustomHeadersError::TooLarge { size_bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn plain<const N: usize>(pairs: [(String, String); N]) -> CustomHeaders {
        CustomHeaders::new(pairs.into()).unwrap()
    }

    fn sealed(pairs: impl IntoIterator<Item = (String, usize)>) -> SealedHeaders {
        let pairs = pairs.into_iter();
        SealedHeaders::from_stored(pairs.map(|(name, bytes)| (name, vec![0; bytes + SEAL_BYTES])))
    }

    #[test]
    fn both_kinds_of_headers_share_their_limits() {
        let none = CustomHeaders::default();
        let named = |count: usize| (0..count).map(|n| (format!("x-{n}"), 1));
        assert_eq!(sealed(named(20)).check_with(&none), Ok(()));
        let one = plain([("y".to_owned(), String::new())]);
        assert_eq!(sealed(named(19)).check_with(&one), Ok(()));
        let refused = sealed(named(20)).check_with(&one);
        assert_eq!(refused, Err(CustomHeadersError::TooMany { count: 21 }));

        let long = plain([("y".to_owned(), "v".repeat(2_048))]);
        let secret = |bytes| sealed([("x".to_owned(), bytes)]);
        assert_eq!(secret(2_046).check_with(&long), Ok(()));
        let refused = secret(2_047).check_with(&long);
        let size_bytes = 4_097;
        assert_eq!(refused, Err(CustomHeadersError::TooLarge { size_bytes }));
    }

    #[test]
    fn a_header_is_secret_or_not() {
        let secret = sealed([("x-key".to_owned(), 1)]);
        let refused = secret.check_with(&plain([("X-Key".to_owned(), "v".to_owned())]));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "header `x-key`: must be in one of `headers` and `secretHeaders`, is in both"
        );
    }

    #[test]
    fn a_stored_header_that_the_current_rules_forbid_is_left_out() {
        let stored = ["x-a", "host", "X-Amz-Date"].map(|name| (name.to_owned(), 1));
        assert_eq!(sealed(stored).names().collect::<Vec<_>>(), ["x-a"]);
    }
}
