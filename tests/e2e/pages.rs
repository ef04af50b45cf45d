//! Setpass's pages in a real browser, as people use them.

mod asking;
mod every_page;
mod in_trouble;

use std::time::Duration;

use serde_json::json;
use usher_tests::browser::{Browser, Reader};
use usher_tests::identity::{self, Identity};
use usher_tests::process;
use usher_tests::serving::Serving;
use usher_tests::sheet::AccessRow;
use usher_tests::site::Site;
use usher_tests::strict_keystone::StrictKeystone;
use usher_tests::web;

use crate::newcomer;
use crate::stage::{Stage, expect_status};

const FIRST: &str = "a random first password";
const CHOSEN: &str = "four words nobody guesses 🐎";
const PIN: &str = "6204";

/// Tab, as WebDriver writes it.
const TAB: char = '\u{e004}';
/// Enter, likewise.
const ENTER: char = '\u{e007}';

/// A site that serves setpass, and a user who is registered there.
struct Pages {
    stage: Stage,
    serving: Serving,
    // Dropped after the server that works in its folder.
    _site: Site,
    keystone: String,
    admin: Identity,
    name: String,
    user: String,
}

impl Pages {
    /// With these lines at the beginning of the settings' section `[setpass]`.
    fn new(name: &str, setpass: &str) -> Self {
        Self::on(Stage::new(), name, setpass, |_, _| {})
    }

    /// On this stage, with other changes to the settings.
    fn on(stage: Stage, name: &str, setpass: &str, prepare: impl FnOnce(&Stage, &Site)) -> Self {
        let (keystone, admin) = (stage.cloud.keystone_url().unwrap(), stage.cloud.identity().unwrap());
        Self::with(stage, keystone, admin, name, setpass, prepare)
    }

    /// With a Keystone that is not the stage's.
    fn with(
        stage: Stage,
        keystone: String,
        admin: Identity,
        name: &str,
        setpass: &str,
        prepare: impl FnOnce(&Stage, &Site),
    ) -> Self {
        let user = admin.create_user(name, FIRST).unwrap();
        let site = stage.site(&[]);
        site.change_settings("[setpass]\n", &format!("[setpass]\n{setpass}")).unwrap();
        prepare(&stage, &site);
        let serving = site.serve().unwrap();
        Self { stage, serving, _site: site, keystone, admin, name: name.to_owned(), user }
    }

    /// A new link for the user.
    fn link(&self) -> String {
        self.link_for(&self.user)
    }

    /// A new link for a user whose password in Keystone is [`FIRST`].
    fn link_for(&self, user: &str) -> String {
        self.link_with(user, FIRST)
    }

    /// The same where Keystone has this password.
    fn link_with(&self, user: &str, password: &str) -> String {
        let url = format!("{}/token/{user}", self.serving.url());
        let request = web::request("PUT", &url).header("X-Auth-Token", self.admin.token());
        let token = request.json(&json!({ "password": password, "pin": PIN })).send().unwrap();
        assert_eq!(token.status, 200, "{token:?}");
        format!("{}/?token={}", self.serving.url(), token.body)
    }

    /// The status that Keystone answers a login with this password with.
    fn login(&self, password: &str) -> u16 {
        identity::authenticate(&self.keystone, &self.name, password, None).unwrap().status
    }
}

/// Fills in the form and sends it.
fn submit(browser: &Browser, pin: &str, password: &str, confirmation: &str) {
    browser.type_into("#pin", pin).unwrap();
    browser.type_into("#password", password).unwrap();
    browser.type_into("#confirm_password", confirmation).unwrap();
    browser.follow("button").unwrap();
}

fn german() -> Browser {
    Browser::start(&Reader { languages: "de-AT,en".to_owned(), ..Reader::default() }).unwrap()
}

