//! The mailing list that new users are subscribed to.
//!
//! Whoever keeps the list may be told an address again: the program may die between telling and noting that it
//! has told. Knows nothing of who is subscribed when; that is the import.

pub mod command;
pub mod mailman;
pub mod majordomo;

use self::command::{Command, CommandError};
use self::mailman::{Mailman, MailmanError};
use self::majordomo::{Majordomo, MajordomoError};
use crate::{mailer, settings};

/// A way to the mailing list.
#[derive(Debug)]
pub enum MailingList {
    /// Mailman's REST API.
    Mailman(Mailman),
    /// A mail to Majordomo.
    Majordomo(Majordomo),
    /// A program of the site's own.
    Command(Command),
}

/// Why nobody can be subscribed at present.
#[derive(Debug, thiserror::Error)]
pub enum MailingListError {
    /// Mailman.
    #[error(transparent)]
    Mailman(#[from] MailmanError),
    /// Majordomo's settings.
    #[error(transparent)]
    Majordomo(#[from] MajordomoError),
    /// The site's own program.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl MailingListError {
    /// Whether whoever keeps the list is out of reach.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Mailman(error) if error.is_passing())
    }

    /// Whether the settings have to be corrected first.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        match self {
            Self::Mailman(error) => !error.is_passing(),
            Self::Majordomo(_) => true,
            Self::Command(error) => error.is_setting(),
        }
    }
}

impl MailingList {
    /// Reads the secrets and certificates that the settings name. Asks nobody anything yet.
    ///
    /// # Errors
    /// Where one of these cannot be read or used.
    pub fn new(settings: &settings::mailing_list::MailingList) -> Result<Self, MailingListError> {
        use settings::mailing_list::MailingList as Kind;
        Ok(match settings {
            Kind::Mailman(settings) => Self::Mailman(Mailman::new(settings)?),
            Kind::Majordomo(settings) => Self::Majordomo(Majordomo::new(settings)?),
            Kind::Command(settings) => Self::Command(Command::new(settings)),
        })
    }

    /// The list, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Mailman(mailman) => mailman.describe(),
            Self::Majordomo(majordomo) => majordomo.describe(),
            Self::Command(command) => command.describe(),
        }
    }

    /// Looks whether subscribing could work, and changes nothing. Answers what was found, for a person.
    ///
    /// # Errors
    /// Where it could not.
    pub async fn check(&self) -> Result<String, MailingListError> {
        match self {
            Self::Mailman(mailman) => Ok(mailman.check().await?),
            Self::Majordomo(majordomo) => Ok(majordomo.describe()),
            Self::Command(command) => {
                command.check()?;
                Ok(command.describe())
            }
        }
    }
}

/// The one plain address that a text from a sheet is, as a list gets it: with its domain in the ASCII form, as in
/// mails to it. None where it is not one, or could be read as something else by whoever gets it.
#[must_use]
pub fn plain_address(text: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | ',' | ';');
    // A program that hands its lines on as arguments would make an option of a leading hyphen.
    if text.contains(odd) || text.starts_with('-') {
        return None;
    }
    let address = mailer::with_ascii_domain(text.parse().ok()?)?;
    Some(address.to_string()).filter(|address| address.is_ascii())
}

/// The first line of what a service or a program says, as much of it as an error may repeat.
fn first_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_plain_address_goes_to_a_list() {
        for good in ["a@example.org", "a+b@example.org", "o'neil@example.org", "A.B@Sub.Example.ORG"] {
            assert_eq!(plain_address(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "a",
            "a@",
            "a b@example.org",
            "a@example.org\nwho users",
            "a@example.org b@example.org",
            "A <a@example.org>",
            "\"a b\"@example.org",
            "a@example.org,b@example.org",
            "jürgen@example.org",
            "-oQ/tmp@example.org",
            "--help@example.org",
        ] {
            assert_eq!(plain_address(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_international_domain_goes_to_a_list_in_its_ascii_form() {
        assert_eq!(plain_address("a@bücher.example").as_deref(), Some("a@xn--bcher-kva.example"));
        assert_eq!(plain_address("ä@bücher.example"), None);
    }
}
