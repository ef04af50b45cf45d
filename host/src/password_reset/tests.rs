mod claims;

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::database::CaseOutcome;
use crate::mailer::{Mailer, Message};
use crate::setpass::RedeemError;
use crate::setpass::fixture::{CLIENT, Fixture, RANDOM_PASSWORD, USER};
use crate::settings;

const PIN: &str = "830274";
const OPERATORS: &str = "operators@example.org";

/// Somebody at work on a [`Fixture`].
struct Desk {
    fixture: Fixture,
    resets: PasswordResets,
    /// What mails were worded of.
    contents: Arc<Mutex<Vec<MailContent>>>,
}

impl Desk {
    async fn new(reset: &str) -> Self {
        let fixture = Fixture::with(&format!("[reset]\n{reset}")).await;
        let mail: settings::mail::Mail = toml::from_str(
            "host = \"mail.example.org\"\nsender = \"usher@example.org\"\nhelpdesk = \"helpdesk@example.org\"\n\
             undeliverable = \"undeliverable\"\n",
        )
        .unwrap();
        let mailer = Mailer::new(&mail).unwrap();
        let (database, keys, clock) = (fixture.database.clone(), fixture.keys.clone(), fixture.clock.clone());
        let contents = Arc::new(Mutex::new(Vec::new()));
        let worded = Arc::clone(&contents);
        let render_mail: RenderMail = Arc::new(move |content| {
            let text = format!("{content:?}");
            worded.lock().unwrap().push(content);
            let message =
                Message { sender: None, cc: Vec::new(), subject: "Reset".to_owned(), text, html: None };
            Box::pin(async { Ok(message) })
        });
        let resets = PasswordResets {
            outbox: Outbox::new(database.clone(), keys, clock.clone(), mailer, &mail),
            database,
            clock,
            keystone: fixture.keystone.clone(),
            setpass: fixture.setpass.clone(),
            render_mail,
            helpdesk: mail.helpdesk,
            alert_to: Some(OPERATORS.to_owned()),
            told: ToldOn::default(),
            time_zone: TimeZone::UTC,
            protected_roles: vec!["Admin".to_owned()],
        };
        Self { fixture, resets, contents }
    }

    async fn ask(&self, email: &str) {
        let hash = self.fixture.setpass.hash_pin(&PIN.into()).await.unwrap();
        let asker = Asker { name: "New User".to_owned(), email: email.to_owned() };
        self.fixture.setpass.ask_for_link(&asker, &hash, Some(CLIENT.parse().unwrap())).await.unwrap();
    }

    /// Asks, and has it worked through.
    async fn ask_and_work(&self, email: &str) -> usize {
        self.ask(email).await;
        self.resets.work_through(|| true).await.unwrap()
    }

    /// Recipients of the mails that wait.
    async fn recipients(&self) -> Vec<String> {
        self.resets.outbox.pending().await.unwrap().into_iter().flat_map(|mail| mail.to).collect()
    }

    /// The links that were mailed.
    fn tokens(&self) -> Vec<secrecy::SecretString> {
        let contents = self.contents.lock().unwrap();
        let links = contents.iter().filter_map(|content| match content {
            MailContent::PasswordReset(link) => Some(link),
            _ => None,
        });
        links
            .map(|link| {
                let url = secrecy::ExposeSecret::expose_secret(&link.url).to_owned();
                url.split_once("token=").unwrap().1.into()
            })
            .collect()
    }

    /// What is on record of a user, or of nobody who is known.
    async fn trail(&self, user_id: &str) -> Vec<String> {
        let events = self.fixture.database.setpass_events(user_id, 100).await.unwrap();
        events.iter().map(|event| format!("{} {}", event.event, event.detail)).collect()
    }

    fn set_user(&self, id: &str, user: Value) {
        self.fixture.identity.lock().unwrap().users.insert(id.to_owned(), user);
    }
}

