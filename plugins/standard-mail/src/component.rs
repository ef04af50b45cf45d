//! The component around the templates.

use usher_plugin::mail_templates::{self, MailTemplates};
use usher_plugin::settings::{self, Settings};
use usher_plugin::types::{MailContent, Message, RenderError};

struct StandardMail;

impl MailTemplates for StandardMail {
    fn render(content: MailContent) -> Result<Message, RenderError> {
        crate::render(&content, &Settings::load(), |name| settings::file(name))
    }
}

mail_templates::export!(StandardMail);
