//! The last step of a request: the setpass link, the mails and the address for the mailing list, recorded in one
//! transaction.

use super::{Journey, StepError};
use crate::batch::in_words;
use crate::database::{
    Begun, DatabaseError, QuotaApproval, QuotaChange, QuotaDecision, QuotaOutcome, Transaction,
    add_subscription_in, finish_request_in, finish_step_in, mark_quota_applied_in, record_quota_decision_in,
    step_secret_in,
};
use crate::fail_point;
use crate::import::plan::{Action, Announcement, Link, Target};
use crate::links::{PreparedLink, Turn};
use crate::mail_content::{MailContent, NewProjectMail, PasswordLink, WelcomeMail};
use crate::outbox::{Compose, MailedLink};
use crate::random;
use crate::setpass::{IssuedToken, Pin, Registration};

/// Either everything of it is recorded or nothing, so that it can be taken again at any time.
pub(super) async fn announce(
    journey: &Journey<'_>,
    action: &Action,
    to: &str,
    mails: &[Announcement],
    link: Link,
) -> Result<(), StepError> {
    let step = &action.step();
    let work = |turn: Turn| async move {
        if let Begun::Finished(_) = journey.begin(action, None).await? {
            if turn.is_in_doubt() {
                mail_the_last_link(journey, to, &turn).await?;
            }
            return Ok(());
        }
        // Again where an operator resets the password meanwhile: the link that was prepared is worth nothing then.
        while !prepare_and_record(journey, step, to, mails, link, &turn).await? {}
        Ok(())
    };
    match link {
        Link::None => work(Turn::not_needed()).await,
        Link::New => journey.tools.run.app.links.alone(&journey.user()?, work).await,
    }
}

/// False where the password was reset between preparing and recording; nothing is recorded then.
async fn prepare_and_record(
    journey: &Journey<'_>,
    step: &str,
    to: &str,
    mails: &[Announcement],
    link: Link,
    turn: &Turn,
) -> Result<bool, StepError> {
    let app = journey.tools.run.app;
    // Hashing the PIN and wording the mails take their time, so both are done before the
    // transaction makes other writers wait.
    let prepared = match link {
        Link::None => None,
        Link::New => prepare_link(journey, turn).await?,
    };
    if prepared.is_none() && turn.is_in_doubt() {
        tracing::error!(
            user_id = journey.user()?,
            "a password was reset while this process was stalled, which registered the user elsewhere after that: the link \
             that was mailed may not work; run `usher password reset` once more"
        );
    }
    let mut composed = Vec::new();
    // Without a link there is nothing to say about one: who reset the password has mailed another.
    for mail in mails.iter().filter(|mail| **mail != Announcement::Password || prepared.is_some()) {
        let content = content(journey, *mail, prepared.as_ref().map(PreparedLink::issued))?;
        let message = journey.tools.mail_templates.render(&content).await?;
        let link = match (mail, &prepared) {
            (Announcement::Password, Some(prepared)) => {
                Some(MailedLink { user_id: journey.user()?, ends: prepared.issued().expires })
            }
            _ => None,
        };
        composed.push((*mail, Compose { to: vec![to.to_owned()], message, link }));
    }

    let mut transaction = app.database.begin().await?;
    if let Some(prepared) = &prepared {
        let password = step_secret_in(&mut transaction, journey.request.id, &journey.user_step()).await?;
        if password.is_none() {
            drop(transaction);
            // It is gone also where another process has finished the step in the turn that this one has lost.
            app.links.check(turn).await?;
            return Ok(false);
        }
        prepared.record(&mut transaction).await?;
    }
    for (mail, compose) in &composed {
        let origin = format!("request:{}:{}", journey.request.id, mail.name());
        app.outbox.enqueue(&mut transaction, &origin, mail.name(), compose).await?;
    }
    record_quotas(journey, &mut transaction).await?;
    let now = app.clock.now();
    if app.settings.mailing_list.is_some()
        && let Some(address) = new_address(journey)
    {
        add_subscription_in(&mut transaction, journey.request.id, address, now).await?;
    }
    if !finish_step_in(&mut transaction, journey.request.id, step, "", now).await? {
        // Another process was quicker: its link is the one that is mailed.
        return Ok(true);
    }
    finish_request_in(&mut transaction, journey.request.id, now).await?;
    fail_point::reached(|| "announce recorded".to_owned());
    transaction.commit().await.map_err(DatabaseError::from)?;
    fail_point::reached(|| "announce finished".to_owned());
    Ok(true)
}

