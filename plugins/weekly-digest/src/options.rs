//! What the site sets.

use usher_plugin::dates::DateOrder;
use usher_plugin::settings::{SettingError, Settings};

const KEYS: [&str; 6] = ["to", "days", "worksheet", "memory", "date_order", "sender"];

/// The settings of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whom the digest goes to.
    pub to: Vec<String>,
    /// How many days the first digest looks back.
    pub days: i64,
    /// The worksheet that finished requests move to.
    pub worksheet: String,
    /// The worksheet in which it is remembered whom a digest has named.
    pub memory: String,
    /// What comes first in dates such as `3/14/2018`.
    pub date_order: DateOrder,
    /// Sender; none for the site's default.
    pub sender: Option<String>,
}

impl Options {
    /// Reads the settings.
    ///
    /// # Errors
    /// When a key is unknown or missing, or its value cannot be used; with what to do.
    pub fn from_settings(settings: &Settings) -> Result<Self, String> {
        if let Some((key, _)) = settings.iter().find(|(key, _)| !KEYS.contains(key)) {
            return Err(format!("the plugin's setting `{key}` is unknown; there are {}", KEYS.join(", ")));
        }
        let wrong = |error: SettingError| error.to_string();
        let to = settings.texts("to").map_err(wrong)?.to_vec();
        if to.is_empty() {
            return Err("the plugin's setting `to` has to name at least one address".to_owned());
        }
        let days = settings.integer("days").map_err(wrong)?.unwrap_or(7);
        if !(1..=366).contains(&days) {
            return Err(format!("the plugin's setting `days` is {days}, and has to be from 1 to 366"));
        }
        let date_order = match settings.text("date_order").map_err(wrong)? {
            None | Some("month-first") => DateOrder::MonthFirst,
            Some("day-first") => DateOrder::DayFirst,
            Some(_) => {
                return Err("the plugin's setting `date_order` has to be month-first or day-first".to_owned());
            }
        };
        let worksheet = settings.text("worksheet").map_err(wrong)?.unwrap_or("Current Users").to_owned();
        let memory = settings.text("memory").map_err(wrong)?.unwrap_or("Weekly Digest").to_owned();
        if memory == worksheet {
            return Err(
                "the plugin's settings `memory` and `worksheet` have to name two worksheets".to_owned()
            );
        }
        let sender = settings.text("sender").map_err(wrong)?.map(str::to_owned);
        Ok(Self { to, days, worksheet, memory, date_order, sender })
    }
}

#[cfg(test)]
mod tests {
    use usher_plugin::settings::Value;

    use super::*;

    fn settings(entries: &[(&str, Value)]) -> Settings {
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    fn to() -> (&'static str, Value) {
        ("to", Value::Text("admins@example.org".to_owned()))
    }

    #[test]
    fn an_address_suffices() {
        let options = Options::from_settings(&settings(&[to()])).unwrap();
        assert_eq!((options.days, options.worksheet.as_str()), (7, "Current Users"));
        assert_eq!(options.to, ["admins@example.org"]);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (entries, part) in [
            (vec![], "`to` has to name at least one address"),
            (vec![to(), ("days", Value::Integer(0))], "`days` is 0"),
            (vec![to(), ("memory", Value::Text("Current Users".to_owned()))], "to name two worksheets"),
            (vec![to(), ("date_order", Value::Text("year".to_owned()))], "`date_order` has to be"),
            (vec![to(), ("day", Value::Integer(7))], "`day` is unknown; there are to, days"),
            (vec![("to", Value::Integer(7))], "`to` has to be a list of texts"),
        ] {
            let error = Options::from_settings(&settings(&entries)).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
