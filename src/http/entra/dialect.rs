//! How Entra ID and the managed identity endpoints say a refusal. One table, three renderings.
//! Sources: keyvault.md F.2, F.4; texts as users paste them into issues.
//! Must not know: any route.

#![deny(clippy::wildcard_enum_match_arm)]

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use uuid::Uuid;

use crate::app::world::clock;
use crate::domain::Result;
use crate::domain::error::{AssertionError, ClientError, Error, INTERNAL, RequestError, SignInError, Unavailable};
use crate::domain::world::well_known::TENANT_ID;
use crate::http::call::Call;
use crate::http::faults;

/// What ties an answer to its request.
pub(super) struct Trace {
    correlation: String,
    echo: bool,
}

impl Trace {
    /// The client's own id, where it sent one.
    pub(super) fn of(call: &Call) -> Self {
        let sent = call.header("client-request-id").or_else(|| call.header("x-ms-client-request-id"));
        let correlation = sent.and_then(|id| Uuid::parse_str(id).ok()).unwrap_or_else(Uuid::new_v4).to_string();
        let echo = call.header("return-client-request-id").is_some_and(|r| r.eq_ignore_ascii_case("true"));
        Self { correlation, echo }
    }
}

const BAD: StatusCode = StatusCode::BAD_REQUEST;
const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;

/// A refusal before it is written: status, OAuth's word, the AADSTS number (0: none), text.
struct Refusal {
    status: StatusCode,
    error: &'static str,
    code: u32,
    text: String,
}

fn refusal(status: StatusCode, error: &'static str, code: u32, text: impl Into<String>) -> Refusal {
    Refusal { status, error, code, text: text.into() }
}

/// The numbers are documented, their statuses inferred [docs: error codes].
fn unavailable(why: Unavailable) -> Refusal {
    let status = faults::status_of(why);
    let transient = "A transient error has occurred. Please try again.";
    match why {
        Unavailable::Fault(429) => {
            let text = "TenantThrottlingError - There are too many incoming requests. Please retry later.";
            refusal(status, "temporarily_unavailable", 90_055, text)
        }
        Unavailable::Fault(401) => refusal(status, "invalid_client", 0, faults::text(401)),
        Unavailable::Fault(403) => refusal(status, "access_denied", 0, faults::text(403)),
        Unavailable::Fault(other @ ..500) => refusal(status, "invalid_request", 0, faults::text(other)),
        Unavailable::Fault(503) => refusal(status, "temporarily_unavailable", 90_033, transient),
        Unavailable::Fault(_) => refusal(status, "server_error", 90_033, transient),
        other @ (Unavailable::Full
        | Unavailable::ReadOnly
        | Unavailable::Gone
        | Unavailable::Busy
        | Unavailable::Failed
        | Unavailable::Vault) => refusal(status, "temporarily_unavailable", 90_033, other.to_string()),
    }
}

