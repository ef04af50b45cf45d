//! What calls say of the load of the services.

use std::time::Duration;

use super::Answer;
use crate::keystone::error::{KeystoneError, Unreached};
use crate::keystone::limit::Sign;

/// What the outcome of a call says of the load of a service that may take so long. Nothing where it was awaited for less,
/// because nobody would have waited for the answer any more.
pub(super) fn sign(outcome: &Result<Answer, KeystoneError>, timeout: Duration) -> Sign {
    match outcome {
        Err(KeystoneError::Unreachable { reason: Unreached::TimedOut(awaited), .. })
            if *awaited < timeout =>
        {
            Sign::None
        }
        Err(
            KeystoneError::Unavailable { .. }
            | KeystoneError::Unreachable { reason: Unreached::TimedOut(_), .. },
        ) => Sign::Overload,
        Err(KeystoneError::Unreachable { .. }) => Sign::None,
        Ok(_) | Err(_) => Sign::Answered,
    }
}
