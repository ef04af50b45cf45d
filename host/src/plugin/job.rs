//! The role of running something of the site's own at set times.

use super::bindings::interfaces::types as wit;
use super::bindings::job::JobPre;
use super::error::PluginError;
use super::local_time;
use super::rehearsal::Rehearsal;
use super::role::Role;
use crate::stop::Stop;

const RUN: &str = "run";

/// A component that runs at set times.
#[derive(Clone)]
pub struct Job {
    role: Role,
}

/// The longest sentence or line of a report or an error that is kept, in characters.
const LONGEST_LINE: usize = 1_000;

/// The most further lines of a report that are kept.
const MOST_LINES: usize = 200;

/// The occasion that a job runs for.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// The scheduled time, in the site's time zone.
    pub time: jiff::Zoned,
    /// Whether the job should only say what it would do.
    pub dry_run: bool,
    /// Ends the job at the next thing that it asks of the host. What it has asked for by then is done to its end.
    pub stop: Stop,
}

/// What a job did. Cut to a length at which people still read it: it is stored, shown and mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobReport {
    /// One sentence for the list of runs.
    pub summary: String,
    /// Further lines, in order; after a dry run, also what would have been mailed.
    pub details: Vec<String>,
}

/// Why a job did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The component could not be run.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The component says that trying again may help.
    #[error("{plugin}: {reason}; it will be tried again")]
    Passing {
        /// The component.
        plugin: String,
        /// What it says.
        reason: String,
    },
    /// The component says that trying again will not help before somebody acts.
    #[error("{plugin}: {reason}")]
    Final {
        /// The component.
        plugin: String,
        /// What it says.
        reason: String,
    },
}

impl JobError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Plugin(error) => error.is_passing(),
            Self::Passing { .. } => true,
            Self::Final { .. } => false,
        }
    }
}

impl Job {
    pub(super) fn new(role: Role) -> Self {
        Self { role }
    }

    /// Runs the job for an occasion. In a dry run nothing is changed, whatever it does.
    ///
    /// # Errors
    /// Where the component fails, or says that it could not do its work.
    pub async fn run(&self, occasion: &Occasion) -> Result<JobReport, JobError> {
        let callee = self.role.callee().await;
        let (_place, mut store) = callee.store().await;
        store.data_mut().stop = occasion.stop.clone();
        if occasion.dry_run {
            store.data_mut().rehearsal = Some(Rehearsal::default());
        }
        let occasion = wit::Occasion {
            time: local_time::time_to_wit(occasion.time.datetime()),
            unix_seconds: occasion.time.timestamp().as_second(),
            dry_run: occasion.dry_run,
        };
        let plugin = callee.profile.name.clone();
        let ran = callee
            .within_deadline(async {
                let guest = JobPre::new(callee.pre.clone())?.instantiate_async(&mut store).await?;
                guest.call_run(&mut store, occasion).await
            })
            .await
            .map_err(|error| callee.explain(&error, RUN, &store))?;
        match ran {
            Ok(report) => {
                let rehearsal = store.data_mut().rehearsal.take();
                let would_mail = rehearsal.map(Rehearsal::would_mail).unwrap_or_default();
                Ok(kept(report, would_mail))
            }
            Err(wit::JobError::Passing(reason)) => Err(JobError::Passing { plugin, reason: cut(reason) }),
            Err(wit::JobError::Final(reason)) => Err(JobError::Final { plugin, reason: cut(reason) }),
        }
    }

    /// SHA-256 of the component that runs.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.role.sha256()
    }
}

/// A report, as long as it may be, and what would have been mailed after it: all of that, as the calls to the host are limited.
fn kept(report: wit::JobReport, would_mail: Vec<String>) -> JobReport {
    let more = report.details.len().saturating_sub(MOST_LINES);
    let mut details: Vec<String> = report.details.into_iter().take(MOST_LINES).map(cut).collect();
    if more > 0 {
        details.push(format!("({more} more lines are left out)"));
    }
    details.extend(would_mail.into_iter().map(cut));
    JobReport { summary: cut(report.summary), details }
}

/// A line, as long as it may be.
fn cut(mut line: String) -> String {
    if let Some((end, _)) = line.char_indices().nth(LONGEST_LINE) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_and_reasons_are_kept_up_to_a_length() {
        let short = wit::JobReport { summary: "done".to_owned(), details: vec!["a".to_owned(); MOST_LINES] };
        let report = kept(short, Vec::new());
        assert_eq!((report.summary.as_str(), report.details.len()), ("done", MOST_LINES));
        assert_eq!(report.details.last().unwrap(), "a");

        let long =
            wit::JobReport { summary: "ü".repeat(5_000), details: vec!["b".repeat(5_000); MOST_LINES + 7] };
        let report = kept(long, vec!["would mail".to_owned(); 3]);
        assert_eq!(report.summary, format!("{}…", "ü".repeat(LONGEST_LINE)));
        assert_eq!(report.details[0], format!("{}…", "b".repeat(LONGEST_LINE)));
        assert_eq!(report.details.len(), MOST_LINES + 4);
        assert_eq!(report.details[MOST_LINES], "(7 more lines are left out)");
        assert_eq!(report.details[MOST_LINES + 1..], ["would mail"; 3]);
    }
}