/// The table. Without wildcards over what this front end can meet; groups it never meets are named whole.
fn say(error: &Error) -> Refusal {
    match error {
        Error::Request(request) => match request {
            // [inferred] Azure shows an empty page with this status.
            RequestError::RouteUnknown(path) => refusal(
                StatusCode::NOT_FOUND,
                "invalid_request",
                9_002_313,
                format!("Invalid request. Request is malformed or invalid. There is no '{path}'."),
            ),
            RequestError::MethodNotAllowed { method, path } => {
                let takes = if path.ends_with("/token") && !path.starts_with("/metadata") {
                    "POST, OPTIONS"
                } else {
                    "GET, OPTIONS"
                };
                refusal(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "invalid_request",
                    900_561,
                    format!("The endpoint only accepts {takes} requests. Received a {method} request."),
                )
            }
            RequestError::Malformed(why) => refusal(
                BAD,
                "invalid_request",
                9_002_313,
                format!("Invalid request. Request is malformed or invalid: {why}."),
            ),
            RequestError::InvalidValue { property, message } => refusal(
                BAD,
                "invalid_request",
                9_002_313,
                format!("Invalid request. Request is malformed or invalid: {property}: {message}."),
            ),
            RequestError::TooLarge { limit } => refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                9_002_313,
                format!("Invalid request. Request is malformed or invalid: it has more than {limit} bytes."),
            ),
            RequestError::CutOff => refusal(
                BAD,
                "invalid_request",
                9_002_313,
                "Invalid request. Request is malformed or invalid: it was cut off.",
            ),
            RequestError::ApiVersionMissing | RequestError::ApiVersionInvalid(_) => refusal(
                BAD,
                "invalid_request",
                0,
                "Bad request. api-version is invalid or was not specified in the request.",
            ),
            RequestError::NotEmulated(what) => refusal(
                BAD,
                "unsupported_response_type",
                70_005,
                format!("response type '{what}' is not enabled for the app."),
            ),
        },
        Error::SignIn(sign_in) => say_sign_in(sign_in),
        Error::Internal(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error", 0, INTERNAL),
        Error::Unavailable(why) => unavailable(*why),
        // Nothing here takes a token, asks for rights or touches resources.
        Error::Token(_)
        | Error::Access(_)
        | Error::Resource(_)
        | Error::Neighbour(_)
        | Error::Directory(_)
        | Error::Vault(_)
        | Error::Key(_)
        | Error::Registry(_)
        | Error::Content(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error", 0, error.to_string()),
    }
}

fn say_sign_in(error: &SignInError) -> Refusal {
    match error {
        SignInError::Client(client) => say_client(client),
        SignInError::Assertion(assertion) => say_assertion(assertion),
        SignInError::InstanceUnknown(host) => {
            refusal(BAD, "invalid_instance", 50_049, format!("Unknown or invalid instance '{host}'."))
        }
        SignInError::TenantUnknown(tenant) => refusal(
            BAD,
            "invalid_request",
            90_002,
            format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
            ),
        ),
        SignInError::TenantMissing => refusal(
            BAD,
            "invalid_request",
            50_059,
            "No tenant-identifying information found in either the request or implied by any provided credentials.",
        ),
        SignInError::GrantUnsupported(grant) => refusal(
            BAD,
            "unsupported_grant_type",
            70_003,
            format!("The app requested an unsupported grant type '{grant}'."),
        ),
        SignInError::ParameterMissing(name) => refusal(
            BAD,
            "invalid_request",
            900_144,
            format!("The request body must contain the following parameter: '{name}'."),
        ),
        SignInError::Invalid(why) => refusal(
            BAD,
            "invalid_request",
            9_002_313,
            format!("Invalid request. Request is malformed or invalid: {why}."),
        ),
        SignInError::ScopeInvalid(scope) => refusal(
            BAD,
            "invalid_scope",
            1_002_012,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
            ),
        ),
        SignInError::ResourceUnknown(resource) => refusal(
            BAD,
            "invalid_resource",
            500_011,
            format!(
                "The resource principal named {resource} was not found in the tenant named {TENANT_ID}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."
            ),
        ),
        SignInError::GrantInvalid(_) => {
            refusal(BAD, "invalid_grant", 70_000, "Provided grant is invalid or malformed.")
        }
        SignInError::UserUnknown => refusal(BAD, "invalid_grant", 50_034, user_unknown()),
        SignInError::UserDisabled => refusal(BAD, "invalid_grant", 50_057, "The user account is disabled."),
        SignInError::IdentityUnknown => refusal(BAD, "invalid_request", 0, "Identity not found"),
        SignInError::IdentityAmbiguous => refusal(
            BAD,
            "invalid_request",
            0,
            "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
        ),
        SignInError::MetadataUnknown => refusal(StatusCode::NOT_FOUND, "Not found", 0, ""),
        SignInError::MetadataHeaderMissing => {
            refusal(BAD, "bad_request_102", 0, "Required metadata header not specified")
        }
        SignInError::IdentityHeaderWrong => refusal(
            UNAUTHORIZED,
            "unauthorized_client",
            0,
            "The X-IDENTITY-HEADER is missing or is not that of this instance.",
        ),
    }
}

fn user_unknown() -> String {
    format!(
        "The user account {{EUII Hidden}} does not exist in the {TENANT_ID} directory. To sign into this application, the account must be added to the directory."
    )
}

fn say_client(error: &ClientError) -> Refusal {
    match error {
        ClientError::Unknown { client_id, tenant } => refusal(
            BAD,
            "unauthorized_client",
            700_016,
            format!(
                "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
            ),
        ),
        ClientError::PrincipalMissing { client_id, tenant } => refusal(
            UNAUTHORIZED,
            "invalid_client",
            7_000_229,
            format!(
                "The client application {client_id} is missing service principal in the tenant {tenant}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119"
            ),
        ),
        ClientError::PrincipalDisabled { client_id, name } => {
            refusal(BAD, "unauthorized_client", 7_000_112, format!("Application '{client_id}'({name}) is disabled."))
        }
        // [issue] for number and text of the token endpoint.
        ClientError::ConsumersOnly { client_id, name } => refusal(
            BAD,
            "invalid_request",
            9_002_331,
            format!(
                "Application '{client_id}'({name}) is configured for use by Microsoft Account users only. Please use the /consumers endpoint to serve this request."
            ),
        ),
        ClientError::SecretWrong { client_id } => refusal(
            UNAUTHORIZED,
            "invalid_client",
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client_id}'."
            ),
        ),
        ClientError::SecretExpired { client_id } => refusal(
            UNAUTHORIZED,
            "invalid_client",
            7_000_222,
            format!(
                "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."
            ),
        ),
        ClientError::CredentialMissing => refusal(
            UNAUTHORIZED,
            "invalid_client",
            7_000_216,
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
        ),
    }
}

