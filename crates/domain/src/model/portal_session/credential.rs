//! The secrets of a session: the code of its link, and the token of its cookie.
//!
//! Each has 256 random bits, and names its session, so that one read finds the session. The text is
//! base64url without padding of: session id (16 bytes), secret (32 bytes), customer id. The console's has
//! no customer id.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};

use super::Audience;
use crate::ids::{CustomerId, PortalSessionId};

const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
/// The longest text of a credential.
const MAX_TEXT_BYTES: usize = (ID_BYTES + SECRET_BYTES + CustomerId::MAX_BYTES).div_ceil(3) * 4;

/// The text is not a credential. It costs no read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a credential of the portal")]
pub struct CredentialError;

/// The digest of a code or a token. It gives no access.
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; Self::BYTES]);

/// Compares all bytes, so that the time tells nothing about the first that differs.
impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        pairs.fold(0, |different, (a, b)| different | (a ^ b)) == 0
    }
}

impl Eq for SecretDigest {}

impl SecretDigest {
    /// Its length.
    pub const BYTES: usize = 32;

    /// A stored digest, from [`as_bytes`](Self::as_bytes).
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest")
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Credential {
    audience: Audience,
    session: PortalSessionId,
    secret: [u8; SECRET_BYTES],
}

impl Credential {
    fn random(audience: &Audience, session: PortalSessionId, random: &SystemRandom) -> Self {
        let mut secret = [0; SECRET_BYTES];
        random
            .fill(&mut secret)
            .expect("the system's random source answers once the process runs");
        Self {
            audience: audience.clone(),
            session,
            secret,
        }
    }

    /// SHA-256 of the kind and the secret. The secret is random, so a slow hash would gain nothing.
    fn digest(&self, kind: &str) -> SecretDigest {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(kind.as_bytes());
        context.update(&[0]);
        context.update(&self.secret);
        let digest = context.finish();
        SecretDigest(digest.as_ref().try_into().expect("SHA-256 is 32 bytes"))
    }

    fn to_text(&self) -> String {
        let customer = self.audience.customer().map_or("", CustomerId::as_str);
        let mut bytes = Vec::with_capacity(ID_BYTES + SECRET_BYTES + customer.len());
        bytes.extend(self.session.to_bytes());
        bytes.extend(self.secret);
        bytes.extend(customer.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (secret, customer) = rest.split_first_chunk::<SECRET_BYTES>()?;
        let audience = match customer {
            [] => Audience::Console,
            customer => Audience::Customer(str::from_utf8(customer).ok()?.parse().ok()?),
        };
        Some(Self {
            audience,
            session: PortalSessionId::from_bytes(*id),
            secret: *secret,
        })
    }
}

/// Declares a kind of credential.
macro_rules! credential {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Credential);

        impl $name {
            /// A new one for a session, with 256 bits of the system's random source.
            pub fn random(
                audience: &Audience,
                session: PortalSessionId,
                random: &SystemRandom,
            ) -> Self {
                Self(Credential::random(audience, session, random))
            }

            /// The site whose session it claims to open.
            pub fn audience(&self) -> &Audience {
                &self.0.audience
            }

            /// The session that it claims to open.
            pub fn session(&self) -> &PortalSessionId {
                &self.0.session
            }

            /// The digest that the table has.
            pub fn digest(&self) -> SecretDigest {
                self.0.digest($kind)
            }

            /// The secret text. It belongs into the link or the cookie, and nowhere else.
            pub fn expose(&self) -> String {
                self.0.to_text()
            }
        }

        impl FromStr for $name {
            type Err = CredentialError;

            fn from_str(text: &str) -> Result<Self, CredentialError> {
                Credential::parse(text).map(Self).ok_or(CredentialError)
            }
        }

        /// Shows nothing of the secret.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.session)
            }
        }
    };
}

credential! {
    /// The code in a link to the portal. It works once.
    PortalCode, "code"
}

credential! {
    /// The token in the cookie of a session.
    PortalToken, "token"
}

impl PortalCode {
    /// The time for which a code can be used.
    pub const VALID: Duration = Duration::from_mins(5);
}

