//! The private key of a client certificate.

use pki_types::pem::{PemObject, SectionKind};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RsaKeyPair,
};

use super::ClientCertificateError;

/// A private key in DER. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientKey {
    form: KeyForm,
    der: Vec<u8>,
}

/// The form of a key in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// PKCS #8 (RFC 5958).
    Pkcs8,
    /// PKCS #1 (RFC 8017), RSA only.
    Pkcs1,
}

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientKey")
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// `AlgorithmIdentifier` of ECDSA on P-256, and on P-384 (RFC 5480, 2.1.1).
const EC_ALGORITHMS: [&[u8]; 2] = [
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
    b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
];

impl ClientKey {
    /// The longest PEM. An RSA key of 4,096 bits has about 3,300 bytes.
    pub const MAX_PEM_BYTES: usize = 4_096;
    /// Its name in the API.
    pub(super) const MEMBER: &'static str = "privateKey";

    /// Reads a key, and its public key as certificates have it.
    pub(super) fn from_pem(pem: &str) -> Result<(Self, Vec<u8>), ClientCertificateError> {
        let (member, max, size_bytes) = (Self::MEMBER, Self::MAX_PEM_BYTES, pem.len());
        if size_bytes > max {
            return Err(ClientCertificateError::TooLong {
                member,
                size_bytes,
                max,
            });
        }
        // Of PKCS #8 (RFC 7468, 11), and of OpenSSL's older form (RFC 1421, 4.6.1.1).
        if ["ENCRYPTED PRIVATE KEY-----", "4,ENCRYPTED"]
            .iter()
            .any(|mark| pem.contains(mark))
        {
            return Err(ClientCertificateError::EncryptedKey);
        }
        let mut keys = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
            let (kind, der) = section.map_err(|_| ClientCertificateError::NotPem { member })?;
            if is_key(kind) {
                keys.push((kind, der));
            }
        }
        let count = keys.len();
        match <[_; 1]>::try_from(keys) {
            Ok([(kind, der)]) => Self::from_der(kind, der).ok_or(ClientCertificateError::KeyType),
            Err(_) => Err(ClientCertificateError::KeyCount { count }),
        }
    }

    fn from_der(kind: SectionKind, der: Vec<u8>) -> Option<(Self, Vec<u8>)> {
        match kind {
            SectionKind::RsaPrivateKey => {
                let pair = RsaKeyPair::from_der(&der).ok()?;
                let public = pair.public_key().as_ref().to_vec();
                let form = KeyForm::Pkcs1;
                Some((Self { form, der }, public))
            }
            SectionKind::EcPrivateKey => {
                let mut wrapped = EC_ALGORITHMS.into_iter().map(|it| as_pkcs8(it, &der));
                wrapped.find_map(Self::from_pkcs8)
            }
            _ => Self::from_pkcs8(der),
        }
    }

    fn from_pkcs8(der: Vec<u8>) -> Option<(Self, Vec<u8>)> {
        let public = rsa(&der)
            .or_else(|| ecdsa(&der))
            .or_else(|| ed25519(&der))?;
        let form = KeyForm::Pkcs8;
        Some((Self { form, der }, public))
    }

    /// A stored key, which was checked when it was given.
    pub(super) fn from_stored(form: KeyForm, der: Vec<u8>) -> Self {
        Self { form, der }
    }

    /// The form.
    pub fn form(&self) -> KeyForm {
        self.form
    }

    /// The key itself.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

/// Returns true if a section of this kind is a private key.
pub(super) fn is_key(kind: SectionKind) -> bool {
    matches!(
        kind,
        SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey
    )
}

fn rsa(pkcs8: &[u8]) -> Option<Vec<u8>> {
    let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
    Some(pair.public_key().as_ref().to_vec())
}

fn ecdsa(pkcs8: &[u8]) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    [
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        &ECDSA_P384_SHA384_ASN1_SIGNING,
    ]
    .into_iter()
    .find_map(|algorithm| EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &random).ok())
    .map(|pair| pair.public_key().as_ref().to_vec())
}

/// OpenSSL writes no public key beside the private one.
fn ed25519(pkcs8: &[u8]) -> Option<Vec<u8>> {
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok()?;
    Some(pair.public_key().as_ref().to_vec())
}

/// The key of RFC 5915 in PKCS #8.
fn as_pkcs8(algorithm: &[u8], sec1: &[u8]) -> Vec<u8> {
    const SEQUENCE: u8 = 0x30;
    const OCTET_STRING: u8 = 0x04;
    const VERSION_0: &[u8] = &[2, 1, 0];
    let key = element(OCTET_STRING, sec1);
    element(SEQUENCE, &[VERSION_0, algorithm, &key].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match (u8::try_from(content.len()), u16::try_from(content.len())) {
        (Ok(length @ ..0x80), _) => der.push(length),
        (Ok(length), _) => der.extend([0x81, length]),
        (_, length) => {
            der.push(0x82);
            der.extend(length.unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    der.extend_from_slice(content);
    der
}
