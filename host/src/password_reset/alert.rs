//! Tells the operators that no more requests are taken, as all together have made as many as they may. Nobody else notices:
//! who asks then is answered as always.

use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;

use super::{PasswordResets, ResetError};
use crate::batch::in_words;
use crate::database::DatabaseError;
use crate::mailer::Message;
use crate::outbox::Compose;

/// What the mail is called in reports.
const KIND: &str = "reset-alert";

/// The day on which this process last told it.
#[derive(Debug, Default)]
pub struct ToldOn(Mutex<Option<Date>>);

impl ToldOn {
    fn is(&self, day: Date) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) == Some(day)
    }

    fn set(&self, day: Date) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(day);
    }
}

impl PasswordResets {
    /// Tells it, once a day, and in the next round where that fails. A failure is logged: what was asked for is worked
    /// through whatever becomes of this.
    pub(super) async fn tell_where_no_more_are_taken(&self) {
        let today = self.clock.now().to_zoned(self.time_zone.clone()).date();
        if self.told.is(today) {
            return;
        }
        match self.tell(today).await {
            Ok(true) => self.told.set(today),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "nobody is told yet that no more requests for links are taken");
            }
        }
    }

    /// Tells it where it is so. Says whether it is.
    async fn tell(&self, today: Date) -> Result<bool, ResetError> {
        let Some(until) = self.setpass.requests_full_until().await? else { return Ok(false) };
        let until = in_words(until, &self.time_zone);
        tracing::error!(
            until,
            "as many links were asked for within 24 hours as setpass.reset.max_in_total allows: no more requests are taken"
        );
        let Some(to) = &self.alert_to else { return Ok(true) };
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
        // Once for the whole day, also where another process tells it too.
        let mut tx = self.database.begin().await?;
        self.outbox.enqueue(&mut tx, &format!("reset-total:{today}"), KIND, &mail).await?;
        tx.commit().await.map_err(DatabaseError::from)?;
        Ok(true)
    }
}
