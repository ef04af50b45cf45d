//! Starts the real things that Usher works with, each in a folder of its own and on ports that the
//! system chooses: an OpenStack cloud, a mail server, and Usher itself. Used by the end-to-end tests
//! and by `cargo xtask`.
//!
//! Whatever is started here is stopped when its value is dropped, by the process id that was kept.

pub mod browser;
pub mod cloud;
pub mod fault_proxy;
pub mod fixtures;
pub mod google_sheets;
pub mod identity;
pub mod interrupt;
mod listening;
pub mod mail_server;
pub mod mailman;
pub mod old_setpass;
pub mod postfix;
pub mod process;
mod python_environment;
mod python_service;
pub mod schemathesis;
pub mod serving;
pub mod sheet;
pub mod site;
pub mod strict_keystone;
pub mod web;
pub mod workspace;
