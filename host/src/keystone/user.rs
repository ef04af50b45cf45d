//! Users.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::KeystoneError;
use super::find::Listed;
use super::http::Request;
use super::{Keystone, NAME};

/// A user, as Keystone has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Keystone's id.
    pub id: String,
    /// Name to log in with.
    pub name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Whether the user may log in.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Id of the primary project.
    pub default_project_id: Option<String>,
    /// Which of Usher's requests created it: the attribute `usher_request`, which Keystone keeps
    /// without knowing it.
    #[serde(rename = "usher_request")]
    pub marker: Option<String>,
    /// What Keystone treats otherwise for this user.
    #[serde(default)]
    pub options: UserOptions,
}

/// What Keystone treats otherwise for one user. Options that Usher has no use for are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct UserOptions {
    /// Whether the user may not change the password.
    #[serde(default)]
    pub lock_password: Option<bool>,
}

/// A user who is to be created.
#[derive(Clone, Copy, Debug)]
pub struct CreateUser<'a> {
    /// Name to log in with.
    pub name: &'a str,
    /// E-mail address.
    pub email: &'a str,
    /// Description.
    pub description: &'a str,
    /// The first password.
    pub password: &'a SecretString,
    /// Id of the primary project.
    pub default_project_id: Option<&'a str>,
    /// What [`User::marker`] will be.
    pub marker: Option<&'a str>,
}

impl User {
    /// What mails call the user by: the name of the person, where Keystone has it.
    #[must_use]
    pub fn name_in_mails(&self) -> &str {
        self.description.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.name)
    }
}

impl Listed for User {
    const KIND: &'static str = "user";
    const PLURAL: &'static str = "users";

    fn name(&self) -> &str {
        &self.name
    }
}

/// LDAP without a mask leaves the attribute out.
fn enabled() -> bool {
    true
}

#[derive(Deserialize)]
struct Wrapped {
    user: User,
}

impl Keystone {
    /// The user of this name in the settings' domain, whatever the case. One call.
    ///
    /// # Errors
    /// [`KeystoneError::Ambiguous`] where several differ only in case; else where the call fails.
    pub async fn find_user(&self, name: &str) -> Result<Option<User>, KeystoneError> {
        self.find(name, Some(&self.domain)).await
    }

    /// The user with this id. One call.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn user(&self, id: &str) -> Result<Option<User>, KeystoneError> {
        match self.call(Request::new(NAME, Method::GET, self.url(&["users", id]))).await {
            Ok(answer) => Ok(Some(answer.json::<Wrapped>()?.user)),
            Err(KeystoneError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether Keystone itself says that it has no user with this id. One call.
    ///
    /// Any other 404 is an error: a proxy answers so too, for a Keystone that is being restarted.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn is_gone(&self, id: &str) -> Result<bool, KeystoneError> {
        match self.call(Request::new(NAME, Method::GET, self.url(&["users", id]))).await {
            Ok(_) => Ok(false),
            Err(KeystoneError::NotFound { message, .. }) if message.contains("Could not find user") => {
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// All users of the settings' domain. As many calls as there are pages.
    ///
    /// # Errors
    /// [`KeystoneError::ListCutShort`] where Keystone does not give all; else where a call fails.
    pub async fn users(&self) -> Result<Vec<User>, KeystoneError> {
        self.list_all(&self.domain).await
    }

    /// Creates a user, enabled, in the settings' domain. One call.
    ///
    /// # Errors
    /// [`KeystoneError::Conflict`] where the name is taken. After a passing error the user may have
    /// been created all the same: look for it and compare [`User::marker`] before trying again.
    pub async fn create_user(&self, user: &CreateUser<'_>) -> Result<User, KeystoneError> {
        let mut body = json!({
            "name": user.name,
            "domain_id": &*self.domain,
            "email": user.email,
            "description": user.description,
            "password": user.password.expose_secret(),
            "enabled": true,
        });
        if let Some(project) = user.default_project_id {
            body["default_project_id"] = project.into();
        }
        if let Some(marker) = user.marker {
            body["usher_request"] = marker.into();
        }
        let request = Request::new(NAME, Method::POST, self.url(&["users"]))
            .body(json!({ "user": body }))
            .hiding(user.password);
        Ok(self.call(request).await?.json::<Wrapped>()?.user)
    }

    /// Gives a user a password, as the administrator. One call.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn set_password(&self, user_id: &str, password: &SecretString) -> Result<(), KeystoneError> {
        let attributes = json!({ "password": password.expose_secret() });
        let request = self.change(user_id, &attributes).hiding(password);
        self.call(request).await.map(drop)
    }

    /// Lets a user log in, or stops that. One call.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn set_enabled(&self, user_id: &str, enabled: bool) -> Result<(), KeystoneError> {
        self.call(self.change(user_id, &json!({ "enabled": enabled }))).await.map(drop)
    }

    fn change(&self, user_id: &str, attributes: &Value) -> Request {
        Request::new(NAME, Method::PATCH, self.url(&["users", user_id])).body(json!({ "user": attributes }))
    }
}
