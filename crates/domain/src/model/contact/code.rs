//! The code in the message that asks for the confirmation of an address.
//!
//! It has 256 random bits, and names its customer, so that one read finds the contact. The text is
//! base64url without padding of: secret (32 bytes), customer id.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

use crate::ids::CustomerId;
use crate::portal_session::SecretDigest;

const SECRET_BYTES: usize = 32;
/// The longest text of a code.
const MAX_TEXT_BYTES: usize = (SECRET_BYTES + CustomerId::MAX_BYTES).div_ceil(3) * 4;

/// The text is not a code. It costs no read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a code of a contact")]
pub struct ContactCodeError;

/// The code with which somebody who reads the mail of an address confirms it. It works once.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactCode {
    customer: CustomerId,
    secret: [u8; SECRET_BYTES],
}

impl ContactCode {
    /// A new code of a customer.
    pub fn random(customer: &CustomerId, random: &SystemRandom) -> Self {
        let mut secret = [0; SECRET_BYTES];
        random
            .fill(&mut secret)
            .expect("the system's random source answers once the process runs");
        Self {
            customer: customer.clone(),
            secret,
        }
    }

    /// The customer whose contact it claims to confirm.
    pub fn customer(&self) -> &CustomerId {
        &self.customer
    }

    /// The digest that the table has. The secret is random, so a slow hash would gain nothing.
    pub fn digest(&self) -> SecretDigest {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"contact\0");
        context.update(&self.secret);
        let digest = context.finish();
        SecretDigest::from_bytes(digest.as_ref().try_into().expect("SHA-256 is 32 bytes"))
    }

    /// The secret text. It belongs into the message, and nowhere else.
    pub fn expose(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.secret, self.customer.as_str().as_bytes()].concat())
    }
}

impl FromStr for ContactCode {
    type Err = ContactCodeError;

    fn from_str(text: &str) -> Result<Self, ContactCodeError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(ContactCodeError);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text);
        let bytes = bytes.map_err(|_| ContactCodeError)?;
        let (secret, customer) = bytes
            .split_first_chunk::<SECRET_BYTES>()
            .ok_or(ContactCodeError)?;
        let customer = str::from_utf8(customer).map_err(|_| ContactCodeError)?;
        Ok(Self {
            customer: customer.parse().map_err(|_| ContactCodeError)?,
            secret: *secret,
        })
    }
}

/// Shows nothing of the secret.
impl fmt::Debug for ContactCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContactCode({})", self.customer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_back_and_shows_nothing() {
        for customer in ["a", "a.b|c@d=e:f+g", &"x".repeat(CustomerId::MAX_BYTES)] {
            let code = ContactCode::random(&customer.parse().unwrap(), &SystemRandom::new());
            let text = code.expose();
            assert!(text.len() <= MAX_TEXT_BYTES);
            assert_eq!(text.parse::<ContactCode>(), Ok(code.clone()));
            assert!(!format!("{code:?} {:?}", code.digest()).contains(&text[..20]));
            let other = ContactCode::random(code.customer(), &SystemRandom::new());
            assert_ne!(code.digest(), other.digest());
        }
    }

    #[test]
    fn a_text_in_another_form_is_refused() {
        let good = ContactCode::random(&"acme".parse().unwrap(), &SystemRandom::new()).expose();
        for bad in [
            String::new(),
            good[..40].to_owned(),
            format!("{good}="),
            format!(" {good}"),
            "A".repeat(MAX_TEXT_BYTES + 1),
            BASE64_URL_SAFE_NO_PAD.encode([b"0".repeat(32), b"a/b".to_vec()].concat()),
        ] {
            assert_eq!(bad.parse::<ContactCode>(), Err(ContactCodeError), "{bad}");
        }
    }
}
