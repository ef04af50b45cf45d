//! The names of the worksheets, where the columns are that no form of the MOC had, and how dates are read.

use std::fmt;

use usher_plugin::dates::DateOrder;
use usher_plugin::settings::{SettingError, Settings};
use usher_plugin::types::{Layout, SheetLayout};

use crate::cells::{column_of, letter};
use crate::{access, quota, stage};

const SIZE_COLUMN: &str = "quota.size_column";

const DATE_ORDER: &str = "date_order";

const KEYS: [&str; 6] =
    ["access.requests", "access.done", "quota.requests", "quota.done", SIZE_COLUMN, DATE_ORDER];

/// How rows are read where sites differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Where the quota sheet's form asks for a size, from 0; none where it does not.
    pub size_column: Option<usize>,
    /// What comes first in dates such as `3/14/2018`.
    pub date_order: DateOrder,
}

/// The names of the worksheets, and how their rows are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worksheets {
    access_requests: String,
    access_done: String,
    quota_requests: String,
    quota_done: String,
    reading: Reading,
}

impl Default for Worksheets {
    /// The names that Google's form and the MOC's tools gave them.
    fn default() -> Self {
        Self {
            access_requests: "Form Responses 1".to_owned(),
            access_done: "Current Users".to_owned(),
            quota_requests: "Form Responses 1".to_owned(),
            quota_done: "Processed Requests".to_owned(),
            reading: Reading::default(),
        }
    }
}

impl Worksheets {
    /// The names from the component's settings.
    ///
    /// # Errors
    /// When a key is unknown, its value is not a text or blank, the column is taken or none, or the order is none.
    pub fn from_settings(settings: &Settings) -> Result<Self, WorksheetError> {
        if let Some((key, _)) = settings.iter().find(|(key, _)| !KEYS.contains(key)) {
            return Err(WorksheetError::UnknownKey(key.to_owned()));
        }
        let defaults = Self::default();
        let name = |key: &str, default: String| match settings.text(key)?.map(str::trim) {
            None => Ok(default),
            Some("") => Err(WorksheetError::Blank(key.to_owned())),
            Some(name) => Ok(name.to_owned()),
        };
        Ok(Self {
            access_requests: name("access.requests", defaults.access_requests)?,
            access_done: name("access.done", defaults.access_done)?,
            quota_requests: name("quota.requests", defaults.quota_requests)?,
            quota_done: name("quota.done", defaults.quota_done)?,
            reading: Reading {
                size_column: settings.text(SIZE_COLUMN)?.map(size_column).transpose()?,
                date_order: settings.text(DATE_ORDER)?.map_or(Ok(DateOrder::default()), date_order)?,
            },
        })
    }

    /// How rows are read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// The layout that the host asks for.
    #[must_use]
    pub fn layout(self) -> Layout {
        Layout {
            access: sheet(self.access_requests, self.access_done, Some(access::PIN as u32)),
            quota: Some(sheet(self.quota_requests, self.quota_done, None)),
        }
    }
}

fn size_column(text: &str) -> Result<usize, WorksheetError> {
    match column_of(text.trim()) {
        Some(column) if column > quota::LAST_COLUMN => Ok(column),
        _ => Err(WorksheetError::Column(text.to_owned())),
    }
}

fn date_order(text: &str) -> Result<DateOrder, WorksheetError> {
    match text.trim() {
        "month-first" => Ok(DateOrder::MonthFirst),
        "day-first" => Ok(DateOrder::DayFirst),
        _ => Err(WorksheetError::DateOrder(text.to_owned())),
    }
}

fn sheet(requests: String, done: String, pin_column: Option<u32>) -> SheetLayout {
    SheetLayout {
        requests,
        done,
        notified_column: stage::NOTIFIED as u32,
        reminded_column: stage::REMINDED as u32,
        pin_column,
    }
}

/// Settings that do not name worksheets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorksheetError {
    /// A key that means nothing here.
    UnknownKey(String),
    /// A value that is blank.
    Blank(String),
    /// A text that is not the letter of a free column.
    Column(String),
    /// A text that is no order of day and month.
    DateOrder(String),
    /// A value of the wrong type.
    Type(SettingError),
}

