//! `expire-tokens`: setpass links that have outlived their time, and the secrets with them.

use crate::app::App;
use crate::schedule::{Call, Failure, Report};
use crate::setpass::SetpassError;

pub(super) async fn run(app: App, _: Call) -> Result<Report, Failure> {
    told(&app.setpass.expire().await)
}

/// What is recorded of it.
///
/// # Errors
/// Where it could not be done.
pub fn told(erased: &Result<u64, SetpassError>) -> Result<Report, Failure> {
    match erased {
        Ok(erased) => Ok(Report { summary: format!("{erased} lapsed records erased"), ..Report::default() }),
        Err(error) => {
            let passing = matches!(error, SetpassError::Database(_));
            Err(Failure { passing, reason: error.to_string() })
        }
    }
}
