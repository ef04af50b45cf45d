//! Links for choosing passwords: from the setpass that this machine serves, or from one on another machine.
//!
//! Here, a link works once it is recorded, which is done in one transaction with the mail that carries it. Elsewhere
//! it works as soon as it was asked for, and no earlier one of the user does: what was asked for last has to be what
//! is mailed. A process that dies in between, or never gets the answer, has mailed nothing; whoever takes the step up
//! asks for another link. Two processes at once would mail one link and have another in force, so each user has turns
//! ([`Links::alone`]). A process that was stalled for longer than its turn lasts finds out before it asks, and again
//! before it records a link; where it asked too late, it registers the user once more, in another turn.
//!
//! A password waits in the journal, encrypted, until its link is recorded as mailed. A PIN is never kept on the way to
//! another machine: it is in the sheet, or in the head of the operator.

mod turn;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::clock::Clock;
use crate::database::{Database, DatabaseError, Transaction, drop_mails_with_link_of};
use crate::fail_point;
use crate::keystone::Keystone;
use crate::process::Process;
use crate::remote_setpass::{RemoteSetpass, RemoteSetpassError};
use crate::setpass::{
    InvalidPin, IssuedToken, Pin, Prepared, Registration, Setpass, SetpassError, check_pin, link_with,
};
use crate::settings::Settings;
use turn::Lease;

pub use turn::Turn;

/// How long one call may be put off before it is made again, besides what it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the lease of a turn is called, before the user's id.
const TURN: &str = "setpass link of ";

/// How often it is looked whether the turn has come.
const LOOK: Duration = Duration::from_millis(250);

/// How many turns are taken where each is lost before its end.
const TURNS: u32 = 3;

/// How long tokens of ours are, in characters.
const SAMPLE_LENGTH: usize = 43;

/// Where links come from. Clones share everything.
#[derive(Clone)]
pub enum Links {
    /// From the setpass that this machine serves.
    Here(Setpass),
    /// From the setpass of another machine.
    Elsewhere(Elsewhere),
}

/// A setpass on another machine, and what is recorded here of the links from there.
#[derive(Clone)]
pub struct Elsewhere {
    remote: RemoteSetpass,
    database: Database,
    clock: Clock,
    public_url: url::Url,
    /// How long links are said to work.
    lifetime: Duration,
    /// How long a turn lasts whose holder died on another host.
    turn: Duration,
}

/// A link that no mail carries yet.
pub enum PreparedLink {
    /// It does not work before it is recorded.
    Here {
        /// Who records it.
        setpass: Setpass,
        /// The link.
        prepared: Prepared,
    },
    /// It works already.
    Elsewhere(Given),
}

/// A link that the setpass of another machine gave.
pub struct Given {
    user_id: String,
    /// When it was asked for.
    asked: Timestamp,
    issued: IssuedToken,
    turn: Turn,
}

impl PreparedLink {
    /// What the mail with the link says.
    #[must_use]
    pub fn issued(&self) -> &IssuedToken {
        match self {
            Self::Here { prepared, .. } => prepared.issued(),
            Self::Elsewhere(given) => &given.issued,
        }
    }

    /// Records the link in the transaction that records the mail with it. Mails that carry an earlier one are not
    /// sent any more.
    ///
    /// # Errors
    /// Where something is missing for a user whom the setpass here does not know, the turn was lost, or the database
    /// fails.
    pub async fn record(&self, tx: &mut Transaction) -> Result<(), LinkError> {
        match self {
            Self::Here { setpass, prepared } => Ok(setpass.record(tx, prepared).await?),
            Self::Elsewhere(given) => given.record(tx).await,
        }
    }
}

