//! Setpass on a database in a temporary folder, with a clock that tests move and an identity service
//! that does as they say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use super::{IssuedToken, Pin, PreparedResetLink, RedeemError, Redemption, Registration, Setpass};
use crate::clock::Clock;
use crate::database::Database;
use crate::keys::Keys;
use crate::keystone::fake::{Fake, token_body};
use crate::keystone::{Keystone, User, UserOptions};
use crate::settings;

pub(crate) const USER: &str = "3e5c8b0f7a";
pub(crate) const RANDOM_PASSWORD: &str = "random-password-of-the-user";
pub(crate) const PIN: &str = "4711";
pub(crate) const WRONG_PIN: &str = "4712";
/// The site's name.
pub(crate) const SITE: &str = "Example Cloud";
/// Where requests come from.
pub(crate) const CLIENT: &str = "192.0.2.7";
/// What the identity service refuses, and in which words.
pub(crate) const WEAK_PASSWORD: &str = "a weak one";
pub(crate) const REFUSAL: &str = "The password does not match the requirements: <ten> characters.";
/// The only token that is an administrator's.
pub(crate) const ADMIN_TOKEN: &str = "token-of-an-administrator";

/// What the identity service knows, and how it is doing.
#[derive(Default)]
pub(crate) struct Identity {
    pub(crate) passwords: BTreeMap<String, String>,
    pub(crate) changes: usize,
    /// How often users asked to change a password, whatever came of it.
    pub(crate) asked_to_change: usize,
    /// Users besides [`USER`], and what is otherwise about that one, by their ids.
    pub(crate) users: BTreeMap<String, Value>,
    /// Names of the roles that users have, by the users' ids.
    pub(crate) roles: BTreeMap<String, String>,
    /// How often an administrator set a password.
    pub(crate) administrative_changes: usize,
    /// Fails without doing anything.
    pub(crate) down: bool,
    /// Has no users any more.
    pub(crate) gone: bool,
    /// Fails where a user is looked up.
    pub(crate) shows_no_users: bool,
    /// Answers 401 to every change of a password, as to an account that is locked after failed logins.
    pub(crate) locked_out: bool,
    /// Something before it puts pages of its own in the place of its answers 401.
    pub(crate) refuses_in_other_words: bool,
    /// Knows no e-mail address of anybody.
    pub(crate) has_no_addresses: bool,
    /// Answers with this status where an administrator sets a password.
    pub(crate) refuses_administrators: Option<u16>,
    /// Sets one more password as an administrator says, fails then, and has too much to do for any other.
    pub(crate) loses_administrators: bool,
    /// Does what is asked, and then fails.
    pub(crate) loses_answers: bool,
    /// Never answers to a change of a password, and makes none.
    pub(crate) is_silent: bool,
}

pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    pub(crate) keys: Keys,
    pub(crate) setpass: Setpass,
    pub(crate) keystone: Keystone,
    pub(crate) identity: Arc<Mutex<Identity>>,
    fake: Fake,
}

impl Fixture {
    /// Five PINs a link, eight a day, a link for an hour.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// The same with these lines at the end of the settings' section.
    pub(crate) async fn with(more: &str) -> Self {
        Self::on(Keys::load, &settings_with(more)).await
    }

    /// For thousands of tries: PINs are hashed at little cost, twenty may be tried with a link, and one client may send
    /// as many as it likes.
    pub(crate) async fn for_many_tries() -> Self {
        let limits = settings::setpass::Setpass {
            max_attempts: 20,
            max_attempts_per_day: 20,
            max_attempts_per_client: 1_000_000,
            ..settings()
        };
        Self::on(Keys::load_with_cheap_pins, &limits).await
    }

    async fn on(
        load: impl FnOnce(&std::path::Path) -> Result<Keys, crate::keys::KeysError>,
        settings: &settings::setpass::Setpass,
    ) -> Self {
        let folder = match quick_folder() {
            Some(quick) => tempfile::tempdir_in(quick),
            None => tempfile::tempdir(),
        };
        let folder = folder.unwrap();
        let key_file = folder.path().join("keys");
        Keys::create(&key_file, jiff::Timestamp::UNIX_EPOCH).unwrap();
        let keys = load(&key_file).unwrap();
        let database = Database::open(&folder.path().join("usher.sqlite")).await.unwrap();
        let clock = Clock::manual("2026-11-22T08:00:00Z".parse().unwrap());
        let identity = Arc::new(Mutex::new(Identity::default()));
        identity.lock().unwrap().passwords.insert(USER.to_owned(), RANDOM_PASSWORD.to_owned());
        let fake = Fake::start(routes(&identity)).await;
        let setpass = Setpass::new(database.clone(), keys.clone(), clock.clone(), settings, SITE);
        Self { keystone: fake.keystone(), folder, clock, database, keys, setpass, identity, fake }
    }

