//! Cases: users who forgot their password ask the helpdesk, and choose the next link's PIN already.

use secrecy::SecretString;

use super::{Setpass, SetpassError};
use crate::database::{CaseLimits, Transaction};
use crate::registration;

/// How many cases strangers may open within 24 hours, so that nobody floods the helpdesk.
const LIMITS: CaseLimits = CaseLimits { per_email: 3, total: 200 };

impl Setpass {
    /// The number of a case that is about to be opened. None where too many were within 24 hours, for
    /// this address or altogether.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn number_reset_case(&self, email: &str) -> Result<Option<i64>, SetpassError> {
        let inner = &self.inner;
        let email = registration::fold(email);
        let number = inner.database.number_reset_case(&email, inner.clock.now(), LIMITS).await?;
        if number.is_none() {
            tracing::warn!("too many reset cases within 24 hours; none opened");
        }
        Ok(number)
    }

    /// Opens a case in the caller's transaction, so that the case and the ticket which names it are
    /// recorded together. `pin_hash` comes from [`Setpass::hash_pin`].
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open_reset_case(
        &self,
        tx: &mut Transaction,
        case: i64,
        pin_hash: &str,
    ) -> Result<(), SetpassError> {
        self.inner.database.open_reset_case(tx, case, pin_hash).await?;
        tracing::info!(case, "reset case opened");
        Ok(())
    }

    /// Hashes the PIN of a stranger, who may have to be turned away.
    ///
    /// # Errors
    /// Where the PIN cannot be one, or too many are waiting.
    pub async fn hash_stranger_pin(&self, pin: &SecretString) -> Result<String, SetpassError> {
        super::check_pin(pin)?;
        let place = self.inner.hashing.queue()?;
        Ok(self.inner.hashing.hash(pin, Some(place)).await)
    }
}
