//! What a browser keeps for the portal, and how a form proves that it is of this session: cookies that no page of
//! another site can send, and a token that only a page of this session holds.
//! Must not know: what forms do.

use crate::app::App;
use crate::app::directory::sign_in;
use crate::domain::world::crypto;
use crate::http::call::Call;

/// Bytes of a cookie's value that is kept.
const LONGEST: usize = 64;

/// A visitor's cookies. Ports share the cookies of a host, so the names hold the port.
pub(super) struct Session {
    port: String,
    pub(super) id: String,
    /// Whether the browser has no session yet.
    pub(super) fresh: bool,
    /// Whom to act as: an object id.
    pub(super) who: Option<String>,
    pub(super) lang: Option<String>,
}

impl Session {
    pub(super) fn of(call: &Call) -> Self {
        let port =
            call.authority.rsplit_once(':').map(|(_, port)| port).filter(|p| p.bytes().all(|b| b.is_ascii_digit()));
        let port = port.unwrap_or("443").to_owned();
        let kept = |name: &str| {
            let name = format!("acrite-{name}-{port}");
            let all = call.headers.get_all("cookie").iter().filter_map(|header| header.to_str().ok());
            let mut pairs = all.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
            let value = pairs.find(|(n, _)| *n == name).map(|(_, value)| value.to_owned());
            value.filter(|v| v.len() <= LONGEST && v.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        };
        let id = kept("session").filter(|id| id.len() == 32);
        let (who, lang) = (kept("as"), kept("lang"));
        Self { fresh: id.is_none(), id: id.unwrap_or_else(random), who, lang, port }
    }

    /// A header that has the browser keep a value until it is closed; none takes it away.
    pub(super) fn keep(&self, name: &str, value: Option<&str>, secure: bool) -> String {
        let secure = if secure { "; Secure" } else { "" };
        let age = if value.is_none() { "; Max-Age=0" } else { "" };
        let value = value.unwrap_or_default();
        format!("acrite-{name}-{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{age}", self.port)
    }

    /// What the forms of this session hold.
    pub(super) fn form_token(&self, app: &App) -> String {
        sign_in::portal_form_token(app, &self.id)
    }
}

/// Whether a form was sent by a page of this portal: by the token in it, and by what browsers say of its origin.
pub(super) fn is_own_form(call: &Call, form_token: &str, shown: &str) -> bool {
    let origin = call.header("origin").is_none_or(|origin| {
        origin.split_once("://").is_some_and(|(scheme, host)| {
            ["http", "https"].contains(&scheme) && host.eq_ignore_ascii_case(&call.authority)
        })
    });
    let site = call.header("sec-fetch-site").is_none_or(|site| site == "same-origin");
    origin && site && crypto::same_secret(shown.as_bytes(), form_token.as_bytes())
}

pub(super) fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
