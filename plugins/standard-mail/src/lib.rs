//! Words the mails from template files that a site edits without compiling anything.
//!
//! Each kind of mail has a text template (`welcome.txt`) and may have an HTML template beside it
//! (`welcome.html`). The language is Jinja's. The text template begins with a line `Subject: …`, unless the
//! settings have a subject. A placeholder that has no value is an error that names file and line.
//!
//! Settings: one table for each kind with `subject`, `sender`, `cc` and any further values, which the
//! kind's templates use as placeholders; the table `defaults`, or no table, has those for all kinds.
//!
//! Knows nothing of who receives a mail, or of how it is sent.

#[cfg(target_family = "wasm")]
mod component;
mod envelope;
mod kinds;
mod quotas;
mod templates;
mod text_table;

use usher_plugin::settings::Settings;
use usher_plugin::types::{MailContent, Message, RenderError};

use envelope::Envelope;
use templates::Templates;

/// Renders one mail, with the templates that `file` finds by their names.
///
/// # Errors
/// When a setting or a template cannot be used; the error names it. It holds no value of the mail.
pub fn render(
    content: &MailContent,
    settings: &Settings,
    file: impl Fn(&str) -> Option<String> + Clone + Send + Sync + 'static,
) -> Result<Message, RenderError> {
    let kind = kinds::name(content);
    let Envelope { sender, cc, subject, mut placeholders } = Envelope::read(kind, settings)?;
    placeholders.append(&mut kinds::values(content));
    let templates = Templates::new(kind, file);
    let (subject, text) = templates.text(subject.as_deref(), &placeholders)?;
    let html = templates.html(&placeholders)?;
    Ok(Message { sender, cc, subject, text, html })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
