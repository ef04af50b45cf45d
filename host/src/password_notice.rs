//! Tells users by mail that a new password was chosen for their account, so that one who did not do it can object.
//!
//! That a user is to be told is recorded in the transaction that records the change. Where Keystone's answer was lost,
//! it is recorded once nothing better is to be expected: with the try that Keystone does not accept the password of
//! before from any more, or with the end of the link. Nobody can tell then whether Keystone made the change (it says
//! when a password was set only where it also expires), so the mails say what is certain in every case: that a link
//! was used to choose a new password.
//!
//! The same goes for a link that was asked for: it takes the password that the user had, and is to be told of where it
//! ends before Keystone took another one.
//!
//! The mail is made afterwards: its address is the one that Keystone has, asked for with Usher's own credentials. A
//! failure of that never touches the change; it is tried again, later and later, and given up after [`PATIENCE`].
//!
//! Knows nothing of links and PINs.

use jiff::{SignedDuration, Timestamp};

use crate::backoff::Backoff;
use crate::batch::in_words;
use crate::clock::Clock;
use crate::database::{
    Database, DatabaseError, OwedNotice, SetpassEvent, SetpassEventKind, record_setpass_event, settle_notice,
};
use crate::keystone::{Keystone, KeystoneError};
use crate::mail_content::{MailContent, PasswordChangedMail};
use crate::mailer::Message;
use crate::outbox::{Compose, Outbox, OutboxError};
use crate::plugin::PluginError;
use crate::settings::site::Site;

/// How long to wait after failures.
const BACKOFF: Backoff =
    Backoff { first: SignedDuration::from_secs(15), longest: SignedDuration::from_hours(1) };

/// For how long it is tried to tell a user.
const PATIENCE: SignedDuration = SignedDuration::from_hours(5 * 24);

/// What the mails are made with.
#[derive(Clone)]
pub struct PasswordNotices {
    /// Who is to be told.
    pub database: Database,
    /// Where to.
    pub keystone: Keystone,
    /// Takes the mails.
    pub outbox: Outbox,
    /// Tells the time.
    pub clock: Clock,
    /// Whom to write to, and in which time zone to tell when it was.
    pub site: Site,
}

/// Why a mail could not be made.
#[derive(Debug, thiserror::Error)]
enum NoticeError {
    #[error("Keystone does not tell the user's address: {0}")]
    Keystone(#[from] KeystoneError),
    #[error("the mail cannot be worded: {0}")]
    Render(#[from] PluginError),
    #[error("the mail cannot be recorded: {0}")]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl PasswordNotices {
    /// Makes the mails that are owed by now. Says how many were.
    ///
    /// Several processes may do so at once: a notice is one mail, whoever makes it.
    ///
    /// # Errors
    /// Where the database fails. What happens to single mails is in the log and the audit trail.
    pub async fn make_owed(
        &self,
        render: impl AsyncFn(MailContent) -> Result<Message, PluginError>,
    ) -> Result<usize, DatabaseError> {
        let mut made = 0;
        for notice in self.database.owed_notices(self.clock.now()).await? {
            let OwedNotice { id, owed, tries, .. } = notice;
            let now = self.clock.now();
            if now.duration_since(owed) >= PATIENCE {
                self.give_up(&notice, "no mail could be made in time").await?;
                tracing::error!(user_id = notice.user_id, "a user could not be told of a changed password");
                continue;
            }
            match self.make(&notice, &render).await {
                Ok(mailed) => made += usize::from(mailed),
                Err(error) => {
                    let at = now.saturating_add(BACKOFF.pause(tries)).unwrap_or(Timestamp::MAX);
                    tracing::warn!(user_id = notice.user_id, %error, next_try = %at, "a user is not told of a changed password yet");
                    self.database.postpone_notice(id, at).await?;
                }
            }
        }
        Ok(made)
    }

    /// Makes one mail. False where there is nobody to mail to, or another process was quicker.
    async fn make(
        &self,
        notice: &OwedNotice,
        render: &impl AsyncFn(MailContent) -> Result<Message, PluginError>,
    ) -> Result<bool, NoticeError> {
        let Some(user) = self.keystone.user(&notice.user_id).await? else {
            // What says so may be a proxy, for a Keystone that is being restarted: then the notice stays owed.
            if self.keystone.is_gone(&notice.user_id).await? {
                self.give_up(notice, "the user is gone").await?;
            }
            return Ok(false);
        };
        let Some(email) = user.email.clone().filter(|email| !email.trim().is_empty()) else {
            self.give_up(notice, "the user has no e-mail address").await?;
            tracing::warn!(
                user_id = notice.user_id,
                "a user without an e-mail address is not told of a changed password"
            );
            return Ok(false);
        };
        let content = MailContent::PasswordChanged(PasswordChangedMail {
            full_name: user.name_in_mails().to_owned(),
            username: user.name,
            changed: in_words(notice.changed, &self.site.time_zone),
            support_email: self.site.support_email.clone(),
        });
        let kind = content.kind();
        let mail = Compose { to: vec![email], message: render(content).await?, link: None };
        let mut tx = self.database.begin().await?;
        if !settle_notice(&mut tx, notice.id).await? {
            return Ok(false);
        }
        let origin = format!("password-changed:{}:{}", notice.user_id, notice.id);
        self.outbox.enqueue(&mut tx, &origin, kind, &mail).await?;
        record_setpass_event(&mut tx, &self.event(notice, SetpassEventKind::NoticeMailed, "")).await?;
        tx.commit().await.map_err(DatabaseError::from)?;
        Ok(true)
    }

    async fn give_up(&self, notice: &OwedNotice, why: &str) -> Result<(), DatabaseError> {
        let mut tx = self.database.begin().await?;
        if settle_notice(&mut tx, notice.id).await? {
            record_setpass_event(&mut tx, &self.event(notice, SetpassEventKind::NoticeGivenUp, why)).await?;
        }
        Ok(tx.commit().await?)
    }

    fn event<'a>(&self, notice: &'a OwedNotice, kind: SetpassEventKind, detail: &'a str) -> SetpassEvent<'a> {
        let at = self.clock.now();
        SetpassEvent { at, kind, user_id: &notice.user_id, link: None, client: None, detail }
    }
}

#[cfg(test)]
mod tests;
