//! The certificate that the server shows, taken anew from its files when they change.
//!
//! The files are looked at before each handshake. A pair that cannot be used leaves the one of before in use: also
//! in the moment in which only one of the two files has been replaced.

mod pair;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::{ServerName, UnixTime};

use crate::clock::Clock;
use crate::settings::setpass::tls as settings;
use pair::{Pair, Stamp};

/// How long before its end a certificate is worth a word.
const WARNING: std::time::Duration = std::time::Duration::from_secs(14 * 86_400);

/// Why a certificate cannot be used. All are final: somebody has to do something.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{key}: {file}: {reason}; check the path and that this user may read it", file = file.display())]
    Unreadable {
        /// The key of the settings.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// Anybody on the machine may read the key, or the group may replace it.
    #[error(
        "setpass.tls.key: {file}: others may read or write the key (mode {mode:03o}); run chmod 600 on it, or 640 where \
         a group of its own may read it",
        file = file.display()
    )]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file does not hold what it should.
    #[error("{key}: {file}: {problem}", file = file.display())]
    Malformed {
        /// The key of the settings.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong and what is expected. Never quotes the file.
        problem: String,
    },
    /// The key is another certificate's.
    #[error(
        "setpass.tls: the key in {key} does not belong to the first certificate in {certificate}; \
         take both from the same order, the server's certificate before its authority's",
        key = key.display(),
        certificate = certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// A certificate and its key, as their files have them. Clones share them.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
}

struct Inner {
    settings: settings::Tls,
    read: RwLock<Read>,
}

struct Read {
    config: Arc<ServerConfig>,
    /// The files as they were found then, whether or not they could be used.
    stamp: Stamp,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(settings: &settings::Tls) -> Result<Self, TlsError> {
        // Before the files are read: whatever changes them while they are read gives another one.
        let stamp = Stamp::of(settings);
        let config = Arc::new(Pair::read(settings)?.into_config());
        let read = RwLock::new(Read { config, stamp });
        Ok(Self { inner: Arc::new(Inner { settings: settings.clone(), read }) })
    }

    /// What handshakes are made with now.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        let Inner { settings, read } = &*self.inner;
        let stamp = Stamp::of(settings);
        {
            let read = read.read().unwrap_or_else(PoisonError::into_inner);
            if read.stamp == stamp {
                return Arc::clone(&read.config);
            }
        }
        let mut read = read.write().unwrap_or_else(PoisonError::into_inner);
        if read.stamp != stamp {
            match Pair::read(settings) {
                Ok(pair) => {
                    tracing::info!("the TLS certificate has changed and was read again");
                    read.config = Arc::new(pair.into_config());
                }
                Err(error) => {
                    tracing::error!(%error, "the TLS certificate has changed and cannot be used; the one of before is used on");
                }
            }
            // Told once for each change.
            read.stamp = stamp;
        }
        Arc::clone(&read.config)
    }
}

/// What is to be said about a certificate that can be used.
#[derive(Debug, PartialEq, Eq)]
pub enum Remark {
    /// Nothing.
    None,
    /// It is not for the host that users are sent to.
    OtherHost,
    /// It is not valid yet.
    NotYet,
    /// It has ended.
    Ended,
    /// It ends soon.
    EndsSoon,
}

/// Reads the files, and says what users who come to `host` will make of the certificate; without one, whether it is valid.
///
/// # Errors
/// See [`TlsError`].
pub fn examine(settings: &settings::Tls, host: Option<&str>, clock: &Clock) -> Result<Remark, TlsError> {
    let pair = Pair::read(settings)?;
    let now = UnixTime::since_unix_epoch(clock.now().as_duration().unsigned_abs());
    let later = UnixTime::since_unix_epoch(clock.now().as_duration().unsigned_abs() + WARNING);
    let is_for_host = host.is_none_or(|host| ServerName::try_from(host).is_ok_and(|name| pair.is_for(&name)));
    Ok(match (pair.validity(now), pair.validity(later)) {
        (pair::Validity::Ended, _) => Remark::Ended,
        (pair::Validity::NotYet, _) => Remark::NotYet,
        _ if !is_for_host => Remark::OtherHost,
        (_, pair::Validity::Ended) => Remark::EndsSoon,
        _ => Remark::None,
    })
}

#[cfg(test)]
pub(super) mod tests;