impl Given {
    async fn record(&self, tx: &mut Transaction) -> Result<(), LinkError> {
        if !self.turn.is_held_in(tx).await? {
            return Err(self.turn.lost_too_late());
        }
        Ok(drop_mails_with_link_of(tx, &self.user_id, self.asked).await?)
    }
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The own setpass did not issue it.
    #[error(transparent)]
    Here(#[from] SetpassError),
    /// The setpass on the other machine did not issue it.
    #[error(transparent)]
    Elsewhere(#[from] RemoteSetpassError),
    /// The PIN cannot be one. Final.
    #[error(transparent)]
    InvalidPin(#[from] InvalidPin),
    /// Only a hash of the PIN is here, and another setpass wants the PIN. Final.
    #[error(
        "only a hash of the PIN is kept here, and the setpass at setpass.remote needs the PIN itself; reset the \
         password on the machine of that setpass, or ask the user for a PIN"
    )]
    HashedPin,
    /// Another process is registering the user. Passing.
    #[error("{0} is registering the same user with setpass; try again when it has finished")]
    Busy(String),
    /// This process was stalled for so long that another one has registered the user meanwhile. Passing.
    #[error(
        "another process registered the same user with setpass while this one was stalled; do it again, so that the link \
         that is mailed last works"
    )]
    TurnLost,
    /// The records cannot be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl LinkError {
    /// Whether nothing answers where a service should be, so that others need not try.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Elsewhere(error) if error.is_unreachable())
    }
}

impl Links {
    /// Links from where the settings say.
    ///
    /// # Errors
    /// Where the settings of the other setpass cannot be used.
    pub fn new(
        settings: &Settings,
        setpass: &Setpass,
        keystone: &Keystone,
        database: &Database,
        clock: &Clock,
    ) -> Result<Self, RemoteSetpassError> {
        let Some(remote) = RemoteSetpass::new(settings, keystone, clock)? else {
            return Ok(Self::Here(setpass.clone()));
        };
        // A call is repeated after passing failures, and all of that once more with a new token.
        let calls = settings.keystone.retries.saturating_add(1).saturating_mul(2);
        Ok(Self::Elsewhere(Elsewhere {
            remote,
            database: database.clone(),
            clock: clock.clone(),
            public_url: settings.setpass.public_url().clone(),
            lifetime: settings.setpass.token_lifetime,
            turn: (settings.keystone.timeout + PATIENCE).saturating_mul(calls),
        }))
    }

    /// What a link of another machine's setpass looks like, to find out before one is asked for whether it can be mailed:
    /// as soon as it is asked for, the user's earlier one works no more. None where that is not so.
    #[must_use]
    pub fn sample(&self) -> Option<IssuedToken> {
        let Self::Elsewhere(elsewhere) = self else { return None };
        Some(elsewhere.issued(SecretString::from("x".repeat(SAMPLE_LENGTH)), elsewhere.clock.now()))
    }

    /// Does what leads to a user's link, from looking whether it is still wanted until it is recorded, while nobody
    /// else does the same. Links from here need no turns: there, what is recorded last is both mailed and in force.
    /// Where the turn was lost before the work's end, the work is done again in another one.
    ///
    /// # Errors
    /// Where the turn does not come, and what the work fails with.
    pub async fn alone<T, E, W>(&self, user_id: &str, work: impl Fn(Turn) -> W) -> Result<T, E>
    where
        E: From<LinkError>,
        W: Future<Output = Result<T, E>>,
    {
        let Self::Elsewhere(elsewhere) = self else { return work(Turn::not_needed()).await };
        let mut is_in_doubt = false;
        let mut turns = 1;
        loop {
            let lease = elsewhere.take_turn(user_id).await?;
            let outcome = work(Turn { lease: Some(Arc::clone(&lease)), is_in_doubt }).await;
            if let Err(error) = elsewhere.database.release_lease(&lease.name, &lease.holder).await {
                tracing::warn!(%error, "a turn to register a user could not be given back; it ends by itself");
            }
            if outcome.is_ok() || turns == TURNS || !lease.is_lost.load(Ordering::Relaxed) {
                return outcome;
            }
            is_in_doubt |= lease.is_too_late.load(Ordering::Relaxed);
            turns += 1;
            tracing::warn!(
                user_id,
                "this process was stalled for longer than its turn to register a user; it takes another"
            );
        }
    }

    /// Finds out whether it is still the turn of who has prepared a link, and lets the turn last on.
    ///
    /// # Errors
    /// Where it was lost, or the database fails.
    pub async fn check(&self, turn: &Turn) -> Result<(), LinkError> {
        match self {
            Self::Elsewhere(elsewhere) if !elsewhere.keep(turn).await? => Err(turn.lost_too_late()),
            _ => Ok(()),
        }
    }

