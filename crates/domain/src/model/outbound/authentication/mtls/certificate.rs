//! A client certificate, the certificates of its authorities, and its private key.

use pki_types::pem::{PemObject, SectionKind};

use super::key::is_key;
use super::summary::{public_key, summary};
use super::{ClientCertificateError, ClientKey, KeyForm, Mtls};

/// The certificates in DER, the client's own first, and the private key. `Debug` shows sizes only.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    chain: Vec<Vec<u8>>,
    key: ClientKey,
}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes: Vec<_> = self.chain.iter().map(Vec::len).collect();
        f.debug_struct("ClientCertificate")
            .field("certificate_bytes", &sizes)
            .field("key", &self.key)
            .finish()
    }
}

/// The stored form of [`ClientCertificate`].
const PKCS8: u8 = 1;
const PKCS1: u8 = 2;

impl ClientCertificate {
    /// The largest number of certificates. An authority of the public web has one or two below its
    /// root.
    pub const MAX_CERTIFICATES: usize = 4;
    /// The longest PEM of all certificates.
    pub const MAX_PEM_BYTES: usize = 12_288;
    /// Its name in the API.
    const MEMBER: &'static str = "certificate";

    /// Reads certificates and their private key, each in PEM, and the summary of the first.
    ///
    /// # Errors
    /// If one of them is too long, is not what it must be, or if the key does not belong to the
    /// first certificate.
    pub fn from_pem(
        certificates: &str,
        private_key: &str,
    ) -> Result<(Mtls, Self), ClientCertificateError> {
        let chain = chain(certificates)?;
        let (key, public) = ClientKey::from_pem(private_key)?;
        let mut owner = None;
        for (index, certificate) in chain.iter().enumerate() {
            let number = index + 1;
            let certified =
                public_key(certificate).ok_or(ClientCertificateError::NotX509 { number })?;
            if certified == public {
                owner.get_or_insert(number);
            }
        }
        match owner {
            Some(1) => Ok((summary(&chain[0])?, Self { chain, key })),
            Some(number) => Err(ClientCertificateError::KeyOfAnother { number }),
            None => Err(ClientCertificateError::OtherKey),
        }
    }

    /// The certificates in DER, the client's own first.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The private key.
    pub fn key(&self) -> &ClientKey {
        &self.key
    }

    /// The stored form: the form of the key, then the key and each certificate after its length in
    /// two bytes.
    pub fn to_stored(&self) -> Vec<u8> {
        let form = match self.key.form() {
            KeyForm::Pkcs8 => PKCS8,
            KeyForm::Pkcs1 => PKCS1,
        };
        let mut stored = vec![form];
        let key = std::iter::once(self.key.der());
        for part in key.chain(self.chain.iter().map(Vec::as_slice)) {
            let length = u16::try_from(part.len()).expect("the bounds of PEM are far below 64 KiB");
            stored.extend(length.to_be_bytes());
            stored.extend_from_slice(part);
        }
        stored
    }

    /// Reads the stored form.
    pub fn from_stored(stored: &[u8]) -> Option<Self> {
        let (form, mut rest) = stored.split_first()?;
        let form = match *form {
            PKCS8 => KeyForm::Pkcs8,
            PKCS1 => KeyForm::Pkcs1,
            _ => return None,
        };
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk()?;
            let (part, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
            parts.push(part.to_vec());
            rest = after;
        }
        if !(2..=1 + Self::MAX_CERTIFICATES).contains(&parts.len()) {
            return None;
        }
        let key = ClientKey::from_stored(form, parts.remove(0));
        Some(Self { chain: parts, key })
    }
}

fn chain(pem: &str) -> Result<Vec<Vec<u8>>, ClientCertificateError> {
    let (member, max) = (ClientCertificate::MEMBER, ClientCertificate::MAX_PEM_BYTES);
    let size_bytes = pem.len();
    if size_bytes > max {
        return Err(ClientCertificateError::TooLong {
            member,
            size_bytes,
            max,
        });
    }
    let mut chain = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
        let (kind, der) = section.map_err(|_| ClientCertificateError::NotPem { member })?;
        if is_key(kind) {
            return Err(ClientCertificateError::KeyAmongCertificates);
        }
        if kind != SectionKind::Certificate {
            continue;
        }
        if chain.len() == ClientCertificate::MAX_CERTIFICATES {
            let max = ClientCertificate::MAX_CERTIFICATES;
            return Err(ClientCertificateError::TooMany { max });
        }
        chain.push(der);
    }
    if chain.is_empty() {
        return Err(ClientCertificateError::NoCertificate);
    }
    Ok(chain)
}
