//! ACR Tasks: what a run is asked to do and how it goes, the task file, schedules, and signed links to the storage account
//! that tasks use.
//! Must not know: who carries a run out, what lies in a registry.

pub mod cron;
pub mod file;
pub mod images;
pub mod order;
pub mod run;
pub mod sas;
pub mod words;
