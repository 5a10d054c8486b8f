//! How Microsoft Graph says a refusal, and what it puts on every answer.
//! Source: keyvault.md E.3; texts as users paste them into issues.
//! Must not know: any route.

#![deny(clippy::wildcard_enum_match_arm)]

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use uuid::Uuid;

use crate::app::world::clock;
use crate::domain::Result;
use crate::domain::error::{
    AccessError, DirectoryError, Error, INTERNAL, RequestError, ResourceError, TokenError, Unavailable,
};
use crate::http::call::Call;
use crate::http::faults::words;

/// The content type of every body [recorded].
const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// Ids that tie an answer to its request.
pub(super) struct Trace {
    request: String,
    client: String,
}

impl Trace {
    /// The client's own id, where it sent one.
    pub(super) fn of(call: &Call) -> Self {
        let request = Uuid::new_v4().to_string();
        let client = call.header("client-request-id").and_then(|id| Uuid::parse_str(id).ok());
        Self { client: client.map_or_else(|| request.clone(), |id| id.to_string()), request }
    }
}

const BAD: StatusCode = StatusCode::BAD_REQUEST;

struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

fn refusal(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, code, message: message.into() }
}

/// [docs] for throttling; the other codes are those of Azure's services [inferred].
fn unavailable(why: Unavailable) -> Refusal {
    let (status, code, message) = words(why);
    let code = if status == StatusCode::SERVICE_UNAVAILABLE { "Service_ServiceUnavailable" } else { code };
    refusal(status, code, message)
}

/// The table. Without wildcards over what this front end can meet; groups it never meets are named whole.
fn say(error: &Error) -> Refusal {
    match error {
        Error::Request(request) => say_request(request),
        Error::Token(token) => {
            let message = match token {
                TokenError::Missing => "Access token is empty.".to_owned(),
                TokenError::Audience { .. } => "Access token validation failure. Invalid audience.".to_owned(),
                TokenError::Issuer { .. } => "Access token validation failure. Invalid issuer.".to_owned(),
                TokenError::Expired => "Lifetime validation failed, the token is expired.".to_owned(),
                TokenError::Malformed(_) => "Access token validation failure. Invalid signature.".to_owned(),
                // [issue] of tokens that Graph was told to evaluate continuously.
                TokenError::Revoked => "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp".to_owned(),
            };
            refusal(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
        }
        Error::Access(access) => match access.as_ref() {
            AccessError::Action { .. }
            | AccessError::Policy { .. }
            | AccessError::Role { .. }
            | AccessError::Firewall { .. }
            | AccessError::PublicNetwork { .. } => refusal(
                StatusCode::FORBIDDEN,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            ),
        },
        Error::Directory(directory) => say_directory(directory),
        Error::Resource(ResourceError::DirectoryObjectNotFound(id)) => missing(id),
        Error::Internal(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "Service_InternalServerError", INTERNAL),
        Error::Unavailable(why) => unavailable(*why),
        // Nothing here gives tokens or touches resources.
        Error::Resource(_)
        | Error::Neighbour(_)
        | Error::SignIn(_)
        | Error::Vault(_)
        | Error::Key(_)
        | Error::Registry(_)
        | Error::Content(_) => {
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "Service_InternalServerError", error.to_string())
        }
    }
}

fn say_request(request: &RequestError) -> Refusal {
    match request {
        RequestError::RouteUnknown(path) => {
            let segment = path.rsplit('/').find(|s| !s.is_empty()).unwrap_or_default();
            refusal(BAD, "BadRequest", format!("Resource not found for the segment '{segment}'."))
        }
        RequestError::MethodNotAllowed { .. } => refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
        ),
        RequestError::Malformed(why) => {
            refusal(BAD, "BadRequest", format!("Unable to read JSON request payload. {why}"))
        }
        RequestError::InvalidValue { property, message } => {
            refusal(BAD, "Request_BadRequest", format!("Invalid value specified for property '{property}'. {message}"))
        }
        RequestError::TooLarge { limit } => refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Request_BadRequest",
            format!("The request body is larger than {limit} bytes."),
        ),
        RequestError::CutOff => refusal(BAD, "BadRequest", "Unable to read JSON request payload. It was cut off."),
        // Graph has no api-version.
        RequestError::ApiVersionMissing | RequestError::ApiVersionInvalid(_) => {
            refusal(BAD, "BadRequest", "Invalid version.")
        }
        RequestError::NotEmulated(what) => {
            refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented", format!("{what} is not supported by this service."))
        }
    }
}

