//! Every way to refuse, as facts without a protocol, by wing. Each front end's `dialect` says them in its own words.
//! Must not know: status codes, JSON, which protocol asked.

mod access;
mod directory;
mod neighbours;
mod registry;
mod request;
mod resources;
mod vault;

pub use crate::domain::unavailable::Unavailable;
pub use access::AccessError;
pub use directory::{AssertionError, ClientError, DirectoryError, SignInError};
pub use neighbours::NeighbourError;
pub use registry::{ContentError, EncryptionError, RegistryError, SourceError};
pub use request::{RequestError, TokenError};
pub use resources::{AssignmentError, DeploymentError, ResourceError};
pub use vault::{KeyError, VaultError, VaultPlace};

/// The result of a rule or a verb.
pub type Result<T> = std::result::Result<T, Error>;

/// A refusal. Grouped by who refuses; the groups are matched whole by dialects that never meet them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong, whatever it is about.
    #[error("{0}")]
    Request(RequestError),
    /// The token is missing or wrong.
    #[error("{0}")]
    Token(TokenError),
    /// Entra ID gives no token.
    #[error("{0}")]
    SignIn(SignInError),
    /// The caller is known but may not.
    #[error("{0}")]
    Access(Box<AccessError>),
    /// Resource management refuses.
    #[error("{0}")]
    Resource(ResourceError),
    /// A resource around registries and vaults refuses.
    #[error("{0}")]
    Neighbour(NeighbourError),
    /// The directory refuses.
    #[error("{0}")]
    Directory(DirectoryError),
    /// A vault, as a resource, refuses.
    #[error("{0}")]
    Vault(VaultError),
    /// A key or secret refuses.
    #[error("{0}")]
    Key(KeyError),
    /// A registry, as a resource, refuses.
    #[error("{0}")]
    Registry(RegistryError),
    /// A registry's content refuses.
    #[error("{0}")]
    Content(ContentError),
    /// What was asked for cannot be kept or read at the moment; the client may ask again.
    #[error("{0}")]
    Unavailable(Unavailable),
    /// The emulator failed. The text is for the log alone: it may name files of this machine.
    #[error("internal: {0}")]
    Internal(String),
}

/// What an answer says of an [`Error::Internal`], in whatever protocol.
pub const INTERNAL: &str = "The emulator failed to carry out this request. Its log says why.";

macro_rules! group {
    ($($group:ident($inner:ident)),*) => {$(
        impl From<$inner> for Error {
            fn from(inner: $inner) -> Self {
                Self::$group(inner)
            }
        }
    )*};
}

group!(
    Request(RequestError),
    Token(TokenError),
    SignIn(SignInError),
    Resource(ResourceError),
    Neighbour(NeighbourError),
    Directory(DirectoryError),
    Vault(VaultError),
    Key(KeyError),
    Registry(RegistryError),
    Content(ContentError)
);

macro_rules! part {
    ($($inner:ident of $whole:ident),*) => {$(
        impl From<$inner> for Error {
            fn from(inner: $inner) -> Self {
                $whole::from(inner).into()
            }
        }
    )*};
}

part!(EncryptionError of RegistryError, AssignmentError of ResourceError, DeploymentError of ResourceError);

impl Error {
    /// An emulator failure, from any error that should not happen.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }

    /// Whether the emulator itself failed, so that nothing was decided: no refusal, and not to be told as one.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Internal(_) | Self::Unavailable(_))
    }

    /// Whether it is one that nobody asked for: the log is to say it.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        self.is_failure() && !matches!(self, Self::Unavailable(Unavailable::Vault | Unavailable::Fault(_)))
    }
}
