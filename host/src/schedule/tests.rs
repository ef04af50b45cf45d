//! Jobs on their occasions, under hosts that die, clocks that jump and work that fails.

mod by_hand;
mod clocks;
mod deaths;
mod fixture;
mod jobs;
mod lives;
mod mails;
mod month;
mod outcomes;
mod presence;
mod switched_off;
