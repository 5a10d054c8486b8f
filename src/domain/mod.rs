//! The rules, pure: every function is a function of its arguments, and `now` is an argument.
//! Must not know: clocks, databases, files, sockets, HTTP.

pub mod access;
pub mod audit;
pub mod directory;
pub mod error;
pub mod fault;
pub mod registry;
pub mod resources;
pub mod unavailable;
pub mod vault;
pub mod world;

pub use error::{Error, Result};
pub use world::time::Timestamp;
