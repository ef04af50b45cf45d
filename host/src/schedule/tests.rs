//! Jobs on their occasions, under hosts that die, clocks that jump and work that fails.

mod fixture;
mod jobs;
mod lives;
mod mails;
mod month;
mod outcomes;
