//! Reads the sheets of sites that used the MOC's tools: fixed columns, filled by a Google form.
//!
//! Knows nothing of where the sheets are kept, of what Keystone holds, or of what day it is.
//!
//! Settings, all optional: `access.requests`, `access.done`, `quota.requests` and `quota.done` name the
//! worksheets; `quota.size_column` is the letter of the column in which the form asks for a size of quotas;
//! `date_order` says whether `3/4/2018` is a day in March (`month-first`, the default) or in April (`day-first`).
//!
//! # How a request is named
//! The key of a request is the form's timestamp and the requester's e-mail address, in one spelling
//! (`2018-03-14T15:48:48 user@example.org`): it survives edits of the bookkeeping cells, another format of
//! the date column and another case of the address. Nothing else of the row is part of it.
//!
//! # What is rejected
//! Only an approved row is read closely: a value that the import cannot work with rejects it, with words
//! for the approvers. A quota request that waits is read as closely, since the quota policy may grant it; what is
//! wrong with it is a warning, with which nobody but people grants it. Other rows that wait, and those that were
//! denied, are read as far as they go, since nobody acts on them; such a row is rejected only where timestamp and
//! address are both missing, because then it cannot be named.

mod access;
mod cells;
#[cfg(target_family = "wasm")]
mod component;
mod header;
mod quota;
mod row;
mod stage;
mod worksheets;

pub use row::parse_rows;
pub use worksheets::{Reading, WorksheetError, Worksheets};
