//! A dry run of a job: nothing is changed, whatever the job does, and what it would have mailed is noted.

use crate::outbox::Compose;

/// What a function answers that would change something but mail.
pub(super) const REFUSAL: &str = "nothing is changed in a dry run";

/// What was done in place of changing something.
#[derive(Default)]
pub(super) struct Rehearsal {
    /// The mails by their identifiers, and in words.
    mails: Vec<(String, String)>,
}

impl Rehearsal {
    /// Notes a mail, once for its identifier, as it would be sent.
    pub(super) fn mail(&mut self, identifier: String, compose: &Compose) {
        if self.mails.iter().all(|(known, _)| *known != identifier) {
            let words = format!("would mail {:?} to {}", compose.message.subject, compose.to.join(", "));
            self.mails.push((identifier, words));
        }
    }

    /// The mails in words, in order.
    pub(super) fn would_mail(self) -> Vec<String> {
        self.mails.into_iter().map(|(_, words)| words).collect()
    }
}
