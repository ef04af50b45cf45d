//! Writes to the host's log, which adds the component's name. No personal data, no secrets.

pub use crate::bindings::host::usher::plugin::log::{Level, write};

/// Something needs the operator.
pub fn error(message: &str) {
    write(Level::Error, message);
}

/// Something is odd and was handled.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Worth knowing in normal operation.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// For whoever develops the component.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}
