//! The bodies that are held at the same time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bodies of all connections that are held at the same time. Clones share them.
///
/// One connection may bring several with HTTP/2, so that bounds on connections do not bound them.
#[derive(Clone, Debug)]
pub struct Bodies {
    places: Arc<Semaphore>,
    /// How many one client may have.
    share: u32,
    held: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// A place for a body, for as long as this lives.
#[derive(Debug)]
pub(in crate::http) struct Place {
    _permit: OwnedSemaphorePermit,
    /// Whose it is, where those of one client are counted.
    of: Option<(Bodies, IpAddr)>,
}

impl Bodies {
    /// So many at most, and so many of one client.
    #[must_use]
    pub fn new(most: u32, share: u32) -> Self {
        Self { places: Arc::new(Semaphore::new(most as usize)), share, held: Arc::default() }
    }

    /// A place for one, at once or not at all. `client` has no more than its share; none is somebody who speaks for many.
    pub(super) fn place(&self, client: Option<IpAddr>) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        if let Some(client) = client {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let own = held.entry(client).or_default();
            if *own >= self.share {
                return None;
            }
            *own += 1;
        }
        Some(Place { _permit: permit, of: client.map(|client| (self.clone(), client)) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((bodies, client)) = &self.of else { return };
        let mut held = bodies.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = held.get_mut(client) {
            *own -= 1;
            if *own == 0 {
                held.remove(client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_has_its_share_of_the_places_and_leaves_the_others_to_others() {
        let bodies = Bodies::new(5, 2);
        let (one, other) = (Some(IpAddr::from([192, 0, 2, 1])), Some(IpAddr::from([192, 0, 2, 2])));
        let first = bodies.place(one).unwrap();
        let _second = bodies.place(one).unwrap();
        assert!(bodies.place(one).is_none(), "it has its share");
        let _others = (bodies.place(other).unwrap(), bodies.place(other).unwrap());
        let many = bodies.place(None).unwrap();
        assert!(bodies.place(None).is_none(), "all are taken");
        drop(first);
        assert!(bodies.place(one).is_some(), "a place comes free");
        drop(many);
        let _many = (bodies.place(None).unwrap(), bodies.place(None).unwrap());
        assert_eq!(bodies.held.lock().unwrap().len(), 2, "nobody is remembered without a place");
    }
}
