//! The interfaces that components can call, one file for each.
//!
//! Each function counts the call, asks a client of the host, and converts the answer. Errors of the
//! clients become errors of WIT here and nowhere else; a guest's mistake is an error value, and only
//! an exhausted budget is a trap.

mod keystone;
mod keystone_admin;
mod log;
mod mail;
mod settings;
mod sheet;
mod token;

use super::bindings::interfaces;
use super::state::State;

/// Types only: there is nothing to call.
impl interfaces::types::Host for State {}
