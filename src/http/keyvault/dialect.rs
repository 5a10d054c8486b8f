//! How refusals are said in Key Vault's dialect: `{"error":{"code","message"[,"innererror"]}}`, with the exact
//! texts of keyvault.md A.8 and data/keyvault/errors.json.
//! Must not know: where a refusal came from.

// A new way to refuse does not compile until it has its words here.
#![deny(clippy::wildcard_enum_match_arm)]

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::api::LATEST;
use crate::domain::Error;
use crate::domain::access::Caller;
use crate::domain::directory::identity::PrincipalKind;
use crate::domain::error::{
    AccessError, INTERNAL, KeyError, RequestError, TokenError, Unavailable, VaultError, VaultPlace,
};
use crate::domain::vault::kind::ObjectKind;
use crate::domain::world::well_known::TENANT_ID;
use crate::http::faults::words;

/// A refusal, said.
pub struct Said {
    pub status: StatusCode,
    code: &'static str,
    inner: Option<&'static str>,
    message: String,
}

impl Said {
    /// What is said in words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The code, or the one within it.
    pub fn code(&self) -> &'static str {
        self.inner.unwrap_or(self.code)
    }

    /// The error envelope. `innererror` is all lower case [recorded].
    pub fn body(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(inner) = self.inner {
            error["innererror"] = json!({"code": inner});
        }
        json!({"error": error})
    }
}

/// The resource of tokens for vaults, as seen on a port. Python and Go compare host and port of the challenge
/// with those of the request, so another port must stand in it.
pub fn resource(port: u16) -> String {
    match port {
        443 => "https://vault.azure.net".to_owned(),
        port => format!("https://vault.azure.net:{port}"),
    }
}

/// `WWW-Authenticate` [recorded]. Nothing may follow the tenant: JavaScript takes the whole path for it.
pub fn challenge(port: u16) -> String {
    format!("Bearer authorization=\"https://login.microsoftonline.com/{TENANT_ID}\", resource=\"{}\"", resource(port))
}

