//! Every way to refuse, as facts without a protocol. Each front end's `dialect` says them in its own words.
//! Must not know: status codes, JSON, which protocol asked.

use crate::domain::access::Caller;
use crate::domain::directory::identity::Disabled;
use crate::domain::vault::kind::ObjectKind;
use crate::domain::world::time::Timestamp;

pub use crate::domain::unavailable::Unavailable;

/// The result of a rule or a verb.
pub type Result<T> = std::result::Result<T, Error>;

/// A refusal. Grouped by who refuses; the groups are matched whole by dialects that never meet them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong, whatever it is about.
    #[error("request: {0:?}")]
    Request(RequestError),
    /// The token is missing or wrong.
    #[error("token: {0:?}")]
    Token(TokenError),
    /// Entra ID gives no token.
    #[error("sign-in: {0}")]
    SignIn(SignInError),
    /// The caller is known but may not.
    #[error("{0}")]
    Access(Box<AccessError>),
    /// Resource management refuses.
    #[error("resource: {0:?}")]
    Resource(ResourceError),
    /// The directory refuses.
    #[error("directory: {0:?}")]
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
    #[error("content: {0:?}")]
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

/// Known callers who may not.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AccessError {
    /// No role gives the control-plane action.
    #[error("{caller} has no role that gives {action} on {scope}")]
    Action {
        caller: Caller,
        /// What, e.g. `Microsoft.KeyVault/vaults/write`.
        action: String,
        scope: String,
    },
    /// No access policy gives the permission.
    #[error("{caller} has no permission '{permission}' for {kind} in the access policies of vault {}", vault.name)]
    Policy {
        caller: Caller,
        /// `keys`, `secrets`, …
        kind: &'static str,
        /// `get`, `wrapKey`, …
        permission: &'static str,
        vault: VaultPlace,
    },
    /// No role gives the data action.
    #[error("{caller} has no role that gives {action} on {resource}")]
    Role {
        caller: Caller,
        action: String,
        /// On what: the resource id, lower-cased.
        resource: String,
        vault: VaultPlace,
    },
    /// The vault's firewall does not know the address.
    #[error("the firewall of vault {} keeps out {caller}", vault.name)]
    Firewall {
        caller: Caller,
        /// `bypass` is `None`.
        bypass_none: bool,
        vault: VaultPlace,
    },
    /// The vault's public network access is off.
    #[error("vault {} has no public network access, which keeps out {caller}", vault.name)]
    PublicNetwork {
        caller: Caller,
        /// `bypass` is `None`.
        bypass_none: bool,
        vault: VaultPlace,
    },
}

/// A vault as refusals name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPlace {
    pub name: String,
    pub location: String,
}

/// Refusals of resource management itself.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceError {
    SubscriptionNotFound(String),
    /// No such resource group.
    GroupNotFound(String),
    /// No such resource.
    NotFound {
        /// `Microsoft.KeyVault/vaults/x`.
        resource: String,
        group: String,
    },
    /// A child resource is missing (the provider's own short text).
    ChildNotFound(String),
    /// A provider that is not emulated or does not exist.
    ProviderNotFound(String),
    /// A resource type that the provider does not have here.
    TypeNotFound {
        /// The provider's namespace.
        namespace: String,
        /// The type below it.
        kind: String,
    },
    /// A name out of grammar.
    NameInvalid {
        name: String,
        /// The resource type.
        kind: String,
    },
    LocationMissing,
    /// The location is no region that has such resources.
    LocationUnavailable {
        /// As sent.
        wanted: String,
        /// The resource type.
        kind: String,
    },
    /// A location cannot be changed.
    LocationFixed {
        name: String,
        existing: String,
        /// Where it was asked to be.
        wanted: String,
    },
    /// An identity to attach does not exist, or identity and type disagree.
    IdentityOperation {
        /// The resource that was to get the identity.
        resource: String,
        /// The inner message.
        message: String,
    },
    /// Same scope, principal and role, other name.
    RoleAssignmentExists {
        /// The existing one's name, a GUID.
        name: String,
    },
    /// The condition of a role assignment cannot be read: why.
    ConditionInvalid(String),
    /// A role assignment cannot be changed in these fields.
    RoleAssignmentFixed,
    /// The principal is not in the directory.
    PrincipalNotFound(String),
    /// The principal is of another type than the role assignment says.
    PrincipalTypeUnmatched {
        principal_id: String,
        is: &'static str,
        given: String,
    },
    /// The role is not known.
    RoleNotFound(String),
    /// A long-running operation that does not exist.
    OperationNotFound(String),
    /// No such deployment.
    DeploymentNotFound(String),
    /// A deployment of that name is under way.
    DeploymentActive {
        name: String,
        began: Timestamp,
    },
    /// A deployment that has ended cannot be cancelled.
    DeploymentEnded {
        name: String,
        /// How it ended.
        state: String,
    },
    /// A template is not valid: the whole message.
    TemplateInvalid(String),
    /// The directory has no such object.
    DirectoryObjectNotFound(String),
}