    /// The identity service, called again after failures.
    pub(crate) fn repeating_keystone(&self) -> Keystone {
        self.fake.keystone_with("retries = 2", Clock::system())
    }

    /// Does something to the records by SQL, such as having them fail.
    pub(crate) async fn execute(&self, statement: &'static str) {
        let file = self.folder.path().join("usher.sqlite");
        let mut connection = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }

    /// How many calls were made altogether.
    pub(crate) fn all_calls_of_keystone(&self) -> usize {
        self.fake.all_calls()
    }

    /// How often a call such as `GET /v3` was made.
    pub(crate) fn calls_of_keystone(&self, call: &str) -> usize {
        self.fake.calls(call)
    }

    /// A link for [`USER`] with [`RANDOM_PASSWORD`] and [`PIN`].
    pub(crate) async fn link(&self) -> IssuedToken {
        self.link_of(USER).await
    }

    /// The same for any user.
    pub(crate) async fn link_of(&self, user_id: &str) -> IssuedToken {
        let (password, pin) = (RANDOM_PASSWORD.into(), PIN.into());
        let registration = Registration { user_id, password: Some(&password), pin: Some(Pin::Clear(&pin)) };
        let mut tx = self.database.begin().await.unwrap();
        let issued = self.setpass.register(&mut tx, registration).await.unwrap();
        tx.commit().await.unwrap();
        issued
    }

    /// A link that somebody asked for [`USER`], with this PIN.
    pub(crate) async fn reset_link(&self, pin: &str) -> PreparedResetLink {
        let user = User {
            id: USER.to_owned(),
            name: "user@example.org".to_owned(),
            email: Some("user@example.org".to_owned()),
            description: None,
            enabled: true,
            default_project_id: None,
            marker: None,
            options: UserOptions::default(),
        };
        let hash = self.setpass.hash_pin(&pin.into()).await.unwrap();
        let link = self.setpass.prepare_reset_link(&user, &hash);
        let mut tx = self.database.begin().await.unwrap();
        self.setpass.record_reset_link(&mut tx, &link, "request 1").await.unwrap();
        tx.commit().await.unwrap();
        link
    }

    pub(crate) async fn redeem(
        &self,
        token: &SecretString,
        pin: &str,
        password: &str,
    ) -> Result<(), RedeemError> {
        self.setpass.redeem(&self.keystone, &redemption(token, pin, password)).await
    }

    pub(crate) fn password(&self) -> String {
        self.identity.lock().unwrap().passwords[USER].clone()
    }

    /// Whether any file of the folder but the key file holds these bytes.
    pub(crate) fn is_on_disk(&self, text: &str) -> bool {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let records: Vec<_> = files.filter(|file| !file.ends_with("keys")).collect();
        assert!(records.len() > 1, "the database and its side files are here: {records:?}");
        records.iter().any(|file| {
            std::fs::read(file).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
        })
    }
}

/// A folder in memory, where there is one: what else the machine writes to its disk is no part of how long anything takes.
fn quick_folder() -> Option<&'static std::path::Path> {
    let shared_memory = std::path::Path::new("/dev/shm");
    shared_memory.is_dir().then_some(shared_memory)
}

/// What a user brings.
pub(crate) fn redemption(token: &SecretString, pin: &str, password: &str) -> Redemption {
    let client = Some(CLIENT.parse().unwrap());
    Redemption { token: token.clone(), pin: pin.into(), password: password.into(), client }
}

pub(crate) fn settings() -> settings::setpass::Setpass {
    settings_with("")
}

pub(crate) fn settings_with(more: &str) -> settings::setpass::Setpass {
    let text = format!(
        "public_url = \"https://cloud.example.org/setpass/\"\ntoken_lifetime = \"1h\"\n\
         max_attempts = 5\nmax_attempts_per_day = 8\n{more}\n"
    );
    toml::from_str(&text).unwrap()
}

fn routes(identity: &Arc<Mutex<Identity>>) -> Router {
    type Shared = State<Arc<Mutex<Identity>>>;
    let asked = Arc::clone(identity);
    Router::new()
        .route(
            "/v3",
            get(async move || match asked.lock().unwrap().down {
                true => StatusCode::SERVICE_UNAVAILABLE,
                false => StatusCode::OK,
            }),
        )
        .route("/v3/auth/tokens", post(authenticate))
        .route("/v3/users", get(async |State(identity): Shared| list_users(&identity.lock().unwrap())))
        .route(
            "/v3/users/{id}",
            get(async |State(identity): Shared, Path(id): Path<String>| {
                show_user(&identity.lock().unwrap(), &id)
            })
            .patch(
                async |State(identity): Shared, Path(id): Path<String>, Json(body): Json<Value>| {
                    set_password(&mut identity.lock().unwrap(), &id, &body["user"])
                },
            ),
        )
        .route(
            "/v3/users/{id}/password",
            post(async |State(identity): Shared, Path(id): Path<String>, Json(body): Json<Value>| {
                let is_silent = identity.lock().unwrap().is_silent;
                if is_silent {
                    std::future::pending::<()>().await;
                }
                change_password(&mut identity.lock().unwrap(), &id, &body["user"])
            }),
        )
        .route(
            "/v3/role_assignments",
            get(async |State(identity): Shared, Query(query): Query<BTreeMap<String, String>>| {
                list_roles(&identity.lock().unwrap(), &query["user.id"])
            }),
        )
        .with_state(Arc::clone(identity))
}

