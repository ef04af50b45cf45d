//! `[setpass.page]`: how the pages look.

use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::Url;

/// What WCAG asks of text at level AA (success criterion 1.4.3).
const LEAST_CONTRAST: f64 = 4.5;

/// The lightest ground that links are on in the light pages, and the one that contrasts least with them.
const LIGHT_GROUND: Colour = Colour([0xf6, 0xf7, 0xf9]);

/// The ground of links that contrasts least with them in the dark pages.
const DARK_GROUND: Colour = Colour([0x1e, 0x23, 0x29]);

/// How the pages look.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// Image file beside the site's name.
    pub logo: Option<PathBuf>,
    /// Colour of buttons and links.
    pub accent: Colour,
    /// The same for those who prefer dark pages.
    pub accent_dark: Colour,
    /// Where users log in, offered once a password is set.
    pub login_url: Option<Url>,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            logo: None,
            accent: Colour([0x0b, 0x57, 0xa4]),
            accent_dark: Colour([0x8c, 0xc2, 0xff]),
            login_url: None,
        }
    }
}

impl Page {
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(logo) = &mut self.logo {
            crate::settings::resolve(folder, logo);
        }
    }

    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let fail = |key: &str, message: String| Err((format!("setpass.page.{key}"), message));
        for (key, colour, ground, which) in [
            ("accent", self.accent, LIGHT_GROUND, "light"),
            ("accent_dark", self.accent_dark, DARK_GROUND, "dark"),
        ] {
            let contrast = colour.contrast(ground);
            if contrast < LEAST_CONTRAST {
                let other = if which == "light" { "darker" } else { "lighter" };
                return fail(
                    key,
                    format!(
                        "links of this colour cannot be read well on the {which} pages: their contrast is \
                         {contrast:.1} : 1, and has to be at least {LEAST_CONTRAST} : 1; take a {other} colour"
                    ),
                );
            }
        }
        match &self.login_url {
            Some(url) if !matches!(url.scheme(), "https" | "http") => {
                fail("login_url", "expected an https or http URL".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// A colour: red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

impl Colour {
    /// As style sheets write it. Holds nothing but a hash and six digits, whatever the settings said.
    #[must_use]
    pub fn css(self) -> String {
        format!("#{}", hex::encode(self.0))
    }

    /// Black or white, whichever is read better on this colour. The better one always has a contrast of
    /// 4.58 : 1 or more.
    #[must_use]
    pub fn text_on_it(self) -> Self {
        let (black, white) = (Self([0; 3]), Self([0xff; 3]));
        if self.contrast(black) > self.contrast(white) { black } else { white }
    }

    /// The contrast ratio of WCAG, from 1 to 21.
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (own, other) = (self.luminance(), other.luminance());
        (own.max(other) + 0.05) / (own.min(other) + 0.05)
    }

    /// The relative luminance of WCAG.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut parts = [0; 3];
        let digits = text.strip_prefix('#').unwrap_or_default();
        match hex::decode_to_slice(digits, &mut parts) {
            Ok(()) => Ok(Self(parts)),
            Err(_) => Err(D::Error::custom("expected a colour such as \"#0b57a4\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Result<Page, String> {
        let page: Page = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        page.check().map_err(|(key, message)| format!("{key}: {message}"))?;
        Ok(page)
    }

    #[test]
    fn the_default_can_be_read_in_light_and_dark() {
        page("").unwrap();
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let colour = |text: &str| page(&format!("accent = {text:?}")).unwrap().accent;
        let (black, white) = (colour("#000000"), Colour([0xff; 3]));
        assert!((black.contrast(white) - 21.0).abs() < 1e-9);
        // The lightest grey that is readable on white, and known for it.
        assert!((Colour([0x76; 3]).contrast(white) - 4.54).abs() < 0.01);
        assert_eq!((black.text_on_it(), Colour([0xff, 0xd0, 0]).text_on_it()), (white, black));
    }

    #[test]
    fn colours_that_cannot_be_read_or_are_none_are_refused() {
        assert!(page("accent = \"#ffd000\"").unwrap_err().starts_with("setpass.page.accent: links"));
        assert!(
            page("accent_dark = \"#0b57a4\"").unwrap_err().starts_with("setpass.page.accent_dark: links")
        );
        for wrong in ["", "#", "0b57a4", "#0b57a", "#0b57a4ff", "red", "#0b57a4;}", "#ééé"] {
            assert!(page(&format!("accent = {wrong:?}")).unwrap_err().contains("#0b57a4"), "{wrong}");
        }
    }

    #[test]
    fn where_to_log_in_is_a_page_and_no_script() {
        assert!(page("login_url = \"https://dashboard.example.org/\"").is_ok());
        assert!(page("login_url = \"javascript:alert(1)\"").is_err());
    }
}