#[test]
fn a_newcomer_goes_from_the_mailed_link_to_a_login() {
    let stage = Stage::new();
    let user = "newcomer@pages.example.org";
    let site = stage.site(&[AccessRow::founding(user, "Pages")]);
    site.change_settings(
        "[plugins]\n",
        "[setpass.page]\nlogin_url = \"https://dashboard.example.org/\"\n\n[plugins]\n",
    )
    .unwrap();
    expect_status(&site.import(&["--all"]).unwrap(), 0);
    let serving = site.serve().unwrap();
    let link = serving.here(&newcomer::links(&stage.mail, user)[0]).unwrap();
    let keystone = stage.cloud.keystone_url().unwrap();
    let login =
        |password: &str| identity::authenticate(&keystone, user, password, Some("Pages")).unwrap().status;
    assert_eq!(login(CHOSEN), 401);

    let browser = Browser::start(&Reader::default()).unwrap();
    browser.open(&link).unwrap();
    assert_eq!(browser.text("h1").unwrap(), "Set your password");
    assert!(browser.text(".lead").unwrap().contains("24 hours"));
    // With the keyboard alone, from field to field and over the checkbox to the button.
    browser.type_into("#pin", "4821").unwrap();
    browser.press(&format!("{TAB}")).unwrap();
    browser.type_into("#password", CHOSEN).unwrap();
    browser.press(&format!("{TAB}")).unwrap();
    browser.type_into("#confirm_password", CHOSEN).unwrap();
    assert!(browser.wait_for_words("#strength").unwrap().starts_with("Very good"));
    browser.to_another_page(|| browser.press(&format!("{TAB}{TAB}{ENTER}"))).unwrap();
    assert_eq!(browser.wait_for(".good h1").unwrap(), "Your password is set");
    assert_eq!(browser.text(".action").unwrap(), "Log in");
    assert_eq!(browser.property(".action", "href").unwrap(), "https://dashboard.example.org/");
    assert_eq!(login(CHOSEN), 201);
    assert_eq!(browser.complaints().unwrap(), Vec::<String>::new());
}

#[test]
fn the_form_hints_at_weak_passwords_shows_what_is_typed_and_sends_neither() {
    let pages = Pages::new("user@hints.pages.example.org", "");
    let browser = Browser::start(&Reader::default()).unwrap();
    browser.open(&pages.link()).unwrap();
    let button = || browser.evaluate("return document.querySelector('button').offsetTop").unwrap();
    let before = button();
    assert_eq!(
        (browser.text("#strength").unwrap(), browser.text("#differs").unwrap()),
        (String::new(), String::new())
    );
    browser.type_into("#password", "password1").unwrap();
    assert!(browser.wait_for_words("#strength").unwrap().contains("asy to guess"));
    browser.type_into("#password", " and a lot of other words, too").unwrap();
    process::wait_for("another hint", Duration::from_secs(30), || {
        Ok(browser.text("#strength")?.starts_with("Very good").then_some(()))
    })
    .unwrap();

    browser.type_into("#confirm_password", &format!("something else{TAB}")).unwrap();
    assert_eq!(browser.wait_for_words("#differs").unwrap(), "The two passwords are not the same yet.");
    assert_eq!(button(), before, "the button went away from the pointer");

    let kind = |field: &str| browser.property(field, "type").unwrap();
    assert_eq!((kind("#password"), kind("#confirm_password")), (json!("password"), json!("password")));
    browser.click("#show label").unwrap();
    assert_eq!((kind("#password"), kind("#confirm_password")), (json!("text"), json!("text")));
    browser.click("#show label").unwrap();
    assert_eq!(kind("#password"), "password");

    // Everything came from the server, by GET, and no address holds what was typed.
    let loaded =
        browser.evaluate("return performance.getEntriesByType('resource').map((one) => one.name)").unwrap();
    let loaded: Vec<&str> = loaded.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(loaded.iter().any(|name| name.ends_with("/static/zxcvbn-ts/core.js")), "{loaded:?}");
    let beginning = format!("{}/static/", pages.serving.url());
    assert!(loaded.iter().all(|name| name.starts_with(&beginning) && !name.contains('?')), "{loaded:?}");
    assert_eq!(browser.complaints().unwrap(), Vec::<String>::new());
    assert!(!pages.serving.log().join("\n").contains("POST"));
}

