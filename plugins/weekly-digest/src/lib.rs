//! A job: mails a site's admins who was admitted since it did so last, from the worksheet that finished requests move to.
//!
//! A row tells when its helpdesk ticket was mailed, but not when it moved. So it is remembered who was named, in a
//! worksheet of its own: everybody is in exactly one digest, whenever the row came, whoever runs the job by hand, and
//! however long no host was there. The first digest takes what is older than `days` for known. The report has numbers
//! and no names, because it is kept.
//!
//! Settings: `to` (addresses, needed), `days` (7), `worksheet` (`Current Users`), `memory` (`Weekly Digest`),
//! `date_order` (`month-first`), `sender`.

#[cfg(target_family = "wasm")]
mod component;
mod digest;
mod memory;
mod options;

pub use digest::{Digests, Mail, digests};
pub use memory::Memory;
pub use options::Options;
