//! Ceilings: the most that a request gets.

use std::collections::BTreeSet;

use usher_plugin::settings::{SettingError, Settings};

use crate::limit::higher;
use crate::table::Table;

/// The table of the settings that holds the ceilings.
pub const TABLE: &str = "ceilings";
/// The setting that says what becomes of a request for more.
pub const OVER: &str = "over_ceiling";

/// The most that a request gets, by key.
#[derive(Debug, Default)]
pub struct Ceilings {
    table: Table,
    /// Keys whose ceiling cannot be read.
    unreadable: BTreeSet<&'static str>,
    /// Whether there is a ceiling of which nobody can tell what it is for.
    all_unreadable: bool,
    /// What becomes of a request for more.
    pub over: Over,
}

/// What becomes of a request for more than the ceiling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Over {
    /// It is refused, with the words what would be granted.
    #[default]
    Deny,
    /// It gets the ceiling.
    Clamp,
}

/// What a request may get of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Most {
    /// This limit; -1 means any.
    Limit(i64),
    /// No more than there is, because the ceiling cannot be read. To grant more would be to do without the ceiling.
    Unreadable,
}

impl Ceilings {
    /// Reads the ceilings, and says what is wrong with them.
    pub fn read(settings: &Settings, notices: &mut Vec<String>) -> Self {
        let mut ceilings = Self { table: Table::read(settings, TABLE), ..Self::default() };
        for fault in &ceilings.table.faults {
            match fault.key {
                Some(key) => _ = ceilings.unreadable.insert(key),
                None => ceilings.all_unreadable = true,
            }
        }
        for fault in &ceilings.table.faults {
            let what = fault.key.map_or("no quota".to_owned(), |key| format!("no quota `{key}`"));
            notices.push(format!("{}; until it is mended, a request raises {what}", fault.problem));
        }
        match over(settings) {
            Ok(over) => ceilings.over = over,
            Err(problem) => {
                notices.push(format!(
                    "{problem}; until it is mended, a request for more than a ceiling is refused"
                ));
            }
        }
        ceilings
    }

    /// Takes every ceiling for unreadable, because what may be meant for one has another name.
    pub fn distrust(&mut self) {
        self.all_unreadable = true;
    }

    /// What a request may get of a quota. What is in force above the ceiling stays.
    pub fn most(&self, key: &str, in_force: Option<i64>) -> Most {
        if self.all_unreadable || self.unreadable.contains(key) {
            return Most::Unreadable;
        }
        let ceiling = self.table.limits.get(key).copied().unwrap_or(-1);
        Most::Limit(in_force.map_or(ceiling, |in_force| higher(ceiling, in_force)))
    }
}

fn over(settings: &Settings) -> Result<Over, String> {
    if let Some((entry, _)) = settings.table(OVER).next() {
        return Err(format!(
            "the plugin's setting `{OVER}.{entry}` is unknown; `{OVER}` is \"clamp\" or \"deny\""
        ));
    }
    match settings.text(OVER).map_err(|error: SettingError| error.to_string())? {
        None | Some("deny") => Ok(Over::Deny),
        Some("clamp") => Ok(Over::Clamp),
        Some(other) => {
            Err(format!("the plugin's setting `{OVER}` is \"{other}\", and has to be \"clamp\" or \"deny\""))
        }
    }
}

#[cfg(test)]
mod tests {
    use usher_plugin::settings::Value;

    use super::*;
    use crate::tests::settings;

    fn read(entries: &[(&str, Value)]) -> (Ceilings, Vec<String>) {
        let mut notices = Vec::new();
        (Ceilings::read(&settings(entries), &mut notices), notices)
    }

    #[test]
    fn a_ceiling_bounds_its_quota_and_never_lowers_one() {
        let (ceilings, notices) = read(&[
            ("ceilings.cores", Value::Integer(64)),
            ("ceilings.ram_gb", Value::Integer(100)),
            ("ceilings.port", Value::Integer(-1)),
        ]);
        assert_eq!(notices, [""; 0]);
        for (key, in_force, most) in [
            ("cores", Some(20), 64),
            ("cores", Some(80), 80),
            ("cores", Some(-1), -1),
            ("cores", None, 64),
            ("ram", Some(1), 102_400),
            ("port", Some(1), -1),
            ("volumes", Some(1), -1),
        ] {
            assert_eq!(ceilings.most(key, in_force), Most::Limit(most), "{key} {in_force:?}");
        }
    }

    #[test]
    fn a_ceiling_that_cannot_be_read_lets_nothing_through() {
        for (key, value, cores, volumes) in [
            ("ceilings.cores", Value::Text("64".into()), Most::Unreadable, Most::Limit(-1)),
            ("ceilings.core", Value::Integer(64), Most::Unreadable, Most::Limit(-1)),
            ("ceilings.happiness", Value::Integer(64), Most::Unreadable, Most::Unreadable),
            ("ceilings", Value::Integer(64), Most::Unreadable, Most::Unreadable),
        ] {
            let (ceilings, notices) = read(&[(key, value)]);
            assert_eq!(
                (ceilings.most("cores", Some(1)), ceilings.most("volumes", Some(1))),
                (cores, volumes),
                "{key}"
            );
            assert!(notices.len() == 1 && notices[0].contains("a request raises no quota"), "{notices:?}");
        }
    }

    #[test]
    fn a_request_for_more_is_refused_unless_the_site_says_otherwise() {
        let over = |value: &str| read(&[(OVER, Value::Text(value.to_owned()))]);
        assert_eq!(read(&[]).0.over, Over::Deny);
        assert_eq!((over("clamp").0.over, over("deny").0.over), (Over::Clamp, Over::Deny));
        for (key, value) in [
            (OVER, Value::Text("Clamp".into())),
            (OVER, Value::Boolean(true)),
            ("over_ceiling.cores", Value::Integer(1)),
        ] {
            let (ceilings, notices) = read(&[(key, value)]);
            assert_eq!(ceilings.over, Over::Deny);
            assert!(notices.len() == 1 && notices[0].contains("`over_ceiling"), "{notices:?}");
        }
    }
}
