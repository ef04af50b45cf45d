use std::collections::BTreeSet;
use std::path::Path;

use askama::Template as _;
use axum::body::Body;
use axum::http::Request;

use super::{Frame, SetPasswordPage};
use crate::http::audience::{Accepts, Audience};
use crate::http::language::Language;
use crate::http::tests::{Answer, Served};
use crate::setpass::fixture::{PIN, text};

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
            let audience = Audience { accepts: Accepts::Page, language, has_chosen };
            let frame = Frame::of(look, audience).in_all_languages(Some(token));
            let now = SetPasswordPage { frame, problem: None }.render().unwrap();
            assert_eq!(look.form(audience).with(token), now, "{token} {has_chosen}");
        }
    }
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
