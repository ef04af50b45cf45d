//! The page where users ask for a link, where Usher itself answers.

use usher_tests::browser::{Browser, Reader};

use super::every_page::{PHONE, check};
use super::{CHOSEN, FIRST, Pages, submit};
use crate::newcomer;

const RESET_PIN: &str = "830274";

/// Without scripts, from asking to a login, in every language; and what is said to who asks too often.
#[test]
fn who_forgot_the_password_asks_for_a_link_in_every_language_and_sets_another() {
    let name = "forgetful@asking.pages.example.org";
    // Each language asks once and once more, which is too often for the last of them.
    // One server: another on the same database, with other settings, might answer what is asked here.
    let reset = "reset = { mode = \"self-service\", max_per_client = 4, max_per_account = 1 }\n";
    let pages = Pages::new(name, reset);
    let serving = &pages.serving;
    let languages = ["en", "de", "id", "ja"];
    let mut browsers: Vec<Browser> = Vec::new();
    for language in languages {
        let reader = Reader { languages: language.to_owned(), width: Some(PHONE), ..Reader::default() };
        let browser = Browser::start(&reader).unwrap();
        browser.open(&format!("{}/reset", serving.url())).unwrap();
        check(&browser, language, "self-service", "#email");
        assert_eq!(
            browser.evaluate("return document.querySelector('#name')").unwrap(),
            serde_json::Value::Null
        );
        ask(&browser, name);
        check(&browser, language, "received by Usher", ".good");
        browsers.push(browser);
    }
    let mut titles = Vec::new();
    for (browser, language) in browsers.iter().zip(languages) {
        browser.open(&format!("{}/reset", serving.url())).unwrap();
        ask(browser, name);
        titles.push(check(browser, language, "too many", ".bad"));
        assert_eq!(browser.complaints().unwrap(), Vec::<String>::new(), "{language}");
    }
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), 4, "{titles:?}");
    drop(browsers);

    pages.stage.mail.wait_for(1).unwrap();
    let links = newcomer::links(&pages.stage.mail, name);
    assert_eq!(pages.login(FIRST), 201, "the present password works until the link is used");
    let browser = Browser::start(&Reader { runs_scripts: false, ..Reader::default() }).unwrap();
    browser.open(&serving.here(&links[0]).unwrap()).unwrap();
    submit(&browser, RESET_PIN, CHOSEN, CHOSEN);
    assert_eq!(browser.wait_for(".good h1").unwrap(), "Your password is set");
    assert_eq!((pages.login(FIRST), pages.login(CHOSEN)), (401, 201));
    assert_eq!(newcomer::links(&pages.stage.mail, name).len(), 1, "one link a day for one account");
}

fn ask(browser: &Browser, email: &str) {
    browser.type_into("#email", email).unwrap();
    browser.type_into("#pin", RESET_PIN).unwrap();
    browser.follow("button").unwrap();
}
