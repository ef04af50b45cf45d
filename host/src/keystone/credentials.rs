//! The account that Usher uses, from wherever the settings say that it is.

mod clouds;
mod environment;
mod error;

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

pub use error::CredentialsError;

use crate::settings;
use crate::settings::keystone::{Auth, Interface};
use crate::settings::secret::SecretError;

/// What was read: the credentials, and what came along with them.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) credentials: Credentials,
    pub(super) region: Option<String>,
    pub(super) interface: Option<Interface>,
    pub(super) ca_file: Option<PathBuf>,
}

/// How Usher authenticates.
pub(super) struct Credentials {
    /// Keystone's URL, ending in `/v3`.
    pub(super) url: Url,
    pub(super) proof: Proof,
}

/// What Usher shows to Keystone.
pub(super) enum Proof {
    Password { user: Named, password: SecretString, project: Named },
    ApplicationCredential { credential: Credential, secret: SecretString },
}

/// Something that Keystone knows by its id, or by its name within a domain.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    Id(String),
    Name { name: String, domain: Domain },
}

/// A domain.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Domain {
    Id(String),
    Name(String),
}

/// An application credential.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credential {
    Id(String),
    Name { name: String, user: Named },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("url", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl Credentials {
    /// The body of `POST /auth/tokens`.
    pub(super) fn request(&self) -> Value {
        match &self.proof {
            Proof::Password { user, password, project } => {
                let mut user = user.json();
                user["password"] = password.expose_secret().into();
                json!({ "auth": {
                    "identity": { "methods": ["password"], "password": { "user": user } },
                    "scope": { "project": project.json() },
                } })
            }
            Proof::ApplicationCredential { credential, secret } => {
                let mut credential = match credential {
                    Credential::Id(id) => json!({ "id": id }),
                    Credential::Name { name, user } => json!({ "name": name, "user": user.json() }),
                };
                credential["secret"] = secret.expose_secret().into();
                json!({ "auth": { "identity": {
                    "methods": ["application_credential"],
                    "application_credential": credential,
                } } })
            }
        }
    }

    /// The secret, which no error may repeat.
    pub(super) fn secret(&self) -> &SecretString {
        match &self.proof {
            Proof::Password { password: secret, .. } | Proof::ApplicationCredential { secret, .. } => secret,
        }
    }
}

impl Named {
    fn json(&self) -> Value {
        match self {
            Self::Id(id) => json!({ "id": id }),
            Self::Name { name, domain: Domain::Id(id) } => json!({ "name": name, "domain": { "id": id } }),
            Self::Name { name, domain: Domain::Name(domain) } => {
                json!({ "name": name, "domain": { "name": domain } })
            }
        }
    }
}

/// Reads the account that the settings name.
pub(super) fn read(settings: &settings::keystone::Keystone) -> Result<Account, CredentialsError> {
    let secret = |error: SecretError| CredentialsError::Secret(error.to_string());
    let within = |name: &str, domain: &str| Named::Name {
        name: name.to_owned(),
        domain: Domain::Id(domain.to_owned()),
    };
    let credentials = match &settings.auth {
        Auth::Cloud { cloud, file } => return clouds::read(cloud, file.as_deref()),
        Auth::Environment => return environment::read(|name| std::env::var(name).ok()),
        Auth::Password { url, username, user_domain, password, project, project_domain } => Credentials {
            url: version_3(url.clone(), "settings")?,
            proof: Proof::Password {
                user: within(username, user_domain),
                password: password.read().map_err(secret)?,
                project: within(project, project_domain),
            },
        },
        Auth::ApplicationCredential { url, id, secret: source } => Credentials {
            url: version_3(url.clone(), "settings")?,
            proof: Proof::ApplicationCredential {
                credential: Credential::Id(id.clone()),
                secret: source.read().map_err(secret)?,
            },
        },
    };
    Ok(Account { credentials, region: None, interface: None, ca_file: None })
}

/// The attributes by which OpenStack's clients describe an account, as they stand in `clouds.yaml`
/// and, in other spelling, in the environment.
#[derive(Default)]
struct Attributes {
    auth_type: Option<String>,
    auth_url: Option<String>,
    username: Option<String>,
    user_id: Option<String>,
    user_domain_id: Option<String>,
    user_domain_name: Option<String>,
    password: Option<SecretString>,
    project_id: Option<String>,
    project_name: Option<String>,
    project_domain_id: Option<String>,
    project_domain_name: Option<String>,
    application_credential_id: Option<String>,
    application_credential_name: Option<String>,
    application_credential_secret: Option<SecretString>,
    region: Option<String>,
    interface: Option<String>,
    ca_file: Option<String>,
    /// Whether certificates are not to be verified.
    insecure: bool,
}

impl Attributes {
    /// `place` is what errors name.
    fn account(self, place: &str) -> Result<Account, CredentialsError> {
        if self.insecure {
            return Err(CredentialsError::Unusable {
                place: place.to_owned(),
                what: "verify",
                problem: "Usher always verifies certificates; name the authority's certificate as cacert \
                          or in keystone.ca_file instead"
                    .to_owned(),
            });
        }
        let url = self.auth_url.as_deref().ok_or_else(|| missing(place, "auth_url"))?;
        let url = Url::parse(url).map_err(|error| CredentialsError::Unusable {
            place: place.to_owned(),
            what: "auth_url",
            problem: format!("expected a URL such as https://keystone.example.org:5000/v3 ({error})"),
        })?;
        let url = version_3(url, place)?;
        let region = self.region.clone();
        let interface = self.interface.as_deref().map(|name| interface(name, place)).transpose()?;
        let ca_file = self.ca_file.as_deref().map(at_home);
        Ok(Account {
            credentials: Credentials { url, proof: self.proof(place)? },
            region,
            interface,
            ca_file,
        })
    }

    fn proof(self, place: &str) -> Result<Proof, CredentialsError> {
        let has_credential =
            self.application_credential_id.is_some() || self.application_credential_name.is_some();
        match self.auth_type.as_deref() {
            Some("v3applicationcredential" | "applicationcredential" | "application_credential") => {
                self.application_credential(place)
            }
            None if has_credential => self.application_credential(place),
            None | Some("password" | "v3password") => self.password(place),
            Some(other) => Err(CredentialsError::Unusable {
                place: place.to_owned(),
                what: "auth_type",
                problem: format!(
                    "{other} is not among those that Usher knows: password, v3applicationcredential"
                ),
            }),
        }
    }

    fn password(self, place: &str) -> Result<Proof, CredentialsError> {
        let user = named(self.user_id, self.username, self.user_domain_id, self.user_domain_name);
        let project =
            named(self.project_id, self.project_name, self.project_domain_id, self.project_domain_name);
        Ok(Proof::Password {
            user: user.ok_or_else(|| missing(place, "username"))?,
            password: self.password.ok_or_else(|| missing(place, "password"))?,
            project: project.ok_or_else(|| missing(place, "project_name"))?,
        })
    }

    fn application_credential(self, place: &str) -> Result<Proof, CredentialsError> {
        let credential = match (self.application_credential_id, self.application_credential_name) {
            (Some(id), _) => Credential::Id(id),
            (None, Some(name)) => {
                let user = named(self.user_id, self.username, self.user_domain_id, self.user_domain_name);
                Credential::Name { name, user: user.ok_or_else(|| missing(place, "username"))? }
            }
            (None, None) => return Err(missing(place, "application_credential_id")),
        };
        let secret = self.application_credential_secret;
        Ok(Proof::ApplicationCredential {
            credential,
            secret: secret.ok_or_else(|| missing(place, "application_credential_secret"))?,
        })
    }
}

fn missing(place: &str, what: &'static str) -> CredentialsError {
    CredentialsError::Missing { place: place.to_owned(), what }
}

/// A domain that is not named is `default`, as with OpenStack's own client.
fn named(
    id: Option<String>,
    name: Option<String>,
    domain_id: Option<String>,
    domain_name: Option<String>,
) -> Option<Named> {
    match (id, name) {
        (Some(id), _) => Some(Named::Id(id)),
        (None, Some(name)) => {
            let domain = match (domain_id, domain_name) {
                (Some(id), _) => Domain::Id(id),
                (None, Some(name)) => Domain::Name(name),
                (None, None) => Domain::Id("default".to_owned()),
            };
            Some(Named::Name { name, domain })
        }
        (None, None) => None,
    }
}

/// Keystone's URL with its version: sites write it with `/v3`, without it, and with a slash at the end.
fn version_3(mut url: Url, place: &str) -> Result<Url, CredentialsError> {
    let unusable = |problem: &str| CredentialsError::Unusable {
        place: place.to_owned(),
        what: "auth_url",
        problem: problem.to_owned(),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable("expected an http or https URL"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let last = url.path_segments().and_then(|segments| segments.rev().find(|segment| !segment.is_empty()));
    let (versioned, too_old) = (last == Some("v3"), last == Some("v2.0"));
    if too_old {
        return Err(unusable("Usher speaks version 3 of the identity API; the URL should end in /v3"));
    }
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty();
        if !versioned {
            path.push("v3");
        }
    }
    Ok(url)
}

/// `public` or `publicURL`, and so on.
fn interface(name: &str, place: &str) -> Result<Interface, CredentialsError> {
    match name.strip_suffix("URL").unwrap_or(name) {
        "public" => Ok(Interface::Public),
        "internal" => Ok(Interface::Internal),
        "admin" => Ok(Interface::Admin),
        _ => Err(CredentialsError::Unusable {
            place: place.to_owned(),
            what: "interface",
            problem: "expected public, internal or admin".to_owned(),
        }),
    }
}

/// Takes `~/` from the user's home folder.
fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Url {
        Url::parse(url).unwrap()
    }

    #[test]
    fn keystones_url_gets_its_version_once() {
        for url in
            ["http://h:5000", "http://h:5000/", "http://h:5000/v3", "http://h:5000/v3/", "http://h:5000/?a=b"]
        {
            assert_eq!(version_3(parse(url), "test").unwrap().as_str(), "http://h:5000/v3", "{url}");
        }
        assert_eq!(version_3(parse("https://h/identity"), "test").unwrap().as_str(), "https://h/identity/v3");
    }

    #[test]
    fn version_2_and_other_schemes_are_refused() {
        assert!(version_3(parse("http://h/v2.0"), "test").unwrap_err().to_string().contains("/v3"));
        assert!(version_3(parse("ftp://h/v3"), "test").is_err());
    }

    #[test]
    fn neither_errors_nor_debug_show_a_secret() {
        let credentials = Credentials {
            url: parse("http://user:sesame@h/v3"),
            proof: Proof::Password {
                user: Named::Id("u".to_owned()),
                password: SecretString::from("sesame"),
                project: Named::Id("p".to_owned()),
            },
        };
        assert!(!format!("{credentials:?}").contains("sesame"));
        assert_eq!(credentials.request()["auth"]["identity"]["password"]["user"]["password"], "sesame");
    }
}
