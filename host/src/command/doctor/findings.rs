//! What was found, and what it means for the exit status.

use std::fmt::Display;
use std::process::ExitCode;

use crate::command::Exit;
use crate::command::say::say;

/// What was found, printed as it is found.
#[derive(Default)]
pub(super) struct Findings {
    worst: Option<Exit>,
}

impl Findings {
    pub(super) fn good(&self, what: &str, finding: impl Display) {
        say!("ok    {what:<10} {finding}");
    }

    pub(super) fn warn(&self, what: &str, finding: impl Display) {
        say!("warn  {what:<10} {finding}");
    }

    pub(super) fn bad(&mut self, what: &str, finding: impl Display, exit: Exit) {
        say!("FAIL  {what:<10} {finding}");
        // Settings come first: a service that cannot be reached may be the wrong one.
        self.worst = match (self.worst, exit) {
            (Some(Exit::Usage), _) | (_, Exit::Usage) => Some(Exit::Usage),
            (_, exit) => Some(exit),
        };
    }

    pub(super) fn exit(&self) -> ExitCode {
        self.worst.unwrap_or(Exit::Done).into()
    }
}

pub(super) fn reach(is_passing: bool) -> Exit {
    if is_passing { Exit::Unreachable } else { Exit::Usage }
}
