//! `usher password`: helps users with their passwords. Cases are in a file of their own; here is `usher password
//! reset`: a random password, and a link to choose another.
//!
//! The order makes every break harmless once the command is run again. All that can be refused
//! comes first: the user, the PIN, the wording of the mail. Then Keystone takes the random password,
//! and last the link and its mail are recorded together. After a break in between, the user has no
//! password that anybody knows and no mail; the command run again gives both. The other way round, a
//! mail would already be on its way with a link that does not work. With a setpass on another machine the link is
//! asked for before Keystone is: it is worth as little as none until Keystone has the password. As the user's earlier
//! link works no more from then on, the mail is worded once before that, with a link that leads nowhere.

pub mod history;

mod cases;

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret, SecretString};

use super::Exit;
use crate::app::App;
use crate::batch::in_words;
use crate::command::say::say;
use crate::database::{CaseOutcome, forget_step_password_in};
use crate::keystone::User;
use crate::links::Turn;
use crate::mail_content::{MailContent, PasswordLink};
use crate::outbox::{Compose, Delivery, DeliveryOutcome, MailedLink};
use crate::random;
use crate::registration::{fold, same_name};
use crate::setpass::{IssuedToken, Pin, Registration, is_trivial};

pub use cases::{approve, deny, list};

/// Where the link's PIN comes from.
enum PinSource {
    /// Asked for.
    Asked(SecretString),
    /// A reset case, by its number.
    Case { number: i64, pin_hash: String },
}

/// Runs the command.
///
/// # Errors
/// Where the user cannot be found or mailed, the PIN cannot be one, or a service fails.
pub async fn run(app: &App, name: &str, case: Option<&str>) -> anyhow::Result<ExitCode> {
    let Some(user) = app.keystone.find_user(name).await? else {
        eprintln!("there is no user {name} in domain {} of Keystone", app.settings.keystone.domain);
        return Ok(Exit::Failed.into());
    };
    let Some(email) = user.email.clone().filter(|email| !email.trim().is_empty()) else {
        eprintln!(
            "user {} has no e-mail address in Keystone, so there is nowhere to mail a link to",
            user.name
        );
        return Ok(Exit::Failed.into());
    };
    if case.is_some() {
        cases::here(app)?;
    }
    let pin = match case {
        Some(number) => of_case(app, &user, &email, number).await?,
        None => PinSource::Asked(chosen_pin()?),
    };
    let (user, email, pin) = (&user, email.as_str(), &pin);
    if let Some(sample) = app.links.sample() {
        let (_, mail) = word(app, user, email, &sample).await?;
        app.outbox.check(&mail)?;
    }
    let origin =
        app.links.alone(&user.id, |turn| async move { reset(app, user, email, pin, &turn).await }).await?;
    deliver(app, &origin, &user.name, email).await
}

/// Resets the password, and answers with what the mail is called in the outbox.
async fn reset(app: &App, user: &User, email: &str, pin: &PinSource, turn: &Turn) -> anyhow::Result<String> {
    let password = random::password();
    let registration = Registration {
        user_id: &user.id,
        password: Some(&password),
        pin: Some(match pin {
            PinSource::Asked(pin) => Pin::Clear(pin),
            PinSource::Case { pin_hash, .. } => Pin::Hash(pin_hash),
        }),
    };
    let prepared = app.links.prepare(registration, turn).await?;
    let (kind, mail) = word(app, user, email, prepared.issued()).await?;

    let again =
        "the reset is not complete: run the command again, as the user may be without a password until then";
    // Keystone must not get a password that belongs to no link.
    app.links.check(turn).await?;
    app.keystone.set_password(&user.id, &password).await.context(again)?;
    let origin = format!("password-reset:{}:{}", user.id, random::identifier());
    let recorded = async {
        let mut tx = app.database.begin().await?;
        prepared.record(&mut tx).await?;
        if let Some(marker) = &user.marker {
            forget_step_password_in(&mut tx, marker).await?;
        }
        app.outbox.enqueue(&mut tx, &origin, kind, &mail).await?;
        if let PinSource::Case { number, .. } = pin {
            let (now, outcome) = (app.clock.now(), CaseOutcome::Approved);
            app.database.close_case(&mut tx, *number, now, Some(&user.id), outcome, None).await?;
        }
        tx.commit().await?;
        anyhow::Ok(())
    };
    recorded.await.context(again)?;
    Ok(origin)
}

