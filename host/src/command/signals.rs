//! SIGTERM and SIGINT to a command that works on something long: it ends with the step that it is taking.

use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;

/// Why a command did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: what was under way did not end within schedule.grace; the next run goes on from there")]
pub struct CutOff;

/// The status of a program that was ended by SIGINT, as shells have it.
const ENDED_BY_SIGNAL: i32 = 130;

/// From now on, the first signal asks what works with these services to end, and the second one ends the program at once:
/// what it leaves is found dead, and finished by the next run.
///
/// # Errors
/// Where the signals cannot be taken.
pub(super) fn ask_to_stop(app: &App) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = app.stop.clone();
    tokio::spawn(async move {
        for is_first in [true, false] {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if is_first {
                tracing::info!("{name}: ending with the present step; once more ends at once");
                stop.ask();
            } else {
                std::process::exit(ENDED_BY_SIGNAL);
            }
        }
    });
    Ok(())
}

/// Takes signals while something works, and gives it `schedule.grace` after the first one.
///
/// # Errors
/// Where it does not end within that, or the signals cannot be taken.
pub(super) async fn within_grace<T>(app: &App, work: impl Future<Output = T>) -> anyhow::Result<T> {
    ask_to_stop(app)?;
    let cut = async {
        app.stop.asked().await;
        app.clock.sleep(app.settings.schedule.grace).await;
    };
    tokio::select! {
        done = work => Ok(done),
        () = cut => Err(CutOff.into()),
    }
}
