//! What commands print on standard output.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};
use std::sync::Once;

/// As `println!`, but a reader that goes away (`usher import history | head`) stops nothing: what the command was
/// asked to do is done to its end.
macro_rules! say {
    ($($arguments:tt)*) => { $crate::command::say::line(format_args!($($arguments)*)) };
}
pub(crate) use say;

/// Prints a line. Whatever keeps it from being written, other than that nobody reads any more, is told once.
pub(crate) fn line(line: Arguments<'_>) {
    static TOLD: Once = Once::new();
    let written = writeln!(std::io::stdout().lock(), "{line}");
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        TOLD.call_once(|| tracing::error!(%error, "standard output cannot be written"));
    }
}
