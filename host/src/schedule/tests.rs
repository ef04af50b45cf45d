//! Jobs on their occasions, under hosts that die, clocks that jump and work that fails.

mod fixture;
mod lives;
mod month;
mod outcomes;
