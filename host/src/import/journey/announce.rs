//! The last step of a request: the setpass link and the mails, recorded in one transaction.

use jiff::Timestamp;
use secrecy::SecretString;

use super::{Journey, StepError};
use crate::database::{Begun, DatabaseError, finish_request_in, finish_step_in};
use crate::import::plan::{Action, Announcement, Link};
use crate::mail_content::{MailContent, NewProjectMail, PasswordLink, WelcomeMail};
use crate::outbox::Compose;
use crate::setpass::{IssuedToken, Pin, Registration};

/// Either everything of it is recorded or nothing, so that it can be taken again at any time.
pub(super) async fn announce(
    journey: &Journey<'_>,
    action: &Action,
    to: &str,
    mails: &[Announcement],
    link: Link,
) -> Result<(), StepError> {
    let app = journey.tools.app;
    let step = action.step();
    if let Begun::Finished(_) = journey.begin(&step, None).await? {
        return Ok(());
    }
    // Hashing takes long on purpose, so it is done before the transaction makes other writers wait.
    let new_user = match link {
        Link::None => None,
        Link::New => Some(NewUser::of(journey).await?),
    };
    let mut transaction = app.database.begin().await?;
    let issued = match &new_user {
        None => None,
        Some(user) => Some(app.setpass.register(&mut transaction, user.registration()).await?),
    };
    for mail in mails {
        let content = content(journey, *mail, issued.as_ref())?;
        let message = journey.tools.mail_templates.render(&content).await?;
        let origin = format!("request:{}:{}", journey.request.id, mail.name());
        let compose = Compose { to: vec![to.to_owned()], message };
        app.outbox.enqueue(&mut transaction, &origin, mail.name(), &compose).await?;
    }
    let now = app.clock.now();
    if !finish_step_in(&mut transaction, journey.request.id, &step, "", now).await? {
        // Another process was quicker: its link is the one that is mailed.
        return Ok(());
    }
    finish_request_in(&mut transaction, journey.request.id, now).await?;
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(())
}

/// What setpass has to know of a user who was created.
struct NewUser {
    id: String,
    password: SecretString,
    pin_hash: String,
}

impl NewUser {
    async fn of(journey: &Journey<'_>) -> Result<Self, StepError> {
        let pin = journey.work.request.pin.as_ref().ok_or(StepError::Missing("PIN"))?;
        let pin_hash = journey.tools.app.setpass.hash_pin(pin).await?;
        Ok(Self { id: journey.user()?, password: journey.password().await?, pin_hash })
    }

    fn registration(&self) -> Registration<'_> {
        Registration {
            user_id: &self.id,
            password: Some(&self.password),
            pin: Some(Pin::Hash(&self.pin_hash)),
        }
    }
}

fn content(
    journey: &Journey<'_>,
    mail: Announcement,
    issued: Option<&IssuedToken>,
) -> Result<MailContent, StepError> {
    let request = &journey.work.request;
    let full_name = request.full_name();
    let project = request.project.name().trim().to_owned();
    Ok(match mail {
        Announcement::NewProject => MailContent::NewProject(NewProjectMail { full_name, project }),
        Announcement::Welcome => MailContent::Welcome(WelcomeMail {
            full_name,
            username: request.username(journey.tools.app.settings.import.username).to_owned(),
            project,
        }),
        Announcement::Password => {
            let issued = issued.ok_or(StepError::Missing("link"))?;
            let zone = &journey.tools.app.settings.site.time_zone;
            let expires = in_words(issued.expires, zone);
            MailContent::Password(PasswordLink { full_name, url: issued.url.clone(), expires })
        }
    })
}

/// A moment as people read it, in the site's time zone: `Monday, 23 November 2026 at 15:04 CET`.
#[must_use]
pub fn in_words(moment: Timestamp, zone: &jiff::tz::TimeZone) -> String {
    moment.to_zoned(zone.clone()).strftime("%A, %-d %B %Y at %H:%M %Z").to_string()
}
