//! A component's section of the settings, as the WIT interface `settings` hands it out.

use std::collections::BTreeMap;

use toml::Value as Toml;

use super::bindings::interfaces::settings::{Entry, Value};

/// Flattens a section: `welcome = { subject = "…" }` becomes `welcome.subject`. Tables in a list
/// are numbered from 0: `defaults.0.key`. The entries are ordered by key.
pub(super) fn flatten(section: &BTreeMap<String, Toml>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (key, value) in section {
        add(key, value, &mut entries);
    }
    entries.sort_by(|left, right| left.key.cmp(&right.key));
    entries
}

fn add(key: &str, value: &Toml, entries: &mut Vec<Entry>) {
    let value = match value {
        Toml::Table(table) => {
            for (inner, value) in table {
                add(&format!("{key}.{inner}"), value, entries);
            }
            return;
        }
        Toml::Array(values)
            if values.iter().any(|value| matches!(value, Toml::Table(_) | Toml::Array(_))) =>
        {
            for (index, value) in values.iter().enumerate() {
                add(&format!("{key}.{index}"), value, entries);
            }
            return;
        }
        Toml::Array(values) => Value::Texts(values.iter().map(text).collect()),
        Toml::Integer(number) => Value::Integer(*number),
        Toml::Float(number) => Value::Number(*number),
        Toml::Boolean(truth) => Value::Boolean(*truth),
        Toml::String(_) | Toml::Datetime(_) => Value::Text(text(value)),
    };
    entries.push(Entry { key: key.to_owned(), value });
}

/// A value as text, a string without quotation marks.
fn text(value: &Toml) -> String {
    match value {
        Toml::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_become_joined_keys_in_order() {
        let section = toml::from_str(
            "b = 1\n a.z = 'text'\n a.y = [1, 'two']\n c = 1.5\n d = true\n e = 2026-01-31\n f = [{ g = 2 }, { g = 3 }]",
        )
        .unwrap();
        let entries: Vec<_> =
            flatten(&section).into_iter().map(|entry| format!("{} = {:?}", entry.key, entry.value)).collect();
        assert_eq!(
            entries,
            [
                "a.y = Value::Texts([\"1\", \"two\"])",
                "a.z = Value::Text(\"text\")",
                "b = Value::Integer(1)",
                "c = Value::Number(1.5)",
                "d = Value::Boolean(true)",
                "e = Value::Text(\"2026-01-31\")",
                "f.0.g = Value::Integer(2)",
                "f.1.g = Value::Integer(3)",
            ]
        );
    }
}
