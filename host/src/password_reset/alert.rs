//! Tells the operators that no more requests are taken, as all together have made as many as they may. Nobody else notices:
//! who asks then is answered as always.

use super::{PasswordResets, ResetError};
use crate::batch::in_words;
use crate::database::DatabaseError;
use crate::mailer::Message;
use crate::outbox::Compose;

/// What the mail is called in reports.
const KIND: &str = "reset-alert";

impl PasswordResets {
    /// Tells it, once a day. A failure is logged: what was asked for is worked through whatever becomes of this.
    pub(super) async fn tell_where_no_more_are_taken(&self) {
        if let Err(error) = self.tell().await {
            tracing::error!(%error, "nobody is told that no more requests for links are taken");
        }
    }

    async fn tell(&self) -> Result<(), ResetError> {
        let Some(until) = self.setpass.requests_full_until().await? else { return Ok(()) };
        let until = in_words(until, &self.time_zone);
        tracing::error!(
            until,
            "as many links were asked for within 24 hours as setpass.reset.max_in_total allows: no more requests are taken"
        );
        let Some(to) = &self.alert_to else { return Ok(()) };
        let text = format!(
            "Within 24 hours as many links for new passwords were asked for on the page /reset as \
             setpass.reset.max_in_total allows. Further requests are dropped, and who makes one is not told: the first \
             that is taken again may come after {until}, and the next ones as earlier ones get older than 24 hours.\n\n\
             Probably somebody asks for many links on purpose. One client address can make no more than \
             setpass.reset.max_per_client_per_day of the requests, so that there are several. Look at the access log of \
             `usher serve`, and have your proxy or firewall refuse them. Where so many people do need a link, raise \
             setpass.reset.max_in_total. Until then `usher password reset USER` mails a link to whoever asks you.\n\n\
             This is told once a day.\n",
        );
        let subject = "Usher: no more requests for new passwords are taken".to_owned();
        let message = Message { sender: None, cc: Vec::new(), subject, text, html: None };
        let mail = Compose { to: vec![to.clone()], message, link: None };
        let today = self.clock.now().to_zoned(self.time_zone.clone()).date();
        let mut tx = self.database.begin().await?;
        self.outbox.enqueue(&mut tx, &format!("reset-total:{today}"), KIND, &mail).await?;
        Ok(tx.commit().await.map_err(DatabaseError::from)?)
    }
}
