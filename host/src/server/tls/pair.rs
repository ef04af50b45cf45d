//! A certificate, the chain to its authority, and its key, read from PEM files.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};

use super::TlsError;
use crate::settings::setpass::tls::Tls;

/// Permission bits of the world, and the group's to write. A group may read the key: Debian keeps keys for
/// the members of ssl-cert.
const OTHERS: u32 = 0o027;

/// A state of both files: any change of one gives another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([Option<[u64; 5]>; 2]);

impl Stamp {
    pub(super) fn of(settings: &Tls) -> Self {
        let of = |file: &Path| {
            let found: Metadata = std::fs::metadata(file).ok()?;
            let changed = (found.ctime().cast_unsigned(), found.ctime_nsec().cast_unsigned());
            Some([found.dev(), found.ino(), found.size(), changed.0, changed.1])
        };
        Self([of(&settings.certificate), of(&settings.key)])
    }
}

/// What a certificate's dates say at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    Valid,
    NotYet,
    Ended,
}

/// A certificate with its chain, and the key that belongs to it.
pub(super) struct Pair {
    provider: Arc<CryptoProvider>,
    certified: CertifiedKey,
}

impl Pair {
    pub(super) fn read(settings: &Tls) -> Result<Self, TlsError> {
        let Tls { certificate, key } = settings;
        let provider = Arc::new(ring::default_provider());
        let chain = read_chain(certificate)?;
        let private_key = read_key(key)?;
        let certified =
            CertifiedKey::from_der(chain, private_key, &provider).map_err(|error| match error {
                Error::InconsistentKeys(_) => {
                    TlsError::Mismatch { certificate: certificate.clone(), key: key.clone() }
                }
                Error::InvalidCertificate(_) => malformed(
                    CERTIFICATE,
                    certificate,
                    "the certificate is damaged, or of a version older than 3",
                ),
                _ => malformed(
                    KEY,
                    key,
                    "it is no key that can be used; RSA, ECDSA (P-256, P-384) and Ed25519 can",
                ),
            })?;
        Ok(Self { provider, certified })
    }

    pub(super) fn into_config(self) -> ServerConfig {
        let mut config = ServerConfig::builder_with_provider(self.provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(self.certified)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    /// Whether the certificate names a host.
    pub(super) fn is_for(&self, name: &ServerName<'_>) -> bool {
        rustls::client::verify_server_name(&self.parsed(), name).is_ok()
    }

    /// What the certificate's dates say. Whether anybody trusts its authority is not asked.
    pub(super) fn validity(&self, at: UnixTime) -> Validity {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let nobody = RootCertStore::empty();
        // The dates are looked at before anything else.
        let outcome = rustls::client::verify_server_cert_signed_by_trust_anchor(
            &self.parsed(),
            &nobody,
            &[],
            at,
            algorithms,
        );
        match outcome {
            Err(Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            )) => Validity::Ended,
            Err(Error::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            )) => Validity::NotYet,
            _ => Validity::Valid,
        }
    }

    fn parsed(&self) -> ParsedCertificate<'_> {
        self.certified
            .end_entity_cert()
            .and_then(ParsedCertificate::try_from)
            .expect("it was parsed when it was compared with the key")
    }
}

const CERTIFICATE: &str = "setpass.tls.certificate";
const KEY: &str = "setpass.tls.key";

fn malformed(key: &'static str, file: &Path, problem: &str) -> TlsError {
    TlsError::Malformed { key, file: file.to_owned(), problem: problem.to_owned() }
}

fn read(key: &'static str, file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|reason| TlsError::Unreadable { key, file: file.to_owned(), reason })
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(CERTIFICATE, file)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|_| malformed(CERTIFICATE, file, "it is not in PEM form"))?;
    if chain.is_empty() {
        return Err(malformed(CERTIFICATE, file, "it holds no certificate in PEM form"));
    }
    Ok(chain)
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let unreadable = |reason| TlsError::Unreadable { key: KEY, file: file.to_owned(), reason };
    let mode = std::fs::metadata(file).map_err(unreadable)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(TlsError::Exposed { file: file.to_owned(), mode });
    }
    let text = zeroize::Zeroizing::new(read(KEY, file)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        malformed(KEY, file, "it holds no private key in PEM form (one that is encrypted cannot be used)")
    })
}
