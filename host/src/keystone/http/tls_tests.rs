//! Which certificates are trusted. The server's own, in `certificates/`, and its key, are for these
//! tests only; the authority that signed it is trusted nowhere.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use reqwest::Method;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Answer, Http, Request};
use crate::clock::Clock;
use crate::keystone::limit::CallLimit;
use crate::keystone::{CredentialsError, KeystoneError, Unreached};

const SERVER: &[u8] = include_bytes!("certificates/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("certificates/server.key");
const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");

type Stream = rustls::StreamOwned<rustls::ServerConnection, std::net::TcpStream>;

fn http(certificates: &[PathBuf]) -> Result<Http, KeystoneError> {
    Http::new(certificates.iter(), Duration::from_secs(5), 0, CallLimit::new(4), Clock::system())
}

fn write(folder: &Path, name: &str, text: &[u8]) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

/// Takes one connection and, if the client trusts the certificate, answers one call.
fn serve_once() -> (String, JoinHandle<()>) {
    serve(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap())
}

/// Takes one connection and, if the client trusts the certificate, answers one call like this.
fn serve(answer: impl FnOnce(&mut Stream) + Send + 'static) -> (String, JoinHandle<()>) {
    let certificate = CertificateDer::from_pem_slice(SERVER).unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, socket);
        if stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
            answer(&mut stream);
        }
    });
    (address.to_string(), server)
}

/// The request has arrived by then, so a call that changes something may have done so.
#[tokio::test]
async fn tls_that_breaks_after_the_request_leaves_it_open_whether_that_took_effect() {
    let folder = tempfile::tempdir().unwrap();
    let authority = write(folder.path(), "authority.pem", AUTHORITY);
    // An alert that is not encrypted, as from something in between.
    let (address, server) = serve(|stream| stream.sock.write_all(&[21, 3, 3, 0, 2, 2, 80]).unwrap());
    let error = call(&http(&[authority]).unwrap(), &format!("https://{address}/v3")).await.err().unwrap();
    assert!(error.is_passing() && !error.had_no_effect(), "{error}");
    server.join().unwrap();
}

async fn call(http: &Http, url: &str) -> Result<Answer, KeystoneError> {
    http.send(&Request::new("Keystone", Method::GET, url.parse().unwrap()), None).await
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_trusted() {
    let (address, server) = serve_once();
    let error = call(&http(&[]).unwrap(), &format!("https://{address}/v3")).await.err().unwrap();
    let is_certificate =
        matches!(&error, KeystoneError::Unreachable { reason: Unreached::Certificate(_), .. });
    assert!(is_certificate && !error.is_passing(), "{error}");
    assert!(error.to_string().contains("keystone.ca_file"), "{error}");
    server.join().unwrap();
}

#[tokio::test]
async fn a_certificate_of_the_named_authority_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let authority = write(folder.path(), "authority.pem", AUTHORITY);
    let (address, server) = serve_once();
    call(&http(&[authority]).unwrap(), &format!("https://{address}/v3")).await.unwrap();
    server.join().unwrap();
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let authority = write(folder.path(), "authority.pem", AUTHORITY);
    let (address, server) = serve_once();
    let url = format!("https://{}/v3", address.replace("127.0.0.1", "localhost"));
    let error = call(&http(&[authority]).unwrap(), &url).await.err().unwrap();
    let is_certificate =
        matches!(&error, KeystoneError::Unreachable { reason: Unreached::Certificate(_), .. });
    assert!(is_certificate, "{error}");
    server.join().unwrap();
}

#[tokio::test]
async fn a_server_without_tls_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut greeting = [0; 1024];
        assert!(socket.read(&mut greeting).unwrap() > 0);
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let error = call(&http(&[]).unwrap(), &format!("https://{address}/v3")).await.err().unwrap();
    assert!(matches!(&error, KeystoneError::Unreachable { reason: Unreached::Tls(_), .. }), "{error}");
    server.join().unwrap();
}

#[test]
fn a_file_without_certificates_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let empty = write(folder.path(), "empty.pem", b"no certificate\n");
    for file in [empty, folder.path().join("missing.pem")] {
        let error = http(std::slice::from_ref(&file)).err().unwrap();
        assert!(
            matches!(error, KeystoneError::Credentials(CredentialsError::Certificates { .. })),
            "{error}"
        );
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
}
