//! How often one client may send wrong PINs.
//!
//! Addresses are counted as keyed hashes, which are erased once they count no more. Windows slide: see
//! `database::Limit`.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::redeem::{Turn, redeem, to_its_end};
use super::{RedeemError, Redemption, Setpass, SetpassError};
use crate::database::{Counted, Limit};
use crate::keystone::Keystone;

/// The span that a client's requests and wrong PINs are counted over.
pub(super) const CLIENT_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// What counting a client came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCount {
    /// It may go on.
    Within,
    /// It has to wait.
    Over {
        /// Until when.
        until: Timestamp,
    },
}

impl Setpass {
    /// [`Setpass::redeem`] for a client, named by its network, who may send so many wrong PINs and no more. One whose
    /// address is not known counts together with all others of whom that is so.
    ///
    /// The try is counted before anything is looked at, and taken back where it was no wrong guess: so many people
    /// behind one address can choose their passwords, and nobody there can try PINs over many links. Both happen also where
    /// the client hangs up meanwhile.
    ///
    /// # Errors
    /// See [`RedeemError`].
    pub async fn redeem_for(
        &self,
        client: IpAddr,
        keystone: &Keystone,
        redemption: &Redemption,
    ) -> Result<(), RedeemError> {
        let Turn { place, under_way } = self.turn(redemption).await?;
        let (setpass, keystone, redemption) = (self.clone(), keystone.clone(), redemption.clone());
        to_its_end(async move {
            let inner = &setpass.inner;
            let most = inner.attempts_per_client;
            let id = match setpass.count_client(client, "attempt of client", most).await? {
                Counted::Within(id) => id,
                Counted::Over { until } => return Err(RedeemError::TooManyFromClient { until }),
            };
            let outcome = redeem(inner, place, &keystone, &redemption).await;
            if !is_wrong_guess(&outcome) {
                inner.database.take_event_back(id).await?;
            }
            drop(under_way);
            outcome
        })
        .await
    }

    async fn count_client(
        &self,
        client: IpAddr,
        kind: &'static str,
        most: u32,
    ) -> Result<Counted, SetpassError> {
        let inner = &self.inner;
        let subject = inner.keys.fingerprint("setpass/client", &client.to_string());
        let limit = Limit { kind, subject: &subject, most, window: CLIENT_WINDOW };
        Ok(inner.database.count_event(&limit, inner.clock.now()).await?)
    }

    /// How many seconds from now it is until a moment, rounded up.
    #[must_use]
    pub fn seconds_until(&self, moment: Timestamp) -> u64 {
        let milliseconds = moment.duration_since(self.inner.clock.now()).as_millis();
        u64::try_from(milliseconds).unwrap_or(0).div_ceil(1000)
    }
}

/// Whether somebody who does not know what has to be known may have tried it.
fn is_wrong_guess(outcome: &Result<(), RedeemError>) -> bool {
    matches!(
        outcome,
        Err(RedeemError::Unknown
            | RedeemError::Expired
            | RedeemError::WrongPin { .. }
            | RedeemError::Locked
            | RedeemError::LockedForToday)
    )
}