/// Refusals of vaults as resources.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VaultError {
    /// The host names no vault. On Azure the name would not resolve.
    #[error("there is no vault {0}")]
    Unknown(String),
    /// Out of grammar.
    #[error("{0} is no vault's name")]
    NameInvalid(String),
    /// Taken by a living vault elsewhere.
    #[error("the vault name {0} is taken")]
    NameInUse(String),
    /// Taken by a soft-deleted vault.
    #[error("vault {0} is deleted and can be recovered")]
    SoftDeleted(String),
    /// No such deleted vault.
    #[error("there is no deleted vault {0}")]
    DeletedNotFound(String),
    /// Purge protection forbids it.
    #[error("vault {0} is protected from being purged")]
    PurgeProtected(String),
    /// `enablePurgeProtection: false`.
    #[error("purge protection cannot be switched off")]
    PurgeProtectionIrreversible,
    /// `enableSoftDelete: false`.
    #[error("soft delete cannot be switched off")]
    SoftDeleteIrreversible,
    /// `softDeleteRetentionInDays` is fixed at creation.
    #[error("the days of soft delete cannot be changed")]
    RetentionFixed,
    /// Any other wrong property.
    #[error("{0}")]
    Invalid(String),
}

/// Refusals of keys and secrets.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// No such object or version; as addressed, `name` or `name/version`.
    #[error("there is no {kind} {name}", kind = .0.noun(), name = .1)]
    NotFound(ObjectKind, String),
    /// No such deleted object.
    #[error("there is no deleted {kind} {name}", kind = .0.noun(), name = .1)]
    DeletedNotFound(ObjectKind, String),
    /// The name belongs to a deleted object.
    #[error("{kind} {name} is deleted and can be recovered", kind = .0.noun(), name = .1)]
    DeletedButRecoverable(ObjectKind, String),
    /// The version is disabled.
    #[error("the {kind} version is disabled: {name} is not allowed", kind = .0.noun(), name = .1)]
    Disabled(ObjectKind, &'static str),
    /// The version has expired.
    #[error("the key version has expired: {0} is not allowed")]
    Expired(&'static str),
    /// The version is not valid yet.
    #[error("the key version is not valid yet: {0} is not allowed")]
    NotYetValid(&'static str),
    /// `key_ops` does not name the operation.
    #[error("the key is not for {0}")]
    OperationForbidden(&'static str),
    /// Purge protection forbids it.
    #[error("vault {} is protected from being purged", .0.name)]
    PurgeProtected(VaultPlace),
    /// A parameter is wrong.
    #[error("{0}")]
    BadParameter(String),
    /// Something with that name exists already: the whole message.
    #[error("{0}")]
    Conflict(String),
}

/// Refusals of registries as resources.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RegistryError {
    /// The host names no registry. On Azure the name would not resolve.
    #[error("registry {0}.azurecr.io is not known")]
    Unknown(String),
    /// Out of grammar.
    #[error("{0} is no registry's name")]
    NameInvalid(String),
    /// Taken by another registry.
    #[error("the registry name {0} is taken")]
    NameInUse(String),
    /// SKU Classic.
    #[error("there are no registries of the SKU Classic any more")]
    ClassicSku,
    /// The SKU does not exist or does not have the feature.
    #[error("the SKU {sku} does not have {lacks}")]
    SkuNotSupported {
        sku: String,
        /// What was asked of it, for the log: Azure does not say.
        lacks: String,
    },
    /// Exports are disabled, which goes only without public network access, and lets nothing be imported from it.
    #[error("registry {0} has exports disabled")]
    ExportsDisabled(String),
    /// Encryption is enabled without identity and key identifier.
    #[error("encryption of registry {0} lacks its identity or its key")]
    EncryptionIncomplete(String),
    /// The key cannot be got, wrapped or unwrapped with.
    #[error("key {key} cannot be used by identity {identity}")]
    KeyAccess {
        /// The key identifier.
        key: String,
        /// Client id of the identity, or `system`.
        identity: String,
    },
    /// The identity for encryption is not attached to the registry.
    #[error("identity {identity} is not there, or not attached to registry {registry}")]
    IdentityNotAttached {
        /// The registry's ARM id.
        registry_id: String,
        /// The registry's name.
        registry: String,
        /// The client id, or what was sent in its place.
        identity: String,
    },
    /// The identity for encryption has expired.
    #[error(
        "identity {identity} has expired, since its removal from registry {registry} was tried; it has to be assigned again"
    )]
    IdentityExpired {
        /// The client id, or `system`.
        identity: String,
        /// The registry's name.
        registry: String,
    },
    /// Not an RSA key.
    #[error("key {0} is no RSA key")]
    KeyType(String),
    /// Not a key identifier of a vault.
    #[error("{0} is no key's identifier")]
    KeyIdentifier(String),
    /// Content trust with a customer-managed key.
    #[error("registry {0} cannot have content trust and a customer-managed key")]
    ContentTrust(String),
    /// Encryption can be enabled only while creating.
    #[error("encryption of registry {0} can be enabled only at its creation")]
    EncryptionNotAtCreation(String),
    /// Encryption cannot be disabled.
    #[error("encryption of registry {0} cannot be disabled")]
    EncryptionPermanent(String),
    /// Any other wrong property.
    #[error("{0}")]
    Invalid(String),
    /// Public network access cannot be disabled on this SKU.
    #[error("public network access cannot be disabled on the SKU {0}")]
    PublicNetworkSku(String),
    /// The admin user is disabled: its passwords are not to be had. The registry's ARM id.
    #[error("the admin user of {0} is disabled")]
    AdminDisabled(String),
    /// A cache rule for Docker Hub without a credential set.
    #[error("Docker Hub wants a credential set")]
    DockerWithoutCredentials,
    /// An import would replace a tag and was not told to.
    #[error("{image} is in registry {registry} already")]
    TagExists {
        /// The operation's name.
        operation: String,
        /// The registry's ARM id.
        registry: String,
        /// `repository:tag`.
        image: String,
    },
    /// An import whose source, a registry elsewhere, did not give the image.
    #[error("{place}: {why}")]
    ImportSource {
        /// The operation's name.
        operation: String,
        /// The registry's ARM id.
        registry: String,
        /// What was asked: `docker.io/library/ubuntu`.
        place: String,
        /// Why not.
        why: SourceError,
    },
}

