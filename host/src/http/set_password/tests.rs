mod same_work;
mod timing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts as _, State};
use axum::http::{Request, StatusCode};
use serde_json::json;

use crate::http::ClientAddress;
use crate::http::audience::Audience;
use crate::http::fields::TokenQuery;
use crate::http::limits::Deadline;
use crate::http::tests::{Answer, Served};
use crate::setpass::fixture::{PIN, RANDOM_PASSWORD, REFUSAL, USER, WEAK_PASSWORD, WRONG_PIN, text};

const CHOSEN: &str = "Tr0ub4dor & Søn 🐎";

async fn linked() -> (Served, String) {
    let served = Served::new().await;
    let link = served.fixture.link().await;
    let path = format!("/?token={}", text(&link.token));
    (served, path)
}

async fn try_with(served: &Served, path: &str, pin: &str, password: &str) -> Answer {
    served.post(path, &[("pin", pin), ("password", password), ("confirm_password", password)]).await
}

#[tokio::test]
async fn a_browser_sets_the_password_with_any_character_of_unicode() {
    let (served, path) = linked().await;
    let form = served.get(&path).await;
    assert_eq!(form.status, 200);
    assert!(form.body.contains("Links from the mail work for one hour."), "{}", form.body);
    for part in ["<form method=\"post\">", "autocomplete=\"new-password\"", "name=\"confirm_password\""] {
        assert!(form.body.contains(part), "{part}");
    }
    let answer = try_with(&served, &path, " 4711 ", CHOSEN).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(served.fixture.password(), CHOSEN);
    assert_eq!(try_with(&served, &path, PIN, CHOSEN).await.status, 404);
}

#[tokio::test]
async fn opening_the_link_counts_and_consumes_nothing() {
    let (served, path) = linked().await;
    for _ in 0..30 {
        assert_eq!(served.get(&path).await.status, 200);
        let head = Request::head(&path).body(Body::empty()).unwrap();
        assert_eq!(served.call(head).await.status, 200);
    }
    assert_eq!(try_with(&served, &path, PIN, CHOSEN).await.status, 200);
}

#[tokio::test]
async fn without_a_token_there_is_no_form_and_nothing_is_set() {
    let served = Served::new().await;
    for path in ["/", "/?token="] {
        assert_eq!(served.get(path).await.status, 404);
        assert_eq!(try_with(&served, path, PIN, CHOSEN).await.status, 400);
    }
}

#[tokio::test]
async fn missing_and_different_fields_are_400_and_cost_no_attempt() {
    let (served, path) = linked().await;
    for _ in 0..3 {
        for form in [
            vec![],
            vec![("pin", PIN), ("password", "a")],
            vec![("pin", PIN), ("confirm_password", "a"), ("password", "")],
            vec![("password", "a"), ("confirm_password", "a")],
            vec![("pin", PIN), ("password", "a"), ("confirm_password", "b")],
            vec![("pin", "47a1"), ("password", "a"), ("confirm_password", "a")],
        ] {
            let answer = served.post(&path, &form).await;
            assert_eq!(answer.status, 400, "{form:?}");
            assert!(answer.body.contains("role=\"alert\"") && answer.body.contains("name=\"pin\""));
        }
    }
    let wrong = served
        .post_json(&path, &json!({"pin": WRONG_PIN, "password": CHOSEN, "confirm_password": CHOSEN}))
        .await;
    assert!(wrong.body.contains("Tries left: 4"), "{}", wrong.body);
}

#[tokio::test]
async fn wrong_pins_are_403_until_the_link_is_locked() {
    let (served, path) = linked().await;
    for left in ["Tries left: 4", "Tries left: 3", "Tries left: 2", "Tries left: 1", "last try"] {
        let answer = try_with(&served, &path, WRONG_PIN, CHOSEN).await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains(left), "{}", answer.body);
        assert!(!answer.body.contains(WRONG_PIN) && !answer.body.contains("Tr0ub4dor"), "a secret came back");
    }
    let locked = try_with(&served, &path, PIN, CHOSEN).await;
    assert_eq!(locked.status, 403);
    assert!(locked.body.contains("locked"), "{}", locked.body);
    assert_eq!(served.fixture.password(), RANDOM_PASSWORD);
}

#[tokio::test]
async fn expired_links_are_403_and_unknown_ones_404() {
    let (served, path) = linked().await;
    assert_eq!(try_with(&served, "/?token=unknown", PIN, CHOSEN).await.status, 404);
    served.fixture.clock.advance(jiff::SignedDuration::from_hours(1));
    let expired = try_with(&served, &path, PIN, CHOSEN).await;
    assert_eq!(expired.status, 403);
    assert!(expired.body.contains("expired") && expired.body.contains("/setpass/reset"), "{}", expired.body);
}

