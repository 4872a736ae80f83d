//! A signing secret of either kind.

use std::fmt;
use std::str::FromStr;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::rand::SystemRandom;

use super::{Ed25519Key, PublicKey, SymmetricSecret};

/// A secret of a subscription.
///
/// Its text is available only by [`expose`](Self::expose); `Debug` hides it.
pub enum Secret {
    /// `whsec_` and base64 of 24 to 64 bytes.
    V1(SymmetricSecret),
    /// `whsk_` and base64 of 64 bytes: the seed, then the public half.
    V1a(Ed25519Key),
}

/// The version of a secret's signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// HMAC-SHA256.
    V1,
    /// ed25519.
    V1a,
}

/// The text is not a secret. The message never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Neither `whsec_` nor `whsk_`, or not followed by base64.
    #[error("must be `whsec_` (v1) or `whsk_` (v1a) followed by base64")]
    Form,
    /// White space, which is often copied by mistake.
    #[error("must not contain white space")]
    WhiteSpace,
    /// `v1,` before the secret, as some systems show it.
    #[error("must begin with `whsec_` or `whsk_`: leave out `{version},` before it")]
    Version {
        /// The text before the comma.
        version: &'static str,
    },
    /// `-` or `_` instead of `+` and `/`.
    #[error("must be in the standard alphabet of base64, with + and / in place of - and _")]
    UrlSafe,
    /// The length of a symmetric secret is not allowed.
    #[error(
        "must hold {min} to {max} bytes after `whsec_`, holds {len}",
        min = SymmetricSecret::MIN_BYTES,
        max = SymmetricSecret::MAX_BYTES
    )]
    Length {
        /// The number of bytes after decoding.
        len: usize,
    },
    /// An ed25519 key does not have the length of a seed and a public key together.
    #[error("must hold {bytes} bytes after `whsk_`, holds {len}", bytes = Ed25519Key::BYTES)]
    KeyLength {
        /// The number of bytes after decoding.
        len: usize,
    },
    /// The two halves of an ed25519 key do not belong together.
    #[error("must end with the public key that belongs to its seed")]
    Halves,
}

/// Base64 with or without padding, as the libraries of Standard Webhooks accept it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Secret {
    const V1_PREFIX: &str = "whsec_";
    const V1A_PREFIX: &str = "whsk_";

    /// A new secret, from the system's random source.
    pub fn generate(kind: SecretKind, random: &SystemRandom) -> Self {
        match kind {
            SecretKind::V1 => Self::V1(SymmetricSecret::generate(random)),
            SecretKind::V1a => Self::V1a(Ed25519Key::generate(random)),
        }
    }

    /// A secret from its decrypted private part and its stored public key.
    pub(crate) fn from_parts(
        private: &[u8],
        public_key: Option<&PublicKey>,
    ) -> Result<Self, SecretError> {
        match public_key {
            None => SymmetricSecret::from_bytes(private.to_vec()).map(Self::V1),
            Some(public_key) => {
                Ed25519Key::from_halves(private, public_key.as_bytes()).map(Self::V1a)
            }
        }
    }

    /// The part to encrypt: all of a symmetric secret, or the seed of an ed25519 key.
    pub(crate) fn private(&self) -> &[u8] {
        match self {
            Self::V1(secret) => secret.as_bytes(),
            Self::V1a(key) => key.seed(),
        }
    }

    /// The public half, if there is one.
    pub fn public_key(&self) -> Option<PublicKey> {
        match self {
            Self::V1(_) => None,
            Self::V1a(key) => Some(key.public_key()),
        }
    }

    /// The kind of its signatures.
    pub fn kind(&self) -> SecretKind {
        match self {
            Self::V1(_) => SecretKind::V1,
            Self::V1a(_) => SecretKind::V1a,
        }
    }

    /// The text that is shown to the customer once: `whsec_…` or `whsk_…`.
    pub fn expose(&self) -> String {
        match self {
            Self::V1(secret) => {
                let base64 = BASE64_STANDARD.encode(secret.as_bytes());
                format!("{}{base64}", Self::V1_PREFIX)
            }
            Self::V1a(key) => {
                let halves = [key.seed(), key.public_key().as_bytes()].concat();
                let base64 = BASE64_STANDARD.encode(halves);
                format!("{}{base64}", Self::V1A_PREFIX)
            }
        }
    }

    /// An entry of the signature header: the kind, a comma, and the signature in base64.
    pub(super) fn sign(&self, content: &[u8]) -> String {
        let signature = match self {
            Self::V1(secret) => BASE64_STANDARD.encode(secret.sign(content)),
            Self::V1a(key) => BASE64_STANDARD.encode(key.sign(content)),
        };
        format!("{},{signature}", self.kind().as_str())
    }
}

