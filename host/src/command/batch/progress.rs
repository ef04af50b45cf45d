//! How far a run has come: a bar on a terminal, plain lines otherwise. On standard error, so that what the
//! command was asked for stays alone on standard output.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::batch::apply::{Ending, Progress};
use crate::command::table::printable;
use crate::keystone::Keystone;
use crate::registration::RowNumber;

/// What is shown. It goes from the terminal when this is dropped.
pub(in crate::command) struct ProgressShown {
    /// None where there is no terminal.
    bar: Option<ProgressBar>,
}

impl ProgressShown {
    pub(in crate::command) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_message("reading the sheet and planning");
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar }
    }

    pub(in crate::command) fn tell(&self, progress: Progress<'_>, keystone: &Keystone) {
        match (progress, &self.bar) {
            (Progress::Begins { requests }, Some(bar)) => {
                bar.set_length(u64::try_from(requests).unwrap_or(u64::MAX));
                bar.reset();
                bar.set_style(style());
                bar.set_message(limit(keystone));
            }
            (Progress::Ends { row, ending }, Some(bar)) => {
                if matches!(ending, Ending::Failed { .. }) {
                    bar.println(line(row, ending));
                }
                bar.inc(1);
                bar.set_message(limit(keystone));
            }
            (Progress::Ends { row, ending }, None) => eprintln!("{}", line(row, ending)),
            (Progress::Finishes, Some(bar)) => bar.set_message("moving rows and sending mail"),
            (Progress::Begins { .. } | Progress::Finishes, None) => {}
        }
    }
}

impl Drop for ProgressShown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(row: RowNumber, ending: &Ending) -> String {
    match ending {
        Ending::Done => format!("row {row}: done"),
        Ending::Refused => format!("row {row}: refused"),
        Ending::Failed { reason, .. } => format!("row {row}: {}", printable(reason)),
    }
}

fn limit(keystone: &Keystone) -> String {
    format!("up to {} calls at a time", keystone.calls_at_a_time())
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} [{bar:30}] {pos} of {len} requests, {per_sec}, {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
