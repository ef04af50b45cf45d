//! A table of the settings that holds limits by OpenStack's keys, where `ram_gb` is RAM in GB.

use std::collections::BTreeMap;

use usher_plugin::settings::{SettingError, Settings, Value};

use crate::keys;

const MB_PER_GB: f64 = 1024.0;
const RAM: &str = "ram";
const RAM_GB: &str = "ram_gb";

/// The limits of a table, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The limits that can be used.
    pub limits: BTreeMap<&'static str, i64>,
    /// What cannot.
    pub faults: Vec<Fault>,
}

/// An entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key that it is about, as far as that can be told.
    pub key: Option<&'static str>,
    /// What is wrong.
    pub problem: String,
}

impl Table {
    /// Reads a table of the settings.
    pub fn read(settings: &Settings, name: &str) -> Self {
        let mut table = Self::default();
        if let Some((_, value)) = settings.iter().find(|(key, _)| *key == name) {
            let problem = SettingError::new(name, "a table of quotas", value).to_string();
            table.faults.push(Fault { key: None, problem });
        }
        for (entry, value) in settings.table(name) {
            let setting = format!("{name}.{entry}");
            let (key, limit) = read(&setting, entry, value);
            match (key, limit) {
                (Some(key), Ok(_)) if table.limits.contains_key(key) => {
                    let problem = format!(
                        "the plugin's settings have both `{name}.ram` and `{name}.ram_gb`: `ram` counts"
                    );
                    table.faults.push(Fault { key: Some(key), problem });
                }
                (Some(key), Ok(limit)) => _ = table.limits.insert(key, limit),
                (key, Err(problem)) => table.faults.push(Fault { key, problem }),
                (None, Ok(_)) => {}
            }
        }
        table
    }

    /// What is wrong with the table, with what follows from it.
    pub fn notices(&self, consequence: &str) -> impl Iterator<Item = String> {
        self.faults.iter().map(move |fault| format!("{}; {consequence}", fault.problem))
    }
}

/// The key that an entry is about, or seems to be, and its limit.
fn read(setting: &str, entry: &str, value: &Value) -> (Option<&'static str>, Result<i64, String>) {
    if entry == RAM_GB {
        return (Some(RAM), megabytes(setting, value));
    }
    match keys::find(entry) {
        Ok((key, _)) => (Some(key), limit(setting, value)),
        Err(unknown) => {
            (keys::similar_to(entry), Err(format!("the plugin's setting `{setting}`: {unknown}")))
        }
    }
}

fn limit(setting: &str, value: &Value) -> Result<i64, String> {
    match value {
        Value::Integer(limit) if *limit >= -1 => Ok(*limit),
        Value::Integer(limit) => {
            Err(format!("the plugin's setting `{setting}` is {limit}, and has to be -1 (unlimited) or more"))
        }
        _ => Err(SettingError::new(setting, "a whole number", value).to_string()),
    }
}

fn megabytes(setting: &str, value: &Value) -> Result<i64, String> {
    let gb = match value {
        Value::Integer(-1) => return Ok(-1),
        // A size in GB is far below 2^53, from which on a float would round.
        Value::Integer(gb) => *gb as f64,
        Value::Number(gb) => *gb,
        _ => return Err(SettingError::new(setting, "a number", value).to_string()),
    };
    let mb = gb * MB_PER_GB;
    if mb.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(&mb) {
        Ok(mb as i64)
    } else {
        Err(format!("the plugin's setting `{setting}` is {gb}, which is not a whole number of MB"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(key: &str, value: Value) -> Table {
        Table::read(&[(key.to_owned(), value)].into_iter().collect(), "t")
    }

    #[test]
    fn limits_and_ram_in_gb() {
        for (entry, value, key, limit) in [
            ("t.instances", Value::Integer(10), "instances", 10),
            ("t.gigabytes", Value::Integer(-1), "gigabytes", -1),
            ("t.ram", Value::Integer(512), "ram", 512),
            ("t.ram_gb", Value::Integer(4), "ram", 4096),
            ("t.ram_gb", Value::Number(1.5), "ram", 1536),
            ("t.ram_gb", Value::Integer(-1), "ram", -1),
        ] {
            let expected = Table { limits: BTreeMap::from([(key, limit)]), faults: vec![] };
            assert_eq!(read_one(entry, value), expected);
        }
    }

    #[test]
    fn what_cannot_be_used_is_a_fault_of_the_key_that_was_meant() {
        for (entry, value, key, part) in [
            ("t.instance", Value::Integer(1), Some("instances"), "did you mean `instances`?"),
            ("t.happiness", Value::Integer(1), None, "no service has a quota `happiness`"),
            ("t.cores", Value::Text("4".into()), Some("cores"), "has to be a whole number, and is a text"),
            ("t.cores", Value::Integer(-2), Some("cores"), "has to be -1 (unlimited) or more"),
            ("t.ram_gb", Value::Number(0.0001), Some("ram"), "not a whole number of MB"),
            ("t.ram_gb", Value::Boolean(true), Some("ram"), "has to be a number, and is true or false"),
            ("t", Value::Integer(5), None, "`t` has to be a table of quotas, and is a whole number"),
        ] {
            let table = read_one(entry, value);
            assert!(table.limits.is_empty() && table.faults.len() == 1, "{table:?}");
            assert_eq!(table.faults[0].key, key, "{table:?}");
            assert!(table.faults[0].problem.contains(part), "{table:?}");
        }
    }

    #[test]
    fn ram_in_both_units_is_a_fault() {
        let settings =
            [("t.ram".to_owned(), Value::Integer(512)), ("t.ram_gb".to_owned(), Value::Integer(4))];
        let table = Table::read(&settings.into_iter().collect(), "t");
        assert_eq!(table.limits["ram"], 512);
        assert_eq!(table.faults[0].key, Some("ram"));
        assert!(table.faults[0].problem.contains("`ram` counts"));
    }
}
