//! The jobs with their last and next runs, and what they did: for people and programs.

use std::time::Duration;

use jiff::{Timestamp, Zoned};
use schemars::JsonSchema;
use serde::Serialize;

use super::Job;
use crate::app::App;
use crate::database::{DatabaseError, MailTraffic, OccasionRecord, OccasionState};

/// A job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ScheduledJob {
    /// Its name.
    pub job: String,
    /// When it runs, as in crontab; null where it does not run by itself, or for `every_seconds`.
    pub cron: Option<String>,
    /// For mail that waits: how often it is sent; null for all others, and where it is not sent by itself.
    pub every_seconds: Option<u64>,
    /// For mail that waits: how much there is, and how the sending is going; null for all others.
    pub mail: Option<WaitingMail>,
    /// Its last run; null where there was none, or that was long ago.
    pub last: Option<PastOccasion>,
    /// When it runs next (RFC 3339, in the site's time zone); null as for `cron`.
    #[schemars(with = "Option<String>")]
    pub next: Option<Zoned>,
}

/// Mail that waits to be sent.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WaitingMail {
    /// How many mails wait.
    pub waiting: u32,
    /// Since when the first of them does (RFC 3339, UTC); null where none waits.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Why the first of them that was tried could not be sent; null where none was.
    pub error: Option<String>,
    /// When a mail was sent last (RFC 3339, UTC); null where none was.
    #[schemars(with = "Option<String>")]
    pub last_sent: Option<Timestamp>,
}

/// An occasion of a job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PastOccasion {
    /// When it was due (RFC 3339, UTC); for one by hand, when it began.
    #[schemars(with = "String")]
    pub due: Timestamp,
    /// Whether somebody ran the job by hand.
    pub by_hand: bool,
    /// Whether it was recorded while a clock ran ahead: when its time comes and it is over, there is another one.
    pub ahead: bool,
    /// waiting, running, done, partly, failed, skipped or dropped.
    pub state: String,
    /// How many occasions it stands for: itself, and those before it that were missed with it.
    pub stands_for: u32,
    /// How often it was begun.
    pub attempts: u32,
    /// When its last attempt began (RFC 3339, UTC); null where it was not begun.
    #[schemars(with = "Option<String>")]
    pub started: Option<Timestamp>,
    /// When its last attempt ended; null where it has not.
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// When it is tried again; null where it is not waiting.
    #[schemars(with = "Option<String>")]
    pub next_attempt: Option<Timestamp>,
    /// One sentence: what the job did, or why not.
    pub summary: Option<String>,
    /// Further lines of its report.
    pub details: Vec<String>,
}

/// All jobs of a site, and the sending of mail, which is done so often.
///
/// # Errors
/// Where the records cannot be read.
pub async fn all(
    app: &App,
    jobs: &[Job<'_>],
    outbox_interval: Duration,
) -> Result<Vec<ScheduledJob>, DatabaseError> {
    let (now, zone) = (app.clock.now(), &app.settings.site.time_zone);
    let mut all = Vec::new();
    for job in jobs {
        let last = app.database.last_begun_occasion(&job.name, now).await?;
        let next = job.cron.as_ref().and_then(|cron| cron.next_after(now, zone));
        all.push(ScheduledJob {
            job: job.name.clone(),
            cron: job.cron.as_ref().map(ToString::to_string),
            last: last.map(past),
            next: next.map(|next| next.to_zoned(zone.clone())),
            every_seconds: None,
            mail: None,
        });
    }
    let MailTraffic { waiting, since, error, last_sent } = app.database.mail_traffic().await?;
    // It has no occasions: nobody would look through thousands in a day.
    all.push(ScheduledJob {
        job: "outbox".to_owned(),
        cron: None,
        last: None,
        next: None,
        every_seconds: Some(outbox_interval.as_secs()).filter(|_| app.settings.schedule.outbox.enabled),
        mail: Some(WaitingMail { waiting, since, error, last_sent }),
    });
    Ok(all)
}

/// The last `most` occasions of a job, the latest first.
///
/// # Errors
/// Where the records cannot be read.
pub async fn of_job(app: &App, job: &str, most: u32) -> Result<Vec<PastOccasion>, DatabaseError> {
    Ok(app.database.occasions(job, most).await?.into_iter().map(past).collect())
}

fn past(occasion: OccasionRecord) -> PastOccasion {
    let waits = occasion.state == OccasionState::Waiting;
    PastOccasion {
        due: occasion.due,
        by_hand: occasion.by_hand,
        ahead: occasion.ahead,
        state: occasion.state.name().to_owned(),
        stands_for: occasion.stands_for,
        attempts: occasion.attempts,
        started: occasion.started,
        ended: occasion.ended,
        next_attempt: Some(occasion.next_attempt).filter(|_| waits),
        summary: occasion.summary,
        details: occasion.details,
    }
}
