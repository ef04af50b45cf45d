//! What a new user does with a mailed link.

use usher_tests::mail_server::{MailServer, Received};
use usher_tests::site::Serving;
use usher_tests::web::{self, Answer};

/// The link in a mail, where there is one.
pub fn link_in(mail: &Received) -> Option<String> {
    let link = mail.text.as_deref()?.split_whitespace().find(|word| word.contains("?token="))?;
    Some(link.trim_matches(['<', '>']).to_owned())
}

/// The links that were mailed to a user, in order.
pub fn links(mail: &MailServer, user: &str) -> Vec<String> {
    let received = mail.received().unwrap();
    received.iter().filter(|mail| mail.to.iter().any(|to| to == user)).filter_map(link_in).collect()
}

/// Sends the form.
pub fn choose(serving: &Serving, link: &str, pin: &str, password: &str) -> Answer {
    let form = [("pin", pin), ("password", password), ("confirm_password", password)];
    let url = serving.here(link).unwrap();
    web::request("POST", &url).header("Accept", "text/html").form(&form).send().unwrap()
}