impl From<SettingError> for WorksheetError {
    fn from(error: SettingError) -> Self {
        Self::Type(error)
    }
}

impl fmt::Display for WorksheetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(key) => {
                write!(formatter, "the plugin's setting `{key}` is unknown; there are {}", KEYS.join(", "))
            }
            Self::Blank(key) => {
                write!(formatter, "the plugin's setting `{key}` has to name a worksheet, and is blank")
            }
            Self::Column(text) => write!(
                formatter,
                "the plugin's setting `{SIZE_COLUMN}` is \"{text}\", and has to be the letter of a column of the quota \
                 sheet after {}, such as {}",
                letter(quota::LAST_COLUMN),
                letter(quota::LAST_COLUMN + 1)
            ),
            Self::DateOrder(text) => write!(
                formatter,
                "the plugin's setting `{DATE_ORDER}` is \"{text}\", and has to be month-first (3/14/2018) or day-first \
                 (14/3/2018)"
            ),
            Self::Type(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for WorksheetError {}

#[cfg(test)]
mod tests {
    use usher_plugin::settings::Value;

    use super::*;

    fn settings(key: &str, value: Value) -> Settings {
        [(key.to_owned(), value)].into_iter().collect()
    }

    #[test]
    fn the_names_of_the_old_tools_are_the_defaults() {
        let layout = Worksheets::from_settings(&Settings::default()).unwrap().layout();
        assert_eq!(
            (layout.access.requests.as_str(), layout.access.done.as_str()),
            ("Form Responses 1", "Current Users")
        );
        assert_eq!(layout.access.pin_column, Some(12));
        let quota = layout.quota.unwrap();
        assert_eq!(
            (quota.requests.as_str(), quota.done.as_str()),
            ("Form Responses 1", "Processed Requests")
        );
        assert_eq!((quota.notified_column, quota.reminded_column, quota.pin_column), (1, 2, None));
    }

    #[test]
    fn a_site_names_its_own_worksheets() {
        let set = settings("access.done", Value::Text(" Members ".to_owned()));
        assert_eq!(Worksheets::from_settings(&set).unwrap().layout().access.done, "Members");
    }

    #[test]
    fn the_column_of_sizes_is_one_that_the_layout_leaves_free() {
        let column = |text: &str| {
            Worksheets::from_settings(&settings(SIZE_COLUMN, Value::Text(text.to_owned())))
                .map(|worksheets| worksheets.reading().size_column)
        };
        assert_eq!(Worksheets::from_settings(&Settings::default()).unwrap().reading(), Reading::default());
        assert_eq!(column("W"), Ok(Some(22)));
        assert_eq!(column(" aa "), Ok(Some(26)));
        for taken in ["", "A", "V", "23", "W1", "WWWW", "\u{c4}"] {
            let error = column(taken).unwrap_err().to_string();
            assert!(error.contains("a column of the quota sheet after V, such as W"), "{taken}: {error}");
        }
    }

    #[test]
    fn a_site_says_what_comes_first_in_its_dates() {
        let order = |text: &str| {
            Worksheets::from_settings(&settings(DATE_ORDER, Value::Text(text.to_owned())))
                .map(|worksheets| worksheets.reading().date_order)
        };
        assert_eq!(order("month-first"), Ok(DateOrder::MonthFirst));
        assert_eq!(order(" day-first "), Ok(DateOrder::DayFirst));
        assert!(
            order("day").unwrap_err().to_string().contains("has to be month-first (3/14/2018) or day-first")
        );
    }

    #[test]
    fn a_wrong_setting_is_an_error_that_names_it() {
        for (key, value, part) in [
            ("acess.done", Value::Text("Members".to_owned()), "`acess.done` is unknown"),
            ("access.done", Value::Text(" ".to_owned()), "`access.done` has to name a worksheet"),
            ("access.done", Value::Integer(3), "`access.done` has to be a text, and is a whole number"),
        ] {
            let error = Worksheets::from_settings(&settings(key, value)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
