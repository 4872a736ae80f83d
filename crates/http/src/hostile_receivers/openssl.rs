//! Handshakes with `openssl s_server`, for cases that rustls' own server does not support.
//!
//! `docs/receivers.md` lists which of them work. The tests are skipped if `openssl` is missing.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::task::JoinSet;
use webhooks_domain::outbound::{AttemptOutcome, WebhookResponse};
use webhooks_domain::ports::WebhookSender;

use super::name_server::NameServer;
use super::{request, sender_with};

/// The time limit of a handshake on a busy machine. A server that completes it then stays
/// silent.
const LIMIT: Duration = Duration::from_secs(3);

struct Server {
    child: Child,
    port: u16,
    roots: RootCertStore,
    directory: PathBuf,
}

impl Server {
    /// Starts a server whose self-signed certificate is trusted. Returns `None` if there is no
    /// `openssl`.
    fn start(name: &str, key: &[&str], options: &[&str]) -> Option<Self> {
        let process = std::process::id();
        let directory = std::env::temp_dir().join(format!("webhooks-tls-{process}-{name}"));
        std::fs::create_dir_all(&directory).unwrap();
        let (key_file, certificate) = (directory.join("key"), directory.join("certificate"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "30"])
            .args(["-subj", "/CN=example.com"])
            .args(["-addext", "subjectAltName=DNS:example.com"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(key)
            .arg("-keyout")
            .arg(&key_file)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::piped())
            .output();
        let Ok(made) = made else {
            eprintln!("skipped: no openssl");
            return None;
        };
        let messages = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{name}: {messages}");
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0"])
            .arg("-key")
            .arg(&key_file)
            .arg("-cert")
            .arg(&certificate)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:")?.parse().ok())
            .expect("s_server tells its port");
        // Reads the later output, so that the pipe does not fill.
        std::thread::spawn(move || lines.for_each(drop));
        let mut roots = RootCertStore::empty();
        let trusted = CertificateDer::from_pem_file(&certificate).unwrap();
        roots.add(trusted).unwrap();
        Some(Self {
            child,
            port,
            roots,
            directory,
        })
    }

    async fn send(&self) -> WebhookResponse {
        let names = NameServer::answering(&["127.0.0.1"]);
        let sender = sender_with(LIMIT, names.config(), self.roots.clone());
        let url = format!("https://example.com:{}/", self.port);
        sender.send(request(&url)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

const RSA: &[&str] = &["-newkey", "rsa:2048"];
const P256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
const P384: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"];
const P521: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"];

#[tokio::test]
async fn keys_and_suites_of_today_work() {
    let mut exchanges = JoinSet::new();
    for (name, key, options) in [
        ("rsa-1.3", RSA, &["-tls1_3"][..]),
        ("rsa-1.2", RSA, &["-tls1_2"]),
        ("p256-1.3", P256, &["-tls1_3"]),
        ("p384-1.2", P384, &["-tls1_2"]),
        ("ed25519", &["-newkey", "ed25519"], &["-tls1_3"]),
        ("groups", P256, &["-groups", "P-384"]),
        (
            "chacha",
            RSA,
            &["-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"],
        ),
        ("rsa-4096", &["-newkey", "rsa:4096"], &[]),
    ] {
        let Some(server) = Server::start(name, key, options) else {
            return;
        };
        exchanges.spawn(async move { (name, server.send().await) });
    }
    // All run at once, since each lasts until its deadline.
    for (name, response) in exchanges.join_all().await {
        assert_eq!(
            (response.outcome, response.error.as_deref()),
            (
                AttemptOutcome::TimedOut,
                Some("response: no headers within 3000 ms")
            ),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_unsupported_feature_is_named_in_the_error() {
    const NOTHING: &str =
        "tls: no common cipher suite, key exchange or key type (alert HandshakeFailure received)";
    const ANY: &str = "ALL:@SECLEVEL=0";
    let suite = |suite: &'static str| vec!["-tls1_2", "-cipher", suite];
    for (name, key, options, error) in [
        ("cbc", P256, suite("ECDHE-ECDSA-AES128-SHA256"), NOTHING),
        ("dhe", RSA, suite("DHE-RSA-AES128-GCM-SHA256"), NOTHING),
        ("static-rsa", RSA, suite("AES128-GCM-SHA256"), NOTHING),
        ("p521", P521, vec![], NOTHING),
        ("p521-1.2", P521, vec!["-tls1_2"], NOTHING),
        ("p521-group", P256, vec!["-groups", "P-521"], NOTHING),
        ("ed448", &["-newkey", "ed448"], vec![], NOTHING),
        (
            "tls-1.1",
            RSA,
            vec!["-tls1_1", "-cipher", ANY],
            "tls: no common version (TLS 1.2 or 1.3) (alert ProtocolVersion received)",
        ),
        (
            "rsa-1024",
            &["-newkey", "rsa:1024"],
            vec!["-cipher", ANY],
            "tls: certificate's signature or key not valid",
        ),
        (
            "sha1",
            &["-newkey", "rsa:2048", "-sha1"],
            vec!["-cipher", ANY],
            "tls: certificate's key type or signature algorithm not supported",
        ),
        (
            "client-certificate",
            P256,
            vec!["-tls1_3", "-Verify", "1"],
            "tls: client certificate wanted (alert CertificateRequired received)",
        ),
        (
            "h2",
            P256,
            vec!["-alpn", "h2"],
            "tls: no HTTP/1.1 (alert NoApplicationProtocol received)",
        ),
    ] {
        let Some(server) = Server::start(name, key, &options) else {
            return;
        };
        let response = server.send().await;
        assert_eq!(
            (response.outcome, response.error.as_deref()),
            (AttemptOutcome::Unreachable, Some(error)),
            "{name}"
        );
    }
}
