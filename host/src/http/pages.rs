//! The pages, as templates with what they show.
//!
//! The templates are askama's: checked when this is compiled, and everything that is put in is escaped.

mod form;
mod frame;
mod logo;
mod look;

use std::borrow::Cow;

use askama::Template;

pub use look::{Look, LookError};

pub(super) use frame::Frame;

use super::answer::NextStep;
use super::language::Phrase;
use crate::setpass::{LONGEST_PIN, Setpass};
use crate::settings::setpass::reset::ResetMode;

/// What was wrong with the last try, shown above a form.
pub(super) struct Problem {
    /// What it was, and what to do.
    pub(super) text: String,
    /// Name of the field that it is about.
    pub(super) field: Option<&'static str>,
}

/// The form for a new password.
#[derive(Template)]
#[template(path = "set_password.html")]
pub(super) struct SetPasswordPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) problem: Option<&'a Problem>,
}

impl SetPasswordPage<'_> {
    /// Whether the problem is about this field.
    fn is_about(&self, field: &str) -> bool {
        is_about(self.problem, field)
    }
}

/// The form to ask for another link.
#[derive(Template)]
#[template(path = "reset.html")]
pub(super) struct ResetPage<'a> {
    pub(super) frame: Frame<'a>,
    /// What is asked for, and who answers.
    pub(super) setpass: &'a Setpass,
    pub(super) problem: Option<&'a Problem>,
    /// What was typed as the name.
    pub(super) name: &'a str,
    /// What was typed as the e-mail address.
    pub(super) email: &'a str,
}

impl ResetPage<'_> {
    /// Whether the helpdesk answers, to whom a name tells something.
    fn is_for_helpdesk(&self) -> bool {
        self.setpass.reset_mode() == ResetMode::Helpdesk
    }

    /// What a browser takes for a PIN.
    fn pin_pattern(&self) -> String {
        format!(r"\s*[0-9]{{{},{LONGEST_PIN}}}\s*", self.setpass.digits_of_new_pin())
    }

    /// What a PIN is like.
    fn pin_hint(&self) -> Cow<'_, str> {
        let digits = self.setpass.digits_of_new_pin();
        self.frame.language.say(&Phrase::new("reset-pin-hint").with("digits", digits))
    }

    /// Whether the problem is about this field.
    fn is_about(&self, field: &str) -> bool {
        is_about(self.problem, field)
    }
}

fn is_about(problem: Option<&Problem>, field: &str) -> bool {
    problem.is_some_and(|problem| problem.field == Some(field))
}

/// A page that only tells something.
#[derive(Template)]
#[template(path = "notice.html")]
pub(super) struct NoticePage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    /// Whether it is good news.
    pub(super) went_well: bool,
    /// What it leads to.
    pub(super) next: NextStep,
}

#[cfg(test)]
mod tests;
