//! The role of running something of the site's own at set times.

use super::bindings::interfaces::types as wit;
use super::bindings::job::JobPre;
use super::error::PluginError;
use super::local_time;
use super::rehearsal::Rehearsal;
use super::role::Role;

const RUN: &str = "run";

/// A component that runs at set times.
#[derive(Clone)]
pub struct Job {
    role: Role,
}

/// The occasion that a job runs for.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// The scheduled time, in the site's time zone.
    pub time: jiff::Zoned,
    /// Whether the job should only say what it would do.
    pub dry_run: bool,
}

/// What a job did.
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
            Ok(wit::JobReport { summary, mut details }) => {
                details.extend(store.data_mut().rehearsal.take().into_iter().flat_map(Rehearsal::would_mail));
                Ok(JobReport { summary, details })
            }
            Err(wit::JobError::Passing(reason)) => Err(JobError::Passing { plugin, reason }),
            Err(wit::JobError::Final(reason)) => Err(JobError::Final { plugin, reason }),
        }
    }

    /// SHA-256 of the component that runs.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.role.sha256()
    }
}
