//! What the disk and SQLite refuse, as an error that the client can be told: why nothing can be kept or read at the
//! moment, and never where. The log has the rest.
//! Must not know: what was to be kept.

use std::io;
use std::path::Path;

use crate::domain::Error;
use crate::domain::error::Unavailable;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match of_sqlite(&error) {
            Some(why) => {
                tracing::warn!("database: {error}");
                Self::Unavailable(why)
            }
            None => Self::Internal(format!("database: {error}")),
        }
    }
}

fn of_sqlite(error: &sqlx::Error) -> Option<Unavailable> {
    match error {
        sqlx::Error::Database(error) => {
            let code: i32 = error.code()?.parse().ok()?;
            // The low byte is the primary result code (sqlite.org/rescode.html).
            match code & 0xff {
                5 | 6 => Some(Unavailable::Busy),
                8 => Some(Unavailable::ReadOnly),
                13 => Some(Unavailable::Full),
                // IOERR, CANTOPEN; INTERRUPT and PROTOCOL mean that this call was broken off, not that it was wrong.
                9 | 10 | 14 | 15 => Some(Unavailable::Failed),
                _ => None,
            }
        }
        sqlx::Error::PoolTimedOut => Some(Unavailable::Busy),
        sqlx::Error::Io(error) => Some(of_io(error)),
        // The connection's thread ended, or its last transaction ended badly. The next call gets another connection.
        sqlx::Error::WorkerCrashed | sqlx::Error::InvalidSavePointStatement | sqlx::Error::BeginFailed => {
            Some(Unavailable::Failed)
        }
        _ => None,
    }
}

fn of_io(error: &io::Error) -> Unavailable {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Unavailable::Full,
        Kind::ReadOnlyFilesystem | Kind::PermissionDenied => Unavailable::ReadOnly,
        _ => Unavailable::Failed,
    }
}

/// A file that cannot be read or written.
pub fn file(path: &Path, error: &io::Error) -> Error {
    tracing::error!("{}: {error}", path.display());
    Error::Unavailable(of_io(error))
}
