//! The component around the digest.

use usher_plugin::job::{self, Job};
use usher_plugin::settings::Settings;
use usher_plugin::types::{JobError, JobReport, Occasion};
use usher_plugin::{mail, sheet};

use crate::{Options, digest};

struct WeeklyDigest;

impl Job for WeeklyDigest {
    fn run(occasion: Occasion) -> Result<JobReport, JobError> {
        let options = Options::from_settings(&Settings::load()).map_err(JobError::Final)?;
        let rows = sheet::read(&options.worksheet).map_err(|error| match error {
            sheet::Error::NoSuchWorksheet(there) => JobError::Final(format!(
                "there is no worksheet \"{}\"; {there}: correct the setting `worksheet`",
                options.worksheet
            )),
            sheet::Error::Changed(reason) | sheet::Error::Unavailable(reason) => JobError::Passing(reason),
        })?;
        let digest = digest(&options, &occasion, &rows);
        if let Some(message) = digest.message.filter(|_| !occasion.dry_run) {
            mail::send(&digest.identifier, &options.to, &message).map_err(|error| match error {
                mail::Error::InvalidAddress(reason) | mail::Error::InvalidSubject(reason) => {
                    JobError::Final(reason)
                }
                mail::Error::Unavailable(reason) => JobError::Passing(reason),
            })?;
        }
        Ok(digest.report)
    }
}

job::export!(WeeklyDigest);
