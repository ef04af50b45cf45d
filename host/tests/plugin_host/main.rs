//! The plugin host with real components, good ones and hostile ones.

mod fixture;
mod job;
mod limits;
mod load;
