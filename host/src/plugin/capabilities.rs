//! The services behind the interfaces that a component can be granted.
//!
//! They are the clients that the import itself uses. A service that is not there (in
//! `usher plugin run`, which touches nothing) makes its functions answer `unavailable`.

use crate::database::Database;
use crate::keystone::Keystone;
use crate::links::Links;
use crate::outbox::Outbox;
use crate::sheet::Sheet;

/// The services that components may be let to.
#[derive(Clone, Default)]
pub struct Capabilities {
    /// Behind `keystone` and `keystone-admin`.
    pub keystone: Option<Keystone>,
    /// Behind `mail`: the outbox, and the database that it keeps the mails in.
    pub outbox: Option<(Outbox, Database)>,
    /// Behind `sheet`: the site's spreadsheets. A worksheet is looked for in this order.
    pub sheets: Vec<Sheet>,
    /// Behind `token`.
    pub links: Option<Links>,
}

/// What a function answers whose service is not there.
pub(super) const ABSENT: &str = "this service is not connected here";
