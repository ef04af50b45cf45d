//! Comparing and showing limits, of which -1 is unlimited and so above every other.

const MB_PER_GB: i64 = 1024;

/// Whether a limit is above another.
pub fn is_above(limit: i64, other: i64) -> bool {
    other >= 0 && (limit < 0 || limit > other)
}

/// The higher of two limits.
pub fn higher(limit: i64, other: i64) -> i64 {
    if is_above(limit, other) { limit } else { other }
}

/// A limit as people read it: RAM, which is in MB, with its unit.
pub fn shown(key: &str, limit: i64) -> String {
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
    fn unlimited_is_above_every_limit() {
        for (limit, other, above) in
            [(2, 1, true), (1, 1, false), (-1, 9, true), (9, -1, false), (-1, -1, false)]
        {
            assert_eq!(is_above(limit, other), above, "{limit} and {other}");
        }
        assert_eq!([higher(2, 1), higher(1, 2), higher(-1, 5), higher(5, -1)], [2, 2, -1, -1]);
    }

    #[test]
    fn ram_has_its_unit() {
        assert_eq!(
            [shown("ram", 2048), shown("ram", 1536), shown("cores", 8), shown("ram", -1)],
            ["2048 MB (2 GB)", "1536 MB", "8", "unlimited"]
        );
    }
}
