//! The Keystone and quota clients against real services.
//!
//! `USHER_TEST_CLOUD` names the folder of a cloud that may be written to. Each test makes users and
//! projects of its own and removes them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use usher::clock::Clock;
use usher::keystone::{
    ChangePasswordError, CreateProject, CreateUser, Keystone, KeystoneError, Project, User,
};
use usher::quotas::{QuotaError, Quotas};
use usher::random;
use usher::registration::QuotaService;
use usher::settings;
use usher_tests::cloud;

fn clouds_yaml() -> PathBuf {
    let folder = std::env::var_os(cloud::SHARED).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| {
        panic!("{} is not set: these tests need real services; run `cargo xtask test`", cloud::SHARED)
    });
    folder.join("clouds.yaml")
}

fn settings(auth: &str) -> settings::keystone::Keystone {
    toml::from_str(&format!("retries = 1\n[auth]\n{auth}")).unwrap()
}

fn connect(auth: &str) -> Keystone {
    Keystone::new(&settings(auth), Clock::system()).unwrap()
}

fn administrator() -> Keystone {
    connect(&format!("method = \"cloud\"\ncloud = \"minicloud\"\nfile = \"{}\"", clouds_yaml().display()))
}

/// A name that no other run has used, with upper and lower case in it.
fn fresh(kind: &str) -> String {
    format!("{kind}.{}@Example.ORG", random::identifier())
}

/// Talks to Keystone without the client under test: removes, and sets what the client does not.
struct Cloud {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Cloud {
    async fn new() -> Self {
        let text = std::fs::read_to_string(clouds_yaml()).unwrap();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap();
            line.trim_start_matches(':').trim().trim_matches('\'').to_owned()
        };
        // Makes the provider of TLS known, as the client under test does.
        administrator();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut cloud = Self { http, url: value("auth_url"), token: String::new() };
        cloud.token = cloud.token_of(&value("username"), &value("password"), Some("admin")).await.unwrap();
        cloud
    }

    async fn token_of(&self, user: &str, password: &str, project: Option<&str>) -> Option<String> {
        let mut auth = json!({ "identity": { "methods": ["password"], "password": { "user": {
            "name": user, "domain": { "id": "default" }, "password": password } } } });
        if let Some(project) = project {
            auth["scope"] = json!({ "project": { "name": project, "domain": { "id": "default" } } });
        }
        let request = self.http.post(format!("{}/auth/tokens", self.url)).json(&json!({ "auth": auth }));
        let response = request.send().await.unwrap();
        let token = response.headers().get("x-subject-token")?;
        Some(token.to_str().unwrap().to_owned())
    }

    async fn change(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let mut request =
            self.http.request(method, format!("{}/{path}", self.url)).header("X-Auth-Token", &self.token);
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default()
    }

    /// Waits until Keystone accepts new tokens of a user: revocations count in whole seconds, so that
    /// a token of the same second is revoked as well.
    async fn until_tokens_serve(&self, user: &str, password: &SecretString) {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while std::time::Instant::now() < end {
            let token = self.token_of(user, password.expose_secret(), Some("admin")).await.unwrap();
            let request = self.http.get(format!("{}/auth/tokens", self.url));
            let request = request.header("X-Auth-Token", &token).header("X-Subject-Token", &token);
            if request.send().await.unwrap().status().is_success() {
                return;
            }
        }
        panic!("Keystone accepts no token of {user}");
    }

    async fn remove(&self, path: &str) {
        self.change(reqwest::Method::DELETE, path, &Value::Null).await;
    }
}

/// An account with a password, and the folder that holds it.
fn connect_as(
    user: &User,
    password: &SecretString,
    project: &str,
    url: &str,
) -> (Keystone, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, password.expose_secret()).unwrap();
    let keystone = connect(&format!(
        "method = \"password\"\nurl = \"{url}\"\nusername = \"{}\"\nproject = \"{project}\"\n\
         password = {{ file = \"{}\" }}",
        user.name,
        file.display()
    ));
    (keystone, folder)
}

async fn create_user(keystone: &Keystone, name: &str, password: &SecretString) -> User {
    let user = CreateUser {
        name,
        email: "someone@example.org",
        description: "Some Öne",
        password,
        default_project_id: None,
        marker: Some("access:42"),
    };
    keystone.create_user(&user).await.unwrap()
}

async fn create_project(keystone: &Keystone, name: &str) -> Project {
    let project = CreateProject { name, description: "for a test", marker: Some("access:43") };
    keystone.create_project(&project).await.unwrap()
}

#[tokio::test]
async fn an_administrator_is_told_who_it_is() {
    let identity = administrator().whoami().await.unwrap();
    assert_eq!((identity.user.as_str(), identity.project.as_str()), ("admin", "admin"));
    assert!(identity.roles.contains(&"admin".to_owned()));
    assert!(identity.to_string().contains("admin on project admin"));
}

