//! What the tests of the pages need: Debian's Chromium with its driver, and axe-core from npm.

use std::process::Command;

use anyhow::Result;
use usher_tests::browser;

use crate::plugins::system;

/// Programs, and the Debian packages that they come in.
const PROGRAMS: [(&str, &str); 3] =
    [("chromium", "chromium"), ("chromedriver", "chromium-driver"), ("npm", "npm")];

/// Japanese letters, without which pages would be checked and pictured as rows of boxes.
const FONT: &str = "fonts-ipafont-gothic";

/// Installs what is missing.
pub fn install() -> Result<()> {
    let mut packages = system::missing(&PROGRAMS);
    // A machine without fontconfig has no such font either.
    let fonts = system::answer(Command::new("fc-list").args([":lang=ja", "family"]));
    if fonts.is_none_or(|fonts| fonts.is_empty()) {
        packages.push(FONT);
    }
    if !packages.is_empty() {
        system::install_packages(&packages, "testing the pages in a browser")?;
    }
    browser::install_axe()
}
