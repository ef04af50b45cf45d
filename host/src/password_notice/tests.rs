use std::sync::Mutex;

use super::*;
use crate::mailer::Mailer;
use crate::outbox::PendingMail;
use crate::setpass::fixture::{Fixture, PIN, RANDOM_PASSWORD, USER};
use crate::settings;

const CHOSEN: &str = "correct horse battery staple";

/// A password that was changed, and what is to tell of it.
async fn changed() -> (Fixture, PasswordNotices) {
    let fixture = Fixture::new().await;
    let link = fixture.link().await;
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap();
    let mail: settings::mail::Mail = toml::from_str(
        "host = \"mail.example.org\"\nsender = \"usher@example.org\"\nhelpdesk = \"helpdesk@example.org\"\n\
         undeliverable = \"undeliverable\"\n",
    )
    .unwrap();
    let (database, keys, clock) = (&fixture.database, &fixture.keys, &fixture.clock);
    let mailer = Mailer::new(&mail).unwrap();
    let notices = PasswordNotices {
        database: database.clone(),
        keystone: fixture.keystone.clone(),
        outbox: Outbox::new(database.clone(), keys.clone(), clock.clone(), mailer, &mail),
        clock: clock.clone(),
        site: toml::from_str(
            "name = \"Cloud\"\nsupport_email = \"support@example.org\"\ntime_zone = \"Asia/Tokyo\"",
        )
        .unwrap(),
    };
    (fixture, notices)
}

async fn in_any_words(_: MailContent) -> Result<Message, PluginError> {
    let (subject, text) = ("Changed".to_owned(), "Was it you?".to_owned());
    Ok(Message { sender: None, cc: Vec::new(), subject, text, html: None })
}

async fn pending(notices: &PasswordNotices) -> Vec<PendingMail> {
    notices.outbox.pending().await.unwrap()
}

/// The events after the password was set.
async fn events_afterwards(fixture: &Fixture) -> Vec<(String, String)> {
    let events = fixture.database.setpass_events(USER, 100).await.unwrap();
    let set = events.iter().position(|event| event.event == "password-set").unwrap();
    events[set + 1..].iter().map(|event| (event.event.clone(), event.detail.clone())).collect()
}

#[tokio::test]
async fn each_change_is_told_once_at_the_address_that_keystone_has() {
    let (fixture, notices) = changed().await;
    let worded = Mutex::new(Vec::new());
    let render = async |content| {
        worded.lock().unwrap().push(content);
        in_any_words(MailContent::NewProject(crate::mail_content::NewProjectMail {
            full_name: String::new(),
            project: String::new(),
        }))
        .await
    };
    assert_eq!(notices.make_owed(render).await.unwrap(), 1);
    assert_eq!(notices.make_owed(in_any_words).await.unwrap(), 0);
    let mails = pending(&notices).await;
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].kind.as_str(), &mails[0].to),
        ("password-changed", &vec!["user@mail.example.org".to_owned()])
    );
    let worded = worded.into_inner().unwrap();
    let [MailContent::PasswordChanged(content)] = worded.as_slice() else { panic!("{worded:?}") };
    assert_eq!(
        (content.username.as_str(), content.support_email.as_str()),
        ("user@example.org", "support@example.org")
    );
    assert!(content.changed.contains("17:00"), "the site's time: {}", content.changed);
    assert_eq!(events_afterwards(&fixture).await, [("notice-mailed".to_owned(), String::new())]);
}

#[tokio::test]
async fn while_the_mail_cannot_be_made_the_change_stays_and_the_mail_comes_later() {
    let (fixture, notices) = changed().await;
    fixture.identity.lock().unwrap().down = true;
    assert_eq!(notices.make_owed(in_any_words).await.unwrap(), 0);
    assert!(pending(&notices).await.is_empty());
    assert_eq!(fixture.password(), CHOSEN);
    fixture.identity.lock().unwrap().down = false;
    assert_eq!(notices.make_owed(in_any_words).await.unwrap(), 0, "not at once again");
    fixture.clock.advance(BACKOFF.first);
    let unworded = async |_| {
        Err(PluginError::Render {
            plugin: "mail".to_owned(),
            place: "password-changed.txt".to_owned(),
            reason: "missing".to_owned(),
        })
    };
    assert_eq!(notices.make_owed(unworded).await.unwrap(), 0);
    fixture.clock.advance(BACKOFF.first);
    assert_eq!(notices.make_owed(in_any_words).await.unwrap(), 0, "later and later");
    fixture.clock.advance(BACKOFF.first);
    assert_eq!(notices.make_owed(in_any_words).await.unwrap(), 1);
    assert_eq!(pending(&notices).await.len(), 1);
}

/// The answer of Keystone was lost, and the link lives for longer than it is tried to tell anybody.
#[tokio::test]
async fn a_change_that_was_found_out_late_is_told_all_the_same_with_the_time_when_it_was_made() {
    let (fixture, notices) = changed().await;
    assert_eq!(notices.make_owed(in_any_words).await.unwrap(), 1);
    fixture.identity.lock().unwrap().passwords.insert(USER.to_owned(), RANDOM_PASSWORD.to_owned());
    let link = fixture.link().await;
    fixture.identity.lock().unwrap().loses_answers = true;
    fixture.redeem(&link.token, PIN, CHOSEN).await.unwrap_err();
    fixture.clock.advance(PATIENCE + PATIENCE);
    fixture.setpass.sweep().await.unwrap();
    let worded = Mutex::new(Vec::new());
    let render = async |content: MailContent| {
        worded.lock().unwrap().push(content.clone());
        in_any_words(content).await
    };
    assert_eq!(notices.make_owed(render).await.unwrap(), 1);
    let worded = worded.into_inner().unwrap();
    let [MailContent::PasswordChanged(content)] = worded.as_slice() else { panic!("{worded:?}") };
    assert!(content.changed.contains("22 November"), "{}", content.changed);
}

#[tokio::test]
async fn who_cannot_be_told_is_given_up_and_that_is_on_record() {
    let (fixture, notices) = changed().await;
    fixture.identity.lock().unwrap().has_no_addresses = true;
    assert_eq!(notices.make_owed(in_any_words).await.unwrap(), 0);
    let gone = ("notice-given-up".to_owned(), "the user has no e-mail address".to_owned());
    assert_eq!(events_afterwards(&fixture).await, [gone]);
    assert!(fixture.database.owed_notices(Timestamp::MAX).await.unwrap().is_empty());

    let (fixture, notices) = changed().await;
    fixture.identity.lock().unwrap().down = true;
    fixture.clock.advance(PATIENCE);
    assert_eq!(notices.make_owed(in_any_words).await.unwrap(), 0);
    let late = ("notice-given-up".to_owned(), "no mail could be made in time".to_owned());
    assert_eq!(events_afterwards(&fixture).await, [late]);
}