#[tokio::test]
async fn users_are_created_found_whatever_the_case_and_told_apart() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let (name, password) = (fresh("User"), random::password());
    let created = create_user(&keystone, &name, &password).await;
    assert_eq!(created.name, name);
    assert_eq!(created.email.as_deref(), Some("someone@example.org"));
    assert_eq!(created.description.as_deref(), Some("Some Öne"));
    assert_eq!(created.marker.as_deref(), Some("access:42"));
    assert!(created.enabled);

    for spelling in [name.clone(), name.to_lowercase(), name.to_uppercase(), format!(" {name} ")] {
        assert_eq!(keystone.find_user(&spelling).await.unwrap().as_ref(), Some(&created), "{spelling}");
    }
    assert_eq!(keystone.user(&created.id).await.unwrap().as_ref(), Some(&created));
    assert_eq!(keystone.find_user(&name[1..]).await.unwrap(), None, "a part of a name is not the name");
    assert_eq!(keystone.user("nobody").await.unwrap(), None);

    let again = CreateUser {
        name: &name,
        email: "",
        description: "",
        password: &password,
        default_project_id: None,
        marker: None,
    };
    let error = keystone.create_user(&again).await.unwrap_err();
    assert!(matches!(error, KeystoneError::Conflict { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains(password.expose_secret()));

    // SQLite and PostgreSQL let a second one in that differs in case; MySQL refuses it.
    let twin = CreateUser { name: &name.to_lowercase(), ..again };
    if let Ok(twin) = keystone.create_user(&twin).await {
        let error = keystone.find_user(&name).await.unwrap_err();
        assert!(matches!(&error, KeystoneError::Ambiguous { matches, .. } if matches.len() == 2), "{error}");
        cloud.remove(&format!("users/{}", twin.id)).await;
    }
    cloud.remove(&format!("users/{}", created.id)).await;
}

#[tokio::test]
async fn names_with_other_letters_and_wildcards_are_found() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let tail = random::identifier();
    for (name, spelling) in [
        (format!("JosÉ-{tail}@example.org"), format!("josé-{tail}@EXAMPLE.org")),
        (format!("a_b%c+{tail}"), format!("A_B%C+{tail}")),
        (format!("back\\slash {tail}"), format!("BACK\\slash {tail}")),
    ] {
        let user = create_user(&keystone, &name, &random::password()).await;
        assert_eq!(keystone.find_user(&spelling).await.unwrap().map(|user| user.name), Some(name));
        cloud.remove(&format!("users/{}", user.id)).await;
    }
}

#[tokio::test]
async fn roles_are_granted_twice_listed_and_revoked_twice() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let project = create_project(&keystone, &fresh("Physics")).await;
    assert_eq!(project.marker.as_deref(), Some("access:43"));
    let found = keystone.find_project(&project.name.to_uppercase()).await.unwrap();
    assert_eq!(found.as_ref(), Some(&project));
    assert_eq!(keystone.project(&project.id).await.unwrap().as_ref(), Some(&project));
    let user = create_user(&keystone, &fresh("member"), &random::password()).await;
    let role = keystone.find_role("MEMBER").await.unwrap().unwrap();

    assert_eq!(keystone.roles_of_user(&user.id).await.unwrap(), []);
    for _ in 0..2 {
        keystone.grant(&user.id, &project.id, &role.id).await.unwrap();
    }
    let of_user = keystone.roles_of_user(&user.id).await.unwrap();
    assert_eq!(of_user, keystone.roles_on_project(&project.id).await.unwrap());
    // `member` implies `reader`, which the effective list shows as well.
    assert!(of_user.iter().any(|assignment| assignment.role == role));
    assert!(of_user.iter().all(|found| found.user_id == user.id && found.project_id == project.id));
    for _ in 0..2 {
        keystone.revoke(&user.id, &project.id, &role.id).await.unwrap();
    }
    assert_eq!(keystone.roles_on_project(&project.id).await.unwrap(), []);

    let error = keystone.grant(&user.id, &project.id, "no-such-role").await.unwrap_err();
    assert!(matches!(error, KeystoneError::NotFound { .. }), "{error}");
    cloud.remove(&format!("users/{}", user.id)).await;
    cloud.remove(&format!("projects/{}", project.id)).await;
}