/// Says a refusal.
pub fn say(error: &Error) -> Said {
    match error {
        Error::Request(e) => request(e),
        Error::Token(e) => token(e),
        Error::Access(e) => access(e),
        Error::Vault(e) => vault(e),
        Error::Key(e) => key(e),
        Error::Unavailable(why) => unavailable(*why),
        // No verb of this front end gives the others.
        Error::SignIn(_)
        | Error::Directory(_)
        | Error::Resource(_)
        | Error::Neighbour(_)
        | Error::Registry(_)
        | Error::Content(_)
        | Error::Internal(_) => said(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", None, INTERNAL),
    }
}

fn said(status: StatusCode, code: &'static str, inner: Option<&'static str>, message: impl Into<String>) -> Said {
    Said { status, code, inner, message: message.into() }
}

/// [issue] for throttling; the other codes are inferred: Key Vault's reference names only the status.
fn unavailable(why: Unavailable) -> Said {
    if why == Unavailable::Fault(429) {
        let message =
            "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached";
        return said(StatusCode::TOO_MANY_REQUESTS, "Throttled", None, message);
    }
    let (status, code, message) = words(why);
    said(status, code, None, message)
}

fn bad(message: impl Into<String>) -> Said {
    said(StatusCode::BAD_REQUEST, "BadParameter", None, message)
}

fn forbidden(inner: &'static str, message: impl Into<String>) -> Said {
    said(StatusCode::FORBIDDEN, "Forbidden", Some(inner), message)
}

/// Of these only `Property  has invalid value` is known; the rest are our own words (keyvault.md H.4).
fn request(error: &RequestError) -> Said {
    match error {
        RequestError::RouteUnknown(path) => {
            said(StatusCode::NOT_FOUND, "NotFound", None, format!("The path '{path}' is not known to Key Vault."))
        }
        RequestError::MethodNotAllowed { method, path } => said(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            None,
            format!("Method {method} is not allowed on the path '{path}'."),
        ),
        RequestError::Malformed(_) | RequestError::CutOff => bad("Property  has invalid value\r\n"),
        RequestError::InvalidValue { property, message } if message.is_empty() => {
            bad(format!("Property {property} has invalid value\r\n"))
        }
        RequestError::InvalidValue { property, message } => {
            bad(format!("Property {property} has invalid value: {message}\r\n"))
        }
        RequestError::TooLarge { limit } => said(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BadParameter",
            None,
            format!("The request body is larger than {limit} bytes."),
        ),
        RequestError::ApiVersionMissing => bad("The api-version query parameter is required."),
        // [recorded]
        RequestError::ApiVersionInvalid(sent) => bad(format!(
            "The specified version ({}) is not recognized. Consider using the latest supported version ({LATEST}).",
            sent.chars().take(100).collect::<String>()
        )),
        RequestError::NotEmulated(what) => said(
            StatusCode::BAD_REQUEST,
            "NotSupported",
            None,
            format!("{what} is not supported by this vault: Acrite does not emulate it."),
        ),
    }
}

fn token(error: &TokenError) -> Said {
    let message = match error {
        TokenError::Missing => "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
        TokenError::Audience { expected, found } => {
            format!("AKV10022: Invalid audience. Expected {expected}, found: {found}.")
        }
        TokenError::Issuer { expected, found } => {
            format!("AKV10032: Invalid issuer. Expected one of {expected}, found {found}.")
        }
        TokenError::Expired => "[TokenExpired] Error validating token: 'S2S12086'.".to_owned(),
        TokenError::Malformed(why) => format!("[BearerReadAccessTokenFailed] Error validating token: {why}"),
        // [inferred] The code of every token that is not let in.
        TokenError::Revoked => {
            "[BearerReadAccessTokenFailed] Error validating token: its principal is disabled or not in the directory"
                .to_owned()
        }
    };
    said(StatusCode::UNAUTHORIZED, "Unauthorized", None, message)
}

/// `appid=…;oid=…;iss=…`, with what refusals put between.
fn who(caller: &Caller, between: &str) -> String {
    let Caller { app_id, object_id, tenant, .. } = caller;
    format!("appid={app_id};oid={object_id};{between}iss=https://sts.windows.net/{tenant}/")
}

/// Managed identities are named by their ARM id too [issue].
fn mirid(caller: &Caller) -> String {
    match (&caller.resource_id, caller.kind) {
        (Some(id), PrincipalKind::ManagedIdentity) => format!(";xms_mirid={id}"),
        _ => String::new(),
    }
}

fn place(vault: &VaultPlace) -> String {
    format!("{};location={}", vault.name, vault.location)
}

fn access(error: &AccessError) -> Said {
    match error {
        AccessError::Policy { caller, kind, permission, vault } => {
            // Callers in groups are said to be; plain service principals are not [audit log, issue].
            let groups = match caller.groups.len() {
                0 => String::new(),
                n => format!("numgroups={n};"),
            };
            forbidden(
                "ForbiddenByPolicy",
                format!(
                    "The user, group or application '{}' does not have {kind} {permission} permission on key vault '{}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                    who(caller, &groups),
                    place(vault)
                ),
            )
        }
        AccessError::Role { caller, action, resource, vault } => forbidden(
            "ForbiddenByRbac",
            format!(
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: {}\r\nAction: '{action}'\r\nResource: '{resource}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {}\r\n",
                who(caller, ""),
                place(vault)
            ),
        ),
        AccessError::Firewall { caller, bypass_none: false, vault } => forbidden(
            "ForbiddenByFirewall",
            format!(
                "Client address is not authorized and caller is not a trusted service.\r\nClient address: {}\r\nCaller: {}{}\r\nVault: {}",
                caller.address,
                who(caller, ""),
                mirid(caller),
                place(vault)
            ),
        ),
        AccessError::Firewall { caller, bypass_none: true, vault } => forbidden(
            "ForbiddenByFirewall",
            format!(
                "Client address is not authorized and caller was ignored because bypass is set to None\r\nClient address: {}\r\nCaller: appid={};oid={}\r\nVault: {}",
                caller.address,
                caller.app_id,
                caller.object_id,
                place(vault)
            ),
        ),
        AccessError::PublicNetwork { caller: _, bypass_none: false, vault: _ } => forbidden(
            "ForbiddenByConnection",
            "Public network access is disabled and request is not from a trusted service nor via an approved private link.",
        ),
        AccessError::PublicNetwork { caller: _, bypass_none: true, vault } => forbidden(
            "ForbiddenByConnection",
            format!(
                "Connection is not an approved private link and caller was ignored because bypass is not set to 'AzureServices' and PublicNetworkAccess is set to 'Disabled'. Vault: {}",
                place(vault)
            ),
        ),
        // Of resource management; no verb of this front end asks for it.
        AccessError::Action { caller, action, scope } => forbidden(
            "ForbiddenByRbac",
            format!("Caller {} is not authorized to perform {action} over {scope}.", who(caller, "")),
        ),
    }
}

fn vault(error: &VaultError) -> Said {
    match error {
        VaultError::Unknown(name) => said(
            StatusCode::NOT_FOUND,
            "VaultNotFound",
            None,
            format!(
                "There is no vault '{name}' here, or it is deleted. On Azure the name {name}.vault.azure.net would not resolve."
            ),
        ),
        // Of resource management; no verb of this front end gives these.
        VaultError::NameInvalid(_)
        | VaultError::NameInUse(_)
        | VaultError::SoftDeleted(_)
        | VaultError::DeletedNotFound(_)
        | VaultError::PurgeProtected(_)
        | VaultError::PurgeProtectionIrreversible
        | VaultError::SoftDeleteIrreversible
        | VaultError::RetentionFixed
        | VaultError::Invalid(_) => bad(error.to_string()),
    }
}

fn key(error: &KeyError) -> Said {
    match error {
        KeyError::NotFound(kind, name) => said(
            StatusCode::NOT_FOUND,
            kind.missing(),
            None,
            format!(
                "A {noun} with (name/id) {name} was not found in this key vault. If you recently deleted this {noun} you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
                noun = kind.noun()
            ),
        ),
        KeyError::DeletedNotFound(kind, name) => {
            said(StatusCode::NOT_FOUND, kind.missing(), None, format!("Deleted {} not found: {name}", kind.title()))
        }
        KeyError::DeletedButRecoverable(..) => {
            said(StatusCode::CONFLICT, "Conflict", Some("ObjectIsDeletedButRecoverable"), error.to_string())
        }
        KeyError::Disabled(kind, operation) => {
            let code = match kind {
                ObjectKind::Key => "KeyDisabled",
                ObjectKind::Secret => "SecretDisabled",
                ObjectKind::Certificate => "CertificateDisabled",
            };
            forbidden(code, format!("Operation {operation} is not allowed on a disabled {}.", kind.noun()))
        }
        // The texts of these two are not known (keyvault.md H.1).
        KeyError::Expired(operation) => {
            forbidden("KeyExpired", format!("Operation {operation} is not allowed on an expired key."))
        }
        KeyError::NotYetValid(operation) => {
            forbidden("KeyNotYetValid", format!("Operation {operation} is not allowed on a key that is not yet valid."))
        }
        KeyError::OperationForbidden(operation) => {
            forbidden("KeyOperationForbidden", format!("Operation {operation} is not permitted on this key."))
        }
        KeyError::PurgeProtected(vault) => said(
            StatusCode::FORBIDDEN,
            "Forbidden",
            None,
            format!(
                "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed. Vault: {}",
                place(vault)
            ),
        ),
        KeyError::BadParameter(message) => bad(message.clone()),
        KeyError::Conflict(message) => said(StatusCode::CONFLICT, "Conflict", None, message.clone()),
    }
}
