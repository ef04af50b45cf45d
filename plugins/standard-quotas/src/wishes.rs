//! What a request asks for: limits by key, and those of the size that it names.

use std::collections::BTreeMap;

use usher_plugin::types::{QuotaRequest, QuotaService};

use crate::keys;
use crate::sizes::Sizes;

/// What a request asks for.
#[derive(Debug, Default)]
pub struct Wishes {
    /// The limits, by key.
    pub limits: BTreeMap<&'static str, Wish>,
    /// Keys that no service has, each as a sentence.
    pub unknown: Vec<String>,
}

/// A limit that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The service that keeps it.
    pub service: QuotaService,
    /// The limit; -1 means unlimited.
    pub limit: i64,
    /// The size that it belongs to; none where the request names the key.
    pub size: Option<String>,
}

/// Reads what a request asks for. Its keys win over those of its size.
///
/// # Errors
/// What cannot be granted for a reason that has to do with no single limit.
pub fn read(request: &QuotaRequest, sizes: &Sizes) -> Result<Wishes, String> {
    let mut wishes = Wishes::default();
    let name = request.size.as_deref().map(str::trim).filter(|name| !name.is_empty());
    if let Some(name) = name {
        let size = sizes.find(name)?;
        // A size of which a part is missing is not the one that the requester knows.
        if let [_, ..] = size.table.faults.as_slice() {
            return Err(format!(
                "the size {} cannot be granted until this site's operator has mended its settings",
                size.name
            ));
        }
        for (key, &limit) in &size.table.limits {
            if let Ok((key, service)) = keys::find(key) {
                wishes.limits.insert(key, Wish { service, limit, size: Some(size.name.to_owned()) });
            }
        }
    }
    for wanted in &request.limits {
        match keys::find(&wanted.key) {
            Ok((key, service)) => {
                wishes.limits.insert(key, Wish { service, limit: wanted.limit, size: None });
            }
            Err(unknown) => wishes.unknown.push(unknown),
        }
    }
    match (wishes.limits.is_empty(), wishes.unknown.as_slice()) {
        (false, _) => Ok(wishes),
        (true, []) => Err("nothing is requested: no limit and no size".to_owned()),
        (true, unknown) => Err(format!("nothing that could be granted is requested: {}", unknown.join("; "))),
    }
}
