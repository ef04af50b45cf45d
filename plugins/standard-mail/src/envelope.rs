//! What the settings say about a mail: sender, copies, subject, and values for its templates.

use std::collections::BTreeMap;

use minijinja::Value;
use usher_plugin::settings::{SettingError, Settings, Value as Setting};
use usher_plugin::types::RenderError;

use crate::kinds;

const DEFAULTS: &str = "defaults";

/// The settings of one kind of mail.
#[derive(Debug)]
pub struct Envelope {
    /// Sender; none for the site's default.
    pub sender: Option<String>,
    /// Addresses that get a copy.
    pub cc: Vec<String>,
    /// Subject, as a template; none where the text template has it.
    pub subject: Option<String>,
    /// Values for all placeholders that the settings define.
    pub placeholders: BTreeMap<String, Value>,
}

impl Envelope {
    /// Reads the settings of a kind. Its own table goes before the defaults.
    ///
    /// # Errors
    /// When a table is of no kind, or a value cannot be used.
    pub fn read(kind: &str, settings: &Settings) -> Result<Self, RenderError> {
        check_tables(settings)?;
        let own = |key: &str| format!("{kind}.{key}");
        let default = |key: &str| format!("{DEFAULTS}.{key}");
        let sender = match settings.text(&own("sender")).map_err(|error| wrong(&error))? {
            Some(sender) => Some(sender),
            None => settings.text(&default("sender")).map_err(|error| wrong(&error))?,
        };
        let mut cc = settings.texts(&own("cc")).map_err(|error| wrong(&error))?;
        if cc.is_empty() {
            cc = settings.texts(&default("cc")).map_err(|error| wrong(&error))?;
        }
        if let Some(address) =
            sender.into_iter().chain(cc.iter().map(String::as_str)).find(|text| is_broken(text))
        {
            return Err(RenderError {
                place: "settings".to_owned(),
                reason: format!("the address {address:?} has to be on one line, and must not be blank"),
            });
        }
        let subject = settings.text(&own("subject")).map_err(|error| wrong(&error))?.map(str::to_owned);
        let without_table = settings.iter().filter(|(key, _)| !key.contains('.'));
        let placeholders = without_table
            .chain(settings.table(DEFAULTS))
            .chain(settings.table(kind))
            .map(|(key, value)| (key.to_owned(), placeholder(value)))
            .collect();
        Ok(Self { sender: sender.map(str::to_owned), cc: cc.to_vec(), subject, placeholders })
    }
}

fn check_tables(settings: &Settings) -> Result<(), RenderError> {
    let mut tables = settings.iter().filter_map(|(key, _)| key.split_once('.')).map(|(table, _)| table);
    match tables.find(|table| *table != DEFAULTS && !kinds::NAMES.contains(table)) {
        None => Ok(()),
        Some(table) => Err(RenderError {
            place: "settings".to_owned(),
            reason: format!(
                "`{table}` is no kind of mail; there are {}, and `{DEFAULTS}` for all of them",
                kinds::NAMES.join(", ")
            ),
        }),
    }
}

fn wrong(error: &SettingError) -> RenderError {
    RenderError { place: "settings".to_owned(), reason: error.to_string() }
}

fn is_broken(address: &str) -> bool {
    address.trim().is_empty() || address.chars().any(char::is_control)
}

fn placeholder(value: &Setting) -> Value {
    match value {
        Setting::Text(text) => Value::from(text.as_str()),
        Setting::Integer(integer) => Value::from(*integer),
        Setting::Number(number) => Value::from(*number),
        Setting::Boolean(boolean) => Value::from(*boolean),
        Setting::Texts(texts) => Value::from(texts.clone()),
    }
}
