//! A job: mails a site's admins who was admitted in the last days, from the worksheet that finished requests move to.
//!
//! A row counts by the time at which the helpdesk was notified, which stands in its second column: it is the last time
//! that a row tells before it is finished. The mail is named after the day of the occasion, so that a second run on that
//! day sends nothing again. The report has numbers and no names, because it is kept.
//!
//! Settings: `to` (addresses, needed), `days` (7), `worksheet` (`Current Users`), `date_order` (`month-first`), `sender`.

#[cfg(target_family = "wasm")]
mod component;
mod digest;
mod options;

pub use digest::{Digest, digest};
pub use options::Options;
