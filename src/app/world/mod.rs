//! The ground: the clock, long computations, requests under way, and the way out of the emulator.
//! Must not know: any wing.

pub mod carry;
pub mod clock;
pub mod outgoing;
pub mod turns;
pub mod work;
