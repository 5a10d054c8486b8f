//! The rules, pure: every function is a function of its arguments, and `now` is an argument.
//! Must not know: clocks, databases, files, sockets, HTTP.

pub mod access;
pub mod audit;
pub mod certificate;
pub mod cmk;
pub mod condition;
pub mod content;
pub mod crypto;
pub mod directory;
pub mod envelope;
pub mod error;
pub mod identity;
pub mod json;
pub mod key;
pub mod name;
pub mod private_link;
pub mod region;
pub mod registry;
pub mod registry_child;
pub mod registry_values;
pub mod role;
pub mod rotation;
pub mod secret;
pub mod template;
pub mod time;
pub mod token;
pub mod vault;
pub mod well_known;

pub use error::{Error, Result};
pub use time::Timestamp;