fn say_assertion(error: &AssertionError) -> Refusal {
    match error {
        AssertionError::Malformed => {
            refusal(UNAUTHORIZED, "invalid_client", 50_027, "JWT token is invalid or malformed.")
        }
        AssertionError::Invalid(why) => {
            refusal(UNAUTHORIZED, "invalid_client", 50_013, format!("Assertion failed signature validation: {why}."))
        }
        AssertionError::Certificate { client_id, reason, thumbprint } => refusal(
            UNAUTHORIZED,
            "invalid_client",
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {reason}, Thumbprint of key used by client: '{thumbprint}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{client_id}'.]"
            ),
        ),
        AssertionError::Audience(audience) => refusal(
            UNAUTHORIZED,
            "invalid_client",
            700_023,
            format!("Client assertion audience claim does not match Realm issuer. The audience is '{audience}'."),
        ),
        AssertionError::Time => {
            refusal(UNAUTHORIZED, "invalid_client", 700_024, "Client assertion is not within its valid time range.")
        }
        AssertionError::Unmatched { claim, value } => {
            let code = match *claim {
                "issuer" => 700_211,
                "audience" => 700_212,
                _ => 700_213,
            };
            refusal(
                UNAUTHORIZED,
                "invalid_client",
                code,
                format!(
                    "No matching federated identity record found for presented assertion {claim} '{value}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
                ),
            )
        }
        AssertionError::IssuerUnreachable(issuer) => {
            refusal(BAD, "invalid_request", 50_166, format!("Request to External OIDC endpoint failed: '{issuer}'."))
        }
    }
}

/// Notes in the log what a client cannot see the reason of.
fn log(error: &Error) {
    if error.is_trouble() {
        tracing::error!("{error}");
    } else if let Error::Request(RequestError::NotEmulated(what)) = error {
        tracing::warn!("not emulated: sign-in by {what}");
    } else if let Error::SignIn(SignInError::Assertion(AssertionError::IssuerUnreachable(issuer))) = error {
        tracing::warn!("not emulated: tokens of {issuer}; only this tenant's own tokens are taken as assertions");
    }
}

/// Entra ID's own shape.
pub(super) fn oauth(answer: Result<Response>, trace: &Trace) -> Response {
    let id = Uuid::new_v4().to_string();
    let mut response = answer.unwrap_or_else(|error| {
        log(&error);
        let said = say(&error);
        let stamp = clock::machine().zulu().replace('T', " ");
        let correlation = &trace.correlation;
        let prefix = if said.code == 0 { String::new() } else { format!("AADSTS{}: ", said.code) };
        let mut body = json!({
            "error": said.error,
            "error_description": format!("{prefix}{} Trace ID: {id} Correlation ID: {correlation} Timestamp: {stamp}", said.text),
            "error_codes": if said.code == 0 { json!([]) } else { json!([said.code]) },
            "timestamp": stamp,
            "trace_id": id,
            "correlation_id": correlation,
        });
        if said.code != 0 {
            body["error_uri"] = json!(format!("https://login.microsoftonline.com/error?code={}", said.code));
        }
        let no_store = [(header::CACHE_CONTROL, "no-store, no-cache"), (header::PRAGMA, "no-cache")];
        (said.status, no_store, Json(body)).into_response()
    });
    stamp(response.headers_mut(), &id, trace);
    response
}

/// The shape of the virtual machine's endpoint.
pub(super) fn imds(answer: Result<Response>, trace: &Trace) -> Response {
    let id = Uuid::new_v4().to_string();
    let mut response = answer.unwrap_or_else(|error| {
        log(&error);
        let said = say(&error);
        // Without an api-version this endpoint has a shape of its own [docs].
        let body = if matches!(error, Error::Request(RequestError::ApiVersionMissing)) {
            json!({"error": said.text, "newest-versions": ["2018-02-01"]})
        } else if said.text.is_empty() {
            json!({"error": said.error})
        } else {
            json!({"error": said.error, "error_description": numbered(&said)})
        };
        (said.status, Json(body)).into_response()
    });
    stamp(response.headers_mut(), &id, trace);
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("IMDS/150.870.65.1854"));
    response
}

/// The shape of App Service's endpoint [sdk-code: clients read `statusCode` and `message`].
pub(super) fn app_service(answer: Result<Response>, trace: &Trace) -> Response {
    let id = Uuid::new_v4().to_string();
    let mut response = answer.unwrap_or_else(|error| {
        log(&error);
        let said = say(&error);
        let message = if matches!(error, Error::SignIn(SignInError::IdentityUnknown)) {
            "No Managed Identity found for specified ClientId/ResourceId/PrincipalId.".to_owned()
        } else {
            numbered(&said)
        };
        let body = json!({"statusCode": said.status.as_u16(), "message": message, "correlationId": trace.correlation});
        (said.status, Json(body)).into_response()
    });
    stamp(response.headers_mut(), &id, trace);
    response
}

fn numbered(said: &Refusal) -> String {
    if said.code == 0 { said.text.clone() } else { format!("AADSTS{}: {}", said.code, said.text) }
}

fn stamp(headers: &mut HeaderMap, id: &str, trace: &Trace) {
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("x-ms-request-id", id);
    if trace.echo {
        set("client-request-id", &trace.correlation);
    }
    if headers.get(header::CONTENT_TYPE).is_some_and(|c| c == "application/json") {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
}
