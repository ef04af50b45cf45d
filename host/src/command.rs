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

/// An error and its causes. Many errors say their cause in their own words; nothing is said twice.
#[must_use]
pub fn in_words(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}
