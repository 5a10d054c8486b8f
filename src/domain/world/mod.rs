//! The ground: time, names, the documents and the cryptography that every wing uses.
//! Must not know: any wing.

pub mod crypto;
pub mod json;
pub mod name;
pub mod network;
pub mod time;
pub mod typed;
pub mod well_known;