/// Mails one more link. This process was stalled for longer than an earlier turn, another one has finished the step, and
/// nobody can tell which of the two links was asked for last: the one that works. A third one, mailed, ends the doubt.
async fn mail_the_last_link(journey: &Journey<'_>, to: &str, turn: &Turn) -> Result<(), StepError> {
    let app = journey.tools.run.app;
    let user_id = journey.user()?;
    let registration = Registration { user_id: &user_id, password: None, pin: None };
    let prepared = app.links.prepare(registration, turn).await?;
    let content = content(journey, Announcement::Password, Some(prepared.issued()))?;
    let message = journey.tools.mail_templates.render(&content).await?;
    let link = Some(MailedLink { user_id, ends: prepared.issued().expires });
    let mail = Compose { to: vec![to.to_owned()], message, link };
    let origin = format!("request:{}:password:{}", journey.request.id, random::identifier());
    let mut transaction = app.database.begin().await?;
    prepared.record(&mut transaction).await?;
    app.outbox.enqueue(&mut transaction, &origin, content.kind(), &mail).await?;
    transaction.commit().await.map_err(DatabaseError::from)?;
    tracing::warn!("two processes registered the same user elsewhere; one more link is mailed");
    Ok(())
}

/// Records what the quota policy gave the project that the request makes.
async fn record_quotas(journey: &Journey<'_>, transaction: &mut Transaction) -> Result<(), StepError> {
    let changes: Vec<QuotaChange> = journey
        .work
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::SetQuotas { limits, .. } => Some(limits),
            _ => None,
        })
        .flatten()
        .map(|decided| QuotaChange {
            service: decided.service,
            key: decided.key.clone(),
            // What it was before is nothing that it could ever go back to.
            old: decided.limit,
            new: decided.limit,
            reason: decided.reason.clone(),
            fate: None,
        })
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let (request, now) = (&journey.work.request, journey.tools.run.app.clock.now());
    let decision = QuotaDecision {
        request: Some(journey.request.id),
        project_id: journey.project()?,
        project: request.project.name().trim().to_owned(),
        requester_email: request.email.trim().to_owned(),
        requester_name: request.full_name(),
        decided: now,
        outcome: QuotaOutcome::Granted,
        wish: String::new(),
        approved_by: QuotaApproval::People,
        reason: "a new project".to_owned(),
        notices: Vec::new(),
        policy: None,
        ends: None,
        changes,
    };
    // Where the announcement is recorded once more, so is this.
    if let Some(id) = record_quota_decision_in(transaction, &decision).await? {
        mark_quota_applied_in(transaction, id, now).await?;
    }
    Ok(())
}

/// The address of the user whom the request makes, in this run or before; none where it makes none.
fn new_address<'a>(journey: &Journey<'a>) -> Option<&'a str> {
    (journey.work.user == Target::Made).then(|| journey.work.request.email.trim())
}

async fn prepare_link(journey: &Journey<'_>, turn: &Turn) -> Result<Option<PreparedLink>, StepError> {
    let user_id = journey.user()?;
    let Some(password) = journey.password().await? else { return Ok(None) };
    let pin = journey.work.request.pin.as_ref().ok_or(StepError::Missing("PIN"))?;
    let registration =
        Registration { user_id: &user_id, password: Some(&password), pin: Some(Pin::Clear(pin)) };
    Ok(Some(journey.tools.run.app.links.prepare(registration, turn).await?))
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
            username: request.username(journey.tools.run.app.settings.import.username).to_owned(),
            project,
        }),
        Announcement::Password => {
            let issued = issued.ok_or(StepError::Missing("link"))?;
            let zone = &journey.tools.run.app.settings.site.time_zone;
            let expires = in_words(issued.expires, zone);
            MailContent::Password(PasswordLink { full_name, url: issued.url.clone(), expires })
        }
    })
}
