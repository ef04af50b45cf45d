//! Keystone: who the users are, which projects there are, and who has which role.
//!
//! One client for everything that Usher asks of the identity service. It authenticates when it is
//! first used, keeps the token in memory only, and renews it. Calls go to the URL that Usher
//! authenticates with, not to the catalog's, so that one reachable URL is enough. Knows nothing of
//! requests, sheets, components or its callers' records.

mod authorize;
mod bearer;
mod catalog;
mod credentials;
mod error;
mod find;
mod http;
mod limit;
mod password;
mod probe;
mod project;
mod retry;
mod role;
mod session;
mod user;

#[cfg(test)]
pub(crate) mod fake;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use crate::clock::Clock;
use crate::settings;

pub use credentials::CredentialsError;
pub use error::{Call, KeystoneError, Unreached};
pub use password::ChangePasswordError;
pub use project::{CreateProject, Project};
pub use role::{Role, RoleAssignment};
pub use user::{CreateUser, User, UserOptions};

pub(crate) use bearer::Bearer;
pub(crate) use catalog::Lookup;
pub(crate) use http::Request;

use authorize::Authorized;
use http::Http;
use limit::CallLimit;
use session::Session;

/// The service's name in errors.
const NAME: &str = "Keystone";

/// The identity service. Clones share one session.
#[derive(Clone, Debug)]
pub struct Keystone {
    session: Arc<Session>,
    /// Id of the domain that users and projects are in.
    domain: Arc<str>,
    admin_project: Arc<str>,
    admin_project_domain: Arc<str>,
    authorized: Arc<Authorized>,
    /// When nobody waits for answers any more.
    end: Option<Instant>,
}

/// Who Usher is to Keystone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Id of the user.
    pub user_id: String,
    /// Name of the user.
    pub user: String,
    /// Id of the project that the token is for.
    pub project_id: String,
    /// Name of that project.
    pub project: String,
    /// Names of the roles there.
    pub roles: Vec<String>,
    /// When the present token ends; it is renewed before.
    pub expires: Timestamp,
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles = self.roles.join(", ");
        write!(formatter, "{} on project {} with the roles {roles}", self.user, self.project)
    }
}

impl Keystone {
    /// Reads the credentials. Nothing is asked of the network yet.
    ///
    /// # Errors
    /// [`KeystoneError::Credentials`] where they, or the file of certificates, cannot be used.
    pub fn new(settings: &settings::keystone::Keystone, clock: Clock) -> Result<Self, KeystoneError> {
        let account = credentials::read(settings)?;
        let certificates = settings.ca_file.iter().chain(account.ca_file.iter());
        let limit = CallLimit::new(settings.concurrency);
        let http = Http::new(certificates, settings.timeout, settings.retries, limit, clock.clone())?;
        let authorized = Arc::new(Authorized::new(clock.clone()));
        let region = settings.region.clone().or(account.region);
        let interface = settings.interface.or(account.interface).unwrap_or_default();
        Ok(Self {
            session: Arc::new(Session::new(http, account.credentials, clock, region, interface)),
            domain: settings.domain.as_str().into(),
            admin_project: settings.admin_project.as_str().into(),
            admin_project_domain: settings.admin_project_domain.as_str().into(),
            authorized,
            end: None,
        })
    }

    /// Authenticates, unless there is a token that still serves, and says who Usher is.
    ///
    /// # Errors
    /// Where Keystone cannot be reached or does not accept the credentials.
    pub async fn whoami(&self) -> Result<Identity, KeystoneError> {
        Ok(self.session.token().await?.identity.clone())
    }

    /// The same for somebody who waits until a moment: calls that have no answer by then, with all their repetitions,
    /// have failed, and those that could not be made by then are not made.
    #[must_use]
    pub fn until(&self, end: Instant) -> Self {
        Self { end: Some(end), ..self.clone() }
    }

    /// How many calls may be made to the services at the same time now.
    #[must_use]
    pub fn calls_at_a_time(&self) -> usize {
        self.session.limit().current()
    }

    /// How many calls may be made at the same time at most, where the services keep up.
    #[must_use]
    pub fn most_calls_at_a_time(&self) -> usize {
        self.session.limit().most()
    }

    /// A URL below Keystone's own, each segment escaped.
    fn url(&self, segments: &[&str]) -> Url {
        below(self.session.keystone_url(), segments)
    }

    /// Makes a call to any service with Usher's token.
    pub(crate) async fn call(&self, request: Request) -> Result<http::Answer, KeystoneError> {
        self.session.call(request.until(self.end)).await
    }

    /// Where a service of the catalog is, in the region and at the interface that are set.
    pub(crate) async fn endpoint(&self, types: &[&str]) -> Result<Lookup, KeystoneError> {
        Ok(self.session.token().await?.catalog.endpoint(
            types,
            self.session.region(),
            self.session.interface(),
        ))
    }
}

/// A URL below another one, each segment escaped, whether or not the upper one ends in a slash.
pub(crate) fn below(upper: &Url, segments: &[&str]) -> Url {
    let mut url = upper.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_escaped_and_slashes_do_not_double() {
        for upper in ["https://cloud.example.org/identity/v3", "https://cloud.example.org/identity/v3/"] {
            let url = below(&Url::parse(upper).unwrap(), &["users", "a/b?c"]);
            assert_eq!(url.as_str(), "https://cloud.example.org/identity/v3/users/a%2Fb%3Fc");
        }
    }
}
