//! A list of Majordomo, which reads commands in mails.

use secrecy::{ExposeSecret, SecretString};

use crate::mailer::Message;
use crate::settings;
use crate::settings::secret::SecretError;

/// Why Majordomo's settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MajordomoError {
    /// The password cannot be read.
    #[error("mailing_list.password: {0}")]
    Secret(#[from] SecretError),
    /// The password would not be one word of a command.
    #[error(
        "mailing_list.password: Majordomo's commands take no password with blanks or other than ASCII letters"
    )]
    Password,
}

/// A way to a list of Majordomo.
#[derive(Debug)]
pub struct Majordomo {
    address: String,
    list: String,
    password: Option<SecretString>,
}

impl Majordomo {
    /// Reads the password.
    ///
    /// # Errors
    /// Where it cannot be read or used.
    pub fn new(settings: &settings::mailing_list::Majordomo) -> Result<Self, MajordomoError> {
        let password = settings.password.as_ref().map(settings::secret::SecretSource::read).transpose()?;
        let is_word =
            |password: &SecretString| password.expose_secret().chars().all(|c| c.is_ascii_graphic());
        if !password.as_ref().is_none_or(is_word) {
            return Err(MajordomoError::Password);
        }
        Ok(Self { address: settings.address.clone(), list: settings.list.clone(), password })
    }

    /// Whom the commands are mailed to.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The list, for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        let approval = match self.password {
            Some(_) => "with its password",
            None => "without a password",
        };
        format!("list {} of Majordomo by mail to {}, {approval}", self.list, self.address)
    }

    /// The mail that subscribes these addresses, each of which has to be a plain one.
    #[must_use]
    pub fn write<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) -> Message {
        let mut text = String::new();
        for address in addresses {
            if let Some(password) = &self.password {
                text.push_str("approve ");
                text.push_str(password.expose_secret());
                text.push(' ');
            }
            text.push_str("subscribe ");
            text.push_str(&self.list);
            text.push(' ');
            text.push_str(address);
            text.push('\n');
        }
        // Mail servers may add a line of their own, which Majordomo would take for a command.
        text.push_str("end\n");
        let subject = format!("subscribe {}", self.list);
        Message { sender: None, cc: Vec::new(), subject, text, html: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::secret::SecretSource;

    fn settings(password: Option<&std::path::Path>) -> settings::mailing_list::Majordomo {
        settings::mailing_list::Majordomo {
            address: "majordomo@lists.example.org".to_owned(),
            list: "users".to_owned(),
            password: password.map(|file| SecretSource::File(file.to_owned())),
        }
    }

    #[test]
    fn each_address_is_a_command_with_the_password_where_there_is_one() {
        let addresses = ["a@example.org", "b+c@example.org"];
        let open = Majordomo::new(&settings(None)).unwrap().write(addresses);
        assert_eq!(open.text, "subscribe users a@example.org\nsubscribe users b+c@example.org\nend\n");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "sesame\n").unwrap();
        let majordomo = Majordomo::new(&settings(Some(&file))).unwrap();
        let closed = majordomo.write(["a@example.org"]);
        assert_eq!(closed.text, "approve sesame subscribe users a@example.org\nend\n");
        assert!(!format!("{majordomo:?} {} {closed:?}", majordomo.describe()).contains("sesame"));
    }

    #[test]
    fn a_password_that_would_be_several_words_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        for wrong in ["open sesame", "öffne", "a\nend"] {
            std::fs::write(&file, wrong).unwrap();
            let error = Majordomo::new(&settings(Some(&file))).unwrap_err();
            assert!(matches!(error, MajordomoError::Password), "{error}");
            assert!(!error.to_string().contains(wrong), "{error}");
        }
    }
}
