//! Cases: users who forgot their password ask the helpdesk, and choose the next link's PIN already.

use secrecy::SecretString;

use super::{Setpass, SetpassError};
use crate::database::{CaseLimits, Transaction};
use crate::registration;

/// How many cases strangers may open within 24 hours, so that nobody floods the helpdesk.
const LIMITS: CaseLimits = CaseLimits { per_email: 3, total: 200 };

impl Setpass {
    /// Opens a case in the caller's transaction, so that the case and the ticket which names it are
    /// recorded together, and says its number. None where too many were opened within 24 hours,
    /// for this address or altogether.
    ///
    /// `pin_hash` comes from [`Setpass::hash_pin`].
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open_reset_case(
        &self,
        tx: &mut Transaction,
        email: &str,
        pin_hash: &str,
    ) -> Result<Option<i64>, SetpassError> {
        let inner = &self.inner;
        let email = registration::fold(email);
        let number = inner.database.open_reset_case(tx, &email, pin_hash, inner.clock.now(), LIMITS).await?;
        match number {
            Some(case) => tracing::info!(case, "reset case opened"),
            None => tracing::warn!("too many reset cases within 24 hours; none opened"),
        }
        Ok(number)
    }

    /// Hashes the PIN of a stranger, who may have to be turned away.
    ///
    /// # Errors
    /// Where the PIN cannot be one, or too many are waiting.
    pub async fn hash_stranger_pin(&self, pin: &SecretString) -> Result<String, SetpassError> {
        let _place = self.inner.hashing.queue()?;
        self.hash_pin(pin).await
    }
}
