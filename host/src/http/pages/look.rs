//! How a site's pages look: its name, its logo, its colours, and whom to write to.

use std::time::Duration;

use crate::http::asset::Asset;
use crate::http::assets::STYLE;
use crate::http::audience::Audience;
use crate::http::language::{Language, Phrase};
use crate::settings::setpass::Setpass;
use crate::settings::setpass::page::{Colour, Page};
use crate::settings::site::Site;

use super::form::Form;
use super::logo::{Logo, LogoError};

/// What the settings say about the pages, ready to be served.
#[derive(Clone, Debug)]
pub struct Look {
    /// Path of the pages, without a slash at its end.
    pub(in crate::http) base: String,
    /// The site's name.
    pub(in crate::http) site: String,
    /// Whom users write to.
    pub(in crate::http) support_email: String,
    /// Where users log in.
    pub(in crate::http) login_url: Option<String>,
    /// What the form for a password says of the site's rules, in each language.
    rules: Vec<Rules>,
    /// The image beside the name.
    pub(in crate::http) logo: Option<Asset>,
    /// The site's own style sheet.
    pub(in crate::http) style: Asset,
    /// The form for a new password.
    forms: Vec<Form>,
}

/// Why a site's pages cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The logo is not one.
    #[error(transparent)]
    Logo(#[from] LogoError),
    /// A template fails.
    #[error("the form for a new password cannot be put together: {0}")]
    Form(#[from] askama::Error),
}

impl Look {
    /// Reads the logo, and makes the style sheet and the form.
    ///
    /// # Errors
    /// Where the logo cannot be used.
    pub fn load(site: &Site, setpass: &Setpass) -> Result<Self, LookError> {
        let page = &setpass.page;
        let mut look = Self {
            base: setpass.public_url().path().trim_end_matches('/').to_owned(),
            site: site.name.clone(),
            support_email: site.support_email.clone(),
            login_url: page.login_url.as_ref().map(url::Url::to_string),
            rules: Language::all().iter().map(|language| Rules::of(setpass, language)).collect(),
            logo: page.logo.as_deref().map(Logo::read).transpose()?.map(Logo::into_asset),
            style: Asset::new(STYLE, style(page)),
            forms: Vec::new(),
        };
        look.forms = Form::all(&look)?;
        Ok(look)
    }

    /// The form for a new password.
    pub(in crate::http) fn form(&self, audience: &Audience) -> &Form {
        self.forms.iter().find(|form| form.is_for(audience)).unwrap_or(&self.forms[0])
    }

    /// What the site's rules are, in a language.
    pub(super) fn rules_in(&self, language: &'static Language) -> &Rules {
        self.rules.iter().find(|rules| rules.language == language).unwrap_or(&self.rules[0])
    }
}

/// What a site's rules are, in the words of one language. They are the same on each page, and cost more to put together
/// than the rest of it.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    language: &'static Language,
    /// What a password has to be.
    pub(super) password_hint: String,
    /// How long links work.
    pub(super) lifetime: String,
}

impl Rules {
    fn of(setpass: &Setpass, language: &'static Language) -> Self {
        let hint = Phrase::new("set-password-hint").with("shortest", setpass.min_password_length);
        Self {
            language,
            password_hint: language.say(&hint).into_owned(),
            lifetime: language.say(&lifetime(setpass.token_lifetime)).into_owned(),
        }
    }
}

fn lifetime(lifetime: Duration) -> Phrase {
    let seconds = lifetime.as_secs();
    let (id, unit) = match seconds {
        172_800.. if seconds.is_multiple_of(86_400) => ("set-lead-days", 86_400),
        3600.. if seconds.is_multiple_of(3600) => ("set-lead-hours", 3600),
        _ => ("set-lead-minutes", 60),
    };
    // Less than a minute is only ever set to try something.
    Phrase::new(id).with("count", (seconds / unit).max(1))
}

/// The site's colours, in the names of the style sheet that all sites share.
fn style(page: &Page) -> String {
    let colours =
        |accent: Colour| format!("--accent: {}; --on-accent: {};", accent.css(), accent.text_on_it().css());
    format!(
        ":root {{ {} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n",
        colours(page.accent),
        colours(page.accent_dark)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_has_the_colours_for_light_and_dark() {
        let page: Page = toml::from_str("accent = \"#004400\"\naccent_dark = \"#ffd000\"").unwrap();
        assert_eq!(
            style(&page),
            ":root { --accent: #004400; --on-accent: #ffffff; }\n\
             @media (prefers-color-scheme: dark) { :root { --accent: #ffd000; --on-accent: #000000; } }\n"
        );
    }
}
