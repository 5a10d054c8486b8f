//! Refusals of the directory: no token from Entra ID, nothing from Microsoft Graph.
//! Must not know: status codes, JSON, which protocol asked.

use super::Error;
use crate::domain::directory::identity::Disabled;

/// No token from Entra ID or the managed identity endpoint.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SignInError {
    /// No host of Entra ID.
    #[error("{0} is no host of Entra ID")]
    InstanceUnknown(String),
    /// No such tenant.
    #[error("there is no tenant {0}")]
    TenantUnknown(String),
    /// The client itself, or its secret.
    #[error("{0}")]
    Client(ClientError),
    /// The assertion that the client sent in place of a secret.
    #[error("{0}")]
    Assertion(AssertionError),
    /// The tenant has to be named: `common` and `organizations` name none.
    #[error("no tenant was named")]
    TenantMissing,
    /// The scope is not `RESOURCE/.default`.
    #[error("{0} is no scope of a resource")]
    ScopeInvalid(String),
    #[error("{0} is missing")]
    ParameterMissing(&'static str),
    /// The grant type is unknown or not emulated.
    #[error("there is no grant type {0}")]
    GrantUnsupported(String),
    /// A parameter is missing or wrong.
    #[error("{0}")]
    Invalid(String),
    /// The requested resource is not one of the emulated services.
    #[error("there is no resource {0}")]
    ResourceUnknown(String),
    /// A refresh token, authorization code or assertion that is not valid.
    #[error("{0}")]
    GrantInvalid(String),
    /// The person who signed in is in the directory no longer.
    #[error("the person is in the directory no longer")]
    UserUnknown,
    /// The account of the person who signs in is disabled.
    #[error("the account of the person is disabled")]
    UserDisabled,
    /// The managed identity endpoint knows no such identity.
    #[error("there is no such managed identity")]
    IdentityUnknown,
    /// The managed identity endpoint knows several and was told none.
    #[error("there are several managed identities, and none was named")]
    IdentityAmbiguous,
    /// The managed identity endpoint wants the header `Metadata: true`.
    #[error("the header Metadata: true is missing")]
    MetadataHeaderMissing,
    /// The machine has no such metadata.
    #[error("the machine has no such metadata")]
    MetadataUnknown,
    /// `IDENTITY_ENDPOINT` wants the header `X-IDENTITY-HEADER` with the instance's secret.
    #[error("the header X-IDENTITY-HEADER is wrong")]
    IdentityHeaderWrong,
}

/// Why a client gets no token whatever it asks for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// No such application in the tenant.
    #[error("there is no application {client_id} in tenant {tenant}")]
    Unknown {
        /// The application id sent.
        client_id: String,
        /// The tenant asked.
        tenant: String,
    },
    /// The application is there, its service principal is not.
    #[error("application {client_id} has no service principal in tenant {tenant}")]
    PrincipalMissing {
        /// The application id.
        client_id: String,
        /// The tenant asked.
        tenant: String,
    },
    /// The service principal is disabled, or its application is.
    #[error("the principal {name} ({client_id}) is disabled")]
    PrincipalDisabled {
        /// The application id.
        client_id: String,
        name: String,
    },
    /// The application is for personal Microsoft accounts, which are in no tenant.
    #[error("application {name} ({client_id}) is for personal accounts")]
    ConsumersOnly {
        /// The application id.
        client_id: String,
        name: String,
    },
    /// Wrong client secret.
    #[error("the client secret of {client_id} is wrong")]
    SecretWrong {
        /// The application id.
        client_id: String,
    },
    /// The right client secret, too old.
    #[error("the client secret of {client_id} has expired")]
    SecretExpired {
        /// The application id.
        client_id: String,
    },
    /// Neither a secret nor an assertion came with the request.
    #[error("there is neither a secret nor an assertion")]
    CredentialMissing,
}

/// Why a client's assertion proves nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AssertionError {
    /// A client assertion that is no JWT.
    #[error("the client assertion is no JWT")]
    Malformed,
    /// A client assertion whose signature does not hold.
    #[error("the client assertion does not hold: {0}")]
    Invalid(String),
    /// A client assertion signed with a certificate that the application does not have, or has no longer.
    #[error("the certificate {thumbprint} of {client_id} cannot be used. {reason}")]
    Certificate {
        /// The application id.
        client_id: String,
        /// Why: `The key was not found.`, `The key used is expired.`
        reason: &'static str,
        /// The thumbprint that the assertion names.
        thumbprint: String,
    },
    /// A client assertion made for another endpoint.
    #[error("the client assertion is for {0}")]
    Audience(String),
    /// A client assertion whose time is not now.
    #[error("the client assertion is not valid now")]
    Time,
    /// No federated credential of the application fits the assertion. Which claim is the first not to.
    #[error("no federated credential has the assertion's {claim} {value}")]
    Unmatched {
        /// `issuer`, `subject` or `audience`.
        claim: &'static str,
        /// What the assertion says.
        value: String,
    },
    /// The keys of an assertion's issuer cannot be had.
    #[error("the keys of the issuer {0} cannot be had")]
    IssuerUnreachable(String),
}

impl From<ClientError> for Error {
    fn from(inner: ClientError) -> Self {
        SignInError::Client(inner).into()
    }
}

impl From<AssertionError> for Error {
    fn from(inner: AssertionError) -> Self {
        SignInError::Assertion(inner).into()
    }
}

/// Refusals of the directory, as Microsoft Graph meets them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DirectoryError {
    /// No such object.
    #[error("there is no directory object {0}")]
    NotFound(String),
    /// The query uses what the directory does not answer.
    #[error("the query '{0}' is not supported")]
    QueryUnsupported(String),
    /// A query that the directory does not answer, in the words of the answer.
    #[error("{0}")]
    QueryRefused(String),
    /// A query that cannot be read, in the words of the answer.
    #[error("{0}")]
    QueryInvalid(String),
    /// A body sets what objects of the type do not have.
    #[error("there is no property {0}")]
    PropertyUnknown(String),
    /// A body's values are of other types than theirs.
    #[error("the values are of other types")]
    ValuesInvalid,
    /// Asks for the signed-in user, and the caller is an application.
    #[error("the caller is no user")]
    NoUser,
    /// A service principal for an application that is not there.
    #[error("there is no application {0}")]
    ApplicationUnknown(String),
    /// The application has its service principal already.
    #[error("application {0} has a service principal already")]
    ServicePrincipalExists(String),
    /// Another object has this value in this property.
    #[error("another object has this {property}")]
    ValueTaken { property: &'static str },
    /// The reference is there already.
    #[error("the object is in {0} already")]
    ReferenceExists(&'static str),
    /// No password with this id.
    #[error("there is no password {0}")]
    PasswordNotFound(String),
    /// More federated credentials than an application may have.
    #[error("an application has at most 20 federated credentials")]
    TooManyCredentials,
}

impl From<Disabled> for Error {
    fn from(Disabled { client_id, name }: Disabled) -> Self {
        ClientError::PrincipalDisabled { client_id, name }.into()
    }
}