#[tokio::test]
async fn keystones_refusal_is_shown_in_its_words_and_escaped() {
    let (served, path) = linked().await;
    let refused = try_with(&served, &path, PIN, WEAK_PASSWORD).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("&#60;ten&#62; characters") && refused.body.contains("name=\"password\""));
    let json = json!({"pin": PIN, "password": WEAK_PASSWORD, "confirm_password": WEAK_PASSWORD});
    let refused = served.post_json(&path, &json).await;
    assert_eq!((refused.status, refused.outcome().as_str()), (400, "refused"));
    assert!(refused.body.contains(REFUSAL));
    assert_eq!(try_with(&served, &path, PIN, CHOSEN).await.status, 200);
}

#[tokio::test]
async fn while_keystone_is_away_the_answer_is_503_and_the_link_stays() {
    let (served, path) = linked().await;
    served.fixture.identity.lock().unwrap().down = true;
    for _ in 0..6 {
        let answer = try_with(&served, &path, PIN, CHOSEN).await;
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains_key("retry-after"));
    }
    served.fixture.identity.lock().unwrap().down = false;
    assert_eq!(try_with(&served, &path, PIN, CHOSEN).await.status, 200);
}

/// However long Keystone may take for all calls and repetitions that the settings allow, who waits is answered in time.
#[tokio::test]
async fn who_asks_for_a_change_that_keystone_is_silent_about_is_answered_in_time_and_may_try_again() {
    let (served, path) = linked().await;
    served.fixture.identity.lock().unwrap().is_silent = true;
    let request = Request::post(&path).header("accept", "application/json").body(()).unwrap();
    let (mut parts, ()) = request.into_parts();
    let query = TokenQuery::from_request_parts(&mut parts, &()).await.unwrap();
    let audience = Audience::from_request_parts(&mut parts, &()).await.unwrap();
    let deadline = Deadline(tokio::time::Instant::now() + Duration::from_secs(2));
    let body = json!({"pin": PIN, "password": CHOSEN, "confirm_password": CHOSEN}).to_string();
    let services = State(Arc::new(served.services.clone()));
    let client = ClientAddress("192.0.2.1".parse().unwrap());
    let answering = super::set_password(services, audience, client, deadline, query, body.into());
    let answer = tokio::time::timeout(Duration::from_secs(20), answering).await.expect("it is in time");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "30");
    served.fixture.identity.lock().unwrap().is_silent = false;
    assert_eq!(try_with(&served, &path, PIN, CHOSEN).await.status, 200, "and nothing stands in the way");
}

#[tokio::test]
async fn a_password_changed_elsewhere_is_409() {
    let (served, path) = linked().await;
    for password in served.fixture.identity.lock().unwrap().passwords.values_mut() {
        "set by an administrator".clone_into(password);
    }
    let json = json!({"pin": PIN, "password": CHOSEN, "confirm_password": CHOSEN});
    let answer = served.post_json(&path, &json).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (409, "changed-elsewhere"));
    for part in ["another one has been set", "locked it for a while", "in half an hour"] {
        assert!(answer.body.contains(part), "{part}: {}", answer.body);
    }
    let page = try_with(&served, &path, PIN, CHOSEN).await;
    assert!(page.status == 409 && page.body.contains("/setpass/reset"), "{}", page.body);
}

#[tokio::test]
async fn an_account_that_is_gone_is_told_and_its_link_unknown_from_then_on() {
    let (served, path) = linked().await;
    served.fixture.identity.lock().unwrap().gone = true;
    let json = json!({"pin": PIN, "password": CHOSEN, "confirm_password": CHOSEN});
    let answer = served.post_json(&path, &json).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (404, "account-gone"));
    let again = served.post_json(&path, &json).await;
    assert_eq!((again.status, again.outcome().as_str()), (404, "unknown-link"));
}

#[tokio::test]
async fn json_is_read_whatever_its_type_and_answered_to_those_who_accept_it() {
    let (served, path) = linked().await;
    let body = json!({"pin": PIN, "password": CHOSEN, "confirm_password": CHOSEN});
    let request = Request::post(&path).header("content-type", "application/x-www-form-urlencoded");
    let answer = served.call(request.body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.starts_with("<!doctype html>"));
    let answer = served.post_json(&path, &body).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (404, "unknown-link"));
}

