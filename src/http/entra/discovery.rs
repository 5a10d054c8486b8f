//! What clients read before they sign in: instance discovery, the OpenID configuration, the signing keys.
//! Sources: keyvault.md F.1; recorded documents of login.microsoftonline.com.
//! Must not know: clients, secrets, tokens.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::app::directory::sign_in;
use crate::domain::Result;
use crate::domain::directory::token;
use crate::domain::error::{Error, SignInError};
use crate::domain::world::well_known::TENANT_ID;
use crate::http::call::Call;

/// The hosts of the public cloud, which are one instance [recorded].
const HOSTS: [&str; 4] = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"];

/// Which generation of the endpoints a document describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// `/oauth2/...`, tokens by `resource`.
    One,
    /// `/oauth2/v2.0/...`, tokens by `scope`.
    Two,
}

/// Whether an authority's host is a known one, and where its configuration lies.
pub(super) fn instance(call: &Call) -> Result<Response> {
    let endpoint = call.query("authorization_endpoint").filter(|e| !e.is_empty());
    let endpoint = endpoint.ok_or(SignInError::ParameterMissing("authorization_endpoint"))?;
    let rest = endpoint.strip_prefix("https://").unwrap_or_default();
    let mut parts = rest.split('/');
    let (authority, tenant) = (parts.next().unwrap_or_default(), parts.next().unwrap_or("common"));
    let host = authority.split(':').next().unwrap_or_default();
    if !HOSTS.iter().any(|h| h.eq_ignore_ascii_case(host)) {
        return Err(SignInError::InstanceUnknown(host.to_owned()).into());
    }
    let v2 = endpoint.contains("/v2.0/");
    let version = if v2 { "v2.0/" } else { "" };
    let mut document = json!({
        "tenant_discovery_endpoint": format!("https://{authority}/{tenant}/{version}.well-known/openid-configuration"),
    });
    if call.query("api-version").as_deref() == Some("1.1") {
        document["api-version"] = json!("1.1");
        document["metadata"] = json!([{
            "preferred_network": HOSTS[0],
            "preferred_cache": HOSTS[1],
            "aliases": HOSTS,
        }]);
    }
    Ok(Json(document).into_response())
}

/// `{tenant}/.well-known/openid-configuration`. For `common` and `organizations` it names no tenant.
pub(super) fn configuration(call: &Call, tenant: &str, version: Version) -> Result<Response> {
    let any = is_any(tenant)?;
    let named = if any { tenant } else { TENANT_ID };
    let base = format!("https://{}/{named}", call.authority);
    // In place of a tenant's id stands the word, in braces [recorded].
    let issuer = |of_tenant: String| if any { of_tenant.replace(TENANT_ID, "{tenantid}") } else { of_tenant };
    let mut document = json!({
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "request_uri_parameter_supported": false,
        "tenant_region_scope": if any { Value::Null } else { json!("WW") },
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    });
    let own = match version {
        Version::One => json!({
            "issuer": issuer(token::issuer()),
            "token_endpoint": format!("{base}/oauth2/token"),
            "authorization_endpoint": format!("{base}/oauth2/authorize"),
            "device_authorization_endpoint": format!("{base}/oauth2/devicecode"),
            "end_session_endpoint": format!("{base}/oauth2/logout"),
            "jwks_uri": format!("https://{}/common/discovery/keys", call.authority),
            "userinfo_endpoint": format!("{base}/openid/userinfo"),
            "check_session_iframe": format!("{base}/oauth2/checksession"),
            "response_types_supported": ["code", "id_token", "code id_token", "token id_token", "token"],
            "scopes_supported": ["openid"],
            "microsoft_multi_refresh_token": true,
            "claims_supported": ["sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "email", "given_name", "family_name", "nickname"],
        }),
        Version::Two => json!({
            "issuer": issuer(token::issuer_v2()),
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
            "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "claims_supported": ["sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email"],
        }),
    };
    if let (Some(all), Value::Object(own)) = (document.as_object_mut(), own) {
        all.extend(own);
    }
    Ok(Json(document).into_response())
}

/// The tenant's signing keys.
pub(super) async fn keys(app: &Arc<App>, tenant: &str) -> Result<Response> {
    let any = is_any(tenant)?;
    let mut key = app.signer().await?.public_jwk();
    key["issuer"] = json!(if any { token::issuer_v2().replace(TENANT_ID, "{tenantid}") } else { token::issuer_v2() });
    Ok(Json(json!({"keys": [key]})).into_response())
}

/// Whether `tenant` stands for any tenant; else it must be ours.
fn is_any(tenant: &str) -> Result<bool> {
    match sign_in::check_tenant(tenant) {
        Ok(()) => Ok(false),
        Err(Error::SignIn(SignInError::TenantMissing)) => Ok(true),
        Err(error) => Err(error),
    }
}
