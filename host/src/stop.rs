//! Being asked to end: what works on something long looks here between two steps.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether whoever works on something is asked to end. All clones are asked together.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { asked: Arc::new(watch::Sender::new(false)) }
    }
}

impl Stop {
    /// Asks all that look here to end with the step that they are taking.
    pub fn ask(&self) {
        self.asked.send_replace(true);
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Waits until it is asked.
    pub async fn asked(&self) {
        // The sender is in this value, so the channel does not close.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
    }
}