fn say_directory(directory: &DirectoryError) -> Refusal {
    match directory {
        DirectoryError::NotFound(id) => missing(id),
        DirectoryError::QueryUnsupported(query) => {
            refusal(BAD, "Request_UnsupportedQuery", format!("Unsupported Query: '{query}'."))
        }
        DirectoryError::QueryRefused(message) => refusal(BAD, "Request_UnsupportedQuery", message.clone()),
        DirectoryError::QueryInvalid(message) => refusal(BAD, "BadRequest", message.clone()),
        // [issue]
        DirectoryError::PropertyUnknown(name) => {
            refusal(BAD, "Request_BadRequest", format!("Invalid property '{name}'."))
        }
        DirectoryError::ValuesInvalid => {
            refusal(BAD, "Request_BadRequest", "One or more properties contains invalid values.")
        }
        DirectoryError::NoUser => {
            refusal(BAD, "BadRequest", "/me request is only valid with delegated authentication flow.")
        }
        DirectoryError::ApplicationUnknown(app_id) => refusal(
            BAD,
            "Request_BadRequest",
            format!("The appId '{app_id}' of the service principal does not reference a valid application object."),
        ),
        DirectoryError::ServicePrincipalExists(app_id) => refusal(
            StatusCode::CONFLICT,
            "Request_MultipleObjectsWithSameKeyValue",
            format!(
                "The service principal cannot be created, updated, or restored because the service principal name {app_id} is already in use."
            ),
        ),
        DirectoryError::ValueTaken { property } => refusal(
            BAD,
            "Request_BadRequest",
            format!("Another object with the same value for property {property} already exists."),
        ),
        DirectoryError::ReferenceExists(property) => refusal(
            BAD,
            "Request_BadRequest",
            format!(
                "One or more added object references already exist for the following modified properties: '{property}'."
            ),
        ),
        DirectoryError::PasswordNotFound(key_id) => {
            refusal(BAD, "Request_BadRequest", format!("No password credential found with keyId '{key_id}'."))
        }
        DirectoryError::TooManyCredentials => refusal(
            BAD,
            "Request_BadRequest",
            "The number of federated identity credentials has reached the limit of 20.",
        ),
    }
}

fn missing(id: &str) -> Refusal {
    refusal(
        StatusCode::NOT_FOUND,
        "Request_ResourceNotFound",
        format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present."),
    )
}

/// The answer, or the refusal, with Graph's headers.
pub(super) fn render(answer: Result<Response>, trace: &Trace) -> Response {
    let mut response = answer.unwrap_or_else(|error| {
        if error.is_trouble() {
            tracing::error!("{error}");
        } else if let Error::Request(RequestError::NotEmulated(what)) = &error {
            tracing::warn!("not emulated: Microsoft Graph, {what}");
        }
        let said = say(&error);
        let body = json!({"error": {
            "code": said.code,
            "message": said.message,
            "innerError": {
                "date": clock::machine().zulu().trim_end_matches('Z'),
                "request-id": trace.request,
                "client-request-id": trace.client,
            },
        }});
        let mut response = (said.status, Json(body)).into_response();
        if said.status == StatusCode::UNAUTHORIZED {
            let challenge = "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", client_id=\"00000003-0000-0000-c000-000000000000\"";
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    });
    let headers = response.headers_mut();
    if headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("odata-version"), HeaderValue::from_static("4.0"));
    let diagnostic =
        r#"{"ServerInfo":{"DataCenter":"Acrite","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"ACRITE"}}"#;
    headers.insert(HeaderName::from_static("x-ms-ags-diagnostic"), HeaderValue::from_static(diagnostic));
    for (name, id) in [("request-id", &trace.request), ("client-request-id", &trace.client)] {
        if let Ok(value) = HeaderValue::from_str(id) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}
