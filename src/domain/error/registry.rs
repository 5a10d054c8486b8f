//! Refusals of registries and of what lies in them.
//! Must not know: status codes, JSON, which protocol asked.

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
    /// A region in which the registry has no replica.
    #[error("the registry {0} is not in that region")]
    NotInRegion(String),
    /// A value of an import that says nothing.
    #[error("'{value}' is no value for {property}")]
    ImportValue { value: String, property: &'static str, registry: String },
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
    /// Encryption with a customer-managed key.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
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

/// Refusals of a registry's encryption with a customer-managed key.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EncryptionError {
    /// Encryption is enabled without identity and key identifier.
    #[error("encryption of registry {0} lacks its identity or its key")]
    Incomplete(String),
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
    NotAtCreation(String),
    /// Encryption cannot be disabled.
    #[error("encryption of registry {0} cannot be disabled")]
    Permanent(String),
}

impl RegistryError {
    /// A SKU that does not have what is asked of it.
    #[must_use]
    pub fn lacking(sku: &str, what: &str) -> Self {
        Self::SkuNotSupported { sku: sku.to_owned(), lacks: what.to_owned() }
    }

    /// Soft delete on a registry that has children with which it does not go. The text is ours.
    #[must_use]
    pub fn no_soft_delete_with(registry: &str, children: &str) -> Self {
        Self::Invalid(format!(
            "The soft delete policy is not supported for registry {registry} with {children}. For more information, please visit https://aka.ms/acr/soft-delete"
        ))
    }
}

/// Refusals of a registry's content.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ContentError {
    /// No right to it. The scope is what a token would have to hold.
    #[error("{name}: authentication is required")]
    Unauthorized {
        /// The registry's login server.
        service: String,
        /// `repository` or `registry`.
        kind: &'static str,
        /// The repository, or `catalog`.
        name: String,
        /// Comma-separated actions; empty for `/v2/`.
        actions: String,
        /// What is wrong with the token that was shown, in RFC 6750's words.
        fault: Option<&'static str>,
    },
    /// A part of an upload says where it belongs and not how long it is.
    #[error("a part of an upload has no length")]
    LengthMissing,
    /// A link to a data endpoint that is too old, or for something else.
    #[error("the link is too old, or for something else")]
    LinkInvalid,
    /// The key encryption key cannot be used: all data is blocked.
    #[error("the key encryption key cannot be used")]
    KeyForbidden,
    /// The identity that the registry uses its key with has expired.
    #[error("the identity that the key is used with has expired")]
    IdentityInactive,
    /// Not a repository name.
    #[error("'{0}' is no repository name")]
    NameInvalid(String),
    /// No such repository.
    #[error("there is no repository '{0}'")]
    NameUnknown(String),
    /// No such tag.
    #[error("there is no tag '{0}'")]
    TagUnknown(String),
    /// Not a tag.
    #[error("'{0}' is no tag")]
    TagInvalid(String),
    /// No such manifest.
    #[error("{0}")]
    ManifestUnknown(String),
    /// Not a manifest.
    #[error("the manifest is not valid: {0}")]
    ManifestInvalid(String),
    /// The manifest names a blob or manifest that is not there.
    #[error("the manifest names '{0}', which is not there")]
    ManifestBlobUnknown(String),
    /// No such blob.
    #[error("there is no blob '{0}'")]
    BlobUnknown(String),
    /// No such upload session.
    #[error("there is no upload '{0}'")]
    UploadUnknown(String),
    /// The upload is wrong: offset, length.
    #[error("the upload is not valid: {0}")]
    UploadInvalid(String),
    /// A chunk does not follow what is there. Bytes received so far.
    #[error("the chunk does not follow the {size} bytes that are there")]
    RangeWrong {
        /// The upload's path.
        location: String,
        /// Bytes received so far.
        size: u64,
    },
    /// A read range outside of the blob.
    #[error("the range lies outside of the {size} bytes that are there")]
    RangeUnsatisfiable {
        /// The blob's size in bytes.
        size: u64,
    },
    /// Not a digest, or not the digest of the bytes.
    #[error("'{0}' is no digest, or not that of the bytes")]
    DigestInvalid(String),
    /// The body is too large.
    #[error("the body is too large")]
    TooLarge,
    /// Locked by attributes or a policy.
    #[error("it is locked")]
    Locked,
    /// The image waits in quarantine, and the caller may not see such.
    #[error("the image is in quarantine")]
    Quarantined,
    /// The token is good, and does not go so far.
    #[error("access is denied")]
    Denied,
    /// The registry's own firewall.
    #[error("the address {0} is not allowed")]
    Address(String),
    /// The registry does not have this API.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// Another registry, from which something was to be had, did not give it.
    #[error("{place}: {why}")]
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