fn user(identity: &Identity, id: &str) -> Value {
    let email = (!identity.has_no_addresses).then_some("user@mail.example.org");
    let usual = json!({ "id": id, "name": "user@example.org", "email": email, "enabled": true });
    identity.users.get(id).cloned().unwrap_or(usual)
}

fn list_users(identity: &Identity) -> (StatusCode, Json<Value>) {
    if identity.down {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": { "message": "down" } })));
    }
    let mut users: Vec<Value> = identity.users.values().cloned().collect();
    if !identity.users.contains_key(USER) {
        users.push(user(identity, USER));
    }
    (StatusCode::OK, Json(json!({ "users": users, "links": {} })))
}

/// On the system, where assignments name no project.
fn list_roles(identity: &Identity, user_id: &str) -> Json<Value> {
    let role = identity.roles.get(user_id).map(|name| {
        json!({
            "role": { "id": "r1", "name": name }, "user": { "id": user_id }, "scope": { "system": { "all": true } },
        })
    });
    Json(json!({ "role_assignments": role.into_iter().collect::<Vec<_>>() }))
}

fn set_password(identity: &mut Identity, id: &str, change: &Value) -> (StatusCode, Json<Value>) {
    if identity.down {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": { "message": "down" } })));
    }
    if let Some(status) = identity.refuses_administrators {
        let message = json!({ "error": { "message": "refused" } });
        return (StatusCode::from_u16(status).unwrap(), Json(message));
    }
    identity.passwords.insert(id.to_owned(), change["password"].as_str().unwrap().to_owned());
    identity.administrative_changes += 1;
    if identity.loses_administrators {
        identity.refuses_administrators = Some(429);
        return (StatusCode::GATEWAY_TIMEOUT, Json(json!({ "error": { "message": "lost" } })));
    }
    (StatusCode::OK, Json(json!({ "user": user(identity, id) })))
}

async fn authenticate(
    Json(body): Json<Value>,
) -> (StatusCode, [(&'static str, &'static str); 1], Json<Value>) {
    let caller = body["auth"]["identity"]["token"]["id"].as_str();
    let status = match caller {
        None | Some(ADMIN_TOKEN) => StatusCode::CREATED,
        Some(_) => StatusCode::UNAUTHORIZED,
    };
    (status, [("X-Subject-Token", "token-1")], Json(token_body(&json!([]))))
}

fn show_user(identity: &Identity, id: &str) -> (StatusCode, Json<Value>) {
    if identity.down {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": { "message": "down" } })));
    }
    if identity.shows_no_users {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": { "message": "down" } })));
    }
    if identity.gone {
        let message = format!("Could not find user: {id}.");
        return (StatusCode::NOT_FOUND, Json(json!({ "error": { "message": message } })));
    }
    (StatusCode::OK, Json(json!({ "user": user(identity, id) })))
}

fn change_password(identity: &mut Identity, id: &str, change: &Value) -> (StatusCode, Json<Value>) {
    let answer =
        |status: StatusCode, message: &str| (status, Json(json!({ "error": { "message": message } })));
    let (original, new) =
        (change["original_password"].as_str().unwrap(), change["password"].as_str().unwrap());
    if identity.down {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "down");
    }
    identity.asked_to_change += 1;
    if identity.gone
        || identity.locked_out
        || identity.passwords.get(id).map(String::as_str) != Some(original)
    {
        if identity.refuses_in_other_words {
            return (StatusCode::UNAUTHORIZED, Json(Value::Null));
        }
        return answer(StatusCode::UNAUTHORIZED, "The request you have made requires authentication.");
    }
    if new == WEAK_PASSWORD {
        return answer(StatusCode::BAD_REQUEST, REFUSAL);
    }
    identity.passwords.insert(id.to_owned(), new.to_owned());
    identity.changes += 1;
    if identity.loses_answers {
        return answer(StatusCode::GATEWAY_TIMEOUT, "lost");
    }
    (StatusCode::NO_CONTENT, Json(Value::Null))
}

/// The token as text.
pub(crate) fn text(token: &SecretString) -> &str {
    token.expose_secret()
}

/// What is stored of the token.
pub(crate) fn token_hash(token: &SecretString) -> crate::database::TokenHash {
    super::token::hash(token)
}
