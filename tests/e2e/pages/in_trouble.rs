//! Every page that tells of trouble with an account, its link or Keystone, in every language, on a phone, in light and dark.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::json;
use usher_tests::browser::{Browser, Reader};
use usher_tests::fault_proxy::{Fault, FaultProxy, Trouble};
use usher_tests::strict_keystone::StrictKeystone;
use usher_tests::{process, web};

use super::every_page::{PHONE, check, expect_translated};
use super::{CHOSEN, FIRST, PIN, Pages, submit};
use crate::newcomer;
use crate::stage::Stage;

const DOMAIN: &str = "trouble.pages.example.org";
const LANGUAGES: [&str; 4] = ["en", "de", "id", "ja"];
const RESET_PIN: &str = "830274";
const CHANGE: &str = "POST /identity/v3/users/*/password";

/// A page that leads to the one where another link is asked for, or to the same link.
const WITH_ACTION: &str = ".bad + p .action";

/// Somebody who reads one language, and the titles that were shown.
struct Person {
    language: &'static str,
    browser: Browser,
    titles: Vec<String>,
}

impl Person {
    fn new(language: &'static str) -> Self {
        let reader = Reader { languages: language.to_owned(), width: Some(PHONE), ..Reader::default() };
        Self { language, browser: Browser::start(&reader).unwrap(), titles: Vec::new() }
    }

    fn look(&mut self, name: &str, sign: &str) {
        self.titles.push(check(&self.browser, self.language, name, sign));
    }

    /// Opens a link and tries a password.
    fn try_with(&self, link: &str, pin: &str, password: &str) {
        self.browser.open(link).unwrap();
        submit(&self.browser, pin, password, password);
    }

    /// A user of this person's own.
    fn user(&self, pages: &Pages, what: &str) -> (String, String) {
        let name = format!("{what}.{}@{DOMAIN}", self.language);
        let id = pages.admin.create_user(&name, FIRST).unwrap();
        (name, id)
    }
}

fn patch(pages: &Pages, user: &str, change: &serde_json::Value) {
    pages.admin.call("PATCH", &format!("/users/{user}"), Some(&json!({ "user": change }))).unwrap();
}

#[test]
fn every_page_of_trouble_in_every_language_fits_a_phone_and_keeps_nobody_out() {
    let stage = Stage::new();
    let proxy = FaultProxy::start(&stage.cloud).unwrap();
    let settings = "max_attempts = 2\nmax_attempts_per_day = 2\n\
                    reset = { mode = \"self-service\", max_per_client_per_day = 4 }\n";
    let pages = Pages::on(stage, &format!("user@{DOMAIN}"), settings, |stage, site| {
        site.use_proxy(&stage.cloud, &proxy).unwrap();
    });
    let mut people = LANGUAGES.map(Person::new);
    look_at_ended_links(&mut people);
    look_at_strict_rules(&mut people);
    for person in &mut people {
        look_at_accounts(&pages, &proxy, person);
        look_at_a_password_that_is_gone(&pages, &proxy, person);
    }
    look_at_changes_under_way(&pages, &proxy, &mut people);
    for person in &mut people {
        person.browser.open(&format!("{}/reset", pages.serving.url())).unwrap();
        person.browser.type_into("#email", &pages.name).unwrap();
        person.browser.type_into("#pin", RESET_PIN).unwrap();
        person.browser.follow("button").unwrap();
        person.look("too many today", ".bad");
        assert_eq!(person.browser.complaints().unwrap(), Vec::<String>::new(), "{}", person.language);
    }
    expect_translated(&people.map(|person| person.titles), 14);
}

fn look_at_ended_links(people: &mut [Person]) {
    let pages = Pages::new(&format!("expired@{DOMAIN}"), "token_lifetime = \"1ms\"\n");
    for person in people {
        person.try_with(&pages.link(), PIN, CHOSEN);
        person.look("expired", WITH_ACTION);
    }
}

/// What only a Keystone with rules of its own says, and a site where nobody asks for links.
fn look_at_strict_rules(people: &mut [Person]) {
    let stage = Stage::new();
    let folder = tempfile::Builder::new().prefix("usher-strict-").tempdir().unwrap();
    let rules = "unique_last_password_count = 2\nminimum_password_age = 1\n";
    let strict = StrictKeystone::start(&stage.cloud, folder.path(), rules).unwrap();
    let (url, admin) = (strict.url().to_owned(), strict.identity().unwrap());
    let settings = "reset = { mode = \"off\" }\n";
    let pages = Pages::with(stage, url, admin, &format!("strict@{DOMAIN}"), settings, |stage, site| {
        stage.use_account(site, strict.url(), "admin", "adminpw", "admin");
    });
    for person in people {
        let (_, user) = person.user(&pages, "strict");
        person.try_with(&pages.link_for(&user), PIN, FIRST);
        person.look("reused", "#problem");
        submit(&person.browser, PIN, CHOSEN, CHOSEN);
        person.browser.wait_for(".good").unwrap();
        person.try_with(&pages.link_with(&user, CHOSEN), PIN, "yet another password of theirs");
        person.look("locked by Keystone", WITH_ACTION);
        person.browser.open(&format!("{}/reset", pages.serving.url())).unwrap();
        person.look("nobody to ask", ".bad");
    }
}

