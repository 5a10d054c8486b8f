//! Refusals that any wing may meet: the request is wrong, or its token is.
//! Must not know: status codes, JSON, which protocol asked.

/// Wrong requests.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestError {
    /// No such path in this protocol.
    RouteUnknown(String),
    /// The path exists, the method does not.
    MethodNotAllowed {
        /// The method sent.
        method: String,
        path: String,
    },
    /// The body is not the JSON (or form) it should be.
    Malformed(String),
    /// A property has a value it cannot have.
    InvalidValue {
        property: String,
        /// Why.
        message: String,
    },
    /// The body is larger than the protocol allows, in bytes.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body ended before its announced length.
    CutOff,
    /// `api-version` is missing.
    ApiVersionMissing,
    /// `api-version` is none that ever was.
    ApiVersionInvalid(String),
    /// A well-formed feature of Azure that is not emulated. Named in the README's table of limits.
    NotEmulated(String),
}

/// Wrong tokens.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenError {
    /// No token, or another scheme.
    Missing,
    /// Not for this service.
    Audience {
        /// What the service takes.
        expected: String,
        found: String,
    },
    /// From another tenant.
    Issuer {
        /// What the service takes.
        expected: String,
        found: String,
    },
    /// Too old, or not valid yet.
    Expired,
    /// Not a token of ours: syntax or signature.
    Malformed(String),
    /// A good one, but its principal has been disabled since, or has left the directory.
    Revoked,
}
