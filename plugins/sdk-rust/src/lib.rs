//! What a component for Usher written in Rust is made of.
//!
//! A component plays one role, and each role is a module here with a trait to implement and a macro
//! that exports the implementation: [`row_parser`], [`quota_policy`], [`mail_templates`] and [`job`].
//!
//! ```no_run
//! use usher_plugin::row_parser::{self, RowParser};
//! use usher_plugin::types::{Layout, Outcome, Parsed, ParsedRow, Rejection, Row, SheetKind, SheetLayout};
//!
//! struct MySheets;
//!
//! impl RowParser for MySheets {
//!     fn describe() -> Layout {
//!         let access = SheetLayout {
//!             requests: "Sign-ups".to_owned(),
//!             done: "Members".to_owned(),
//!             notified_column: 1,
//!             reminded_column: 2,
//!             pin_column: None,
//!         };
//!         Layout { access, quota: None }
//!     }
//!
//!     fn parse_rows(_kind: SheetKind, rows: Vec<Row>) -> Parsed {
//!         let rejected = |row: Row| ParsedRow {
//!             number: row.number,
//!             outcome: Outcome::Rejected(Rejection {
//!                 requester: String::new(),
//!                 reason: "nobody reads this sheet yet".to_owned(),
//!             }),
//!             warnings: Vec::new(),
//!         };
//!         Parsed::Rows(rows.into_iter().skip(1).map(rejected).collect())
//!     }
//! }
//!
//! row_parser::export!(MySheets);
//! # fn main() {}
//! ```
//!
//! The host offers [`log`] and [`settings`] to every component. [`keystone`], [`keystone_admin`],
//! [`mail`], [`sheet`] and [`token`] have to be granted in the site's settings: a component that calls one
//! of their functions imports that interface, and does not load without the grant. What is not called
//! is not imported.
//!
//! Only a component can call the host. Functions that take [`settings::Settings`] as a value, and no
//! host function, compile and test natively with `cargo test`.

mod arena;
mod bindings;
pub mod dates;
pub mod log;
pub mod settings;

#[cfg(target_family = "wasm")]
pub use arena::Arena;
pub use bindings::host::usher::plugin::types;

/// Looks users, projects and roles up. Granted as `keystone`.
pub mod keystone {
    pub use crate::bindings::host::usher::plugin::keystone::*;
}

/// Changes users, projects and roles. Granted as `keystone-admin`.
pub mod keystone_admin {
    pub use crate::bindings::host::usher::plugin::keystone_admin::*;
}

/// Sends mail through the host's outbox. Granted as `mail`.
pub mod mail {
    pub use crate::bindings::host::usher::plugin::mail::*;
}

/// Reads and marks the site's sheets. Granted as `sheet`.
pub mod sheet {
    pub use crate::bindings::host::usher::plugin::sheet::*;
}

/// Issues setpass links. Granted as `token`.
pub mod token {
    pub use crate::bindings::host::usher::plugin::token::*;
}

/// Reads the rows of a site's sheets.
pub mod row_parser {
    /// What a row parser does.
    pub use crate::bindings::row_parser::Guest as RowParser;
    /// Exports a type that implements [`RowParser`] from the component.
    pub use crate::bindings::row_parser::export_row_parser as export;
    #[doc(hidden)]
    pub use crate::bindings::row_parser::*;
}

/// Decides which quotas a project gets.
pub mod quota_policy {
    /// What a quota policy does.
    pub use crate::bindings::quota_policy::Guest as QuotaPolicy;
    /// Exports a type that implements [`QuotaPolicy`] from the component.
    pub use crate::bindings::quota_policy::export_quota_policy as export;
    #[doc(hidden)]
    pub use crate::bindings::quota_policy::*;
}

/// Words the mails.
pub mod mail_templates {
    /// What mail templates do.
    pub use crate::bindings::mail_templates::Guest as MailTemplates;
    /// Exports a type that implements [`MailTemplates`] from the component.
    pub use crate::bindings::mail_templates::export_mail_templates as export;
    #[doc(hidden)]
    pub use crate::bindings::mail_templates::*;
}

/// Runs something of the site's own at set times.
pub mod job {
    /// What a job does.
    pub use crate::bindings::job::Guest as Job;
    /// Exports a type that implements [`Job`] from the component.
    pub use crate::bindings::job::export_job as export;
    #[doc(hidden)]
    pub use crate::bindings::job::*;
}