    /// Makes a link, which takes its time. From elsewhere it works from now on, and earlier ones of the user do not.
    ///
    /// # Errors
    /// Where the PIN cannot be one, the turn was lost, or the other setpass does not issue it.
    pub async fn prepare(
        &self,
        registration: Registration<'_>,
        turn: &Turn,
    ) -> Result<PreparedLink, LinkError> {
        match self {
            Self::Here(setpass) => {
                let prepared = setpass.prepare(registration).await?;
                Ok(PreparedLink::Here { setpass: setpass.clone(), prepared })
            }
            Self::Elsewhere(elsewhere) => {
                Ok(PreparedLink::Elsewhere(elsewhere.ask(registration, turn).await?))
            }
        }
    }

    /// Issues another link for a user whom setpass knows.
    ///
    /// # Errors
    /// Where setpass does not know the user, or the database fails.
    pub async fn renew(&self, user_id: &str) -> Result<IssuedToken, LinkError> {
        let elsewhere = match self {
            Self::Here(setpass) => return Ok(setpass.renew(user_id).await?),
            Self::Elsewhere(elsewhere) => elsewhere,
        };
        let renew = |turn: Turn| async move {
            let registration = Registration { user_id, password: None, pin: None };
            let link = elsewhere.ask(registration, &turn).await?;
            let mut tx = elsewhere.database.begin().await?;
            link.record(&mut tx).await?;
            tx.commit().await.map_err(DatabaseError::from)?;
            Ok(link.issued)
        };
        self.alone(user_id, renew).await
    }
}

impl Elsewhere {
    /// The setpass on the other machine.
    #[must_use]
    pub fn remote(&self) -> &RemoteSetpass {
        &self.remote
    }

    async fn ask(&self, registration: Registration<'_>, turn: &Turn) -> Result<Given, LinkError> {
        let Registration { user_id, password, pin } = registration;
        let pin: Option<&SecretString> = match pin {
            Some(Pin::Clear(pin)) => Some(pin),
            Some(Pin::Hash(_)) => return Err(LinkError::HashedPin),
            None => None,
        };
        pin.map(check_pin).transpose()?;
        if !self.keep(turn).await? {
            return Err(turn.lost());
        }
        let asked = self.clock.now();
        fail_point::reached(|| "link elsewhere to ask for".to_owned());
        let token = self.remote.register(user_id, password, pin).await?;
        fail_point::reached(|| "link elsewhere given".to_owned());
        tracing::info!(user_id, "registered with the setpass at setpass.remote");
        let issued = self.issued(token, asked);
        Ok(Given { user_id: user_id.to_owned(), asked, issued, turn: turn.clone() })
    }

    fn issued(&self, token: SecretString, asked: Timestamp) -> IssuedToken {
        let expires = asked.saturating_add(self.lifetime).unwrap_or(Timestamp::MAX);
        IssuedToken { url: link_with(&self.public_url, &token), token, expires }
    }

    /// Lets a turn last on. False where it was lost.
    async fn keep(&self, turn: &Turn) -> Result<bool, DatabaseError> {
        let Some(lease) = &turn.lease else { return Ok(false) };
        let now = self.clock.now();
        self.database.renew_lease(&lease.name, &lease.holder, self.turn, now).await
    }

    async fn take_turn(&self, user_id: &str) -> Result<Arc<Lease>, LinkError> {
        let name = format!("{TURN}{user_id}");
        let holder = turn::holder();
        fail_point::reached(|| "turn to register wanted".to_owned());
        self.database.forget_ended_leases(TURN, self.clock.now()).await?;
        let mut waited = Duration::ZERO;
        loop {
            let now = self.clock.now();
            let taken = self.database.take_lease(&name, &holder, self.turn, now, turn::is_gone).await?;
            let Err(other) = taken else {
                fail_point::reached(|| "turn to register taken".to_owned());
                return Ok(Arc::new(Lease::of(name, holder)));
            };
            if waited >= self.turn {
                let process = Process::parse(turn::process_of(&other.holder));
                let who = process.map_or(other.holder, |process| process.in_words());
                return Err(LinkError::Busy(who));
            }
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        }
    }
}

#[cfg(test)]
mod tests;