#[tokio::test]
async fn a_user_changes_the_password_without_logging_in() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let (first, second, third) = (random::password(), random::password(), random::password());
    let user = create_user(&keystone, &fresh("changer"), &first).await;
    let change = |original: SecretString, new: SecretString| {
        let (keystone, id) = (keystone.clone(), user.id.clone());
        async move { keystone.change_password(&id, &original, &new).await }
    };

    let wrong = change(third.clone(), second.clone()).await;
    assert!(matches!(wrong, Err(ChangePasswordError::WrongOriginal)), "{wrong:?}");
    change(first.clone(), second.clone()).await.unwrap();
    assert!(cloud.token_of(&user.name, second.expose_secret(), None).await.is_some());
    assert!(cloud.token_of(&user.name, first.expose_secret(), None).await.is_none());

    keystone.set_password(&user.id, &third).await.unwrap();
    assert!(cloud.token_of(&user.name, third.expose_secret(), None).await.is_some());

    keystone.set_enabled(&user.id, false).await.unwrap();
    let disabled = change(third.clone(), first.clone()).await;
    assert!(matches!(disabled, Err(ChangePasswordError::Disabled)), "{disabled:?}");
    keystone.set_enabled(&user.id, true).await.unwrap();

    let lock = json!({ "user": { "options": { "lock_password": true } } });
    cloud.change(reqwest::Method::PATCH, &format!("users/{}", user.id), &lock).await;
    let locked = change(third, first).await;
    assert!(matches!(&locked, Err(ChangePasswordError::Locked(words)) if words.contains("administrator")));
    cloud.remove(&format!("users/{}", user.id)).await;
}

#[tokio::test]
async fn only_tokens_for_the_admin_project_authorize_and_only_admins_create_users() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let project = create_project(&keystone, &fresh("chemistry")).await;
    let password = random::password();
    let user = create_user(&keystone, &fresh("dora"), &password).await;
    let role = keystone.find_role("member").await.unwrap().unwrap();
    keystone.grant(&user.id, &project.id, &role.id).await.unwrap();
    let token = cloud.token_of(&user.name, password.expose_secret(), Some(&project.name)).await.unwrap();

    assert!(!keystone.authorizes_admin(&SecretString::from(token)).await.unwrap());
    assert!(keystone.authorizes_admin(&SecretString::from(cloud.token.clone())).await.unwrap());
    for nonsense in ["nonsense", "", "line\nbreak"] {
        assert!(!keystone.authorizes_admin(&SecretString::from(nonsense)).await.unwrap(), "{nonsense:?}");
    }

    let (member, _folder) = connect_as(&user, &password, &project.name, &cloud.url);
    assert_eq!(keystone.may_create_users().await.unwrap(), Some(true));
    assert_eq!(member.may_create_users().await.unwrap(), Some(false));
    let error = member.set_enabled(&user.id, false).await.unwrap_err();
    assert!(
        matches!(&error, KeystoneError::Forbidden { message, .. } if message.contains("identity:update_user"))
    );
    assert!(error.to_string().contains("role admin"), "{error}");
    cloud.remove(&format!("users/{}", user.id)).await;
    cloud.remove(&format!("projects/{}", project.id)).await;
}

