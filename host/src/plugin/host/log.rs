//! `log`: lines of a component in the host's log.

use wasmtime::Result;

use crate::plugin::bindings::interfaces::log::{Host, Level};
use crate::plugin::state::{LogLine, State};

/// Characters of one line. The rest is cut off.
const LINE_LENGTH: usize = 2_000;

impl Host for State {
    async fn write(&mut self, level: Level, message: String) -> Result<()> {
        self.count_host_call()?;
        let plugin = &*self.profile.name.clone();
        match self.count_log_line() {
            LogLine::Refused => return Ok(()),
            LogLine::FirstRefused => {
                tracing::warn!(
                    plugin,
                    "the component writes too much; the rest of this call's lines is dropped"
                );
                return Ok(());
            }
            LogLine::Allowed => {}
        }
        let line = printable(&message);
        match level {
            Level::Error => tracing::error!(plugin, "{line}"),
            Level::Warn => tracing::warn!(plugin, "{line}"),
            Level::Info => tracing::info!(plugin, "{line}"),
            Level::Debug => tracing::debug!(plugin, "{line}"),
        }
        Ok(())
    }
}

/// The message on one line. Control characters are escaped: they could forge lines of the log or
/// steer the terminal that shows it.
fn printable(message: &str) -> String {
    let mut line = String::new();
    for character in message.chars().take(LINE_LENGTH) {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    if message.chars().nth(LINE_LENGTH).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_forge_a_line() {
        assert_eq!(printable("Übung\nERROR \u{1b}[31m"), "Übung\\nERROR \\u{1b}[31m");
        let long = printable(&"x".repeat(LINE_LENGTH + 1));
        assert_eq!(long.chars().count(), LINE_LENGTH + 1);
        assert!(long.ends_with('…'));
    }
}
