//! Who may send a mail: whoever has claimed it, and renews that claim as long as it is at it.
//!
//! A claim is taken over from a process of this machine that is dead, and from anybody who has not renewed it for as long
//! as it is watched from here. Nobody's clock is compared with another one, nor with itself after it was set. Who looks
//! only once can judge none of the latter kind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::database::MailClaim;
use crate::leases::{self, seems_dead};
use crate::process::Process;
use crate::random;
use crate::silence::Silence;

/// How long a claim seems to be alive that is not renewed, by the clock of whoever has it.
pub(super) const CLAIM: SignedDuration = SignedDuration::from_secs(30);

/// How often a claim is renewed while its mail is being sent.
pub(super) const RENEWAL: Duration = Duration::from_secs(10);

/// For how long nobody else may take over a claim that is not renewed.
pub(super) const LASTS: Duration = leases::LASTS;

/// How long a look at the claims may take. Where the database lets nobody in for longer, those who hold claims could not
/// renew them either.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// What was seen here of the claims of others. Clones see the same.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    clock: Clock,
    /// By the mail.
    seen: Arc<Mutex<Silence<String, Sign>>>,
}

/// What changes while a mail is being sent: who sends it, how often the claim was made or renewed, and until when it lasts.
/// Versions before this one renewed only the last of these.
type Sign = (String, i64, Timestamp);

impl Claims {
    /// None of them was looked at yet.
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, seen: Arc::default() }
    }

    /// The mails whose claims are worth nothing, of those that are claimed as a look at them shows that was begun when the
    /// clock `had_run` for so long.
    pub(super) fn left_by_the_dead(&self, claims: &[MailClaim], had_run: Duration) -> Vec<String> {
        let ran = self.clock.ran();
        let mut seen = self.seen();
        if ran.saturating_sub(had_run) > LONGEST_LOOK {
            *seen = Silence::default();
        }
        seen.keep_only(|origin| claims.iter().any(|claim| claim.origin == *origin));
        let is_dead = |claim: &&MailClaim| {
            let sign = (claim.claimant.clone(), claim.renewals, claim.until);
            seen.of(claim.origin.clone(), sign, ran) >= LASTS || Process::is_gone(&claim.claimant)
        };
        claims.iter().filter(is_dead).map(|claim| claim.origin.clone()).collect()
    }

    /// Forgets what was seen: where the database fails here, it may fail those who hold claims.
    pub(super) fn start_over(&self) {
        *self.seen() = Silence::default();
    }

    /// Whether a claim may well be a dead process's. It is only a hint: clocks of two machines may differ.
    pub(super) fn seems_dead(&self, claim: &MailClaim) -> bool {
        Process::is_gone(&claim.claimant) || seems_dead(claim.until, self.clock.now())
    }

    fn seen(&self) -> MutexGuard<'_, Silence<String, Sign>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a round of sending is called among those that claim mail: another one in the same process is somebody else.
pub(super) fn claimant() -> String {
    format!("{} {}", Process::this(), random::identifier())
}
