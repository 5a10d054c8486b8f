//! How the provider of registries says no.
//! Must not know: routes.

use axum::http::StatusCode;

use super::{Said, content, said};
use crate::domain::error::{ContentError, EncryptionError, RegistryError, SourceError};

const CMK_HELP: &str = "For more information on customer-managed keys, please visit 'https://aka.ms/acr/cmk'.";
const BYOK_HELP: &str = "For more information on bring your own key, please visit 'https://aka.ms/acr/cmk'.";

fn bad(message: String) -> Said {
    said(StatusCode::BAD_REQUEST, "BadRequest", message)
}

pub(super) fn say(error: &RegistryError) -> Said {
    use StatusCode as S;
    match error {
        RegistryError::Unknown(name) => {
            said(S::NOT_FOUND, "ResourceNotFound", format!("The resource {name} could not be found."))
        }
        RegistryError::NameInvalid(name) => said(
            S::BAD_REQUEST,
            "InvalidResourceName",
            format!(
                "The registry name '{name}' is not valid. Registry names may contain only alpha numeric characters and must be between 5 and 50 characters."
            ),
        ),
        RegistryError::NameInUse(name) => said(
            S::CONFLICT,
            "AlreadyInUse",
            format!(
                "The registry DNS name {}.azurecr.io is already in use. You can check if the name is already claimed using following API: https://docs.microsoft.com/en-us/rest/api/containerregistry/registries/checknameavailability",
                name.to_ascii_lowercase()
            ),
        ),
        RegistryError::NotInRegion(name) => {
            said(S::NOT_FOUND, "RegistryResourceNotFound", format!("The registry resource {name} could not be found."))
        }
        RegistryError::ImportValue { value, property, registry } => bad(format!(
            "Invalid value {value} for property parameters.{property} for resource name {registry}. Kindly refer to the docs: https://aka.ms/acr/import"
        )),
        RegistryError::ClassicSku => said(
            S::BAD_REQUEST,
            "ClassicSkuDeprecated",
            "Classic SKU is now deprecated. Please select a managed SKU. Kindly refer to docs for instructions: https://docs.microsoft.com/en-us/azure/container-registry/container-registry-upgrade",
        ),
        RegistryError::SkuNotSupported { sku, .. } => {
            tracing::info!("refused: {}", error);
            said(S::BAD_REQUEST, "SkuNotSupported", format!("The SKU {sku} is not supported."))
        }
        // [issue] for enabling the network; that disabling exports is refused in the same words is [inferred].
        RegistryError::ExportsDisabled(name) => bad(format!(
            "Enabling public network access is not supported because the registry '{name}' has exports disabled."
        )),
        RegistryError::Encryption(error) => encryption(error),
        RegistryError::PublicNetworkSku(sku) => said(
            S::BAD_REQUEST,
            "DisablingPublicNetworkAccessNotSupported",
            format!(
                "Disabling public network access is not supported for the SKU {sku}. For more information, please visit https://aka.ms/acr/private-link."
            ),
        ),
        // From users' reports of the error.
        RegistryError::AdminDisabled(id) => said(
            S::BAD_REQUEST,
            "UnAuthorizedForCredentialOperations",
            format!(
                "Cannot perform credential operations for {id} as admin user is disabled. Kindly enable admin user as per docs: https://docs.microsoft.com/en-us/azure/container-registry/container-registry-authentication#admin-account"
            ),
        ),
        // [issue]
        RegistryError::DockerWithoutCredentials => said(
            S::BAD_REQUEST,
            "EnforceDockerAuthentication",
            "Cannot create cache rule pointing to Docker Hub without credentials. Please add a credential set to cache rule. Learn more: https://aka.ms/acr/cache-auth",
        ),
        RegistryError::TagExists { operation, registry, image } => said(
            S::CONFLICT,
            "Conflict",
            format!("Operation {operation} failed. Resource {registry} Tag {image} already exists in target registry."),
        ),
        // The code and the texts of refusals by users' reports; of the rest [inferred].
        RegistryError::ImportSource { operation, registry, place, why } => {
            let why = source(place, why);
            said(
                S::BAD_REQUEST,
                "InvalidParameters",
                format!("Operation {operation} failed. Resource {registry} {why}"),
            )
        }
        RegistryError::Invalid(message) => said(S::BAD_REQUEST, "BadRequest", message.clone()),
    }
}

/// What is said of a source that did not give an image.
fn source(place: &str, why: &SourceError) -> String {
    match why {
        SourceError::Refused { status, body } => {
            let words = StatusCode::from_u16(*status).ok().and_then(|s| s.canonical_reason()).unwrap_or_default();
            format!("Invalid message {} {words} {body}", words.replace([' ', '-'], ""))
        }
        SourceError::Unreachable(why) => format!("The source {place} could not be reached: {why}"),
        SourceError::Wrong(why) => format!("Error copying blobs from {place}: {why}"),
    }
}

fn encryption(error: &EncryptionError) -> Said {
    match error {
        EncryptionError::Incomplete(name) => bad(format!(
            "Invalid encryption key vault property specified for registry {name}. Property Identity and KeyIdentifier must be set when encryption is enabled. {CMK_HELP}"
        )),
        EncryptionError::KeyAccess { key, identity } => bad(format!(
            "Failed to access KeyId '{key}'. Verify that identity '{identity}' has 'Get, Wrap Key, Unwrap Key' permission on key '{key}'. {BYOK_HELP}"
        )),
        EncryptionError::IdentityNotAttached { registry_id, registry, identity } => bad(format!(
            "Azure resource '{registry_id}' does not have access to identity '{identity}' Try forcibly adding the identity to the registry {registry}. {BYOK_HELP}"
        )),
        // Not met: a key is not rotated before the identity is assigned again.
        EncryptionError::IdentityExpired { .. } => content(&ContentError::IdentityInactive),
        // The texts of the next four are not published; ours name what the article says.
        EncryptionError::KeyType(key) => bad(format!(
            "The key '{key}' is not supported. Only RSA or RSA-HSM keys can be used to encrypt a registry. {CMK_HELP}"
        )),
        EncryptionError::KeyIdentifier(key) => bad(format!(
            "Invalid KeyIdentifier '{key}'. It must have the form 'https://<vault>.vault.azure.net/keys/<key>' with or without a version. {CMK_HELP}"
        )),
        EncryptionError::NotAtCreation(name) => bad(format!(
            "Encryption with a customer-managed key can be enabled only while creating a registry. Registry {name} exists already. {CMK_HELP}"
        )),
        EncryptionError::Permanent(name) => bad(format!(
            "Encryption with a customer-managed key can't be disabled once it is enabled for registry {name}. {CMK_HELP}"
        )),
        EncryptionError::ContentTrust(name) => said(
            StatusCode::BAD_REQUEST,
            "BlockedForEncryptionEnabledRegistry",
            format!(
                "this feature 'ContenTrust' is currently not supported when encryption is enable for the resource {name}. {CMK_HELP}"
            ),
        ),
    }
}
