//! A list of Mailman 3, through the REST API of its core.
//!
//! An address that Mailman will never take is an answer; that Mailman cannot be used is an error. Which of them
//! it is, is told apart by the words of Mailman 3.3: nearly all refusals have the status 400.

mod error;
#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

pub use error::MailmanError;

use super::first_line;
use crate::http_client::{self, causes, innermost};
use crate::settings;

/// No answer may be larger.
const LARGEST_ANSWER: usize = 1 << 20;

/// Mailman's words for an address that can never be a member, and ours.
const FINAL: [(&str, &str); 3] = [
    ("Membership is banned", "the list has banned it; a moderator can lift the ban"),
    ("Invalid Parameter \"subscriber\"", "Mailman does not take it for an address"),
    ("List posting address cannot subscribe", "it is the list's own address"),
];

/// What became of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is a member now.
    Subscribed,
    /// It has been one before.
    Already,
    /// A moderator, or the person, has to agree first.
    Pending,
    /// It will never be one.
    Refused(String),
}

/// A way to a list of Mailman.
pub struct Mailman {
    client: Client,
    url: Url,
    user: String,
    password: SecretString,
    list: String,
    timeout: Duration,
}

impl std::fmt::Debug for Mailman {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailman").field("list", &self.list).finish_non_exhaustive()
    }
}

impl Mailman {
    /// Reads the password and the certificates. Connects to nothing yet.
    ///
    /// # Errors
    /// Where one of these cannot be read or used.
    pub fn new(settings: &settings::mailing_list::Mailman) -> Result<Self, MailmanError> {
        let mut authorities = Vec::new();
        if let Some(file) = &settings.ca_file {
            let read = http_client::read_certificates(file);
            authorities = read.map_err(|reason| MailmanError::Certificates { file: file.clone(), reason })?;
        }
        let client = http_client::build(authorities, settings.timeout).map_err(MailmanError::Tls)?;
        Ok(Self {
            client,
            url: settings.url.clone(),
            user: settings.user.clone(),
            password: settings.password.read()?,
            list: settings.list.clone(),
            timeout: settings.timeout,
        })
    }

    /// The list, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("list {} of Mailman at {}", self.list, self.call(&[]))
    }

    /// Looks whether the list is there. Answers what was found, for a person.
    ///
    /// # Errors
    /// Where it is not, or Mailman does not answer as it should.
    pub async fn check(&self) -> Result<String, MailmanError> {
        let url = self.call(&["lists", &self.list]);
        let (status, body) = self.send(self.client.get(url.clone()), &url).await?;
        match status {
            StatusCode::OK => {}
            // Asked for by a path, a list that is not there looks like a path that is not there.
            StatusCode::NOT_FOUND => return Err(MailmanError::NoList { list: self.list.clone(), url }),
            _ => return Err(self.refusal(url, status, &body)),
        }
        let found: Value = serde_json::from_slice(&body).unwrap_or_default();
        match (found["fqdn_listname"].as_str(), found["member_count"].as_u64()) {
            (Some(name), Some(members)) => Ok(format!("{}: {name}, members: {members}", self.describe())),
            _ => Err(MailmanError::NotMailman {
                url,
                reason: "its answer does not describe a list".to_owned(),
            }),
        }
    }

    /// Makes an address a member, without asking it or anybody else, and without a welcome from Mailman: the
    /// welcome is Usher's.
    ///
    /// # Errors
    /// Where Mailman cannot be used.
    pub async fn subscribe(&self, address: &str) -> Result<Answer, MailmanError> {
        let url = self.call(&["members"]);
        let asked = json!({
            "list_id": self.list,
            "subscriber": address,
            "pre_verified": true,
            "pre_confirmed": true,
            "pre_approved": true,
            "send_welcome_message": false,
        });
        let (status, body) = self.send(self.client.post(url.clone()).json(&asked), &url).await?;
        let words = own_words(&body);
        match status {
            StatusCode::CREATED => Ok(Answer::Subscribed),
            StatusCode::ACCEPTED => Ok(Answer::Pending),
            StatusCode::CONFLICT if words.contains("pending") => Ok(Answer::Pending),
            StatusCode::CONFLICT => Ok(Answer::Already),
            StatusCode::BAD_REQUEST if words == "No such list" => {
                Err(MailmanError::NoList { list: self.list.clone(), url })
            }
            StatusCode::BAD_REQUEST => match FINAL.iter().find(|(theirs, _)| words.starts_with(theirs)) {
                Some((_, ours)) => Ok(Answer::Refused((*ours).to_owned())),
                None => Err(self.refusal(url, status, &body)),
            },
            _ => Err(self.refusal(url, status, &body)),
        }
    }

    /// The URL of a call.
    fn call(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        // None of these fails for an http URL, and the settings have no other.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn send(&self, request: RequestBuilder, url: &Url) -> Result<(StatusCode, Vec<u8>), MailmanError> {
        let unreached = |error: reqwest::Error| self.unreached(url, &error);
        let request = request.basic_auth(&self.user, Some(self.password.expose_secret()));
        let mut response = request.send().await.map_err(unreached)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreached)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                let reason = format!("its answer is larger than {} MiB", LARGEST_ANSWER >> 20);
                return Err(MailmanError::NotMailman { url: url.clone(), reason });
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }

    /// What a status means that no call expects.
    fn refusal(&self, url: Url, status: StatusCode, body: &[u8]) -> MailmanError {
        // Whatever answers there may repeat what it was sent.
        let message = own_words(body).replace(self.password.expose_secret(), "(hidden)");
        let message = match first_line(&message) {
            none if none.is_empty() => "no explanation".to_owned(),
            words => words,
        };
        let code = status.as_u16();
        match status {
            StatusCode::UNAUTHORIZED => MailmanError::Unauthorized { url, user: self.user.clone() },
            StatusCode::TOO_MANY_REQUESTS => MailmanError::Unavailable { url, status: code, message },
            _ if status.is_server_error() => MailmanError::Unavailable { url, status: code, message },
            StatusCode::BAD_REQUEST => MailmanError::Refused { url, status: code, message },
            _ => MailmanError::NotMailman { url, reason: format!("it answers {code}: {message}") },
        }
    }

    fn unreached(&self, url: &Url, error: &reqwest::Error) -> MailmanError {
        let url = url.clone();
        if error.is_timeout() {
            return MailmanError::TimedOut { url, timeout: self.timeout };
        }
        let certificate = causes(error)
            .filter_map(|cause| cause.downcast_ref::<rustls::Error>())
            .any(|tls| matches!(tls, rustls::Error::InvalidCertificate(_)));
        match certificate {
            true => MailmanError::Certificate { url, reason: innermost(error) },
            false => MailmanError::Unreachable { url, reason: innermost(error) },
        }
    }
}

/// What Mailman says in an error's body.
fn own_words(body: &[u8]) -> String {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = said["description"].as_str().or_else(|| said["title"].as_str());
    words.unwrap_or_default().to_owned()
}