fn user(id: &str, name: &str, email: &str) -> Value {
    json!({ "id": id, "name": name, "email": email, "enabled": true })
}

#[tokio::test]
async fn a_link_goes_to_the_address_that_keystone_has_and_works_with_the_pin_that_was_chosen() {
    let desk = Desk::new("mode = \"self-service\"").await;
    desk.set_user(USER, user(USER, "login", "Kept@Example.org"));
    assert_eq!(desk.ask_and_work(" kept@example.org").await, 1);
    assert_eq!(desk.recipients().await, ["Kept@Example.org"]);
    assert_eq!(desk.fixture.password(), RANDOM_PASSWORD, "the present password stays");
    let [token] = desk.tokens().try_into().unwrap();
    assert!(matches!(
        desk.fixture.redeem(&token, "830275", "chosen by me").await,
        Err(RedeemError::WrongPin { .. })
    ));
    desk.fixture.redeem(&token, PIN, "chosen by me").await.unwrap();
    assert_eq!(desk.fixture.password(), "chosen by me");
    assert_eq!(desk.resets.work_through(|| true).await.unwrap(), 0, "once");
}

#[tokio::test]
async fn the_account_of_the_name_comes_before_one_with_the_address() {
    let desk = Desk::new("mode = \"self-service\"").await;
    desk.set_user(USER, user(USER, "user@example.org", "own@example.org"));
    desk.set_user("u2", user("u2", "second", "user@example.org"));
    desk.ask_and_work("USER@example.org").await;
    assert_eq!(desk.recipients().await, ["own@example.org"]);
}

#[tokio::test]
async fn accounts_that_must_not_be_touched_are_skipped_in_silence() {
    let desk = Desk::new("mode = \"self-service\"").await;
    let with = |mut user: Value, key: &str, value: Value| {
        user[key] = value;
        user
    };
    let plain = |id: &str| user(id, &format!("{id}@example.org"), &format!("{id}@example.org"));
    desk.set_user("off", with(plain("off"), "enabled", json!(false)));
    desk.set_user("locked", with(plain("locked"), "options", json!({ "lock_password": true })));
    desk.set_user("nowhere", with(plain("nowhere"), "email", json!(" ")));
    desk.set_user("boss", plain("boss"));
    desk.fixture.identity.lock().unwrap().roles.insert("boss".to_owned(), "admin".to_owned());
    // The id that the identity service tells Usher is its own.
    desk.set_user("u0", plain("u0"));
    desk.set_user("twin1", user("twin1", "first", "twins@example.org"));
    desk.set_user("twin2", user("twin2", "second", "twins@example.org"));
    let asked = ["off", "locked", "nowhere", "boss", "u0", "twins", "nobody"];
    for (name, reason) in asked.iter().zip([
        Skipped::Disabled,
        Skipped::PasswordLocked,
        Skipped::NoAddress,
        Skipped::ProtectedRole,
        Skipped::Own,
        Skipped::Several,
        Skipped::Nobody,
    ]) {
        let email = format!("{name}@example.org");
        let found = find_account(&desk.fixture.keystone, &email, &desk.resets.protected_roles).await.unwrap();
        assert!(
            matches!(found, Account::Skipped { reason: skipped, .. } if skipped == reason),
            "{name}: {found:?}"
        );
        assert_eq!(desk.ask_and_work(&email).await, 1);
    }
    assert!(desk.recipients().await.is_empty());
    let protected = desk.fixture.database.protected_by_keys().await.unwrap();
    assert!(protected.is_empty(), "nothing is kept of such requests: {protected:?}");
    assert_eq!(desk.trail("boss").await, ["reset-skipped request 4: protected role"]);
    assert_eq!(desk.trail("u0").await, ["reset-skipped request 5: own account"]);
    let of_nobody = desk.trail("").await;
    assert_eq!(of_nobody.last().unwrap(), "reset-skipped request 7: no account");
    assert!(of_nobody.contains(&"reset-requested request 7".to_owned()), "{of_nobody:?}");
}

