//! What ACR Tasks keep: runs, the blobs of their storage account, timers.
//! Must not know: what a run does, how anything is sealed.

pub mod blobs;
pub mod runs;
pub mod timers;
