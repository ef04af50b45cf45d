//! `GET /healthz` and `GET /readyz`: for what watches the server, and for what sends users to it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use crate::readiness::{self, Readiness};

/// Says that the process answers.
///
/// Whatever the services that it uses are doing.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    tag = "probes",
    responses((status = 200, description = "It does", body = str, content_type = "text/plain", example = "ok"))
)]
pub(super) async fn alive() -> &'static str {
    "ok"
}

/// Says whether a user could set a password now.
///
/// What was found out holds for some seconds.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readiness",
    tag = "probes",
    responses(
        (status = 200, description = "A user could", body = inline(readiness::State)),
        (status = 503, description = "A user could not, and which part is to blame; or the server is about to stop",
            body = inline(readiness::State))
    )
)]
pub(super) async fn ready(State(readiness): State<Readiness>) -> Response {
    let state = readiness.state().await;
    let status = if state.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(state)).into_response()
}

/// Whether a path is one that probes ask for all the time.
pub(super) fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use serde_json::{Value, json};
    use tokio::sync::watch;

    use crate::http::tests::Served;
    use crate::http::without_setpass;
    use crate::readiness::{REMEMBERED, Readiness};
    use crate::server::Respond as _;
    use crate::setpass::fixture::Fixture;

    async fn ready(served: &Served) -> (u16, Value) {
        let answer = served.get("/readyz").await;
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    /// Lets what was found out before be forgotten.
    fn later(served: &Served) {
        served.fixture.clock.advance(REMEMBERED + jiff::SignedDuration::from_millis(1));
    }

    #[tokio::test]
    async fn ready_names_the_part_that_is_not_and_remembers_for_some_seconds() {
        let served = Served::new().await;
        let (status, state) = ready(&served).await;
        assert_eq!(status, 200);
        let parts = json!({ "database": "ok", "keys": "ok", "keystone": "ok" });
        assert_eq!(state, json!({ "ready": true, "stopping": false, "parts": parts }));

        let key_file = served.fixture.folder.path().join("keys");
        std::fs::rename(&key_file, served.fixture.folder.path().join("away")).unwrap();
        assert_eq!(ready(&served).await.0, 200, "it was found out just now");
        later(&served);
        let (status, state) = ready(&served).await;
        assert_eq!((status, &state["ready"]), (503, &json!(false)));
        assert_eq!(state["parts"], json!({ "database": "ok", "keys": "cannot be read", "keystone": "ok" }));
        std::fs::rename(served.fixture.folder.path().join("away"), key_file).unwrap();
        later(&served);
        assert_eq!(ready(&served).await.0, 200);

        served.fixture.database.close().await;
        later(&served);
        let (status, state) = ready(&served).await;
        assert_eq!((status, &state["parts"]["database"]), (503, &json!("cannot be written")));
    }

    #[tokio::test]
    async fn keystone_is_asked_once_for_many_probes_and_a_silent_one_is_told() {
        let served = Served::new().await;
        for _ in 0..20 {
            assert_eq!(ready(&served).await.0, 200);
        }
        assert_eq!(served.fixture.calls_of_keystone("GET /v3"), 1);
        served.fixture.identity.lock().unwrap().down = true;
        later(&served);
        let (status, state) = ready(&served).await;
        assert_eq!((status, &state["parts"]["keystone"]), (503, &json!("cannot be reached")));
        assert_eq!(served.get("/healthz").await.status, 200);
    }

    #[tokio::test]
    async fn a_server_that_is_stopping_is_not_ready() {
        let served = Served::new().await;
        served.stop.send_replace(true);
        let (status, state) = ready(&served).await;
        assert_eq!((status, &state["stopping"]), (503, &json!(true)));
    }

    #[tokio::test]
    async fn where_the_pages_are_elsewhere_ready_is_about_records_and_keys_alone() {
        let fixture = Fixture::new().await;
        fixture.identity.lock().unwrap().down = true;
        let (stop, stopping) = watch::channel(false);
        let (database, keys) = (fixture.database.clone(), fixture.keys.clone());
        let readiness = Readiness::new(database, keys, None, fixture.clock.clone(), stopping);
        let answers = without_setpass(readiness);
        let ask = async || {
            let request = Request::get("/readyz").body(Body::empty()).unwrap();
            let response = answers.respond(request).await;
            let (status, body) = (response.status().as_u16(), response.into_body());
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            (status, serde_json::from_slice::<Value>(&body).unwrap())
        };
        let (status, state) = ask().await;
        let parts = json!({ "database": "ok", "keys": "ok" });
        assert_eq!((status, state), (200, json!({ "ready": true, "stopping": false, "parts": parts })));
        fixture.database.close().await;
        fixture.clock.advance(REMEMBERED + jiff::SignedDuration::from_millis(1));
        let (status, state) = ask().await;
        assert_eq!((status, &state["parts"]["database"]), (503, &json!("cannot be written")));
        stop.send_replace(true);
        assert_eq!(ask().await.1["stopping"], true);
    }
}
