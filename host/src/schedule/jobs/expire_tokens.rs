//! `expire-tokens`: setpass links that have outlived their time, and the secrets with them.

use crate::app::App;
use crate::database::Swept;
use crate::schedule::{Call, Failure, Report};
use crate::setpass::SetpassError;

pub(super) async fn run(app: App, _: Call) -> Result<Report, Failure> {
    told(&app.setpass.sweep().await)
}

/// What is recorded of it.
///
/// # Errors
/// Where it could not be done.
pub fn told(erased: &Result<Swept, SetpassError>) -> Result<Report, Failure> {
    match erased {
        Ok(Swept { destroyed, forgotten }) => {
            let summary =
                format!("secrets of {destroyed} links destroyed, {forgotten} links and cases forgotten");
            Ok(Report { summary, ..Report::default() })
        }
        Err(error) => {
            let passing = matches!(error, SetpassError::Database(_));
            Err(Failure::new(error.to_string(), passing))
        }
    }
}