impl PortalToken {
    /// The token that each form of this session has to send.
    pub fn csrf(&self) -> CsrfToken {
        let tag = hmac::sign(&self.csrf_key(), CSRF);
        CsrfToken(BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// Returns true if a form has the token of this session. It takes the same time for every text.
    pub fn accepts_csrf(&self, text: &str) -> bool {
        if text.len() > MAX_TEXT_BYTES {
            return false;
        }
        let tag = BASE64_URL_SAFE_NO_PAD.decode(text);
        tag.is_ok_and(|tag| hmac::verify(&self.csrf_key(), CSRF, &tag).is_ok())
    }

    fn csrf_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0.secret)
    }
}

/// The text that is signed for a [`CsrfToken`].
const CSRF: &[u8] = b"portal-form";

/// The token that proves that a form came from a page of the same session. It is derived from the
/// session's token, so that nothing has to be stored.
#[derive(Clone, PartialEq, Eq)]
pub struct CsrfToken(String);

impl CsrfToken {
    /// The text for the form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session() -> PortalSessionId {
        "pse_70e79b2df96dcca5a0a362236c8d86f4".parse().unwrap()
    }

    fn token(customer: &str) -> PortalToken {
        token_of(&Audience::Customer(customer.parse().unwrap()))
    }

    fn token_of(audience: &Audience) -> PortalToken {
        PortalToken::random(audience, session(), &SystemRandom::new())
    }

    #[test]
    fn a_credential_of_the_console_names_no_customer() {
        let console = token_of(&Audience::Console);
        let read: PortalToken = console.expose().parse().unwrap();
        assert_eq!(read.audience(), &Audience::Console);
        assert_ne!(token("acme").audience(), &Audience::Console);
    }

    #[test]
    fn a_credential_is_read_back_and_shows_nothing() {
        for customer in ["a", "a.b|c@d=e:f+g", &"x".repeat(CustomerId::MAX_BYTES)] {
            let token = token(customer);
            let text = token.expose();
            assert_eq!(text.parse::<PortalToken>(), Ok(token.clone()));
            assert!(text.len() <= MAX_TEXT_BYTES);
            assert!(!format!("{token:?} {:?}", token.digest()).contains(&text[22..40]));
        }
    }

    #[test]
    fn two_tokens_of_a_session_differ_in_everything_that_gives_access() {
        let [one, other] = [token("acme"), token("acme")];
        assert_ne!(one.expose(), other.expose());
        assert_ne!(one.digest(), other.digest());
        assert_ne!(one.csrf(), other.csrf());
    }

    #[test]
    fn a_code_with_the_secret_of_a_token_is_another_one() {
        let token = token("acme");
        let code: PortalCode = token.expose().parse().unwrap();
        assert_ne!(code.digest(), token.digest());
    }

    #[test]
    fn a_form_is_accepted_with_the_token_of_its_own_session_only() {
        let [own, other] = [token("acme"), token("acme")];
        assert!(own.accepts_csrf(own.csrf().as_str()));
        for bad in [other.csrf().as_str(), "", "A", &"A".repeat(10_000)] {
            assert!(!own.accepts_csrf(bad), "{bad}");
        }
    }

    #[test]
    fn a_text_in_another_form_is_refused() {
        let good = token("acme").expose();
        assert!(good.parse::<PortalToken>().is_ok());
        for bad in [
            String::new(),
            "A".to_owned(),
            good[..60].to_owned(),
            format!("{good}="),
            format!(" {good}"),
            format!("{good}!"),
            "A".repeat(MAX_TEXT_BYTES + 1),
            // A customer with a character that no id has.
            BASE64_URL_SAFE_NO_PAD.encode([b"0".repeat(48), b"a/b".to_vec()].concat()),
            BASE64_URL_SAFE_NO_PAD.encode(b"0".repeat(47)),
        ] {
            assert_eq!(bad.parse::<PortalToken>(), Err(CredentialError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn each_credential_has_one_text(text in "[A-Za-z0-9_=-]{60,120}") {
            if let Ok(token) = text.parse::<PortalToken>() {
                prop_assert_eq!(token.expose(), text);
            }
        }
    }
}