#[tokio::test]
async fn an_application_credential_serves_and_a_wrong_secret_is_refused() {
    let cloud = Cloud::new().await;
    let user = administrator().whoami().await.unwrap().user_id;
    let wanted =
        json!({ "application_credential": { "name": random::identifier(), "roles": [{ "name": "admin" }] } });
    let path = format!("users/{user}/application_credentials");
    let answer = cloud.change(reqwest::Method::POST, &path, &wanted).await;
    let text = |key: &str| answer["application_credential"][key].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let robot = || {
        connect(&format!(
            "method = \"application-credential\"\nurl = \"{}\"\nid = \"{}\"\nsecret = {{ file = \"{}\" }}",
            cloud.url,
            text("id"),
            file.display()
        ))
    };
    std::fs::write(&file, text("secret")).unwrap();
    assert_eq!(robot().whoami().await.unwrap().user_id, user);
    assert_eq!(robot().may_create_users().await.unwrap(), Some(true));

    std::fs::write(&file, "sesame").unwrap();
    let error = robot().whoami().await.unwrap_err();
    assert!(matches!(error, KeystoneError::Unauthorized { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
    cloud.remove(&format!("{path}/{}", text("id"))).await;
}

#[tokio::test]
async fn a_revoked_token_is_replaced() {
    let cloud = Cloud::new().await;
    let keystone = administrator();
    // A new password revokes the user's tokens, so this takes an administrator of its own.
    let password = random::password();
    let user = create_user(&keystone, &fresh("erin"), &password).await;
    let role = keystone.find_role("admin").await.unwrap().unwrap();
    let admin_project = keystone.find_project("admin").await.unwrap().unwrap();
    keystone.grant(&user.id, &admin_project.id, &role.id).await.unwrap();
    let (other, _folder) = connect_as(&user, &password, "admin", &cloud.url);
    other.whoami().await.unwrap();
    keystone.set_password(&user.id, &password).await.unwrap();
    cloud.until_tokens_serve(&user.name, &password).await;
    assert_eq!(other.user(&user.id).await.unwrap().map(|found| found.id), Some(user.id.clone()));
    cloud.remove(&format!("users/{}", user.id)).await;
}

#[tokio::test]
async fn quotas_of_every_service_are_set_and_read() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let quotas = Quotas::new(keystone.clone());
    assert_eq!(quotas.services().await.unwrap(), BTreeSet::from(QuotaService::ALL));
    let project = create_project(&keystone, &fresh("biology")).await;
    for (service, limits) in [
        (QuotaService::Compute, [("cores", 7), ("ram", 8192)]),
        (QuotaService::Network, [("floatingip", 3), ("port", -1)]),
        (QuotaService::Volume, [("volumes", 5), ("gigabytes", 0)]),
    ] {
        quotas.set(&project.id, service, &limits).await.unwrap();
        let read = quotas.get(&project.id, service).await.unwrap();
        let defaults = quotas.defaults(&project.id, service).await.unwrap();
        for (key, limit) in limits {
            let found = read.iter().find(|found| found.key == key).unwrap();
            assert_eq!((found.service, found.limit, found.taken()), (service, limit, 0), "{key}");
            assert_eq!(found.default, defaults.get(key).copied(), "{key}");
            assert!(found.default.is_some_and(|default| default != limit), "{found:?}");
        }
        assert!(read.iter().all(|limit| limit.key != "id" && limit.default.is_some()), "{read:?}");
        assert_eq!(read.len(), defaults.len());

        let error = quotas.set(&project.id, service, &[("no-such-key", 1)]).await.unwrap_err();
        let refused = matches!(&error, QuotaError::Call(KeystoneError::Refused { status: 400, message, .. })
            if message.contains("no-such-key"));
        assert!(refused && !error.is_passing(), "{error}");
    }
    quotas.set(&project.id, QuotaService::Compute, &[]).await.unwrap();
    let all = quotas.all(&project.id).await.unwrap();
    assert!(all.absent.is_empty());
    let key = |key: &str| all.limits.iter().find(|limit| limit.key == key).map(|limit| limit.limit);
    assert_eq!([key("cores"), key("port"), key("gigabytes")], [Some(7), Some(-1), Some(0)]);
    cloud.remove(&format!("projects/{}", project.id)).await;
}

#[tokio::test]
async fn ports_of_instances_and_others_are_told_apart() {
    let (keystone, cloud) = (administrator(), Cloud::new().await);
    let quotas = Quotas::new(keystone.clone());
    let project = create_project(&keystone, &fresh("harbour")).await;
    let identity = cloud::Cloud::shared().unwrap().identity().unwrap();
    let neutron = |method: &str, path: &str, body: Option<Value>| {
        identity.call_service("network", method, path, body.as_ref()).unwrap()
    };
    let id = |answer: &Value, kind: &str| answer[kind]["id"].as_str().unwrap().to_owned();
    let network = json!({ "network": { "name": "quay", "project_id": project.id } });
    let network = id(&neutron("POST", "/v2.0/networks", Some(network)), "network");
    assert_eq!(quotas.ports_not_held_by_instances(&project.id).await.unwrap(), 0);
    let mut ports = Vec::new();
    for owner in ["", "compute:nova", "network:dhcp"] {
        let port =
            json!({ "port": { "network_id": network, "project_id": project.id, "device_owner": owner } });
        ports.push(id(&neutron("POST", "/v2.0/ports", Some(port)), "port"));
    }
    assert_eq!(quotas.ports_not_held_by_instances(&project.id).await.unwrap(), 2);
    let read = quotas.get(&project.id, QuotaService::Network).await.unwrap();
    assert_eq!(read.iter().find(|limit| limit.key == "port").unwrap().in_use, 3);
    let refused = quotas.set(&project.id, QuotaService::Network, &[("port", 2)]).await;
    quotas.set_even_below_use(&project.id, QuotaService::Network, &[("port", 1)]).await.unwrap();
    assert!(refused.is_err(), "this Neutron looks at what is in use");
    for port in ports {
        neutron("DELETE", &format!("/v2.0/ports/{port}"), None);
    }
    neutron("DELETE", &format!("/v2.0/networks/{network}"), None);
    cloud.remove(&format!("projects/{}", project.id)).await;
}

#[tokio::test]
async fn an_unknown_region_has_no_services() {
    let mut settings = settings(&format!(
        "method = \"cloud\"\ncloud = \"minicloud\"\nfile = \"{}\"",
        clouds_yaml().display()
    ));
    settings.region = Some("Atlantis".to_owned());
    let quotas = Quotas::new(Keystone::new(&settings, Clock::system()).unwrap());
    assert!(quotas.services().await.unwrap().is_empty());
}
