//! How resource management says no. Texts and codes: acr.md A.0, A.4; keyvault.md C.7.
//! Must not know: routes.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::wire::{Answer, GATEWAY};
use crate::domain::Error;
use crate::domain::error::{
    AccessError, ContentError, INTERNAL, KeyError, RegistryError, RequestError, ResourceError, SignInError,
    SourceError, TokenError, VaultError,
};
use crate::domain::resources::region;
use crate::domain::resources::template::DEPLOYMENTS;
use crate::domain::resources::template::clipped;
use crate::domain::world::time::DAY;
use crate::domain::world::well_known::TENANT_ID;
use crate::http::faults::words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The container registry provider adds a top-level `"status":"Failed"` [recorded].
    ContainerRegistry,
    /// ARM itself and the others.
    Other,
}

struct Said {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Said by ARM's own front, before the provider saw the call.
    gateway: bool,
}

fn said(status: StatusCode, code: &'static str, message: impl Into<String>) -> Said {
    Said { status, code, message: message.into(), gateway: false }
}

fn gateway(status: StatusCode, code: &'static str, message: impl Into<String>) -> Said {
    Said { gateway: true, ..said(status, code, message) }
}

/// The versions of resource management itself, which its refusals name whatever the call was about.
const API_VERSIONS: &str = "2025-04-01,2025-03-01,2024-11-01,2024-07-01,2024-03-01,2023-07-01,2022-12-01,2022-09-01,2022-06-01,2022-05-01,2022-01-01,2021-04-01,2021-01-01,2020-10-01,2020-06-01,2020-01-01,2019-11-01,2019-08-01,2019-05-01,2018-05-01,2018-02-01,2017-05-10,2016-09-01,2016-06-01,2015-11-01,2015-01-01,2014-04-01,2014-01-01";

pub fn refusal(error: &Error, provider: Provider) -> Answer {
    let said = say(error);
    if error.is_trouble() {
        tracing::error!(%error, "resource management failed");
    }
    let mut body = json!({"error": {"code": said.code, "message": clipped(said.message)}});
    if provider == Provider::ContainerRegistry && !said.gateway {
        body["status"] = json!("Failed");
    }
    let answer = Answer::new(said.status, body);
    match error {
        Error::Token(_) => answer.with("www-authenticate", challenge(error)),
        _ if said.gateway => answer.with(GATEWAY.0, GATEWAY.1.to_owned()),
        _ => answer,
    }
}

#[must_use]
pub fn status(error: &Error) -> StatusCode {
    say(error).status
}

/// Error code and message, for answers that carry them inside (deployments, operations).
#[must_use]
pub fn code_and_message(error: &Error) -> Value {
    let said = say(error);
    json!({"code": said.code, "message": clipped(said.message)})
}

fn challenge(error: &Error) -> String {
    let text = match error {
        Error::Token(TokenError::Missing) => "The authentication failed because of missing 'Authorization' header.",
        _ => "The access token is invalid.",
    };
    format!(
        "Bearer authorization_uri=\"https://login.microsoftonline.com/{TENANT_ID}\", error=\"invalid_token\", error_description=\"{text}\""
    )
}

fn say(error: &Error) -> Said {
    use StatusCode as S;
    match error {
        Error::Request(e) => request(e),
        Error::Token(e) => match e {
            TokenError::Missing => gateway(
                S::UNAUTHORIZED,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            ),
            TokenError::Audience { expected, found } => gateway(
                S::UNAUTHORIZED,
                "InvalidAuthenticationTokenAudience",
                format!(
                    "The access token has been obtained for wrong audience or resource '{found}'. It should exactly match with one of the allowed audiences '{expected}','https://management.core.windows.net/'."
                ),
            ),
            TokenError::Issuer { expected, found } => gateway(
                S::UNAUTHORIZED,
                "InvalidAuthenticationTokenTenant",
                format!(
                    "The access token is from the wrong issuer '{found}'. It must match the tenant '{expected}' associated with this subscription."
                ),
            ),
            TokenError::Expired => {
                gateway(S::UNAUTHORIZED, "ExpiredAuthenticationToken", "The access token expiry time is in the past.")
            }
            TokenError::Malformed(why) => {
                gateway(S::UNAUTHORIZED, "InvalidAuthenticationToken", format!("The access token is invalid: {why}."))
            }
            // [inferred] The code of every bad token, with the words of the challenge beside it.
            TokenError::Revoked => {
                gateway(S::UNAUTHORIZED, "InvalidAuthenticationToken", "The access token is invalid.")
            }
        },
        Error::SignIn(e) => sign_in(e),
        Error::Access(e) => access(e),
        Error::Resource(e) => resource(e),
        Error::Directory(e) => said(S::BAD_REQUEST, "BadRequest", e.to_string()),
        Error::Vault(e) => vault(e),
        Error::Key(e) => key(e),
        Error::Registry(e) => registry(e),
        Error::Content(e) => content(e),
        Error::Unavailable(why) => {
            let (status, code, message) = words(*why);
            said(status, code, message)
        }
        Error::Internal(_) => said(S::INTERNAL_SERVER_ERROR, "InternalServerError", INTERNAL),
    }
}

