//! Why a call cannot be answered at the moment, though nothing is wrong with it.
//! Must not know: how a protocol says it.

/// Why nothing can be kept or read at the moment. The texts are for answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No room.
    #[error("The disk of the emulator's data folder is full.")]
    Full,
    /// Made read-only, or its owner changed.
    #[error("The emulator's data folder cannot be written.")]
    ReadOnly,
    /// Deleted, moved or replaced while the emulator runs.
    #[error("The emulator's data folder is no longer where it was.")]
    Gone,
    /// Somebody else holds the database, or too many requests wait for it.
    #[error("The emulator's database is busy.")]
    Busy,
    /// The disk fails in another way; the log says how.
    #[error("The emulator's data folder cannot be used at the moment.")]
    Failed,
    /// A vault refused, throttled or lost every call that a registry made for its data key.
    #[error("The vault of the registry's key did not answer.")]
    Vault,
    /// A test asked for it: each protocol says this status in its own words.
    #[error("A fault was asked for: status {0}.")]
    Fault(u16),
}
