//! As much of Keystone's API as tests need to prepare a cloud and to try passwords. What Usher did
//! is checked with the stock command line instead.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::web::{self, Answer};

/// A session with Keystone.
#[derive(Debug)]
pub struct Identity {
    url: String,
    token: String,
    /// Each service's type with its public URL.
    catalog: Vec<(String, String)>,
}

impl Identity {
    /// Logs in with a name and a password, scoped to a project of the default domain where one is named.
    ///
    /// # Errors
    /// Where Keystone does not let the user in.
    pub fn login(url: &str, user: &str, password: &str, project: Option<&str>) -> Result<Self> {
        let answer = authenticate(url, user, password, project)?;
        if answer.status != 201 {
            bail!("Keystone answers {} to the login of {user}", answer.status);
        }
        let token = answer.header("x-subject-token").context("Keystone sent no token")?.to_owned();
        let body = answer.json()?;
        let services = body["token"]["catalog"].as_array().into_iter().flatten();
        let catalog = services.filter_map(|service| {
            let mut endpoints = service["endpoints"].as_array()?.iter();
            let public = endpoints.find(|endpoint| endpoint["interface"] == "public")?;
            Some((service["type"].as_str()?.to_owned(), public["url"].as_str()?.to_owned()))
        });
        Ok(Self { url: url.to_owned(), token, catalog: catalog.collect() })
    }

    /// The token of this session.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Creates a user with a password, and returns its id.
    ///
    /// # Errors
    /// Where Keystone refuses.
    pub fn create_user(&self, name: &str, password: &str) -> Result<String> {
        let user = json!({ "user": {
            "name": name, "domain_id": "default", "email": name, "password": password,
        }});
        id_of(&self.call("POST", "/users", Some(&user))?, "user")
    }

    /// Creates a project, and returns its id.
    ///
    /// # Errors
    /// Where Keystone refuses.
    pub fn create_project(&self, name: &str, description: &str) -> Result<String> {
        let project =
            json!({ "project": { "name": name, "domain_id": "default", "description": description }});
        id_of(&self.call("POST", "/projects", Some(&project))?, "project")
    }

    /// Gives a user a role on a project.
    ///
    /// # Errors
    /// Where one of them does not exist.
    pub fn grant(&self, user: &str, project: &str, role: &str) -> Result<()> {
        let roles = self.call("GET", &format!("/roles?name={role}"), None)?;
        let role = roles["roles"][0]["id"].as_str().with_context(|| format!("there is no role {role}"))?;
        self.call("PUT", &format!("/projects/{project}/users/{user}/roles/{role}"), None)?;
        Ok(())
    }

    /// The id of the user with this name, where there is one.
    ///
    /// # Errors
    /// Where Keystone does not answer.
    pub fn user_id(&self, name: &str) -> Result<Option<String>> {
        let users =
            self.call("GET", &format!("/users?name={}&domain_id=default", web::escape(name)), None)?;
        Ok(users["users"][0]["id"].as_str().map(str::to_owned))
    }

    /// One call below Keystone's URL; its answer, null where it has no body.
    ///
    /// # Errors
    /// Where the status is not a success.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        self.call_at(&self.url, method, path, body)
    }

    /// One call below the URL of another service, by its type in the catalog.
    ///
    /// # Errors
    /// Where there is no such service, or the status is not a success.
    pub fn call_service(
        &self,
        service: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let found = self.catalog.iter().find(|(kind, _)| kind == service);
        let (_, url) = found.with_context(|| format!("the catalog has no service {service}"))?;
        self.call_at(url, method, path, body)
    }

    fn call_at(&self, url: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = web::request(method, &format!("{url}{path}")).header("X-Auth-Token", &self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send()?;
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path}: {} {}", answer.status, answer.body);
        }
        if answer.body.is_empty() { Ok(Value::Null) } else { answer.json() }
    }
}

/// Keystone's answer to a login: 201 with a token, 401 where the password is wrong.
///
/// # Errors
/// Where Keystone does not answer at all.
pub fn authenticate(url: &str, user: &str, password: &str, project: Option<&str>) -> Result<Answer> {
    let mut auth = json!({ "identity": {
        "methods": ["password"],
        "password": { "user": { "name": user, "domain": { "id": "default" }, "password": password }},
    }});
    if let Some(project) = project {
        auth["scope"] = json!({ "project": { "name": project, "domain": { "id": "default" }}});
    }
    web::request("POST", &format!("{url}/auth/tokens")).json(&json!({ "auth": auth })).send()
}

fn id_of(answer: &Value, kind: &str) -> Result<String> {
    Ok(answer[kind]["id"].as_str().with_context(|| format!("Keystone's {kind} has no id"))?.to_owned())
}
