//! What has to come to its end before the program may, so that what is cut off is called by its name.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Requests over HTTP.
    Requests,
    /// The mail that waits.
    Mail,
    /// Mails that users are owed after a change of their password.
    Notices,
    /// What users ask for on the page `/reset`.
    Links,
}

/// The parts that have not come to their end.
#[derive(Default)]
pub(super) struct UnderWay {
    parts: Mutex<BTreeSet<Part>>,
}

impl UnderWay {
    /// Does a part of the work.
    pub(super) async fn during(&self, part: Part, work: impl Future<Output = ()>) {
        self.parts().insert(part);
        work.await;
        self.parts().remove(&part);
    }

    /// Logs what has not come to its end, and becomes of it.
    pub(super) fn log_cut_off(&self) {
        for part in &*self.parts() {
            match part {
                Part::Requests => {
                    tracing::warn!("requests that did not finish within setpass.grace are cut off");
                }
                Part::Mail => {
                    tracing::warn!(
                        "mail that was being sent at the end of setpass.grace is cut off; it is sent again after the next \
                         start"
                    );
                }
                Part::Notices => {
                    tracing::warn!(
                        "mails about changed passwords that were being written at the end of setpass.grace are cut off; \
                         they are written after the next start"
                    );
                }
                Part::Links => {
                    tracing::warn!(
                        "a request for a link that was being worked through at the end of setpass.grace is cut off; it is \
                         taken up after the next start"
                    );
                }
            }
        }
    }

    fn parts(&self) -> MutexGuard<'_, BTreeSet<Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn what_has_not_ended_is_known_by_its_name() {
        let under_way = UnderWay::default();
        let mut mail = Box::pin(under_way.during(Part::Mail, std::future::pending()));
        let mut requests = Box::pin(under_way.during(Part::Requests, std::future::ready(())));
        assert!((&mut mail).now_or_never().is_none());
        assert!((&mut requests).now_or_never().is_some());
        assert!(under_way.parts().iter().eq([&Part::Mail]));
    }
}