impl RegistryError {
    /// A SKU that does not have what is asked of it.
    #[must_use]
    pub fn lacking(sku: &str, what: &str) -> Self {
        Self::SkuNotSupported { sku: sku.to_owned(), lacks: what.to_owned() }
    }
}

/// Refusals of a registry's content.
#[derive(Debug, Clone, PartialEq)]
pub enum ContentError {
    /// No right to it. The scope is what a token would have to hold.
    Unauthorized {
        /// The registry's login server.
        service: String,
        /// `repository` or `registry`.
        kind: &'static str,
        /// The repository, or `catalog`.
        name: String,
        /// Comma-separated actions; empty for `/v2/`.
        actions: String,
        /// A token was sent, and is not good.
        invalid_token: bool,
    },
    /// A link to a data endpoint that is too old, or for something else.
    LinkInvalid,
    /// The key encryption key cannot be used: all data is blocked.
    KeyForbidden,
    /// The identity that the registry uses its key with has expired.
    IdentityInactive,
    /// Not a repository name.
    NameInvalid(String),
    /// No such repository.
    NameUnknown(String),
    /// No such tag.
    TagUnknown(String),
    /// Not a tag.
    TagInvalid(String),
    /// No such manifest.
    ManifestUnknown(String),
    /// Not a manifest.
    ManifestInvalid(String),
    /// The manifest names a blob or manifest that is not there.
    ManifestBlobUnknown(String),
    /// No such blob.
    BlobUnknown(String),
    /// No such upload session.
    UploadUnknown(String),
    /// The upload is wrong: offset, length.
    UploadInvalid(String),
    /// A chunk does not follow what is there. Bytes received so far.
    RangeWrong {
        /// The upload's path.
        location: String,
        /// Bytes received so far.
        size: u64,
    },
    /// A read range outside of the blob.
    RangeUnsatisfiable {
        /// The blob's size in bytes.
        size: u64,
    },
    /// Not a digest, or not the digest of the bytes.
    DigestInvalid(String),
    /// The body is too large.
    TooLarge,
    /// Locked by attributes or a policy.
    Locked,
    /// The image waits in quarantine, and the caller may not see such.
    Quarantined,
    /// The token is good, and does not go so far.
    Denied,
    /// The registry's own firewall.
    Address(String),
    /// The registry does not have this API.
    Unsupported(String),
    /// Another registry, from which something was to be had, did not give it.
    Source {
        /// Its repository: `docker.io/library/ubuntu`.
        place: String,
        /// The cache rule that led there; `None` for an import.
        rule: Option<String>,
        /// Why not.
        why: SourceError,
    },
}

/// Why another registry did not give what was asked of it.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceError {
    /// It cannot be reached, or broke off.
    Unreachable(String),
    /// It refused. 401 also where it gave no token, or the credential to show it could not be read.
    Refused {
        /// Its status code.
        status: u16,
        body: String,
    },
    /// It sent something else.
    Wrong(String),
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Wrong(why) => f.write_str(why),
            Self::Refused { status, body } => write!(f, "it answered {status} {body}"),
        }
    }
}

macro_rules! group {
    ($($group:ident($inner:ident)),*) => {$(
        impl From<$inner> for Error {
            fn from(inner: $inner) -> Self {
                Self::$group(inner)
            }
        }
    )*};
}

impl From<AccessError> for Error {
    fn from(inner: AccessError) -> Self {
        Self::Access(Box::new(inner))
    }
}

group!(
    Request(RequestError),
    Token(TokenError),
    SignIn(SignInError),
    Resource(ResourceError),
    Directory(DirectoryError),
    Vault(VaultError),
    Key(KeyError),
    Registry(RegistryError),
    Content(ContentError)
);

impl From<Disabled> for Error {
    fn from(Disabled { client_id, name }: Disabled) -> Self {
        SignInError::PrincipalDisabled { client_id, name }.into()
    }
}

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
