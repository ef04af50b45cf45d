//! Debian's Chromium, driven through WebDriver as a person would drive it.
//!
//! The few commands that are needed are JSON over HTTP (W3C WebDriver). What that has no command for, such as
//! the width of a phone, goes to Chromium's own protocol through the same driver.

mod axe;
mod driver;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::process;
use driver::Driver;

pub use axe::install as install_axe;

/// What WebDriver calls an element in its answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long a page may take, on a machine that is busy with much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a browser is set up.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Languages, the most wanted first: `de,en`.
    pub languages: String,
    /// Whether scripts run.
    pub runs_scripts: bool,
    /// Width of the page in pixels of CSS; none for an ordinary window.
    pub width: Option<u32>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { languages: "en".to_owned(), runs_scripts: true, width: None }
    }
}

/// A running browser with an empty profile. Stopped on drop.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    /// Where Chromium or its driver are not there, or do not start.
    pub fn start(reader: &Reader) -> Result<Self> {
        let browser = Self { driver: Driver::start(reader)? };
        if let Some(width) = reader.width {
            let metrics = json!({ "width": width, "height": 812, "deviceScaleFactor": 1, "mobile": true });
            browser.chromium("Emulation.setDeviceMetricsOverride", &metrics)?;
        }
        let pages_only = json!({ "value": !reader.runs_scripts });
        browser.chromium("Emulation.setScriptExecutionDisabled", &pages_only)?;
        Ok(browser)
    }

    /// Prefers dark pages from now on, or light ones.
    ///
    /// # Errors
    /// Where the browser does not answer, as everywhere here.
    pub fn prefer_dark(&self, dark: bool) -> Result<()> {
        let value = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.chromium("Emulation.setEmulatedMedia", &media).map(drop)
    }

    /// Opens a page, and waits until it is loaded.
    ///
    /// # Errors
    /// As above.
    pub fn open(&self, url: &str) -> Result<()> {
        self.driver.post("url", &json!({ "url": url })).map(drop)
    }

    /// The address of the page.
    ///
    /// # Errors
    /// As above.
    pub fn address(&self) -> Result<String> {
        text(self.driver.get("url")?)
    }

    /// Whether there is such an element.
    ///
    /// # Errors
    /// As above.
    pub fn has(&self, selector: &str) -> Result<bool> {
        let found = self.driver.post("elements", &json!({ "using": "css selector", "value": selector }))?;
        Ok(found.as_array().is_some_and(|found| !found.is_empty()))
    }

    /// The text that a person sees of an element.
    ///
    /// # Errors
    /// As above.
    pub fn text(&self, selector: &str) -> Result<String> {
        text(self.driver.get(&format!("element/{}/text", self.element(selector)?))?)
    }

    /// Whether a person sees an element.
    ///
    /// # Errors
    /// As above.
    pub fn shows(&self, selector: &str) -> Result<bool> {
        let shown = self.driver.get(&format!("element/{}/displayed", self.element(selector)?))?;
        shown.as_bool().context("neither shown nor hidden")
    }

    /// An attribute of an element, or what it has become since.
    ///
    /// # Errors
    /// As above.
    pub fn property(&self, selector: &str, name: &str) -> Result<Value> {
        self.driver.get(&format!("element/{}/property/{name}", self.element(selector)?))
    }

    /// Types into a field, after what is there.
    ///
    /// # Errors
    /// As above.
    pub fn type_into(&self, selector: &str, words: &str) -> Result<()> {
        let path = format!("element/{}/value", self.element(selector)?);
        self.driver.post(&path, &json!({ "text": words })).map(drop)
    }

    /// Clicks an element of the page that stays: see [`Self::follow`] for what leads to another one.
    ///
    /// # Errors
    /// As above.
    pub fn click(&self, selector: &str) -> Result<()> {
        self.driver.post(&format!("element/{}/click", self.element(selector)?), &json!({})).map(drop)
    }

    /// Clicks what leads to another page, such as the button that sends a form, and waits until that is loaded.
    ///
    /// # Errors
    /// As above, or where no other page comes in time.
    pub fn follow(&self, selector: &str) -> Result<()> {
        self.to_another_page(|| self.click(selector))
    }

    /// Does what leads to another page, and waits until that is loaded. The driver itself waits for a page only
    /// where it has begun to come when the click is over; until a slow server answers, the old page is shown, and may
    /// have what is looked for.
    ///
    /// # Errors
    /// As above, or where no other page comes in time.
    pub fn to_another_page(&self, step: impl FnOnce() -> Result<()>) -> Result<()> {
        let before = self.element("html")?;
        step()?;
        let mut said = None;
        process::wait_for("another page", PATIENCE, || match self.has_come_after(&before) {
            Ok(come) => Ok(come.then_some(())),
            // The page may go away between two commands, or in the middle of one.
            Err(error) => {
                said = Some(error);
                Ok(None)
            }
        })
        .with_context(|| format!("the driver said last: {said:?}"))
    }

    /// Whether the page is another one than that of this root element, and loaded.
    fn has_come_after(&self, root: &str) -> Result<bool> {
        Ok(self.element("html")? != root && self.evaluate("return document.readyState")? == "complete")
    }

    /// Presses keys one after the other, wherever the focus is. Keys without a letter are in WebDriver's private
    /// use area, such as `\u{e004}` for Tab.
    ///
    /// # Errors
    /// As above.
    pub fn press(&self, keys: &str) -> Result<()> {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        let keyboard = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] });
        self.driver.post("actions", &keyboard).map(drop)
    }

    /// What a script returns that the test runs in the page, also where the page's own scripts do not run.
    ///
    /// # Errors
    /// As above, or where the script fails.
    pub fn evaluate(&self, script: &str) -> Result<Value> {
        self.driver.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until such an element is shown, and returns its text.
    ///
    /// # Errors
    /// Where that does not happen in time.
    pub fn wait_for(&self, selector: &str) -> Result<String> {
        process::wait_for(selector, PATIENCE, || {
            Ok(if self.has(selector)? && self.shows(selector)? { Some(self.text(selector)?) } else { None })
        })
    }

    /// Waits until an element says something, and returns it.
    ///
    /// # Errors
    /// Where that does not happen in time.
    pub fn wait_for_words(&self, selector: &str) -> Result<String> {
        process::wait_for(&format!("words in {selector}"), PATIENCE, || {
            Ok(Some(self.text(selector)?).filter(|words| !words.is_empty()))
        })
    }

    /// What the browser complained about since it was asked last, such as a script that a page's policy forbids.
    /// That a page came with a status of failure is not among it.
    ///
    /// # Errors
    /// As above.
    pub fn complaints(&self) -> Result<Vec<String>> {
        let entries = self.driver.post("se/log", &json!({ "type": "browser" }))?;
        let entries = entries.as_array().context("the log is no list")?;
        let messages = entries.iter().filter_map(|entry| entry["message"].as_str());
        Ok(messages
            .filter(|said| !said.contains("the server responded with a status of"))
            .map(str::to_owned)
            .collect())
    }

    /// Writes the whole page as a PNG file, also what is below the window's edge.
    ///
    /// # Errors
    /// As above, or where the file cannot be written.
    pub fn photograph(&self, file: &Path) -> Result<()> {
        self.chromium("Emulation.setScrollbarsHidden", &json!({ "hidden": true }))?;
        let size = self.evaluate("return [window.innerWidth, document.documentElement.scrollHeight]")?;
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let wanted = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let image = self.chromium("Page.captureScreenshot", &wanted)?;
        driver::write_base64(image["data"].as_str().context("no image")?, file)
    }

    fn element(&self, selector: &str) -> Result<String> {
        let found = self.driver.post("element", &json!({ "using": "css selector", "value": selector }));
        let found = found.with_context(|| format!("there is no {selector}"))?;
        text(found[ELEMENT].clone())
    }

    fn chromium(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.driver.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }
}

fn text(value: Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        other => bail!("not a text: {other}"),
    }
}
