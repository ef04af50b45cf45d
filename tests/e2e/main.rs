//! The whole program against the real services. Needs the cloud that `cargo xtask test` starts.
//!
//! Tests share that cloud, and each keeps to users and projects of its own: the fixtures have the domains
//! example.org and example.com to themselves, every other test uses a subdomain named after it.

#![expect(
    clippy::unwrap_used,
    reason = "what fails here fails the test, also in the functions that tests share"
)]

mod at_google;
mod concurrency;
mod doctor;
mod every_fault;
mod every_place;
mod failures;
mod fixture_sheet;
mod google;
mod keys;
mod looking_back;
mod mailing_list;
mod newcomer;
mod notices;
mod odd_rows;
mod openapi;
mod operator;
mod packaging;
mod pages;
mod password;
mod postfix;
mod python_parser;
mod quota_apply;
mod quota_commands;
mod quota_disturbed;
mod quota_scene;
mod remarks;
mod remote_setpass;
mod reset;
mod scene;
mod schedule;
mod secrets_at_rest;
mod setpass;
mod setpass_attacked;
mod setpass_locked_out;
mod shutdown;
mod slow_clients;
mod stage;