#[tokio::test]
async fn a_mailbox_is_not_flooded_whatever_name_is_asked_for() {
    let desk = Desk::new("mode = \"self-service\"").await;
    desk.set_user(USER, user(USER, "name@example.org", "mail@example.org"));
    for number in 0..5 {
        let email = if number % 2 == 0 { "name@example.org" } else { "mail@example.org" };
        assert_eq!(desk.ask_and_work(email).await, 1);
        desk.fixture.clock.advance(SignedDuration::from_mins(1));
    }
    assert_eq!(desk.recipients().await.len(), 3);
    desk.fixture.clock.advance(
        SignedDuration::from_hours(24) - SignedDuration::from_mins(5) - SignedDuration::from_millis(1),
    );
    desk.ask_and_work("name@example.org").await;
    assert_eq!(desk.recipients().await.len(), 3, "a millisecond too early");
    desk.fixture.clock.advance(SignedDuration::from_millis(1));
    desk.ask_and_work("name@example.org").await;
    assert_eq!(desk.recipients().await.len(), 4);
}

#[tokio::test]
async fn while_keystone_does_not_answer_requests_wait_and_end_after_a_day() {
    let desk = Desk::new("mode = \"self-service\"").await;
    desk.fixture.identity.lock().unwrap().down = true;
    assert_eq!(desk.ask_and_work("user@example.org").await, 0);
    desk.fixture.identity.lock().unwrap().down = false;
    assert_eq!(desk.resets.work_through(|| true).await.unwrap(), 0, "not at once again");
    desk.fixture.clock.advance(BACKOFF.first);
    assert_eq!(desk.resets.work_through(|| true).await.unwrap(), 1);
    assert_eq!(desk.recipients().await.len(), 1);

    for (age, worked) in [
        (SignedDuration::from_hours(24) - SignedDuration::from_millis(1), 1),
        (SignedDuration::from_hours(24), 0),
    ] {
        desk.ask("user@example.org").await;
        desk.fixture.clock.advance(age);
        desk.fixture.setpass.sweep().await.unwrap();
        assert_eq!(desk.resets.work_through(|| true).await.unwrap(), worked, "{age:#}");
    }
}

#[tokio::test]
async fn where_nobody_answers_requests_any_more_they_are_left_to_end() {
    let asked = Desk::new("mode = \"self-service\"").await;
    asked.ask("user@example.org").await;
    let Desk { fixture, mut resets, contents } = asked;
    let off = crate::setpass::fixture::settings_with("[reset]\nmode = \"off\"");
    let (database, keys, clock) = (&fixture.database, &fixture.keys, &fixture.clock);
    resets.setpass = Setpass::new(database.clone(), keys.clone(), clock.clone(), &off, "Example Cloud");
    let desk = Desk { fixture, resets, contents };
    assert_eq!(desk.resets.work_through(|| true).await.unwrap(), 0);
    assert!(desk.recipients().await.is_empty());
    let now = desk.fixture.clock.now();
    let left = desk.fixture.database.claim_reset_request("test", now, now + CLAIM, |_| false).await.unwrap();
    assert!(left.is_some(), "it is neither answered nor dropped");
}

#[tokio::test]
async fn several_accounts_whose_names_differ_in_case_get_no_link() {
    let desk = Desk::new("mode = \"self-service\"").await;
    desk.set_user("u1", user("u1", "Same@example.org", "one@example.org"));
    desk.set_user("u2", user("u2", "same@example.org", "two@example.org"));
    assert_eq!(desk.ask_and_work("same@example.org").await, 1);
    assert!(desk.recipients().await.is_empty());
    assert_eq!(desk.trail("").await.last().unwrap(), "reset-skipped request 1: several accounts");
}

