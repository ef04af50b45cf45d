//! PIN hashing that cannot take all memory and cores: half of the cores hash at once, and a bounded number of PINs
//! wait.

mod workers;

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::workers::Workers;

use super::SetpassError;
use crate::keys::{Keys, KeysError};

/// How many strangers' PINs may wait to be compared. The last of them waits some seconds.
pub(super) const QUEUE_LENGTH: usize = 256;

/// Hashes and compares PINs on threads where that may take its time.
pub(super) struct PinHashing {
    keys: Keys,
    workers: Workers,
    queue: Arc<Semaphore>,
}

/// A place in the queue of those who want a PIN compared.
pub(super) struct Place(
    #[expect(dead_code, reason = "held, and given back when dropped")] OwnedSemaphorePermit,
);

impl PinHashing {
    pub(super) fn new(keys: Keys) -> Self {
        Self { keys, workers: Workers::default(), queue: Arc::new(Semaphore::new(QUEUE_LENGTH)) }
    }

    /// A place in the queue, at once or not at all. It is taken before the database is asked for
    /// anything, and a turn on a core only afterwards: nobody holds a turn who waits for the database.
    pub(super) fn queue(&self) -> Result<Place, SetpassError> {
        Arc::clone(&self.queue).try_acquire_owned().map(Place).map_err(|_| SetpassError::Overloaded)
    }

    /// Hashes a PIN. A stranger's has a place in the queue, which it keeps until it is hashed or thrown away.
    pub(super) async fn hash(&self, pin: &SecretString, place: Option<Place>) -> String {
        let (keys, pin) = (self.keys.clone(), pin.clone());
        self.workers
            .run(move || {
                let _place = place;
                keys.hash_pin(&pin)
            })
            .await
    }

    /// Whether the PIN is the one that was hashed; false, after the same time, where there is no hash.
    ///
    /// # Errors
    /// Where the key of the hash is missing, after the same time too.
    pub(super) async fn verify(
        &self,
        place: Place,
        pin: &SecretString,
        hash: Option<&str>,
    ) -> Result<bool, KeysError> {
        let (keys, pin, hash) = (self.keys.clone(), pin.clone(), hash.map(str::to_owned));
        self.workers
            .run(move || {
                // Given back when it is done, also where nobody waits for it any more.
                let _place = place;
                let compared = hash.map(|hash| keys.verify_pin(&pin, &hash));
                // Where nothing was compared, a hash of the same cost: the time tells nobody so.
                if !matches!(compared, Some(Ok(_))) {
                    let _unused = keys.hash_pin(&pin);
                }
                compared.unwrap_or(Ok(false))
            })
            .await
    }
}
