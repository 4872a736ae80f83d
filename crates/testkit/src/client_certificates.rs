//! Client certificates for tests.
//!
//! The files in `client_certificates/` were made with OpenSSL 3.0. They have the forms of keys that
//! `rcgen` does not write, and protect nothing.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use serde_json::{Value, json};
use webhooks_domain::timestamp::Timestamp;

/// A file that OpenSSL made.
macro_rules! openssl {
    ($name:literal) => {
        include_str!(concat!("client_certificates/", $name, ".pem"))
    };
}

/// A certificate and its key, by their algorithm and the form of the key.
pub const PAIRS: [(&str, &str, &str); 8] = [
    ("RSA in PKCS #8", openssl!("rsa"), openssl!("rsa.pkcs8")),
    ("RSA in PKCS #1", openssl!("rsa"), openssl!("rsa.pkcs1")),
    ("P-256 in PKCS #8", openssl!("p256"), openssl!("p256.pkcs8")),
    ("P-256 in SEC 1", openssl!("p256"), openssl!("p256.sec1")),
    ("P-384 in PKCS #8", openssl!("p384"), openssl!("p384.pkcs8")),
    ("P-384 in SEC 1", openssl!("p384"), openssl!("p384.sec1")),
    ("Ed25519", openssl!("ed25519"), openssl!("ed25519.pkcs8")),
    (
        "X.509 version 1",
        openssl!("p256.version-1"),
        openssl!("p256.sec1"),
    ),
];

/// Keys that are encrypted with a passphrase.
pub const ENCRYPTED_KEYS: [&str; 2] = [
    openssl!("rsa.encrypted"),
    openssl!("rsa.encrypted-traditional"),
];

/// Certificates with keys that no TLS client of ours can use.
pub const UNUSABLE_PAIRS: [(&str, &str, &str); 3] = [
    (
        "RSA of 1024 bits",
        openssl!("rsa1024"),
        openssl!("rsa1024.pkcs8"),
    ),
    ("P-521", openssl!("p521"), openssl!("p521.sec1")),
    (
        "P-256 without its public key",
        openssl!("p256"),
        openssl!("p256.without-public"),
    ),
];

/// An authority that issues client certificates.
pub struct ClientAuthority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its private key, in PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub private_key: String,
}

impl ClientAuthority {
    /// An authority with this name.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate can be made"))
    }

    /// Its own certificate, in PEM.
    pub fn certificate(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }

    /// Issues a certificate that is valid for this time.
    pub fn issue(&self, name: &str, not_before: Timestamp, not_after: Timestamp) -> Issued {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let epoch = Timestamp::from_millis(0);
        let time = |at: Timestamp| date_time_ymd(1970, 1, 1) + at.since(epoch);
        (params.not_before, params.not_after) = (time(not_before), time(not_after));
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.0);
        Issued {
            certificate: pem("CERTIFICATE", certificate.expect("it can be issued").der()),
            private_key: pem("PRIVATE KEY", &key.serialize_der()),
        }
    }
}

impl Issued {
    /// The field `authentication` of a request.
    pub fn fields(&self) -> Value {
        json!({
            "type": "mtls", "certificate": self.certificate, "privateKey": self.private_key,
        })
    }

    /// A change of the authentication to this certificate.
    pub fn change(&self) -> String {
        json!({"authentication": self.fields()}).to_string()
    }
}

/// A section of PEM.
pub fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines = base64.as_bytes().chunks(64);
    let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
