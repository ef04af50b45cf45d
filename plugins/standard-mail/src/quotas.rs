//! The values of the mails about quotas. Every list is also there as a table for the text.

use std::collections::BTreeMap;

use minijinja::Value;
use usher_plugin::types::{
    KeptLimit, QuotaChange, QuotaDeniedMail, QuotaEndedMail, QuotaEndingMail, QuotaMail, QuotaReturn,
};

use crate::kinds::{line, lines, one_line, values_of};
use crate::text_table::text_table;

const MB_PER_GB: i64 = 1024;

/// The values of the mail about a change.
pub fn update(mail: &QuotaMail) -> BTreeMap<String, Value> {
    values_of([
        ("fullname", line(&mail.full_name)),
        ("project", line(&mail.project)),
        ("quota_list", mail.changes.iter().map(change).collect()),
        ("quota_table", changes_table(&mail.changes)),
        ("until", line(mail.until.as_deref().unwrap_or_default())),
    ])
}

/// The values of the mail about a refusal.
pub fn denied(mail: &QuotaDeniedMail) -> BTreeMap<String, Value> {
    values_of([
        ("fullname", line(&mail.full_name)),
        ("project", line(&mail.project)),
        ("reason", lines(&mail.reason)),
    ])
}

/// The values of the mail about an end that is near.
pub fn ending(mail: &QuotaEndingMail) -> BTreeMap<String, Value> {
    let list = mail.returns.iter().map(|QuotaReturn { key, in_force, goes_back_to }| {
        Value::from(values_of([
            ("quota", line(key)),
            ("in_force", Value::from(limit(key, *in_force))),
            ("goes_back_to", Value::from(limit(key, *goes_back_to))),
        ]))
    });
    let rows = mail.returns.iter().map(|QuotaReturn { key, in_force, goes_back_to }| {
        [one_line(key), limit(key, *in_force), limit(key, *goes_back_to), String::new()]
    });
    values_of([
        ("fullname", line(&mail.full_name)),
        ("project", line(&mail.project)),
        ("ends", line(&mail.ends)),
        ("quota_list", list.collect()),
        ("quota_table", Value::from(text_table(["Quota", "Now", "Then", ""], rows))),
    ])
}

/// The values of the mail about an end.
pub fn ended(mail: &QuotaEndedMail) -> BTreeMap<String, Value> {
    let kept = mail.kept.iter().map(|KeptLimit { key, in_force, before, reason }| {
        Value::from(values_of([
            ("quota", line(key)),
            ("in_force", Value::from(limit(key, *in_force))),
            ("before", Value::from(limit(key, *before))),
            ("reason", line(reason)),
        ]))
    });
    let kept_rows = mail.kept.iter().map(|KeptLimit { key, in_force, before, reason }| {
        [one_line(key), limit(key, *before), limit(key, *in_force), one_line(reason)]
    });
    values_of([
        ("fullname", line(&mail.full_name)),
        ("project", line(&mail.project)),
        ("quota_list", mail.restored.iter().map(change).collect()),
        ("quota_table", changes_table(&mail.restored)),
        ("kept_list", kept.collect()),
        ("kept_table", Value::from(text_table(["Quota", "Before", "Now", "Why"], kept_rows))),
    ])
}

fn change(change: &QuotaChange) -> Value {
    let QuotaChange { key, old, new, reason } = change;
    Value::from(values_of([
        ("quota", line(key)),
        ("old", Value::from(limit(key, *old))),
        ("new", Value::from(limit(key, *new))),
        ("reason", line(reason)),
    ]))
}

fn changes_table(changes: &[QuotaChange]) -> Value {
    let rows = changes.iter().map(|QuotaChange { key, old, new, reason }| {
        [one_line(key), limit(key, *old), limit(key, *new), one_line(reason)]
    });
    Value::from(text_table(["Quota", "Old", "New", "Why"], rows))
}

/// A limit as people read it.
fn limit(key: &str, limit: i64) -> String {
    match (key, limit) {
        (_, -1) => "unlimited".to_owned(),
        ("ram", mb) if mb != 0 && mb % MB_PER_GB == 0 => format!("{mb} MB ({} GB)", mb / MB_PER_GB),
        ("ram", mb) => format!("{mb} MB"),
        (_, limit) => limit.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_for_people() {
        for (key, value, words) in [
            ("cores", 0, "0"),
            ("cores", -1, "unlimited"),
            ("ram", -1, "unlimited"),
            ("ram", 51_200, "51200 MB (50 GB)"),
            ("ram", 1536, "1536 MB"),
            ("ram", 0, "0 MB"),
            ("gigabytes", 1024, "1024"),
        ] {
            assert_eq!(limit(key, value), words, "{key} {value}");
        }
    }
}
