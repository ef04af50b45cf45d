//! Usher's token: obtained once for all who need it, renewed before it ends and when it is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::catalog::Catalog;
use super::credentials::Credentials;
use super::error::KeystoneError;
use super::http::{Answer, Http, Request};
use super::limit::CallLimit;
use super::{Identity, NAME, below};
use crate::clock::Clock;
use crate::settings::keystone::Interface;

/// A token is renewed this long before it ends; one of a short life after nine tenths of it.
const MARGIN: SignedDuration = SignedDuration::from_secs(120);

/// What a successful authentication brought. It is never written anywhere.
#[derive(Debug)]
pub(super) struct Token {
    secret: SecretString,
    /// By our own clock: Keystone's may differ.
    renew_at: Timestamp,
    pub(super) catalog: Catalog,
    pub(super) identity: Identity,
}

#[derive(Debug)]
pub(super) struct Session {
    http: Http,
    credentials: Credentials,
    clock: Clock,
    region: Option<String>,
    interface: Interface,
    state: Mutex<State>,
    /// How many authentications have ended; those who waited for one take its outcome.
    ended: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Arc<Token>>,
    failure: Option<KeystoneError>,
}

impl Session {
    pub(super) fn new(
        http: Http,
        credentials: Credentials,
        clock: Clock,
        region: Option<String>,
        interface: Interface,
    ) -> Self {
        let (state, ended) = (Mutex::default(), AtomicU64::new(0));
        Self { http, credentials, clock, region, interface, state, ended }
    }

    pub(super) fn keystone_url(&self) -> &Url {
        &self.credentials.url
    }

    pub(super) fn limit(&self) -> &CallLimit {
        self.http.limit()
    }

    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    pub(super) fn interface(&self) -> Interface {
        self.interface
    }

    /// The token, which is obtained first where there is none that will last.
    pub(super) async fn token(&self) -> Result<Arc<Token>, KeystoneError> {
        self.token_other_than(None).await
    }

    /// Makes a call with the token; once more with a new one where the token is refused.
    pub(super) async fn call(&self, request: Request) -> Result<Answer, KeystoneError> {
        self.call_by(&self.http, request).await
    }

    /// The same by another client, for a service that is none of the cloud's and takes Keystone's tokens.
    pub(super) async fn call_by(&self, http: &Http, request: Request) -> Result<Answer, KeystoneError> {
        self.send(http, &request).await.map_err(|last| request.failed(last))
    }

    async fn send(&self, http: &Http, request: &Request) -> Result<Answer, KeystoneError> {
        let token = request.in_time(self.token()).await??;
        match http.send(request, Some(&token.secret)).await {
            // A call whose token is refused has not been looked at any further, so that even a
            // POST may be made again.
            Err(KeystoneError::Unauthorized { .. }) => {
                let token = request.in_time(self.token_other_than(Some(&token))).await??;
                http.send(request, Some(&token.secret)).await
            }
            outcome => outcome,
        }
    }

    /// Makes a call without Usher's token.
    pub(super) async fn call_without_token(&self, request: &Request) -> Result<Answer, KeystoneError> {
        self.http.send(request, None).await
    }

    /// Makes a call once, without Usher's token and whatever other calls are under way.
    pub(super) async fn call_alone(&self, request: &Request) -> Result<Answer, KeystoneError> {
        self.http.send_once(request, None).await
    }

    async fn token_other_than(&self, refused: Option<&Arc<Token>>) -> Result<Arc<Token>, KeystoneError> {
        let ended_before = self.ended.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        if let Some(token) = &state.token {
            let is_refused = refused.is_some_and(|refused| Arc::ptr_eq(refused, token));
            if !is_refused && self.clock.now() < token.renew_at {
                return Ok(Arc::clone(token));
            }
        }
        // Somebody else tried while we waited for the lock. Each trying in turn would multiply the
        // time that an unreachable Keystone takes, and lock the account where the password is wrong.
        if let (Some(failure), true) = (&state.failure, self.ended.load(Ordering::SeqCst) > ended_before) {
            return Err(failure.clone());
        }
        let outcome = self.authenticate().await;
        self.ended.fetch_add(1, Ordering::SeqCst);
        match outcome {
            Ok(token) => {
                let token = Arc::new(token);
                *state = State { token: Some(Arc::clone(&token)), failure: None };
                Ok(token)
            }
            Err(error) => {
                *state = State { token: None, failure: Some(error.clone()) };
                Err(error)
            }
        }
    }

    async fn authenticate(&self) -> Result<Token, KeystoneError> {
        let url = below(self.keystone_url(), &["auth", "tokens"]);
        let request = Request::new(NAME, Method::POST, url)
            .body(self.credentials.request())
            .hiding(self.credentials.secret())
            .harmless();
        let answer = self.http.send(&request, None).await.map_err(with_hint)?;
        let secret = answer
            .headers
            .get("x-subject-token")
            .and_then(|value| value.to_str().ok())
            .map(SecretString::from)
            .ok_or_else(|| answer.unintelligible("it has no X-Subject-Token header".to_owned()))?;
        let Body { token } = answer.json()?;
        let project = token.project.ok_or_else(|| {
            answer.unintelligible("the token is not for a project; name one in the credentials".to_owned())
        })?;
        let lasting = lasting(token.expires_at.duration_since(token.issued_at));
        Ok(Token {
            secret,
            renew_at: self.clock.now().saturating_add(lasting).unwrap_or(Timestamp::MAX),
            catalog: token.catalog,
            identity: Identity {
                user_id: token.user.id,
                user: token.user.name,
                project_id: project.id,
                project: project.name,
                roles: token.roles.into_iter().map(|role| role.name).collect(),
                expires: token.expires_at,
            },
        })
    }
}