/// What an import meets in its source or target. How Azure's operations say it is not published.
fn content(error: &ContentError) -> Said {
    use StatusCode as S;
    match error {
        ContentError::KeyForbidden => said(
            S::FORBIDDEN,
            "Forbidden",
            "Access to Key Encryption Key is forbidden. View troubleshooting steps at https://aka.ms/acr/cmk",
        ),
        ContentError::IdentityInactive => said(
            S::FORBIDDEN,
            "Forbidden",
            "The identity associated with the registry is inactive. This could be due to attempted removal of the identity. Reassign the identity manually",
        ),
        ContentError::Unauthorized { service, name, .. } => {
            said(S::UNAUTHORIZED, "Unauthorized", format!("Authentication to {service} is required to pull {name}."))
        }
        ContentError::Locked => said(
            S::BAD_REQUEST,
            "BadRequest",
            "The operation is disallowed on this registry, repository or image: it is locked, or filled by a cache rule.",
        ),
        ContentError::ManifestUnknown(text) | ContentError::TagUnknown(text) | ContentError::NameUnknown(text) => {
            said(S::NOT_FOUND, "NotFound", format!("The source image could not be found: {text}."))
        }
        other => said(S::BAD_REQUEST, "BadRequest", Error::from(other.clone()).to_string()),
    }
}

fn request(error: &RequestError) -> Said {
    use StatusCode as S;
    match error {
        RequestError::RouteUnknown(path) => gateway(
            S::NOT_FOUND,
            "InvalidResourceType",
            format!("No HTTP resource was found that matches the request URI '{path}'."),
        ),
        RequestError::MethodNotAllowed { method, path } => gateway(
            S::METHOD_NOT_ALLOWED,
            "HttpMethodNotSupported",
            format!("The http method '{method}' is not supported for the resource '{path}'."),
        ),
        RequestError::Malformed(why) => gateway(
            S::BAD_REQUEST,
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{why}'."),
        ),
        RequestError::InvalidValue { property, message } => {
            said(S::BAD_REQUEST, "InvalidRequestContent", format!("The value of '{property}' is not valid: {message}"))
        }
        RequestError::TooLarge { limit } => gateway(
            S::PAYLOAD_TOO_LARGE,
            "RequestContentTooLarge",
            format!("The request content size exceeds the maximum size of {} MB.", limit / (1024 * 1024)), // [issue]
        ),
        RequestError::CutOff => {
            gateway(S::BAD_REQUEST, "InvalidRequestContent", "The request content ended before its announced length.")
        }
        RequestError::ApiVersionMissing => gateway(
            S::BAD_REQUEST,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ),
        RequestError::ApiVersionInvalid(version) => gateway(
            S::BAD_REQUEST,
            "InvalidApiVersionParameter",
            format!("The api-version '{version}' is invalid. The supported versions are '{API_VERSIONS}'."),
        ),
        RequestError::NotEmulated(what) => {
            tracing::warn!(%what, "not emulated");
            said(
                S::NOT_IMPLEMENTED,
                "NotImplemented",
                format!("{what} is not emulated. See the table of limits in Acrite's README."),
            )
        }
    }
}