#[tokio::test]
async fn the_helpdesk_gets_a_ticket_with_a_case_and_without_the_pin() {
    let desk = Desk::new("").await;
    assert_eq!(desk.ask_and_work("user@example.org").await, 1);
    assert_eq!(desk.recipients().await, ["helpdesk@example.org"]);
    let contents = desk.contents.lock().unwrap().clone();
    let [MailContent::HelpdeskTicket(ticket)] = contents.as_slice() else { panic!("{contents:?}") };
    assert_eq!((ticket.username.as_str(), ticket.last_name.as_str()), ("user@example.org", "User"));
    assert!(ticket.comment.contains(&format!("usher password approve {}", ticket.case_number)));
    assert!(!format!("{ticket:?}").contains(PIN));
    let case = desk.fixture.setpass.open_case(ticket.case_number.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(case.email, "user@example.org");
    assert!(desk.fixture.keys.verify_pin(&PIN.into(), &case.pin_hash).unwrap());
}

/// A request that was numbered before the process died keeps its number.
#[tokio::test]
async fn a_case_is_numbered_once() {
    let desk = Desk::new("").await;
    let number =
        async |request| desk.fixture.setpass.number_reset_case(request, "User@example.org").await.unwrap();
    let first = number(1).await.unwrap();
    assert_eq!(number(1).await, Some(first));
    assert!(desk.fixture.setpass.open_case(first).await.unwrap().is_none(), "numbered is not open");
    assert!(number(2).await.is_some() && number(3).await.is_some());
    assert_eq!(number(4).await, None, "three a day for one address");
    let spelled_otherwise = desk.fixture.setpass.number_reset_case(4, " uSER@EXAMPLE.org").await.unwrap();
    assert_eq!(spelled_otherwise, None, "however it is spelled");
    assert!(desk.fixture.setpass.number_reset_case(5, "other@example.org").await.unwrap().is_some());
    desk.fixture.clock.advance(SignedDuration::from_hours(24));
    assert!(number(4).await.is_some());
}

#[tokio::test]
async fn an_approved_case_mails_one_link_with_its_pin() {
    let desk = Desk::new("").await;
    desk.ask_and_work("user@example.org").await;
    let [case] = desk.fixture.setpass.open_cases().await.unwrap().try_into().unwrap();
    let (user, email) = desk.resets.recipient(&case).await.unwrap();
    assert_eq!(desk.resets.approve(&case, &user, &email).await.unwrap(), Decided::Now);
    assert_eq!(desk.resets.approve(&case, &user, &email).await.unwrap(), Decided::Before);
    assert_eq!(desk.recipients().await, ["helpdesk@example.org", "user@mail.example.org"]);
    assert_eq!(desk.fixture.password(), RANDOM_PASSWORD, "the present password stays");
    assert!(matches!(desk.resets.case(case.number).await.unwrap(), Err(CaseOutcome::Approved)));
    let denied = desk.resets.deny(case.number, None).await.unwrap_err();
    assert!(denied.to_string().contains("was approved"), "{denied}");
    assert_eq!(desk.trail(USER).await, ["reset-approved case 1", "issued case 1"]);
    let of_nobody = desk.trail("").await;
    assert_eq!(of_nobody, ["reset-requested request 1", "reset-case-opened request 1, case 1"]);
    desk.fixture.redeem(&desk.tokens()[0], PIN, "chosen by me").await.unwrap();
    assert_eq!(desk.fixture.password(), "chosen by me");
}

#[tokio::test]
async fn a_denied_case_keeps_no_pin_and_cannot_be_approved() {
    let desk = Desk::new("").await;
    desk.ask_and_work("user@example.org").await;
    let [case] = desk.fixture.setpass.open_cases().await.unwrap().try_into().unwrap();
    let (user, email) = desk.resets.recipient(&case).await.unwrap();
    assert_eq!(desk.resets.deny(case.number, Some("unknown caller")).await.unwrap(), Decided::Now);
    assert_eq!(desk.resets.deny(case.number, None).await.unwrap(), Decided::Before);
    let pins: u64 = desk
        .fixture
        .database
        .protected_by_keys()
        .await
        .unwrap()
        .values()
        .map(|protected| protected.pins)
        .sum();
    assert_eq!(pins, 0);
    let refused = desk.resets.approve(&case, &user, &email).await.unwrap_err();
    assert!(refused.to_string().contains("was denied"), "{refused}");
    assert_eq!(desk.trail("").await[2..], ["reset-denied case 1"]);
    assert_eq!(desk.recipients().await, ["helpdesk@example.org"]);
    assert!(matches!(desk.resets.deny(99, None).await, Err(CaseError::Unknown(99))));
}

#[tokio::test]
async fn a_case_ends_by_itself_and_its_pin_with_it() {
    let desk = Desk::new("case_lifetime = \"2d\"").await;
    desk.ask_and_work("user@example.org").await;
    let [case] = desk.fixture.setpass.open_cases().await.unwrap().try_into().unwrap();
    desk.fixture.clock.advance(SignedDuration::from_hours(48) - SignedDuration::from_millis(1));
    desk.fixture.setpass.sweep().await.unwrap();
    assert!(desk.resets.case(case.number).await.unwrap().is_ok());
    desk.fixture.clock.advance(SignedDuration::from_millis(1));
    assert!(matches!(desk.resets.case(case.number).await.unwrap(), Err(CaseOutcome::Ended)));
    desk.fixture.setpass.sweep().await.unwrap();
    assert!(matches!(desk.resets.case(case.number).await.unwrap(), Err(CaseOutcome::Ended)));
    assert!(desk.fixture.setpass.open_cases().await.unwrap().is_empty());
    let pins: u64 = desk
        .fixture
        .database
        .protected_by_keys()
        .await
        .unwrap()
        .values()
        .map(|protected| protected.pins)
        .sum();
    assert_eq!(pins, 0);
}

#[tokio::test]
async fn operators_are_told_once_a_day_that_no_more_requests_are_taken() {
    let desk = Desk::new("max_in_total = 2").await;
    let alerts = async || desk.recipients().await.into_iter().filter(|to| to == OPERATORS).count();
    assert_eq!(desk.ask_and_work("one@example.org").await, 1);
    assert_eq!(alerts().await, 0, "one is left");
    assert_eq!(desk.ask_and_work("two@example.org").await, 1);
    assert_eq!(alerts().await, 1);
    assert_eq!(desk.ask_and_work("three@example.org").await, 0, "dropped");
    assert_eq!(desk.resets.work_through(|| true).await.unwrap(), 0);
    assert_eq!(alerts().await, 1, "once");
    desk.fixture.clock.advance(SignedDuration::from_hours(24));
    for email in ["one@example.org", "two@example.org"] {
        assert_eq!(desk.ask_and_work(email).await, 1);
    }
    assert_eq!(alerts().await, 2, "again the next day");
}

/// Also where no further request comes, as none is taken.
#[tokio::test]
async fn operators_are_told_in_a_later_round_where_the_first_could_not() {
    let desk = Desk::new("max_in_total = 1").await;
    let alerts = async || desk.recipients().await.into_iter().filter(|to| to == OPERATORS).count();
    let no_alerts = "CREATE TRIGGER no_alerts BEFORE INSERT ON outbox WHEN NEW.origin LIKE 'reset-total:%' BEGIN \
         SELECT RAISE(ABORT, 'disk full'); END";
    desk.fixture.execute(no_alerts).await;
    assert_eq!(desk.ask_and_work("one@example.org").await, 1);
    assert_eq!(alerts().await, 0);
    desk.fixture.execute("DROP TRIGGER no_alerts").await;
    assert_eq!(desk.resets.work_through(|| true).await.unwrap(), 0);
    assert_eq!(alerts().await, 1);
    assert_eq!(desk.resets.work_through(|| true).await.unwrap(), 0);
    assert_eq!(alerts().await, 1, "once");
}
