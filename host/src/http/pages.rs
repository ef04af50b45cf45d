//! The pages, as templates with what they show.

use askama::Template;

use super::Services;

/// What every page shows.
pub(super) struct Frame<'a> {
    site: &'a str,
    support_email: &'a str,
    /// Path of the pages, without a slash at its end.
    base: &'a str,
}

impl<'a> Frame<'a> {
    pub(super) fn of(services: &'a Services) -> Self {
        Self {
            site: &services.site.name,
            support_email: &services.site.support_email,
            base: services.public_url.path().trim_end_matches('/'),
        }
    }
}

/// The form for a new password.
#[derive(Template)]
#[template(path = "set_password.html")]
pub(super) struct SetPasswordPage<'a> {
    pub(super) frame: Frame<'a>,
    /// What was wrong with the last try.
    pub(super) problem: Option<&'a str>,
}

/// The form to ask the helpdesk for another link.
#[derive(Template)]
#[template(path = "reset.html")]
pub(super) struct ResetPage<'a> {
    pub(super) frame: Frame<'a>,
    /// What was wrong with the last try.
    pub(super) problem: Option<&'a str>,
    /// What was typed as the name.
    pub(super) name: &'a str,
    /// What was typed as the e-mail address.
    pub(super) email: &'a str,
}

/// A page that only tells something.
#[derive(Template)]
#[template(path = "notice.html")]
pub(super) struct NoticePage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    /// Whether another link would help.
    pub(super) offers_reset: bool,
}
