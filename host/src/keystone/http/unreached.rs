//! What keeps calls from getting an answer.

use std::time::Duration;

use crate::http_client::{causes, innermost};
use crate::keystone::error::Unreached;

/// Why there is no answer, which was awaited for so long.
pub(super) fn unreached(error: &reqwest::Error, timeout: Duration) -> Unreached {
    if error.is_timeout() {
        return match error.is_connect() {
            true => Unreached::NoConnection("no answer in time".to_owned()),
            false => Unreached::TimedOut(timeout),
        };
    }
    if error.is_dns() {
        return Unreached::UnknownHost(innermost(error));
    }
    // Once there is a connection, the request may have arrived, however the connection breaks then.
    if !error.is_connect() {
        return Unreached::Broken(innermost(error));
    }
    for cause in causes(error) {
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return Unreached::Refused;
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return tls_failure(tls);
        }
    }
    Unreached::NoConnection(innermost(error))
}

fn tls_failure(error: &rustls::Error) -> Unreached {
    match error {
        rustls::Error::InvalidCertificate(_) => Unreached::Certificate(error.to_string()),
        // The connection came about and was then cut; the service may be restarting.
        rustls::Error::AlertReceived(_) | rustls::Error::InvalidMessage(_) => {
            Unreached::Tls(error.to_string())
        }
        _ => Unreached::Tls(error.to_string()),
    }
}
