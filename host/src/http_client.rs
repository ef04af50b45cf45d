//! What the HTTP clients of outside systems have in common: whom they trust, how long they wait, and where their
//! errors come from. Knows no protocol.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, redirect};

/// How long a connection may take to come about, whatever a whole call may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that trusts the system's authorities and these, follows nobody elsewhere, and goes straight to the
/// services: proxies of the environment do not apply.
///
/// # Errors
/// Where TLS cannot be set up, in words.
pub(crate) fn build(authorities: Vec<Certificate>, timeout: Duration) -> Result<Client, String> {
    // Fails where a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let common = || -> ClientBuilder {
        Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .user_agent(concat!("usher/", env!("CARGO_PKG_VERSION")))
    };
    // A machine without any authorities of its own cannot use the system's verifier.
    common()
        .tls_certs_merge(authorities.clone())
        .build()
        .or_else(|_| common().tls_certs_only(authorities).build())
        .map_err(|error| innermost(&error))
}

/// The certificates in a file.
///
/// # Errors
/// Where there are none to be had, in words.
pub(crate) fn read_certificates(file: &Path) -> Result<Vec<Certificate>, String> {
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    let certificates = Certificate::from_pem_bundle(&text).map_err(|_| "it is not in PEM form".to_owned())?;
    if certificates.is_empty() {
        return Err("it holds no certificate in PEM form".to_owned());
    }
    Ok(certificates)
}

/// What an error comes from, step by step. An `io::Error` does not name the error that it was made
/// of as its source.
pub(crate) fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| {
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        }
    })
}

/// The last error of the chain, which says most and holds no URL.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "no reason is known".to_owned(), ToString::to_string)
}
