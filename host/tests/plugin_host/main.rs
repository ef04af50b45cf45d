//! The plugin host with real components, good ones and hostile ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bundled_jobs;
mod fixture;
mod job;
mod limits;
mod load;
mod mail;
mod quota;
