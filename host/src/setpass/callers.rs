//! How often one client may show tokens that Keystone does not take, at the protocol's PUT.
//!
//! Anybody can show tokens, and Keystone is asked about each: without a limit, strangers could have it asked all the
//! time. Those who may register users are not limited, as they could do worse with their token.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::{Setpass, SetpassError};
use crate::database::{Counted, Limit};

/// How many tokens that are not taken one client may show within [`WINDOW`].
pub const REFUSED_CALLERS: u32 = 60;

/// The span that they are counted over: not for long, so that a program whose token was wrong soon goes on with a
/// right one.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// What counting a caller came to.
#[derive(Debug)]
pub enum CallerCount {
    /// Keystone may be asked. Counted as one who is refused, until it is taken back.
    Within(CountedCaller),
    /// Keystone is not asked before this moment.
    Over {
        /// See above.
        until: Timestamp,
    },
}

/// A caller who is counted as one who is refused.
#[derive(Debug)]
pub struct CountedCaller(i64);

impl Setpass {
    /// Counts that a client, named by its network, shows a token. It is counted before Keystone is asked: many at once
    /// get no further than one after the other.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_caller(&self, client: IpAddr) -> Result<CallerCount, SetpassError> {
        let inner = &self.inner;
        let subject = inner.keys.fingerprint("setpass/client", &client.to_string());
        let limit =
            Limit { kind: "caller of client", subject: &subject, most: REFUSED_CALLERS, window: WINDOW };
        Ok(match inner.database.count_event(&limit, inner.clock.now()).await? {
            Counted::Within(id) => CallerCount::Within(CountedCaller(id)),
            Counted::Over { until } => CallerCount::Over { until },
        })
    }

    /// Takes a caller back whom Keystone did not refuse.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn take_caller_back(&self, counted: CountedCaller) -> Result<(), SetpassError> {
        Ok(self.inner.database.take_event_back(counted.0).await?)
    }
}
