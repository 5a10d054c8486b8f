//! Refusals that any wing may meet: the request is wrong, or its token is.
//! Must not know: status codes, JSON, which protocol asked.

/// Wrong requests.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// No such path in this protocol.
    #[error("there is nothing at {0}")]
    RouteUnknown(String),
    /// The path exists, the method does not.
    #[error("{path} does not take {method}")]
    MethodNotAllowed {
        /// The method sent.
        method: String,
        path: String,
    },
    /// The body is not the JSON (or form) it should be.
    #[error("the body cannot be read: {0}")]
    Malformed(String),
    /// A property has a value it cannot have.
    #[error("{property}: {message}")]
    InvalidValue {
        property: String,
        /// Why.
        message: String,
    },
    /// The body is larger than the protocol allows, in bytes.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body ended before its announced length.
    #[error("the body ended before its announced length")]
    CutOff,
    /// `api-version` is missing.
    #[error("there is no api-version")]
    ApiVersionMissing,
    /// `api-version` is none that ever was.
    #[error("{0} is no api-version")]
    ApiVersionInvalid(String),
    /// A well-formed feature of Azure that is not emulated. Named in the README's table of limits.
    #[error("{0} is not emulated")]
    NotEmulated(String),
}

/// Wrong tokens.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TokenError {
    /// No token, or another scheme.
    #[error("there is no token")]
    Missing,
    /// Not for this service.
    #[error("the token is for {found}, not for {expected}")]
    Audience {
        /// What the service takes.
        expected: String,
        found: String,
    },
    /// From another tenant.
    #[error("the token is from {found}, not from {expected}")]
    Issuer {
        /// What the service takes.
        expected: String,
        found: String,
    },
    /// Too old, or not valid yet.
    #[error("the token has expired, or is not valid yet")]
    Expired,
    /// Not a token of ours: syntax or signature.
    #[error("the token cannot be read: {0}")]
    Malformed(String),
    /// A good one, but its principal has been disabled since, or has left the directory.
    #[error("the token's principal is disabled or has left the directory")]
    Revoked,
}
