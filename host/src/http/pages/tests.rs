use std::collections::BTreeSet;
use std::path::Path;

use askama::Template as _;
use axum::body::Body;
use axum::http::Request;
use url::form_urlencoded;

use super::{Frame, SetPasswordPage};
use crate::http::audience::{Accepts, Audience};
use crate::http::language::Language;
use crate::http::tests::{Answer, Served};
use crate::setpass::fixture::{PIN, RANDOM_PASSWORD, text};

async fn get_as(served: &Served, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request =
        headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    served.call(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn pages_are_in_the_readers_language_and_say_so() {
    let served = Served::new().await;
    for language in Language::all() {
        for path in ["/?token=x", "/reset", "/", "/nowhere"] {
            let answer = get_as(&served, path, &[("accept-language", language.tag)]).await;
            assert!(answer.body.contains(&format!("<html lang=\"{}\">", language.tag)), "{path}");
            assert_eq!(answer.headers["content-language"], language.tag);
        }
    }
    let chosen = get_as(&served, "/?token=a%26b&lang=ja", &[("accept-language", "de")]).await;
    assert!(chosen.body.contains("パスワードの設定"), "{}", chosen.body);
    assert!(chosen.body.contains("/setpass/reset?lang=ja"), "the choice is kept: {}", chosen.body);
    assert!(chosen.body.contains("href=\"?token=a%26b&#38;lang=de\""), "{}", chosen.body);
}

#[tokio::test]
async fn the_form_that_was_put_together_before_is_the_one_that_would_be_now() {
    let served = Served::new().await;
    let look = &served.services.look;
    for (language, has_chosen) in
        Language::all().iter().flat_map(|language| [(language, false), (language, true)])
    {
        for token in ["T0ken", "a&b\"<c>'d + e%/\u{e4}", "&#38;"] {
            let query: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
            let address = format!("/?token={query}").parse().unwrap();
            let audience = Audience { accepts: Accepts::Page, language, has_chosen, address };
            let frame = Frame::of(look, &audience);
            let now = SetPasswordPage { frame, problem: None }.render().unwrap();
            assert_eq!(look.form(&audience).with(token), now, "{token} {has_chosen}");
        }
    }
}

/// The addresses that a page in this language leads to for other languages and its own, relative to its own address.
fn translations(page: &Answer, shown: &str) -> Vec<(&'static str, String)> {
    let links = page.body.split("<li><a href=\"").skip(1);
    let links: Vec<_> = links.map(|link| link.split_once('"').unwrap()).collect();
    let languages = Language::all();
    assert_eq!(links.len(), languages.len(), "{}", page.body);
    let read = |((query, rest), language): (&(&str, &str), &Language)| {
        let link = rest.split_once('>').unwrap().0;
        assert!(link.contains(&format!("lang=\"{0}\" hreflang=\"{0}\"", language.tag)), "{link}");
        assert_eq!(link.contains("aria-current"), language.tag == shown, "{link}");
        (language.tag, query.replace("&#38;", "&"))
    };
    links.iter().zip(languages).map(read).collect()
}

/// Whatever a page is about, it leads to itself in other languages, or where it came of a form, to the form.
#[tokio::test]
async fn every_page_leads_to_other_languages_without_losing_what_it_is_about() {
    let served = Served::new().await;
    let link = served.fixture.link().await;
    let (form, unknown) = (format!("/?token={}", text(&link.token)), "/?token=unknown");
    let mismatch = [("pin", PIN), ("password", "a"), ("confirm_password", "b")];
    let chosen = [("pin", PIN), ("password", "one that suits us"), ("confirm_password", "one that suits us")];
    let form_sign = "name=\"confirm_password\"";
    let pages = [
        ("form", served.get(&form).await, form.as_str(), form_sign),
        ("problem", served.post(&form, &mismatch).await, &form, form_sign),
        ("unknown link", served.post(unknown, &chosen).await, unknown, form_sign),
        ("no token", served.get("/").await, "/", "class=\"bad\""),
        ("no token sent", served.post("/", &chosen).await, "/", "class=\"bad\""),
        ("nowhere", served.get("/nowhere").await, "/nowhere", "class=\"bad\""),
        ("request", served.get("/reset").await, "/reset", "name=\"email\""),
        ("no request", served.post("/reset", &[]).await, "/reset", "name=\"email\""),
    ];
    for (what, page, address, sign) in pages {
        for (tag, query) in translations(&page, "en") {
            let own =
                form_urlencoded::parse(address.split_once('?').map_or("", |(_, query)| query).as_bytes());
            let led: Vec<_> = form_urlencoded::parse(&query.as_bytes()[1..]).collect();
            assert_eq!(led, own.chain([("lang".into(), tag.into())]).collect::<Vec<_>>(), "{what}");
            let path = address.split('?').next().unwrap();
            let translated = served.get(&format!("{path}{query}")).await;
            assert!(translated.body.contains(&format!("<html lang=\"{tag}\">")), "{what} {tag}");
            assert!(translated.body.contains(sign), "{what} {tag}: {}", translated.body);
            assert_eq!(translations(&translated, tag).len(), Language::all().len());
        }
    }
    assert_eq!(served.fixture.password(), RANDOM_PASSWORD, "nothing was sent again");
}

/// The form would be no answer to who has sent it with success.
#[tokio::test]
async fn what_was_done_is_told_again_in_other_languages_and_not_done_again() {
    let served = Served::new().await;
    let link = served.fixture.link().await;
    let path = format!("/?token={}", text(&link.token));
    let chosen = [("pin", PIN), ("password", "one that suits us"), ("confirm_password", "one that suits us")];
    let asked = [("email", "user@example.org"), ("pin", "830274")];
    for (path, form) in [(path.as_str(), &chosen[..]), ("/reset", &asked[..])] {
        let done = served.post(path, form).await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert!(!done.body.contains(text(&link.token)));
        let mut titles = BTreeSet::new();
        for (tag, query) in translations(&done, "en") {
            let again = served.get(&format!("{}{query}", path.split('?').next().unwrap())).await;
            assert!(again.status == 200 && again.body.contains("class=\"good\""), "{tag}: {}", again.body);
            assert_eq!(translations(&again, tag).len(), Language::all().len());
            let title = again.body.split_once("<h1>").unwrap().1.split_once("</h1>").unwrap().0.to_owned();
            assert_eq!(done.body.contains(&title), tag == "en", "{title}");
            titles.insert(title);
        }
        assert_eq!(titles.len(), Language::all().len(), "{titles:?}");
    }
    assert_eq!(served.fixture.identity.lock().unwrap().changes, 1);
}

#[tokio::test]
async fn answers_to_what_was_sent_are_in_the_readers_language_also_as_json_and_text() {
    let served = Served::new().await;
    let link = served.fixture.link().await;
    let path = format!("/?token={}&lang=de", text(&link.token));
    let page = served.post(&path, &[("pin", PIN), ("password", "a"), ("confirm_password", "b")]).await;
    assert_eq!(page.status, 400);
    assert!(page.body.contains("Die beiden Passwörter sind nicht gleich."), "{}", page.body);
    assert!(
        page.body.contains("aria-describedby=\"problem password-hint strength\" autofocus"),
        "{}",
        page.body
    );
    let unknown = |accept| {
        Request::post("/?token=unknown")
            .header("accept", accept)
            .header("accept-language", "id")
            .body(Body::from(format!("pin={PIN}&password=not+a+weak+one&confirm_password=not+a+weak+one")))
    };
    let json = served.call(unknown("application/json").unwrap()).await;
    assert_eq!((json.status, json.outcome().as_str()), (404, "unknown-link"));
    assert!(json.body.contains("Mungkin tautan ini sudah dipakai"), "{}", json.body);
    let plain = served.call(unknown("text/plain").unwrap()).await;
    assert_eq!(plain.status, 404);
    assert!(plain.body.starts_with("Tautan ini tidak dikenal\nMungkin"), "{}", plain.body);
}

#[tokio::test]
async fn who_takes_no_pages_is_answered_in_plain_text_with_the_same_status() {
    let served = Served::new().await;
    for (path, status) in [("/?token=x", 200), ("/", 404), ("/reset", 200), ("/nowhere", 404)] {
        let answer = get_as(&served, path, &[("accept", "text/plain")]).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/plain"), "{path}");
        assert!(!answer.body.contains('<') && answer.body.ends_with('\n'), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn what_pages_load_is_there_with_its_type_and_below_the_public_url() {
    let served = Served::new().await;
    let form = served.get("/?token=x").await.body;
    for (path, kind) in [
        ("icon.svg", "image/svg+xml"),
        ("usher.css", "text/css; charset=utf-8"),
        ("site.css", "text/css; charset=utf-8"),
        ("usher.js", "text/javascript; charset=utf-8"),
        ("zxcvbn-ts/core.js", "text/javascript; charset=utf-8"),
        ("zxcvbn-ts/common.js", "text/javascript; charset=utf-8"),
    ] {
        assert!(form.contains(&format!("\"/setpass/static/{path}\"")), "{path}");
        let answer = served.get(&format!("/static/{path}")).await;
        assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, kind), "{path}");
        assert_eq!(answer.headers["cache-control"], "public, max-age=3600");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    let licence = served.get("/static/zxcvbn-ts/LICENSE.txt").await.body;
    assert!(licence.contains("Permission is hereby granted"), "{licence}");
    assert!(!form.contains("/static/logo"));
    assert_eq!(served.get("/static/logo").await.status, 404, "this site has none");
}

#[test]
fn everything_that_templates_say_is_in_the_languages_files_and_nothing_else_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let mut said = BTreeSet::new();
    for template in ["layout", "notice", "problem", "reset", "set_password"] {
        let template = read(&format!("templates/{template}.html"));
        let ids =
            template.split("frame.say(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        said.extend(ids);
    }
    assert!(said.len() > 15, "{said:?}");
    let english = read("locales/en.ftl");
    let messages: BTreeSet<&str> = english
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split(" =").next())
        .collect();
    for id in &said {
        assert!(messages.contains(id.as_str()), "{id} is in no file");
    }
    let handlers: String = [
        "answer",
        "limits",
        "origin",
        "pages",
        "pages/frame",
        "pages/look",
        "request_reset",
        "set_password",
        "view_form",
        "view_reset",
    ]
    .iter()
    .map(|file| read(&format!("src/http/{file}.rs")))
    .collect();
    for id in messages {
        assert!(said.contains(id) || handlers.contains(&format!("\"{id}\"")), "nobody says {id}");
    }
}
