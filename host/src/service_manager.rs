//! What systemd is told where it started the program (sd_notify(3)); nothing anywhere else.

use std::time::Duration;

use sd_notify::NotifyState;

/// The program does what it is there for.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// The program is about to end.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// The program is well.
pub fn well() {
    tell(NotifyState::Watchdog);
}

/// How often [`well`] has to be told, so that the program is not taken for hung; none where nobody waits for it.
/// Three times as often as would do.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 3)
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told how the program is doing");
    }
}