fn sign_in(error: &SignInError) -> Said {
    gateway(StatusCode::BAD_REQUEST, "BadRequest", error.to_string())
}

fn access(error: &AccessError) -> Said {
    match error {
        AccessError::Action { caller, action, scope } => gateway(
            StatusCode::FORBIDDEN,
            "AuthorizationFailed",
            format!(
                "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
                caller.app_id, caller.object_id
            ),
        ),
        AccessError::Policy { .. } | AccessError::Role { .. } => {
            said(StatusCode::FORBIDDEN, "Forbidden", error.to_string())
        }
        AccessError::Firewall { .. } | AccessError::PublicNetwork { .. } => {
            said(StatusCode::FORBIDDEN, "Forbidden", "Client address is not authorized.")
        }
    }
}

fn resource(error: &ResourceError) -> Said {
    use StatusCode as S;
    match error {
        ResourceError::SubscriptionNotFound(id) => {
            gateway(S::NOT_FOUND, "SubscriptionNotFound", format!("The subscription '{id}' could not be found."))
        }
        ResourceError::GroupNotFound(group) => {
            gateway(S::NOT_FOUND, "ResourceGroupNotFound", format!("Resource group '{group}' could not be found."))
        }
        ResourceError::NotFound { resource, group } => gateway(
            S::NOT_FOUND,
            "ResourceNotFound",
            format!(
                "The Resource '{resource}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        ),
        ResourceError::ChildNotFound(name) => {
            said(S::NOT_FOUND, "ResourceNotFound", format!("The resource {name} could not be found."))
        }
        ResourceError::ProviderNotFound(namespace) => gateway(
            S::NOT_FOUND,
            "InvalidResourceNamespace",
            format!("The resource namespace '{namespace}' is invalid. See the table of limits in Acrite's README."),
        ),
        ResourceError::TypeNotFound { namespace, kind } => gateway(
            S::NOT_FOUND,
            "InvalidResourceType",
            format!(
                "The resource type '{kind}' could not be found in the namespace '{namespace}' for the api-version given. See the table of limits in Acrite's README."
            ),
        ),
        ResourceError::NameInvalid { name, kind } => gateway(
            S::BAD_REQUEST,
            "InvalidResourceName",
            format!("The resource name '{name}' of type '{kind}' is not valid."),
        ),
        ResourceError::LocationMissing => {
            gateway(S::BAD_REQUEST, "LocationRequired", "The location property is required for this definition.")
        }
        ResourceError::LocationUnavailable { wanted, kind } => {
            let (code, what) = match kind.as_str() {
                region::GROUPS => ("LocationNotAvailableForResourceGroup", "resource group".to_owned()),
                DEPLOYMENTS => ("LocationNotAvailableForDeployment", "deployment".to_owned()),
                _ => ("LocationNotAvailableForResourceType", format!("resource type '{kind}'")),
            };
            let whose = if what.starts_with("resource type") { " for the resource type" } else { "" };
            gateway(
                S::BAD_REQUEST,
                code,
                format!(
                    "The provided location '{wanted}' is not available for {what}. List of available regions{whose} is '{}'.",
                    region::names()
                ),
            )
        }
        ResourceError::LocationFixed { name, existing, wanted } => gateway(
            S::CONFLICT,
            "InvalidResourceLocation",
            format!(
                "The resource '{name}' already exists in location '{existing}'. A resource with the same name cannot be created in location '{wanted}'. Please select a new resource name."
            ),
        ),
        ResourceError::IdentityOperation { resource, message } => gateway(
            S::BAD_REQUEST,
            "FailedIdentityOperation",
            format!(
                "Identity operation for resource '{resource}' failed with error 'Failed to perform resource identity operation. Status: 'BadRequest'. Response: '{{\"error\":{{\"code\":\"BadRequest\",\"message\":\"{message}\"}}}}'.'."
            ),
        ),
        ResourceError::RoleAssignmentExists { name } => said(
            S::CONFLICT,
            "RoleAssignmentExists",
            format!(
                "The role assignment already exists. The ID of the existing role assignment is {}.",
                name.replace('-', "")
            ),
        ),
        ResourceError::RoleAssignmentFixed => said(
            S::CONFLICT,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        ),
        // The message is Azure's [docs: conditions-troubleshoot], the code is a guess [inferred].
        ResourceError::ConditionInvalid(why) => {
            tracing::warn!(%why, "the condition of a role assignment was refused");
            said(S::BAD_REQUEST, "InvalidRoleAssignmentCondition", "The given role assignment condition is invalid.")
        }
        // The misspelt word is Azure's [issue].
        ResourceError::PrincipalTypeUnmatched { principal_id, is, given } => said(
            S::BAD_REQUEST,
            "UnmatchedPrincipalType",
            format!(
                "The PrincipalId '{}' has type '{is}' , which is different from specified PrinciaplType '{given}'.",
                principal_id.replace('-', "")
            ),
        ),
        ResourceError::PrincipalNotFound(id) => said(
            S::BAD_REQUEST,
            "PrincipalNotFound",
            format!(
                "Principal {} does not exist in the directory {TENANT_ID}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
                id.replace('-', "")
            ),
        ),
        ResourceError::RoleNotFound(id) => said(
            S::NOT_FOUND,
            "RoleDefinitionDoesNotExist",
            format!("The specified role definition with ID '{}' does not exist.", id.replace('-', "")),
        ),
        ResourceError::OperationNotFound(name) => {
            said(S::NOT_FOUND, "ResourceNotFound", format!("The operation {name} could not be found."))
        }
        ResourceError::DeploymentNotFound(name) => {
            gateway(S::NOT_FOUND, "DeploymentNotFound", format!("Deployment '{name}' could not be found."))
        }
        // [issue: code and text]
        ResourceError::DeploymentActive { name, began } => gateway(
            S::CONFLICT,
            "DeploymentActive",
            format!(
                "Unable to edit or replace deployment '{name}': previous deployment from '{}' is still active (expiration time is '{}'). Please see https://aka.ms/arm-deploy for usage details.",
                began.american(),
                began.plus(7 * DAY).american(),
            ),
        ),
        ResourceError::DeploymentEnded { name, state } => gateway(
            S::CONFLICT,
            "DeploymentCannotBeCancelled",
            format!(
                "The deployment '{name}' cannot be cancelled. The provisioning state of the deployment is '{state}'."
            ),
        ),
        ResourceError::TemplateInvalid(message) => gateway(S::BAD_REQUEST, "InvalidTemplate", message.clone()),
        ResourceError::DirectoryObjectNotFound(id) => {
            said(S::NOT_FOUND, "NotFound", format!("The object '{id}' could not be found."))
        }
    }
}

fn vault(error: &VaultError) -> Said {
    use StatusCode as S;
    match error {
        VaultError::Unknown(name) => said(S::NOT_FOUND, "VaultNotFound", format!("The vault '{name}' does not exist.")),
        VaultError::NameInvalid(_) => said(S::BAD_REQUEST, "VaultNameNotValid", error.to_string()),
        VaultError::NameInUse(_) => said(S::CONFLICT, "VaultAlreadyExists", error.to_string()),
        VaultError::SoftDeleted(_) => said(
            S::CONFLICT,
            "ConflictError",
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.",
        ),
        VaultError::DeletedNotFound(name) => {
            said(S::NOT_FOUND, "DeletedVaultNotFound", format!("The specified deleted vault '{name}' does not exist."))
        }
        VaultError::PurgeProtected(name) => said(
            S::BAD_REQUEST,
            "MethodNotAllowed",
            format!(
                "Operation 'DeletedVaultPurge' is not allowed: purge protection is enabled for the vault '{name}'."
            ),
        ),
        VaultError::PurgeProtectionIrreversible => said(
            S::BAD_REQUEST,
            "BadRequest",
            "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.",
        ),
        VaultError::SoftDeleteIrreversible => said(
            S::BAD_REQUEST,
            "BadRequest",
            "The property \"enableSoftDelete\" can be set to false only for creating new vault. Enabling the 'soft delete' functionality is an irreversible action.",
        ),
        VaultError::RetentionFixed => said(
            S::BAD_REQUEST,
            "BadRequest",
            "The property \"softDeleteRetentionInDays\" has been set already and it can't be modified.",
        ),
        VaultError::Invalid(message) => said(S::BAD_REQUEST, "BadRequest", message.clone()),
    }
}

fn key(error: &KeyError) -> Said {
    match error {
        KeyError::NotFound(kind, name) | KeyError::DeletedNotFound(kind, name) => {
            said(StatusCode::NOT_FOUND, kind.missing(), format!("The {} '{name}' was not found.", kind.noun()))
        }
        KeyError::BadParameter(message) => said(StatusCode::BAD_REQUEST, "BadParameter", message.clone()),
        KeyError::DeletedButRecoverable(..) | KeyError::Conflict(_) => {
            said(StatusCode::CONFLICT, "Conflict", error.to_string())
        }
        // Uses of keys go by the data plane alone.
        KeyError::Disabled(..)
        | KeyError::Expired(_)
        | KeyError::NotYetValid(_)
        | KeyError::OperationForbidden(_)
        | KeyError::PurgeProtected(_) => said(StatusCode::FORBIDDEN, "Forbidden", error.to_string()),
    }
}

const CMK_HELP: &str = "For more information on customer-managed keys, please visit 'https://aka.ms/acr/cmk'.";
const BYOK_HELP: &str = "For more information on bring your own key, please visit 'https://aka.ms/acr/cmk'.";

fn bad(message: String) -> Said {
    said(StatusCode::BAD_REQUEST, "BadRequest", message)
}

fn registry(error: &RegistryError) -> Said {
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
        RegistryError::EncryptionIncomplete(name) => bad(format!(
            "Invalid encryption key vault property specified for registry {name}. Property Identity and KeyIdentifier must be set when encryption is enabled. {CMK_HELP}"
        )),
        RegistryError::KeyAccess { key, identity } => bad(format!(
            "Failed to access KeyId '{key}'. Verify that identity '{identity}' has 'Get, Wrap Key, Unwrap Key' permission on key '{key}'. {BYOK_HELP}"
        )),
        RegistryError::IdentityNotAttached { registry_id, registry, identity } => bad(format!(
            "Azure resource '{registry_id}' does not have access to identity '{identity}' Try forcibly adding the identity to the registry {registry}. {BYOK_HELP}"
        )),
        // Not met: a key is not rotated before the identity is assigned again.
        RegistryError::IdentityExpired { .. } => content(&ContentError::IdentityInactive),
        // The texts of the next four are not published; ours name what the article says.
        RegistryError::KeyType(key) => bad(format!(
            "The key '{key}' is not supported. Only RSA or RSA-HSM keys can be used to encrypt a registry. {CMK_HELP}"
        )),
        RegistryError::KeyIdentifier(key) => bad(format!(
            "Invalid KeyIdentifier '{key}'. It must have the form 'https://<vault>.vault.azure.net/keys/<key>' with or without a version. {CMK_HELP}"
        )),
        RegistryError::EncryptionNotAtCreation(name) => bad(format!(
            "Encryption with a customer-managed key can be enabled only while creating a registry. Registry {name} exists already. {CMK_HELP}"
        )),
        RegistryError::EncryptionPermanent(name) => bad(format!(
            "Encryption with a customer-managed key can't be disabled once it is enabled for registry {name}. {CMK_HELP}"
        )),
        RegistryError::ContentTrust(name) => said(
            S::BAD_REQUEST,
            "BlockedForEncryptionEnabledRegistry",
            format!(
                "this feature 'ContenTrust' is currently not supported when encryption is enable for the resource {name}. {CMK_HELP}"
            ),
        ),
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
            let why = match why {
                SourceError::Refused { status, body } => {
                    let words = S::from_u16(*status).ok().and_then(|s| s.canonical_reason()).unwrap_or_default();
                    format!("Invalid message {} {words} {body}", words.replace([' ', '-'], ""))
                }
                SourceError::Unreachable(why) => format!("The source {place} could not be reached: {why}"),
                SourceError::Wrong(why) => format!("Error copying blobs from {place}: {why}"),
            };
            said(
                S::BAD_REQUEST,
                "InvalidParameters",
                format!("Operation {operation} failed. Resource {registry} {why}"),
            )
        }
        RegistryError::Invalid(message) => said(S::BAD_REQUEST, "BadRequest", message.clone()),
    }
}
