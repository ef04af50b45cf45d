//! The end of temporary quotas: some days before, the requester is told; on the day, the limits go back to what they
//! were before, unless somebody has changed them meanwhile.

mod ends;
mod mails;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

pub use self::ends::LimitAtEnd;
use self::mails::{ended, ending};
use crate::app::App;
use crate::batch::report::mail_server_trouble;
use crate::batch::{BatchError, Exclusive};
use crate::database::RecordedQuotaDecision;
use crate::fail_point;
use crate::outbox::Delivery;
use crate::plugin::MailTemplates;
use crate::quota_decisions::{KIND, check_wording};
use crate::quotas::QuotaError;
use crate::registration::QuotaService;

/// What was done about temporary quotas.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Report {
    /// Changes that have ended, or would.
    pub ended: Vec<Ended>,
    /// Changes whose requesters were told that they are about to end, or would be.
    pub warned: Vec<Warned>,
    /// What could not be done. The next run tries it again.
    pub failed: Vec<Failed>,
    /// What the operator should know besides.
    pub notices: Vec<String>,
    /// Mail that could not be sent yet, or was refused.
    pub mail_errors: Vec<String>,
    /// Whether a service was out of reach.
    pub unreachable: bool,
    /// Whether the mail server cannot be used as the settings say.
    pub mail_server_unusable: bool,
    /// Why it cannot be used.
    #[serde(skip)]
    pub mail_server: Option<String>,
}

/// A temporary change that has ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ended {
    /// The project.
    pub project: String,
    /// Its limits.
    pub limits: Vec<LimitAtEnd>,
}

/// A temporary change that is about to end.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Warned {
    /// The project.
    pub project: String,
    /// When it ends (RFC 3339, UTC).
    #[schemars(with = "String")]
    pub ends: Timestamp,
}

/// A temporary change about which something could not be done.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Failed {
    /// The project.
    pub project: String,
    /// Why.
    pub reason: String,
}

/// Ends what is due, tells whom it is due to tell, and sends the mail. With `dry_run`, nothing is changed anywhere.
///
/// # Errors
/// Where a run over the quota sheet is being made, or the database or a component fails.
pub async fn run(app: &App, dry_run: bool) -> Result<Report, BatchError> {
    let mail_templates = check_wording(app).await?;
    if dry_run {
        return Terms { app, mail_templates, exclusive: None }.run().await;
    }
    // Both change limits, and each takes what it reads for what nobody else is about to change.
    let exclusive = Exclusive::take(app, KIND).await?;
    let terms = Terms { app, mail_templates, exclusive: Some(&exclusive) };
    let report = terms.run().await;
    if let Err(error) = exclusive.release().await {
        tracing::warn!(%error, "the right to change quotas could not be given back; it ends by itself");
    }
    report
}

struct Terms<'a> {
    app: &'a App,
    mail_templates: MailTemplates,
    /// None for a dry run.
    exclusive: Option<&'a Exclusive>,
}

