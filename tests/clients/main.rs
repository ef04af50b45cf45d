//! The Keystone and quota clients against real services.
//!
//! `USHER_TEST_CLOUD` names the folder of a cloud that may be written to. Each test makes users and
//! projects of its own and removes them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cloud;
mod quotas;
mod sessions;
mod users;
