//! Usher registers the users of an OpenStack cloud from an approved sign-up sheet.
//!
//! The layout is the architecture: `command`, `server` and `http` are the ways in, and `schedule` for what happens by
//! itself; the flows (`import` and `quota_apply` on `batch`, `notify` and `remind` on `notices`, `quota_terms`,
//! `project_quotas`, `retention`, `links`, `setpass`, `outbox`, `leases`) do the work, and below them stand the components
//! (`plugin`), the records
//! (`database`) and one module for each outside system. Arrows point down that list only.

pub mod app;
mod backoff;
pub mod batch;
pub mod cli;
mod client_network;
pub mod clock;
pub mod command;
pub mod core_dumps;
pub mod cron;
pub mod database;
mod fail_point;
pub mod http;
mod http_client;
pub mod import;
pub mod keys;
pub mod keystone;
pub mod leases;
pub mod links;
pub mod log;
pub mod mail_content;
pub mod mailer;
pub mod mailing_list;
pub mod notices;
pub mod notify;
pub mod outbox;
pub mod password_notice;
pub mod password_reset;
pub mod plugin;
pub mod process;
pub mod project_quotas;
pub mod quota_apply;
pub mod quota_decisions;
pub mod quota_terms;
pub mod quotas;
pub mod random;
pub mod readiness;
pub mod registration;
pub mod rekeying;
pub mod remind;
pub mod remote_setpass;
pub mod retention;
pub mod schedule;
pub mod server;
pub mod service_manager;
pub mod setpass;
pub mod settings;
pub mod sheet;
mod silence;
mod single_flight;
pub mod stop;