/// The mail with a link, and its kind.
async fn word(
    app: &App,
    user: &User,
    email: &str,
    issued: &IssuedToken,
) -> anyhow::Result<(&'static str, Compose)> {
    let content = MailContent::PasswordReset(PasswordLink {
        full_name: user
            .description
            .clone()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| user.name.clone()),
        url: issued.url.clone(),
        expires: in_words(issued.expires, &app.settings.site.time_zone),
    });
    let message = app.mail_templates().await?.render(&content).await?;
    let link = MailedLink { user_id: user.id.clone(), ends: issued.expires };
    Ok((content.kind(), Compose { to: vec![email.to_owned()], message, link: Some(link) }))
}

/// Sends a mail with a link at once where that can be; `usher serve` sends it later where it cannot.
async fn deliver(app: &App, origin: &str, user: &str, email: &str) -> anyhow::Result<ExitCode> {
    let deliveries = app.outbox.deliver_due().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the outbox cannot be worked through now");
        Vec::new()
    });
    let (own, others): (Vec<_>, Vec<_>) =
        deliveries.into_iter().partition(|delivery| delivery.origin == origin);
    others.iter().for_each(Delivery::log);
    match own.into_iter().next().map(|delivery| delivery.outcome) {
        Some(DeliveryOutcome::Sent { refused }) => {
            say!("{user}: a link was mailed to {email}");
            refused.iter().for_each(|recipient| say!("Warning: a copy to {recipient}"));
        }
        Some(DeliveryOutcome::Refused { error, kept_in }) => {
            eprintln!(
                "{user}: the mail to {email} was refused: {error}; it is kept in {}",
                kept_in.display()
            );
            return Ok(Exit::Failed.into());
        }
        Some(DeliveryOutcome::Later { error, at }) => {
            say!("{user}: a link will be mailed to {email}; not yet, next try at {at}: {error}");
        }
        None => say!("{user}: a link will be mailed to {email}"),
    }
    Ok(Exit::Done.into())
}

/// The PIN of an open case, if the case is this user's.
async fn of_case(app: &App, user: &User, email: &str, number: &str) -> anyhow::Result<PinSource> {
    let Ok(number) = number.trim().parse::<i64>() else { bail!("a case number is a whole number") };
    let Some(case) = app.setpass.open_case(number).await? else {
        bail!("there is no open reset case {number}; `usher password cases` lists those that are");
    };
    if case.email != fold(email) && !same_name(&case.email, &user.name) {
        bail!("reset case {number} was opened with another address than that of user {}", user.name);
    }
    Ok(PinSource::Case { number, pin_hash: case.pin_hash })
}

/// The PIN that the user has chosen, which is none that is guessed first.
fn chosen_pin() -> anyhow::Result<SecretString> {
    let pin = ask_pin().context("cannot read the PIN")?;
    if is_trivial(&pin) {
        bail!(
            "this PIN is among the first that anybody would guess, such as a birthday or a row of digits; have the user \
             choose another"
        );
    }
    Ok(pin)
}

/// Asks twice without echo on a terminal; takes one line where there is none.
fn ask_pin() -> anyhow::Result<SecretString> {
    if !std::io::stdin().is_terminal() {
        let mut line = zeroize::Zeroizing::new(String::new());
        std::io::stdin().lock().read_line(&mut line)?;
        return Ok(SecretString::from(line.trim()));
    }
    let ask = |prompt: &str| rpassword::prompt_password(prompt).map(SecretString::from);
    let (first, second) = (ask("PIN: ")?, ask("PIN once more: ")?);
    if first.expose_secret() != second.expose_secret() {
        bail!("the two PINs are not the same");
    }
    Ok(first)
}