impl SecretKind {
    /// The name of the kind: `v1` or `v1a`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1a => "v1a",
        }
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        if text.contains(char::is_whitespace) {
            return Err(SecretError::WhiteSpace);
        }
        let version = ["v1a", "v1"].into_iter().find(|version| {
            let rest = text.strip_prefix(version);
            rest.is_some_and(|rest| rest.starts_with(",whs"))
        });
        if let Some(version) = version {
            return Err(SecretError::Version { version });
        }
        let decode = |base64: &str| {
            BASE64.decode(base64).map_err(|_| {
                if base64.contains(['-', '_']) {
                    SecretError::UrlSafe
                } else {
                    SecretError::Form
                }
            })
        };
        if let Some(base64) = text.strip_prefix(Self::V1_PREFIX) {
            SymmetricSecret::from_bytes(decode(base64)?).map(Self::V1)
        } else if let Some(base64) = text.strip_prefix(Self::V1A_PREFIX) {
            Ed25519Key::from_bytes(&decode(base64)?).map(Self::V1a)
        } else {
            Err(SecretError::Form)
        }
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.private() == other.private()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, …)", self.kind().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V1A: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";

    fn text(prefix: &str, bytes: &[u8]) -> String {
        format!("{prefix}{}", BASE64_STANDARD.encode(bytes))
    }

    fn error(text: &str) -> SecretError {
        text.parse::<Secret>().unwrap_err()
    }

    #[test]
    fn base64_padding_is_optional() {
        for len in [25, 26, 32] {
            let padded = text("whsec_", &vec![7; len]);
            let bare = padded.trim_end_matches('=');
            assert_ne!(padded, bare);
            assert_eq!(bare.parse::<Secret>(), padded.parse());
            assert_eq!(bare.parse::<Secret>().unwrap().expose(), padded);
        }
        let key: Secret = V1A.trim_end_matches('=').parse().unwrap();
        assert_eq!(key.expose(), V1A);
    }

    #[test]
    fn text_that_is_often_copied_by_mistake_is_named() {
        let good = text("whsec_", &[0xfb; 24]);
        assert_eq!(error(&format!("{good}\n")), SecretError::WhiteSpace);
        assert_eq!(error(&format!(" {good}")), SecretError::WhiteSpace);
        assert_eq!(error(&good.replace('_', "_ ")), SecretError::WhiteSpace);
        let version = |version| SecretError::Version { version };
        assert_eq!(error(&format!("v1,{good}")), version("v1"));
        assert_eq!(error(&format!("v1a,{V1A}")), version("v1a"));
        let url_safe = format!(
            "whsec_{}",
            good["whsec_".len()..].replace('+', "-").replace('/', "_")
        );
        assert_eq!(error(&url_safe), SecretError::UrlSafe);
    }

    #[test]
    fn a_symmetric_secret_holds_24_to_64_bytes() {
        let text = |len: usize| text("whsec_", &vec![7; len]);
        assert_eq!(error(&text(23)), SecretError::Length { len: 23 });
        assert!(text(24).parse::<Secret>().is_ok());
        assert!(text(64).parse::<Secret>().is_ok());
        assert_eq!(error(&text(65)), SecretError::Length { len: 65 });
    }

    #[test]
    fn an_ed25519_key_holds_a_seed_and_the_public_half_of_it() {
        let text = |bytes: &[u8]| text("whsk_", bytes);
        let key = BASE64_STANDARD.decode(&V1A["whsk_".len()..]).unwrap();
        assert_eq!(text(&key).parse::<Secret>().unwrap().expose(), V1A);
        for len in [0, 32, 63] {
            assert_eq!(error(&text(&key[..len])), SecretError::KeyLength { len });
        }
        assert_eq!(error(&text(&[0; 65])), SecretError::KeyLength { len: 65 });
        for at in [0, 31, 32, 63] {
            let mut changed = key.clone();
            changed[at] ^= 1;
            assert_eq!(error(&text(&changed)), SecretError::Halves, "byte {at}");
        }
    }

    #[test]
    fn text_that_is_not_a_secret_is_refused_and_not_repeated() {
        let public_key = V1A.parse::<Secret>().unwrap().public_key().unwrap();
        for bad in [
            "whsec_*hunter2",
            "whsec_hunter2",
            "whsk_hunter2hunter2=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
            &public_key.to_string(),
        ] {
            let problem = error(bad);
            assert_eq!(problem, SecretError::Form, "{bad}");
        }
        for bad in [&V1A[..V1A.len() - 4], &V1A.replace("6Xb", "6Xc")] {
            let problem = error(bad).to_string();
            assert!(!problem.contains("dCcHp"), "{problem}");
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let debug = |kind| format!("{:?}", Secret::generate(kind, &SystemRandom::new()));
        assert_eq!(debug(SecretKind::V1), "Secret(v1, …)");
        assert_eq!(debug(SecretKind::V1a), "Secret(v1a, …)");
    }

    #[test]
    fn generated_secrets_differ() {
        for kind in [SecretKind::V1, SecretKind::V1a] {
            let generate = || Secret::generate(kind, &SystemRandom::new());
            let secret = generate();
            assert_eq!(secret.kind(), kind);
            assert_ne!(secret, generate());
        }
    }

    proptest! {
        #[test]
        fn a_symmetric_secret_equals_its_parsed_text(bytes in proptest::collection::vec(any::<u8>(), 24..=64)) {
            let secret: Secret = text("whsec_", &bytes).parse().unwrap();
            prop_assert_eq!(secret.private(), &bytes);
            prop_assert_eq!(secret.expose().parse::<Secret>().unwrap(), secret);
        }

        #[test]
        fn any_text_is_a_secret_or_an_error(text in "(whsec_|whsk_|whpk_)?[A-Za-z0-9+/=]{0,100}") {
            if let Ok(secret) = text.parse::<Secret>() {
                prop_assert_eq!(secret.expose(), text);
            }
        }
    }

    #[test]
    fn an_ed25519_key_equals_its_parsed_text() {
        for _ in 0..100 {
            let secret = Secret::generate(SecretKind::V1a, &SystemRandom::new());
            assert_eq!(secret.expose().parse::<Secret>().unwrap(), secret);
        }
    }
}
