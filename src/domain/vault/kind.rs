//! The kinds of objects that lie in a vault, and what they are called.
//! Must not know: what an object of any kind is made of.

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    Key,
    Secret,
    /// Certificates. None are emulated.
    Certificate,
}

impl ObjectKind {
    /// As a noun within a sentence.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Secret => "secret",
            Self::Certificate => "certificate",
        }
    }

    /// The same as a title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Key => "Key",
            Self::Secret => "Secret",
            Self::Certificate => "Certificate",
        }
    }

    /// The code of the refusal that there is none, in both of Azure's protocols.
    #[must_use]
    pub const fn missing(self) -> &'static str {
        match self {
            Self::Key => "KeyNotFound",
            Self::Secret => "SecretNotFound",
            Self::Certificate => "CertificateNotFound",
        }
    }

    /// The first segment of its paths.
    #[must_use]
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Key => "keys",
            Self::Secret => "secrets",
            Self::Certificate => "certificates",
        }
    }

    /// The same of those that are deleted.
    #[must_use]
    pub const fn deleted_collection(self) -> &'static str {
        match self {
            Self::Key => "deletedkeys",
            Self::Secret => "deletedsecrets",
            Self::Certificate => "deletedcertificates",
        }
    }
}
