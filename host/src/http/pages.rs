//! The pages, as templates with what they show.
//!
//! The templates are askama's: checked when this is compiled, and everything that is put in is escaped.

mod frame;
mod logo;
mod look;

use askama::Template;

pub use look::{Look, LookError};

pub(super) use frame::Frame;

use super::answer::NextStep;

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

/// The form to ask the helpdesk for another link.
#[derive(Template)]
#[template(path = "reset.html")]
pub(super) struct ResetPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) problem: Option<&'a Problem>,
    /// What was typed as the name.
    pub(super) name: &'a str,
    /// What was typed as the e-mail address.
    pub(super) email: &'a str,
}

impl ResetPage<'_> {
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
