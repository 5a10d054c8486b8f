//! The ground: single values, the data folder, journals, the outbox, and what the disk refuses.
//! Must not know: any wing.

pub mod diagnostics;
#[cfg(test)]
pub mod faults;
pub mod folder;
pub(super) mod generation;
pub mod journal;
pub mod outbox;
pub(super) mod row;
pub(super) mod schema;
pub mod temporary;
pub(super) mod trouble;
pub mod values;
