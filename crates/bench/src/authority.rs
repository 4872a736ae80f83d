//! The certificate authority of one run, and server configurations with its certificates.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};

/// The approximate number of certificate authorities of a system. A function reads them when it
/// starts.
const AUTHORITIES: usize = 140;

/// A root and one intermediate authority, as public authorities have. All keys are P-256.
pub(crate) struct Authority {
    intermediate: CertifiedIssuer<'static, KeyPair>,
    /// The file with the root's certificate as PEM, for the measured programs.
    pub(crate) file: PathBuf,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Authority {
    /// Creates the authority and writes its root's certificate into a folder.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let root = CertifiedIssuer::self_signed(params("bench root"), KeyPair::generate()?)?;
        let intermediate =
            CertifiedIssuer::signed_by(params("bench intermediate"), KeyPair::generate()?, &root)?;
        let file = folder.join("authority.pem");
        fs::write(&file, root.pem()).with_context(|| format!("writing `{}`", file.display()))?;
        Ok(Self { intermediate, file })
    }

    /// Writes a file of as many authorities as a system has. This one is among them.
    pub(crate) fn many(&self) -> Result<PathBuf> {
        let own = &self.file;
        let mut text =
            fs::read_to_string(own).with_context(|| format!("reading `{}`", own.display()))?;
        for _ in 1..AUTHORITIES {
            let key = KeyPair::generate()?;
            text += &params("Another Root Authority of the Internet")
                .self_signed(&key)?
                .pem();
        }
        let file = self.file.with_file_name("authorities.pem");
        fs::write(&file, text).with_context(|| format!("writing `{}`", file.display()))?;
        Ok(file)
    }

    /// Returns a server's configuration for a name or an address. It resumes sessions, which is
    /// rustls' default.
    pub(crate) fn server(&self, name: &str) -> Result<ServerConfig> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new([name.to_owned()])?;
        let leaf: CertificateDer<'static> =
            params.signed_by(&key, &self.intermediate)?.der().clone();
        let chain = vec![leaf, self.intermediate.der().clone()];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
