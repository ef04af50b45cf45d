use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::Value;

use super::*;
use crate::http::tests::Served;

fn document() -> Value {
    serde_json::from_str(&DOCUMENT).unwrap()
}

#[tokio::test]
async fn the_description_is_served_and_names_every_operation() {
    let served = Served::new().await;
    let answer = served.get("/openapi.json").await;
    assert_eq!(
        (answer.status, answer.headers["content-type"].as_bytes()),
        (200, b"application/json".as_slice())
    );
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    // What a path can do, its answer to any other method says.
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths {
        let other = Request::builder().method(Method::PATCH).uri(path.replace("{user_id}", "u1"));
        let answer = served.call(other.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 405, "{path}");
        let allowed = answer.headers["allow"].to_str().unwrap().to_lowercase();
        let mut allowed: Vec<_> = allowed.split(',').filter(|method| *method != "head").collect();
        allowed.sort_unstable();
        let mut described: Vec<_> = item.as_object().unwrap().keys().collect();
        described.sort();
        assert_eq!(described, allowed, "{path}");
    }
    for path in ["/", "/token/{user_id}", "/reset", "/healthz"] {
        assert!(paths.contains_key(path), "{path}");
    }
}

#[test]
fn refusals_are_told_in_every_form_and_tokens_as_plain_text_alone() {
    let document = document();
    let forms = |pointer: &str| {
        let responses = document.pointer(pointer).unwrap().as_object().unwrap();
        let kinds = |response: &Value| -> Vec<String> {
            response["content"].as_object().unwrap().keys().cloned().collect()
        };
        responses.iter().map(|(status, response)| (status.clone(), kinds(response))).collect::<Vec<_>>()
    };
    for (status, kinds) in forms("/paths/~1/post/responses") {
        assert_eq!(kinds, ["application/json", "text/html", "text/plain"], "{status}");
    }
    for (status, kinds) in forms("/paths/~1token~1{user_id}/put/responses") {
        match status.as_str() {
            "200" => assert_eq!(kinds, ["text/plain"]),
            _ => assert_eq!(kinds, ["application/json", "text/plain"], "{status}"),
        }
    }
    let scheme = &document["components"]["securitySchemes"]["keystone"];
    assert_eq!((&scheme["in"], &scheme["name"]), (&"header".into(), &"X-Auth-Token".into()));
    assert!(document.pointer("/paths/~1token~1{user_id}/put/security/0/keystone").is_some());
    let after = document.pointer("/paths/~1/post/responses/503/headers/Retry-After");
    assert!(after.is_some(), "{document:#}");
}
