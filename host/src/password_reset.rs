//! What becomes of the requests that users make on the page `/reset`: a link, or a case for the helpdesk.
//!
//! A request is claimed, worked through, and erased in the one transaction that holds what it led to (the link and
//! its mail, or the case and its ticket). So a process that dies leaves nothing half done: the request is there and
//! is worked through again, or it is gone and its mail is in the outbox. Keystone is only read; what a link does to an
//! account happens when it is used.
//!
//! Knows nothing of HTTP and commands.

mod account;
mod alert;
mod case;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub use account::{Account, Skipped, find_account};
pub use alert::ToldOn;
pub use case::{CaseError, Decided, mail_of};

use crate::app::App;
use crate::backoff::Backoff;
use crate::batch::in_words;
use crate::clock::Clock;
use crate::database::{
    ClaimedRequest, Database, DatabaseError, SetpassEvent, SetpassEventKind, Transaction,
    finish_reset_request_in, record_setpass_event,
};
use crate::fail_point;
use crate::keystone::{Keystone, KeystoneError, User};
use crate::mail_content::{MailContent, PasswordLink, TicketMail};
use crate::outbox::{Compose, MailedLink, Outbox, OutboxError};
use crate::plugin::{PluginError, RenderMail};
use crate::process::Process;
use crate::setpass::{Asker, PreparedResetLink, Setpass, SetpassError};
use crate::settings::setpass::reset::ResetMode;

/// How long a claim lasts: longer than any call to Keystone takes. A process that died on this host loses its claim
/// at once.
const CLAIM: SignedDuration = SignedDuration::from_mins(5);

/// How long to wait after failures.
const BACKOFF: Backoff =
    Backoff { first: SignedDuration::from_secs(30), longest: SignedDuration::from_mins(30) };

/// What the audit trail says where `setpass.reset.max_per_account` leaves no link.
const TOO_MANY: &str = "too many for the account";

/// Works through requests, and carries out what the helpdesk decides.
pub struct PasswordResets {
    /// Usher's own records.
    pub database: Database,
    /// Tells the time.
    pub clock: Clock,
    /// Who the users are.
    pub keystone: Keystone,
    /// Links and requests.
    pub setpass: Setpass,
    /// Takes the mails.
    pub outbox: Outbox,
    /// Words them.
    pub render_mail: RenderMail,
    /// Where tickets go.
    pub helpdesk: String,
    /// Who is told where no more requests are taken.
    pub alert_to: Option<String>,
    /// When they were last.
    pub told: ToldOn,
    /// In which times are told.
    pub time_zone: TimeZone,
    /// Roles whose users get no link that was asked for.
    pub protected_roles: Vec<String>,
}

