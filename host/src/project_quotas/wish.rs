//! A limit that an operator writes as `KEY=VALUE`.

use std::str::FromStr;

/// What no limit is called.
const UNLIMITED: &str = "unlimited";
const MB_PER_GB: f64 = 1024.0;

/// A limit that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedLimit {
    /// OpenStack's key.
    pub key: String,
    /// The limit, in OpenStack's unit; -1 means unlimited.
    pub limit: i64,
}

/// Why a text is no `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// It has no equals sign, or nothing before it.
    #[error("expected KEY=VALUE, such as instances=20")]
    Form,
    /// The value is none that a limit can have.
    #[error("expected a whole number from 0 on, or unlimited")]
    Value,
    /// A size is none that OpenStack can be told.
    #[error("expected a size in GB that is a whole number of MB, or unlimited")]
    Size,
}

impl FromStr for WantedLimit {
    type Err = WishError;

    fn from_str(text: &str) -> Result<Self, WishError> {
        let (key, value) = text.split_once('=').ok_or(WishError::Form)?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(WishError::Form);
        }
        let is_unlimited = value == "-1" || value.eq_ignore_ascii_case(UNLIMITED);
        let wanted = |key: &str, limit| Ok(Self { key: key.to_owned(), limit });
        match key {
            "ram_gb" if is_unlimited => wanted("ram", -1),
            "ram_gb" => wanted("ram", megabytes(value)?),
            key if is_unlimited => wanted(key, -1),
            key => match value.parse::<i64>() {
                // Neutron and Nova keep limits in 32 bits.
                Ok(limit) if (0..=i64::from(i32::MAX)).contains(&limit) => wanted(key, limit),
                _ => Err(WishError::Value),
            },
        }
    }
}

fn megabytes(gigabytes: &str) -> Result<i64, WishError> {
    let gigabytes: f64 = gigabytes.parse().map_err(|_| WishError::Size)?;
    let megabytes = gigabytes * MB_PER_GB;
    if megabytes.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(&megabytes) {
        Ok(megabytes as i64)
    } else {
        Err(WishError::Size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_key_and_a_number_or_unlimited() {
        for (text, key, limit) in [
            ("instances=20", "instances", 20),
            (" cores = 0 ", "cores", 0),
            ("port=unlimited", "port", -1),
            ("port=-1", "port", -1),
            ("ram=512", "ram", 512),
            ("ram_gb=1.5", "ram", 1536),
            ("ram_gb=Unlimited", "ram", -1),
        ] {
            assert_eq!(text.parse(), Ok(WantedLimit { key: key.to_owned(), limit }), "{text}");
        }
        for (text, error) in [
            ("instances", WishError::Form),
            ("=5", WishError::Form),
            ("instances=many", WishError::Value),
            ("instances=-2", WishError::Value),
            ("instances=1.5", WishError::Value),
            ("instances=2147483648", WishError::Value),
            ("ram_gb=0.0001", WishError::Size),
            ("ram_gb=-5", WishError::Size),
            ("ram_gb=nan", WishError::Size),
        ] {
            assert_eq!(text.parse::<WantedLimit>(), Err(error), "{text}");
        }
    }
}
