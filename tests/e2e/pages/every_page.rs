//! Every page in every language, on a phone, in light and dark; those of trouble are beside this.

use std::path::PathBuf;

use usher_tests::browser::{Browser, Reader};
use usher_tests::fault_proxy::{Fault, FaultProxy, Trouble};

use super::{CHOSEN, FIRST, PIN, Pages, submit};
use crate::stage::Stage;

/// Where to write pictures of the pages, for the README. Not written where this is not set.
const PICTURES: &str = "USHER_PAGES_PICTURES";

/// The width of a small phone.
pub(super) const PHONE: u32 = 375;

/// The pages that pictures are made of: language, page, dark.
const PICTURED: [(&str, &str, bool); 4] =
    [("en", "form", false), ("ja", "hint", true), ("de", "locked", false), ("id", "set", true)];

#[test]
fn every_page_in_every_language_fits_a_phone_and_keeps_nobody_out() {
    let stage = Stage::new();
    let proxy = FaultProxy::start(&stage.cloud).unwrap();
    let settings = "max_attempts = 2\nmax_attempts_per_day = 1000\n";
    let logo = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/logo.svg");
    let page = format!(
        "[setpass.page]\nlogo = \"{logo}\"\nlogin_url = \"https://dashboard.example.org/\"\n\n[plugins]\n"
    );
    let pages = Pages::on(stage, "user@every.pages.example.org", settings, |stage, site| {
        site.use_proxy(&stage.cloud, &proxy).unwrap();
        site.change_settings("[plugins]\n", &page).unwrap();
    });
    let mut titles = Vec::new();
    for language in ["en", "de", "id", "ja"] {
        let reader = Reader { languages: language.to_owned(), width: Some(PHONE), ..Reader::default() };
        let browser = Browser::start(&reader).unwrap();
        titles.push(look_at_every_page(&pages, &proxy, &browser, language));
        assert_eq!(browser.complaints().unwrap(), Vec::<String>::new(), "{language}");
    }
    expect_translated(&titles, 14);
}

/// So many pages were there in each language, and no title was left in another one.
pub(super) fn expect_translated(titles: &[Vec<String>], count: usize) {
    for titles in titles {
        assert_eq!(titles.len(), count, "{titles:?}");
    }
    for number in 0..count {
        let mut same: Vec<&String> = titles.iter().map(|titles| &titles[number]).collect();
        same.sort();
        same.dedup();
        assert_eq!(same.len(), titles.len(), "{same:?}");
    }
}

/// Brings every page about, and returns their titles.
fn look_at_every_page(pages: &Pages, proxy: &FaultProxy, browser: &Browser, language: &str) -> Vec<String> {
    let user = pages.admin.create_user(&format!("{language}@every.pages.example.org"), FIRST).unwrap();
    let mut titles = Vec::new();
    let mut look = |name: &str, sign: &str| titles.push(check(browser, language, name, sign));
    let url = pages.serving.url().to_owned();

    browser.open(&format!("{url}/")).unwrap();
    look("incomplete", ".bad + p .action");
    browser.open(&format!("{url}/nowhere")).unwrap();
    look("nowhere", ".bad + p .action");
    browser.open(&format!("{url}/?token=unknown")).unwrap();
    submit(browser, PIN, CHOSEN, CHOSEN);
    look("unknown", ".bad + p .action");

    let link = pages.link_for(&user);
    browser.open(&link).unwrap();
    look("form", "#show-passwords");
    browser.type_into("#pin", PIN).unwrap();
    browser.type_into("#password", "password1").unwrap();
    browser.type_into("#confirm_password", "password2\u{e004}").unwrap();
    browser.wait_for_words("#differs").unwrap();
    browser.click("#show label").unwrap();
    look("hint", "#strength[data-score='0']");
    browser.follow("button").unwrap();
    look("mismatch", "#problem");
    proxy.fault(Fault {
        kind: "POST /identity/v3/users/*/password".to_owned(),
        nth: 1,
        always: true,
        trouble: Trouble::Refused,
    });
    submit(browser, PIN, CHOSEN, CHOSEN);
    look("refused", "#problem");
    assert!(proxy.calls().iter().any(|call| call.status == Some(400)), "Keystone was asked, and refused");
    proxy.calm();
    submit(browser, "9999", CHOSEN, CHOSEN);
    look("wrong PIN", "#pin[aria-invalid=true]");
    submit(browser, "9999", CHOSEN, CHOSEN);
    look("last try", ".bad + p .action");
    browser.open(&link).unwrap();
    submit(browser, PIN, CHOSEN, CHOSEN);
    look("locked", ".bad + p .action");

    browser.open(&format!("{url}/reset")).unwrap();
    look("reset", "#email");
    browser.type_into("#email", "user@example.org").unwrap();
    browser.type_into("#pin", "123456").unwrap();
    browser.follow("button").unwrap();
    look("reset again", "#pin[aria-invalid=true]");
    browser.type_into("#pin", "830274").unwrap();
    browser.follow("button").unwrap();
    look("received", ".good");

    browser.open(&pages.link_for(&user)).unwrap();
    submit(browser, PIN, CHOSEN, CHOSEN);
    look("set", ".good + p .action");
    titles
}

/// Looks at the page that the browser shows and that has this sign, and returns its title.
pub(super) fn check(browser: &Browser, language: &str, name: &str, sign: &str) -> String {
    let what = format!("{name} in {language}");
    if let Err(error) = browser.wait_for(sign) {
        panic!("{what}: {error:#}; the page says:\n{}", browser.text("main").unwrap());
    }
    assert_eq!(browser.evaluate("return document.documentElement.lang").unwrap(), language, "{what}");
    let widths = "return [document.documentElement.scrollWidth, window.innerWidth]";
    let widths = browser.evaluate(widths).unwrap();
    assert_eq!(widths, serde_json::json!([PHONE, PHONE]), "{what} is wider than a phone");
    for dark in [false, true] {
        browser.prefer_dark(dark).unwrap();
        let barriers = browser.barriers().unwrap();
        assert!(barriers.is_empty(), "{what}, dark {dark}:\n{}", barriers.join("\n"));
        if let Some(folder) = std::env::var_os(PICTURES)
            && PICTURED.contains(&(language, name, dark))
        {
            let shade = if dark { "dark" } else { "light" };
            let file = PathBuf::from(folder).join(format!("{name}-{language}-{shade}.png"));
            browser.photograph(&file).unwrap();
        }
    }
    browser.evaluate("return document.title").unwrap().as_str().unwrap().to_owned()
}
