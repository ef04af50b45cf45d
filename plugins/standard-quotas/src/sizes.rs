//! Sizes: bundles of limits with names that a site gives them.

use std::collections::{BTreeMap, BTreeSet};

use usher_plugin::settings::{SettingError, Settings};

use crate::similar::nearest;
use crate::table::Table;

/// The table of the settings that holds one table for each size.
pub const TABLE: &str = "sizes";

/// The sizes of a site.
#[derive(Debug, Default)]
pub struct Sizes(BTreeMap<String, Table>);

/// A size of the site.
#[derive(Clone, Copy, Debug)]
pub struct Size<'a> {
    /// Its name, as the settings write it.
    pub name: &'a str,
    /// Its limits.
    pub table: &'a Table,
}

impl Sizes {
    /// Reads the sizes, and says what is wrong with them.
    pub fn read(settings: &Settings, notices: &mut Vec<String>) -> Self {
        if let Some((_, value)) = settings.iter().find(|(key, _)| *key == TABLE) {
            notices.push(SettingError::new(TABLE, "a table of sizes", value).to_string());
        }
        let mut names = BTreeSet::new();
        for (entry, value) in settings.table(TABLE) {
            // A quota's key has no full stop, a size's name may have one.
            match entry.rsplit_once('.') {
                Some((name, _)) => _ = names.insert(name),
                None => {
                    let setting = format!("{TABLE}.{entry}");
                    notices.push(SettingError::new(&setting, "a table of quotas", value).to_string());
                }
            }
        }
        let read = |name: &str| (name.to_owned(), Table::read(settings, &format!("{TABLE}.{name}")));
        let sizes = Self(names.into_iter().map(read).collect());
        for (name, table) in &sizes.0 {
            notices.extend(
                table.notices(&format!("until it is mended, requests for the size {name} are refused")),
            );
        }
        sizes
    }

    /// A size by its name, without regard to case.
    ///
    /// # Errors
    /// When there is none: a sentence with the sizes that there are.
    pub fn find(&self, name: &str) -> Result<Size<'_>, String> {
        let folded = name.trim().to_lowercase();
        let found = self.0.iter().find(|(known, _)| known.to_lowercase() == folded);
        found.map(|(name, table)| Size { name, table }).ok_or_else(|| self.unknown(name.trim()))
    }

    fn unknown(&self, name: &str) -> String {
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        match (names.as_slice(), nearest(&name.to_lowercase(), names.iter().copied())) {
            ([], _) => format!("there is no size `{name}`: this site has no sizes"),
            (_, Some(meant)) => {
                format!("there is no size `{name}` (did you mean `{meant}`?); there are {}", names.join(", "))
            }
            (_, None) => format!("there is no size `{name}`; there are {}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use usher_plugin::settings::Value;

    use super::*;

    fn read(entries: &[(&str, Value)]) -> (Sizes, Vec<String>) {
        let mut notices = Vec::new();
        let settings = entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        (Sizes::read(&settings, &mut notices), notices)
    }

    #[test]
    fn a_size_is_found_by_its_name_in_any_case() {
        let (sizes, notices) = read(&[
            ("sizes.small.cores", Value::Integer(4)),
            ("sizes.small.ram_gb", Value::Integer(8)),
            ("sizes.GPU v1.0.cores", Value::Integer(64)),
        ]);
        assert_eq!(notices, [""; 0]);
        let small = sizes.find(" Small ").unwrap();
        assert_eq!(
            (small.name, &small.table.limits),
            ("small", &BTreeMap::from([("cores", 4), ("ram", 8192)]))
        );
        assert_eq!(sizes.find("gpu V1.0").unwrap().table.limits["cores"], 64);
    }

    #[test]
    fn an_unknown_size_is_answered_with_those_there_are() {
        let (sizes, _) =
            read(&[("sizes.small.cores", Value::Integer(4)), ("sizes.large.cores", Value::Integer(64))]);
        assert_eq!(sizes.find("huge").unwrap_err(), "there is no size `huge`; there are large, small");
        assert_eq!(
            sizes.find("smal").unwrap_err(),
            "there is no size `smal` (did you mean `small`?); there are large, small"
        );
        assert_eq!(
            read(&[]).0.find("small").unwrap_err(),
            "there is no size `small`: this site has no sizes"
        );
    }

    #[test]
    fn what_cannot_be_used_is_a_notice() {
        for (key, value, part) in [
            ("sizes", Value::Boolean(true), "`sizes` has to be a table of sizes"),
            ("sizes.small", Value::Integer(4), "`sizes.small` has to be a table of quotas"),
            ("sizes.small.core", Value::Integer(4), "did you mean `cores`?"),
            ("sizes.small.cores", Value::Boolean(true), "requests for the size small are refused"),
        ] {
            let (_, notices) = read(&[(key, value)]);
            assert!(notices.len() == 1 && notices[0].contains(part), "{notices:?}");
        }
    }
}
