//! The subcommands, one file each, and the exit status that each error stands for.

pub mod doctor;
pub mod import;
pub mod keys;
pub mod mail;
pub mod password;
pub mod plugin;
pub mod quota;
pub mod run;
pub mod schedule;
pub mod serve;

mod batch;
mod exit;
mod json;
pub(crate) mod say;
mod signals;
mod table;

pub use exit::{Exit, status_of};
