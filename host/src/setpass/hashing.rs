//! PIN hashing that cannot take all memory and cores: as many at once as there are cores, and a
//! bounded number that wait.

mod workers;

use std::sync::{Arc, OnceLock};

use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::workers::Workers;

use super::SetpassError;
use crate::keys::Keys;

/// How many strangers' PINs may wait to be compared. The last of them waits some seconds.
const QUEUE_LENGTH: usize = 256;

/// Hashes and compares PINs on threads where that may take its time.
pub(super) struct PinHashing {
    keys: Keys,
    workers: Workers,
    queue: Arc<Semaphore>,
    /// The hash that is compared with where there is none: refusing takes as long as comparing.
    decoy: Arc<OnceLock<String>>,
}

/// A place in the queue of those who want a PIN compared.
pub(super) struct Place(OwnedSemaphorePermit);

impl PinHashing {
    pub(super) fn new(keys: Keys) -> Self {
        Self {
            keys,
            workers: Workers::default(),
            queue: Arc::new(Semaphore::new(QUEUE_LENGTH)),
            decoy: Arc::default(),
        }
    }

    /// A place in the queue, at once or not at all. It is taken before the database is asked for
    /// anything, and a turn on a core only afterwards: nobody holds a turn who waits for the database.
    pub(super) fn queue(&self) -> Result<Place, SetpassError> {
        Arc::clone(&self.queue).try_acquire_owned().map(Place).map_err(|_| SetpassError::Overloaded)
    }

    pub(super) async fn hash(&self, pin: &SecretString) -> String {
        let (keys, pin) = (self.keys.clone(), pin.clone());
        self.workers.run(move || keys.hash_pin(&pin)).await
    }

    /// Whether the PIN is the one that was hashed; false, after the same time, where there is no hash.
    pub(super) async fn verify(&self, place: Place, pin: &SecretString, hash: Option<&str>) -> bool {
        let (keys, pin, decoy) = (self.keys.clone(), pin.clone(), Arc::clone(&self.decoy));
        let hash = hash.map(str::to_owned);
        let right = self
            .workers
            .run(move || match hash {
                Some(hash) => keys.verify_pin(&pin, &hash),
                None => {
                    let decoy = decoy.get_or_init(|| keys.hash_pin(&SecretString::from("decoy")));
                    let _wrong = keys.verify_pin(&pin, decoy);
                    false
                }
            })
            .await;
        drop(place.0);
        right
    }
}