fn look_at_accounts(pages: &Pages, proxy: &FaultProxy, person: &mut Person) {
    let (_, user) = person.user(pages, "account");
    let link = pages.link_for(&user);
    fail(proxy, Trouble::Unavailable);
    person.try_with(&link, PIN, CHOSEN);
    person.look("unavailable", "#problem");
    proxy.calm();
    patch(pages, &user, &json!({ "enabled": false }));
    person.try_with(&link, PIN, CHOSEN);
    person.look("disabled", ".bad");
    patch(pages, &user, &json!({ "enabled": true }));
    for _ in 0..2 {
        person.try_with(&link, "9999", CHOSEN);
    }
    person.try_with(&pages.link_for(&user), PIN, CHOSEN);
    person.look("locked for today", ".bad");

    let (_, user) = person.user(pages, "elsewhere");
    let link = pages.link_for(&user);
    patch(pages, &user, &json!({ "password": "what an administrator has set" }));
    person.try_with(&link, PIN, CHOSEN);
    person.look("changed elsewhere", WITH_ACTION);

    let (_, user) = person.user(pages, "gone");
    let link = pages.link_for(&user);
    pages.admin.call("DELETE", &format!("/users/{user}"), None).unwrap();
    person.try_with(&link, PIN, CHOSEN);
    person.look("account gone", ".bad");

    let elsewhere = format!("<form method=post action='{link}'><button>Win</button></form>");
    person.browser.open(&format!("data:text/html,{elsewhere}")).unwrap();
    person.browser.follow("button").unwrap();
    person.look("from another site", ".bad");
}

/// A link that was asked for has taken the password by the time that Keystone refuses the new one.
fn look_at_a_password_that_is_gone(pages: &Pages, proxy: &FaultProxy, person: &mut Person) {
    let (name, _) = person.user(pages, "asking");
    person.browser.open(&format!("{}/reset", pages.serving.url())).unwrap();
    person.browser.type_into("#email", &name).unwrap();
    person.browser.type_into("#pin", RESET_PIN).unwrap();
    person.browser.follow("button").unwrap();
    person.browser.wait_for(".good").unwrap();
    let link = process::wait_for("the link", Duration::from_secs(60), || {
        Ok(newcomer::links(&pages.stage.mail, &name).pop())
    })
    .unwrap();
    let link = pages.serving.here(&link).unwrap();
    fail(proxy, Trouble::Refused);
    person.try_with(&link, RESET_PIN, CHOSEN);
    person.look("refused, and the previous one is gone", "#problem");
    proxy.calm();
    assert_eq!(
        usher_tests::identity::authenticate(&pages.keystone, &name, FIRST, None).unwrap().status,
        401,
        "as the page says"
    );
}

/// Keystone changes each password and does not say so: the link is in use for that long, and what became of it is not
/// known afterwards.
fn look_at_changes_under_way(pages: &Pages, proxy: &FaultProxy, people: &mut [Person]) {
    proxy.calm();
    fail(proxy, Trouble::SilentAfter);
    let mut under_way: Vec<(String, JoinHandle<u16>)> = Vec::new();
    for person in &mut *people {
        let (_, user) = person.user(pages, "busy");
        let link = pages.link_for(&user);
        under_way.push((link.clone(), thread::spawn(move || post_alone(&link))));
        process::wait_for("Keystone to be asked", Duration::from_secs(60), || {
            let asked = proxy.calls().iter().filter(|call| call.kind == CHANGE).count();
            Ok((asked >= under_way.len()).then_some(()))
        })
        .unwrap();
        person.try_with(&under_way[under_way.len() - 1].0, PIN, CHOSEN);
        person.look("busy", WITH_ACTION);
    }
    for (person, (link, posted)) in people.iter_mut().zip(under_way) {
        assert_eq!(posted.join().unwrap(), 503, "no answer came");
        proxy.calm();
        person.try_with(&link, PIN, CHOSEN);
        person.look("perhaps changed", WITH_ACTION);
    }
}

/// Sets a password without a browser, and returns the status.
fn post_alone(link: &str) -> u16 {
    let fields = json!({ "pin": PIN, "password": CHOSEN, "confirm_password": CHOSEN });
    web::request("POST", link).json(&fields).send().unwrap().status
}

fn fail(proxy: &FaultProxy, trouble: Trouble) {
    proxy.fault(Fault { kind: CHANGE.to_owned(), nth: 1, always: true, trouble });
}