#[test]
fn a_wrong_pin_can_be_mended_until_the_link_is_locked() {
    let pages = Pages::new("user@locked.pages.example.org", "max_attempts = 3\n");
    let browser = german();
    let link = pages.link();
    browser.open(&link).unwrap();
    for left in ["Verbleibende Versuche: 2", "Verbleibende Versuche: 1"] {
        submit(&browser, "9999", CHOSEN, CHOSEN);
        assert!(browser.wait_for("#problem").unwrap().contains(left));
        assert!(
            browser.evaluate("return document.title").unwrap().as_str().unwrap().starts_with("Problem: ")
        );
        assert_eq!(browser.evaluate("return document.activeElement.id").unwrap(), "pin", "where to go on");
        let description =
            browser.evaluate("return document.activeElement.getAttribute('aria-describedby')").unwrap();
        assert_eq!(description, "problem pin-hint");
        for field in ["#pin", "#password", "#confirm_password"] {
            assert_eq!(browser.property(field, "value").unwrap(), "", "{field} came back");
        }
    }
    submit(&browser, "9999", CHOSEN, CHOSEN);
    assert_eq!(browser.wait_for(".bad h1").unwrap(), "Die PIN ist falsch");
    browser.open(&link).unwrap();
    submit(&browser, PIN, CHOSEN, CHOSEN);
    assert_eq!(browser.wait_for(".bad h1").unwrap(), "Dieser Link ist gesperrt");
    assert_eq!((pages.login(FIRST), pages.login(CHOSEN)), (201, 401));

    // A new link, and the same user can set the password.
    browser.open(&pages.link()).unwrap();
    submit(&browser, PIN, CHOSEN, CHOSEN);
    assert_eq!(browser.wait_for(".good h1").unwrap(), "Ihr Passwort ist festgelegt");
    assert_eq!(pages.login(CHOSEN), 201);
}

#[test]
fn what_keystones_rules_refuse_is_told_in_its_words_and_can_be_mended() {
    let stage = Stage::new();
    let folder = tempfile::Builder::new().prefix("usher-strict-").tempdir().unwrap();
    let rules = "change_password_upon_first_use = true\nunique_last_password_count = 2\npassword_regex = ^.{15,}$\n\
                 password_regex_description = At least <fifteen> characters.\n";
    let strict = StrictKeystone::start(&stage.cloud, folder.path(), rules).unwrap();
    let (url, admin) = (strict.url().to_owned(), strict.identity().unwrap());
    let name = "user@rules.pages.example.org";
    let pages = Pages::with(stage, url, admin, name, "max_attempts = 2\n", |stage, site| {
        stage.use_account(site, strict.url(), "admin", "adminpw", "admin");
    });
    assert_eq!(pages.login(FIRST), 401, "Keystone wants another password before anything else");

    let browser = german();
    browser.open(&pages.link()).unwrap();
    // More often than PINs may be tried: a right one with a refused password costs nothing.
    for _ in 0..2 {
        submit(&browser, PIN, "too short", "too short");
        let problem = browser.wait_for("#problem").unwrap();
        assert!(problem.starts_with("Die Cloud nimmt dieses Passwort nicht an."), "{problem}");
        assert!(problem.contains("At least <fifteen> characters."), "{problem}");
        assert_eq!(browser.evaluate("return document.activeElement.id").unwrap(), "password");
        submit(&browser, PIN, FIRST, FIRST);
        let problem = browser.wait_for("#problem").unwrap();
        assert!(problem.starts_with("Dieses Passwort hatten Sie schon einmal"), "{problem}");
        assert!(problem.contains("cannot be identical to a previous password"), "{problem}");
    }
    submit(&browser, PIN, CHOSEN, CHOSEN);
    assert_eq!(browser.wait_for(".good h1").unwrap(), "Ihr Passwort ist festgelegt");
    assert_eq!((pages.login(FIRST), pages.login(CHOSEN)), (401, 201));
}

