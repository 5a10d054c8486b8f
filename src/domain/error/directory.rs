//! Refusals of the directory: no token from Entra ID, nothing from Microsoft Graph.
//! Must not know: status codes, JSON, which protocol asked.

use super::Error;
use crate::domain::directory::identity::Disabled;

/// No token from Entra ID or the managed identity endpoint.
#[derive(Debug, Clone, PartialEq)]
pub enum SignInError {
    /// No host of Entra ID.
    InstanceUnknown(String),
    /// No such tenant.
    TenantUnknown(String),
    /// No such application in the tenant.
    ClientUnknown {
        /// The application id sent.
        client_id: String,
        /// The tenant asked.
        tenant: String,
    },
    /// The tenant has to be named: `common` and `organizations` name none.
    TenantMissing,
    /// The application is there, its service principal is not.
    PrincipalMissing {
        /// The application id.
        client_id: String,
        /// The tenant asked.
        tenant: String,
    },
    /// The service principal is disabled, or its application is.
    PrincipalDisabled {
        /// The application id.
        client_id: String,
        name: String,
    },
    /// The application is for personal Microsoft accounts, which are in no tenant.
    ConsumersOnly {
        /// The application id.
        client_id: String,
        name: String,
    },
    /// Wrong client secret.
    SecretWrong {
        /// The application id.
        client_id: String,
    },
    /// The right client secret, too old.
    SecretExpired {
        /// The application id.
        client_id: String,
    },
    /// Neither a secret nor an assertion came with the request.
    CredentialMissing,
    /// A client assertion that is no JWT.
    AssertionMalformed,
    /// A client assertion whose signature does not hold.
    AssertionInvalid(String),
    /// A client assertion signed with a certificate that the application does not have, or has no longer.
    CertificateWrong {
        /// The application id.
        client_id: String,
        /// Why: `The key was not found.`, `The key used is expired.`
        reason: &'static str,
        /// The thumbprint that the assertion names.
        thumbprint: String,
    },
    /// A client assertion made for another endpoint.
    AssertionAudience(String),
    /// A client assertion whose time is not now.
    AssertionTime,
    /// No federated credential of the application fits the assertion. Which claim is the first not to.
    AssertionUnmatched {
        /// `issuer`, `subject` or `audience`.
        claim: &'static str,
        /// What the assertion says.
        value: String,
    },
    /// The keys of an assertion's issuer cannot be had.
    IssuerUnreachable(String),
    /// The scope is not `RESOURCE/.default`.
    ScopeInvalid(String),
    ParameterMissing(&'static str),
    /// The grant type is unknown or not emulated.
    GrantUnsupported(String),
    /// A parameter is missing or wrong.
    Invalid(String),
    /// The requested resource is not one of the emulated services.
    ResourceUnknown(String),
    /// A refresh token, authorization code or assertion that is not valid.
    GrantInvalid(String),
    /// The managed identity endpoint knows no such identity.
    IdentityUnknown,
    /// The managed identity endpoint knows several and was told none.
    IdentityAmbiguous,
    /// The managed identity endpoint wants the header `Metadata: true`.
    MetadataHeaderMissing,
    /// `IDENTITY_ENDPOINT` wants the header `X-IDENTITY-HEADER` with the instance's secret.
    IdentityHeaderWrong,
}

impl std::fmt::Display for SignInError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PrincipalDisabled { client_id, name } => write!(f, "the principal {name} ({client_id}) is disabled"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Refusals of the directory, as Microsoft Graph meets them.
#[derive(Debug, Clone, PartialEq)]
pub enum DirectoryError {
    /// No such object.
    NotFound(String),
    /// The query uses what the directory does not answer.
    QueryUnsupported(String),
    /// Asks for the signed-in user, and the caller is an application.
    NoUser,
    /// A service principal for an application that is not there.
    ApplicationUnknown(String),
    /// The application has its service principal already.
    ServicePrincipalExists(String),
    /// Another object has this value in this property.
    ValueTaken { property: &'static str },
    /// The reference is there already.
    ReferenceExists(&'static str),
    /// No password with this id.
    PasswordNotFound(String),
    /// More federated credentials than an application may have.
    TooManyCredentials,
}

impl From<Disabled> for Error {
    fn from(Disabled { client_id, name }: Disabled) -> Self {
        SignInError::PrincipalDisabled { client_id, name }.into()
    }
}
