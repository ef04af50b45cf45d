//! The cloud that the clients are tested against, and how it is changed without them.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use usher::clock::Clock;
use usher::keystone::{CreateProject, CreateUser, Keystone, Project, User};
use usher::random;
use usher::settings;
use usher_tests::cloud;

pub fn clouds_yaml() -> PathBuf {
    let folder = std::env::var_os(cloud::SHARED).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| {
        panic!("{} is not set: these tests need real services; run `cargo xtask test`", cloud::SHARED)
    });
    folder.join("clouds.yaml")
}

pub fn settings(auth: &str) -> settings::keystone::Keystone {
    toml::from_str(&format!("retries = 1\n[auth]\n{auth}")).unwrap()
}

pub fn connect(auth: &str) -> Keystone {
    Keystone::new(&settings(auth), Clock::system()).unwrap()
}

pub fn administrator() -> Keystone {
    connect(&format!("method = \"cloud\"\ncloud = \"minicloud\"\nfile = \"{}\"", clouds_yaml().display()))
}

/// A name that no other run has used, with upper and lower case in it.
pub fn fresh(kind: &str) -> String {
    format!("{kind}.{}@Example.ORG", random::identifier())
}

/// Talks to Keystone without the client under test: removes, and sets what the client does not.
pub struct Cloud {
    http: reqwest::Client,
    pub url: String,
    pub token: String,
}

impl Cloud {
    pub async fn new() -> Self {
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

    pub async fn token_of(&self, user: &str, password: &str, project: Option<&str>) -> Option<String> {
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

    pub async fn change(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
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
    pub async fn until_tokens_serve(&self, user: &str, password: &SecretString) {
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

    pub async fn remove(&self, path: &str) {
        self.change(reqwest::Method::DELETE, path, &Value::Null).await;
    }
}

/// An account with a password, and the folder that holds it.
pub fn connect_as(
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

pub async fn create_user(keystone: &Keystone, name: &str, password: &SecretString) -> User {
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

pub async fn create_project(keystone: &Keystone, name: &str) -> Project {
    let project = CreateProject { name, description: "A project of the tests", marker: Some("access:43") };
    keystone.create_project(&project).await.unwrap()
}