#[test]
fn an_expired_link_leads_to_the_helpdesk() {
    let pages = Pages::new("user@expired.pages.example.org", "token_lifetime = \"1ms\"\n");
    let browser = german();
    browser.open(&pages.link()).unwrap();
    submit(&browser, PIN, CHOSEN, CHOSEN);
    assert_eq!(browser.wait_for(".bad h1").unwrap(), "Dieser Link ist abgelaufen");
    assert_eq!(pages.login(CHOSEN), 401);

    browser.follow(".action").unwrap();
    assert_eq!(browser.wait_for("h1").unwrap(), "Neues Passwort anfordern");
    browser.type_into("#name", "Erika Beispiel").unwrap();
    browser.type_into("#email", &pages.name).unwrap();
    browser.type_into("#pin", "123456").unwrap();
    browser.follow("button").unwrap();
    assert!(browser.wait_for("#problem").unwrap().contains("unter den ersten erraten"));
    assert_eq!(browser.property("#email", "value").unwrap(), pages.name.as_str(), "need not be typed again");
    browser.type_into("#pin", "830274").unwrap();
    browser.follow("button").unwrap();
    assert_eq!(browser.wait_for(".good h1").unwrap(), "Ihre Anfrage ist angekommen");
    let received = pages.stage.mail.wait_for(1).unwrap();
    assert_eq!(received[0].to, ["helpdesk@example.org"]);
    assert!(!received[0].text.as_deref().unwrap().contains("830274"));
}

#[test]
fn everything_works_where_scripts_do_not_run() {
    let pages = Pages::new("user@scriptless.pages.example.org", "");
    let browser = Browser::start(&Reader { runs_scripts: false, ..Reader::default() }).unwrap();
    browser.open(&pages.link()).unwrap();
    for helper in ["#show", "#strength", "#differs"] {
        assert!(!browser.shows(helper).unwrap(), "{helper} is shown, and a script ran or would be needed");
    }
    submit(&browser, PIN, CHOSEN, "another");
    assert!(browser.wait_for("#problem").unwrap().contains("not the same"));
    submit(&browser, "9999", CHOSEN, CHOSEN);
    assert!(browser.wait_for("#problem").unwrap().contains("Tries left: 4"));
    submit(&browser, PIN, CHOSEN, CHOSEN);
    assert_eq!(browser.wait_for(".good h1").unwrap(), "Your password is set");
    assert_eq!(pages.login(CHOSEN), 201);
}

#[test]
fn a_language_that_is_chosen_on_the_page_stays() {
    let pages = Pages::new("user@chosen.pages.example.org", "");
    let browser =
        Browser::start(&Reader { languages: "fr,id;q=0.5".to_owned(), ..Reader::default() }).unwrap();
    browser.open(&pages.link()).unwrap();
    assert_eq!(browser.text("h1").unwrap(), "Atur kata sandi Anda", "French is not there");
    browser.follow("[hreflang=ja]").unwrap();
    assert_eq!(browser.wait_for("html[lang=ja] h1").unwrap(), "パスワードの設定");
    submit(&browser, "9999", CHOSEN, CHOSEN);
    assert!(browser.wait_for("#problem").unwrap().contains("残り 4 回"));
    browser.follow(".hint a").unwrap();
    assert_eq!(browser.wait_for("html[lang=ja] h1").unwrap(), "新しいパスワードの申請");
    assert!(browser.address().unwrap().ends_with("/reset?lang=ja"));
}