#[tokio::test]
async fn what_cannot_be_a_password_is_told_with_what_to_do_and_costs_no_attempt() {
    let (served, path) = linked().await;
    for _ in 0..3 {
        for (password, told) in [
            ("short", "at least 8 characters"),
            ("iloveyou1", "among the first"),
            ("example cloud", "the name of this site"),
            ("user@example.org", "your name"),
            ("with\ttab inside", "cannot be typed"),
        ] {
            let refused = try_with(&served, &path, PIN, password).await;
            assert_eq!(refused.status, 400, "{password}");
            assert!(
                refused.body.contains(told) && refused.body.contains("name=\"password\""),
                "{}",
                refused.body
            );
        }
    }
    let json = json!({"pin": PIN, "password": "short", "confirm_password": "short"});
    assert_eq!(served.post_json(&path, &json).await.outcome(), "unusable-password");
    assert_eq!(try_with(&served, &path, PIN, CHOSEN).await.status, 200);
}

#[tokio::test]
async fn the_audit_trail_tells_one_client_from_another() {
    let (served, path) = linked().await;
    for address in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        let fields = json!({"pin": WRONG_PIN, "password": CHOSEN, "confirm_password": CHOSEN});
        let mut request = Request::post(&path).body(Body::from(fields.to_string())).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address.parse().unwrap(), 4711)));
        assert_eq!(served.call(request).await.status, 403);
    }
    let events = served.fixture.database.setpass_events(USER, 3).await.unwrap();
    let clients: Vec<&str> = events.iter().map(|event| event.client.as_str()).collect();
    assert!(!clients[0].is_empty() && clients[0] == clients[1] && clients[1] != clients[2], "{clients:?}");
}

#[test]
fn every_refusal_has_words_in_every_language_and_a_title_where_it_is_a_page() {
    use crate::http::language::Language;
    use crate::setpass::{RedeemError as E, UnusablePassword as U};

    let words = || "<words>".to_owned();
    let errors = || {
        vec![
            E::Unknown,
            E::Expired,
            E::WrongPin { left: 0 },
            E::WrongPin { left: 2 },
            E::Locked,
            E::LockedForToday,
            E::InvalidPin(crate::setpass::InvalidPin),
            E::Busy,
            E::UnusablePassword(U::TooShort { shortest: 12 }),
            E::UnusablePassword(U::TooLong),
            E::UnusablePassword(U::ControlCharacter),
            E::UnusablePassword(U::Common),
            E::UnusablePassword(U::Name),
            E::Refused(words()),
            E::Reused(words()),
            E::ChangedElsewhere { is_last: false },
            E::ChangedElsewhere { is_last: true },
            E::AccountGone,
            E::PerhapsChanged,
            E::LockedByKeystone(words()),
            E::Disabled,
            E::Setpass(crate::setpass::SetpassError::Overloaded),
        ]
    };
    for error in errors() {
        let said = format!("{error:?}");
        let quotes = matches!(error, E::Refused(_) | E::Reused(_) | E::LockedByKeystone(_));
        let outcome = super::refusal(error);
        for language in Language::all() {
            let text = language.say(&outcome.notice.phrase);
            assert!(text.chars().count() > 15 && !text.contains(['{', '$']), "{language:?}, {said}: {text}");
            assert_eq!(text.contains("<words>"), quotes, "{language:?}, {said}: {text}");
            let title = language.title(&outcome.notice.phrase);
            assert_eq!(title.is_none(), outcome.form.is_some(), "{language:?}, {said}: {title:?}");
        }
    }
}

/// Such a link has taken the present password by the time that Keystone refuses the new one.
#[tokio::test]
async fn who_asked_for_the_link_is_told_in_every_language_that_the_previous_password_is_gone() {
    let served = Served::new().await;
    let asked = served.fixture.reset_link("830274").await;
    let registered = served.fixture.link_of("u2").await;
    served.fixture.identity.lock().unwrap().passwords.insert("u2".to_owned(), RANDOM_PASSWORD.to_owned());
    for (language, words) in [
        ("en", "Your previous password does not work any more"),
        ("de", "Ihr bisheriges Passwort gilt nicht mehr"),
        ("id", "Kata sandi Anda yang lama tidak berlaku lagi"),
        ("ja", "以前のパスワードはもう使えません"),
    ] {
        for (token, pin, is_told) in
            [(&asked.issued().token, "830274", true), (&registered.token, PIN, false)]
        {
            let path = format!("/?token={}&lang={language}", text(token));
            let refused = try_with(&served, &path, pin, WEAK_PASSWORD).await;
            assert_eq!(refused.status, 400, "{}", refused.body);
            assert_eq!(refused.body.contains(words), is_told, "{language}: {}", refused.body);
        }
    }
}
