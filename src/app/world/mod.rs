//! The ground: the clock, what is remembered, long computations, requests under way, and the way out of the emulator.
//! Must not know: any wing.

pub mod carry;
pub mod clock;
pub mod lines;
pub mod memory;
pub mod outgoing;
pub mod turns;
pub mod work;
