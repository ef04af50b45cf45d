//! Who may register users at the protocol's PUT: whoever shows a token that Keystone takes.
//!
//! Anybody can show tokens, and Keystone is asked about each: without a limit, strangers could have it asked all the
//! time. So one client may show so many that are not taken. Whoever Keystone has said yes to is no stranger and is not
//! limited, so that nobody else in the same network can hinder an import; and they could do worse with their token.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{Setpass, SetpassError};
use crate::database::{Counted, Limit};
use crate::keystone::{Keystone, KeystoneError};

/// How many tokens that are not taken one client may show within [`WINDOW`].
pub const REFUSED_CALLERS: u32 = 60;

/// The span that they are counted over: not for long, so that a program whose token was wrong soon goes on with a
/// right one.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// How many tokens of strangers wait to be asked about. Who hangs up leaves the question behind, and Keystone is asked about a
/// few at a time only: without a limit, those who are no strangers would wait behind them for as long as anybody likes.
const MOST_WAITING: usize = 100;

/// Whether somebody may register users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Keystone takes the token.
    Admitted,
    /// Keystone does not.
    Refused,
    /// The client has shown too many that it does not take, and Keystone is not asked.
    TooMany {
        /// Before this moment.
        until: Timestamp,
    },
}

/// Why nobody can tell whether somebody may register users.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// Keystone does not say.
    #[error(transparent)]
    Keystone(#[from] KeystoneError),
    /// The records cannot be read or written.
    #[error(transparent)]
    Setpass(#[from] SetpassError),
}

/// A client and the hash of the token that it shows.
pub(super) type Caller = (IpAddr, [u8; 32]);

/// The same for all who wait for it.
pub(super) type SharedAdmission = Result<Admission, Arc<AdmissionError>>;

impl Setpass {
    /// Whether a client, named by its network, may register users with a token.
    ///
    /// However often a client shows one token while Keystone is being asked about it, it counts once; also where whoever
    /// showed it first does not wait for the answer.
    ///
    /// # Errors
    /// Where Keystone does not say, or the database fails.
    pub async fn admit(
        &self,
        keystone: &Keystone,
        client: IpAddr,
        token: &SecretString,
    ) -> Result<Admission, Arc<AdmissionError>> {
        if keystone.has_authorized(token) {
            return ask(keystone, token).await.map_err(Arc::new);
        }
        if self.inner.callers.under_way() >= MOST_WAITING {
            return Err(Arc::new(SetpassError::Overloaded.into()));
        }
        let (setpass, keystone, token) = (self.clone(), keystone.clone(), token.clone());
        let caller = (client, Sha256::digest(token.expose_secret().as_bytes()).into());
        let counted =
            move || async move { setpass.count_and_ask(&keystone, client, &token).await.map_err(Arc::new) };
        self.inner.callers.run(caller, counted).await
    }

    /// Counts a caller as one who is refused before Keystone is asked, and takes that back where it was not so: many at
    /// once get no further than one after the other.
    async fn count_and_ask(
        &self,
        keystone: &Keystone,
        client: IpAddr,
        token: &SecretString,
    ) -> Result<Admission, AdmissionError> {
        let inner = &self.inner;
        let subject = inner.keys.fingerprint("setpass/client", &client.to_string());
        let limit =
            Limit { kind: "caller of client", subject: &subject, most: REFUSED_CALLERS, window: WINDOW };
        let counted = inner.database.count_event(&limit, inner.clock.now()).await;
        let id = match counted.map_err(SetpassError::from)? {
            Counted::Within(id) => id,
            Counted::Over { until } => return Ok(Admission::TooMany { until }),
        };
        let admission = ask(keystone, token).await;
        if !matches!(admission, Ok(Admission::Refused)) {
            inner.database.take_event_back(id).await.map_err(SetpassError::from)?;
        }
        admission
    }
}

async fn ask(keystone: &Keystone, token: &SecretString) -> Result<Admission, AdmissionError> {
    let is_admitted = keystone.authorizes_admin(token).await?;
    Ok(if is_admitted { Admission::Admitted } else { Admission::Refused })
}