/// How long a token of that life is used.
fn lasting(life: SignedDuration) -> SignedDuration {
    (life - MARGIN).max(life * 9 / 10).min(life)
}

/// A 404 while authenticating says that the URL is not Keystone's.
fn with_hint(error: KeystoneError) -> KeystoneError {
    match error {
        KeystoneError::NotFound { call, message } => KeystoneError::NotFound {
            call,
            message: format!(
                "{message}; the URL of [keystone.auth] should be Keystone's, such as https://keystone.example.org:5000/v3"
            ),
        },
        other => other,
    }
}

#[derive(Deserialize)]
struct Body {
    token: TokenBody,
}

#[derive(Deserialize)]
struct TokenBody {
    issued_at: Timestamp,
    expires_at: Timestamp,
    user: Reference,
    project: Option<Reference>,
    #[serde(default)]
    roles: Vec<Reference>,
    #[serde(default)]
    catalog: Catalog,
}

#[derive(Deserialize)]
struct Reference {
    id: String,
    name: String,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use serde_json::{Value, json};

    use super::*;
    use crate::keystone::fake::{Fake, token_body, with_token};

    const TOKENS: &str = "POST /v3/auth/tokens";

    fn account() -> Json<Value> {
        Json(json!({ "user": { "id": "u1", "name": "user", "enabled": true } }))
    }

    #[test]
    fn a_token_is_used_until_shortly_before_its_end() {
        assert_eq!(lasting(SignedDuration::from_hours(1)), SignedDuration::from_mins(58));
        assert_eq!(lasting(SignedDuration::from_secs(100)), SignedDuration::from_secs(90));
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_authentication() {
        let fake = Fake::start(with_token().route("/v3/users/u1", get(async || account()))).await;
        let keystone = fake.keystone();
        let calls = (0..20).map(|_| keystone.user("u1"));
        for user in futures::future::join_all(calls).await {
            assert_eq!(user.unwrap().unwrap().name, "user");
        }
        assert_eq!((fake.calls(TOKENS), fake.calls("GET /v3/users/u1")), (1, 20));
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_failure() {
        let routes = Router::new().route(
            "/v3/auth/tokens",
            post(async || {
                let body =
                    json!({ "error": { "message": "The request you have made requires authentication." } });
                (StatusCode::UNAUTHORIZED, Json(body))
            }),
        );
        let fake = Fake::start(routes).await;
        let keystone = fake.keystone();
        for outcome in futures::future::join_all((0..20).map(|_| keystone.user("u1"))).await {
            let error = outcome.unwrap_err();
            assert!(matches!(error, KeystoneError::Unauthorized { .. }), "{error}");
            assert!(error.to_string().contains("[keystone.auth]") && !error.is_passing(), "{error}");
        }
        assert_eq!(fake.calls(TOKENS), 1);
        keystone.whoami().await.unwrap_err();
        assert_eq!(fake.calls(TOKENS), 2, "a later caller tries for itself");
    }

    #[tokio::test]
    async fn the_token_is_renewed_before_it_ends() {
        let fake = Fake::start(with_token()).await;
        let clock = Clock::manual("2026-11-22T09:00:00Z".parse().unwrap());
        let keystone = fake.keystone_with("retries = 0", clock.clone());
        assert_eq!(keystone.whoami().await.unwrap().project, "admin");
        clock.advance(SignedDuration::from_mins(57));
        keystone.whoami().await.unwrap();
        assert_eq!(fake.calls(TOKENS), 1);
        clock.advance(SignedDuration::from_mins(2));
        keystone.whoami().await.unwrap();
        assert_eq!(fake.calls(TOKENS), 2);
    }

    /// Hands out token-0, token-1, … and accepts only those that `good` is true for.
    fn server(good: fn(&str) -> bool) -> Router {
        let number = Arc::new(AtomicUsize::new(0));
        let next = async move || {
            let token = format!("token-{}", number.fetch_add(1, Ordering::SeqCst));
            (StatusCode::CREATED, [("X-Subject-Token", token)], Json(token_body(&json!([]))))
        };
        let create = async move |headers: HeaderMap| match good(headers["x-auth-token"].to_str().unwrap()) {
            true => (
                StatusCode::CREATED,
                Json(json!({ "project": { "id": "p1", "name": "x", "enabled": true } })),
            ),
            false => (StatusCode::UNAUTHORIZED, Json(json!({ "error": { "message": "revoked" } }))),
        };
        Router::new().route("/v3/auth/tokens", post(next)).route("/v3/projects", post(create))
    }

    #[tokio::test]
    async fn a_refused_token_is_renewed_once_even_for_a_post() {
        let project = super::super::CreateProject { name: "x", description: "", marker: None };
        let fake = Fake::start(server(|token| token != "token-0")).await;
        assert_eq!(fake.keystone().create_project(&project).await.unwrap().id, "p1");
        assert_eq!(fake.calls(TOKENS), 2);

        let fake = Fake::start(server(|_| false)).await;
        let error = fake.keystone().create_project(&project).await.unwrap_err();
        assert!(matches!(error, KeystoneError::Unauthorized { .. }), "{error}");
        assert_eq!((fake.calls(TOKENS), fake.calls("POST /v3/projects")), (2, 2));
    }

    #[tokio::test]
    async fn a_url_that_is_not_keystones_is_told() {
        let fake = Fake::start(Router::new()).await;
        let error = fake.keystone().whoami().await.unwrap_err().to_string();
        assert!(error.contains("404") && error.contains("5000/v3"), "{error}");
        let fake = Fake::start(Router::new().route("/v3/auth/tokens", post(async || "hello"))).await;
        let error = fake.keystone().whoami().await.unwrap_err();
        assert!(matches!(error, KeystoneError::Unintelligible { .. }), "{error}");
    }
}
