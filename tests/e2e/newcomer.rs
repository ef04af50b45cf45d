//! What a new user does with a mailed link.

use usher_tests::mail_server::{self, MailServer};
use usher_tests::serving::Serving;
use usher_tests::web::{self, Answer};

/// The links that were mailed to a user, in order.
pub fn links(mail: &MailServer, user: &str) -> Vec<String> {
    mail_server::links(&mail.received().unwrap(), user)
}

/// Sends the form.
pub fn choose(serving: &Serving, link: &str, pin: &str, password: &str) -> Answer {
    let form = [("pin", pin), ("password", password), ("confirm_password", password)];
    let url = serving.here(link).unwrap();
    web::request("POST", &url).header("Accept", "text/html").form(&form).send().unwrap()
}