impl Terms<'_> {
    async fn run(&self) -> Result<Report, BatchError> {
        let app = self.app;
        let now = app.clock.now();
        let mut report = Report::default();
        for decision in app.database.quota_decisions_to_end(now).await? {
            match self.end(&decision, &mut report.notices).await {
                Ok(limits) => report.ended.push(Ended { project: decision.decision.project, limits }),
                Err(error) => report.fail(decision, error)?,
            }
        }
        let notice = app.settings.quotas.warn_before;
        let soon = SignedDuration::try_from(notice).ok().and_then(|notice| now.checked_add(notice).ok());
        for decision in app.database.quota_decisions_to_warn(soon.unwrap_or(now)).await? {
            // What ends just now has ended above, or could not: then there is nothing to announce.
            let Some(ends) = decision.decision.ends.filter(|ends| *ends > now) else { continue };
            match self.warn(&decision, ends).await {
                Ok(true) => report.warned.push(Warned { project: decision.decision.project, ends }),
                Ok(false) => {}
                Err(error) => report.fail(decision, error)?,
            }
        }
        if self.exclusive.is_some() {
            self.send(&mut report).await;
        }
        Ok(report)
    }

    /// Puts limits back. Repeating it after a crash at any instruction comes to the same.
    async fn end(
        &self,
        decision: &RecordedQuotaDecision,
        notices: &mut Vec<String>,
    ) -> Result<Vec<LimitAtEnd>, BatchError> {
        let app = self.app;
        let project = &decision.decision.project;
        if app.keystone.project(&decision.decision.project_id).await?.is_none() {
            notices.push(format!("the project {project} is gone, and its temporary change with it"));
            if self.exclusive.is_some() {
                ended(app, &self.mail_templates, decision, &[]).await?;
            }
            return Ok(Vec::new());
        }
        let mut limits = Vec::new();
        let mut failure = None;
        for service in services(decision) {
            // What one service cannot do now keeps the others' limits from nothing.
            match self.end_with(service, decision).await {
                Ok(planned) => limits.extend(planned),
                Err(BatchError::Quota(QuotaError::Absent(service))) => notices.push(format!(
                    "the catalog has no {} service: its limits of the project {project} are left alone",
                    service.name()
                )),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        if self.exclusive.is_some() {
            ended(app, &self.mail_templates, decision, &limits).await?;
        }
        Ok(limits)
    }

    /// Puts the limits of one service back. What is in use beyond them stays, and nothing can be added to it.
    async fn end_with(
        &self,
        service: QuotaService,
        decision: &RecordedQuotaDecision,
    ) -> Result<Vec<LimitAtEnd>, BatchError> {
        let planned = self.plan(service, decision).await?;
        let back: Vec<_> = planned
            .iter()
            .filter(|limit| limit.goes_back())
            .map(|limit| (limit.key.as_str(), limit.before))
            .collect();
        if let Some(exclusive) = self.exclusive {
            exclusive.check()?;
            fail_point::reached(|| format!("{} quotas to go back", service.name()));
            let quotas = &self.app.quotas;
            quotas.set_even_below_use(&decision.decision.project_id, service, &back).await?;
            fail_point::reached(|| format!("{} quotas gone back", service.name()));
        }
        Ok(planned)
    }

    /// What will become of the limits of one service.
    async fn plan(
        &self,
        service: QuotaService,
        decision: &RecordedQuotaDecision,
    ) -> Result<Vec<LimitAtEnd>, BatchError> {
        let (app, project_id) = (self.app, &decision.decision.project_id);
        let history = app.database.quota_decisions_of_project(project_id).await?;
        let now = app.quotas.limits(project_id, service).await?;
        let changes = decision.decision.changes.iter().filter(|change| change.service == service);
        Ok(changes.map(|change| LimitAtEnd::plan(change, decision, &history, &now)).collect())
    }

    /// Tells a requester what will go back. False where nothing will, because all of it was changed meanwhile.
    async fn warn(&self, decision: &RecordedQuotaDecision, ends: Timestamp) -> Result<bool, BatchError> {
        let mut limits = Vec::new();
        for service in services(decision) {
            match self.plan(service, decision).await {
                Ok(planned) => limits.extend(planned),
                Err(BatchError::Quota(QuotaError::Absent(_))) => {}
                Err(error) => return Err(error),
            }
        }
        limits.retain(LimitAtEnd::goes_back);
        if self.exclusive.is_some() {
            ending(self.app, &self.mail_templates, decision, &limits, ends).await?;
        }
        Ok(!limits.is_empty())
    }

    async fn send(&self, report: &mut Report) {
        let mut deliveries: Vec<Delivery> = Vec::new();
        let go_on = || !self.app.stop.is_asked();
        if let Err(error) = self.app.outbox.deliver_while(&mut deliveries, go_on).await {
            report.mail_errors.push(error.to_string());
        }
        report.mail_server_unusable = deliveries.iter().any(Delivery::server_is_unusable);
        report.mail_server = mail_server_trouble(&deliveries);
        report.mail_errors.extend(deliveries.iter().filter_map(Delivery::trouble));
    }
}

/// The services whose limits a decision has changed.
fn services(decision: &RecordedQuotaDecision) -> Vec<QuotaService> {
    let has =
        |service: &QuotaService| decision.decision.changes.iter().any(|change| change.service == *service);
    QuotaService::ALL.into_iter().filter(has).collect()
}

impl Report {
    /// One change that cannot be ended does not keep the others waiting.
    fn fail(&mut self, decision: RecordedQuotaDecision, error: BatchError) -> Result<(), BatchError> {
        match error {
            BatchError::Quota(error) => {
                self.unreachable |= error.is_unreachable();
                self.failed.push(Failed { project: decision.decision.project, reason: error.to_string() });
                Ok(())
            }
            BatchError::Outbox(error) => {
                self.failed.push(Failed { project: decision.decision.project, reason: error.to_string() });
                Ok(())
            }
            other => Err(other),
        }
    }

    /// Whether everything that was due is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.mail_errors.is_empty()
    }
}
