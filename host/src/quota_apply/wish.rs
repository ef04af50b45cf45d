//! What a request asks for: as a fingerprint, and until when.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use sha2::{Digest as _, Sha256};

use crate::registration::QuotaRequest;

/// From when a change is undone that lasts until the end of a day in the site's time zone.
pub(super) fn end_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let next = day.checked_add(1.day()).ok()?;
    Some(next.to_zoned(zone.clone()).ok()?.timestamp())
}

/// What is asked for, as a fingerprint: the same for a row whose bookkeeping cells were edited, another one for a
/// row that asks for something else.
pub(super) fn wish(request: &QuotaRequest, project_id: &str) -> String {
    let mut limits = request.limits.clone();
    limits.sort();
    let wish = (project_id, request.until.map(|day| day.to_string()), &request.size, limits);
    let bytes = serde_json::to_vec(&wish).unwrap_or_default();
    hex(&Sha256::digest(bytes)[..16])
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
