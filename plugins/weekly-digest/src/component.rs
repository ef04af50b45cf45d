//! The component around the digest.

use usher_plugin::job::{self, Job};
use usher_plugin::settings::Settings;
use usher_plugin::types::{JobError, JobReport, Occasion};
use usher_plugin::{mail, sheet};

use crate::{Memory, Options, digests};

struct WeeklyDigest;

impl Job for WeeklyDigest {
    fn run(occasion: Occasion) -> Result<JobReport, JobError> {
        let options = Options::from_settings(&Settings::load()).map_err(JobError::Final)?;
        let (worksheet, memory) = (&options.worksheet, &options.memory);
        let rows = sheet::read(worksheet).map_err(|error| {
            failed(error, |there| {
                format!("there is no worksheet \"{worksheet}\"; {there}: correct the setting `worksheet`")
            })
        })?;
        let no_memory = |there| {
            format!(
                "there is no worksheet \"{memory}\", in which it is remembered whom a digest has named; {there}: make \
                 it beside them, with the header Digest, Request (where worksheets are CSV files, a file {memory}.csv), \
                 or correct the setting `memory`"
            )
        };
        let remembered = sheet::read(memory).map_err(|error| failed(error, no_memory))?;
        let digests = digests(&options, &occasion, &rows, &remembered);
        if occasion.dry_run {
            return Ok(digests.report);
        }
        let remember = |lines: &[Vec<String>]| match lines {
            [] => Ok(()),
            lines => sheet::append(memory, lines).map_err(|error| failed(error, no_memory)),
        };
        // Who is named is remembered first, and that it was mailed afterwards: see `memory`.
        remember(&digests.remember)?;
        for mail in &digests.mails {
            mail::send(&mail.identifier, &options.to, &mail.message).map_err(|error| match error {
                mail::Error::InvalidAddress(reason) | mail::Error::InvalidSubject(reason) => {
                    JobError::Final(reason)
                }
                mail::Error::Unavailable(reason) => JobError::Passing(reason),
            })?;
        }
        let mailed: Vec<_> = digests.mails.iter().map(|mail| Memory::mailed(&mail.identifier)).collect();
        remember(&mailed)?;
        Ok(digests.report)
    }
}

fn failed(error: sheet::Error, without_worksheet: impl FnOnce(String) -> String) -> JobError {
    match error {
        sheet::Error::NoSuchWorksheet(there) => JobError::Final(without_worksheet(there)),
        sheet::Error::Changed(reason) | sheet::Error::Unavailable(reason) => JobError::Passing(reason),
    }
}

job::export!(WeeklyDigest);