/// Why a request was not worked through. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Keystone.
    #[error(transparent)]
    Keystone(#[from] KeystoneError),
    /// Links and requests.
    #[error(transparent)]
    Setpass(#[from] SetpassError),
    /// The mail cannot be worded.
    #[error("the mail cannot be worded: {0}")]
    Render(#[from] PluginError),
    /// The mail cannot be recorded.
    #[error("the mail cannot be recorded: {0}")]
    Outbox(#[from] OutboxError),
    /// The records.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl PasswordResets {
    /// On the services of the program.
    ///
    /// # Errors
    /// Where the component that words mails cannot be loaded.
    pub async fn new(app: &App) -> Result<Self, PluginError> {
        Ok(Self::with(app, app.mail_templates().await?.into_function()))
    }

    /// The same with what words mails.
    #[must_use]
    pub fn with(app: &App, render_mail: RenderMail) -> Self {
        Self {
            database: app.database.clone(),
            clock: app.clock.clone(),
            keystone: app.keystone.clone(),
            setpass: app.setpass.clone(),
            outbox: app.outbox.clone(),
            render_mail,
            helpdesk: app.settings.mail.helpdesk.clone(),
            alert_to: app.settings.schedule.alert_to.clone(),
            told: ToldOn::default(),
            time_zone: app.settings.site.time_zone.clone(),
            protected_roles: app.settings.setpass.reset.protected_roles.clone(),
        }
    }

    /// Works through the requests that are due, the oldest first, for as long as the caller wants it to `go_on` before
    /// each. Says how many. Where nobody answers requests any more, they are left to end.
    ///
    /// # Errors
    /// Where the database fails. What happens to single requests is logged.
    pub async fn work_through(&self, go_on: impl Fn() -> bool) -> Result<usize, DatabaseError> {
        let claimant = Process::this().to_string();
        let mut worked_through = 0;
        while self.setpass.reset_mode() != ResetMode::Off && go_on() {
            let now = self.clock.now();
            let until = after(now, CLAIM);
            let claimed = self.database.claim_reset_request(&claimant, now, until, Process::is_gone).await?;
            let Some(claimed) = claimed else { break };
            fail_point::reached(|| "reset request claimed".to_owned());
            match self.answer(&claimant, &claimed).await {
                Ok(()) => worked_through += 1,
                Err(error) => {
                    tracing::error!(request = claimed.id, %error, "a request for a link is tried again later");
                    let at = after(self.clock.now(), BACKOFF.pause(claimed.tries));
                    self.database.postpone_reset_request(claimed.id, &claimant, at).await?;
                }
            }
        }
        if self.setpass.reset_mode() != ResetMode::Off {
            self.tell_where_no_more_are_taken().await;
        }
        Ok(worked_through)
    }

    async fn answer(&self, claimant: &str, request: &ClaimedRequest) -> Result<(), ResetError> {
        let asker = self.setpass.open_asker(&request.who)?;
        match self.setpass.reset_mode() {
            ResetMode::Helpdesk => self.open_case(claimant, request, &asker).await,
            ResetMode::SelfService => self.mail_link(claimant, request, &asker).await,
            ResetMode::Off => Ok(()),
        }
    }

    /// Mails a link to the account that somebody asked for, or does nothing.
    async fn mail_link(
        &self,
        claimant: &str,
        request: &ClaimedRequest,
        asker: &Asker,
    ) -> Result<(), ResetError> {
        let account = find_account(&self.keystone, &asker.email, &self.protected_roles).await?;
        let (user, email) = match &account {
            Account::Found { user, email } => (user, email),
            Account::Skipped { reason, user_id } => {
                tracing::info!(request = request.id, %reason, "no link is mailed");
                let user_id = user_id.as_deref().unwrap_or_default();
                return self.drop_request(claimant, request.id, user_id, reason.name()).await;
            }
        };
        let link = self.setpass.prepare_reset_link(user, &request.pin_hash);
        let (kind, mail) = self.word_link(user, email, &link).await?;
        let origin = format!("reset-request:{}", request.id);
        fail_point::reached(|| "reset link worded".to_owned());
        let mut tx = self.database.begin().await?;
        if !finish_reset_request_in(&mut tx, request.id, claimant).await? {
            return Ok(());
        }
        if self.setpass.count_reset_of(&mut tx, &user.id).await? {
            self.setpass.record_reset_link(&mut tx, &link, &format!("request {}", request.id)).await?;
            self.outbox.enqueue(&mut tx, &origin, kind, &mail).await?;
        } else {
            self.record_skipped(&mut tx, request.id, &user.id, TOO_MANY).await?;
            tracing::warn!(
                request = request.id,
                user_id = user.id,
                "too many links were asked for this account within 24 hours (setpass.reset.max_per_account); no link is mailed"
            );
        }
        tx.commit().await.map_err(DatabaseError::from)?;
        fail_point::reached(|| "reset link recorded".to_owned());
        Ok(())
    }

    /// Opens a case, and tells the helpdesk of it.
    async fn open_case(
        &self,
        claimant: &str,
        request: &ClaimedRequest,
        asker: &Asker,
    ) -> Result<(), ResetError> {
        let Some(case) = self.setpass.number_reset_case(request.id, &asker.email).await? else {
            tracing::warn!(
                request = request.id,
                "too many links were asked for with one address within 24 hours (setpass.reset.max_per_account); no \
                 case is opened"
            );
            return self.drop_request(claimant, request.id, "", TOO_MANY).await;
        };
        fail_point::reached(|| "reset case numbered".to_owned());
        // The ticket is worded between two transactions: no component makes other writers wait.
        let content = MailContent::HelpdeskTicket(self.ticket(case, asker, request.created));
        let message = (self.render_mail)(content.clone()).await?;
        let mail = Compose { to: vec![self.helpdesk.clone()], message, link: None };
        let mut tx = self.database.begin().await?;
        if !finish_reset_request_in(&mut tx, request.id, claimant).await? {
            return Ok(());
        }
        self.setpass.open_reset_case(&mut tx, case, &request.pin_hash).await?;
        self.outbox.enqueue(&mut tx, &format!("reset-case:{case}"), content.kind(), &mail).await?;
        tx.commit().await.map_err(DatabaseError::from)?;
        fail_point::reached(|| "reset case opened".to_owned());
        Ok(())
    }

    fn ticket(&self, case: i64, asker: &Asker, asked: Timestamp) -> TicketMail {
        let (first_name, last_name) = asker.name.rsplit_once(' ').unwrap_or((&asker.name, ""));
        let ends = in_words(self.setpass.end_of_case(asked), &self.time_zone);
        TicketMail {
            username: asker.email.clone(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            project: String::new(),
            request_type: "Password Reset".to_owned(),
            comment: format!(
                "Somebody asks for a link to choose a new password. Name and address are as they typed them.\n\
                 Where the request is genuine:  usher password approve {case}\n\
                 Where it is not:               usher password deny {case}\n\
                 Approving mails the link to the address that Keystone has for the account, whatever was typed; \
                 the PIN is the one that was chosen with the request. The present password works until the link has \
                 been used. Undecided, the case ends on {ends}."
            ),
            case_number: case.to_string(),
        }
    }

    /// The mail with a link, and its kind.
    async fn word_link(
        &self,
        user: &User,
        email: &str,
        link: &PreparedResetLink,
    ) -> Result<(&'static str, Compose), ResetError> {
        let content = MailContent::PasswordReset(PasswordLink {
            full_name: user.name_in_mails().to_owned(),
            url: link.issued().url.clone(),
            expires: in_words(link.issued().expires, &self.time_zone),
        });
        let message = (self.render_mail)(content.clone()).await?;
        let link = MailedLink { user_id: user.id.clone(), ends: link.issued().expires };
        Ok((content.kind(), Compose { to: vec![email.to_owned()], message, link: Some(link) }))
    }

    async fn drop_request(
        &self,
        claimant: &str,
        id: i64,
        user_id: &str,
        reason: &str,
    ) -> Result<(), ResetError> {
        let mut tx = self.database.begin().await?;
        if finish_reset_request_in(&mut tx, id, claimant).await? {
            self.record_skipped(&mut tx, id, user_id, reason).await?;
            tx.commit().await.map_err(DatabaseError::from)?;
        }
        Ok(())
    }

    /// Puts into the audit trail why no link is mailed for a request. `user_id` is blank where nobody knows whose
    /// account was meant.
    async fn record_skipped(
        &self,
        tx: &mut Transaction,
        id: i64,
        user_id: &str,
        reason: &str,
    ) -> Result<(), DatabaseError> {
        let (at, kind, detail) =
            (self.clock.now(), SetpassEventKind::ResetSkipped, format!("request {id}: {reason}"));
        let event = SetpassEvent { at, kind, user_id, link: None, client: None, detail: &detail };
        record_setpass_event(tx, &event).await
    }
}

fn after(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
